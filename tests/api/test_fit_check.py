"""Whether a network fits a board: of recipes, runs, models, files and words, and of what is none of
them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eyetune.api.fit_check import FitCheck, fit_check
from eyetune.api.run import Run
from eyetune.device.boards.profiles import load_board
from eyetune.errors import EyetuneError, UsageError
from eyetune.recipe import Recipe


def small() -> keras.Model:
    stack = [
        layers.Conv2D(4, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(3, activation="softmax"),
    ]
    return keras.Sequential([layers.Input((8, 8, 1)), *stack], name="small")


def test_the_labs_network_fits_the_esp_eye() -> None:
    check = fit_check("lab")
    assert check.fits
    assert check.reasons == check.advice == ()
    value = check.to_json()
    assert value["arena_bytes"] == pytest.approx(39_696, rel=0.05)  # tflite-micro
    assert value["flash_bytes"] == pytest.approx(174_496, rel=0.03)  # TensorFlow's converter
    assert 0 < value["latency_error"] < value["latency_ms"]
    assert value["multiply_adds"] == sum(value["multiply_adds_by_kind"].values()) == 4_040_704
    assert value["largest_model_bytes"] == load_board("esp-eye").max_model_bytes
    assert value == fit_check().to_json() | {"what": value["what"]}  # the lab's is the default


def test_the_labs_vgg16_does_not() -> None:
    check = fit_check(Recipe().with_({"model": "vgg16"}))
    assert not check.fits
    assert "flash" in check.reasons[0]
    assert check.bottleneck.limit == "flash"
    assert len(check.advice) == len(check.reasons) == 1


def test_json_has_plain_values_alone() -> None:
    value = fit_check("resnet8", "nucleo-l4r5zi").to_json()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert value["board"] == "nucleo-l4r5zi"
    assert sum(layer["multiply_adds"] for layer in value["layers"]) == value["multiply_adds"]


def test_a_run_is_checked_with_its_own_images(trained: Run) -> None:
    check = fit_check(trained)
    assert check.footprint.parameters == trained.record.network.parameters
    assert fit_check("trained", workspace=trained.workspace).footprint == check.footprint
    assert (
        fit_check(trained.id[:5], workspace=trained.workspace.folder).footprint == check.footprint
    )
    assert fit_check("latest", workspace=trained.workspace).what == f"run {trained.record.label}"


def test_a_model_and_the_file_of_it_are_the_same(tmp_path: Path) -> None:
    model = small()
    model.save(tmp_path / "small.keras")
    check = fit_check(model)
    assert check.what == "model small"
    assert fit_check(tmp_path / "small.keras").footprint == check.footprint


def test_a_recipe_file_says_its_images(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[data]\nsource = "cifar100"\n', encoding="utf-8")
    hundred = fit_check(path)
    assert hundred.footprint.parameters == fit_check("lab").footprint.parameters + 90 * 65
    path.write_text('[data]\nsource = "digits"\nimage_size = 16\n', encoding="utf-8")
    assert fit_check(str(path)).footprint.graph.tensors[0].shape == (16, 16, 3)


def test_images_of_a_folder_are_looked_at(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    np.savez(
        tmp_path / "own.npz",
        x_train=numbers.integers(0, 256, (60, 20, 20, 1), np.uint8),
        y_train=np.arange(60) % 3,
        x_test=numbers.integers(0, 256, (12, 20, 20, 1), np.uint8),
        y_test=np.arange(12) % 3,
    )
    graph = fit_check(Recipe().with_({"data.source": str(tmp_path / "own.npz")})).footprint.graph
    assert graph.tensors[graph.inputs[0]].shape == (20, 20, 1)
    assert graph.tensors[graph.outputs[0]].shape == (3,)


def test_a_board_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(
        'name = "tiny"\ntitle = "Tiny"\nflash_bytes = 200_000\npartition_bytes = 180_000\nfirmware_bytes = 100_000\n'
        "arena_bytes = 20_000\nclock_hz = 80_000_000\n",
        encoding="utf-8",
    )
    check = fit_check("lab", path)
    assert not check.fits
    assert len(check.reasons) == len(check.advice) == 2
    assert check.latency is None
    assert check.to_json()["latency_ms"] is None
    assert check.bottleneck.limit == "flash"


def test_code_in_a_keras_file_is_not_run_unless_that_is_allowed(tmp_path: Path) -> None:
    model = keras.Sequential(
        [layers.Input((8, 8, 1)), layers.Lambda(lambda values: 2 * values), layers.Flatten()]
    )
    model.save(tmp_path / "code.keras")
    with pytest.raises(UsageError) as caught:
        fit_check(tmp_path / "code.keras")
    assert "--unsafe" in str(caught.value)
    check = fit_check(tmp_path / "code.keras", unsafe=True)
    assert check.footprint.unknown  # nobody can tell what the code does


def test_a_class_that_is_not_known_is_explained(tmp_path: Path) -> None:
    class Unregistered(layers.Layer):
        def call(self, values: Any) -> Any:
            return values

    keras.Sequential([layers.Input((8, 8, 1)), Unregistered(), layers.Flatten()]).save(
        tmp_path / "own.keras"
    )
    with pytest.raises(UsageError, match="class that is not known here"):
        fit_check(tmp_path / "own.keras")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.keras", None, "There is no such .keras file"),
        ("empty.keras", b"", "damaged"),
        ("text.keras", b"not a zip", "damaged"),
        ("missing.toml", None, "missing.toml"),
        ("broken.toml", b"[model", "broken.toml"),
        ("missing.tflite", None, "Cannot read"),
        ("text.tflite", b"nothing of the kind", "not a .tflite file"),
        ("old.h5", b"\x89HDF", "Files of this kind"),
        ("notes.txt", b"hello", "Files of this kind"),
    ],
)
def test_files_that_cannot_be_checked(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        fit_check(path)
    assert words in str(caught.value)


def test_a_zip_that_is_no_network(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(UsageError, match="cannot be loaded"):
        fit_check(tmp_path / "other.keras")


def test_a_word_that_names_nothing_is_told_what_is_near(tmp_path: Path, workspace: Path) -> None:
    with pytest.raises(UsageError) as caught:
        fit_check("resnet9", workspace=tmp_path)
    assert "Did you mean resnet8?" in str(caught.value)
    with pytest.raises(UsageError, match="is a folder"):
        fit_check(tmp_path)
    with pytest.raises(UsageError, match="no board named"):
        fit_check("lab", "esp-nose")
    assert not workspace.exists()  # nothing is made by looking


@pytest.mark.parametrize("what", [3, 1.5, ["lab"], object()])
def test_what_is_no_network_at_all(what: Any) -> None:
    with pytest.raises(UsageError, match="nothing whose footprint"):
        fit_check(what)


def test_a_network_that_cannot_be_built_says_why() -> None:
    blocks = [{"filters": 8}] * 8  # the images shrink to nothing
    with pytest.raises(EyetuneError):
        fit_check(Recipe().with_({"model.blocks": blocks}))


def test_a_check_is_a_value() -> None:
    one, other = fit_check("lab"), fit_check("lab")
    assert isinstance(one, FitCheck)
    assert one == other
