"""A black-box tuner whose run_trial returns a dictionary with the objective, to maximize."""

# expected: same
import keras_tuner
from facts import fact


class Distances(keras_tuner.GridSearch):
    def run_trial(self, trial):
        hp = trial.hyperparameters
        a, b = hp.Int("a", 1, 3), hp.Choice("b", [10, 20])
        return {"total": a + b, "difference": b - a}


tuner = Distances(
    objective=keras_tuner.Objective("total", "max"), directory="results", project_name="grid"
)
tuner.search()
best = tuner.oracle.get_best_trials(10)
fact("trials", len(best))
fact("score", best[0].score)
fact("values", best[0].hyperparameters.values)
fact("metric", best[0].metrics.get_best_value("difference"))
