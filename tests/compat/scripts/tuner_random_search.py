"""RandomSearch: number of trials, values within their ranges, names of the space."""

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
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 8, 32, step=8), activation="relu"))
    if hp.Boolean("dropout"):
        model.add(keras.layers.Dropout(rate=0.25))
    model.add(keras.layers.Dense(2, activation="softmax"))
    rate = hp.Float("lr", min_value=1e-4, max_value=1e-2, sampling="log")
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.RandomSearch(
    hypermodel=build_model,
    objective="val_accuracy",
    max_trials=4,
    seed=5,
    directory="results",
    project_name="random",
)
tuner.search(x, y, epochs=1, validation_data=(x, y), callbacks=[watch], verbose=0)
found = tuner.get_best_hyperparameters(10)
fact("trainings", len(notes("training")))
fact("found", len(found))
fact("units in range", all(hp.get("units") in (8, 16, 24, 32) for hp in found))
fact("rates in range", all(1e-4 <= hp.get("lr") <= 1e-2 for hp in found))
fact("kinds", [[type(value).__name__ for value in hp.values.values()] for hp in found[:1]])
fact("names", sorted(found[0].values))
fact("distinct", len({str(sorted(hp.values.items())) for hp in found}))
fact("remaining", tuner.remaining_trials)
