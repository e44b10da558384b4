"""overwrite=True starts again; without it, a complete search is read again."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.linspace(0, 1, 16).reshape(16, 1).astype("float32")
y = 3 * x


def build_model(hp):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(hp.Int("units", 1, 60))])
    model.add(keras.layers.Dense(1))
    model.compile("sgd", "mse")
    return model


def searched(**settings):
    watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
    tuner = keras_tuner.RandomSearch(
        build_model, "val_loss", max_trials=2, directory="results", project_name="again", **settings
    )
    tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
    return tuner


first = searched()
fact("first", len(notes("training")))
second = searched()
fact("second", len(notes("training")))
values = [hp.values for hp in first.get_best_hyperparameters(2)]
fact("same values", [hp.values for hp in second.get_best_hyperparameters(2)] == values)
third = searched(overwrite=True)
fact("third", len(notes("training")))
fact("found", len(third.get_best_hyperparameters(10)))
