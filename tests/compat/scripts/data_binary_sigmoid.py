"""A single sigmoid output for two classes."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 6, 6, 3)).astype("float32")
y = (x.mean(axis=(1, 2, 3)) > 0.5).astype("float32")


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(1, activation="sigmoid", kernel_initializer=initializer))
    model.compile(
        keras.optimizers.SGD(0.0),
        "binary_crossentropy",
        metrics=["accuracy", keras.metrics.AUC(name="auc")],
    )
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model,
    keras_tuner.Objective("val_auc", direction="max"),
    max_trials=2,
    directory="results",
    project_name="binary",
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
model = tuner.get_best_models()[0]
fact("predictions", model.predict(x[:3], verbose=0))
