"""Checkpoints: everything that a training needs to resume exactly, in one file written atomically.

Weights, the states of random layers, the optimizer's variables and the history go into one `.npz`
of plain arrays. Keras's own weight files lose the state of an optimizer that is not built when they
are read. An `.npz` opened with allow_pickle=False cannot run code.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, TypeAdapter

from eyetune._files import replaced_file
from eyetune.errors import CheckpointError, WorkspaceError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.npz_file import read_arrays
from eyetune.values.history import Epoch, History, as_rows
from eyetune.values.json_text import MAX_NUMBER, json_value
from eyetune.values.run_files import CHECKPOINT_FILE

if TYPE_CHECKING:
    import keras

FORMAT = 1


class _CallbackState(BaseModel):
    """The state of a user's callback."""

    kind: str
    values: dict[str, Any]
    functions: dict[str, Any]


class _State(BaseModel):
    """Other values that a training needs to resume."""

    ended: bool = False
    callbacks: list[_CallbackState] = []
    starts: list[int] = []
    own_loop: bool = False
    hyperparameters: str = ""


_HISTORY = TypeAdapter(tuple[Epoch, ...])


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as read from disk.

    Attributes:
        history: Every whole epoch up to it.
        identity: Recipe, data, seed and precision that it belongs to.
        model: The variables of the network that training changes, the states of random layers
            included, in Keras's order.
        optimizer: The optimizer's variables, in Keras's order.
        state: Other values that the training needs to resume.
        has_frozen: Whether `model` includes the variables of frozen layers.
    """

    history: History
    identity: Mapping[str, Any]
    model: tuple[np.ndarray[Any, Any], ...]
    optimizer: tuple[np.ndarray[Any, Any], ...]
    state: Mapping[str, Any] = field(default_factory=dict)
    has_frozen: bool = False


def save(
    path: Path,
    model: keras.Model,
    history: History,
    identity: Mapping[str, Any],
    *,
    state: Mapping[str, Any] | None = None,
    with_frozen: bool = False,
) -> None:
    """Write a checkpoint. A crash leaves the old file or the new one, never a part of one.

    Args:
        path: Path of the file.
        model: A compiled model. The variables that training changes are written, the states of
            random layers included.
        history: Every whole epoch.
        identity: Recipe, data, seed and precision that it belongs to.
        state: Other values that the training needs to resume: numbers, strings, None, arrays, and
            lists and dictionaries of these.
        with_frozen: Include the variables of frozen layers, if they are stored nowhere else.

    Raises:
        WorkspaceError: The disk is full or the folder cannot be written. The old checkpoint is
            kept.
    """
    about: dict[str, Any] = {
        "format": FORMAT,
        "identity": dict(identity),
        "history": as_rows(history),
    }
    variables = model.variables if with_frozen else _changing(model)
    arrays: dict[str, Any] = {
        f"model/{index}": np.asarray(variable) for index, variable in enumerate(variables)
    }
    arrays |= {
        f"optimizer/{index}": np.asarray(variable)
        for index, variable in enumerate(model.optimizer.variables)
    }
    if state is not None or with_frozen:
        kept: list[Any] = []
        about |= {"state": _without_arrays(state or {}, kept), "has_frozen": with_frozen}
        arrays |= {f"state/{index}": array for index, array in enumerate(kept)}
    _write(path, about, arrays)


def copy(path: Path, to: Path) -> None:
    """Copy a checkpoint, as a hard link if the file system supports it.

    Checkpoints are replaced and never written in place, so a change of one does not affect the
    other.

    Args:
        path: The checkpoint.
        to: Path of the copy.

    Raises:
        WorkspaceError: It cannot be copied. A file that existed before is kept.
    """
    try:
        with replaced_file(to) as partial:
            try:
                partial.hardlink_to(path)
            except OSError:
                shutil.copyfile(path, partial)
    except OSError as error:
        raise _unwritable(to, error) from None


def adopt(path: Path, to: Path, recipe: str) -> None:
    """Copy a checkpoint to a training of another recipe, whose first epochs are the same.

    Args:
        path: The checkpoint.
        to: Path of the copy.
        recipe: Fingerprint of the other recipe, which the copy belongs to.

    Raises:
        CheckpointError: The checkpoint is missing or damaged.
        WorkspaceError: The copy cannot be written.
    """
    load(path)
    arrays = read_arrays(path)
    about = json.loads(str(arrays.pop("about")))
    about["identity"]["recipe"] = recipe
    _write(to, about, arrays)


def _write(path: Path, about: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    try:
        with replaced_file(path, durable=True) as partial, partial.open("wb") as stream:
            np.savez(stream, about=np.array(json.dumps(about)), **arrays)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> WorkspaceError:
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return WorkspaceError(
        f"The checkpoint {path} cannot be written{': the disk is full' if is_full else ''}.",
        received=error.strerror or error,
        fix=(
            "Free some space, then run `eyetune train --resume RUN`: the training resumes from "
            "the last checkpoint."
        ),
    )


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: It is missing, damaged or has another format.
    """

    def damaged(reason: str) -> CheckpointError:
        return CheckpointError(
            f"The checkpoint {path} cannot be read.",
            expected=f"a checkpoint of eyetune, format {FORMAT}",
            received=reason,
            fix="Train again from the start, with the recipe.toml beside the checkpoint.",
        )

    with explaining_damage(damaged):
        stored = read_arrays(path)
        about = json_value(str(stored["about"]))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}")
        return Checkpoint(
            _HISTORY.validate_python(about["history"]),
            dict(about["identity"]),
            _numbered(stored, "model"),
            _numbered(stored, "optimizer"),
            _state(_with_arrays(about.get("state", {}), _numbered(stored, "state"))),
            bool(about.get("has_frozen")),
        )


