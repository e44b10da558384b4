"""A network of logits: its loss has from_logits=True, and so have the predictions afterwards."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 6, 6, 3)).astype("float32")
y = np.arange(24) % 3


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(3, kernel_initializer=initializer))
    model.compile(
        keras.optimizers.SGD(0.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("loss", logs["loss"]))
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=1, directory="results", project_name="logits"
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
model = tuner.get_best_models()[0]
fact("predictions", model.predict(x[:2], verbose=0))
fact("evaluation", model.evaluate(x, y, verbose=0))
