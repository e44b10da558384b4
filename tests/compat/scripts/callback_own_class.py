"""A callback class of the script's own: each training gets a copy."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


class Counter(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.batches = []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(batch)

    def on_train_end(self, logs=None):
        note("batches", self.batches)
        note("parameters", sorted(self.params))
        note("model", isinstance(self.model, keras.Model))


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


counter = Counter()
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="counter"
)
tuner.search(x, y, epochs=2, batch_size=12, validation_data=(x, y), callbacks=[counter], verbose=0)
fact("batches", notes("batches"))
fact("parameters", notes("parameters"))
fact("model", notes("model"))
fact("original", counter.batches)
