"""HyperModel.fit returns a number, without an objective: the number is minimized."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.normal(0, 1, (20, 3)).astype("float32")
y = x.sum(axis=1)


class Regressor(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(hp.Int("units", 1, 60))])
        model.add(keras.layers.Dense(1))
        model.compile("adam", "mse")
        return model

    def fit(self, hp, model, x, y, validation_data, **kwargs):
        model.fit(x, y, **kwargs)
        x_val, y_val = validation_data
        error = float(np.mean(np.abs(model.predict(x_val, verbose=0)[:, 0] - y_val)))
        note("error", error)
        return error


tuner = keras_tuner.RandomSearch(
    Regressor(), max_trials=3, directory="results", project_name="number"
)
tuner.search(x, y, validation_data=(x, y), epochs=1, verbose=0)
best = tuner.oracle.get_best_trials(3)
fact("scores", bool(np.allclose([trial.score for trial in best], sorted(notes("error")))))
fact("objective", [tuner.oracle.objective.name, tuner.oracle.objective.direction])
