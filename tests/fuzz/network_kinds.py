"""Networks and weights: .keras, .tflite, .h5 and .npz files, and checkpoints of trainings."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from eyetune.device.estimate.keras_file import check_keras_file, load_keras_file
from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.device.export.int8_ports import read_as_firmware
from eyetune.models import initial_weights, weights
from eyetune.recipe import ModelSection, Recipe
from eyetune.training import checkpoint
from tests.device.export.ports import with_ports
from tests.fuzz.data_kinds import changed_npz, npz_bytes
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import mutated, mutated_json

BACKBONE = "mobilenet_v2"
EDITS = {
    "model.blocks": [4, {"filters": 8, "convolutions": 2, "residual": True}],
    "model.batch_norm": True,
    "model.global_pooling": True,
    "model.dense": [],
}


@cache
def _network() -> Any:
    from eyetune.models.build import build

    return build(Recipe().with_(EDITS).model, (16, 16, 3), 3)


def _keras_files(folder: Path) -> list[dict[str, bytes]]:
    """Return the members of .keras files by their names."""
    import keras

    dense = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    dense.compile("adam", "mse")
    files = []
    for number, network in enumerate((_network(), dense)):
        path = folder / f"{number}.keras"
        network.save(path)
        with zipfile.ZipFile(path) as archive:
            files.append({name: archive.read(name) for name in archive.namelist()})
    return files


def _zipped(random: Random, members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _write_keras(random: Random, corpus: Sequence[dict[str, bytes]], target: Path) -> Path:
    members = dict(random.choice(corpus))
    kind = random.random()
    if kind < 0.4:
        members["config.json"] = mutated_json(random, json.loads(members["config.json"]))
    elif kind < 0.7:
        members["model.weights.h5"] = _changed_hdf5(random, members["model.weights.h5"])
    elif kind < 0.8:
        del members[random.choice(list(members))]
    content = _zipped(random, members)
    if kind >= 0.8:
        content = mutated(random, content)
    path = target / "a.keras"
    path.write_bytes(content)
    return path


def _changed_hdf5(random: Random, content: bytes) -> bytes:
    """Return an HDF5 file with changed bytes, or with objects that a network has not."""
    import h5py

    if random.random() < 0.6:
        return mutated(random, content)
    stream = io.BytesIO(content)
    # A name may be taken, and a group may be a data set.
    with h5py.File(stream, "r+") as file, suppress(ValueError, TypeError, OSError, RuntimeError):
        groups: list[str] = [""]
        file.visit(groups.append)
        name = random.choice(groups)
        kind = random.randrange(8)
        parent = file[name] if name and isinstance(file[name], h5py.Group) else file
        free = f"x{random.randrange(3)}"
        if kind == 0 and name:
            del file[name]
        elif kind == 1:
            parent[free] = h5py.SoftLink(random.choice(groups) or "/")
        elif kind == 2:
            parent[free] = h5py.ExternalLink("/etc/hostname", "/")
        elif kind == 3:
            parent.create_dataset(free, (1,), "f4", external=[("/etc/hostname", 0, 4)])
        elif kind == 4:
            shape = random.choice(((2**40,), (2**31, 2), (0,), ()))
            parent.create_dataset(free, shape, "f4", chunks=True if shape else None)
        elif kind == 5:
            parent[free] = file  # a group in itself
        elif kind == 6:
            parent.attrs["name"] = random.choice(("", "x" * 60_000, 3, [1.5]))
        else:
            parent.create_dataset("0", data=random.choice(("text", [1, 2], [[1.5]])))
    return stream.getvalue()


def _read_keras(path: Path) -> object:
    check_keras_file(path)
    return load_keras_file(path)


def _read_initial_weights(path: Path) -> object:
    return initial_weights.load(str(path), _network())


def _initial_weights(folder: Path) -> list[bytes]:
    initial_weights.save(_network(), folder / "a.npz")
    return [(folder / "a.npz").read_bytes()]


def _write_npz(random: Random, corpus: Sequence[bytes], target: Path) -> Path:
    path = target / "a.npz"
    path.write_bytes(changed_npz(random, random.choice(corpus)))
    return path


def _weights(folder: Path) -> list[bytes]:
    """Return small HDF5 files in both layouts of Keras's weights."""
    import h5py

    _network().save_weights(folder / "a.weights.h5")
    with h5py.File(folder / "old.h5", "w") as file:
        file.attrs["layer_names"] = [b"Conv1", b"bn_Conv1"]
        for layer in ("Conv1", "bn_Conv1"):
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/kernel:0".encode()]
            group[f"{layer}/kernel:0"] = np.zeros((3, 3, 3, 4), np.float32)
    return [(folder / name).read_bytes() for name in ("a.weights.h5", "old.h5")]


def _write_weights(random: Random, corpus: Sequence[bytes], target: Path) -> Path:
    path = target / "a.weights.h5"
    path.write_bytes(_changed_hdf5(random, random.choice(corpus)))
    return path


def _read_weights(path: Path) -> object:
    return weights.load(ModelSection.model_validate({"base": BACKBONE, "weights": str(path)}))


def _tflite(_: Path) -> list[bytes]:
    import tensorflow as tf

    from eyetune.device.export.quantize import quantize

    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
    files = [quantize(_network(), images, with_names=names) for names in (False, True)]
    return [*files, *(with_ports(_network(), images, port) for port in (tf.float32, tf.uint8))]


def _write_tflite(random: Random, corpus: Sequence[bytes], target: Path) -> Path:
    path = target / "a.tflite"
    path.write_bytes(mutated(random, random.choice(corpus), corpus))
    return path


def _read_tflite(path: Path) -> object:
    footprint_of(read(path))
    return footprint_of(read_as_firmware(path)[0])


def _checkpoints(_: Path) -> list[bytes]:
    epoch = {
        "epoch": 1,
        "loss": 1.5,
        "accuracy": 0.5,
        "val_loss": 1.6,
        "val_accuracy": 0.4,
        "learning_rate": 0.1,
        "duration_seconds": 1.0,
        "images_per_second": 100.0,
    }
    about = {
        "format": 1,
        "identity": {"recipe": "abc", "data": "def", "seed": 0},
        "history": [epoch, {**epoch, "epoch": 2}],
        "state": {"values": {"plateau": {"array": 0}, "rates": [0.1, None]}},
        "has_frozen": False,
    }
    arrays = {
        "model/0": np.ones((2, 3), np.float32),
        "optimizer/0": np.array(3),
        "state/0": np.arange(4),
    }
    return [npz_bytes({"about": np.array(json.dumps(about)), **arrays})]


def _write_checkpoint(random: Random, corpus: Sequence[bytes], target: Path) -> Path:
    path = target / "checkpoint.npz"
    content = random.choice(corpus)
    if random.random() < 0.5:
        with np.load(io.BytesIO(content)) as stored:
            arrays = dict(stored)
        about = mutated_json(random, json.loads(str(arrays["about"]))).decode("utf-8", "replace")
        content = npz_bytes({**arrays, "about": np.array(about)})
    else:
        content = changed_npz(random, content)
    path.write_bytes(content)
    return path


KINDS = (
    Kind("keras", _keras_files, _write_keras, _read_keras, 60),
    Kind("tflite", _tflite, _write_tflite, _read_tflite, 600),
    Kind("weights h5", _weights, _write_weights, _read_weights, 150),
    Kind("initial weights", _initial_weights, _write_npz, _read_initial_weights, 150),
    Kind("initial weights keras", _keras_files, _write_keras, _read_initial_weights, 150),
    Kind("checkpoint", _checkpoints, _write_checkpoint, checkpoint.load, 400),
)
