"""Firmware that is written: its files and their contents, and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyetune.device import firmware
from eyetune.device.boards.profiles import Board, load_board
from eyetune.device.estimate.operators import SUPPORTED
from eyetune.errors import BoardError, EyetuneError, UsageError
from eyetune.values.firmware_formats import FIRMWARE_FORMATS
from tests.device.firmware.stand_ins import ADD_METHODS, CAMERA_BOARDS, EYE, MODEL, written

PROJECT_FILES = {
    "CMakeLists.txt",
    "README.md",
    "partitions.csv",
    "sdkconfig.defaults",
    "main/CMakeLists.txt",
    "main/idf_component.yml",
    "main/main.cpp",
    "main/board.h",
    "main/settings.h",
    "main/camera.h",
    "main/camera.cpp",
    "main/classifier.h",
    "main/classifier.cpp",
    "main/labels.h",
    "main/prediction.h",
    "main/prediction.cpp",
    "main/image.h",
    "main/image.c",
    "main/result.h",
    "main/result.c",
    "main/self_test.h",
    "main/self_test.c",
    "main/golden.c",
    "main/model_data.h",
    "main/model_data.c",
}


def test_write_esp_idf_returns_its_files(tmp_path: Path) -> None:
    paths = firmware.write_esp_idf(tmp_path, MODEL, EYE)
    assert {str(path.relative_to(tmp_path)) for path in paths} == PROJECT_FILES
    assert all(path.is_file() for path in paths)
    registered = re.findall(r'"(\w+\.c(?:pp)?)"', (tmp_path / "main/CMakeLists.txt").read_text())
    assert sorted(registered) == sorted(path.name for path in (tmp_path / "main").glob("*.c*"))


@pytest.mark.parametrize("format_name", FIRMWARE_FORMATS)
def test_write_is_reproducible(tmp_path: Path, format_name: str) -> None:
    first, second = (written(tmp_path / name, format_name) for name in ("first", "second"))
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert all((first / path).read_bytes() == (second / path).read_bytes() for path in files)


@pytest.mark.parametrize("board", CAMERA_BOARDS, ids=lambda board: board.name)
def test_write_esp_idf_settings_are_those_of_the_board(tmp_path: Path, board: Board) -> None:
    folder = written(tmp_path / "project", "esp-idf", board=board)
    lines = (folder / "sdkconfig.defaults").read_text().splitlines()
    expected = {
        f'CONFIG_IDF_TARGET="{board.chip}"',
        f"CONFIG_ESPTOOLPY_FLASHSIZE_{board.flash_bytes // 1024**2}MB=y",
        "CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ_240=y",
        "CONFIG_SPIRAM=y",
        "CONFIG_SPIRAM_SPEED_80M=y",
        "CONFIG_PARTITION_TABLE_CUSTOM=y",
    }
    assert expected <= set(lines)
    assert ("CONFIG_SPIRAM_MODE_OCT=y" in lines) == (board.psram_mode == "octal")
    (stack,) = [int(line.split("=")[1]) for line in lines if "MAIN_TASK_STACK" in line]
    assert stack >= 8192


@pytest.mark.parametrize("board", CAMERA_BOARDS, ids=lambda board: board.name)
def test_write_esp_idf_partitions_do_not_overlap(tmp_path: Path, board: Board) -> None:
    folder = written(tmp_path / "project", "esp-idf", board=board)
    lines = (folder / "partitions.csv").read_text().splitlines()
    rows = [line.split(", ") for line in lines if not line.startswith("#")]
    spans = sorted((int(offset, 16), int(size, 16)) for *_, offset, size in rows)
    assert spans[-1] == (0x10000, board.partition_bytes)
    assert all(start + size <= after for (start, size), (after, _) in itertools.pairwise(spans))
    assert sum(spans[-1]) <= board.flash_bytes


@pytest.mark.parametrize("board", CAMERA_BOARDS, ids=lambda board: board.name)
def test_write_esp_idf_pins_are_those_of_the_board(tmp_path: Path, board: Board) -> None:
    text = (written(tmp_path / "project", "esp-idf", board=board) / "main/board.h").read_text()
    pins = dict(re.findall(r"#define CAMERA_PIN_(\w+) (-?\d+)", text))
    assert board.camera is not None
    others = {"xclk_hz", "flip_vertically", "pull_ups"}
    expected = board.camera.model_dump(exclude=others)
    assert {name.lower(): int(pin) for name, pin in pins.items()} == expected


def test_write_places_a_large_arena_in_psram(tmp_path: Path) -> None:
    for arena_bytes, is_internal, rounded in ((102_400, 1, 102_400), (102_401, 0, 102_416)):
        model = dataclasses.replace(MODEL, arena_bytes=arena_bytes)
        folder = written(tmp_path / str(arena_bytes), "esp-idf", model)
        text = (folder / "main/settings.h").read_text()
        assert f"#define ARENA_IN_INTERNAL_RAM {is_internal}\n" in text
        assert f"#define ARENA_BYTES {rounded}\n" in text


def test_write_registers_exactly_the_operators_of_the_network(tmp_path: Path) -> None:
    source = (written(tmp_path / "project", "esp-idf") / "main/classifier.cpp").read_text()
    added = re.findall(r"resolver\.(\w+)\(\)", source)
    assert added == ["AddConv2D", "AddMaxPool2D", "AddReshape", "AddFullyConnected", "AddSoftmax"]
    assert "MicroMutableOpResolver<5>" in source


def test_write_knows_the_method_of_every_operator(tmp_path: Path) -> None:
    model = dataclasses.replace(MODEL, operators=tuple(sorted(SUPPORTED)))
    text = (written(tmp_path / "array", "c", model) / "README.md").read_text()
    assert set(re.findall(r"resolver\.(\w+)\(\)", text)) == ADD_METHODS


def test_write_esp_idf_requires_fast_components(tmp_path: Path) -> None:
    text = (written(tmp_path / "project", "esp-idf") / "main/idf_component.yml").read_text()
    assert 'espressif/esp-tflite-micro: "^1.4.0"' in text
    assert 'espressif/esp-nn: "~1.4.1"' in text  # the arena is computed for this version
    assert 'espressif/esp32-camera: ">=2.0.15,<3.0.0"' in text


@pytest.mark.parametrize(
    ("name", "formats", "expected"),
    [
        ("esp32-s3-eye", ["esp-idf", "c"], {"1.4"}),
        ("esp32-s3-eye", ["arduino"], {"1.4", "1.2.3"}),
        ("esp-eye", ["arduino"], set()),
    ],
)
def test_kernels_are_those_that_the_firmware_contains(
    name: str, formats: list[str], expected: set[str]
) -> None:
    assert set(firmware.with_kernels_of(load_board(name), formats).kernel_versions) == expected


def test_readme_holds_commands_expected_output_and_quirks(tmp_path: Path) -> None:
    expected = "arena: 39696 of 40016 bytes used\ncat 97.3%\n```\n# no heading"
    model = dataclasses.replace(MODEL, expected=expected)
    text = (written(tmp_path / "project", "esp-idf", model) / "README.md").read_text()
    for command in ("idf.py set-target esp32", "idf.py build", "idf.py -p PORT flash monitor"):
        assert f"    {command}\n" in text
    assert "    cat 97.3%\n    ```\n    # no heading\n" in text
    assert all(quirk.split(",")[0] in text for quirk in EYE.quirks)
    assert "/dev/ttyUSB0" in text


TITLES = st.one_of(
    st.sampled_from(["*/ int x; /*", "`rm -rf` $(HOME)", "{{ model }} {% raw %} {# #}", "<b>"]),
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.text(st.sampled_from("*/\\?\"'\n\r%#{}<!u0 \u2028"), max_size=12),
)


@given(title=TITLES)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_readme_title_is_not_markup(tmp_path_factory: pytest.TempPathFactory, title: str) -> None:
    model = dataclasses.replace(MODEL, title=title)
    plain = written(tmp_path_factory.mktemp("plain") / "a", "c") / "README.md"
    readme = written(tmp_path_factory.mktemp("title") / "a", "c", model) / "README.md"
    lines = readme.read_bytes().decode("utf-8").split("\n")
    assert lines[1:] == plain.read_text(encoding="utf-8").split("\n")[1:]
    assert not re.search(r"(?<!\\)[<>`\[\]]", lines[0].replace("\\\\", ""))


@pytest.mark.parametrize("format_name", FIRMWARE_FORMATS)
def test_write_needs_an_empty_folder(tmp_path: Path, format_name: str) -> None:
    kept = tmp_path / "README.md"
    kept.write_text("mine")
    for folder in (tmp_path, tmp_path / "missing", kept):
        with pytest.raises(UsageError) as caught:
            firmware.write(format_name, folder, MODEL, EYE)
        assert str(folder) in (caught.value.received or "")
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert kept.read_text() == "mine"


def test_write_refuses_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        firmware.write("zephyr", tmp_path, MODEL, EYE)
    assert caught.value.received == "zephyr"


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        ({"image_shape": (32, 32, 2)}, "32 x 32 x 2"),
        ({"image_shape": (0, 32, 3)}, "0 x 32 x 3"),
        ({"content": b"PK\x03\x04 a zip file"}, "15 bytes"),
        ({"content": b""}, "0 bytes"),
        ({"class_names": ()}, "0 and 6"),
        ({"operators": ()}, "3 and 0"),
        ({"arena_bytes": 0}, "0"),
        ({"output_scale": float("nan")}, "nan and -128"),
        ({"output_scale": 0.0}, "0.0 and -128"),
        ({"output_zero_point": 128}, "0.00390625 and 128"),
    ],
)
def test_firmware_model_refuses_invalid_values(changes: dict[str, Any], received: str) -> None:
    with pytest.raises(UsageError) as caught:
        dataclasses.replace(MODEL, **changes)
    assert (caught.value.received or "").startswith(received)


@pytest.mark.parametrize(
    ("changes", "error", "field", "text"),
    [
        ({"operators": ("CONV_2D", "GELU")}, UsageError, "received", "GELU"),
        ({"image_shape": (500, 500, 3)}, UsageError, "expected", "at most 480 x 640"),
        (
            {"content": MODEL.content + bytes(4_000_000)},
            BoardError,
            "expected",
            "3,667,968 bytes of flash",
        ),
        ({"arena_bytes": 4_194_305}, BoardError, "expected", "4,194,304 of RAM"),
        ({"arena_bytes": 4_190_000}, BoardError, "received", "18,432 bytes for 96 x 96"),
    ],
)
def test_write_refuses_a_network_that_the_board_cannot_run(
    tmp_path: Path, changes: dict[str, Any], error: type[EyetuneError], field: str, text: str
) -> None:
    model = dataclasses.replace(MODEL, **changes)
    for format_name in ("esp-idf", "arduino"):
        with pytest.raises(error) as caught:
            firmware.write(format_name, tmp_path, model, EYE)
        assert text in caught.value.details()[field]
    assert not list(tmp_path.iterdir())


def test_write_for_a_board_without_chip_or_camera_is_c_only(tmp_path: Path) -> None:
    without_camera = EYE.model_copy(update={"camera": None})
    for board in (load_board("nucleo-l4r5zi"), without_camera):
        for format_name in ("esp-idf", "arduino"):
            with pytest.raises(UsageError) as caught:
                firmware.write(format_name, tmp_path, MODEL, board)
            assert "--format c" in (caught.value.fix or "")
            with pytest.raises(UsageError):
                firmware.check_board(board, ["c", format_name], (32, 32, 3))
        firmware.check_board(board, ["c"], (32, 32, 3))
    assert not list(tmp_path.iterdir())
    assert firmware.write("c", tmp_path, MODEL, without_camera)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clock_hz", 239_000_000),
        ("flash_bytes", 4_200_000),
        ("partition_bytes", 4_128_767),
        ("partition_bytes", 4_190_208),
    ],
)
def test_check_board_refuses_values_that_esp_idf_lacks(name: str, value: int) -> None:
    board = EYE.model_copy(update={name: value})
    with pytest.raises(UsageError) as caught:
        firmware.check_board(board, ["esp-idf"], (32, 32, 3))
    assert caught.value.received == f"{name} = {value}"


def test_board_without_psram_shares_internal_ram(tmp_path: Path) -> None:
    board = EYE.model_copy(update={"psram_bytes": 0, "psram_mode": ""})
    folder = written(tmp_path / "project", "esp-idf", board=board)
    assert "SPIRAM" not in (folder / "sdkconfig.defaults").read_text()
    assert "#define HAS_PSRAM 0" in (folder / "main/board.h").read_text()
    with pytest.raises(BoardError):
        firmware.check_board(board, ["esp-idf"], (300, 300, 3))
    with pytest.raises(BoardError):
        written(
            tmp_path / "other", "esp-idf", dataclasses.replace(MODEL, arena_bytes=90_000), board
        )
