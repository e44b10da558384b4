"""Techniques that build on a network that was trained before: on ImageNet, or in another run."""

from __future__ import annotations

from eyetune.recipe import LAST_STRETCH, PRETRAINED, Recipe
from eyetune.techniques.registry import technique

TRANSFER = "transfer"
IMAGENET = "the weights of a pre-trained network: Keras downloads them, or --set model.weights=FILE names them"
TEACHER = "a trained run as teacher"
FINE_TUNE_EPOCHS = 5


@technique(
    "transfer",
    values=tuple(PRETRAINED),
    group=TRANSFER,
    why="""A network that learned a million photographs of ImageNet already knows edges, textures and parts of
    things. Transfer learning freezes it and trains a small head on what it makes of your images: with few images
    nothing else comes near. What the frozen network says of them is computed once, so epochs take no time.""",
    hurts="""The networks are large: none of them fits a small board, though it can teach one that does
    (distillation). They were trained on pictures of 224 pixels; of 32 pixels they see little.""",
    link="https://keras.io/guides/transfer_learning/",
    needs=IMAGENET,
)
def _transfer(recipe: Recipe, value: str) -> Recipe:
    edits = {f"model.{name}": edit for name, edit in PRETRAINED[_known(value)].items()}
    blocks_only = {
        "model.blocks": [],
        "model.width": 1.0,
        "model.padding": "valid",
        "model.batch_norm": False,
    }
    return recipe.with_({**edits, **blocks_only})


def _known(name: str) -> str:
    if name not in PRETRAINED:
        raise ValueError(f"known: {', '.join(PRETRAINED)}")
    return name


@technique(
    "fine-tuning",
    values=(LAST_STRETCH["vgg16"],),
    group=TRANSFER,
    why="""Once the head on a frozen network has settled, the last layers of that network can adapt to your images
    too, at a rate so small that they do not forget what they know. The value is the first layer that is trained;
    without a pre-trained network in the recipe it is VGG16.""",
    hurts="""From layers too early, at too large a rate or with few images it forgets what it knew. Each epoch goes
    through the whole network, which takes long.""",
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
    group=TRANSFER,
    why="""A large network that was trained on the same images can teach a small one: beside "this is a cat" it says
    "and a little like a dog", which tells more of an image than its label does. The small network stays as small as
    the board wants it. The value is the run that teaches, or a .keras file.""",
    hurts="It cannot get better by much than its teacher, and the teacher must have been trained on the same data.",
    link="https://arxiv.org/abs/1503.02531",
    needs=TEACHER,
)
def _distillation(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"loss.teacher": value, "fit.class_weight": "none"})
