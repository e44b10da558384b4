"""Values of a space that cannot work with the images of a study: they are never suggested."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from eyetune.data import Dataset
from eyetune.errors import DataError, RecipeError, SpaceError
from eyetune.recipe import Recipe
from eyetune.space.hyperparameters import Choice, Range, Value, Values
from eyetune.space.presets import NETWORK, apply, parent_values
from eyetune.space.space import Space
from eyetune.training.image_checks import check_images

# Hyperparameters whose values may be too large for the images, or too many
_LIMITED = re.compile(
    r"fit\.batch_size|augment\.(shift|cutout)|model(\.padding|\.blocks\.count)?"
    r"|model\.blocks\.(\d+|\*)\.(kernel_size|stride|pool_size|convolutions|residual)"
)


Problem = DataError | RecipeError


@dataclass(frozen=True)
class LimitedSpace:
    """A space without the values that cannot work.

    Attributes:
        space: The space.
        left_out: What was left out and why, in one sentence for each hyperparameter.
    """

    space: Space
    left_out: tuple[str, ...]


def limited_space(recipe: Recipe, space: Space, dataset: Dataset) -> LimitedSpace:
    """Leave out the values with which no network of a study can be trained on its images.

    A value is left out if it works with none of the other values. Combinations that do not work
    are left to `works`.

    Args:
        recipe: Recipe of every trial.
        space: What trials may change.
        dataset: Images of the study.

    Raises:
        SpaceError: No network of the study can be trained on the images.
    """
    gentlest = _gentlest_points(space)
    problems = [_problem(recipe, space.complete(values), dataset) for values in gentlest]
    if all(problems):
        problem = problems[0]
        assert problem is not None
        raise SpaceError(
            "No network of this study can be trained on these images.",
            expected=problem.expected,
            received=f"{problem.message} ({problem.received})",
            fix=problem.fix or "Use other values, or more and larger images.",
        )
    kept: list[Choice | Range] = []
    left_out = []
    for distribution in space.distributions:
        limited: Choice | Range | None = distribution
        if _LIMITED.fullmatch(distribution.name):
            limited, sentence = _limited(recipe, space, distribution, gentlest, dataset)
            left_out += [sentence] if sentence else []
        if limited is not None and _can_be_active(limited, kept):
            kept.append(limited)
    return LimitedSpace(Space(distributions=tuple(kept)), tuple(left_out))


def works(recipe: Recipe, values: Values, dataset: Dataset) -> bool:
    """Return whether a recipe with the values of a trial can be trained on the images."""
    try:
        check_images(apply(recipe, values), dataset)
    except (DataError, RecipeError):
        return False
    return True


def _gentlest_points(space: Space) -> list[dict[str, Value]]:
    """Return the values that ask the least of the images, for each network of a space."""
    values = {
        distribution.name: _gentlest(distribution)
        for distribution in space.distributions
        if _LIMITED.fullmatch(distribution.name) and distribution.name != NETWORK
    }
    networks = space[NETWORK].grid() or () if NETWORK in space.names else ()
    return [values | {NETWORK: network} for network in networks] or [values]


def _gentlest(distribution: Choice | Range) -> Value:
    """Return the value that asks the least of the images."""
    if isinstance(distribution, Range):
        return distribution.low
    if distribution.name.endswith(".padding"):
        return "same" if "same" in distribution.values else distribution.default
    if distribution.name.endswith(".residual"):  # which implies padding
        return True in distribution.values
    return min(distribution.values, key=float)


def _problem(recipe: Recipe, values: Values, dataset: Dataset) -> Problem | None:
    """Return why images do not suffice for a recipe with some values; None if they do."""
    try:
        changed = apply(recipe, values)
    except RecipeError:  # the values contradict each other, which is no matter of the images
        return None
    try:
        check_images(changed, dataset)
    except (DataError, RecipeError) as error:
        return error
    return None


def _limited(
    recipe: Recipe,
    space: Space,
    distribution: Choice | Range,
    gentlest: Sequence[Values],
    dataset: Dataset,
) -> tuple[Choice | Range | None, str]:
    """Return a hyperparameter without the values that cannot work, and what was left out."""
    parents = [condition.parent for condition in distribution.conditions]
    activating = [
        parent_values(space, distribution) | dict(zip(parents, values, strict=True))
        for values in product(*(condition.values for condition in distribution.conditions))
    ]

    def problem(value: Value) -> Problem | None:
        """Return why a value works with none of the others; None if it works with some."""
        found = None
        for others, above in product(gentlest, activating):
            values = space.complete({**others, **above, distribution.name: value})
            found = _problem(recipe, values, dataset)
            if found is None:
                return None
        return found

    if isinstance(distribution, Range):
        return _limited_range(distribution, problem)
    return _limited_choice(distribution, problem)


def _limited_range(
    distribution: Range, problem: Callable[[Value], Problem | None]
) -> tuple[Range | None, str]:
    grid = distribution.grid() or range(int(distribution.low), int(distribution.high) + 1)
    num_working = bisect_left(grid, True, key=lambda value: problem(value) is not None)
    if num_working == len(grid):
        return distribution, ""
    first = grid[num_working]
    sentence = _sentence(f"{distribution.name} from {first} on", problem(first))
    if not num_working:
        return None, sentence
    high = grid[num_working - 1]
    changes = {"high": high, "default": min(distribution.default, high, key=float)}
    return distribution.model_copy(update=changes), sentence


def _limited_choice(
    distribution: Choice, problem: Callable[[Value], Problem | None]
) -> tuple[Choice | None, str]:
    good = tuple(value for value in distribution.values if problem(value) is None)
    if good == distribution.values:
        return distribution, ""
    bad = [value for value in distribution.values if value not in good]
    sentence = _sentence(f"{distribution.name} {_listed(bad)}", problem(bad[0]))
    if not good:
        return None, sentence
    default = distribution.default
    if default not in good:
        default = good[0] if isinstance(good[0], str) else max(good, key=float)
    return distribution.model_copy(update={"values": good, "default": default}), sentence


def _sentence(what: str, problem: Problem | None) -> str:
    assert problem is not None
    return f"{what} is left out. {problem.message} Expected: {problem.expected}."


def _listed(values: Iterable[Value]) -> str:
    return ", ".join(
        str(value).lower() if isinstance(value, bool) else str(value) for value in values
    )


def _can_be_active(distribution: Choice | Range, parents: list[Choice | Range]) -> bool:
    by_name = {parent.name: parent for parent in parents}
    return all(
        condition.parent in by_name
        and any(by_name[condition.parent].contains(value) for value in condition.values)
        for condition in distribution.conditions
    )
