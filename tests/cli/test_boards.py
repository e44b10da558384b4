"""`eyetune boards` and `eyetune fit-check`: what they print, their exit status, and bad words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eyetune.cli import boards as commands
from eyetune.cli.main import app, run

for command in (commands.boards, commands.fit_check):
    name = command.__name__.replace("_", "-")
    if name not in set(app):
        app.command(command)

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


def test_all_boards_are_listed(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["boards"]) == 0
    printed = capfd.readouterr().out
    for words in (
        "esp-eye",
        "esp32-s3-eye",
        "esp32-cam",
        "nucleo-l4r5zi",
        "nucleo-h7a3zi-q",
        "240 MHz",
        "3,582 KiB",
    ):
        assert words in printed


def test_one_board_is_shown_whole(capfd: pytest.CaptureFixture[str], own: str) -> None:
    assert run(["boards", "esp-eye"]) == 0
    printed = capfd.readouterr().out
    for words in (
        "ESP-EYE",
        "4,128,768",
        "xclk 4",
        "dense 18.0",
        "per_channel_dense     True",
        "end of life",
        "/dev/ttyUSB0",
    ):
        assert words in printed
    assert run(["boards", own]) == 0
    printed = capfd.readouterr().out
    assert "Tiny [bold]board" in printed  # what a user wrote is no markup
    assert "Mind the [red]gap." in printed


def test_boards_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["boards", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["boards"]
    assert [one["name"] for one in found][:2] == ["esp-eye", "esp32-cam"]
    assert found[0]["camera"]["xclk"] == 4
    assert found[0]["largest_model_bytes"] == 3_667_968


def test_the_labs_network_fits(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fit-check", "--board", "esp-eye", "--json"]) == 0
    captured = capfd.readouterr()
    value = json.loads(captured.out)
    assert value["fits"] is True
    assert value["reasons"] == value["unsupported"] == []
    assert value["arena_bytes"] == pytest.approx(39_696, rel=0.05)
    assert value["flash_bytes"] == pytest.approx(174_496, rel=0.03)
    for key in (
        "latency_ms",
        "latency_error",
        "multiply_adds_by_kind",
        "parameters",
        "largest_arena_bytes",
    ):
        assert value[key]
    assert value["costliest_layer"]["layer"].startswith("conv2d")


def test_limits_and_needs_are_shown_as_bars(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fit-check", "lab"]) == 0
    printed = capfd.readouterr().out
    for words in (
        "fits ESP-EYE",
        "█",
        "░",
        "of 3,667,968 bytes",
        "of 102,400 bytes",
        "±",
        "CONV_2D",
        "Costs",
    ):
        assert words in printed
    assert "What to do" not in printed


def test_vgg16_does_not_fit_and_the_status_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fit-check", "vgg16"]) == 1
    captured = capfd.readouterr()
    for words in ("does not fit ESP-EYE", "Why it does not fit", "What to do", "block4_conv2"):
        assert words in captured.out
    assert "error" not in captured.err
    assert run(["fit-check", "vgg16", "--json"]) == 1
    value = json.loads(capfd.readouterr().out)
    assert value["fits"] is False
    assert "flash" in value["reasons"][0]


def test_a_board_of_ones_own_without_a_cost_model(
    capfd: pytest.CaptureFixture[str], own: str
) -> None:
    assert run(["fit-check", "lab", "--board", own]) == 1
    printed = capfd.readouterr().out
    assert "not known for this board" in printed
    assert "Tiny [bold]board has room for" in printed.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["lab", "--board", "esp-nose"], 2, "Did you mean esp-eye?"),
        (["missing.tflite"], 2, "Cannot read"),
        (["missing.keras"], 2, "There is no such .keras file"),
        (["missing.toml"], 2, "missing.toml"),
        (["resnet9"], 2, "Did you mean resnet8?"),
        (["lab", "--no-such-flag"], 2, "no-such-flag"),
    ],
)
def test_bad_words_are_told_before_keras_loads(
    words: list[str],
    status: int,
    said: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "eyetune.api.fit_check.start", lambda *_, **__: pytest.fail("Keras was loaded")
    )
    assert run(["fit-check", *words]) == status
    errors = capfd.readouterr().err
    assert said in errors
    assert "Traceback" not in errors


def test_they_have_help_with_examples(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["boards", "--help"]) == 0
    assert "eyetune boards esp-eye" in capfd.readouterr().out
    assert run(["fit-check", "--help"]) == 0
    printed = capfd.readouterr().out
    assert "eyetune fit-check recipe.toml --board esp-eye" in printed
    assert "--unsafe" in printed
