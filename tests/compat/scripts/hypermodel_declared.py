"""declare_hyperparameters comes before build."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


class Declared(keras_tuner.HyperModel):
    def declare_hyperparameters(self, hp):
        hp.Choice("units", [3, 4])

    def build(self, hp):
        model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(hp.get("units")))
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile(
            "sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True
        )
        return model


tuner = keras_tuner.GridSearch(
    Declared(name="declared"), "val_accuracy", directory="results", project_name="declared"
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("units", sorted(hp.get("units") for hp in tuner.get_best_hyperparameters(9)))
