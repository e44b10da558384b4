"""The rule for unknown pictures and the vote: the firmware's C against Python."""

from __future__ import annotations

import dataclasses
import math
import struct
import subprocess
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyetune.device.firmware import (
    FULL_CONFIDENCE,
    UNKNOWN_CLASS,
    Answers,
    UnknownRule,
    read_known_results,
    read_result,
    vote_over_frames,
)
from eyetune.errors import UsageError
from tests.device.firmware.stand_ins import GCC, needs_gcc
from tests.device.firmware.test_image import SANITIZED, STRICT

NUM_VECTORS = 10_000

# Reads the rule and the scores of many images, and prints the answer of each, alone and by vote.
HARNESS = r"""
#include <stdio.h>
#include <stdlib.h>
#include "result.h"

static void need(int condition) { if (!condition) exit(2); }

int main(void)
{
    uint32_t sizes[5]; /* images, classes, frames that vote, kind of scores, threshold */
    uint32_t weights[256];
    need(fread(sizes, 4, 5, stdin) == 5 && fread(weights, 4, 256, stdin) == 256);
    const UnknownRule rule = {weights, (int32_t)sizes[3], sizes[4]};
    Vote vote = {0};
    int8_t *scores = malloc(sizes[1]);
    for (uint32_t image = 0; image < sizes[0]; image++) {
        need(scores && fread(scores, 1, sizes[1], stdin) == sizes[1]);
        Result answers[2];
        answers[0] = read_known_result(scores, sizes[1], &rule);
        answers[1] = vote_over_frames(&vote, sizes[2], answers[0]);
        need(fwrite(answers, sizeof(Result), 2, stdout) == 2);
    }
    free(scores);
    return 0;
}
"""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harness")
    sources = resources.files("eyetune.device.firmware") / "templates" / "source"
    for name in ("result.c", "result.h"):
        (folder / name).write_text((sources / name).read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "harness.c").write_text(HARNESS, encoding="utf-8")
    program = folder / "harness"
    command = [str(GCC), *STRICT, *SANITIZED, "harness.c", "result.c", "-o", str(program)]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return program


