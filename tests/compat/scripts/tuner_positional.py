"""RandomSearch with every argument by position, up to max_consecutive_failed_trials."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60), activation="relu"))
    model.add(keras.layers.Dense(hp.Fixed("classes", 2), activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


known = keras_tuner.HyperParameters()
known.Int("units", 10, 12)
watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", 2, 3, known, True, True, 1, 2, directory="results"
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("trainings", len(notes("training")))
found = tuner.get_best_hyperparameters(5)
fact("in range", all(10 <= hp.get("units") <= 12 for hp in found))
fact("classes", [hp.get("classes") for hp in found])
