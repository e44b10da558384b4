"""conditional_scope: values are None outside their condition, and only active ones are found."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def build_model(hp):
    kind = hp.Choice("kind", ["wide", "deep"])
    with hp.conditional_scope("kind", ["wide"]):
        width = hp.Int("width", 4, 5)
    with hp.conditional_scope("kind", ["deep"]):
        depth = hp.Int("depth", 1, 2)
    note("values", [kind, width is None, depth is None])
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    for _ in range(depth or 1):
        model.add(keras.layers.Dense(width or 3))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=4, directory="results", project_name="conditional"
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("values", distinct(notes("values")))
found = tuner.get_best_hyperparameters(9)
active = {"wide": ["kind", "width"], "deep": ["depth", "kind"]}
fact("active", all(sorted(hp.values) == active[hp.get("kind")] for hp in found))
fact("trials", len(found))
fact("names", sorted(entry.name for entry in found[0].space))
fact("is_active", found[0].is_active("width") == (found[0].get("kind") == "wide"))
