"""Whether a network fits a board: recipes, runs, models, files and names, and errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eyetune.api.fit_check import fit_check, fit_checks
from eyetune.api.run import Run
from eyetune.device.boards.profiles import boards, load_board
from eyetune.device.export.quantize import quantize
from eyetune.errors import BoardError, EyetuneError, TrainingError, UsageError
from eyetune.recipe import Recipe

TINY_BOARD = """
name = "tiny"
title = "Tiny"
flash_bytes = 200_000
partition_bytes = 180_000
firmware_bytes = 100_000
arena_bytes = 20_000
clock_hz = 80_000_000
"""


def test_fit_check_of_the_lab_network_fits_the_esp_eye() -> None:
    check = fit_check("lab")
    assert check.fits
    assert check.reasons == check.advice == ()
    value = check.to_json()
    assert value["arena_bytes"] == pytest.approx(39_696, rel=0.05)  # tflite-micro
    assert value["flash_bytes"] == pytest.approx(171_456, rel=0.01)  # as exported
    assert 0 < value["latency_error"] < value["latency_ms"]
    assert value["macs"] == sum(value["macs_by_kind"].values()) == 4_040_704
    assert value["largest_model_bytes"] == load_board("esp-eye").max_model_bytes
    assert repr(check) == "<FitCheck: the known network lab fits ESP-EYE>"
    assert "4,040,704 MACs" in check._repr_html_()


def test_fit_check_default_is_the_lab_recipe() -> None:
    default = fit_check()
    assert default == fit_check()
    assert default.footprint == fit_check("lab").footprint


def test_fit_check_of_vgg16_does_not_fit() -> None:
    check = fit_check(Recipe().with_({"model": "vgg16"}))
    assert not check.fits
    assert [violation.limit for violation in check.footprint.violations(check.board)] == ["flash"]
    assert check.bottleneck is not None
    assert check.bottleneck.limit == "flash"
    assert len(check.advice) == len(check.reasons) == 1
    assert "does not fit" in repr(check)
    assert check.summary.sentences == (*check.reasons, *check.advice)


def test_fit_check_json_keeps_earlier_keys() -> None:
    value = fit_check("resnet8", "nucleo-l4r5zi").to_json()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert value["board"] == "nucleo-l4r5zi"
    assert value["what"] == value["label"]
    assert value["costliest_layer"] == value["bottleneck"]
    assert value["bottleneck"]["words"] == value["bottleneck"]["text"]
    assert value["multiply_adds"] == value["macs"]
    assert value["multiply_adds_by_kind"] == value["macs_by_kind"]
    assert sum(layer["multiply_adds"] for layer in value["layers"]) == value["macs"]


def test_fit_check_of_a_run_uses_its_images(trained: Run) -> None:
    check = fit_check(trained)
    assert check.footprint.parameters == trained.record.network.parameters
    workspace = trained.workspace
    assert fit_check("trained", workspace=workspace).footprint == check.footprint
    assert fit_check(trained.id[:5], workspace=workspace.folder).footprint == check.footprint
    assert fit_check("latest", workspace=workspace).label == f"run {trained.record.label}"


def test_fit_check_of_a_model_equals_that_of_its_file(tmp_path: Path) -> None:
    stack = [layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(3)]
    model = keras.Sequential([layers.Input((8, 8, 1)), *stack], name="small")
    model.save(tmp_path / "small.keras")
    check = fit_check(model)
    assert check.label == "model small"
    assert fit_check(tmp_path / "small.keras").footprint == check.footprint


def test_fit_check_finds_files_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)])
    (tmp_path / "small.tflite").write_bytes(quantize(model, np.zeros((2, 8, 8, 1), np.uint8)))
    assert fit_check("~/small.tflite").fits


def test_fit_check_converts_a_network_with_unknown_layers() -> None:
    stack = [layers.Conv1D(16, 5, activation="relu"), layers.Flatten(), layers.Dense(4)]
    model = keras.Sequential([layers.Input((64, 8)), *stack])
    check = fit_check(model, progress=False)
    assert (check.verdict, check.uncertainty) == ("fits", "")
    assert check.footprint.file_is_exact
    assert check.footprint.macs == 60 * 16 * 5 * 8 + 960 * 4


def test_fit_check_counts_the_products_of_attention() -> None:
    inputs = layers.Input((49, 8))
    attended = layers.MultiHeadAttention(2, 4)(inputs, inputs)
    check = fit_check(
        keras.Model(inputs, layers.Dense(3)(layers.Flatten()(attended))), progress=False
    )
    assert check.uncertainty == ""
    products = 2 * 2 * 49 * 49 * 4  # queries by keys, and these by values, for two heads
    weights = 4 * 49 * 8 * 8 + 49 * 8 * 3
    assert check.footprint.macs == products + weights


def unconverted(*_: object, **__: object) -> None:
    raise BoardError("Cannot convert the network to int8.", received="a loop")


def test_fit_check_cannot_tell_without_a_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyetune.device.export.measured_footprint.measured_apart", unconverted)
    small = keras.Sequential([layers.Input((20, 8)), layers.GRU(8, name="loop")])
    check = fit_check(small, progress=False)
    assert (check.verdict, check.fits, check.reasons) == ("cannot tell", False, ())
    assert "layer loop" in check.uncertainty
    assert "a loop" in check.uncertainty
    assert repr(check).startswith("<FitCheck: Cannot tell whether")
    value = check.to_json()
    assert (value["verdict"], value["latency_ms"], value["fps"]) == ("cannot tell", None, None)
    assert value["bottleneck"] is None
    assert "bottleneck" not in check.summary.rows
    # The weights alone do not fit, whatever else the layer needs.
    large = keras.Sequential([layers.Input((20, 8)), layers.GRU(2000)])
    assert fit_check(large, progress=False).verdict == "does not fit"


def test_fit_check_of_a_network_for_images_of_any_size() -> None:
    """Its own needs cannot be told; those in a network for images of one size are measured."""
    image = layers.Input((None, None, 3))
    anywhere = keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image)))
    check = fit_check(anywhere, progress=False)
    assert (check.verdict, check.to_json()["latency_ms"]) == ("cannot tell", None)
    check = fit_check(keras.Sequential([layers.Input((8, 8, 3)), anywhere]), progress=False)
    assert check.verdict == "fits"
    assert check.footprint.macs == 6 * 6 * 3 * 3 * 3 * 4


def test_fit_checks_computes_the_needs_once() -> None:
    checks = fit_checks("lab")
    assert [check.board for check in checks] == list(boards())
    assert {check.footprint for check in checks} == {checks[0].footprint}
    assert [check.verdict for check in fit_checks("vgg16", ["esp-eye"])] == ["does not fit"]


def test_fit_check_of_a_recipe_file_uses_its_data(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[data]\nsource = "cifar100"\n', encoding="utf-8")
    needs = fit_check(path).footprint
    assert needs.parameters == fit_check("lab").footprint.parameters + 90 * 65
    path.write_text('[data]\nsource = "digits"\nimage_size = 16\n', encoding="utf-8")
    assert fit_check(str(path)).footprint.graph.tensors[0].shape == (16, 16, 3)


def test_fit_check_of_a_recipe_reads_the_size_of_images(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "own.npz",
        x_train=random.integers(0, 256, (60, 20, 20, 1), np.uint8),
        y_train=np.arange(60) % 3,
        x_test=random.integers(0, 256, (12, 20, 20, 1), np.uint8),
        y_test=np.arange(12) % 3,
    )
    recipe = Recipe().with_({"data.source": str(tmp_path / "own.npz")})
    graph = fit_check(recipe).footprint.graph
    assert graph.tensors[graph.inputs[0]].shape == (20, 20, 1)
    assert graph.tensors[graph.outputs[0]].shape == (3,)


def test_fit_check_against_a_board_file(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY_BOARD, encoding="utf-8")
    check = fit_check("lab", path)
    assert not check.fits
    assert len(check.reasons) == len(check.advice) == 2
    assert check.latency is None
    assert check.to_json()["latency_ms"] is None
    assert check.bottleneck is not None
    assert check.bottleneck.limit == "flash"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.keras", None),
        ("text.keras", b"not a zip"),
        ("missing.toml", None),
        ("broken.toml", b"[model"),
        ("missing.tflite", None),
        ("text.tflite", b"something else"),
        ("old.h5", b"\x89HDF"),
        ("notes.txt", b"hello"),
    ],
)
def test_fit_check_refuses_other_files(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        fit_check(path)
    assert name in str(caught.value)


def test_fit_check_suggests_the_nearest_name(tmp_path: Path, workspace: Path) -> None:
    with pytest.raises(UsageError) as caught:
        fit_check("resnet9", workspace=tmp_path)
    assert "resnet8" in (caught.value.fix or "").split("?")[0]
    with pytest.raises(UsageError) as caught:
        fit_check("lab", "esp-nose")
    assert "esp-eye" in (caught.value.fix or "").split("?")[0]
    assert not workspace.exists()  # it creates no workspace


def test_fit_check_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        fit_check(tmp_path)
    assert caught.value.received == str(tmp_path)


@pytest.mark.parametrize("network", [3, 1.5, ["lab"], object()])
def test_fit_check_refuses_other_objects(network: Any) -> None:
    with pytest.raises(UsageError) as caught:
        fit_check(network)
    assert (caught.value.received or "").startswith(type(network).__name__)


def test_fit_check_explains_errors_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("too large")

    monkeypatch.setattr("eyetune.models.cnn.build", broken)
    with pytest.raises(TrainingError) as caught:
        fit_check(Recipe())
    assert caught.value.received == "RuntimeError: too large"


def test_fit_check_refuses_a_network_that_cannot_be_built() -> None:
    blocks = [{"filters": 8}] * 8  # the images shrink to nothing
    with pytest.raises(EyetuneError):
        fit_check(Recipe().with_({"model.blocks": blocks}))
