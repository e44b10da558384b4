"""The calls of the guide on tailoring the search space: preset ranges, compile arguments."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (32, 8, 8)).astype("float32")
y = np.arange(32) % 4


def build_model(hp):
    model = keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten()])
    for i in range(hp.Int("num_layers", 1, 3)):
        model.add(keras.layers.Dense(units=hp.Int(f"units_{i}", 8, 32, step=8), activation="relu"))
    model.add(keras.layers.Dense(4, activation="softmax"))
    model.compile(
        optimizer=keras.optimizers.Adam(hp.Choice("learning_rate", [1e-2, 1e-3, 1e-4])),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def search(hyperparameters, tune_new_entries, name, **settings):
    tuner = keras_tuner.RandomSearch(
        build_model,
        hyperparameters=hyperparameters,
        tune_new_entries=tune_new_entries,
        objective="val_accuracy",
        max_trials=3,
        overwrite=True,
        directory="my_dir",
        project_name=name,
        **settings,
    )
    tuner.search(x, y, epochs=1, validation_data=(x, y), verbose=0)
    return tuner.get_best_hyperparameters(5)


hp = keras_tuner.HyperParameters()
hp.Choice("learning_rate", values=[1e-1, 1e-5])
found = search(hp, False, "a_few")
fact("rates", all(hp.get("learning_rate") in (1e-1, 1e-5) for hp in found))
fact("layers", {hp.values.get("num_layers", "not tuned") for hp in found})

hp = keras_tuner.HyperParameters()
hp.Fixed("learning_rate", value=1e-3)
found = search(hp, True, "fixed")
fact("fixed", {hp.get("learning_rate") for hp in found})
fact("tuned", all(1 <= hp.get("num_layers") <= 3 for hp in found))

found = search(None, True, "compiled", optimizer=keras.optimizers.Adam(1e-3))
fact("names", all("learning_rate" in hp for hp in found))
