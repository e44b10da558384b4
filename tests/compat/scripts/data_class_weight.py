"""class_weight changes the training loss and not the validation loss."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (20, 4, 4, 1)).astype("float32")
y = np.arange(20) % 2


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=2.0, seed=2)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer=initializer))
    model.compile(
        keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=1, directory="results", project_name="classes"
)
tuner.search(
    x,
    y,
    class_weight={0: 1.0, 1: 5.0},
    validation_data=(x, y),
    batch_size=20,
    callbacks=[watch],
    verbose=0,
)
fact("logs", notes("logs"))
