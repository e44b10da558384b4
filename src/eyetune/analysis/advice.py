"""What to try next after a run: suggestions that follow from its figures."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eyetune.analysis.facts import LARGE_GAP, Facts
from eyetune.recipe import CIFAR10_WEIGHTS, LAST_STRETCH, WITH_CIFAR10_WEIGHTS, Recipe
from eyetune.recipe.sections import KERAS_LEARNING_RATES

FINE_TUNE_EPOCHS = 5
MIN_EPOCHS = 10  # suggested where training was too short to show a trend
MAX_EPOCHS = 100_000  # the largest number that a recipe takes
MAX_LEARNING_RATE = 10.0  # a larger one is not worth a try
MAX_WIDTH = 16.0  # the largest width that a recipe takes
FEW_IMAGES = 2000  # with fewer training images, a pre-trained network is the first thing to try
# With as many training images or more, a small network learns from them alone.
ENOUGH_IMAGES = 5000
PRETRAINED_NETWORK = "mobilenet_v2"  # the smallest that Keras has ImageNet weights for
PRETRAINED_MIN_SIDE = 32  # pixels: what pre-trained networks take
PRETRAINED_SIDE = 96  # pixels: at less, networks trained on photographs of 224 see little
STRONG_DROPOUT = 0.2
FLIPS_ARE_HARMLESS = ("cifar10", "cifar100")  # a mirrored digit, letter or sign means another thing

_NEEDS_OWN_NETWORK = re.compile(r"model|pretrained|--learning-rate|sampling")


@dataclass(frozen=True)
class Suggestion:
    """A technique to try next.

    Attributes:
        technique: What it is called.
        reason: Why it may help.
        command: The arguments that do it, after `eyetune train RUN`.
    """

    technique: str
    reason: str
    command: str


def suggest(facts: Facts, level: str, *, overfitting: bool, still_rising: bool) -> list[Suggestion]:
    """Return what to try next, the most promising first.

    There is nothing for data that was given as arrays: the techniques change images of a source.

    Args:
        facts: The figures of the run.
        level: Level of the verdict.
        overfitting: Whether the run overfits.
        still_rising: Whether validation was still improving when training ended.
    """
    if not facts.has_images:
        return []
    needs_accuracy = level in ("chance", "poor", "low")
    is_far_apart = facts.gap > LARGE_GAP  # with few validation images, it may be mere chance
    suggestions = []
    ignores_classes = facts.predicts_one_class or bool(facts.neglected_classes)
    if ignores_classes:
        suggestions += _balance_classes(facts)
    if still_rising or (facts.is_short and needs_accuracy and not overfitting):
        suggestions += _train_longer(facts, still_rising=still_rising)
    if facts.is_rare_recall_low and not ignores_classes:
        suggestions += _balance_classes(facts)
    if level == "chance" and not overfitting and not still_rising:
        suggestions += _other_learning_rates(facts)
    if needs_accuracy or overfitting:
        suggestions += _learn_from_more_images(facts)
    if overfitting or (is_far_apart and needs_accuracy):
        suggestions += _regularize(facts)
    if still_rising and not is_far_apart:
        suggestions += _larger_learning_rate(facts.recipe)
    if level in ("poor", "low"):
        suggestions += _improve_network(facts, is_large_enough=is_far_apart)
    return [suggestion for suggestion in suggestions if _applies(suggestion, facts.recipe)]


def _applies(suggestion: Suggestion, recipe: Recipe) -> bool:
    """Return whether a recipe can take a suggestion; a model function has its own network."""
    return not recipe.model.has_function or not _NEEDS_OWN_NETWORK.search(suggestion.command)


def _balance_classes(facts: Facts) -> list[Suggestion]:
    recipe = facts.recipe
    is_balanced = recipe.fit.class_weight != "none" or recipe.fit.sampling != "all"
    if not facts.is_uneven or is_balanced:
        return []
    reason = "classes with few images then count as much as the others"
    weights = Suggestion("class weights", reason, "--technique class-weight=balanced")
    reason = "each batch then has as many images of each class"
    sampling = Suggestion("balanced sampling", reason, "--technique balanced-sampling=balanced")
    return [sampling] if recipe.loss.teacher else [weights, sampling]


def _train_longer(facts: Facts, *, still_rising: bool) -> list[Suggestion]:
    fit = facts.recipe.fit
    reason = "validation was still improving when training ended"
    if not still_rising:
        reason = "training was too short to show what the network can learn"
    if facts.stopped_early:
        command = f"--set fit.early_stopping={2 * fit.early_stopping}"
        return [Suggestion("patience", reason, command)]
    if fit.fine_tune_epochs:
        command = f"--set fit.fine_tune_epochs={2 * fit.fine_tune_epochs}"
        return [Suggestion("fine-tuning epochs", reason, command)]
    epochs = max(2 * fit.epochs, MIN_EPOCHS)
    if epochs > MAX_EPOCHS:
        return []
    return [Suggestion("epochs", reason, f"--epochs {epochs}")]


def _other_learning_rates(facts: Facts) -> list[Suggestion]:
    """Suggest a smaller and a larger learning rate, the one that is nearer to the usual first."""
    optimizer = facts.recipe.optimizer
    rate = optimizer.learning_rate
    smaller = Suggestion(
        "learning rate",
        "nothing was learned: the steps may be too large",
        f"--learning-rate {rate / 10:g}",
    )
    larger = Suggestion(
        "learning rate",
        "nothing was learned: the steps may be too small",
        f"--learning-rate {rate * 10:g}",
    )
    if 10 * rate > MAX_LEARNING_RATE:
        return [smaller]
    if rate < KERAS_LEARNING_RATES.get(optimizer.name, 0.001):
        return [larger, smaller]
    return [smaller, larger]


def _larger_learning_rate(recipe: Recipe) -> list[Suggestion]:
    rate = 3 * recipe.optimizer.learning_rate
    if rate > MAX_LEARNING_RATE:
        return []
    reason = "larger steps may get there sooner"
    return [Suggestion("learning rate", reason, f"--learning-rate {rate:g}")]


def _learn_from_more_images(facts: Facts) -> list[Suggestion]:
    """Suggest all images where a subset was trained, else networks that know images already."""
    recipe = facts.recipe
    if recipe.data.subset:
        reason = f"it was trained on {facts.num_train:,} images only; more images help most"
        return [Suggestion("all images", reason, "--subset 0")]
    height, width, channels = facts.image_shape
    is_possible = channels == 3 and min(height, width) >= PRETRAINED_MIN_SIDE
    is_pretrained = recipe.model.has_backbone or recipe.model.initial_weights or recipe.loss.teacher
    if facts.num_train >= ENOUGH_IMAGES or not is_possible or is_pretrained:
        return []
    suggestions = []
    if facts.dataset != CIFAR10_WEIGHTS:
        small = WITH_CIFAR10_WEIGHTS[0]
        reason = (
            f"with {facts.num_train:,} training images, a small network that was trained on "
            "others before does better, and fits a board"
        )
        command = f"--technique pretrained={small}"
        suggestions.append(Suggestion("pre-trained weights", reason, command))
    if facts.num_train >= FEW_IMAGES:
        return suggestions
    command = f"--model {PRETRAINED_NETWORK}"
    if facts.can_resize and min(height, width) < PRETRAINED_SIDE:
        command += f" --image-size {PRETRAINED_SIDE}"
    reason = f"with {facts.num_train:,} training images, a large pre-trained network does best"
    return [*suggestions, Suggestion("transfer learning", reason, command)]


def _regularize(facts: Facts) -> list[Suggestion]:
    recipe = facts.recipe
    epochs = recipe.fit.epochs
    suggestions = []
    if not recipe.augment.active:
        edits = ["augment.flip=true"] if facts.dataset in FLIPS_ARE_HARMLESS else []
        edits.append(f"augment.shift={max(2, min(facts.image_shape[:2]) // 16)}")
        command = " ".join(f"--set {edit}" for edit in edits)
        reason = "the network never sees an image twice in the same form"
        longer = f"{command} --epochs {min(2 * epochs, MAX_EPOCHS)}"
        suggestions.append(Suggestion("augmentation", reason, longer))
    if not recipe.model.dropout:
        # What is harder to learn takes longer.
        longer = " --epochs 20" if epochs < 20 else ""
        reason = "it makes memorizing harder"
        suggestions.append(Suggestion("dropout", reason, f"--set model.dropout=0.3{longer}"))
    if not recipe.fit.early_stopping and not recipe.fit.has_further_stages:
        reason = "it keeps the epoch with the best validation loss"
        command = "--set fit.early_stopping=3"
        suggestions.append(Suggestion("early stopping", reason, command))
    if recipe.model.dense and not recipe.model.global_pooling:
        reason = "most weights are in the first dense layer, where overfitting begins"
        command = "--set model.global_pooling=true"
        suggestions.append(Suggestion("global average pooling", reason, command))
    return suggestions


def _improve_network(facts: Facts, *, is_large_enough: bool) -> list[Suggestion]:
    recipe = facts.recipe
    if recipe.model.has_backbone:
        return _fine_tune(recipe)
    suggestions = []
    if facts.gap < 0 and recipe.model.dropout >= STRONG_DROPOUT:
        reason = "training accuracy is below validation accuracy: dropout may be too strong"
        command = f"--set model.dropout={recipe.model.dropout / 2:g}"
        suggestions.append(Suggestion("less dropout", reason, command))
    if recipe.model.initial_weights:  # which fit these blocks only
        return suggestions
    if not recipe.model.batch_norm:
        reason = "it makes training faster and steadier"
        command = "--set model.batch_norm=true"
        suggestions.append(Suggestion("batch normalization", reason, command))
    if is_large_enough:
        return suggestions
    if all(block.convolutions == 1 and not block.expansion for block in recipe.model.blocks):
        suggestions.append(_more_convolutions(recipe))
    elif 2 * recipe.model.width <= MAX_WIDTH:
        reason = "a wider network can learn more features"
        command = f"--set model.width={2 * recipe.model.width:g}"
        suggestions.append(Suggestion("more filters", reason, command))
    return suggestions


def _more_convolutions(recipe: Recipe) -> Suggestion:
    indices = range(len(recipe.model.blocks))
    edits = [f"model.blocks.{index}.convolutions=2" for index in indices]
    if recipe.model.padding != "same":  # without padding, each convolution makes the image smaller
        edits.insert(0, "model.padding=same")
    command = " ".join(f"--set {edit}" for edit in edits)
    return Suggestion("more convolutions", "a deeper network can learn finer features", command)


def _fine_tune(recipe: Recipe) -> list[Suggestion]:
    if recipe.fit.fine_tune_epochs:
        return []
    edits = [f"fit.fine_tune_epochs={FINE_TUNE_EPOCHS}"]
    if not recipe.model.trainable_from:
        edits.append(f"model.trainable_from={LAST_STRETCH[recipe.model.base]}")
    if recipe.fit.early_stopping:
        edits.append("fit.early_stopping=0")
    command = " ".join(f"--set {edit}" for edit in edits)
    reason = "the last layers of the pre-trained network can adapt to these images"
    return [Suggestion("fine-tuning", reason, command)]
