"""HyperImageAugment in front of a network of the script's own."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (8, 8, 8, 3)).astype("float32")
y = np.arange(8) % 2
augment = keras_tuner.applications.HyperImageAugment(
    input_shape=(8, 8, 3), augment_layers=0, rotate=[0.1, 0.2], translate_x=0.3, translate_y=None
)


def build_model(hp):
    model = keras.Sequential([keras.Input((8, 8, 3)), augment.build(hp)])
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="augment"
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
best = tuner.get_best_hyperparameters()[0]
fact("names", sorted(best.values))
fact("rotate", 0.1 <= best.get("factor_rotate") <= 0.2)
