"""executions_per_trial: each trial is trained twice, and its score is the mean."""

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
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile(
        keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(
    on_train_begin=lambda logs: note("training"),
    on_epoch_end=lambda epoch, logs: note("val_loss", logs["val_loss"]),
)
tuner = keras_tuner.RandomSearch(
    build_model,
    "val_loss",
    max_trials=2,
    executions_per_trial=2,
    directory="results",
    project_name="executions",
)
tuner.search(x, y, epochs=1, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("trainings", len(notes("training")))
scores = [trial.score for trial in tuner.oracle.get_best_trials(2)]
losses = notes("val_loss")
fact("trials", len(scores))
fact("executions differ", len({round(loss, 6) for loss in losses}) >= 2)
fact("mean of means", bool(np.isclose(np.mean(scores), np.mean(losses), atol=1e-5)))
fact("executions", tuner.executions_per_trial)
