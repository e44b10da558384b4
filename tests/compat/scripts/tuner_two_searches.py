"""Two tuners in one script, and a second search of the first, which has nothing left to do."""

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
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
random = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="random"
)
random.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("after one", len(notes("training")))
grid = keras_tuner.GridSearch(
    build_model, "val_loss", max_trials=3, directory="results", project_name="grid"
)
grid.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("after two", len(notes("training")))
fact("grid", len({hp.get("units") for hp in grid.get_best_hyperparameters(5)}))
random.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("after three", len(notes("training")))
fact("found", len(random.get_best_hyperparameters(9)))
