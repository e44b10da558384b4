"""A subclass whose run_trial adds arguments of fit, and calls the one of the base class."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class BatchTuner(keras_tuner.BayesianOptimization):
    def run_trial(self, trial, *args, **kwargs):
        kwargs["batch_size"] = trial.hyperparameters.Choice("batch_size", [6, 8])
        kwargs["epochs"] = 2
        return super().run_trial(trial, *args, **kwargs)


watch = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: note("epoch", epoch),
    on_train_batch_end=lambda batch, logs: note("batch", batch),
)
tuner = BatchTuner(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="own"
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("epochs", notes("epoch"))
fact("batches", max(notes("batch")) in (2, 3))
fact("names", distinct([sorted(hp.values) for hp in tuner.get_best_hyperparameters(2)]))
