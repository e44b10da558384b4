"""The calls of the guide on objectives: a metric class of the script's own, by its name."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes
from keras import ops

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (30, 10)).astype("float32")
y = rng.uniform(0, 1, (30, 1)).astype("float32")


class CustomMetric(keras.metrics.Metric):
    def __init__(self, **kwargs):
        super().__init__(name="custom_metric", **kwargs)
        self.sum = self.add_weight(name="sum", initializer="zeros")
        self.count = self.add_weight(name="count", dtype="int32", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = ops.square(y_true - y_pred)
        self.count.assign_add(ops.shape(y_pred)[0])
        self.sum.assign_add(ops.sum(values))

    def result(self):
        return self.sum / ops.cast(self.count, "float32")

    def reset_state(self):
        self.sum.assign(0)
        self.count.assign(0)


def build_regressor(hp):
    hp.Int("unused", 1, 99)
    initializer = keras.initializers.RandomNormal(seed=3)
    model = keras.Sequential([keras.Input((10,))])
    model.add(keras.layers.Dense(1, kernel_initializer=initializer))
    model.compile(keras.optimizers.SGD(0.0), "mean_squared_error", metrics=[CustomMetric()])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    hypermodel=build_regressor,
    objective=keras_tuner.Objective("val_custom_metric", direction="min"),
    max_trials=2,
    overwrite=True,
    directory="my_dir",
    project_name="custom_metrics",
)
tuner.search(x=x, y=y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
tuner.results_summary()
