"""Arguments that a tuner does not have, and a tuner without a hypermodel, are ValueErrors."""

# expected: same
# budget: small
import keras
import keras_tuner
from facts import fact


def build_model(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp.Int("units", 1, 3))])
    model.compile("sgd", "mse")
    return model


def refused(kind, *arguments, **settings):
    try:
        kind(*arguments, directory="results", **settings)
    except ValueError:
        return True
    return False


for kind in (
    keras_tuner.RandomSearch,
    keras_tuner.Hyperband,
    keras_tuner.BayesianOptimization,
    keras_tuner.GridSearch,
):
    name = kind.__name__
    fact(f"{name} unknown", refused(kind, build_model, "val_loss", max_trails=3))
    if name != "Hyperband":  # KerasTuner notices it at the search
        fact(f"{name} no model", refused(kind, None, "val_loss"))
    fact(f"{name} no space", refused(kind, build_model, "val_loss", tune_new_entries=False))
fact("factor", refused(keras_tuner.Hyperband, build_model, "val_loss", factor=1))
