"""A keras.utils.PyDataset: its length gives the steps of an epoch."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes


class Batches(keras.utils.PyDataset):
    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        x = rng.normal(0, 1, (4, 3)).astype("float32")
        return x, 2 * x.sum(axis=1)


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mae", metrics=["mse"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=2, directory="results", project_name="batches"
)
tuner.search(Batches(5), epochs=1, validation_data=Batches(2), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
