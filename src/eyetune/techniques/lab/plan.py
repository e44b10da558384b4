"""What a lab does: the techniques with their values, as a user names them or as they come by
default, and the rest.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from eyetune.errors import RecipeError
from eyetune.recipe import Recipe
from eyetune.records.lab import value_word
from eyetune.techniques.registry import Technique, Value, find, techniques

# A handful that teaches something in a few minutes: one value each, one of each kind.
QUICK = (
    "learning-rate=0.01", "learning-rate=0.0001", "schedule=cosine", "batch-size=16", "optimizer=sgd",
    "activation-of-one-layer=tanh", "more-convolutions=2", "dense-units=128", "batch-norm=true", "noise=0.05",
    "shift=2", "dropout=0.2",
)  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A technique with one of its values."""

    technique: Technique
    value: Value

    @property
    def label(self) -> str:
        """The words that name it on the command line: name=value."""
        return f"{self.technique.name}={value_word(self.value)}"

    def apply(self, recipe: Recipe) -> Recipe:
        """Return the recipe with it."""
        return self.technique.apply(recipe, self.value)


@dataclass(frozen=True)
class LabPlan:
    """What a lab does.

    Attributes:
        baseline: The recipe that everything is compared with.
        data_fingerprint: Of the images.
        choices: What is tried, in order.
        seeds: Of each comparison.
        final_seeds: How many trainings of the winner, and of the baseline, are tried on test.
        workers: Processes that train at once.
        seconds: How long it may take (None: as long as it takes).
    """

    baseline: Recipe
    data_fingerprint: str
    choices: tuple[Choice, ...]
    seeds: tuple[int, ...] = (0,)
    final_seeds: int = 3
    workers: int = 1
    seconds: float | None = None

    @property
    def id(self) -> str:
        """Eight hexadecimal digits, the same for the same questions on the same images only."""
        labels = [choice.label for choice in self.choices]
        about = [
            self.baseline.fingerprint,
            self.data_fingerprint,
            labels,
            self.seeds,
            self.final_seeds,
        ]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:8]

    def command(self, baseline: str) -> str:
        """Return the words that do it again, the baseline being a run."""
        words = [
            "eyetune",
            "lab",
            baseline,
            "--techniques",
            ",".join(choice.label for choice in self.choices),
        ]
        files = sorted({choice.technique.file for choice in self.choices if choice.technique.file})
        words += [word for file in files for word in ("--file", file)]
        return shlex.join(
            [*words, "--seeds", str(len(self.seeds)), "--final-seeds", str(self.final_seeds)]
        )


def choose(words: Sequence[str] = ()) -> tuple[Choice, ...]:
    """Return what is to be tried.

    Args:
        words: Names of techniques (all their values) or name=value; without any, every technique
            that a bare machine can try.

    Raises:
        UsageError: There is no such technique.
        RecipeError: A value is of the wrong type.

    Example:
        >>> [choice.label for choice in choose(["flip", "shift=3"])]
        ['flip=true', 'shift=3']
    """
    if not words:
        return tuple(
            Choice(one, value) for one in techniques() if not one.needs for value in one.values
        )
    found = [choice for word in words for choice in _read(word.strip())]
    return tuple(dict.fromkeys(found))


def _read(word: str) -> list[Choice]:
    name, equals, value = word.partition("=")
    technique = find(name)
    if not equals:
        return [Choice(technique, one) for one in technique.values]
    try:
        return [Choice(technique, technique.parse_value(value))]
    except ValueError as error:
        raise RecipeError(
            f"The technique {name} cannot use this value.",
            expected=f"one like {', '.join(map(str, technique.values))}",
            received=f"{value!r} ({error})",
        ) from None
