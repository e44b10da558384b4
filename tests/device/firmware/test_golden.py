"""The self-test of the firmware: faults are built into its C, and must be named."""

from __future__ import annotations

import dataclasses
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from eyetune.device.firmware import golden_picture
from eyetune.device.firmware.golden import Fault, checksums
from eyetune.recipe import Resize
from eyetune.testing.datasets import tiny_images
from tests.device.firmware.stand_ins import (
    GCC,
    MODEL,
    WARNINGS,
    first_values,
    model_with,
    needs_gcc,
    run,
    written,
)

SCALED_TWICE, OTHER_IMAGE, OTHER_MODEL, OTHER_ANSWER = 128, 256, 512, 1024
MAIN = r"""
#include <stdio.h>
#include "labels.h"
#include "model_data.h"
#include "self_test.h"
#include "settings.h"

static int8_t values[IMAGE_HEIGHT * IMAGE_WIDTH * IMAGE_CHANNELS];

int main(void)
{
    static char text[FAULT_TEXT_BYTES];
    const NetworkImage image = {values, IMAGE_WIDTH, IMAGE_HEIGHT, IMAGE_CHANNELS};
    fill_image(golden_picture.frame, image, IMAGE_RESIZE);
    const uint32_t faults = faults_of_image(&golden_picture, image)
        | faults_of_model(&golden_picture, model_data, model_data_bytes);
    describe_faults(faults, text);
    printf("%u %s\n", (unsigned)faults, text);
    for (unsigned lead = 0; lead < 40; lead++) {
        int8_t scores[NUM_CLASSES] = {0};
        scores[golden_picture.class_index] = 50;
        scores[(golden_picture.class_index + 1) % NUM_CLASSES] = (int8_t)(50 + lead);
        printf("%u ", (unsigned)faults_of_answer(&golden_picture, scores, NUM_CLASSES));
    }
    describe_faults(0xffffffffu, text);
    printf("\n%s\n", text);
    for (unsigned fault = 1; fault <= FAULT_OTHER_ANSWER; fault *= 2) {
        describe_faults(fault, text);
        printf("%s\n", text);
    }
    return 0;
}
"""
LESS_128 = "(int8_t)((int32_t)value - 128)"
RED, GREEN, BLUE = (f"*values++ = less_128(color.{color});" for color in ("red", "green", "blue"))
MUTANTS: list[tuple[dict[str, str], int]] = [
    ({}, 0),
    ({"color.red)": "color.blue)", "color.blue)": "color.red)"}, Fault.RED_AND_BLUE),
    (
        {"pixels[2 * x]": "pixels[2 * x + 1]", "pixels[2 * x + 1]": "pixels[2 * x]"},
        Fault.BYTE_ORDER,
    ),
    ({"place, row, column)": "place, image.height - 1 - row, column)"}, Fault.UPSIDE_DOWN),
    ({"(source.top + y)": "(source.top + source.height - 1 - y)"}, Fault.UPSIDE_DOWN),
    ({"place, row, column)": "place, row, image.width - 1 - column)"}, Fault.MIRRORED),
    (
        {"place, row, column)": "place, image.height - 1 - row, image.width - 1 - column)"},
        Fault.UPSIDE_DOWN | Fault.MIRRORED,
    ),
    (
        {
            "color.red)": "color.blue)",
            "color.blue)": "color.red)",
            "place, row, column)": "place, row, image.width - 1 - column)",
        },
        Fault.RED_AND_BLUE | Fault.MIRRORED,
    ),
    ({"place, row, column)": "place, column, row)"}, Fault.TRANSPOSED),
    (
        {
            RED: "*values = less_128(color.red);",
            GREEN: "values[image.width * image.height] = less_128(color.green);",
            BLUE: "values[2 * image.width * image.height] = less_128(color.blue); values++;",
        },
        Fault.PLANES,
    ),
    ({LESS_128: "(int8_t)value"}, Fault.OFFSET),
    ({LESS_128: "(int8_t)((int32_t)value - 256)"}, Fault.OFFSET),
    ({LESS_128: "(int8_t)((int32_t)(value / 255.0f + 0.5f) - 128)"}, SCALED_TWICE),
    ({LESS_128: "(int8_t)(value / 255.0f)"}, SCALED_TWICE),
    ({LESS_128: "(int8_t)(((float)value - 128.0f) / 128.0f)"}, SCALED_TWICE),
    ({"(whole.width - area.width) / 2": "0"}, OTHER_IMAGE),
    ({"area / 2, area / 2, area / 2": "0, 0, 0"}, OTHER_IMAGE),
]


