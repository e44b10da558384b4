"""A regression on images, with a metric as the objective."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (20, 6, 6, 3)).astype("float32")
y = rng.normal(3, 2, 20)


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(1, kernel_initializer="ones"))
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mean_absolute_error"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.BayesianOptimization(
    build_model,
    keras_tuner.Objective("val_mean_absolute_error", "min"),
    max_trials=2,
    directory="results",
    project_name="regression",
)
tuner.search(x, y, validation_split=0.4, callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
