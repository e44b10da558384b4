"""Data in memory, written into the workspace for worker processes and for resumes.

A folder holds the bytes of each array and a file that describes them. They are read as memory maps,
so that processes share them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eyetune._files import temporary_folder
from eyetune.data.array_dataset import ArrayDataset
from eyetune.data.batches import Batch, BatchedSource, batched_source, run_lengths
from eyetune.errors import DataError, UsageError, WorkspaceError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.limits import JSON_BYTES
from eyetune.inputs.regular_file import read_text
from eyetune.values.samples import Array, Form, Order, Samples, Tree, leaves

ABOUT_FILE = "samples.json"
FORMAT = 1
MANY_BYTES = 2**27  # to hash and to write them takes about a second
_PARTS = ("x", "y", "sample_weight")
_KINDS = "biufcSU"  # NumPy's letters for the types of arrays that are kept
_BLOCK = 2**24  # bytes that are hashed at once

OnNote = Callable[[str], None]
OnBatch = Callable[[int, int | None], None]  # number of batches so far, and of all if it is known


class GivenData(NamedTuple):
    """What a user gave to train or to validate on.

    Attributes:
        x: Arrays, or a source of batches that contain everything.
        y: Targets.
        sample_weight: Weights of the samples.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None


def keep_samples(
    parent: Path,
    train: GivenData,
    validation: GivenData | None = None,
    *,
    validation_split: float = 0.0,
    steps: int | None = None,
    validation_steps: int | None = None,
    on_note: OnNote = lambda _: None,
    on_batch: OnBatch = lambda _done, _total: None,
) -> Path:
    """Write data into a folder that is named by its content, unless it is there already.

    Args:
        parent: The folder that holds the folders of data.
        train: Data to train on.
        validation: Data to validate on. Default: none.
        validation_split: Share of the last samples that are used for validation instead, as in
            Keras, 0 or more and below 1.
        steps: Number of batches to read of a source of batches. Default: all.
        validation_steps: Number of batches to read of the validation data. Default: all.
        on_note: Called with a line of text before a step that may take more than a second.
        on_batch: Called after each batch that was read.

    Returns:
        The folder.

    Raises:
        DataError: The data is not arrays with a sample in each row, or a source of batches of them.
        UsageError: The split leaves no samples.
        WorkspaceError: The files cannot be written.
    """
    try:
        with temporary_folder(parent) as partial:
            writer = _Writer(partial, on_note, on_batch)
            about: dict[str, Any] = {"format": FORMAT, "train": writer.part(train, "", steps)}
            about["validation"] = None
            if validation is not None:
                about["validation"] = writer.part(validation, "validation ", validation_steps)
            about["num_train"] = _num_train(about, validation_split)
            is_split = about["num_train"] < about["train"]["num_samples"]
            about["validation_split"] = validation_split if is_split else 0.0
            digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
            target = parent / digest
            if not (target / ABOUT_FILE).exists():
                writer.write()
                about |= {"notes": writer.notes, "fingerprint": digest}
                (partial / ABOUT_FILE).write_text(json.dumps(about), encoding="utf-8")
                if not target.exists():
                    partial.rename(target)
            return target
    except OSError as error:
        raise WorkspaceError(
            f"The data cannot be written to {parent}.",
            received=error.strerror or error,
            fix="Free some space, then try again.",
        ) from None


def is_kept(folder: Path) -> bool:
    """Return whether a folder holds data that `keep_samples` has written."""
    return (folder / ABOUT_FILE).is_file()


def open_samples(folder: Path) -> ArrayDataset:
    """Return the data in a folder, as memory maps. What is written to them is not kept.

    Raises:
        DataError: The folder is damaged.
    """

    def damaged(reason: str) -> DataError:
        return DataError(
            f"The data in {folder} cannot be read.",
            expected="a folder that eyetune has written",
            received=reason,
            fix="Delete the folder and pass the data again.",
        )

    with explaining_damage(damaged):
        about = json.loads(read_text(folder / ABOUT_FILE, JSON_BYTES))
        given = _samples(folder, about["train"])
        validation = about["validation"] and _samples(folder, about["validation"])
        return ArrayDataset(
            source=str(folder),
            fingerprint=str(about["fingerprint"]),
            given=given,
            num_train=int(about["num_train"]),
            validation_split=float(about["validation_split"]),
            separate_validation=validation,
            notes=tuple(map(str, about["notes"])),
        )