def replaced(text: str, changes: dict[str, str]) -> str:
    """Return a text with all replacements made at once."""
    assert all(old in text for old in changes)
    names = sorted(changes, key=len, reverse=True)
    pattern = "|".join(re.escape(old) for old in names)
    return re.sub(pattern, lambda match: changes[match[0]], text) if changes else text


def build(folder: Path) -> None:
    names = ["self_test.c", "golden.c", "model_data.c"]
    (folder / "main.c").write_text(MAIN, encoding="utf-8")
    run([str(GCC), "-std=c11", *WARNINGS, "-c", "main.c", *names], folder)


def output(folder: Path) -> list[str]:
    run([str(GCC), "-std=c99", *WARNINGS, "-c", "image.c"], folder)
    objects = ["main.o", "image.o", "self_test.o", "golden.o", "model_data.o"]
    run([str(GCC), *objects, "-o", "self-test"], folder)
    return run([str(folder / "self-test")], folder).splitlines()


@pytest.fixture(scope="module")
def firmware_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = written(tmp_path_factory.mktemp("golden") / "project", "esp-idf") / "main"
    build(folder)
    (folder / "image.c").rename(folder / "original.c")
    return folder


@needs_gcc
@pytest.mark.parametrize(("changes", "faults"), MUTANTS)
def test_self_test_names_faults_built_into_the_c(
    firmware_folder: Path, changes: dict[str, str], faults: int
) -> None:
    source = (firmware_folder / "original.c").read_text(encoding="utf-8")
    (firmware_folder / "image.c").write_text(replaced(source, changes), encoding="utf-8")
    number, text = output(firmware_folder)[0].split(" ", 1)
    assert int(number) == faults
    assert text == "PASS" if not faults else text.startswith("FAIL: ")


@needs_gcc
@pytest.mark.parametrize("resize", ["crop", "pad", "squash"])
@pytest.mark.parametrize("shape", [(33, 33, 1), (20, 50, 3)])
def test_self_test_passes_for_every_shape(
    tmp_path: Path, shape: tuple[int, int, int], resize: Resize
) -> None:
    model = model_with(shape, resize)
    folder = written(tmp_path / "project", "esp-idf", model) / "main"
    build(folder)
    passed, answers, _, *texts = output(folder)
    assert passed == "0 PASS"
    flags = list(map(int, answers.split()))  # by the lead of another class over the right one
    assert set(flags) == {0, OTHER_ANSWER}
    assert flags == sorted(flags)
    assert flags[0] == 0
    assert len(set(texts)) == len(texts) == 11
    assert all(text.startswith("FAIL: ") for text in texts)


@needs_gcc
def test_self_test_finds_the_network_of_another_export(tmp_path: Path) -> None:
    folder = written(tmp_path / "project", "esp-idf") / "main"
    model = dataclasses.replace(MODEL, content=MODEL.content[:-1] + b"x")
    other = written(tmp_path / "other", "esp-idf", model) / "main"
    (folder / "model_data.c").write_bytes((other / "model_data.c").read_bytes())
    build(folder)
    assert output(folder)[0].startswith(f"{OTHER_MODEL} FAIL: ")


def test_golden_picture_is_reproducible() -> None:
    images = tiny_images(30, 3)[0]
    picture = golden_picture(images, "crop", first_values)
    assert picture == golden_picture(images.copy(), "crop", first_values)
    assert len(picture.frame) == 2 * picture.width * picture.height


def test_golden_picture_shows_faults_and_has_a_sure_answer() -> None:
    colored = tiny_images(6, 3)[0]
    flat = np.full_like(colored[:2], 90)
    gray = np.repeat(colored[:2, ..., :1], 3, axis=-1)
    leads = np.array([90, 90, 90, 90, 10, 60, 20, 30, 60, 5])

    def classify(
        pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
        return np.stack([0 * leads, leads], axis=1).astype(np.int8)

    images = np.concatenate([flat, gray, colored])
    picture = golden_picture(images, "crop", classify)
    assert picture == golden_picture(images[5:6], "crop", lambda pixels: classify(pixels)[5:6])
    assert picture.class_index == 1
    found = checksums(picture.frame, (picture.width, picture.height), (32, 32, 3), "crop")
    assert {fault for _, fault in found.faults} >= set(Fault)


@pytest.mark.parametrize("resize", ["crop", "pad", "squash"])
def test_checksums_of_different_faults_differ(resize: Resize) -> None:
    picture = golden_picture(tiny_images(6, 3)[0], resize, first_values)
    size = (picture.width, picture.height)
    found = checksums(picture.frame, size, (32, 32, 3), resize)
    numbers = sorted([found.image, *(checksum for checksum, _ in found.faults)])
    assert all(first < second for first, second in pairwise(numbers))
