"""Arrays of type float64 keep their type until the network casts them."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

x = np.linspace(-3, 3, 40).reshape(20, 2)
y = x.sum(axis=1)


class Model(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-2, sampling="log")), "mse")
        return model

    def fit(self, hp, model, x, y, **kwargs):
        note("arrays", [str(x.dtype), str(y.dtype), float(x.min()), float(y.max())])
        return model.fit(x, y, **kwargs)


tuner = keras_tuner.RandomSearch(
    Model(), "val_loss", max_trials=1, directory="results", project_name="float64"
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("arrays", distinct(notes("arrays")))
