"""Model functions: kept, loaded, refused with the reason, and networks that fit the images."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from eyetune.errors import FunctionError
from eyetune.models.build import build
from eyetune.models.model_function import ImageInputs, build_with, discover, keep, load
from eyetune.models.structure import structure
from eyetune.recipe import ModelSection

SHAPE = (8, 8, 3)
FILE = """
import keras
import kerastuner as kt
from {neighbor} import UNITS

def build_model(hp):
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(hp.Int("units", 1, UNITS)),
                              keras.layers.Dense(3, "softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model

class Model(kt.HyperModel):
    def build(self, hp):
        return build_model(hp)

made = Model()
number = 3
"""


def compiled(
    *layers: Any, loss: Any = "categorical_crossentropy", metrics: Any = ("accuracy",)
) -> Any:
    model = keras.Sequential(list(layers))
    model.compile("adam", loss, metrics=list(metrics))
    return model


def returning(make: Any) -> Any:
    return lambda _: make()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a user's file beside a module of its own."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    neighbor = f"neighbor_{abs(hash(str(tmp_path)))}"
    (folder / f"{neighbor}.py").write_text("UNITS = 5\n")
    path = folder / "model.py"
    path.write_text(FILE.format(neighbor=neighbor))
    return path


@pytest.mark.parametrize("name", ["", ":build_model", ":Model", ":made"])
def test_keep_is_unaffected_by_later_edits(file: Path, tmp_path: Path, name: str) -> None:
    word = keep(f"{file}{name}", tmp_path / "functions")
    file.write_text("raise SystemExit('edited')")
    built = build_with(word, {"units": 4}, ImageInputs(SHAPE, 3))
    assert built.values == {"units": 4}
    assert built.model.layers[1].units == 4
    assert discover(word)["units"].grid() == (1, 2, 3, 4, 5)
    assert keep(word, tmp_path / "functions") == word
    assert load(word) is load(word)


def test_same_file_is_kept_once_and_another_one_apart(file: Path, tmp_path: Path) -> None:
    word = keep(file, tmp_path / "functions")
    assert keep(str(file), tmp_path / "functions") == word
    file.write_text(file.read_text() + "\n# edited\n")
    assert keep(file, tmp_path / "functions") != word
    with_arguments = keep(file, tmp_path / "functions", {"batch_size": 8})
    assert load(with_arguments).arguments == {"batch_size": 8}


def test_keep_stores_an_object_with_code_and_arguments(tmp_path: Path) -> None:
    units = 6

    class Own(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:  # noqa: ARG002
            return compiled(
                keras.layers.Flatten(), keras.layers.Dense(units), keras.layers.Dense(3, "softmax")
            )

    stop = keras.callbacks.EarlyStopping(patience=3)
    for function in (Own, Own(), Own().build):
        word = keep(function, tmp_path / "functions", {"callbacks": [stop]})
        assert load(word).arguments["callbacks"][0].patience == 3
        assert build_with(word, {}, ImageInputs(SHAPE, 3)).model.layers[1].units == 6


def test_function_of_a_users_module_is_kept_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "their_networks.py"
    path.write_text(
        FILE.format(neighbor="math")
        .replace("import UNITS", "import floor as UNITS")
        .replace("UNITS)", "9)")
    )
    monkeypatch.syspath_prepend(tmp_path)
    word = keep(importlib.import_module("their_networks").Model, tmp_path / "functions")
    path.unlink()
    monkeypatch.delitem(sys.modules, "their_networks")
    assert build_with(word, {"units": 7}, ImageInputs(SHAPE, 3)).model.layers[1].units == 7


@pytest.mark.parametrize(
    ("text", "name", "detail"),
    [
        (None, "build_model", "model.py"),
        ("def build_model(hp) pass", "build_model", "line 1"),
        ("def build_model(hp): pass", "build_modle", "build_modle"),
        ("1 / 0\ndef build_model(hp): pass", "build_model", "ZeroDivisionError"),
        ("import sys; sys.exit(3)\nbuild_model = 3", "build_model", "SystemExit"),
        ("build_model = 3", "build_model", "int"),
        (
            "import keras_tuner as kt\nclass M(kt.HyperModel):\n def __init__(self, n): pass",
            "M",
            "TypeError",
        ),
    ],
)
def test_load_reports_why_a_file_cannot_be_used(
    tmp_path: Path, text: str | None, name: str, detail: str
) -> None:
    path = tmp_path / "model.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(FunctionError, match=detail):
        load(keep(f"{path}:{name}", tmp_path / "functions"))


def test_import_error_shows_only_the_users_lines(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("\n\n1 / 0\ndef build_model(hp): pass\n")
    with pytest.raises(FunctionError) as caught:
        load(keep(f"{tmp_path}/model.py", tmp_path / "functions"))
    received = str(caught.value.received)
    assert "line 3" in received
    assert received.endswith("ZeroDivisionError: division by zero")
    assert "importlib" not in received


def test_misspelt_name_suggests_the_nearest(file: Path, tmp_path: Path) -> None:
    with pytest.raises(FunctionError) as caught:
        keep(f"{file}:build_modl", tmp_path / "functions")
    assert "build_model" in str(caught.value.fix)


def test_keep_names_what_cannot_be_pickled(tmp_path: Path) -> None:
    lock = threading.Lock()

    def build_model(hp: Any) -> Any:
        return lock

    with pytest.raises(FunctionError, match="build_model") as caught:
        keep(build_model, tmp_path)
    assert "lock" in str(caught.value.received)


def test_keep_rejects_what_cannot_be_called(tmp_path: Path) -> None:
    with pytest.raises(FunctionError, match="int"):
        keep(3, tmp_path)


def test_exception_in_the_function_shows_its_lines_and_values(tmp_path: Path) -> None:
    def build_model(hp: Any) -> Any:
        return compiled(keras.layers.Dense(hp.Int("units", -3, 3)))

    with pytest.raises(FunctionError, match="units=-1") as caught:
        build_with(keep(build_model, tmp_path), {"units": -1}, ImageInputs(SHAPE, 3))
    received = str(caught.value.received)
    assert "hp.Int" in received.splitlines()[1]
    assert "building.py" not in received


FLAT = keras.layers.Flatten


@pytest.mark.parametrize(
    ("make", "detail"),
    [
        (lambda: None, "NoneType"),
        (lambda: 3, "int"),
        (lambda: keras.Sequential([FLAT(), keras.layers.Dense(3)]), "compile"),
        (
            lambda: compiled(FLAT(), keras.layers.Dense(4, "softmax")),
            "(batch, 4)",
        ),
        (
            lambda: compiled(keras.layers.Dense(3, "softmax")),
            "(batch, 8, 8, 3)",
        ),
        (
            lambda: compiled(keras.Input((9, 9, 3)), FLAT(), keras.layers.Dense(3)),
            "(9, 9, 3)",
        ),
        (
            lambda: compiled(keras.Input((8, 8)), FLAT(), keras.layers.Dense(3)),
            "(8, 8)",
        ),
        (
            lambda: compiled(keras.layers.Conv2D(2, 9), FLAT(), keras.layers.Dense(3)),
            "ValueError",
        ),
        (
            lambda: compiled(FLAT(), keras.layers.Dense(3), metrics=[]),
            "metrics=['accuracy']",
        ),
        (
            lambda: compiled(FLAT(), keras.layers.Dense(3), metrics=["mse"]),
            "mse",
        ),
        (
            lambda: compiled(FLAT(), keras.layers.Dense(3), loss=lambda _, __: 1 / 0),
            "ZeroDivisionError",
        ),
    ],
)
def test_build_with_rejects_what_cannot_be_trained(tmp_path: Path, make: Any, detail: str) -> None:
    with pytest.raises(FunctionError) as caught:
        build_with(keep(returning(make), tmp_path), {}, ImageInputs(SHAPE, 3))
    assert detail in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "metrics", "integers", "accuracy"),
    [
        ("categorical_crossentropy", ["accuracy"], False, "accuracy"),
        (
            "sparse_categorical_crossentropy",
            ["sparse_top_k_categorical_accuracy", "acc"],
            True,
            "acc",
        ),
        (
            keras.losses.SparseCategoricalCrossentropy,
            ["sparse_categorical_accuracy"],
            True,
            "sparse_categorical_accuracy",
        ),
        (
            keras.losses.CategoricalFocalCrossentropy,
            [keras.metrics.CategoricalAccuracy],
            False,
            "categorical_accuracy",
        ),
        (keras.losses.sparse_categorical_crossentropy, ["accuracy"], True, "accuracy"),
        ("mse", ["categorical_accuracy"], False, "categorical_accuracy"),
    ],
)
def test_labels_and_accuracy_follow_the_compiled_network(
    tmp_path: Path, loss: Any, metrics: list[Any], integers: bool, accuracy: str
) -> None:
    def build_model(hp: Any) -> Any:
        measured = [one() if isinstance(one, type) else one for one in metrics]
        made = loss() if isinstance(loss, type) else loss
        return compiled(FLAT(), keras.layers.Dense(3, "softmax"), loss=made, metrics=measured)

    fit = build_with(keep(build_model, tmp_path), {}, ImageInputs(SHAPE, 3)).fit
    assert (fit.integer_labels, fit.accuracy, fit.has_channels, fit.gives_logits) == (
        integers,
        accuracy,
        True,
        False,
    )


@pytest.mark.parametrize("given", [True, False])
def test_network_without_channel_axis_is_supported(tmp_path: Path, given: bool) -> None:
    def build_model(hp: Any) -> Any:
        layers = [keras.layers.LSTM(2), keras.layers.Dense(3, "softmax")]
        return compiled(*([keras.Input((8, 8))] if given else []), *layers)

    word = keep(build_model, tmp_path)
    assert not build_with(word, {}, ImageInputs((8, 8, 1), 3)).fit.has_channels
    model = build(ModelSection(function=word), (8, 8, 1), 3)
    assert model.input_shape == (None, 8, 8, 1)
    assert model(np.zeros((2, 8, 8, 1))).shape == (2, 3)


def test_logits_become_probabilities(tmp_path: Path) -> None:
    def build_model(hp: Any) -> Any:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return compiled(FLAT(), keras.layers.Dense(3), loss=loss)

    model = build(ModelSection(function=keep(build_model, tmp_path)), SHAPE, 3)
    assert np.asarray(model(np.ones((2, *SHAPE)))).sum(axis=1) == pytest.approx(1)
    assert structure(model).parameters == 8 * 8 * 3 * 3 + 3


class OwnClass(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.flat = FLAT()
        self.last = keras.layers.Dense(3, "softmax")

    def call(self, images: Any) -> Any:
        return self.last(self.flat(images))


def test_model_of_the_users_own_class_is_counted(tmp_path: Path) -> None:
    def build_model(hp: Any) -> Any:
        model = OwnClass()
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        return model

    network = structure(build(ModelSection(function=keep(build_model, tmp_path)), SHAPE, 3))
    assert (network.input_shape, network.parameters) == (SHAPE, 8 * 8 * 3 * 3 + 3)


def test_mixed_policy_applies_to_the_function_only(tmp_path: Path) -> None:
    def build_model(hp: Any) -> Any:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        return compiled(
            keras.Input(SHAPE), FLAT(), keras.layers.Dense(3, "softmax", dtype="float32")
        )

    built = build_with(keep(build_model, tmp_path), {}, ImageInputs(SHAPE, 3))
    assert keras.config.dtype_policy().name == "float32"
    assert built.model.layers[0].compute_dtype == "bfloat16"
    assert {layer.compute_dtype for layer in built.classifier.layers} == {"float32"}
    np.testing.assert_array_equal(built.classifier.get_weights()[0], built.model.get_weights()[0])


def test_same_seed_gives_the_same_first_weights(tmp_path: Path) -> None:
    word = keep(lambda _: compiled(FLAT(), keras.layers.Dense(3)), tmp_path)
    one, same, other = (
        build_with(word, {}, ImageInputs(SHAPE, 3), seed=seed).model.get_weights()[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
