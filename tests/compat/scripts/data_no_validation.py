"""A search without validation data, for the training loss."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.linspace(0, 1, 16).reshape(16, 1).astype("float32")
y = 2 * x[:, 0]


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "loss", max_trials=2, directory="results", project_name="training"
)
tuner.search(x, y, epochs=2, callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
fact("loss", tuner.get_best_models()[0].evaluate(x, y, verbose=0))
