"""Sequences of shape (N, 48, 7) and a regression, as in forecasts of time series."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.normal(0, 2, (24, 48, 7)).astype("float32")
y = x[:, -1, 0] * 0.5


def build_model(hp):
    units = hp.Int("units", 2, 4)
    model = keras.Sequential([keras.Input((48, 7)), keras.layers.GlobalAveragePooling1D()])
    model.add(keras.layers.Dense(units, kernel_initializer=keras.initializers.Constant(1 / units)))
    model.add(keras.layers.Dense(1, kernel_initializer="ones"))
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=2, directory="results", project_name="forecast"
)
tuner.search(x[:16], y[:16], validation_data=(x[16:], y[16:]), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
model = tuner.get_best_models()[0]
fact("input shape", list(model.input_shape))
fact("evaluation", model.evaluate(x[16:], y[16:], verbose=0))
