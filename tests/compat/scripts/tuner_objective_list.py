"""A list of objectives: the score is their sum, those to maximize with a minus."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


watch = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: note("sum", logs["val_loss"] - logs["val_accuracy"])
)
tuner = keras_tuner.RandomSearch(
    build_model,
    objective=[keras_tuner.Objective("val_loss", "min"), "val_accuracy"],
    max_trials=3,
    directory="results",
    project_name="two",
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
trials = tuner.oracle.get_best_trials(3)
fact(
    "scores", bool(np.allclose([trial.score for trial in trials], sorted(notes("sum")), atol=1e-4))
)
fact("name", tuner.oracle.objective.name)
model = tuner.get_best_models()[0]
loss, accuracy = model.evaluate(x, y, verbose=0)
fact("best model", bool(np.isclose(loss - accuracy, min(notes("sum")), atol=1e-4)))
