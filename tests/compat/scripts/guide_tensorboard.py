"""The calls of the guide on TensorBoard: logs of each trial, in a folder by its id."""

# expected: same
import pathlib

import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x_train = rng.uniform(0, 1, (32, 8, 8, 1)).astype("float32")
y_train = np.arange(32) % 4


def build_model(hp):
    inputs = keras.Input(shape=(8, 8, 1))
    model_type = hp.Choice("model_type", ["mlp", "cnn"])
    x = inputs
    if model_type == "mlp":
        x = keras.layers.Flatten()(x)
        for i in range(hp.Int("mlp_layers", 1, 2)):
            x = keras.layers.Dense(units=hp.Int(f"units_{i}", 8, 16, step=8), activation="relu")(x)
    else:
        x = keras.layers.Conv2D(hp.Int("filters", 2, 4, step=2), kernel_size=(3, 3))(x)
        x = keras.layers.Flatten()(x)
    if hp.Boolean("dropout"):
        x = keras.layers.Dropout(0.5)(x)
    outputs = keras.layers.Dense(units=4, activation="softmax")(x)
    model = keras.Model(inputs=inputs, outputs=outputs)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"], optimizer="adam")
    return model


hp = keras_tuner.HyperParameters()
hp.values["model_type"] = "cnn"
fact("convolutions", [type(layer).__name__ for layer in build_model(hp).layers][1])
tuner = keras_tuner.RandomSearch(
    build_model,
    max_trials=2,
    overwrite=True,
    objective="val_accuracy",
    directory="results",
    project_name="keras_tuner",
)
tuner.search(
    x_train,
    y_train,
    validation_split=0.2,
    epochs=2,
    callbacks=[keras.callbacks.TensorBoard("tb_logs")],
    verbose=0,
)
folders = sorted(path for path in pathlib.Path("tb_logs").iterdir() if path.is_dir())
fact("folders", len(folders))
fact("train", [bool(list(folder.rglob("train/events*"))) for folder in folders])
fact("validation", [bool(list(folder.rglob("validation/events*"))) for folder in folders])
fact("hparams", [len(list(folder.rglob("events*"))) >= 3 for folder in folders])
