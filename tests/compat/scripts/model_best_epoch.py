"""The best model has the weights of its best epoch, not those of the last one."""

# expected: same
# budget: small
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
    model.compile(keras.optimizers.SGD(0.1), "mse")  # the weight becomes 0.2, 0.36, 0.488, ...
    return model


watch = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: note("val_loss", logs["val_loss"])
)
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=1, directory="results", project_name="epochs"
)
tuner.search(x, y, epochs=5, validation_data=(x, 0.3 * y), callbacks=[watch], verbose=0)
model = tuner.get_best_models()[0]
fact("losses", notes("val_loss"))
fact("weight", float(model.get_weights()[0][0, 0]))
fact("loss", model.evaluate(x, 0.3 * y, verbose=0))
