"""The plan of a lab: which values of which techniques it tries, with which seeds."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from eyetune.recipe import Recipe
from eyetune.recipe.changes import value_text
from eyetune.techniques.registry import Technique, Value, find, techniques

# One value each of a dozen techniques of every kind: a first lesson in a few minutes.
QUICK = (
    "learning-rate=0.01",
    "learning-rate=0.0001",
    "schedule=cosine",
    "batch-size=16",
    "optimizer=sgd",
    "activation-of-one-layer=tanh",
    "more-convolutions=2",
    "dense-units=128",
    "batch-norm=true",
    "noise=0.05",
    "shift=2",
    "dropout=0.2",
)

# What is also tried where classes differ by more than a factor of two in number.
FOR_UNEVEN_CLASSES = ("class-weight", "balanced-sampling")


@dataclass(frozen=True)
class Choice:
    """A technique with one of its values."""

    technique: Technique
    value: Value

    @property
    def label(self) -> str:
        """The text that names it on the command line: name=value."""
        return f"{self.technique.name}={value_text(self.value)}"

    def apply(self, recipe: Recipe) -> Recipe:
        """Return the recipe with the technique applied."""
        return self.technique.apply(recipe, self.value)


@dataclass(frozen=True)
class LabPlan:
    """What a lab does.

    Attributes:
        baseline: The recipe that everything is compared with.
        data_fingerprint: Identifies the images.
        choices: What is tried, in order.
        seeds: Seeds of each comparison.
        final_seeds: Number of final trainings of the best recipe, and of the baseline.
        extra_final_seeds: Number of final trainings of both that may follow in the time that is
            left at the end.
        workers: Number of processes that train at once.
        balanced: Whether recipes are compared by balanced accuracy instead of accuracy.
        seconds: Time limit in seconds. Default: None (no limit).
    """

    baseline: Recipe
    data_fingerprint: str
    choices: tuple[Choice, ...]
    seeds: tuple[int, ...] = (0,)
    final_seeds: int = 3
    extra_final_seeds: int = 0
    workers: int = 1
    balanced: bool = False
    seconds: float | None = None

    @property
    def id(self) -> str:
        """Eight hexadecimal digits, the same for the same choices on the same images only."""
        labels = [choice.label for choice in self.choices]
        content: list[object] = [
            self.baseline.fingerprint,
            self.data_fingerprint,
            labels,
            self.seeds,
            self.final_seeds,
        ]
        if self.balanced:
            content.append("balanced accuracy")
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]

    def command(self, baseline: str) -> str:
        """Return the command that runs the lab again.

        Args:
            baseline: The id of a run of the baseline.
        """
        labels = ",".join(choice.label for choice in self.choices)
        arguments = ["eyetune", "lab", baseline, "--techniques", labels]
        files = {choice.technique.file for choice in self.choices if choice.technique.file}
        for file in sorted(files):
            arguments += ["--file", file]
        arguments += ["--seeds", str(len(self.seeds)), "--final-seeds", str(self.final_seeds)]
        return shlex.join(arguments)


def choose(names: Sequence[str] = ()) -> tuple[Choice, ...]:
    """Return the choices that names stand for, each once.

    Args:
        names: Names of techniques (all their values) or name=value. Default: every technique that
            needs nothing but the images.

    Raises:
        UsageError: There is no such technique.
        RecipeError: A value has the wrong type.

    Example:
        >>> [choice.label for choice in choose(["flip", "shift=3"])]
        ['flip=true', 'shift=3']
    """
    if not names:
        return tuple(
            Choice(technique, value)
            for technique in techniques()
            if not technique.needs
            for value in technique.values
        )
    choices = [choice for name in names for choice in _parse(name.strip())]
    return tuple(dict.fromkeys(choices))


def _parse(text: str) -> list[Choice]:
    name, equals, value = text.partition("=")
    technique = find(name)
    if not equals:
        return [Choice(technique, listed) for listed in technique.values]
    try:
        return [Choice(technique, technique.parse_value(value))]
    except ValueError as error:
        raise technique.value_error(value, error) from None