@dataclass
class _Writer:
    """Describes arrays, and writes them into a folder: batches at once, arrays in memory later."""

    folder: Path
    on_note: OnNote
    on_batch: OnBatch
    notes: list[str] = field(default_factory=list)
    _in_memory: dict[str, Array] = field(default_factory=dict)
    _num_files: int = 0

    def part(self, given: GivenData, prefix: str, steps: int | None) -> dict[str, Any]:
        """Return the description of data."""
        source = batched_source(given.x, f"{prefix}x", steps)
        if source is None:
            return self._arrays(given, prefix)
        if given.y is not None or given.sample_weight is not None:
            name = "y" if given.y is not None else "sample_weight"
            raise DataError(
                f"{prefix}x is a {source.form}, whose batches contain the targets.",
                received=f"{prefix}{name}",
                fix=f"Leave {prefix}{name} out: batches are (x, y) or (x, y, sample_weight).",
            )
        self.notes += source.notes
        return self._batches(source, prefix)

    def write(self) -> None:
        """Write the arrays that are in memory."""
        num_bytes = sum(values.nbytes for values in self._in_memory.values())
        if num_bytes >= MANY_BYTES:
            self.on_note(f"Writing {num_bytes / 1e6:,.0f} MB of data for the workers (only once)")
        for name, values in self._in_memory.items():
            with (self.folder / name).open("wb") as stream:
                for block in _blocks(values):
                    stream.write(block)

    def _file(self) -> str:
        self._num_files += 1
        return f"{self._num_files - 1}.bin"

    def _arrays(self, given: GivenData, prefix: str) -> dict[str, Any]:
        trees = {
            name: _checked(tree, f"{prefix}{name}")
            for name, tree in zip(_PARTS, given, strict=True)
        }
        num_samples = _check_rows(trees, prefix)
        all_arrays = [values for tree in trees.values() for values in leaves(tree)]
        if sum(values.nbytes for values in all_arrays) >= MANY_BYTES:
            self.on_note(f"Reading the {prefix}data ...")
        described = {
            name: _described(tree, iter([self._leaf(values) for values in leaves(tree)]))
            for name, tree in trees.items()
        }
        return _part(num_samples, Form.ARRAYS, Order.SHUFFLED, (), described)

    def _leaf(self, values: Array) -> dict[str, Any]:
        name = self._file()
        self._in_memory[name] = values
        digest = hashlib.sha256()
        for block in _blocks(values):
            digest.update(block)
        return _leaf(name, values.dtype, values.shape, digest.hexdigest())

    def _batches(self, source: BatchedSource, prefix: str) -> dict[str, Any]:
        """Write batches one after the other; only one is held in memory."""
        sizes: list[int] = []
        first: dict[str, Tree] = {}
        with ExitStack() as stack:
            columns: list[_Column] = []
            for batch in source.read():
                parts = _checked_batch(batch, prefix)
                arrays = list(leaves(tuple(parts.values())))
                if not sizes:
                    first = parts
                    columns = [_Column(self.folder, self._file(), stack) for _ in arrays]
                if len(arrays) != len(columns):
                    raise DataError(f"The batches of {prefix}x have different structures.")
                for column, values in zip(columns, arrays, strict=True):
                    column.append(values, prefix)
                sizes.append(len(arrays[0]))
                self.on_batch(len(sizes), source.num_batches)
        if not sizes:
            raise DataError(f"{prefix}x has no batches.", expected="at least one batch")
        files = iter([column.leaf() for column in columns])
        described = {name: _described(first.get(name), files) for name in _PARTS}
        return _part(sum(sizes), source.form, source.order, tuple(sizes), described)


