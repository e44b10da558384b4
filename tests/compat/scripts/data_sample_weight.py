"""sample_weight changes the training loss."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.linspace(0, 2, 20).reshape(20, 1).astype("float32")
y = np.zeros(20, "float32")
weights = np.where(np.arange(20) < 10, 0.0, 3.0).astype("float32")


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse", weighted_metrics=["mae"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=2, directory="results", project_name="weights"
)
tuner.search(
    x, y, sample_weight=weights, validation_data=(x, y), batch_size=20, callbacks=[watch], verbose=0
)
fact("logs", notes("logs"))
