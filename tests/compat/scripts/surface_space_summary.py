"""What search_space_summary prints, with and without defaults."""

# expected: same
# budget: small
import contextlib
import io

import keras
import keras_tuner
from facts import fact


def build_model(hp):
    hp.Int("units", 32, 512, step=32)
    hp.Int("layers", 1, 3, default=2)
    hp.Int("size", 2, 64, step=2, sampling="log")
    hp.Float("rate", 1e-4, 1e-2, sampling="log")
    hp.Float("dropout", 0, 0.5, step=0.1, default=0.2)
    hp.Choice("activation", ["relu", "tanh"], default="tanh")
    hp.Choice("filters", [16, 32])
    if hp.Boolean("wide", default=True):
        with hp.conditional_scope("wide", [True]):
            hp.Int("more units", 1, 9)
    hp.Fixed("constant", 7)
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])


tuner = keras_tuner.RandomSearch(
    build_model, "loss", max_trials=2, directory="results", project_name="summary"
)
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    tuner.search_space_summary()
fact("printed", printed.getvalue().splitlines())
