"""A loss, a metric and a layer of the script's own, without registration."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (20, 4, 4, 1)).astype("float32")
y = keras.utils.to_categorical(np.arange(20) % 2, 2)


class Scale(keras.layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, values):
        return values * self.factor


def cubic(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)


def certainty(y_true, y_pred):
    return keras.ops.mean(keras.ops.max(y_pred, axis=-1))


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    model = keras.Sequential([keras.Input((4, 4, 1)), Scale(3.0), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer=initializer))
    model.compile(keras.optimizers.SGD(0.0), cubic, metrics=["accuracy", certainty])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model,
    keras_tuner.Objective("val_certainty", "max"),
    max_trials=1,
    directory="results",
    project_name="parts",
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
model = tuner.get_best_models()[0]
fact("evaluation", model.evaluate(x, y, verbose=0, return_dict=True))
