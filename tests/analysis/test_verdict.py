from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.analysis.verdict import (
    LARGE_GAP,
    RISING_PER_EPOCH,
    Facts,
    Verdict,
    diagnose,
    final_slope,
)
from eyetune.recipe import Recipe, parse_edits
from eyetune.values.history import Epoch, History


def history(
    val_accuracy: list[float], *, gap: float = 0.0, val_loss: list[float] | None = None
) -> History:
    losses = val_loss or [1.0] * len(val_accuracy)
    pairs = zip(val_accuracy, losses, strict=True)
    return tuple(
        Epoch(number, 1.0, accuracy + gap, loss, accuracy, 0.001, 1.0, 100.0)
        for number, (accuracy, loss) in enumerate(pairs, start=1)
    )


OVERFITTING = history([0.75] * 10, gap=0.2)


def judge(
    accuracy: float = 0.75,
    *,
    epochs: History | None = None,
    dataset: str = "cifar10",
    num_classes: int = 10,
    largest_class: float = 0.1,
    test_accuracy: float | None = None,
    num_validation: int = 10_000,
    linear: float | None = None,
    recipe: Recipe | None = None,
) -> Verdict:
    return diagnose(
        Facts(
            history=epochs or history([accuracy] * 10),
            recipe=recipe or Recipe(),
            dataset=dataset,
            num_classes=num_classes,
            largest_class=largest_class,
            num_validation=num_validation,
            validation_accuracy=accuracy,
            test_accuracy=accuracy if test_accuracy is None else test_accuracy,
            linear_accuracy=linear,
        )
    )


def edits_of(command: str) -> dict[str, Any]:
    """Read a suggested command as the command line does."""
    words, edits = iter(shlex.split(command)), {}
    for word in words:
        value = next(words)
        match word:
            case "--set":
                edits |= parse_edits([value])
            case "--epochs":
                edits["fit.epochs"] = int(value)
            case "--learning-rate":
                edits["optimizer.learning_rate"] = float(value)
            case _:
                raise AssertionError(f"unknown flag {word}")
    return edits


def techniques(verdict: Verdict) -> list[str]:
    return [suggestion.technique for suggestion in verdict.suggestions]


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
def test_cifar10_is_judged_by_the_labs_bands(test_accuracy: float, level: str):
    verdict = judge(0.69, test_accuracy=test_accuracy)
    assert verdict.level == level
    assert verdict.sentences[0].startswith(
        f"{test_accuracy:.1%} of the test images are classified right"
    )
    assert level in verdict.text


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
def test_chance_is_what_the_number_of_images_cannot_tell_from_guessing(
    accuracy: float, num_validation: int, level: str
):
    verdict = judge(accuracy, num_validation=num_validation)
    assert verdict.level == level
    assert ("no better than guessing (10.0% for 10 classes)" in verdict.text) == (level == "chance")


def test_always_naming_the_most_frequent_class_is_guessing_too():
    verdict = judge(0.9, dataset="pets", num_classes=2, largest_class=0.9)
    assert verdict.level == "chance"
    assert "50.0% for 2 classes, or 90.0% for always naming the most frequent class" in verdict.text
    assert judge(0.95, dataset="pets", num_classes=2, largest_class=0.9).level != "chance"


@pytest.mark.parametrize(
    ("accuracy", "linear", "level", "words"),
    [
        (0.80, 0.60, "good", "a clear gain."),
        (0.79, 0.60, "low", "a gain, with room above."),
        (0.62, 0.60, "low", "a gain, with room above."),
        (0.605, 0.60, "poor", "the network has not earned its cost yet"),
        (0.50, 0.60, "poor", "the network has not earned its cost yet"),
        (0.96, 0.96, "good", "the simpler one would do"),
        (0.93, 0.96, "poor", "the network has not earned its cost yet"),
        (1.0, 0.89, "suspicious", "Check for copies among the splits"),
        (1.0, 0.91, "good", "a clear gain."),
    ],
)
def test_other_images_are_judged_against_the_linear_classifier(
    accuracy: float, linear: float, level: str, words: str
):
    verdict = judge(accuracy, dataset="pets", num_classes=3, largest_class=0.34, linear=linear)
    assert verdict.level == level
    assert (
        f"A linear classifier on the pixels gets {linear:.1%} of the validation images"
        in verdict.text
    )
    assert words in verdict.text


@pytest.mark.parametrize(("accuracy", "level"), [(0.81, "good"), (0.79, "low")])
def test_other_images_without_a_linear_classifier_are_judged_by_accuracy_alone(
    accuracy: float, level: str
):
    verdict = judge(accuracy, dataset="pets")
    assert verdict.level == level
    assert "linear" not in verdict.text


