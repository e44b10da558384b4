"""Discover the search space of a model function, as KerasTuner's tuners do.

Networks are built until every conditional scope was active once.
"""

from __future__ import annotations

from typing import Any

import pydantic

from eyetune.errors import FunctionError
from eyetune.models.model_function.loading import load
from eyetune.models.model_function.tracebacks import failed
from eyetune.space.hyperparameters import Choice, Condition, Range, Value
from eyetune.space.space import Space

# Attribute of a `build` with the names of the hyperparameters that are searched; the others are
# used with their defaults. Without it, all are searched.
SEARCHED_NAMES = "searched_names"


def discover(function: str) -> Space:
    """Return the search space of a model function as plain data; see `discover_in`.

    Args:
        function: `model.function` of a recipe.

    Raises:
        FunctionError: The function cannot be loaded, raised an exception, or has an invalid
            hyperparameter.
    """
    return discover_in(load(function).hypermodel)


def discover_in(hypermodel: Any) -> Space:
    """Return the search space of a `keras_tuner.HyperModel` as plain data.

    A network is built with the defaults first, then another one for each conditional scope that was
    not active yet. Hyperparameters that are used only in the training (in `HyperModel.fit`) are not
    included, and neither are those that SEARCHED_NAMES leaves out.

    Args:
        hypermodel: Its `build(hp)` is called.

    Raises:
        FunctionError: It raised an exception, or has an invalid hyperparameter.

    Source: `keras_tuner.Tuner` 1.4 does this when it is created. It chooses random values for
    hyperparameters that become active. Here they get their defaults, so that a function always has
    the same space.
    """
    import keras_tuner

    seen_so_far = keras_tuner.HyperParameters()
    hypermodel.declare_hyperparameters(seen_so_far)
    active: list[Any] = []
    waiting: list[Any] = []
    hyperparameters = seen_so_far.copy()
    while True:
        _build_once(hypermodel, hyperparameters)
        _add_new(seen_so_far, hyperparameters)
        active += hyperparameters.active_scopes
        waiting += [scope for scope in hyperparameters.inactive_scopes if scope not in waiting]
        # A scope that does not become active in its turn never will; KerasTuner would try forever.
        target = next((scope for scope in waiting if scope not in active), None)
        if target is None:
            return _searched_part(space_of(seen_so_far), hypermodel)
        active.append(target)
        hyperparameters = _towards(seen_so_far, target)


def _searched_part(space: Space, hypermodel: Any) -> Space:
    """Return the hyperparameters of a space that are searched."""
    names = getattr(hypermodel.build, SEARCHED_NAMES, None)
    if names is None:
        return space
    return Space(distributions=tuple(entry for entry in space.distributions if entry.name in names))


def _build_once(hypermodel: Any, hyperparameters: Any) -> None:
    import keras

    keras.utils.clear_session(free_memory=False)  # discards the graphs of earlier networks
    try:
        hypermodel.build(hyperparameters)
    except Exception as error:
        raise failed(
            "The model function raised an exception while its space was discovered.", error
        ) from None


def _add_new(known: Any, seen: Any) -> None:
    """Add the hyperparameters that are new: of an unknown name, or under other conditions."""

    def is_known(hyperparameter: Any) -> bool:
        return any(
            other.name == hyperparameter.name and other.conditions == hyperparameter.conditions
            for other in known.space
        )

    known.merge([hyperparameter for hyperparameter in seen.space if not is_known(hyperparameter)])


def _towards(known: Any, scope: list[Any]) -> Any:
    """Return values that activate a scope; everything else has its default."""
    hyperparameters = known.copy()
    for condition in scope:
        hyperparameters.values[condition.name] = condition.values[0]
    for hyperparameter in hyperparameters.space:
        name = hyperparameter.name
        if hyperparameters.is_active(hyperparameter):
            hyperparameters.values.setdefault(name, hyperparameter.default)
        elif not hyperparameters.is_active(name):  # nor any other one of this name
            hyperparameters.values.pop(name, None)
    return hyperparameters


