from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.analysis.facts import LARGE_GAP, RISING_PER_EPOCH, Facts
from eyetune.analysis.verdict import Level, Verdict, diagnose
from eyetune.recipe import ZOO, Recipe, parse_edits
from eyetune.techniques import find
from eyetune.values.history import Epoch, History

TENTHS = (0.1,) * 10


def history(
    val_accuracy: Sequence[float],
    *,
    gap: float = 0.0,
    val_loss: Sequence[float] | None = None,
) -> History:
    losses = val_loss or [1.0] * len(val_accuracy)
    pairs = zip(val_accuracy, losses, strict=True)
    return tuple(
        Epoch(number, 1.0, min(accuracy + gap, 1.0), loss, accuracy, 0.001, 1.0, 100.0)
        for number, (accuracy, loss) in enumerate(pairs, start=1)
    )


def level_curve(accuracy: float, *, gap: float = 0.0, epochs: int = 10) -> History:
    return history([accuracy] * epochs, gap=gap)


def rising_curve(accuracy: float, step: float = 0.01, *, gap: float = 0.0) -> History:
    return history([accuracy + step * (number - 11) for number in range(12)], gap=gap)


def facts_of(
    accuracy: float,
    epochs: History | None = None,
    *,
    edits: dict[str, Any] | None = None,
    linear: float | None = None,
    shares: tuple[float, ...] = TENTHS,
    recall: tuple[float, ...] | None = None,
    predicted: tuple[float, ...] | None = None,
    **others: Any,
) -> Facts:
    values: dict[str, Any] = {
        "dataset": "pets",
        "image_shape": (32, 32, 3),
        "num_train": 40_000,
        "num_validation": 10_000,
        "test_accuracy": None,
    }
    return Facts(
        history=epochs or level_curve(accuracy),
        recipe=Recipe().with_(edits or {}),
        class_shares=shares,
        class_recall=recall or (accuracy,) * len(shares),
        predicted_shares=predicted or shares,
        validation_accuracy=accuracy,
        linear_accuracy=linear,
        **(values | others),
    )


def cifar10(accuracy: float, epochs: History | None = None, **others: Any) -> Facts:
    return facts_of(accuracy, epochs, test_accuracy=accuracy, dataset="cifar10", **others)


def edits_of(command: str) -> dict[str, Any]:
    """Read a suggested command as the command line does."""
    flags = {
        "--epochs": ("fit.epochs", int),
        "--learning-rate": ("optimizer.learning_rate", float),
        "--subset": ("data.subset", int),
        "--image-size": ("data.image_size", int),
        "--model": ("model", str),
    }
    edits: dict[str, Any] = {}
    arguments = iter(shlex.split(command))
    for flag in arguments:
        value = next(arguments)
        if flag == "--set":
            edits |= parse_edits([value])
        elif flag == "--technique":
            name, _, setting = value.partition("=")
            edited = find(name).apply(Recipe(), setting)
            edits |= {"model": edited.model, "optimizer": edited.optimizer}
        else:
            path, kind = flags[flag]
            edits[path] = kind(value)
    return edits


def techniques(verdict: Verdict) -> list[str]:
    return [suggestion.technique for suggestion in verdict.suggestions]


# ---- what an expert would say


@dataclass(frozen=True)
class Situation:
    """A run, and what an expert would say about it."""

    name: str
    facts: Facts
    level: Level
    overfitting: bool = False
    rising: bool = False
    first: str = ""


NINE_TO_ONE = (0.9, 0.1)
EIGHTY = (0.8, 0.15, 0.05)
HALVES = (0.5, 0.5)
FALLING = [1.5, 1.2, 1.0]
SHORT_RISING = history([0.35, 0.48, 0.55], gap=0.2, val_loss=FALLING)
FROZEN = {"model": "resnet50"}
TUNED = {"model": "resnet50", "model.trainable_from": "conv5_block1_1_conv"}

