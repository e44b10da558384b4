"""Two inputs in a dictionary, by the names of the input layers."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = {
    "image": rng.uniform(0, 1, (20, 4, 4, 1)).astype("float32"),
    "age": rng.uniform(20, 80, (20, 1)).astype("float32"),
}
y = rng.normal(0, 1, 20).astype("float32")


def build_model(hp):
    hp.Int("unused", 1, 9)
    image = keras.Input((4, 4, 1), name="image")
    age = keras.Input((1,), name="age")
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(image), age])
    output = keras.layers.Dense(1, kernel_initializer="ones")(joined)
    model = keras.Model({"image": image, "age": age}, output)
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=1, directory="results", project_name="two"
)
tuner.search(x, y, validation_split=0.3, callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
fact("evaluation", tuner.get_best_models()[0].evaluate(x, y, verbose=0))
