"""HyperModel.fit returns a dictionary that holds the objective."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (20, 4, 4, 3)).astype("float32")
y = np.arange(20) % 2


class Scored(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        model.fit(*args, **kwargs)
        score = 100.0 - hp.get("units")
        note("score", score)
        return {"my_score": score, "units": hp.get("units")}


tuner = keras_tuner.RandomSearch(
    Scored(),
    keras_tuner.Objective("my_score", "max"),
    max_trials=3,
    directory="results",
    project_name="dictionary",
)
tuner.search(x, y, validation_data=(x, y), epochs=1, verbose=0)
best = tuner.oracle.get_best_trials(3)
fact("scores", [trial.score for trial in best] == sorted(notes("score"), reverse=True))
units = tuner.get_best_hyperparameters()[0].get("units")
fact("best", best[0].score == 100 - units)
fact("metric", best[0].metrics.get_best_value("units") == units)
