"""Gives functions of a study's options the signature and docstring that `TuneOptions` declares."""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from eyetune.errors import ArgumentTypeError, UsageError, nearest
from eyetune.tuning.declared_options import declared_options
from eyetune.tuning.options import TuneOptions

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def from_options(
    options: Callable[Parameters, TuneOptions],
) -> Callable[[Callable[[TuneOptions], Result]], Callable[Parameters, Result]]:
    """Give a function of options the signature and the arguments of the options themselves.

    Args:
        options: `TuneOptions`. Type checkers read the signature from it.
    """

    def decorate(function: Callable[[TuneOptions], Result]) -> Callable[Parameters, Result]:
        @functools.wraps(function)
        def called(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            _rename(kwargs)
            _check_names(function.__name__, kwargs)
            return function(options(*args, **kwargs))

        called.__doc__ = _documented(inspect.getdoc(function) or "")
        called.__signature__ = _signature(function)  # type: ignore[attr-defined]
        return called

    return decorate


def _rename(keywords: dict[str, Any]) -> None:
    """Replace names of earlier versions by those of today."""
    for option in declared_options():
        for former in option.declaration.former_names:
            value = keywords.pop(former, None)
            if value is None:
                continue
            if keywords.get(option.name) is not None:
                raise UsageError(
                    f"{option.name} is given twice.",
                    received=f"{option.name}={keywords[option.name]!r}, {former}={value!r}",
                    fix=f"{former} is an earlier name of {option.name}: leave it out.",
                )
            keywords[option.name] = value


def _check_names(function: str, keywords: Mapping[str, Any]) -> None:
    names = [option.name for option in declared_options()]
    for name in keywords:
        if name not in names:
            raise ArgumentTypeError(
                f"{function}() has no option {name}.", received=name, fix=nearest(name, names)
            )


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    types = {option.name: option.type for option in declared_options()}
    signature = inspect.signature(TuneOptions)
    parameters = [
        parameter.replace(annotation=types[name])
        for name, parameter in signature.parameters.items()
    ]
    result = inspect.signature(function).return_annotation
    return signature.replace(parameters=parameters, return_annotation=result)


def _documented(text: str) -> str:
    """Return a docstring with the options as its section Args, before Returns."""
    lines = ["Args:"]
    for option in declared_options():
        sentence = f"{option.name}: {option.declaration.summary}"
        if option.values:
            sentence += f" Values: {option.values}."
        if option.declaration.default:
            sentence += f" Default: {option.declaration.default}."
        lines += textwrap.wrap(sentence, 96, initial_indent="    ", subsequent_indent="        ")
    before, blank, after = text.partition("\n\nReturns:")
    return before + "\n\n" + "\n".join(lines) + blank + after
