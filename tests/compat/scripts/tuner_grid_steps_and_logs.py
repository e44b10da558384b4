"""GridSearch shows the values of steps and logarithmic ranges."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def make(declare):
    def build_model(hp):
        declare(hp)
        model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile(
            "sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True
        )
        return model

    return build_model


def values_of(name, declare):
    tuner = keras_tuner.GridSearch(
        make(declare), "val_accuracy", directory="results", project_name=name
    )
    tuner.search(x, y, epochs=1, validation_data=(x, y), verbose=0)
    return sorted(hp.get(name) for hp in tuner.get_best_hyperparameters(100))


fact("int step", values_of("a", lambda hp: hp.Int("a", 6, 13, step=3)))
fact("int log", values_of("b", lambda hp: hp.Int("b", 2, 32, step=2, sampling="log")))
fact("float step", values_of("c", lambda hp: hp.Float("c", 0.0, 0.75, step=0.25)))
fact("float log", values_of("d", lambda hp: hp.Float("d", 0.001, 1, step=10, sampling="log")))