def space_of(hyperparameters: Any) -> Space:
    """Return the hyperparameters of a `keras_tuner.HyperParameters` as a space.

    Raises:
        FunctionError: Different hyperparameters have the same name, or one is invalid.
    """
    distributions: dict[str, Choice | Range] = {}
    for hyperparameter in hyperparameters.space:
        distribution = _distribution(hyperparameter)
        name = distribution.name
        if name in distributions:
            distribution = _joined(distributions[name], distribution)
        distributions[name] = distribution
    return Space.make(distributions.values(), origin="the space of the model function")


def _distribution(hyperparameter: Any) -> Choice | Range:
    """Return a hyperparameter of KerasTuner as a distribution."""
    try:
        return _converted(hyperparameter)
    except pydantic.ValidationError as error:
        raise FunctionError(
            f"The hyperparameter {hyperparameter.name} of the model function is invalid.",
            received=error.errors()[0]["msg"],
        ) from None


def _converted(hyperparameter: Any) -> Choice | Range:
    conditions = tuple(
        Condition(parent=condition.name, values=tuple(map(_plain, condition.values)))
        for condition in hyperparameter.conditions
    )
    common: dict[str, Any] = {
        "name": hyperparameter.name,
        "conditions": conditions,
        "default": _plain(hyperparameter.default),
    }
    match type(hyperparameter).__name__:
        case "Choice":
            values = tuple(map(_plain, hyperparameter.values))
            return Choice(**common, values=values, ordered=bool(hyperparameter.ordered))
        case "Boolean":
            common["default"] = bool(hyperparameter.default)
            return Choice(**common, values=(True, False))
        case "Fixed":
            return Choice(**common, values=(_plain(hyperparameter.value),), is_constant=True)
        case "Int" | "Float" as kind:
            return Range(
                **common,
                low=hyperparameter.min_value,
                high=hyperparameter.max_value,
                step=hyperparameter.step,
                sampling=hyperparameter.sampling,
                whole=kind == "Int",
            )
    raise FunctionError(
        f"The hyperparameter {hyperparameter.name} has an unknown type.",
        received=type(hyperparameter).__name__,
    )


def _plain(value: Any) -> Value:
    """Return a value of a Python type; KerasTuner also accepts NumPy's floats."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    unconverted: Value = value
    return unconverted


def _joined(first: Choice | Range, second: Choice | Range) -> Choice | Range:
    """Return one hyperparameter for two of the same name, active if either of them is."""
    if first.model_copy(update={"conditions": ()}) == second.model_copy(update={"conditions": ()}):
        if not first.conditions or not second.conditions:
            return first.model_copy(update={"conditions": ()})
        pairs = list(zip(first.conditions, second.conditions, strict=False))
        differing = [index for index, (mine, theirs) in enumerate(pairs) if mine != theirs]
        same_parents = [mine.parent for mine in first.conditions] == [
            theirs.parent for theirs in second.conditions
        ]
        if same_parents and len(differing) == 1:
            mine, theirs = pairs[differing[0]]
            values = tuple(dict.fromkeys((*mine.values, *theirs.values)))
            conditions = list(first.conditions)
            conditions[differing[0]] = Condition(parent=mine.parent, values=values)
            return first.model_copy(update={"conditions": tuple(conditions)})
    raise FunctionError(
        f"The model function has two different hyperparameters named {first.name}.",
        expected="one name for each, or the same values under conditions of the same parent",
        fix=(
            'Put each into its own name scope: with hp.name_scope("..."): '
            f'hp.{_method(first)}("{first.name}", ...)'
        ),
    )


def _method(distribution: Choice | Range) -> str:
    """Return the method of `hp` that declares a hyperparameter."""
    if isinstance(distribution, Choice):
        return "Choice"
    return "Int" if distribution.whole else "Float"
