"""Layers in a loop: as many hyperparameters as the number of layers asks for."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    for index in range(hp.Int("layers", 1, 3)):
        model.add(keras.layers.Dense(hp.Int(f"units_{index}", 2, 9, step=1)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=8, directory="results", project_name="loop", seed=3
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
found = tuner.get_best_hyperparameters(9)
fact("trials", len(found))
fact("has its units", all(f"units_{hp.get('layers') - 1}" in hp for hp in found))
model = tuner.hypermodel.build(found[0])
fact("layers", len(model.layers) == 2 + found[0].get("layers"))
