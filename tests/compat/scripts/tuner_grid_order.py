"""GridSearch with fewer trials than combinations begins with the defaults."""

# expected: reported: eyetune takes the combinations in random order, so that a part of them
#   covers the whole space
# differing: units
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.GridSearch(
    build_model, "val_accuracy", max_trials=3, directory="results", project_name="order"
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
found = tuner.get_best_hyperparameters(5)
fact("units", sorted(hp.get("units") for hp in found))
fact("trials", len(found))
