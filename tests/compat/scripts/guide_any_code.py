"""The calls of the guide on tuning anything: functions kept outside, values that are printed."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x_train = rng.uniform(0, 1, (20, 10)).astype("float32")
y_train = rng.uniform(0, 1, (20, 1)).astype("float32")


def keras_code(units, optimizer, saving_path):
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(units, activation="relu")])
    model.add(keras.layers.Dense(1))
    model.compile(optimizer=optimizer, loss="mean_squared_error")
    model.fit(x_train, y_train, epochs=1, verbose=0)
    model.save(saving_path)
    predictions = model.predict(x_train, verbose=0)
    return np.mean(np.abs(predictions - y_train))


class MyTuner(keras_tuner.RandomSearch):
    def run_trial(self, trial, **kwargs):
        hp = trial.hyperparameters
        return keras_code(
            units=hp.Int("units", 16, 64, step=16),
            optimizer=hp.Choice("optimizer", ["adam", "adadelta"]),
            saving_path=f"trial-{trial.trial_id}.keras",
        )


tuner = MyTuner(max_trials=3, overwrite=True, directory="my_dir", project_name="keep_code_separate")
tuner.search()
best = tuner.get_best_hyperparameters()[0]
fact("names", sorted(best.values))
trial = tuner.oracle.get_best_trials()[0]
model = keras.models.load_model(f"trial-{trial.trial_id}.keras")
score = np.mean(np.abs(model.predict(x_train, verbose=0) - y_train))
fact("score", bool(np.isclose(score, trial.score, atol=1e-5)))
keras_code(**best.values, saving_path="best.keras")
fact("trials", len(tuner.oracle.trials))
