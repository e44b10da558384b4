"""The best model evaluates to the best score of its trial, on the data of the search."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.normal(0, 1, (40, 4)).astype("float32")
y = (x[:, 0] > 0).astype("int32")


def build_model(hp):
    model = keras.Sequential([keras.Input((4,))])
    model.add(keras.layers.Dense(hp.Int("units", 4, 8), activation="relu"))
    model.add(keras.layers.Dense(2, activation="softmax"))
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=3, directory="results", project_name="score"
)
tuner.search(x[:30], y[:30], epochs=3, validation_data=(x[30:], y[30:]), verbose=0)
trials = tuner.oracle.get_best_trials(3)
models = tuner.get_best_models(3)
losses = [model.evaluate(x[30:], y[30:], verbose=0)[0] for model in models]
scores = [trial.score for trial in trials]
fact("losses are scores", bool(np.allclose(losses, scores, atol=1e-4)))
fact("best first", losses == sorted(losses))
