"""A LambdaCallback fills a list that the script reads after the search."""

# expected: reported: trials are trained in other processes, whose lists stay there; workers=0
#   fills this one
# differing: losses
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


losses = []
watch = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: losses.append(logs["val_loss"])
)
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="list"
)
tuner.search(x, y, epochs=2, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("losses", len(losses))
fact("trials", len(tuner.get_best_hyperparameters(9)))
