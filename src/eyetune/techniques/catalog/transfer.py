"""Techniques of transfer: they use a network trained before, on ImageNet or in another run."""

from __future__ import annotations

from typing import Any

from eyetune.recipe import (
    CIFAR10_WEIGHTS,
    LAST_STRETCH,
    PRETRAINED,
    WITH_CIFAR10_WEIGHTS,
    Recipe,
)
from eyetune.techniques.registry import technique

GROUP = "transfer"
IMAGENET = (
    "the weights of a pre-trained network: Keras downloads them, or --set model.weights=FILE names"
    " them"
)
TEACHER = "a trained run as teacher"
OTHER_IMAGES = "other images than those of CIFAR-10, on which the weights were trained"
FINE_TUNE_EPOCHS = 5


@technique(
    "pretrained",
    values=WITH_CIFAR10_WEIGHTS,
    group=GROUP,
    why="""From a few hundred photos alone, a network can hardly learn what edges and textures look
    like. This one starts from weights that were trained on the 50,000 training images of CIFAR-10,
    which come with eyetune, and all its layers are trained further on your images. It is small
    enough for a board.""",
    hurts="""With tens of thousands of images of your own, there is little to gain. Images that are
    no photographs, such as spectrograms, have other patterns.""",
    link="https://arxiv.org/abs/1411.1792",
    needs=OTHER_IMAGES,
)
def _pretrained(recipe: Recipe, value: str) -> Recipe:
    if value not in WITH_CIFAR10_WEIGHTS:
        raise ValueError(f"there are weights for {', '.join(WITH_CIFAR10_WEIGHTS)}")
    edits = {
        "model": value,
        "model.initial_weights": CIFAR10_WEIGHTS,
        # Small steps at the end: a constant rate leaves the last epochs to chance.
        "optimizer.schedule": "cosine",
    }
    return recipe.with_(edits)


@technique(
    "transfer",
    values=tuple(PRETRAINED),
    group=GROUP,
    why="""A network trained on a million photographs of ImageNet already recognizes edges, textures
    and parts of objects. Transfer learning freezes it and trains a small head on its outputs for
    your images. With few images, nothing else comes close. The outputs of the frozen network are
    computed once, so the epochs are fast.""",
    hurts="""These networks are large: none of them fits a small board, though each can teach one
    that does (distillation). They were trained on images of 224x224 pixels, and images of 32x32
    pixels show them little.""",
    link="https://keras.io/guides/transfer_learning/",
    needs=IMAGENET,
)
def _transfer(recipe: Recipe, value: str) -> Recipe:
    if value not in PRETRAINED:
        raise ValueError(f"the pre-trained networks are {', '.join(PRETRAINED)}")
    edits: dict[str, Any] = {f"model.{name}": edit for name, edit in PRETRAINED[value].items()}
    # These values describe blocks, which a network with a backbone does not have.
    edits["model.blocks"] = []
    edits["model.initial_weights"] = ""
    edits["model.width"] = 1.0
    edits["model.padding"] = "valid"
    edits["model.batch_norm"] = False
    edits["model.batch_norm_momentum"] = "auto"
    return recipe.with_(edits)


@technique(
    "fine-tuning",
    values=(LAST_STRETCH["vgg16"],),
    group=GROUP,
    why="""After the head on a frozen network has been trained, the last layers of that network can
    adapt to your images too, with a learning rate so small that they keep what they have learned.
    The value is the first layer that is trained. Without a pre-trained network in the recipe, the
    network is VGG16.""",
    hurts="""If it starts at a layer too early, with a rate too large or with few images, the
    network loses what it has learned. Each epoch runs the whole network, which takes long.""",
    link="https://keras.io/guides/transfer_learning/",
    needs=IMAGENET,
)
def _fine_tuning(recipe: Recipe, value: str) -> Recipe:
    start = recipe if recipe.model.has_backbone else _transfer(recipe, "vgg16")
    edits = {
        "model.trainable_from": value,
        "fit.fine_tune_epochs": FINE_TUNE_EPOCHS,
        "fit.early_stopping": 0,
    }
    return start.with_(edits)


@technique(
    "distillation",
    values=("latest",),
    group=GROUP,
    why="""A large network that was trained on the same images can teach a small one. Its answer for
    an image, for example "a cat, and slightly like a dog", says more than the label does. The small
    network stays small enough for the board. The value is the run that teaches, or a .keras
    file.""",
    hurts="""The small network cannot become much better than its teacher, and the teacher must have
    been trained on the same data.""",
    link="https://arxiv.org/abs/1503.02531",
    needs=TEACHER,
)
def _distillation(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"loss.teacher": value, "fit.class_weight": "none"})
