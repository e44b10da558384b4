"""Texts: recipes, spaces and boards as TOML, and the JSON files of KerasTuner's projects."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

from eyetune.api.set_aside import LIST_FILE, undo_check
from eyetune.device.boards.profiles import load_board
from eyetune.device.export.export_folder import (
    MANIFEST,
    MODEL,
    changed_files,
    read_manifest,
    read_model,
)
from eyetune.device.export.idf_build import read_build
from eyetune.device.export.model_card import model_card
from eyetune.inputs.limits import IMAGE_FILE_BYTES
from eyetune.inputs.regular_file import read_bytes
from eyetune.recipe import Recipe
from eyetune.report.pages.page import embedded
from eyetune.space import Space
from eyetune.space.presets import recipe_space
from tests.device.export.test_export_folder import MANIFEST_VALUE
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import mutated, mutated_json, mutated_toml


def _recipes(_: Path) -> list[str]:
    edits: list[dict[str, Any]] = [
        {},
        {"model": "resnet8", "fit.epochs": 3, "optimizer.schedule": "cosine"},
        {"model.base": "vgg16", "model.trainable_from": "block5_conv1", "fit.fine_tune_epochs": 2},
    ]
    return [Recipe().with_(edit).to_toml() for edit in edits]


def _spaces(_: Path) -> list[str]:
    own = """
