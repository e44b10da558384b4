"""Images of type uint8 and a Rescaling layer: the network sees values from 0 to 1, scaled once."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
y = np.arange(24) % 3


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(
                3,
                activation="softmax",
                kernel_initializer=keras.initializers.RandomNormal(seed=1),
            ),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, objective="val_accuracy", max_trials=2, directory="results", project_name="images"
)
tuner.search(x, y, epochs=1, validation_split=0.25, callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
fact("trials", len(tuner.get_best_hyperparameters(10)))
