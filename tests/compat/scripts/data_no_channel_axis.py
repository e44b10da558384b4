"""Gray images without a channel axis: the network's own Reshape adds it."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (20, 12, 10)).astype("float32")
y = np.arange(20) % 2


def build_model(hp):
    filters = hp.Int("filters", 1, 4)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    model = keras.Sequential([keras.Input((12, 10)), keras.layers.Reshape((12, 10, 1))])
    model.add(keras.layers.Conv2D(filters, 3, activation="relu", kernel_initializer="ones"))
    model.add(keras.layers.GlobalMaxPooling2D())
    model.add(keras.layers.Lambda(lambda values: values[:, :1]))
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer=initializer))
    model.compile(
        keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="gray"
)
tuner.search(x, y, epochs=1, validation_data=(x[:8], y[:8]), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
