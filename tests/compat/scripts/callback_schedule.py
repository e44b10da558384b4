"""LearningRateScheduler sets the rate of each epoch."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile(
        keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
watch = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: note("rate", logs["learning_rate"])
)
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="schedule"
)
tuner.search(x, y, epochs=3, validation_data=(x, y), callbacks=[schedule, watch], verbose=0)
fact("rates", notes("rate"))