@pytest.mark.parametrize(
    ("gap", "overfitting"), [(LARGE_GAP - 0.001, False), (LARGE_GAP + 0.001, True), (-0.2, False)]
)
def test_overfitting_is_a_large_gap_between_training_and_validation(gap: float, overfitting: bool):
    verdict = judge(epochs=history([0.75] * 10, gap=gap))
    assert verdict.overfitting == overfitting
    assert ("by heart (overfitting)" in verdict.text) == overfitting


def test_overfitting_tells_the_figures_and_since_when():
    losses = [1.0, 0.8, 0.7, 0.9, 1.1]
    verdict = judge(epochs=history([0.7, 0.7, 0.7, 0.7, 0.7], gap=0.15, val_loss=losses))
    assert "15.0 points above validation (85.0% against 70.0%)" in verdict.text
    assert "validation loss has not improved since epoch 3" in verdict.text
    to_the_end = judge(epochs=history([0.7] * 3, gap=0.15, val_loss=[1.0, 0.9, 0.8]))
    assert "has not improved" not in to_the_end.text


@pytest.mark.parametrize(
    ("edits", "overfitting"),
    [
        ({}, True),
        ({"fit.early_stopping": 2}, False),
        ({"fit.early_stopping": 2, "fit.restore_best": False}, True),
        ({"fit.early_stopping": 2, "fit.monitor": "loss"}, False),
    ],
)
def test_the_kept_epoch_is_the_one_that_is_judged(edits: dict[str, Any], overfitting: bool):
    epochs = (
        Epoch(1, 1.0, 0.72, 0.5, 0.70, 0.001, 1.0, 100.0),
        Epoch(2, 1.0, 0.90, 0.9, 0.70, 0.001, 1.0, 100.0),
    )
    assert judge(0.70, epochs=epochs, recipe=Recipe().with_(edits)).overfitting == overfitting


def rising_by(step: float) -> History:
    return history([0.5 + step * number for number in range(12)])


@pytest.mark.parametrize(
    ("step", "rising"),
    [(RISING_PER_EPOCH * 0.9, False), (RISING_PER_EPOCH * 1.1, True), (-0.01, False), (0.0, False)],
)
def test_a_curve_on_its_way_up_is_told(step: float, rising: bool):
    verdict = judge(0.6, epochs=rising_by(step))
    assert verdict.still_rising == rising
    assert ("not done learning (underfitting)" in verdict.text) == rising


def test_a_curve_that_rises_while_it_overfits_is_not_done_a_service_by_more_epochs():
    epochs = history([0.5, 0.6, 0.7, 0.8], gap=0.15)
    verdict = judge(0.8, epochs=epochs)
    assert (verdict.overfitting, verdict.still_rising) == (True, False)
    assert "epochs" not in techniques(verdict)


def test_only_the_last_third_of_a_curve_tells_whether_it_rises():
    assert (
        judge(0.7, epochs=history([0.1 * number for number in range(8)] + [0.7] * 4)).still_rising
        is False
    )
    assert judge(0.7, epochs=history([0.7] * 8 + [0.72, 0.74, 0.76, 0.78])).still_rising is True


def test_a_level_curve_without_a_gap_blames_the_network():
    assert "the network itself is the limit" in judge(0.6).text
    assert "the network itself is the limit" not in judge(0.85).text
    assert "the network itself is the limit" not in judge(0.6, epochs=rising_by(0.01)).text


@given(st.floats(-0.1, 0.1), st.integers(3, 40))
def test_the_slope_of_a_line_is_its_step(step: float, count: int):
    assert final_slope([0.5 + step * number for number in range(count)]) == pytest.approx(
        step, abs=1e-9
    )


@pytest.mark.parametrize(
    ("values", "slope"),
    [
        ([], 0.0),
        ([0.5], 0.0),
        ([0.5, 0.7], 0.2),
        ([0.1, 0.9, 0.5, 0.6, 0.7], 0.1),
        ([0.0] * 6 + [0.1, 0.2, 0.3], 0.1),
    ],
)
def test_the_slope_looks_at_the_last_third_but_at_three_epochs_at_least(
    values: list[float], slope: float
):
    assert final_slope(values) == pytest.approx(slope)