# fmt: off
SITUATIONS = [
    # The lab's images, by its bands.
    Situation("cifar poor", cifar10(0.60), "poor", first="batch normalization"),
    Situation("cifar low", cifar10(0.75), "low", first="batch normalization"),
    Situation("cifar good", cifar10(0.85), "good"),
    Situation("cifar suspicious", cifar10(0.99), "suspicious"),
    Situation("cifar rising", cifar10(0.60, rising_curve(0.6)), "poor",
              rising=True, first="epochs"),
    Situation("cifar good and rising", cifar10(0.82, rising_curve(0.82)), "good",
              rising=True, first="epochs"),
    Situation("cifar overfitting", cifar10(0.75, level_curve(0.75, gap=0.2)), "low",
              overfitting=True, first="augmentation"),
    Situation("cifar good but overfitting", cifar10(0.85, level_curve(0.85, gap=0.12)), "good",
              overfitting=True, first="augmentation"),
    Situation("cifar subset overfitting",
              cifar10(0.45, level_curve(0.45, gap=0.4), edits={"data.subset": 1000}, num_train=800),
              "poor", overfitting=True, first="all images"),
    # Training that is too short to judge.
    Situation("one epoch", cifar10(0.45, history([0.45], gap=-0.1)), "poor", first="epochs"),
    Situation("two level epochs", cifar10(0.45, history([0.45, 0.45])), "poor", first="epochs"),
    Situation("one epoch at chance", cifar10(0.1, history([0.1])), "chance", first="epochs"),
    Situation("three epochs, few images, both losses fall",
              facts_of(0.55, SHORT_RISING, shares=HALVES, num_train=115, num_validation=29),
              "chance", rising=True, first="epochs"),
    Situation("three epochs, many images, both losses fall",
              facts_of(0.55, SHORT_RISING, linear=0.5), "low", rising=True, first="epochs"),
    Situation("loss falls while accuracy is level",
              facts_of(0.6, history([0.6] * 5, val_loss=[2.0, 1.7, 1.5, 1.3, 1.1]), linear=0.5),
              "low", rising=True, first="epochs"),
    # Gaps, and how sure they are.
    Situation("gap on few validation images",
              facts_of(0.7, level_curve(0.7, gap=0.12), linear=0.5, num_validation=29,
                       num_train=2900), "low", first="pre-trained weights"),
    Situation("gap on many validation images",
              facts_of(0.7, level_curve(0.7, gap=0.12), linear=0.5), "low",
              overfitting=True, first="augmentation"),
    Situation("small gap", facts_of(0.7, level_curve(0.7, gap=0.05), linear=0.5), "low",
              first="batch normalization"),
    Situation("memorized, but at chance", facts_of(0.1, level_curve(0.1, gap=0.85)), "chance",
              overfitting=True, first="augmentation"),
    Situation("augmented and overfitting",
              facts_of(0.7, level_curve(0.7, gap=0.2), linear=0.5, edits={"augment.shift": 2}),
              "low", overfitting=True, first="dropout"),
    # Against a linear classifier.
    Situation("halves the errors", facts_of(0.80, linear=0.60), "good"),
    Situation("98.6%, half the errors up to rounding",
              facts_of(0.986, linear=0.972, num_validation=1000), "good"),
    Situation("98.6%, less than half the errors", facts_of(0.986, linear=0.98), "good"),
    Situation("some gain", facts_of(0.70, linear=0.60), "low", first="batch normalization"),
    Situation("no gain", facts_of(0.605, linear=0.60), "poor", first="batch normalization"),
    Situation("worse than linear", facts_of(0.50, linear=0.60), "poor",
              first="batch normalization"),
    Situation("easy images", facts_of(0.96, linear=0.96), "good"),
    Situation("one of 66 images worse than linear",
              facts_of(65 / 66, linear=1.0, num_validation=66), "good"),
    Situation("perfect where linear is not", facts_of(1.0, linear=0.7), "suspicious"),
    Situation("no linear classifier, few errors", facts_of(0.81), "good"),
    Situation("no linear classifier, many errors", facts_of(0.75), "low",
              first="batch normalization"),
    Situation("no linear classifier, little better than the largest class",
              facts_of(0.83, shares=(0.8, 0.2)), "low", first="batch normalization"),
    # Nothing learned.
    Situation("chance at the usual rate", facts_of(0.1), "chance", first="learning rate"),
    Situation("chance on 20 images", facts_of(0.2, num_validation=20), "chance",
              first="learning rate"),
    Situation("chance that begins to rise", facts_of(0.1, rising_curve(0.1, 0.005)), "chance",
              rising=True, first="epochs"),
    # Uneven classes.
    Situation("uneven, all predicted as one class",
              facts_of(0.9, shares=NINE_TO_ONE, recall=(1.0, 0.0), predicted=(1.0, 0.0)),
              "chance", first="class weights"),
    Situation("uneven, rare classes ignored",
              facts_of(0.88, shares=EIGHTY, recall=(1.0, 0.55, 0.0), predicted=(0.92, 0.08, 0.0),
                       linear=0.84), "low", first="class weights"),
    Situation("uneven, weighted already",
              facts_of(0.9, shares=NINE_TO_ONE, recall=(1.0, 0.0), predicted=(1.0, 0.0),
                       edits={"fit.class_weight": "balanced"}), "chance", first="learning rate"),
    Situation("uneven, rare class recognized less often",
              facts_of(0.86, shares=(0.7, 0.3), recall=(0.95, 0.65), linear=0.5), "good",
              first="class weights"),
    Situation("uneven, rare class recognized less often, rising",
              facts_of(0.86, rising_curve(0.86), shares=(0.7, 0.3), recall=(0.95, 0.65),
                       linear=0.5), "good", rising=True, first="epochs"),
    Situation("uneven, rare class hardly behind",
              facts_of(0.88, shares=(0.7, 0.3), recall=(0.9, 0.83), linear=0.5), "good"),
    Situation("uneven, rare class behind by chance",
              facts_of(0.89, shares=(0.7, 0.3), recall=(0.95, 0.75), linear=0.5,
                       num_validation=40), "good"),
    Situation("uneven, all classes learned", facts_of(0.97, shares=NINE_TO_ONE, linear=0.9),
              "good"),
    Situation("even, all predicted as one class",
              facts_of(0.1, predicted=(1.0, *(0.0,) * 9)), "chance", first="learning rate"),
    # Few images.
    Situation("180 photos",
              facts_of(0.7, level_curve(0.7), shares=HALVES, linear=0.62, num_train=144,
                       num_validation=100), "low", first="pre-trained weights"),
    Situation("180 photos, overfitting",
              facts_of(0.7, level_curve(0.7, gap=0.3), shares=HALVES, linear=0.62, num_train=144,
                       num_validation=100), "low", overfitting=True, first="pre-trained weights"),
    Situation("few small gray images",
              facts_of(0.7, linear=0.6, num_train=300, image_shape=(8, 8, 1)), "low",
              first="batch normalization"),
    Situation("few images, learned well", facts_of(0.95, linear=0.7, num_train=300), "good"),
    # Pre-trained networks.
    Situation("frozen backbone", facts_of(0.6, linear=0.5, edits=FROZEN), "low",
              first="fine-tuning"),
    Situation("fine-tuned backbone, rising",
              facts_of(0.6, rising_curve(0.6), linear=0.5,
                       edits={**TUNED, "fit.fine_tune_epochs": 5}), "low",
              rising=True, first="fine-tuning epochs"),
    # How training ended.
    Situation("stopped early, rising",
              facts_of(0.6, rising_curve(0.6), linear=0.5,
                       edits={"fit.epochs": 50, "fit.early_stopping": 3}), "low",
              rising=True, first="patience"),
    Situation("validation images trained on",
              facts_of(0.6, level_curve(0.6, gap=0.3), test_accuracy=0.6, linear=None,
                       edits={"data.train_on_validation": True}), "low"),
    Situation("deep already",
              facts_of(0.6, linear=0.5, edits={"model.batch_norm": True, "model.padding": "same",
                       "model.blocks": [{"convolutions": 2}]}), "low", first="more filters"),
    Situation("strong dropout",
              facts_of(0.6, level_curve(0.6, gap=-0.1), linear=0.5, edits={"model.dropout": 0.6}),
              "low", first="less dropout"),
]
# fmt: on


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_verdict_of_a_situation(situation: Situation) -> None:
    verdict = diagnose(situation.facts)
    assert verdict.level == situation.level
    assert verdict.overfitting == situation.overfitting
    assert verdict.still_rising == situation.rising
    assert [*techniques(verdict), ""][0] == situation.first
    for suggestion in verdict.suggestions:
        situation.facts.recipe.with_(edits_of(suggestion.command))


