"""EarlyStopping with restore_best_weights: the best model has the weights of the best epoch."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.ones((8, 1), "float32")
y = np.ones(8, "float32")


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((1,))])
    model.add(keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=1, restore_best_weights=True)
watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("epoch", epoch))
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=1, directory="results", project_name="restored"
)
tuner.search(x, y, epochs=9, validation_data=(x, 0.3 * y), callbacks=[stop, watch], verbose=0)
fact("epochs", notes("epoch"))
fact("weight", float(tuner.get_best_models()[0].get_weights()[0][0, 0]))
