"""A dataset that repeats forever, with steps_per_epoch and validation_steps."""

# expected: same
import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from facts import fact, note, notes

x = np.linspace(0, 1, 24).reshape(24, 1).astype("float32")
data = tf.data.Dataset.from_tensor_slices((x, 3 * x)).batch(6).repeat()


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=2, directory="results", project_name="repeated"
)
tuner.search(
    data,
    epochs=2,
    steps_per_epoch=4,
    validation_data=data,
    validation_steps=2,
    callbacks=[watch],
    verbose=0,
)
fact("validation losses", [logs["val_loss"] for logs in notes("logs")])