# ---- thresholds


@pytest.mark.parametrize(
    ("test_accuracy", "level"),
    [
        (0.6999, "poor"),
        (0.70, "low"),
        (0.7999, "low"),
        (0.80, "good"),
        (0.9699, "good"),
        (0.97, "suspicious"),
        (1.0, "suspicious"),
    ],
)
def test_cifar10_is_judged_by_the_labs_bands(test_accuracy: float, level: str) -> None:
    facts = facts_of(0.69, test_accuracy=test_accuracy, dataset="cifar10")
    assert diagnose(facts).level == level


@pytest.mark.parametrize(
    ("accuracy", "num_validation", "level"),
    [
        (0.05, 10_000, "chance"),
        (0.10, 10_000, "chance"),
        (0.105, 10_000, "chance"),
        (0.108, 10_000, "poor"),
        (0.20, 20, "chance"),
        (0.40, 20, "poor"),
    ],
)
def test_chance_depends_on_the_number_of_images(
    accuracy: float, num_validation: int, level: str
) -> None:
    assert diagnose(cifar10(accuracy, num_validation=num_validation)).level == level


@pytest.mark.parametrize(
    ("accuracy", "linear", "level"),
    [
        (0.80, 0.60, "good"),
        (0.79, 0.60, "low"),
        (0.62, 0.60, "low"),
        (0.605, 0.60, "poor"),
        (0.50, 0.60, "poor"),
        (0.96, 0.96, "good"),
        (0.93, 0.96, "poor"),
        (1.0, 0.89, "suspicious"),
        (1.0, 0.91, "good"),
    ],
)
def test_other_images_are_judged_by_a_linear_classifier(
    accuracy: float, linear: float, level: str
) -> None:
    thirds = (0.34, 0.33, 0.33)
    assert diagnose(facts_of(accuracy, linear=linear, shares=thirds)).level == level