def _checked_batch(batch: Batch, prefix: str) -> dict[str, Tree]:
    """Return inputs, targets and weights of a batch by their names."""
    if len(batch) > len(_PARTS):
        raise DataError(
            f"A batch of {prefix}x has {len(batch)} parts.",
            expected="x, (x, y) or (x, y, sample_weight)",
        )
    parts = {
        name: _checked(tree, f"{name} in a batch of {prefix}x")
        for name, tree in zip(_PARTS, batch, strict=False)
    }
    _check_rows(parts, f"a batch of {prefix}")
    return parts


class _Column:
    """An array that is written batch by batch."""

    def __init__(self, folder: Path, name: str, stack: ExitStack) -> None:
        self._name = name
        self._digest = hashlib.sha256()
        self._num_rows = 0
        self._first: Array | None = None
        self._stream = stack.enter_context((folder / name).open("wb"))

    def append(self, values: Array, prefix: str) -> None:
        """Write the rows of a batch."""
        first = values if self._first is None else self._first
        if first.dtype.kind in "SU" and values.dtype.itemsize <= first.dtype.itemsize:
            values = values.astype(first.dtype)  # texts of another length
        if values.shape[1:] != first.shape[1:] or values.dtype != first.dtype:
            raise DataError(
                f"The batches of {prefix}x have different shapes or types.",
                expected=f"{first.dtype} of shape {first.shape[1:]} for each sample",
                received=f"{values.dtype} of shape {values.shape[1:]}",
                fix="Pad the samples to one shape, and use one type.",
            )
        self._first = first[:0]
        self._num_rows += len(values)
        for block in _blocks(values):
            self._digest.update(block)
            self._stream.write(block)

    def leaf(self) -> dict[str, Any]:
        """Return the description of the whole array."""
        assert self._first is not None
        shape = (self._num_rows, *self._first.shape[1:])
        return _leaf(self._name, self._first.dtype, shape, self._digest.hexdigest())


def _checked(tree: Tree, name: str) -> Tree:
    """Return a structure with NumPy arrays for everything that is like an array."""
    if tree is None:
        return None
    if isinstance(tree, Mapping):
        return {str(key): _checked(item, f"{name}[{key!r}]") for key, item in tree.items()}
    if isinstance(tree, list | tuple):
        kind = list if isinstance(tree, list) else tuple
        return kind(_checked(item, f"{name}[{index}]") for index, item in enumerate(tree))
    if not hasattr(tree, "__array__") or (
        not hasattr(tree, "dtype") and not hasattr(tree, "dtypes")
    ):
        raise DataError(
            f"{name} is not an array.",
            expected="NumPy arrays or tensors, or tuples, lists and dictionaries of these; a "
            "tf.data.Dataset, a keras.utils.PyDataset or another source of batches",
            received=f"{type(tree).__name__}: {tree!r:.60}",
            fix="Pass numpy.array(...) of it; a sparse matrix as an array with .toarray().",
        )
    values = np.asarray(tree)
    if values.dtype == object and all(isinstance(item, str) for item in values.flat):
        values = values.astype(np.str_)
    if values.dtype.kind not in _KINDS or values.dtype.names is not None:
        raise DataError(
            f"{name} has a type that cannot be trained on.",
            expected="numbers, truth values or texts",
            received=f"{values.dtype} array of shape {values.shape}",
            fix="Convert it, for example with .astype('float32').",
        )
    if values.ndim == 0:
        raise DataError(
            f"{name} is a single number.", expected="an array with a sample in each row"
        )
    return values


def _check_rows(trees: Mapping[str, Tree], prefix: str) -> int:
    """Return the number of samples, which all arrays must have.

    Raises:
        DataError: They have different numbers, or none.
    """
    counts = {
        name: sorted({len(values) for values in leaves(tree)}) for name, tree in trees.items()
    }
    numbers = {count for found in counts.values() for count in found}
    if len(numbers) != 1 or not counts["x"]:
        listed = (
            f"{name}: {' and '.join(map(str, found))}" for name, found in counts.items() if found
        )
        raise DataError(
            f"The arrays of {prefix or 'the '}data have different numbers of samples.",
            expected="as many rows in all arrays",
            received=", ".join(listed) or "no arrays",
        )
    (number,) = numbers
    if number == 0:
        raise DataError(
            f"The arrays of {prefix or 'the '}data are empty.", expected="at least one sample"
        )
    return int(number)