def in_c(
    harness: Path, scores: NDArray[np.int8], rule: UnknownRule, num_voting: int
) -> tuple[Answers, Answers]:
    """Return the answers of the C code for each image alone, and after each vote."""
    sizes = (*scores.shape, num_voting, int(rule.scores_are_logits), rule.threshold)
    request = struct.pack("=5I256I", *sizes, *rule.weights) + scores.tobytes()
    done = subprocess.run([harness], input=request, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answers = np.frombuffer(done.stdout, np.uint32).reshape(-1, 2, 2).astype(np.int64)
    return Answers(answers[:, 0, 0], answers[:, 0, 1]), Answers(answers[:, 1, 0], answers[:, 1, 1])


def assert_equal(answers: Answers, others: Answers) -> None:
    np.testing.assert_array_equal(answers.classes, others.classes)
    np.testing.assert_array_equal(answers.per_mille, others.per_mille)


def logits_rule(threshold: float, step: float = 0.15) -> UnknownRule:
    """Return a rule for logits with this many units for each step of a score."""
    weights = tuple(
        round(FULL_CONFIDENCE * math.exp(-step * difference)) for difference in range(256)
    )
    return UnknownRule(weights, True, round(threshold * FULL_CONFIDENCE))


def probabilities_rule(threshold: float) -> UnknownRule:
    """Return a rule for probabilities in steps of 1/256, which are divided by their sum."""
    weights = tuple(max(1, (255 - difference) * 65_536) for difference in range(256))
    return UnknownRule(weights, False, round(threshold * FULL_CONFIDENCE))


def walks(generator: np.random.Generator, num_classes: int) -> NDArray[np.int8]:
    """Return scores of frames that change slowly, some of them saturated or with equal scores."""
    steps = generator.integers(-9, 10, (NUM_VECTORS, num_classes)).cumsum(axis=0)
    values = np.abs(steps % 600 - 300) - 150
    values[::7] = np.round(values[::7], -1)  # ties
    scores: NDArray[np.int8] = np.clip(values, -128, 127).astype(np.int8)
    return scores


@needs_gcc
@pytest.mark.parametrize("rule", [logits_rule(0), probabilities_rule(0)])
@pytest.mark.parametrize(("num_classes", "num_voting"), [(10, 3), (2, 1), (100, 32)])
def test_c_and_python_agree_on_10000_vectors(
    harness: Path, rule: UnknownRule, num_classes: int, num_voting: int
) -> None:
    scores = walks(np.random.default_rng(num_classes), num_classes)
    median = int(np.median(rule.confidences(scores)))
    rule = dataclasses.replace(rule, threshold=median + 1)
    alone, voted = in_c(harness, scores, rule, num_voting)
    expected = read_known_results(scores, rule)
    assert_equal(alone, expected)
    assert_equal(voted, vote_over_frames(expected, num_voting))
    assert 0.4 < np.mean(expected.classes == UNKNOWN_CLASS) < 0.9


@needs_gcc
@pytest.mark.parametrize("score", [-128, 0, 127])
@pytest.mark.parametrize("rule", [logits_rule(1.0), probabilities_rule(1.0)])
def test_c_and_python_agree_on_extreme_scores(harness: Path, rule: UnknownRule, score: int) -> None:
    scores = np.full((3, 10_000), -128, np.int8)
    scores[0], scores[1, 0], scores[2, -1] = score, score, score
    alone, _ = in_c(harness, scores, rule, 1)
    assert_equal(alone, read_known_results(scores, rule))


@given(
    scores=st.lists(st.integers(-128, 127), min_size=2, max_size=12),
    step=st.floats(0.001, 2),
)
def test_confidence_of_logits_is_that_of_a_softmax(scores: list[int], step: float) -> None:
    values = np.array([scores], np.int8)
    (per_mille,) = read_known_results(values, logits_rule(0, step)).per_mille
    powers = np.exp(step * (np.array(scores) - max(scores)))
    assert abs(per_mille - 1000 / powers.sum()) <= 0.51


@given(scores=st.lists(st.integers(-128, 127), min_size=1, max_size=12))
def test_rule_without_a_threshold_answers_as_before(scores: list[int]) -> None:
    values = np.array([scores], np.int8)
    for rule in (logits_rule(0), probabilities_rule(0)):
        answers = read_known_results(values, rule)
        assert answers.classes[0] == read_result(values[0], 1 / 256, -128)[0]


@given(
    scores=st.lists(st.integers(-128, 127), min_size=2, max_size=12),
    threshold=st.integers(0, FULL_CONFIDENCE),
)
def test_rule_refuses_what_is_below_the_threshold(scores: list[int], threshold: int) -> None:
    values = np.array([scores], np.int8)
    rule = UnknownRule(logits_rule(0).weights, True, threshold)
    is_unknown = read_known_results(values, rule).classes[0] == UNKNOWN_CLASS
    assert is_unknown == (rule.confidences(values)[0] < threshold)


def test_vote_needs_more_than_half_of_the_frames() -> None:
    classes = np.array([1, 2, 2, 1, 1, UNKNOWN_CLASS, UNKNOWN_CLASS])
    answers = Answers(classes, np.array([900, 500, 700, 800, 600, 100, 201]))
    voted = vote_over_frames(answers, 3)
    assert voted.classes.tolist() == [1, UNKNOWN_CLASS, 2, 2, 1, 1, UNKNOWN_CLASS]
    assert voted.per_mille.tolist() == [900, 700, 600, 600, 700, 700, 151]
    assert_equal(vote_over_frames(answers, 1), answers)


@pytest.mark.parametrize("num_voting", [0, 33])
def test_vote_refuses_other_numbers_of_frames(num_voting: int) -> None:
    with pytest.raises(UsageError):
        vote_over_frames(Answers(np.zeros(1, np.int64), np.zeros(1, np.int64)), num_voting)


@pytest.mark.parametrize(
    ("weights", "scores_are_logits", "threshold"),
    [
        ((1,) * 255, True, 0),
        ((1,) * 256, True, FULL_CONFIDENCE + 1),
        ((FULL_CONFIDENCE + 1, *[1] * 255), True, 0),
        ((0, *[1] * 255), True, 0),
        ((*[1] * 255, 0), False, 0),
    ],
)
def test_rule_refuses_values_out_of_range(
    weights: tuple[int, ...], scores_are_logits: bool, threshold: int
) -> None:
    with pytest.raises(UsageError):
        UnknownRule(weights, scores_are_logits, threshold)