@pytest.mark.parametrize("num_validation", [100, 1000, 10_000])
@pytest.mark.parametrize("linear_errors", [2, 6, 14, 28])
def test_halved_errors_are_good_whatever_the_rounding(
    linear_errors: int, num_validation: int
) -> None:
    accuracy = 1 - linear_errors / 2 / num_validation
    linear = 1 - linear_errors / num_validation
    assert diagnose(facts_of(accuracy, linear=linear, num_validation=num_validation)).level == (
        "good"
    )


@pytest.mark.parametrize(
    ("gap", "overfitting"),
    [(LARGE_GAP - 0.001, False), (LARGE_GAP + 0.001, True), (-0.2, False)],
)
def test_overfitting_is_a_large_gap(gap: float, overfitting: bool) -> None:
    assert diagnose(cifar10(0.75, level_curve(0.75, gap=gap))).overfitting == overfitting


@pytest.mark.parametrize(("num_validation", "overfitting"), [(29, False), (200, True)])
def test_overfitting_needs_enough_validation_images(num_validation: int, overfitting: bool) -> None:
    facts = cifar10(0.75, level_curve(0.75, gap=0.12), num_validation=num_validation)
    assert diagnose(facts).overfitting == overfitting


@pytest.mark.parametrize(("kept_epoch", "overfitting"), [(None, True), (1, False), (2, True)])
def test_the_kept_epoch_is_judged(kept_epoch: int | None, overfitting: bool) -> None:
    epochs = (
        Epoch(1, 1.0, 0.72, 0.5, 0.70, 0.001, 1.0, 100.0),
        Epoch(2, 1.0, 0.90, 0.9, 0.70, 0.001, 1.0, 100.0),
    )
    assert diagnose(cifar10(0.70, epochs, kept_epoch=kept_epoch)).overfitting == overfitting


