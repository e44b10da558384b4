"""A user's KerasTuner `build_model(hp)` or `HyperModel`, unmodified, as the network of a recipe.

`keep` makes a copy that an edit of the original cannot harm, `load` brings it back, `discover`
reads its space off it and `build_with` builds a network of it. Everything but `keep` needs Keras.

See https://keras.io/keras_tuner/api/hyperparameters/ and
https://keras.io/keras_tuner/api/hypermodels/.
"""

from eyetune.models.model_function.building import Built, build, build_with
from eyetune.models.model_function.discovery import discover, space_of
from eyetune.models.model_function.source import Loaded, keep, load

__all__ = ["Built", "Loaded", "build", "build_with", "discover", "keep", "load", "space_of"]
