"""Names that are imported from the package, as many scripts do it."""

# expected: same
import keras
import numpy as np
from facts import fact
from keras_tuner import Hyperband, HyperModel, HyperParameters, Objective, RandomSearch

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


class Small(HyperModel):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes

    def build(self, hp):
        model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
        model.add(keras.layers.Dense(self.num_classes, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


known = HyperParameters()
known.Choice("units", [4, 8])
tuner = RandomSearch(
    Small(2),
    objective=Objective("val_accuracy", direction="max"),
    max_trials=5,
    hyperparameters=known,
    directory="results",
    project_name="imported",
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("units", sorted(hp.get("units") for hp in tuner.get_best_hyperparameters(9)))
fact("class", Hyperband.__name__)