["optimizer.learning_rate"]
low = 1e-4
high = 1e-1
sampling = "log"
["model.blocks.count"]
low = 1
high = 3
["model.blocks.2.filters"]
values = [16, 32]
default = 32
when = { "model.blocks.count" = [3] }
["model.dropout"]
low = 0.0
high = 0.5
step = 0.1
"""
    return [own, *(recipe_space(name, Recipe()).space.to_toml() for name in ("fine", "small"))]


def _boards(_: Path) -> list[str]:
    folder = resources.files("eyetune.device") / "boards"
    return [path.read_text("utf-8") for path in folder.iterdir() if path.name.endswith(".toml")]


def _write_toml(random: Random, corpus: Sequence[str], target: Path) -> Path:
    path = target / "a.toml"
    path.write_bytes(mutated_toml(random, random.choice(corpus), corpus))
    return path


def _read_recipe(path: Path) -> object:
    recipe = Recipe.load(path)
    return recipe.fingerprint, recipe.to_toml(comments=True), recipe.difference(Recipe())


def _read_space(path: Path) -> object:
    space = Space.load(path)
    space.size()
    values = space.defaults()
    return space.to_toml(), space.key(values), recipe_space(str(path), Recipe())


def _project(_: Path) -> dict[str, Any]:
    """Return the JSON files of a project of Hyperband by their paths."""
    config = {"name": "units", "conditions": [], "default": 8, "step": 8, "sampling": "linear"}
    choice = {"name": "rate", "conditions": [], "default": 0.1, "values": [0.1, 0.01]}
    condition = {"class_name": "Parent", "config": {"name": "rate", "values": [0.1]}}
    space = [
        {"class_name": "Choice", "config": {**choice, "ordered": True}},
        {
            "class_name": "Int",
            "config": {**config, "min_value": 8, "max_value": 64, "conditions": [condition]},
        },
        {"class_name": "Boolean", "config": {"name": "wide", "conditions": [], "default": False}},
    ]
    files: dict[str, Any] = {}
    for number in range(3):
        own: dict[str, Any] = {
            "tuner/epochs": 2,
            "tuner/initial_epoch": 0,
            "tuner/bracket": 1,
            "tuner/round": 0,
        }
        if number == 2:
            own |= {"tuner/trial_id": "0000", "tuner/epochs": 4, "tuner/initial_epoch": 2}
        observation = {"value": [0.5 + number / 10], "step": 1}
        files[f"trial_000{number}/trial.json"] = {
            "trial_id": f"000{number}",
            "hyperparameters": {
                "space": space,
                "values": {"rate": 0.1, "units": 8 * (number + 1), "wide": False, **own},
            },
            "metrics": {
                "metrics": {"val_accuracy": {"direction": "max", "observations": [observation]}}
            },
            "score": 0.5 + number / 10,
            "best_step": 1,
            "status": "COMPLETED",
            "message": None,
        }
    files["oracle.json"] = {
        "ongoing_trials": {},
        "start_order": ["0000", "0001", "0002"],
        "end_order": ["0000", "0001", "0002"],
        "run_times": {},
        "retry_queue": [],
        "seed": 1,
        "seed_state": 2,
        "tried_so_far": [],
        "id_to_hash": {},
        "display": {},
        "hyperparameters": {"space": space, "values": {"rate": 0.1, "units": 8, "wide": False}},
        "hyperband_iterations": 1,
        "max_epochs": 4,
        "min_epochs": 1,
        "factor": 3,
        "brackets": [],
        "current_bracket": 0,
        "current_iteration": 0,
    }
    return files


def _write_project(random: Random, corpus: dict[str, Any], target: Path) -> Path:
    changed = random.choice(list(corpus))
    for name, value in corpus.items():
        path = target / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            mutated_json(random, value) if name == changed else json.dumps(value).encode()
        )
    return target / "project"


def _read_project(path: Path) -> object:
    from eyetune.compat.keras_tuner.importing import import_keras_tuner

    workspace = path.parent / "workspace"
    try:
        return import_keras_tuner(path, workspace=workspace).to_json()
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _moved(_: Path) -> list[dict[str, Any]]:
    reasons = ("exact-duplicate", "likely-wrong-label")
    return [{"moved": {f"cat/{number}.png": reasons[number % 2] for number in range(3)}}]


def _write_moved(random: Random, corpus: Sequence[dict[str, Any]], target: Path) -> Path:
    for folder in ("photos/cat", "photos/dog", "photos-set-aside/cat"):
        (target / folder).mkdir(parents=True)
    for number in range(3):
        (target / "photos-set-aside" / "cat" / f"{number}.png").write_bytes(b"")
    path = target / "photos-set-aside" / LIST_FILE
    path.write_bytes(mutated_json(random, random.choice(corpus)))
    return target / "photos"


def _exports(_: Path) -> list[dict[str, Any]]:
    files = {"model.tflite": "0" * 64, "esp-idf/main/model_data.c": "0" * 64}
    changes = {"board": load_board("esp32-s3-eye"), "files": files}
    manifest = MANIFEST_VALUE.model_copy(update=changes)
    value: dict[str, Any] = json.loads(manifest.model_dump_json(by_alias=True))
    return [value]


def _write_export(random: Random, corpus: Sequence[dict[str, Any]], target: Path) -> Path:
    (target / MODEL).write_bytes(b"no model")
    (target / MANIFEST).write_bytes(mutated_json(random, random.choice(corpus)))
    return target


def _read_export(folder: Path) -> object:
    manifest = read_manifest(folder)
    return changed_files(folder, manifest), model_card(manifest, None), read_model(folder)


def _pictures(_: Path) -> list[bytes]:
    return [
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><defs><path id="a" d="M0 0"/>'
        b'</defs><g style="fill: red" clip-path="url(#a)"><use href="#a"/><text>b</text></g></svg>'
    ]


def _write_picture(random: Random, corpus: Sequence[bytes], target: Path) -> Path:
    content = mutated(random, random.choice(corpus))
    if random.random() < 0.1:
        depth = random.choice((10, 1_000, 100_000))
        content = content.replace(b"<g", b"<g>" * depth + b"<g", 1)
        content = content.replace(b"</g>", b"</g>" * (depth + 1), 1)
    path = target / "mistakes.svg"
    path.write_bytes(content)
    return path


def _read_picture(path: Path) -> object:
    return embedded(read_bytes(path, IMAGE_FILE_BYTES), "one", "Mistakes.")


def _builds(_: Path) -> list[dict[str, Any]]:
    files = {"0x1000": "bootloader.bin", "0x10000": "app.bin"}
    extra = {"chip": "esp32", "stub": True, "before": "default_reset", "after": "hard_reset"}
    settings = {"flash_mode": "dio", "flash_size": "4MB", "flash_freq": "40m"}
    return [{"flash_files": files, "extra_esptool_args": extra, "flash_settings": settings}]


def _write_build(random: Random, corpus: Sequence[dict[str, Any]], target: Path) -> Path:
    build = target / "build"
    build.mkdir()
    for name in ("bootloader.bin", "app.bin"):
        (build / name).write_bytes(b"code")
    (build / "flasher_args.json").write_bytes(mutated_json(random, random.choice(corpus)))
    return target


KINDS = (
    Kind("export", _exports, _write_export, _read_export, 200),
    Kind("picture of a report", _pictures, _write_picture, _read_picture, 200),
    Kind("built firmware", _builds, _write_build, read_build, 150),
    Kind("recipe", _recipes, _write_toml, _read_recipe, 600),
    Kind("space", _spaces, _write_toml, _read_space, 400),
    Kind("board", _boards, _write_toml, load_board, 600),
    Kind("files set aside", _moved, _write_moved, undo_check, 200),
    Kind("keras tuner project", _project, _write_project, _read_project, 60),
)
