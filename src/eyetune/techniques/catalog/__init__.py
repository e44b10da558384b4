"""The techniques that come with eyetune: what a course on tuning teaches, and current practice."""

from __future__ import annotations

import importlib

__all__ = ["register_all"]

_MODULES = (
    "optimization", "architecture", "augmentation", "regularization", "transfer", "imbalance",
)  # fmt: skip


def register_all() -> None:
    """Register every technique of the catalog, in the order in which they are best taught."""
    for name in _MODULES:
        importlib.import_module(f"{__name__}.{name}")
