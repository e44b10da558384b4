"""SklearnTuner: models of scikit-learn with cross-validation."""

# expected: refused: eyetune trains Keras models; keras_tuner.SklearnTuner searches those of
#   scikit-learn
import keras_tuner
import numpy as np
from facts import fact
from sklearn import linear_model, model_selection

rng = np.random.default_rng(0)
x = rng.normal(0, 1, (60, 3))
y = (x[:, 0] > 0).astype(int)


def build_model(hp):
    return linear_model.RidgeClassifier(alpha=hp.Float("alpha", 1e-3, 1.0, sampling="log"))


tuner = keras_tuner.SklearnTuner(
    oracle=keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("score", "max"), max_trials=3
    ),
    hypermodel=build_model,
    cv=model_selection.StratifiedKFold(3),
    directory="results",
    project_name="sklearn",
)
tuner.search(x, y)
fact("trials", len(tuner.get_best_hyperparameters(5)))
fact("predictions", list(tuner.get_best_models()[0].predict(x).shape))
