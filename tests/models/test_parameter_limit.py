"""Networks with too many parameters are refused before memory is allocated."""

from __future__ import annotations

import json
import threading
import zipfile
from pathlib import Path

import keras
import pytest

from eyetune.device.estimate.keras_file import load_keras_file
from eyetune.errors import TrainingError, UsageError
from eyetune.inputs.limits import PARAMETERS
from eyetune.models.build import build
from eyetune.models.parameter_limit import limited_parameters
from eyetune.recipe import Recipe


def test_recipe_with_too_many_parameters_is_refused() -> None:
    recipe = Recipe().with_({"model.dense": [30_000, 30_000]})
    with pytest.raises(TrainingError, match="too large") as caught:
        build(recipe.model, (32, 32, 3), 10)
    assert PARAMETERS.variable in (caught.value.fix or "")


def test_keras_file_with_too_many_parameters_is_refused(tmp_path: Path) -> None:
    path, bomb = tmp_path / "network.keras", tmp_path / "bomb.keras"
    keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(3)]).save(
        path
    )
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(bomb, "w") as changed:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"][2]["config"]["units"] = 1_000_000
                content = json.dumps(config).encode()
            changed.writestr(name, content)
    with pytest.raises(UsageError, match="too large") as caught:
        load_keras_file(bomb)
    assert PARAMETERS.variable in (caught.value.fix or "")
    assert load_keras_file(path).count_params() == 784 * 3 + 3


def test_limit_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARAMETERS.variable, "20")
    with limited_parameters():
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    keras.Sequential([keras.Input((30,)), keras.layers.Dense(40)])


def test_threads_do_not_count_each_others_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARAMETERS.variable, "50")
    original = keras.layers.Layer.add_weight
    failed: list[Exception] = []

    def build_some() -> None:
        try:
            for _ in range(5):
                with limited_parameters():
                    keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=build_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    keras.Sequential([keras.Input((30,)), keras.layers.Dense(40)])  # outside of any block
    for thread in threads:
        thread.join()
    assert failed == []
    assert keras.layers.Layer.add_weight is original
