"""`eyetune boards` and `eyetune fit-check`: their output, exit status and errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from eyetune.cli.main import run
from eyetune.device.boards.profiles import boards
from tests.device.estimate.networks import converted

OWN = """
name = "tiny"
title = "Tiny [bold]board"
flash_bytes = 200_000
partition_bytes = 180_000
firmware_bytes = 100_000
arena_bytes = 20_000
clock_hz = 80_000_000
quirks = ["Mind the [red]gap."]
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(OWN, encoding="utf-8")
    return str(path)


def test_boards_lists_all_boards(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["boards"]) == 0
    printed = capfd.readouterr().out
    for name in ("esp-eye", "esp32-s3-eye", "esp32-cam", "nucleo-l4r5zi", "nucleo-h7a3zi-q"):
        assert name in printed
    assert max(len(line) for line in printed.splitlines()) <= 80


def test_boards_shows_one_board_in_full(capfd: pytest.CaptureFixture[str], own: str) -> None:
    assert run(["boards", "esp-eye"]) == 0
    printed = capfd.readouterr().out
    for text in ("ESP-EYE", "4,128,768", "xclk 4", "dense 18.0", "end of life", "/dev/ttyUSB0"):
        assert text in printed
    assert run(["boards", own]) == 0
    printed = capfd.readouterr().out
    assert "Tiny [bold]board" in printed  # text of users is not markup
    assert "Mind the [red]gap." in printed


def test_boards_json_has_all_values(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["boards", "--json"]) == 0
    values = json.loads(capfd.readouterr().out)["boards"]
    assert [value["name"] for value in values][:2] == ["esp-eye", "esp32-c3"]
    assert values[0]["camera"]["xclk"] == 4
    assert values[0]["largest_model_bytes"] == 3_667_968


def test_fit_check_json_of_the_lab_network(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fit-check", "--board", "esp-eye", "--json"]) == 0
    value = json.loads(capfd.readouterr().out)
    assert value["fits"] is True
    assert value["reasons"] == value["unsupported"] == []
    assert value["bottleneck"]["layer"].startswith("conv2d")
    assert value["fps"] == pytest.approx(1000 / value["latency_ms"])
    assert value["latency_error_ms"] == value["latency_error"]
    assert value["int8_accuracy"] is None


def test_fit_check_shows_needs_and_limits(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fit-check", "lab"]) == 0
    printed = capfd.readouterr().out
    for text in (
        "█",
        "░",
        "of 3,667,968 bytes",
        "of 102,400 bytes",
        "222 ± 78 ms",
        "4.5 (3.3 to 6.9)",
        "CONV_2D",
        "MACs",
    ):
        assert text in printed


def test_fit_check_separates_scratch_memory(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fit-check", "lab", "--board", "esp32-s3-eye"]) == 0
    assert " ESP-NN" in capfd.readouterr().out
    assert run(["fit-check", "lab", "--board", "esp32-s3-eye", "--json"]) == 0
    value = json.loads(capfd.readouterr().out)
    parts = value["arena"]
    assert parts["scratch_bytes"] > 0
    assert parts["is_measured"] is False
    sizes = parts["tensors_bytes"], parts["interpreter_bytes"], parts["scratch_bytes"]
    assert sum(sizes) == value["arena_bytes"]


def test_fit_check_status_is_1_if_it_does_not_fit(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fit-check", "vgg16"]) == 1
    captured = capfd.readouterr()
    assert "block4_conv2" in captured.out
    assert "error" not in captured.err
    assert run(["fit-check", "vgg16", "--json"]) == 1
    value = json.loads(capfd.readouterr().out)
    assert value["fits"] is False
    assert value["bottleneck"]["limit"] == "flash"


def test_fit_check_status_is_3_if_it_cannot_tell(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """TensorFlow's converter ends its process for this network."""
    model = keras.Sequential([keras.layers.Input((20, 8)), keras.layers.GRU(16, name="loop")])
    model.save(tmp_path / "loop.keras")
    assert run(["fit-check", str(tmp_path / "loop.keras")]) == 3
    printed = capfd.readouterr().out
    assert "layer loop" in printed
    assert "flash, at least" in printed
    assert "converter crashed" in printed
    assert "ms" not in printed.split("time per image")[1].splitlines()[0]


def test_fit_check_of_all_boards_is_a_table(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["fit-check", "vgg16", "--all-boards"]) == 0  # one of them has 16 MB of flash
    printed = capfd.readouterr().out
    assert "does not fit" in printed
    for board in boards():
        assert board.name in printed
    assert run(["fit-check", "lab", "--all-boards", "--json"]) == 0
    values = json.loads(capfd.readouterr().out)["boards"]
    assert [value["board"] for value in values] == [board.name for board in boards()]
    assert all(value["verdict"] == "fits" for value in values)


def test_fit_check_of_all_boards_cannot_tell_if_only_some_boards_are_too_small(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "loop.keras"
    keras.Sequential([keras.layers.Input((20, 8)), keras.layers.GRU(750)]).save(path)
    assert run(["fit-check", str(path), "--all-boards", "--json"]) == 3
    values = json.loads(capfd.readouterr().out)["boards"]
    assert {value["verdict"] for value in values} == {"cannot tell", "does not fit"}


def test_fit_check_of_one_and_all_boards_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fit-check", "lab", "--board", "esp-eye", "--all-boards"]) == 2
    assert "--all-boards" in capfd.readouterr().err


LIGHT = """
import sys
from eyetune.cli.main import run
status = run(["fit-check", sys.argv[1], "--all-boards"])
heavy = {"tensorflow", "keras", "tflite_micro", "matplotlib"} & set(sys.modules)
print(status, sorted(heavy))
"""


def test_fit_check_of_a_tflite_file_loads_no_tensorflow(tmp_path: Path) -> None:
    stack = [keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    path = tmp_path / "small.tflite"
    path.write_bytes(converted(keras.Sequential([keras.layers.Input((8, 8, 1)), *stack])))
    command = [sys.executable, "-c", LIGHT, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_fit_check_against_a_board_without_a_cost_model(
    capfd: pytest.CaptureFixture[str], own: str
) -> None:
    assert run(["fit-check", "lab", "--board", own]) == 1
    printed = capfd.readouterr().out
    assert "Tiny [bold]board has room for" in printed.replace("\n", " ")
    assert "±" not in printed


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["lab", "--board", "esp-nose"], "esp-eye?"),
        (["missing.tflite"], "missing.tflite"),
        (["missing.keras"], "missing.keras"),
        (["missing.toml"], "missing.toml"),
        (["resnet9"], "resnet8?"),
        (["lab", "--no-such-flag"], "no-such-flag"),
    ],
)
def test_fit_check_reports_usage_errors_before_loading_keras(
    arguments: list[str],
    text: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(*_: object, **__: object) -> None:
        pytest.fail("Keras was loaded")

    monkeypatch.setattr("eyetune.api.fit_check.start", start)
    assert run(["fit-check", *arguments]) == 2
    errors = capfd.readouterr().err
    assert text in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("command", ["boards", "fit-check", "export", "verify", "flash", "deploy"])
def test_help_of_board_commands_has_examples(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--help"]) == 0
    assert f"  eyetune {command} " in capfd.readouterr().out