@pytest.mark.parametrize(
    ("accuracy", "epochs", "expected"),
    [
        (0.10, None, ["learning rate", "learning rate"]),
        (0.60, None, ["batch normalization", "more convolutions"]),
        (
            0.60,
            rising_by(0.01),
            ["epochs", "learning rate", "batch normalization", "more convolutions"],
        ),
        (
            0.75,
            OVERFITTING,
            [
                "augmentation",
                "dropout",
                "early stopping",
                "global average pooling",
                "batch normalization",
            ],
        ),
        (0.85, None, []),
        (
            0.85,
            OVERFITTING,
            ["augmentation", "dropout", "early stopping", "global average pooling"],
        ),
    ],
)
def test_suggestions_answer_what_was_found(
    accuracy: float, epochs: History | None, expected: list[str]
):
    assert techniques(judge(accuracy, epochs=epochs)) == expected


optimizers = st.fixed_dictionaries(
    {
        "optimizer.name": st.sampled_from(["adam", "sgd"]),
        "optimizer.learning_rate": st.floats(1e-7, 100),
        "fit.epochs": st.integers(1, 1000),
        "fit.early_stopping": st.sampled_from([0, 3]),
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
    st.sampled_from([0.0, 0.2]),
    st.sampled_from([0.0, 0.01]),
)


@given(optimizers, verdict_cases)
def test_every_suggestion_is_a_command_that_changes_the_recipe_in_all_that_it_names(
    edits: dict[str, Any], case: tuple[float, float, float]
):
    accuracy, gap, step = case
    recipe = Recipe().with_(edits)
    epochs = history([accuracy + step * (number - 9) for number in range(10)], gap=gap)
    for suggestion in judge(accuracy, epochs=epochs, recipe=recipe).suggestions:
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
        (50.0, ["--learning-rate 5"]),
    ],
)
def test_chance_asks_for_a_smaller_and_a_larger_rate_within_reason(
    rate: float, commands: list[str]
):
    verdict = judge(0.1, recipe=Recipe().with_(optimizer__learning_rate=rate))
    assert [suggestion.command for suggestion in verdict.suggestions] == commands


@pytest.mark.parametrize(("epochs", "suggested"), [(10, 20), (19, 20), (20, 20), (50, 50)])
def test_dropout_never_comes_with_fewer_epochs(epochs: int, suggested: int):
    recipe = Recipe().with_(fit__epochs=epochs)
    verdict = judge(0.75, epochs=OVERFITTING, recipe=recipe)
    dropout = next(
        suggestion for suggestion in verdict.suggestions if suggestion.technique == "dropout"
    )
    assert recipe.with_(edits_of(dropout.command)).fit.epochs == suggested


def test_more_convolutions_leave_the_rest_of_each_block_alone():
    recipe = Recipe().with_(
        {"model.blocks": [{"filters": 8, "kernel_size": 5}, {"filters": 16, "activation": "tanh"}]}
    )
    verdict = judge(0.6, recipe=recipe)
    command = next(
        one.command for one in verdict.suggestions if one.technique == "more convolutions"
    )
    deeper = recipe.with_(edits_of(command))
    assert [block.convolutions for block in deeper.model.blocks] == [2, 2]
    assert [
        (block.filters, block.kernel_size, block.activation) for block in deeper.model.blocks
    ] == [
        (8, 5, None),
        (16, 3, "tanh"),
    ]
    assert deeper.model.padding == "same"


def test_a_verdict_is_plain_json_with_its_text():
    verdict = judge(0.6)
    value = json.loads(json.dumps(verdict.to_json()))
    assert value["level"] == "poor"
    assert value["text"] == " ".join(value["sentences"]) == verdict.text
    assert value["suggestions"][0] == {
        "technique": "batch normalization",
        "reason": "it speeds learning and steadies it",
        "command": "--set model.batch_norm=true",
    }
    assert (value["overfitting"], value["still_rising"]) == (False, False)


@pytest.mark.parametrize("early_stopping", [0, 3])
def test_a_frozen_base_is_to_be_fine_tuned_and_never_given_blocks(early_stopping: int):
    recipe = Recipe().with_({"model": "resnet50", "fit.early_stopping": early_stopping})
    suggestions = judge(0.6, recipe=recipe).suggestions
    command = next(one.command for one in suggestions if one.technique == "fine-tuning")
    tuned = recipe.with_(edits_of(command))
    assert (tuned.model.trainable_from, tuned.fit.fine_tune_epochs) == ("conv5_block1_1_conv", 5)
    assert not {"batch normalization", "more convolutions"} & {one.technique for one in suggestions}
    again = judge(0.75, epochs=OVERFITTING, recipe=tuned).suggestions
    assert not {"fine-tuning", "early stopping"} & {one.technique for one in again}
