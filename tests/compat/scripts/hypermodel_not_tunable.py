"""HyperModel(tunable=False) keeps its defaults, inside of another one."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


class Head(keras_tuner.HyperModel):
    def build(self, hp):
        units = hp.Int("head_units", 2, 60, default=5)
        note("units", units)
        return keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(2, "softmax")])


head = Head(tunable=False)


def build_model(hp):
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(head.build(hp))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=3, directory="results", project_name="head"
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("units", distinct(notes("units")))
fact("names", [sorted(hp.values) for hp in tuner.get_best_hyperparameters(3)])
