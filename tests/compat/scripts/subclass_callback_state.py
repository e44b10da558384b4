"""A subclass with callbacks: which state its trials leave in the script's own objects."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((12, 3), "float32")
y = np.arange(12) % 2
losses = []


class Log(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.epochs = []
        self.count = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.count += 1
        shared.append(self.count)


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


class Passing(keras_tuner.RandomSearch):
    """Changes an argument and lets KerasTuner train, with copies of the callbacks."""

    def run_trial(self, trial, *args, **kwargs):
        kwargs["batch_size"] = 6
        return super().run_trial(trial, *args, **kwargs)


class Training(keras_tuner.RandomSearch):
    """Trains itself, with the script's own callbacks."""

    def run_trial(self, trial, x, y, callbacks):
        model = self.hypermodel.build(trial.hyperparameters)
        return model.fit(x, y, epochs=2, callbacks=callbacks, verbose=0)


for kind, arguments in ((Passing, {"epochs": 2, "verbose": 0}), (Training, {})):
    shared = []
    log = Log()
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: losses.append(epoch))
    tuner = kind(build_model, "loss", max_trials=2, directory="results", project_name=kind.__name__)
    tuner.search(x, y, callbacks=[log, watch], **arguments)
    fact(f"{kind.__name__}: list of a function", losses)
    fact(f"{kind.__name__}: list of a script", shared)
    fact(f"{kind.__name__}: attributes", [log.epochs, log.count])
