"""The metrics of a trial: names, best and last values, statistics."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer=initializer))
    model.compile(
        keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=1, directory="results", project_name="metrics"
)
tuner.search(x, y, epochs=2, validation_data=(x, y), verbose=0)
metrics = tuner.oracle.get_best_trials()[0].metrics
fact(
    "exists",
    [metrics.exists(name) for name in ("loss", "val_loss", "accuracy", "val_accuracy", "auc")],
)
fact("best", metrics.get_best_value("val_accuracy"))
fact("last", metrics.get_last_value("val_loss"))
fact("direction", metrics.get_direction("val_accuracy"))
history = metrics.get_history("val_accuracy")
fact("history", [observation.mean() for observation in history])
fact("statistics", metrics.get_statistics("val_accuracy")["mean"])
