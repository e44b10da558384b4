"""The firmware's C against Python: preprocessing of frames and reading of scores."""

from __future__ import annotations

import math
import shutil
import struct
import subprocess
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from eyetune.data.sources.image_file import decode
from eyetune.device.firmware import camera_frame, preprocess, read_result
from eyetune.device.firmware.image import image_of_frame, rgb565
from eyetune.errors import UsageError
from eyetune.recipe import Resize

GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="gcc compiles the firmware's C")
STRICT = ("-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

# Buffers have exactly the size that is needed, so that the sanitizer detects a byte too far.
HARNESS = r"""
#include <stdio.h>
#include <stdlib.h>
#include "image.h"
#include "result.h"

static void need(int condition) { if (!condition) exit(2); }

static void image(void)
{
    uint32_t sizes[6];
    need(fread(sizes, 4, 6, stdin) == 6);
    const size_t frame_bytes = (size_t)2 * sizes[0] * sizes[1];
    const size_t image_bytes = (size_t)sizes[2] * sizes[3] * sizes[4];
    uint8_t *frame = malloc(frame_bytes);
    int8_t *values = malloc(image_bytes);
    need(frame && values && fread(frame, 1, frame_bytes, stdin) == frame_bytes);
    const CameraFrame source = {frame, sizes[0], sizes[1]};
    const NetworkImage filled = {values, sizes[2], sizes[3], sizes[4]};
    fill_image(source, filled, (Resize)sizes[5]);
    need(fwrite(values, 1, image_bytes, stdout) == image_bytes);
    free(frame);
    free(values);
}

static void result(void)
{
    uint32_t count;
    float scale;
    int32_t zero_point;
    need(fread(&count, 4, 1, stdin) == 1 && fread(&scale, 4, 1, stdin) == 1);
    need(fread(&zero_point, 4, 1, stdin) == 1);
    int8_t *scores = malloc(count);
    need(scores && fread(scores, 1, count, stdin) == count);
    const Result answer = read_result(scores, count, scale, zero_point);
    need(fwrite(&answer, 4, 2, stdout) == 2);
    free(scores);
}

int main(void)
{
    for (int kind = getchar(); kind != EOF; kind = getchar()) {
        if (kind == 'i') image(); else result();
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harness")
    sources = resources.files("eyetune.device.firmware") / "templates" / "source"
    for name in ("image.c", "image.h", "result.c", "result.h"):
        (folder / name).write_text((sources / name).read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "harness.c").write_text(HARNESS, encoding="utf-8")
    program = folder / "harness"
    command = [
        str(GCC),
        *STRICT,
        *SANITIZED,
        "harness.c",
        "image.c",
        "result.c",
        "-o",
        str(program),
    ]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return program


def response(harness: Path, request: bytes) -> bytes:
    done = subprocess.run([harness], input=request, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def image_in_c(
    harness: Path,
    frame: NDArray[np.uint8],
    shape: tuple[int, int, int],
    resize: Resize = "crop",
) -> NDArray[np.int8]:
    way = get_args(Resize).index(resize)
    sizes = struct.pack("=6I", frame.shape[1], frame.shape[0], shape[1], shape[0], shape[2], way)
    content = response(harness, b"i" + sizes + frame.tobytes())
    return np.frombuffer(content, np.int8).reshape(shape)


def random_frame(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 2), dtype=np.uint8)


def colors(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Read RGB565 with divisions, unlike the code under test."""
    pixels = frame[..., 0].astype(int) * 256 + frame[..., 1]
    return np.stack([pixels // 2048 * 8, pixels // 32 % 64 * 4, pixels % 32 * 8], axis=-1).astype(
        np.uint8
    )


def value_by_definition(
    channel: NDArray[np.uint8], row: int, column: int, height: int, width: int
) -> int:
    """Integrate over the area that a value covers, in exact fractions, and round half up."""
    rows, columns = (
        Fraction(length, size) for length, size in zip(channel.shape, (height, width), strict=True)
    )
    total = Fraction(0)
    for y in range(channel.shape[0]):
        part_y = min(Fraction(y + 1), (row + 1) * rows) - max(Fraction(y), row * rows)
        for x in range(channel.shape[1]):
            part_x = min(Fraction(x + 1), (column + 1) * columns) - max(
                Fraction(x), column * columns
            )
            if part_x > 0 and part_y > 0:
                total += part_x * part_y * int(channel[y, x])
    return math.floor(total / (rows * columns) + Fraction(1, 2))


@st.composite
def requests(draw: st.DrawFn, largest: int = 40) -> tuple[NDArray[np.uint8], tuple[int, int, int]]:
    """Draw a frame of any size and the shape of an image that is not larger."""
    height, width = (draw(st.integers(1, largest)) for _ in range(2))
    shape = (
        draw(st.integers(1, height)),
        draw(st.integers(1, width)),
        draw(st.sampled_from([1, 3])),
    )
    return random_frame(height, width, draw(st.integers(0, 2**32 - 1))), shape


@needs_gcc
@given(request=requests(), resize=st.sampled_from(get_args(Resize)))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_preprocess_in_c_and_python_agree(
    harness: Path, request: tuple[NDArray[np.uint8], tuple[int, int, int]], resize: Resize
) -> None:
    frame, shape = request
    np.testing.assert_array_equal(
        image_in_c(harness, frame, shape, resize), preprocess(frame, shape, resize)
    )


@needs_gcc
@given(request=requests(largest=70), resize=st.sampled_from(["crop", "pad"]))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_photo_and_frame_become_the_same_image(
    harness: Path,
    tmp_path: Path,
    request: tuple[NDArray[np.uint8], tuple[int, int, int]],
    resize: Resize,
) -> None:
    frame, shape = request
    Image.fromarray(colors(frame)).save(tmp_path / "photo.png", compress_level=0)
    image = decode(tmp_path / "photo.png", shape, resize).astype(int)
    np.testing.assert_array_equal(image - 128, image_in_c(harness, frame, shape, resize))


@needs_gcc
@given(
    sizes=st.tuples(*[st.integers(1, 12)] * 2, *[st.integers(1, 40)] * 2),
    channels=st.sampled_from([1, 3]),
    resize=st.sampled_from(get_args(Resize)),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_small_frames_are_enlarged_alike(
    harness: Path, sizes: tuple[int, int, int, int], channels: int, resize: Resize
) -> None:
    """Also for long and narrow images, whose crop has at least one pixel."""
    height, width, *size = sizes
    frame, shape = random_frame(height, width), (size[0], size[1], channels)
    np.testing.assert_array_equal(
        image_in_c(harness, frame, shape, resize), image_of_frame(frame, shape, resize)
    )


def test_rgb565_rounds_colors_down() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    expected = pixels & np.array([0xF8, 0xFC, 0xF8], np.uint8)
    np.testing.assert_array_equal(colors(rgb565(pixels)), expected)


@needs_gcc
@pytest.mark.parametrize("size", [(1152, 864), (769, 1201)])
@pytest.mark.parametrize("side", [32, 96, 224])
def test_large_photo_and_frame_become_the_same_image(
    harness: Path, tmp_path: Path, size: tuple[int, int], side: int
) -> None:
    frame = random_frame(size[1], size[0])
    Image.fromarray(colors(frame)).save(tmp_path / "photo.png", compress_level=0)
    for resize in ("crop", "pad"):
        image = decode(tmp_path / "photo.png", (side, side, 3), resize).astype(int)
        expected = image_in_c(harness, frame, (side, side, 3), resize)
        np.testing.assert_array_equal(image - 128, expected)


@needs_gcc
@pytest.mark.parametrize(
    "shape",
    [
        *((32, 32, 3), (32, 32, 1), (28, 28, 1), (64, 48, 3)),
        *((96, 96, 1), (128, 128, 3), (224, 224, 3), (480, 640, 3)),
    ],
)
def test_preprocess_in_c_and_python_agree_on_camera_frames(
    harness: Path, shape: tuple[int, int, int]
) -> None:
    frame = camera_frame(shape)
    pixels = random_frame(frame.height, frame.width, seed=sum(shape))
    np.testing.assert_array_equal(image_in_c(harness, pixels, shape), preprocess(pixels, shape))


@needs_gcc
@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_preprocess_sums_stay_within_32_bits(harness: Path, byte: int) -> None:
    frame = np.full((1200, 1600, 2), byte, np.uint8)
    expected = np.array([[[248, 252, 248]]]) * (byte // 255) - 128
    np.testing.assert_array_equal(image_in_c(harness, frame, (1, 1, 3)), expected)
    np.testing.assert_array_equal(preprocess(frame, (1, 1, 3)), expected)


@given(request=requests(largest=9))
@settings(max_examples=60, deadline=None)
def test_preprocess_value_is_the_rounded_mean_of_its_area(
    request: tuple[NDArray[np.uint8], tuple[int, int, int]],
) -> None:
    frame, (height, width, _) = request
    image = preprocess(frame, (height, width, 3))
    # The largest crop in the center with the aspect ratio of the image, in whole pixels.
    crop_width = min(frame.shape[1], frame.shape[0] * width // height)
    crop_height = min(frame.shape[0], frame.shape[1] * height // width)
    top, left = (frame.shape[0] - crop_height) // 2, (frame.shape[1] - crop_width) // 2
    cropped = colors(frame)[top : top + crop_height, left : left + crop_width]
    for row, column, channel in np.ndindex(height, width, 3):
        expected = value_by_definition(cropped[..., channel], row, column, height, width)
        assert image[row, column, channel] == expected - 128


def test_preprocess_of_96_pixels_to_32_is_a_mean_of_3_by_3() -> None:
    frame = random_frame(96, 96)
    blocks = colors(frame).reshape(32, 3, 32, 3, 3).astype(int).sum(axis=(1, 3))
    np.testing.assert_array_equal(preprocess(frame, (32, 32, 3)), (blocks + 4) // 9 - 128)


def test_preprocess_grayscale_is_that_of_pillow() -> None:
    frame = random_frame(60, 80)
    gray = np.asarray(Image.fromarray(colors(frame)).convert("L")).astype(int)
    np.testing.assert_array_equal(preprocess(frame, (60, 80, 1))[..., 0], gray - 128)


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        ((0xF8, 0x00), (248, 0, 0)),
        ((0x07, 0xE0), (0, 252, 0)),
        ((0x00, 0x1F), (0, 0, 248)),
        ((0x10, 0xA3), (16, 20, 24)),
    ],
)
def test_preprocess_takes_the_high_byte_first(
    pixel: tuple[int, int], expected: tuple[int, int, int]
) -> None:
    frame = np.full((2, 2, 2), pixel, np.uint8)
    assert tuple(preprocess(frame, (1, 1, 3)).astype(int)[0, 0] + 128) == expected


@pytest.mark.parametrize(
    ("frame", "shape"),
    [
        (np.zeros((31, 96, 2), np.uint8), (32, 32, 3)),
        (np.zeros((96, 31, 2), np.uint8), (32, 32, 3)),
        (np.zeros((96, 96, 3), np.uint8), (32, 32, 3)),
        (np.zeros((96, 96), np.uint8), (32, 32, 3)),
        (np.zeros((96, 96, 2), np.int16), (32, 32, 3)),
        (np.zeros((96, 96, 2), np.uint8), (32, 32, 2)),
        (np.zeros((96, 96, 2), np.uint8), (0, 32, 3)),
        (np.broadcast_to(np.zeros(1, np.uint8), (5000, 4000, 2)), (32, 32, 3)),
    ],
)
def test_preprocess_refuses_invalid_frames(
    frame: NDArray[np.uint8], shape: tuple[int, int, int]
) -> None:
    with pytest.raises(UsageError):
        preprocess(frame, shape)


@pytest.mark.parametrize(
    ("shape", "name", "crop"),
    [
        ((32, 32, 3), "FRAMESIZE_96X96", (0, 0, 96, 96)),
        ((97, 97, 3), "FRAMESIZE_QQVGA", (20, 0, 120, 120)),
        ((128, 128, 3), "FRAMESIZE_240X240", (0, 0, 240, 240)),
        ((120, 160, 1), "FRAMESIZE_QQVGA", (0, 0, 160, 120)),
        ((32, 64, 3), "FRAMESIZE_96X96", (0, 24, 96, 48)),
        ((296, 296, 1), "FRAMESIZE_CIF", (52, 0, 296, 296)),
        ((480, 640, 3), "FRAMESIZE_VGA", (0, 0, 640, 480)),
    ],
)
def test_camera_frame_is_the_smallest_large_enough(
    shape: tuple[int, int, int], name: str, crop: tuple[int, int, int, int]
) -> None:
    frame = camera_frame(shape)
    assert frame.name == name
    assert (frame.left, frame.top, frame.crop_width, frame.crop_height) == crop
    assert frame.bytes == 2 * frame.width * frame.height


@pytest.mark.parametrize("resize", ["pad", "squash"])
@pytest.mark.parametrize(
    ("side", "name"),
    [(32, "FRAMESIZE_QQVGA"), (224, "FRAMESIZE_QVGA"), (300, "FRAMESIZE_VGA")],
)
def test_camera_frame_of_whole_pictures_is_not_square(side: int, name: str, resize: Resize) -> None:
    frame = camera_frame((side, side, 3), resize)
    assert frame.name == name
    whole = (0, 0, frame.width, frame.height)
    assert (frame.left, frame.top, frame.crop_width, frame.crop_height) == whole


def test_camera_frame_refuses_larger_images() -> None:
    with pytest.raises(UsageError) as caught:
        camera_frame((481, 640, 3))
    assert caught.value.expected == "at most 480 x 640 pixels (height, width)"
    assert caught.value.received == "481 x 640"


@needs_gcc
@given(
    scores=st.lists(st.integers(-128, 127), min_size=1, max_size=12),
    scale=st.one_of(
        st.just(1 / 256),
        st.floats(width=32, min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False),
    ),
    zero_point=st.integers(-128, 127),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_read_result_in_c_and_python_agrees(
    harness: Path, scores: list[int], scale: float, zero_point: int
) -> None:
    values = np.array(scores, np.int8)
    request = b"r" + struct.pack("=Ifi", len(scores), scale, zero_point) + values.tobytes()
    assert struct.unpack("=2I", response(harness, request)) == read_result(
        values, scale, zero_point
    )


@given(scores=st.lists(st.integers(-128, 127), min_size=1, max_size=12))
def test_read_result_returns_the_first_best_class(
    scores: list[int],
) -> None:
    index, per_mille = read_result(np.array(scores, np.int8), 1 / 256, -128)
    assert index == scores.index(max(scores))
    assert per_mille == math.floor(Fraction(max(scores) + 128, 256) * 1000 + Fraction(1, 2))
