"""tuner.oracle: trials with score, state, values and best step."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    rate = hp.Choice("rate", [0.1, 0.01])
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: note("val_loss", logs["val_loss"])
)
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=3, directory="results", project_name="view"
)
tuner.search(x, y, epochs=1, validation_data=(x, y), callbacks=[watch], verbose=0)
oracle = tuner.oracle
best = oracle.get_best_trials(10)
fact("max_trials", oracle.max_trials)
fact("objective", [oracle.objective.name, oracle.objective.direction])
fact("space", [entry.name for entry in oracle.get_space().space])
fact("hyperparameters", [entry.name for entry in oracle.hyperparameters.space])
fact("trials", len(oracle.trials))
fact("ids", sorted(oracle.trials) == sorted(trial.trial_id for trial in best))
fact("get_trial", oracle.get_trial(best[0].trial_id).score == best[0].score)
fact("states", [trial.status for trial in best])
fact("sorted", [trial.score for trial in best] == sorted(trial.score for trial in best))
fact(
    "scores",
    bool(np.allclose([trial.score for trial in best], sorted(notes("val_loss")), atol=1e-5)),
)
fact("steps", [trial.best_step for trial in best])
fact("values", [sorted(trial.hyperparameters.values) for trial in best])
fact("message", [trial.message for trial in best])
fact("remaining", oracle.remaining_trials())
