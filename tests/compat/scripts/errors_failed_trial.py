"""FailedTrialError in build marks trials as failed; it is not tried again."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def build_model(hp):
    units = hp.Choice("units", [2, 50, 3, 60])
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(units))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    if model.count_params() > 100:
        raise keras_tuner.errors.FailedTrialError(f"too large: {model.count_params()}")
    return model


watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.GridSearch(
    build_model,
    "val_accuracy",
    max_retries_per_trial=2,
    directory="results",
    project_name="large",
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
trials = tuner.oracle.trials.values()
fact("states", sorted([trial.hyperparameters.get("units"), trial.status] for trial in trials))
fact("trainings", len(notes("training")))
fact("message", sorted("too large" in (trial.message or "") for trial in trials))