def _num_train(about: Mapping[str, Any], validation_split: float) -> int:
    """Return the number of samples to train on, as Keras splits them.

    Raises:
        UsageError: The split is out of range or leaves no samples, or the data comes in batches.
    """
    count = int(about["train"]["num_samples"])
    if about["validation"] is not None or not validation_split:
        return count
    if about["train"]["batch_sizes"]:
        raise UsageError(
            "validation_split is for arrays.",
            received=f"validation_split={validation_split} and a {about['train']['form']}",
            fix="Pass validation_data.",
        )
    num_train = math.floor(count * (1 - validation_split)) if 0 < validation_split < 1 else 0
    if not 0 < num_train < count:
        raise UsageError(
            "validation_split leaves no samples to train or to validate on.",
            expected=f"a share above 0 and below 1 of {count} samples",
            received=f"validation_split={validation_split}",
        )
    return num_train


def _part(
    num_samples: int,
    form: Form,
    order: Order,
    batch_sizes: tuple[int, ...],
    described: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "num_samples": num_samples,
        "form": str(form),
        "order": str(order),
        "batch_sizes": run_lengths(batch_sizes),
        **described,
    }


def _leaf(name: str, dtype: np.dtype[Any], shape: tuple[int, ...], digest: str) -> dict[str, Any]:
    return {"file": name, "dtype": dtype.str, "shape": list(shape), "sha256": digest}


def _described(tree: Tree, arrays: Iterator[dict[str, Any]]) -> Any:
    """Return a structure as JSON, with its arrays replaced by their descriptions, in order."""
    if tree is None:
        return None
    if isinstance(tree, Mapping):
        return {"dict": [[name, _described(item, arrays)] for name, item in tree.items()]}
    if isinstance(tree, list | tuple):
        kind = "list" if isinstance(tree, list) else "tuple"
        return {kind: [_described(item, arrays) for item in tree]}
    return next(arrays)


def _restored(value: Any, folder: Path) -> Tree:
    """Undo `_described`."""
    if value is None:
        return None
    if "dict" in value:
        return {str(name): _restored(item, folder) for name, item in value["dict"]}
    for kind in (list, tuple):
        if kind.__name__ in value:
            return kind(_restored(item, folder) for item in value[kind.__name__])
    return _mapped(folder / Path(value["file"]).name, np.dtype(value["dtype"]), value["shape"])


def _mapped(path: Path, dtype: np.dtype[Any], shape: Iterable[int]) -> Array:
    """Return the array in a file as a memory map, whose changes are private to this process."""
    sizes = tuple(map(int, shape))
    num_bytes = math.prod(sizes) * dtype.itemsize
    if path.stat().st_size != num_bytes:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes, not {num_bytes:,}")
    if num_bytes == 0:
        return np.empty(sizes, dtype)
    # An ndarray, since some code asks for this very class.
    return np.asarray(np.memmap(path, dtype, mode="c", shape=sizes))


def _samples(folder: Path, about: Mapping[str, Any]) -> Samples:
    x, y, weight = (_restored(about[name], folder) for name in _PARTS)
    counts = about["batch_sizes"]
    num_rows = sum(len(values) for values in leaves(x))
    if any(count < 0 for _, count in counts) or sum(count for _, count in counts) > num_rows:
        raise ValueError("more batches than samples")
    sizes = tuple(size for size, count in counts for _ in range(count))
    return Samples(x, y, weight, sizes, Form(about["form"]), Order(about["order"]))


def _blocks(values: Array) -> Iterable[memoryview]:
    """Yield the bytes of an array in blocks; only one that is not contiguous is copied."""
    rows = max(1, _BLOCK // max(1, values[:1].nbytes))
    for start in range(0, len(values), rows):
        block = np.ascontiguousarray(values[start : start + rows])
        yield block.reshape(-1).view(np.uint8).data
