"""A model with a train_step of its own."""

# expected: same
import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from facts import fact, note, notes

x = np.linspace(0, 1, 16).reshape(16, 1).astype("float32")
y = 3 * x


class Doubled(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = 2 * self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"doubled": loss}


def build_model(hp):
    hp.Int("unused", 1, 9)
    inputs = keras.Input((1,))
    model = Doubled(inputs, keras.layers.Dense(1, kernel_initializer="ones")(inputs))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=1, directory="results", project_name="step"
)
tuner.search(x, y, batch_size=16, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
