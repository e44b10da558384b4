"""Techniques for classes that differ in number: what keeps rare classes from being ignored."""

from __future__ import annotations

from eyetune.analysis.imbalance import LARGE_RATIO
from eyetune.recipe import Recipe
from eyetune.techniques.registry import technique

GROUP = "imbalance"
UNEVEN_CLASSES = f"classes that differ by more than a factor of {LARGE_RATIO:g} in number"


@technique(
    "class-weight",
    values=("balanced",),
    group=GROUP,
    why="""A network that answers with the most frequent class is right most of the time, so it
    learns rare classes last or never. Weights make an image of a rare class count more in the loss,
    so that all classes count as much. Balanced accuracy, the mean share of each class that is
    recognized, rises.""",
    hurts="""Frequent classes are recognized less often, so accuracy on all images may fall. With
    very few images of a class, large weights make the training unsteady.""",
    link="https://keras.io/examples/structured_data/imbalanced_classification/",
    needs=UNEVEN_CLASSES,
)
def _class_weight(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"fit.class_weight": value, "fit.sampling": "all"})


@technique(
    "balanced-sampling",
    values=("balanced",),
    group=GROUP,
    why="""Each epoch draws as many images of each class: those of rare classes several times,
    augmented in another way each time. It has the same aim as class weights, but each batch has
    images of all classes, so that the steps are steadier.""",
    hurts="""Images of rare classes are memorized if they are not augmented, and an epoch leaves out
    a part of the images of frequent classes.""",
    link="https://arxiv.org/abs/1710.05381",
    needs=UNEVEN_CLASSES,
)
def _balanced_sampling(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"fit.sampling": value, "fit.class_weight": "none"})
