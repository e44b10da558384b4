"""Earlier names of attributes and arguments, so that scripts for earlier versions keep working."""

from __future__ import annotations

import functools
from collections.abc import Callable
from operator import attrgetter
from typing import ParamSpec, TypeVar

from eyetune.errors import ArgumentTypeError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def renamed_to(name: str) -> property:
    """Return a read-only attribute with the value of the attribute that it was renamed to.

    Args:
        name: The current name.

    Example:
        >>> class Size:
        ...     width = 3
        ...     breadth = renamed_to("width")
        >>> Size().breadth
        3
    """
    return property(attrgetter(name), doc=f"The same as `{name}`, under its earlier name.")


def accept_earlier_names(
    **current: str,
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Let a function accept arguments under their earlier names; its signature stays as it is.

    Args:
        current: The current name of each argument, by its earlier name.

    Example:
        >>> @accept_earlier_names(breadth="width")
        ... def area(*, width: int, height: int) -> int:
        ...     return width * height
        >>> area(breadth=2, height=3)  # type: ignore[call-arg]
        6
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(function)
        def called(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            for earlier, name in current.items():
                if earlier not in kwargs:
                    continue
                if name in kwargs:
                    raise ArgumentTypeError(
                        f"{name} is given twice.",
                        received=f"{name} and {earlier}, its earlier name",
                        fix=f"Leave {earlier} out.",
                    )
                kwargs[name] = kwargs.pop(earlier)
            return function(*args, **kwargs)

        return called

    return decorate
