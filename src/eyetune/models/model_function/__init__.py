"""A user's KerasTuner `build_model(hp)` or `HyperModel`, unmodified, as the network of a recipe.

`keep` copies a function, so that later changes of the original have no effect. `load` loads it,
if its user has named or trusted it (`require` checks only this), `discover` returns its search
space, and `build_with` builds a network with it. The last three need Keras.

See https://keras.io/keras_tuner/api/hyperparameters/ and
https://keras.io/keras_tuner/api/hypermodels/.
"""

from eyetune.models.model_function.building import Built, build, build_with
from eyetune.models.model_function.checking import ImageInputs, Inputs
from eyetune.models.model_function.discovery import (
    SEARCHED_NAMES,
    discover,
    discover_in,
    space_of,
)
from eyetune.models.model_function.loading import Loaded, deep_copies, load, sharing
from eyetune.models.model_function.source import keep
from eyetune.models.model_function.trust import require, trust_reviewed

__all__ = [
    "SEARCHED_NAMES",
    "Built",
    "ImageInputs",
    "Inputs",
    "Loaded",
    "build",
    "build_with",
    "deep_copies",
    "discover",
    "discover_in",
    "keep",
    "load",
    "require",
    "sharing",
    "space_of",
    "trust_reviewed",
]