@pytest.mark.parametrize(
    ("step", "rising"),
    [(RISING_PER_EPOCH * 0.9, False), (RISING_PER_EPOCH * 1.1, True), (-0.01, False), (0.0, False)],
)
def test_rising_is_a_slope_at_the_end(step: float, rising: bool) -> None:
    assert diagnose(cifar10(0.6, rising_curve(0.6, step))).still_rising == rising


def test_only_the_last_third_of_a_curve_counts() -> None:
    early = history([0.1 * number for number in range(8)] + [0.7] * 4)
    late = history([0.7] * 8 + [0.72, 0.74, 0.76, 0.78])
    assert not diagnose(cifar10(0.7, early)).still_rising
    assert diagnose(cifar10(0.78, late)).still_rising


def test_an_unmeasured_training_accuracy_is_no_gap() -> None:
    epochs = level_curve(0.6, gap=float("nan"))
    verdict = diagnose(cifar10(0.6, epochs))
    assert not verdict.overfitting
    assert "nan" not in verdict.text


# ---- suggestions


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (cifar10(0.10), ["learning rate", "learning rate"]),
        (cifar10(0.60), ["batch normalization", "more convolutions"]),
        (
            cifar10(0.60, rising_curve(0.6)),
            ["epochs", "learning rate", "batch normalization", "more convolutions"],
        ),
        (
            cifar10(0.75, level_curve(0.75, gap=0.2)),
            [
                "augmentation",
                "dropout",
                "early stopping",
                "global average pooling",
                "batch normalization",
            ],
        ),
        (cifar10(0.85), []),
        (
            cifar10(0.85, level_curve(0.85, gap=0.2)),
            ["augmentation", "dropout", "early stopping", "global average pooling"],
        ),
    ],
    ids=["chance", "level", "rising", "overfitting", "good", "good but overfitting"],
)
def test_suggestions_in_order(facts: Facts, expected: list[str]) -> None:
    assert techniques(diagnose(facts)) == expected


optimizers = st.fixed_dictionaries(
    {
        "optimizer.name": st.sampled_from(["adam", "sgd"]),
        "optimizer.learning_rate": st.floats(1e-7, 100),
        "fit.epochs": st.integers(1, 1000),
        "fit.early_stopping": st.sampled_from([0, 3]),
        "data.subset": st.sampled_from([0, 1000]),
        "model.dropout": st.sampled_from([0.0, 0.3]),
        "model.global_pooling": st.booleans(),
        "model.batch_norm": st.booleans(),
        "model.padding": st.sampled_from(["valid", "same"]),
        "model.dense": st.sampled_from([[], [64], [128, 64]]),
        "model.blocks": st.lists(
            st.fixed_dictionaries(
                {
                    "filters": st.integers(1, 64),
                    "kernel_size": st.sampled_from([3, 5]),
                    "convolutions": st.sampled_from([1, 1, 2]),
                    "activation": st.sampled_from([None, "tanh"]),
                }
            ),
            min_size=1,
            max_size=4,
        ),
    }
)
verdict_cases = st.tuples(
    st.sampled_from([0.1, 0.6, 0.75, 0.85, 0.99]),
    st.sampled_from([-0.1, 0.0, 0.2]),
    st.sampled_from([0.0, 0.01]),
)


