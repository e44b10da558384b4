"""`keras_tuner.engine`: what its tuners are made of."""

import importlib
import typing

if typing.TYPE_CHECKING:
    from eyetune.compat.keras_tuner.engine import (
        base_tuner,
        hypermodel,
        hyperparameters,
        metrics_tracking,
        oracle,
        trial,
        tuner,
    )

__all__ = [
    "base_tuner",
    "hypermodel",
    "hyperparameters",
    "metrics_tracking",
    "oracle",
    "trial",
    "tuner",
]


def __getattr__(name: str) -> object:
    """Import a module when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return [*__all__]
