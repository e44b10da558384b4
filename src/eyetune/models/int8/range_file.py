"""The ranges that a training has learned, in a file beside its network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from eyetune._files import write_text
from eyetune.errors import TrainingError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.limits import JSON_BYTES
from eyetune.inputs.regular_file import read_text
from eyetune.models.int8.folding import FoldedNetwork, fold
from eyetune.models.int8.ranges import Range, Ranges, range_owners

if TYPE_CHECKING:
    import keras

_FORMAT = 1


def write_ranges(path: Path, model: keras.Model, ranges: Ranges | None) -> None:
    """Write ranges; without ranges, delete the file of an earlier training.

    Args:
        path: Path of the file.
        model: The network that they belong to.
        ranges: The range of each tensor, by its node in the folded network.
    """
    if ranges is None:
        path.unlink(missing_ok=True)
        return
    names = _names(fold(model))
    rows = [
        {"layer": names[index], "minimum": bounds.minimum, "maximum": bounds.maximum}
        for index, bounds in sorted(ranges.items())
    ]
    write_text(path, json.dumps({"format": _FORMAT, "ranges": rows}, indent=2))


def read_ranges(path: Path, model: keras.Model) -> dict[int, Range] | None:
    """Return the ranges of a network; None if its training has learned none.

    Args:
        path: Path of the file.
        model: The network, as it was written with the ranges.

    Raises:
        TrainingError: The file is damaged, or belongs to another network.
    """
    try:
        text = read_text(path, JSON_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise TrainingError(f"The ranges {path} cannot be read.", received=error) from None
    names = _names(fold(model))

    def damaged(reason: str) -> TrainingError:
        return TrainingError(
            f"The ranges {path} cannot be used.",
            expected=f"the ranges of {len(names)} tensors, as written with the network",
            received=reason,
            fix=f"Train its recipe again: eyetune train {path.parent.name}",
        )

    with explaining_damage(damaged):
        values = json.loads(text)
        rows = {row["layer"]: row for row in values["ranges"]}
        if values["format"] != _FORMAT or rows.keys() != set(names.values()):
            raise ValueError(f"ranges of {', '.join(rows)}"[:200])
        ranges = {
            index: Range(float(rows[name]["minimum"]), float(rows[name]["maximum"]))
            for index, name in names.items()
        }
        if not all(bounds.minimum <= 0 <= bounds.maximum for bounds in ranges.values()):
            raise ValueError("a range without 0")
        if not all(bounds.minimum < bounds.maximum for bounds in ranges.values()):
            raise ValueError("an empty range")
    return ranges


def _names(network: FoldedNetwork) -> dict[int, str]:
    """Return the name of each node that has a range."""
    owners = {owner for owner in range_owners(network) if owner is not None}
    return {index: network.nodes[index].name for index in sorted(owners)}
