"""More arguments of search by position: those of Keras's fit, or of the script's own fit."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.ones((12, 3), "float32")
y = np.arange(12) % 2


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


class OwnFit(keras_tuner.HyperModel):
    def build(self, hp):
        return build_model(hp)

    def fit(self, hp, model, x, y, x_validation, y_validation, size=4, callbacks=None, **kwargs):
        note("own", [len(x), len(y), x_validation.shape, y_validation.shape, size])
        return model.fit(
            x, y, batch_size=size, validation_data=(x_validation, y_validation), verbose=0
        )


watch = keras.callbacks.LambdaCallback(
    on_train_batch_end=lambda batch, logs: note("batch", batch),
    on_epoch_end=lambda epoch, logs: note("epoch", epoch),
)
tuner = keras_tuner.RandomSearch(
    build_model, "loss", max_trials=1, directory="results", project_name="positional"
)
tuner.search(x, y, 6, 3, 0, callbacks=[watch])
fact("batches", notes("batch"))
fact("epochs", notes("epoch"))

own = keras_tuner.RandomSearch(
    OwnFit(), "val_loss", max_trials=1, directory="results", project_name="own"
)
own.search(x, y, x[:5], y[:5], 3)
fact("own", notes("own"))
