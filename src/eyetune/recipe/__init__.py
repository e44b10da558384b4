"""Recipes: everything that defines one training, as one immutable value."""

from eyetune.recipe.edits import edit_text, parse_edits
from eyetune.recipe.image_sections import (
    CAMERA_SHARE,
    AugmentSection,
    CameraName,
    DataSection,
    Resize,
)
from eyetune.recipe.known_networks import LAST_STRETCH, PRETRAINED, WITH_CIFAR10_WEIGHTS, ZOO
from eyetune.recipe.model_section import (
    CIFAR10_WEIGHTS,
    ActivationName,
    BackboneName,
    Block,
    DenseLayer,
    HyperparameterValue,
    ModelSection,
)
from eyetune.recipe.recipe import Recipe, RecordedData, RecordedRecipe
from eyetune.recipe.sections import (
    MONITORS,
    FitSection,
    LearningRateSchedule,
    LossSection,
    OptimizerName,
    OptimizerSection,
    Precision,
)

__all__ = [
    "CAMERA_SHARE",
    "CIFAR10_WEIGHTS",
    "LAST_STRETCH",
    "MONITORS",
    "PRETRAINED",
    "WITH_CIFAR10_WEIGHTS",
    "ZOO",
    "ActivationName",
    "AugmentSection",
    "BackboneName",
    "Block",
    "CameraName",
    "DataSection",
    "DenseLayer",
    "FitSection",
    "HyperparameterValue",
    "LearningRateSchedule",
    "LossSection",
    "ModelSection",
    "OptimizerName",
    "OptimizerSection",
    "Precision",
    "Recipe",
    "RecordedData",
    "RecordedRecipe",
    "Resize",
    "edit_text",
    "parse_edits",
]
