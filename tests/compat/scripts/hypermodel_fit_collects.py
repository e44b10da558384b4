"""HyperModel.fit collects histories in a list of the script and in an attribute."""

# expected: reported: trials are trained in other processes, whose lists stay there; workers=0
#   fills these
# differing: list, attribute
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 3), "float32")
y = np.arange(8) % 2
histories = []


class Collecting(keras_tuner.HyperModel):
    def __init__(self):
        super().__init__()
        self.losses = {}

    def build(self, hp):
        hp.Int("unused", 1, 9)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        return model

    def fit(self, hp, model, *args, **kwargs):
        history = model.fit(*args, **kwargs)
        histories.append(history.history)
        self.losses[hp.get("unused")] = history.history["loss"]
        return history


hypermodel = Collecting()
tuner = keras_tuner.RandomSearch(
    hypermodel, "loss", max_trials=2, directory="results", project_name="collecting"
)
tuner.search(x, y, epochs=2, verbose=0)
fact("trials", len(tuner.oracle.trials))
fact("list", len(histories))
fact("attribute", len(hypermodel.losses))
