"""The calls of the guide on failed trials: retries, consecutive failures, FailedTrialError."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (20, 10)).astype("float32")
y = rng.uniform(0, 1, 20).astype("float32")


def build_model(hp):
    model = keras.Sequential([keras.Input((10,))])
    model.add(keras.layers.Dense(hp.Choice("units", [10, 20, 1000, 2000])))
    model.add(keras.layers.Dense(units=1))
    model.compile(loss="mse")
    num_parameters = model.count_params()
    if num_parameters > 1200:
        note("too large", hp.get("units"))
        raise error(f"Model is too large: {num_parameters} parameters.")
    return model


error = keras_tuner.errors.FailedTrialError
tuner = keras_tuner.GridSearch(
    hypermodel=build_model,
    objective="val_loss",
    overwrite=True,
    max_retries_per_trial=3,
    max_consecutive_failed_trials=8,
    directory="my_dir",
    project_name="failed",
)
tuner.search(x, y, epochs=1, validation_data=(x, y), verbose=0)
tuner.results_summary()
states = [
    [trial.hyperparameters.get("units"), trial.status] for trial in tuner.oracle.trials.values()
]
fact("states", sorted(states))
fact("best", tuner.get_best_hyperparameters()[0].get("units") in (10, 20))
fact("too large", set(notes("too large")))
