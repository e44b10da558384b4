"""A golden picture: what the firmware computes from it is known, so that it can test itself."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from eyetune.data.resize import resized
from eyetune.device.firmware.image import image_of_frame, rgb565
from eyetune.recipe import Resize

NUM_CANDIDATES = 64  # training images of which one is chosen
_NUM_COMPARED = 8  # of them, by the faults that they show
_SIZE = (48, 36)  # width and height in pixels: 4:3 as the sensor, so that the crop is tested too
_MIN_RANGE = 32  # of the values of an image that can be told from a flat one
# How a picture is made that becomes about the training image again
_INVERSE: dict[Resize, Resize] = {"crop": "pad", "pad": "crop", "squash": "squash"}

Image = NDArray[np.int8]


class Fault(IntFlag):
    """What can be wrong with an image, by the numbers in self_test.h."""

    RED_AND_BLUE = 1
    BYTE_ORDER = 2
    UPSIDE_DOWN = 4
    MIRRORED = 8
    TRANSPOSED = 16
    PLANES = 32
    OFFSET = 64


@dataclass(frozen=True)
class GoldenPicture:
    """A picture in RGB565, and the class that the network names for it.

    Attributes:
        frame: The pixels row by row, two bytes each, the high byte first.
        width: Width in pixels.
        height: Height in pixels.
        class_index: Index of the class.
    """

    frame: bytes
    width: int
    height: int
    class_index: int


@dataclass(frozen=True)
class Checksums:
    """CRC-32 of the image that a golden picture becomes, and of what faults would make of it.

    Attributes:
        image: That of the right image.
        faults: Pairs of that of a wrong image, and the faults that it has.
    """

    image: int
    faults: tuple[tuple[int, Fault], ...]


def golden_picture(
    images: NDArray[np.uint8],
    resize: Resize,
    classify: Callable[[NDArray[np.uint8]], NDArray[np.int8]],
) -> GoldenPicture:
    """Return the picture of one of the first training images.

    The same images and network result in the same picture: of the 8 whose classes have the largest
    lead, so that rounding does not change the answer, the one that tells most faults apart.

    Args:
        images: Training images, uint8 of shape (N, height, width, 1 or 3); the first 64 are tried.
        resize: How a frame becomes an image.
        classify: Returns the int8 scores of images, of shape (N, classes).
    """
    height, width, channels = images.shape[1:]
    shape = (height, width, channels)
    frames = [_frame(image, resize) for image in images[:NUM_CANDIDATES]]
    inputs = np.stack([image_of_frame(frame, shape, resize) for frame in frames])
    scores = classify((inputs.astype(np.int16) + 128).astype(np.uint8))

    def suitability(index: int) -> tuple[bool, int]:
        first, second = np.sort(scores[index].astype(int))[:-3:-1]
        is_varied = int(inputs[index].max()) - int(inputs[index].min()) >= _MIN_RANGE
        return is_varied, int(first - second)

    def num_faults(index: int) -> int:
        return len(checksums(frames[index].tobytes(), _SIZE, shape, resize).faults)

    most_confident = sorted(range(len(frames)), key=suitability, reverse=True)[:_NUM_COMPARED]
    best = max(most_confident, key=num_faults)
    return GoldenPicture(frames[best].tobytes(), *_SIZE, int(scores[best].argmax()))


@lru_cache(maxsize=2 * _NUM_COMPARED)
def checksums(
    frame: bytes, frame_size: tuple[int, int], image_shape: tuple[int, int, int], resize: Resize
) -> Checksums:
    """Return the checksums of the images that a picture in RGB565 becomes, rightly and wrongly.

    Faults that do not show in this picture are left out.

    Args:
        frame: Its pixels, two bytes each.
        frame_size: Its width and height in pixels.
        image_shape: Height, width and channels of the network's images.
        resize: How a frame becomes an image.
    """
    width, height = frame_size
    pixels = np.frombuffer(frame, np.uint8).reshape(height, width, 2)
    right = zlib.crc32(image_of_frame(pixels, image_shape, resize).tobytes())
    found: dict[int, Fault] = {}
    for fault, image in _wrong_images(pixels, image_shape, resize):
        checksum = zlib.crc32(image.tobytes())
        if checksum != right:
            found.setdefault(checksum, fault)
    return Checksums(right, tuple(found.items()))


def _wrong_images(
    frame: NDArray[np.uint8], shape: tuple[int, int, int], resize: Resize
) -> Iterator[tuple[Fault, Image]]:
    """Yield what single faults, and then pairs of them, would make of a frame."""
    image = image_of_frame(frame, shape, resize)
    colorings = {Fault(0): frame, **_wrong_colors(frame)}
    turns = {
        Fault(0): np.s_[:, :],
        Fault.UPSIDE_DOWN: np.s_[::-1, :],
        Fault.MIRRORED: np.s_[:, ::-1],
        Fault.UPSIDE_DOWN | Fault.MIRRORED: np.s_[::-1, ::-1],
    }
    yield Fault.OFFSET, (image.view(np.uint8) ^ 0x80).view(np.int8)
    if shape[0] == shape[1]:
        yield Fault.TRANSPOSED, image.swapaxes(0, 1)
    if shape[2] == 3:
        yield Fault.PLANES, image.transpose(2, 0, 1)
    pairs = [(color, turn) for color in colorings for turn in turns if color or turn]
    for color, turn in sorted(pairs, key=lambda pair: (pair[0] | pair[1]).bit_count()):
        pixels = colorings[color]
        yield color | turn, image_of_frame(pixels, shape, resize)[turns[turn]]
        yield color | turn, image_of_frame(pixels[turns[turn]], shape, resize)


def _wrong_colors(frame: NDArray[np.uint8]) -> dict[Fault, NDArray[np.uint8]]:
    values = frame[..., 0].astype(np.uint16) << 8 | frame[..., 1]
    exchanged = (values & 0x1F) << 11 | values & 0x07E0 | values >> 11
    return {
        Fault.RED_AND_BLUE: np.stack([exchanged >> 8, exchanged & 0xFF], axis=-1).astype(np.uint8),
        Fault.BYTE_ORDER: frame[..., ::-1],
    }


def _frame(image: NDArray[np.uint8], resize: Resize) -> NDArray[np.uint8]:
    """Return a picture that becomes about the same image, in RGB565."""
    pixels = resized(image, _SIZE, _INVERSE[resize])
    return rgb565(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
