"""A tuner with a cross-validation in run_trial, which saves the network of the last fold."""

# expected: same
import os

import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.arange(12, dtype="float32").reshape(12, 1) / 12
y = x * 2


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    return model


class CrossValidation(keras_tuner.engine.tuner.Tuner):
    def run_trial(self, trial, x, y, batch_size=32, epochs=1):
        losses = []
        for fold in range(3):
            is_validation = np.arange(len(x)) % 3 == fold
            model = self.hypermodel.build(trial.hyperparameters)
            model.fit(
                x[~is_validation],
                y[~is_validation],
                batch_size=batch_size,
                epochs=epochs,
                verbose=0,
            )
            losses.append(model.evaluate(x[is_validation], y[is_validation], verbose=0))
        note("loss", float(np.mean(losses)))
        self.save_model(trial.trial_id, model)
        return {"val_loss": np.mean(losses)}

    def save_model(self, trial_id, model, step=0):
        model.save_weights(os.path.join(self.get_trial_dir(trial_id), "own.weights.h5"))

    def load_model(self, trial):
        model = self.hypermodel.build(trial.hyperparameters)
        model.load_weights(os.path.join(self.get_trial_dir(trial.trial_id), "own.weights.h5"))
        return model


tuner = CrossValidation(
    oracle=keras_tuner.oracles.RandomSearchOracle(objective="val_loss", max_trials=2),
    hypermodel=build_model,
    directory="results",
    project_name="folds",
)
tuner.search(x, y, batch_size=4, epochs=2)
scores = [trial.score for trial in tuner.oracle.get_best_trials(2)]
fact("scores", bool(np.allclose(scores, sorted(notes("loss")))))
fact("models", [model.output_shape for model in tuner.get_best_models(2)])