@given(optimizers, verdict_cases)
def test_a_suggested_command_changes_only_what_it_names(
    edits: dict[str, Any], case: tuple[float, float, float]
) -> None:
    accuracy, gap, step = case
    epochs = history([accuracy + step * (number - 9) for number in range(10)], gap=gap)
    facts = cifar10(accuracy, epochs, edits=edits)
    recipe = facts.recipe
    for suggestion in diagnose(facts).suggestions:
        suggested = edits_of(suggestion.command)
        changed = recipe.with_(suggested)
        assert changed != recipe
        for path, value in suggested.items():
            assert recipe.with_({path: value}) != recipe, f"{suggestion.command} repeats {path}"
        untouched = recipe.difference(changed).keys() - suggested.keys()
        assert untouched == set(), f"{suggestion.command} changes {untouched} too"


@pytest.mark.parametrize(
    ("rate", "commands"),
    [
        (0.001, ["--learning-rate 0.0001", "--learning-rate 0.01"]),
        (0.00001, ["--learning-rate 0.0001", "--learning-rate 1e-06"]),
        (50.0, ["--learning-rate 5"]),
    ],
)
def test_at_chance_both_learning_rates_are_suggested(rate: float, commands: list[str]) -> None:
    verdict = diagnose(cifar10(0.1, edits={"optimizer.learning_rate": rate}))
    assert [suggestion.command for suggestion in verdict.suggestions] == commands


@pytest.mark.parametrize(("epochs", "suggested"), [(10, 20), (19, 20), (20, 20), (50, 50)])
def test_dropout_never_comes_with_fewer_epochs(epochs: int, suggested: int) -> None:
    facts = cifar10(0.75, level_curve(0.75, gap=0.2), edits={"fit.epochs": epochs})
    suggestions = {one.technique: one for one in diagnose(facts).suggestions}
    assert facts.recipe.with_(edits_of(suggestions["dropout"].command)).fit.epochs == suggested


def test_more_convolutions_leave_the_rest_of_each_block_alone() -> None:
    blocks = [{"filters": 8, "kernel_size": 5}, {"filters": 16, "activation": "tanh"}]
    facts = cifar10(0.6, edits={"model.blocks": blocks})
    suggestions = {one.technique: one for one in diagnose(facts).suggestions}
    deeper = facts.recipe.with_(edits_of(suggestions["more convolutions"].command))
    assert [block.convolutions for block in deeper.model.blocks] == [2, 2]
    assert [
        (block.filters, block.kernel_size, block.activation) for block in deeper.model.blocks
    ] == [(8, 5, None), (16, 3, "tanh")]
    assert deeper.model.padding == "same"


@pytest.mark.parametrize("name", ZOO)
def test_suggestions_suit_every_known_network(name: str) -> None:
    facts = cifar10(0.6, edits={"model": name})
    suggestions = diagnose(facts).suggestions
    assert suggestions
    for suggestion in suggestions:
        assert facts.recipe.with_(edits_of(suggestion.command)) != facts.recipe


@pytest.mark.parametrize("early_stopping", [0, 3])
def test_a_frozen_backbone_is_fine_tuned(early_stopping: int) -> None:
    facts = cifar10(0.6, edits={**FROZEN, "fit.early_stopping": early_stopping})
    suggestions = {one.technique: one for one in diagnose(facts).suggestions}
    tuned = facts.recipe.with_(edits_of(suggestions["fine-tuning"].command))
    assert (tuned.model.trainable_from, tuned.fit.fine_tune_epochs) == ("conv5_block1_1_conv", 5)
    assert not {"batch normalization", "more convolutions"} & suggestions.keys()
    again = replace(facts, recipe=tuned, history=level_curve(0.6, gap=0.2))
    assert not {"fine-tuning", "early stopping"} & set(techniques(diagnose(again)))


def test_a_training_for_int8_is_judged_by_its_last_stage() -> None:
    edits = {"fit.epochs": 3, "fit.quantize": "int8", "fit.quantize_epochs": 2}
    epochs = history([0.5, 0.6, 0.7, 0.68, 0.7], gap=0.2, val_loss=[1.2, 0.5, 0.9, 0.8, 0.7])
    facts = cifar10(0.7, epochs, edits=edits)
    assert facts.best_loss_epoch == 5
    suggestions = diagnose(facts).suggestions
    assert "dropout" in {one.technique for one in suggestions}
    for suggestion in suggestions:
        facts.recipe.with_(edits_of(suggestion.command))  # early stopping would be refused


