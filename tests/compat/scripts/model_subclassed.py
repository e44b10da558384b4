"""A subclassed model without get_config: built from the function, with the trained weights."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 6, 6, 3)).astype("float32")
y = np.arange(24) % 2


class Network(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.flatten = keras.layers.Flatten()
        self.hidden = keras.layers.Dense(units, activation="relu")
        self.answer = keras.layers.Dense(2, activation="softmax")

    def call(self, images):
        return self.answer(self.hidden(self.flatten(images)))


def build_model(hp):
    model = Network(hp.Int("units", 3, 5))
    model.build((None, 6, 6, 3))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="subclassed"
)
tuner.search(x, y, epochs=1, validation_data=(x, y), verbose=0)
model = tuner.get_best_models()[0]
fact("class", type(model).__name__)
fact("units as found", model.hidden.units == tuner.get_best_hyperparameters()[0].get("units"))
fact("predictions", list(model.predict(x, verbose=0).shape))
fact("metrics", sorted(model.evaluate(x, y, verbose=0, return_dict=True)))
