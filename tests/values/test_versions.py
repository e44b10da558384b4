"""Versions of libraries."""

from __future__ import annotations

from importlib import metadata

from eyetune.values.versions import library_versions


def test_library_versions_leaves_out_missing_libraries() -> None:
    versions = library_versions("numpy", "a-library-that-does-not-exist", "keras")
    assert versions == {"numpy": metadata.version("numpy"), "keras": metadata.version("keras")}
