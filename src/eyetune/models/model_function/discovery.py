"""The space of a model function, as KerasTuner's own tuners find it: by building until every scope
was active once.
"""

from __future__ import annotations

from typing import Any

import pydantic

from eyetune.errors import FunctionError
from eyetune.models.model_function.source import load
from eyetune.models.model_function.tracebacks import failed
from eyetune.space.space import Choice, Condition, Range, Space, Value


def discover(word: str) -> Space:
    """Return the space of a model function: plain data, with nothing of Keras in it.

    Networks are built with the defaults first, then once more for each conditional scope that was
    not active yet. A hyperparameter that is met only while training (in `HyperModel.fit`) is not in
    it.

    Args:
        word: Of `model.function` in a recipe.

    Raises:
        FunctionError: The function cannot be loaded, raised an exception, or has a hyperparameter
            that makes no sense.

    Source: the behaviour of `keras_tuner.Tuner` 1.4 when it is made, which fills in what becomes
        active at random;
    here it takes its default, so that the same function always has the same space.
    """
    import keras_tuner

    known = keras_tuner.HyperParameters()
    load(word).hypermodel.declare_hyperparameters(known)
    active: list[Any] = []
    waiting: list[Any] = []
    hyperparameters = known.copy()
    while True:
        _build_once(word, hyperparameters)
        _add_new(known, hyperparameters)
        active += hyperparameters.active_scopes
        waiting += [one for one in hyperparameters.inactive_scopes if one not in waiting]
        # A scope that did not become active when it was its turn never will: KerasTuner would try
        # for ever.
        target = next((one for one in waiting if one not in active), None)
        if target is None:
            return space_of(known)
        active.append(target)
        hyperparameters = _towards(known, target)


def _build_once(word: str, hyperparameters: Any) -> None:
    import keras

    keras.utils.clear_session(
        free_memory=False
    )  # the graphs of networks that are not needed any more
    try:
        load(word).hypermodel.build(hyperparameters)
    except Exception as error:
        raise failed(
            "The model function raised an exception while its space was looked for.", error
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
    """Return values with which all conditions of a scope hold, everything else at its default."""
    hyperparameters = known.copy()
    for condition in scope:
        hyperparameters.values[condition.name] = condition.values[0]
    for one in hyperparameters.space:
        if hyperparameters.is_active(one):
            hyperparameters.values.setdefault(one.name, one.default)
        elif not hyperparameters.is_active(one.name):
            hyperparameters.values.pop(one.name, None)
    return hyperparameters


def space_of(hyperparameters: Any) -> Space:
    """Return what a `keras_tuner.HyperParameters` knows as a space.

    Raises:
        FunctionError: A name stands for different hyperparameters, or one makes no sense.
    """
    found: dict[str, Choice | Range] = {}
    for one in map(_distribution, hyperparameters.space):
        found[one.name] = _joined(found[one.name], one) if one.name in found else one
    return Space.make(found.values(), origin="the space of the model function")


def _distribution(one: Any) -> Choice | Range:
    """Turn a hyperparameter of KerasTuner's into a distribution."""
    try:
        return _unchecked(one)
    except pydantic.ValidationError as error:
        raise FunctionError(
            f"The hyperparameter {one.name} of the model function makes no sense.",
            received=error.errors()[0]["msg"],
        ) from None


def _unchecked(one: Any) -> Choice | Range:
    conditions = tuple(
        Condition(parent=condition.name, values=tuple(map(_plain, condition.values)))
        for condition in one.conditions
    )
    common: dict[str, Any] = {
        "name": one.name,
        "conditions": conditions,
        "default": _plain(one.default),
    }
    match type(one).__name__:
        case "Choice":
            return Choice(
                **common, values=tuple(map(_plain, one.values)), ordered=bool(one.ordered)
            )
        case "Boolean":
            return Choice(**{**common, "default": bool(one.default)}, values=(True, False))
        case "Fixed":
            return Choice(**common, values=(_plain(one.value),))
        case "Int" | "Float" as kind:
            return Range(
                **common,
                low=one.min_value,
                high=one.max_value,
                step=one.step,
                sampling=one.sampling,
                whole=kind == "Int",
            )
    raise FunctionError(
        f"The hyperparameter {one.name} is of an unknown kind.", received=type(one).__name__
    )


def _plain(value: Any) -> Value:
    """Return a value of Python's own type: KerasTuner lets NumPy's floats through."""
    return next((kind(value) for kind in (bool, int, float, str) if isinstance(value, kind)), value)


def _joined(one: Choice | Range, other: Choice | Range) -> Choice | Range:
    """Return what two hyperparameters of one name come to: it counts while either does."""
    if one.model_copy(update={"conditions": ()}) == other.model_copy(update={"conditions": ()}):
        if not one.conditions or not other.conditions:
            return one.model_copy(update={"conditions": ()})
        pairs = list(zip(one.conditions, other.conditions, strict=False))
        differing = [index for index, (mine, theirs) in enumerate(pairs) if mine != theirs]
        same_parents = [mine.parent for mine in one.conditions] == [
            theirs.parent for theirs in other.conditions
        ]
        if same_parents and len(differing) == 1:
            mine, theirs = pairs[differing[0]]
            values = tuple(dict.fromkeys((*mine.values, *theirs.values)))
            conditions = list(one.conditions)
            conditions[differing[0]] = Condition(parent=mine.parent, values=values)
            return one.model_copy(update={"conditions": tuple(conditions)})
    raise FunctionError(
        f"The model function has two different hyperparameters named {one.name}.",
        expected="one name for each, or the same values under conditions of the same parent",
        fix=f'Put each into a name scope of its own: with hp.name_scope("..."): hp.{_method(one)}("{one.name}", ...)',
    )


def _method(one: Choice | Range) -> str:
    return "Choice" if isinstance(one, Choice) else "Int" if one.whole else "Float"
