"""Versions of the libraries that a result depends on."""

from __future__ import annotations

from functools import cache
from importlib import metadata


def library_versions(*names: str) -> dict[str, str]:
    """Return the versions of those libraries that are installed, by name.

    Args:
        *names: Names of distributions on PyPI.

    Example:
        >>> list(library_versions("numpy", "a-library-that-does-not-exist"))
        ['numpy']
    """
    versions = {name: _version(name) for name in names}
    return {name: version for name, version in versions.items() if version is not None}


@cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
