"""A second tuner of the same project has the results without a search; reload reads them."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def make():
    return keras_tuner.RandomSearch(
        build_model, "val_loss", max_trials=2, directory="results", project_name="reload"
    )


tuner = make()
tuner.search(x, y, validation_data=(x, y), verbose=0)
again = make()
fact("trials", len(again.oracle.trials))
again.reload()
fact(
    "values",
    again.get_best_hyperparameters()[0].values == tuner.get_best_hyperparameters()[0].values,
)
first, second = tuner.get_best_models()[0], again.get_best_models()[0]
fact(
    "model", bool(np.allclose(first.predict(x, verbose=0), second.predict(x, verbose=0), atol=1e-5))
)
