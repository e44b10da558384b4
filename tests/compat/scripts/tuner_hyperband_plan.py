"""Hyperband's plan in the values of trials: tuner/epochs and the others."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((12, 3), "float32")
y = np.arange(12) % 2


def build_model(hp):
    units = hp.Int("units", 1, 60)
    layer = keras.layers.Dense(units, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros"))
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", run_eagerly=True)
    return model


tuner = keras_tuner.Hyperband(
    build_model, "loss", max_epochs=3, directory="results", project_name="plan"
)
tuner.search(x, y, verbose=0)
names = ("tuner/epochs", "tuner/initial_epoch", "tuner/bracket", "tuner/round")
plans = {
    tuple(trial.hyperparameters.get(name) for name in names)
    for trial in tuner.oracle.trials.values()
}
fact("plans", sorted(plans))
best = tuner.get_best_hyperparameters(1)[0]
fact("plan of the best", tuple(best.get(name) for name in names) in plans)
fact("promoted", ("tuner/trial_id" in best.values) == (best.get("tuner/round") > 0))