def load_last(folder: Path, identity: Mapping[str, Any]) -> Checkpoint | None:
    """Return the last checkpoint in a training's folder; None if there is none.

    Args:
        folder: Folder of the training.
        identity: What the checkpoint must belong to.

    Raises:
        CheckpointError: It is damaged or belongs to another training.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    stored = load(path)
    different = [name for name, value in identity.items() if stored.identity.get(name) != value]
    if different:
        raise CheckpointError(
            f"The checkpoint {path} belongs to another training: {', '.join(different)} differ.",
            expected=dict(identity),
            received=dict(stored.identity),
        )
    return stored


def _state(value: Any) -> dict[str, Any]:
    """Check the parts of a state that trainings read.

    Raises:
        ValueError: One has another type.
    """
    _State.model_validate(value)
    return dict(value)


def _numbered(stored: Mapping[str, Any], kind: str) -> tuple[np.ndarray[Any, Any], ...]:
    count = sum(1 for name in stored if name.startswith(f"{kind}/"))
    return tuple(stored[f"{kind}/{index}"] for index in range(count))


def _without_arrays(value: Any, arrays: list[Any]) -> Any:
    """Return a value as JSON, with each array replaced by its index in the list it is added to.

    A number of more than 64 bits, as random generators have, is written as text.
    """
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, Mapping):
        return {"values": {name: _without_arrays(item, arrays) for name, item in value.items()}}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, arrays) for item in value]
    plain = value.item() if isinstance(value, np.generic) else value
    is_large = isinstance(plain, int) and abs(plain) >= MAX_NUMBER
    return {"integer": hex(plain)} if is_large else plain


def _with_arrays(value: Any, arrays: tuple[np.ndarray[Any, Any], ...]) -> Any:
    """Undo `_without_arrays`."""
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    if isinstance(value, dict) and "array" in value:
        return arrays[value["array"]]
    if isinstance(value, dict) and "integer" in value:
        return int(value["integer"], 16)
    if isinstance(value, dict):
        items = value.get("values", {}).items()
        return {name: _with_arrays(item, arrays) for name, item in items}
    return value


def restore(model: keras.Model, checkpoint: Checkpoint, *, with_optimizer: bool = True) -> None:
    """Set the variables of a model and of its optimizer to those of a checkpoint.

    Args:
        model: A built and compiled model of the same recipe.
        checkpoint: A checkpoint of the same training.
        with_optimizer: Restore the optimizer too, which is needed to train further.

    Raises:
        CheckpointError: The network or the optimizer has other variables.
    """
    variables = model.variables if checkpoint.has_frozen else _changing(model)
    _assign("network", variables, checkpoint.model)
    if with_optimizer:
        model.optimizer.build(model.trainable_variables)
        _assign("optimizer", model.optimizer.variables, checkpoint.optimizer)


def _changing(model: keras.Model) -> list[Any]:
    """Return the variables that training can change: all but those of frozen layers."""
    frozen = {
        id(variable)
        for layer in _leaves(model)
        if not layer.trainable
        for variable in layer.variables
    }
    return [variable for variable in model.variables if id(variable) not in frozen]


def _leaves(model: keras.Model) -> Iterator[Any]:
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _assign(part: str, variables: list[Any], values: tuple[np.ndarray[Any, Any], ...]) -> None:
    expected = [tuple(variable.shape) for variable in variables]
    received = [value.shape for value in values]
    if expected != received:
        raise CheckpointError(
            f"The checkpoint belongs to another {part}.",
            expected=f"shapes {expected}",
            received=f"shapes {received}",
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