@pytest.mark.parametrize(
    ("num_train", "names"),
    [
        (400, {"pre-trained weights", "transfer learning"}),
        (4000, {"pre-trained weights"}),
        (5000, set()),
    ],
)
def test_few_photos_start_from_pretrained_weights(num_train: int, names: set[str]) -> None:
    facts = facts_of(0.7, linear=0.6, num_train=num_train)
    suggestions = {one.technique: one for one in diagnose(facts).suggestions}
    assert suggestions.keys() & {"pre-trained weights", "transfer learning"} == names
    if names:
        tuned = facts.recipe.with_(edits_of(suggestions["pre-trained weights"].command))
        assert tuned == find("pretrained").apply(facts.recipe, "resnet8")
        again = set(techniques(diagnose(replace(facts, recipe=tuned))))
        assert not again & {*names, "batch normalization", "more convolutions", "more filters"}


def test_model_functions_have_weights_of_their_own() -> None:
    facts = facts_of(0.7, linear=0.6, num_train=400, edits={"model": "m.py:build_model"})
    assert "pre-trained weights" not in techniques(diagnose(facts))


def test_cifar10_never_starts_from_its_own_weights() -> None:
    facts = cifar10(0.6, edits={}, num_train=400)
    assert "pre-trained weights" not in techniques(diagnose(facts))


def test_photos_of_a_folder_are_loaded_larger_for_transfer() -> None:
    facts = facts_of(0.7, linear=0.6, num_train=144, can_resize=True)
    suggestions = {one.technique: one for one in diagnose(facts).suggestions}
    edits = edits_of(suggestions["transfer learning"].command)
    assert edits == {"model": "mobilenet_v2", "data.image_size": 96}


@pytest.mark.parametrize(
    "facts",
    [
        facts_of(0.1),
        facts_of(0.6, level_curve(0.6, gap=0.3), linear=0.5, num_train=300),
        facts_of(0.6, rising_curve(0.6), linear=0.5),
    ],
    ids=["chance", "overfitting", "rising"],
)
def test_a_model_function_is_never_given_a_network(facts: Facts) -> None:
    with_function = replace(facts, recipe=Recipe.make({"model": {"function": "model.py:build"}}))
    for suggestion in diagnose(with_function).suggestions:
        assert not {"model", "optimizer"} & {
            path.partition(".")[0] for path in edits_of(suggestion.command)
        }
        with_function.recipe.with_(edits_of(suggestion.command))


def test_a_verdict_is_plain_json_with_its_text() -> None:
    verdict = diagnose(cifar10(0.6))
    value = json.loads(json.dumps(verdict.to_json()))
    assert value["level"] == "poor"
    assert value["text"] == " ".join(value["sentences"]) == verdict.text
    assert value["suggestions"][0]["technique"] == "batch normalization"
    assert value["suggestions"][0]["command"] == "--set model.batch_norm=true"
    assert (value["overfitting"], value["still_rising"]) == (False, False)


def test_verdict_on_arrays_names_no_images() -> None:
    for shares, recall in ((TENTHS, TENTHS), ((0.91, *(0.01,) * 9), (0.99, *(0.0,) * 9))):
        facts = facts_of(0.9, shares=shares, recall=recall, has_images=False)
        assert "image" not in diagnose(facts).text


def test_test_accuracy_is_compared_with_guessing_on_test_images() -> None:
    shares = (0.5, 0.3, 0.2)
    good = facts_of(0.9, shares=shares, test_accuracy=0.9, test_guess=0.4)
    assert "guessing would get 40.0%" in diagnose(good).sentences[0]
    guessing = facts_of(0.45, shares=shares, test_accuracy=0.44, test_guess=0.4)
    sentence = diagnose(guessing).sentences[0]
    assert sentence.startswith(
        "44.0% of the test images are classified correctly, and 45.0% of the"
    )
    assert "or 50.0% for always naming" in sentence
