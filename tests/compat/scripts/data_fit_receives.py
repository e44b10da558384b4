"""HyperModel.fit receives the arrays of search: type, shape and values, and the arguments."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

rng = np.random.default_rng(0)
x = rng.normal(5, 2, (20, 6, 4))
y = rng.normal(0, 1, (20, 2))


def described(array):
    return [type(array).__name__, str(array.dtype), list(array.shape), float(np.sum(array))]


class Forecast(keras_tuner.HyperModel):
    def build(self, hp):
        hp.Int("unused", 1, 9)
        model = keras.Sequential([keras.Input((6, 4)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(2))
        model.compile("adam", "mse")
        return model

    def fit(self, hp, model, x, y, validation_data, batch_size, **kwargs):
        note("x", described(x))
        note("y", described(y))
        note("validation", [described(part) for part in validation_data])
        note("batch_size", batch_size)
        note("arguments", sorted(kwargs))
        note("epochs", kwargs["epochs"])
        return model.fit(x, y, validation_data=validation_data, batch_size=batch_size, **kwargs)


tuner = keras_tuner.RandomSearch(
    Forecast(), "val_loss", max_trials=2, directory="results", project_name="received"
)
tuner.search(
    x[:14],
    y[:14],
    validation_data=(x[14:], y[14:]),
    batch_size=7,
    epochs=2,
    verbose=0,
    shuffle=False,
)
for name in ("x", "y", "validation", "batch_size", "arguments", "epochs"):
    fact(name, distinct(notes(name)))
