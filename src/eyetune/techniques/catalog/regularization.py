"""Techniques of regularization: what keeps a network from memorizing its training images."""

from __future__ import annotations

from eyetune.recipe import Recipe
from eyetune.techniques.registry import technique

GROUP = "regularization"


@technique(
    "weight-decay",
    values=(1e-4, 1e-3, 1e-2),
    group=GROUP,
    why="""Each step shrinks all weights slightly, so only the weights that the training needs stay
    large. Smoother functions generalize better.""",
    hurts="With too much of it, the network cannot fit even its training images.",
    link="https://arxiv.org/abs/1711.05101",
)
def _weight_decay(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"optimizer.weight_decay": value})


@technique(
    "label-smoothing",
    values=(0.05, 0.1),
    group=GROUP,
    why="""The label asks for a little less than 100%, so the network is not pushed towards extreme
    confidence. Its confidence becomes more realistic, and often it generalizes slightly better. The
    value is the share that is spread over all classes.""",
    hurts="The loss is no longer comparable with the loss of runs without it.",
    link="https://arxiv.org/abs/1512.00567",
)
def _label_smoothing(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"loss.label_smoothing": value})


@technique(
    "dropout",
    values=(0.2, 0.4, 0.5),
    group=GROUP,
    why="""In each step, a share of the values before the dense layers is set to zero, so no unit
    can rely on a single other unit. It is the classic remedy for overfitting.""",
    hurts="Learning becomes slower: give it more epochs. A network that underfits gets worse.",
    link="https://jmlr.org/papers/v15/srivastava14a.html",
)
def _dropout(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"model.dropout": value})


@technique(
    "early-stopping",
    values=(3, 5),
    group=GROUP,
    why="""Training ends when validation loss has not improved for this number of epochs, and the
    weights of the best epoch are restored. No epoch is wasted on memorizing.""",
    hurts="A schedule that lowers the learning rate at the end is cut off before it pays.",
    link="https://keras.io/api/callbacks/early_stopping/",
)
def _early_stopping(recipe: Recipe, value: int) -> Recipe:
    return recipe.with_({"fit.early_stopping": value})


@technique(
    "weight-averaging",
    values=(0.99, 0.999),
    group=GROUP,
    why="""Near the end of training, the weights move around a good solution. Their running average
    is closer to its center than any of them, and costs nothing when the network is used. The value
    is the share that the average keeps at each step.""",
    hurts="In short trainings, a slow average (0.999) still contains the first weights.",
    link="https://arxiv.org/abs/1803.05407",
)
def _weight_averaging(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"fit.weight_averaging": value})
