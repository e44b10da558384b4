"""Firmware compiled with gcc and run on this computer, against stand-ins for ESP-IDF."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyetune.device.boards.profiles import Board
from eyetune.device.firmware import (
    UnknownRule,
    preprocess,
    read_known_results,
    read_result,
)
from eyetune.recipe import Resize
from tests.device.firmware.stand_ins import (
    CAMERA_BOARDS,
    EYE,
    GCC,
    MODEL,
    WARNINGS,
    compile_and_run,
    model_with,
    needs_gcc,
    run,
    written,
)

pytestmark = needs_gcc
STARTER = 'extern "C" void app_main();\nint main() { app_main(); return 0; }\n'


def answer(image: NDArray[np.int8]) -> str:
    """Return what the firmware prints for an image, whose first values are the scores."""
    index, per_mille = read_result(image.reshape(-1)[:3], 1 / 256, -128)
    return f"{MODEL.class_names[index]} {per_mille // 10}.{per_mille % 10}% 131 ms"


@pytest.mark.parametrize("board", CAMERA_BOARDS, ids=lambda board: board.name)
def test_project_classifies_frames(tmp_path: Path, board: Board) -> None:
    folder = written(tmp_path / "project", "esp-idf", board=board)
    lines = compile_and_run(tmp_path, folder / "main", STARTER, MODEL, (96, 96))
    camera = board.camera
    assert camera is not None
    expected = ["self-test: PASS"]
    expected += [f"pull-up 1: pin {pin}" for pin in camera.pull_ups]
    expected.append(
        f"camera xclk={camera.xclk} sda={camera.sda} scl={camera.scl} d0={camera.d0} "
        f"d7={camera.d7} pclk={camera.pclk} hz={camera.xclk_hz} frame=0 count=1 location=0 port=0"
    )
    if camera.flip_vertically:
        expected.append("flipped 1")
    frame = np.fromfile(tmp_path / "frame.rgb565", np.uint8).reshape(96, 96, 2)
    image = np.fromfile(tmp_path / "image.int8", np.int8).reshape(32, 32, 3)
    np.testing.assert_array_equal(image, preprocess(frame, (32, 32, 3)))
    expected += ["arena: 40000 of 40016 bytes used", answer(image)]
    assert lines[: len(expected)] == expected
    missing, incomplete, last = lines[len(expected) :]
    assert missing.startswith("E prediction: ")
    assert incomplete.startswith("E prediction: ")
    assert "10 bytes" in incomplete
    assert last == answer(image)


RULE = UnknownRule(tuple(round((1 << 24) * 0.99**step) for step in range(256)), True, 0)


@pytest.mark.parametrize("format_name", ["esp-idf", "arduino"])
@pytest.mark.parametrize("is_unknown", [False, True])
def test_firmware_prints_what_is_unknown(
    tmp_path: Path, format_name: str, is_unknown: bool
) -> None:
    frame = np.random.default_rng(7).integers(0, 256, (96, 96, 2), dtype=np.uint8)
    scores = preprocess(frame, MODEL.image_shape).reshape(-1)[:3]
    (confidence,) = RULE.confidences(scores[np.newaxis])
    rule = dataclasses.replace(RULE, threshold=int(confidence) + is_unknown)
    model = dataclasses.replace(MODEL, unknown=rule, vote_frames=3)
    folder = written(tmp_path / "project", format_name, model)
    starter, sources = STARTER, folder / "main"
    if format_name == "arduino":
        sources = folder / "eyetune_camera"
        starter = (
            f'#include "Arduino.h"\n#include "{sources}/eyetune_camera.ino"\n'
            "int main() { setup(); loop(); return 0; }\n"
        )
    lines = compile_and_run(tmp_path, sources, starter, model, (96, 96))
    answers = read_known_results(scores[np.newaxis], rule)
    label = "unknown" if is_unknown else MODEL.class_names[scores.argmax()]
    (per_mille,) = answers.per_mille.tolist()
    printed = [line for line in lines if line.endswith(" ms")]
    assert printed == [f"{label} {per_mille // 10}.{per_mille % 10}% 131 ms"] * len(printed)
    assert printed


def test_array_holds_the_rule_for_unknown_pictures(tmp_path: Path) -> None:
    rule = dataclasses.replace(RULE, threshold=12_345)
    model = dataclasses.replace(MODEL, unknown=rule, vote_frames=5)
    folder = written(tmp_path / "array", "c", model)
    (folder / "check.c").write_text(
        '#include <stdio.h>\n#include "unknown.h"\n'
        'int main(void) { printf("%s %d %u %d\\n", UNKNOWN_LABEL, VOTE_FRAMES,'
        " (unsigned)unknown_rule.threshold, (int)unknown_rule.scores_are_logits);"
        ' for (int i = 0; i < 256; i++) printf("%u\\n", (unsigned)unknown_rule.weights[i]); }\n'
    )
    run([str(GCC), "-std=c99", *WARNINGS, "check.c", "result.c", "-o", "check"], folder)
    first, *weights = run([str(folder / "check")], folder).splitlines()
    assert first == "unknown 5 12345 1"
    assert tuple(map(int, weights)) == rule.weights


@pytest.mark.parametrize("resize", get_args(Resize))
def test_sketch_classifies_grayscale_frames(tmp_path: Path, resize: Resize) -> None:
    model = model_with((50, 60, 1), resize)
    folder = written(tmp_path / "sketch", "arduino", model) / "eyetune_camera"
    starter = (
        f'#include "Arduino.h"\n#include "{folder}/eyetune_camera.ino"\n'
        "int main() { setup(); loop(); return 0; }\n"
    )
    lines = compile_and_run(tmp_path, folder, starter, model, (160, 120))
    frame = np.fromfile(tmp_path / "frame.rgb565", np.uint8).reshape(120, 160, 2)
    image = np.fromfile(tmp_path / "image.int8", np.int8).reshape(model.image_shape)
    np.testing.assert_array_equal(image, preprocess(frame, model.image_shape, resize))
    assert lines[0] == "self-test: PASS"
    assert lines[-2:] == ["arena: 40000 of 40016 bytes used", answer(image)]


@pytest.mark.parametrize(
    ("macros", "pattern"),
    [
        (["NEEDED_BYTES=70000"], r"arena: 70000 of 90016 bytes used"),
        (["INTERNAL_BYTES=1000"], r"W classifier: .*40016 bytes .*external RAM"),
        (["NEEDED_BYTES=900000"], r"E classifier: .*ARENA_BYTES"),
        (["INTERNAL_BYTES=0", "EXTERNAL_BYTES=0"], r"E classifier: .*\b0 bytes.*\b0 bytes"),
        (["SCHEMA=4"], r"E classifier: .*version 4"),
        (["SCORES=5"], r"E classifier: .*3 int8 scores"),
        (["CAMERA_ERROR=-1"], r"E camera: .*ESP_FAIL"),
    ],
)
def test_project_logs_what_goes_wrong(tmp_path: Path, macros: list[str], pattern: str) -> None:
    folder = written(tmp_path / "project", "esp-idf")
    lines = compile_and_run(tmp_path, folder / "main", STARTER, MODEL, (96, 96), *macros)
    assert any(re.match(pattern, line) for line in lines), lines


def test_array_holds_the_model_and_is_aligned(tmp_path: Path) -> None:
    folder = written(tmp_path / "array", "c")
    (folder / "check.c").write_text(
        '#include <stdint.h>\n#include <stdio.h>\n#include "model_data.h"\n#include "settings.h"\n'
        "int main(void) { if ((uintptr_t)model_data % 16) return 1;"
        ' printf("%d %d %d ", IMAGE_HEIGHT, IMAGE_WIDTH, IMAGE_CHANNELS);'
        ' printf("%.9g %d\\n", OUTPUT_SCALE, OUTPUT_ZERO_POINT);'
        " for (unsigned int i = 0; i < model_data_bytes; i++)"
        ' printf("%02x", model_data[i]); }\n'
    )
    run([str(GCC), "-std=c11", *WARNINGS, "check.c", "model_data.c", "-o", "check"], folder)
    settings_line, content = run([str(folder / "check")], folder).splitlines()
    assert settings_line == "32 32 3 0.00390625 -128"
    assert bytes.fromhex(content) == MODEL.content
    assert max(len(line) for line in (folder / "model_data.c").read_text().splitlines()) <= 120


def test_array_that_compilers_would_not_align_is_aligned(tmp_path: Path) -> None:
    model = dataclasses.replace(MODEL, content=MODEL.content[:9])
    folder = written(tmp_path / "array", "c", model)
    assembler = run([str(GCC), "-std=c11", "-S", "-o", "-", "model_data.c"], folder)
    assert re.search(r"\.align\s+16\s(\s*\.(type|size)[^\n]*\n)*model_data:", assembler), assembler


HOSTILE = [
    'quote " end',
    "back\\slash\\",
    "*/ int x; /*",
    "line\nbreak\r\n#error broken",
    "??/",
    "??/\n#error trigraph",
    "???/\n#error trigraph",
    "100%s%n%d",
    "\U0001f408 cat",
    "caf\u00e9",
    "\u202eright to left",
    "nul\0byte",
    "\ud800 half a letter",
    "`rm -rf` $(HOME) ${HOME} $ENV{HOME}",
    "{{ model }} {% raw %} {# #}",
    "",
    " ",
    "a" * 5000,
    "\\\n#error spliced",
    "*\\/ #error",
    "/\\\n*",
]
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.text(st.sampled_from("*/\\?\"'\n\r%#{}<!u0 \u2028"), max_size=12),
)


def as_printed(text: str) -> bytes:
    """Return how a name is printed on the serial port: a line of UTF-8."""
    spaced = re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text)
    return re.sub(r"[\ud800-\udfff]", "?", spaced).encode("utf-8")


@given(names=st.lists(TEXTS, min_size=1, max_size=8), title=TEXTS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_names_and_titles_stay_strings_and_comments(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], title: str
) -> None:
    model = dataclasses.replace(MODEL, class_names=tuple(names), title=title)
    folder = written(tmp_path_factory.mktemp("hostile") / "array", "c", model)
    (folder / "check.c").write_text(
        '#include <stdio.h>\n#include "labels.h"\n#include "settings.h"\n#include "model_data.h"\n'
        "int main(void) { for (int i = 0; i < NUM_CLASSES; i++)"
        ' printf("%s\\n", labels[i]); }\n'
    )
    run([str(GCC), "-std=c99", "-trigraphs", *WARNINGS, "check.c", "-o", "check"], folder)
    run([str(GCC), "-std=c11", "-trigraphs", *WARNINGS, "-fsyntax-only", "model_data.c"], folder)
    done = subprocess.run([folder / "check"], capture_output=True, check=True)
    assert done.stdout.split(b"\n")[:-1] == [as_printed(name) for name in names]


def test_project_compiles_with_all_hostile_names(tmp_path: Path) -> None:
    model = dataclasses.replace(MODEL, class_names=tuple(HOSTILE), title="".join(HOSTILE))
    changes = {"title": 'ESP*/ "\\\n#error', "quirks": ("a\nb", "<script>")}
    folder = written(tmp_path / "project", "esp-idf", model, EYE.model_copy(update=changes))
    scores = f"SCORES={len(HOSTILE)}"
    lines = compile_and_run(tmp_path, folder / "main", STARTER, model, (96, 96), scores)
    assert len([line for line in lines if line.endswith("131 ms")]) == 2
