"""Hooks of a subclass read the oracle while the search runs."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.ones((12, 3), "float32")
y = np.arange(12) % 2


def build_model(hp):
    hp.Choice("unused", [1, 2, 3, 4, 5, 6, 7, 8, 9])
    layer = keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", run_eagerly=True)
    return model


class Watching(keras_tuner.RandomSearch):
    def on_trial_begin(self, trial):
        super().on_trial_begin(trial)
        note("begin", [trial.trial_id, trial.status, self.remaining_trials])
        note("ongoing", [len(self.oracle.ongoing_trials), self.oracle.end_order])

    def on_trial_end(self, trial):
        note("before", [trial.status, trial.message is None])
        super().on_trial_end(trial)
        again = self.oracle.get_trial(trial.trial_id)
        note("end", [again.score, again.status, again.metrics.exists("loss"), again.best_step])
        note("best", [best.score for best in self.oracle.get_best_trials(9)])
        note("order", [self.oracle.start_order, self.oracle.end_order])


tuner = Watching(build_model, "loss", max_trials=2, directory="results", project_name="watching")
tuner.search(x, y, epochs=2, verbose=0)
for name in ("begin", "ongoing", "before", "end", "best", "order"):
    fact(name, notes(name))
