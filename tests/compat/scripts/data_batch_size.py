"""The batch size of search, and one that HyperModel.fit chooses, give the number of steps."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

x = np.linspace(0, 1, 24).reshape(24, 1).astype("float32")
y = 2 * x


class Model(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Choice("batch_size", [6, 12]), **kwargs)


def build_model(hp):
    hp.Int("unused", 1, 9)
    return Model().build(hp)


count = keras.callbacks.LambdaCallback(
    on_train_batch_end=lambda batch, logs: note("batch", batch),
    on_epoch_begin=lambda epoch, logs: note("epoch", epoch),
)
first = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=1, directory="results", project_name="given"
)
first.search(x, y, batch_size=5, validation_data=(x, y), callbacks=[count], verbose=0)
fact("batches", notes("batch"))
second = keras_tuner.GridSearch(
    Model(), "val_loss", max_trials=4, directory="results", project_name="chosen"
)
second.search(x, y, epochs=1, validation_data=(x, y), callbacks=[count], verbose=0)
fact("all batches", distinct(notes("batch")))
sizes = {hp.get("batch_size") for hp in second.get_best_hyperparameters(10)}
fact("batch sizes", sizes)
