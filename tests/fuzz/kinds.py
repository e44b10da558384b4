"""All kinds of inputs."""

from __future__ import annotations

from tests.fuzz import data_kinds, network_kinds, record_kinds, text_kinds
from tests.fuzz.kind import Kind

KINDS: tuple[Kind, ...] = (
    *data_kinds.KINDS,
    *text_kinds.KINDS,
    *record_kinds.KINDS,
    *network_kinds.KINDS,
)


def kind_named(name: str) -> Kind:
    """Return a kind by its name."""
    return next(kind for kind in KINDS if kind.name == name)
