"""Two outputs with a loss each, and the metric of one of them as the objective."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.normal(0, 1, (24, 4)).astype("float32")
y = {"price": x[:, 0] * 2, "kind": (x[:, 1] > 0).astype("int32")}


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=5)
    inputs = keras.Input((4,))
    price = keras.layers.Dense(1, name="price", kernel_initializer=initializer)(inputs)
    kind = keras.layers.Dense(2, activation="softmax", name="kind", kernel_initializer=initializer)(
        inputs
    )
    model = keras.Model(inputs, {"price": price, "kind": kind})
    model.compile(
        keras.optimizers.SGD(0.0),
        {"price": "mse", "kind": "sparse_categorical_crossentropy"},
        metrics={"price": ["mae"], "kind": ["accuracy"]},
    )
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model,
    keras_tuner.Objective("val_kind_accuracy", "max"),
    max_trials=2,
    directory="results",
    project_name="outputs",
)
y_first = {name: values[:8] for name, values in y.items()}
tuner.search(x, y, validation_data=(x[:8], y_first), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
