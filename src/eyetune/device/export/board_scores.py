"""The int8 scores that a board computes, on this computer."""

from __future__ import annotations

import numpy as np

from eyetune.device.export import litert, tflm
from eyetune.device.export.int8_values import Images, OnImage, Scores, no_progress
from eyetune.device.export.parallel import in_parts
from eyetune.device.sandbox import client


def interpreter_name(content: bytes) -> str:
    """Return the name and version of the interpreter of a network."""
    return tflm.version() if tflm.is_available() else litert.reference_name(content)


def board_scores(
    content: bytes,
    images: Images,
    *,
    is_trusted: bool = True,
    num_processes: int = 1,
    on_image: OnImage = no_progress,
) -> Scores:
    """Return the int8 scores of images, shape (N, classes), as a board computes them.

    TensorFlow Lite Micro computes them, or LiteRT's reference kernels where it is not available.

    Args:
        content: The content of a .tflite file.
        images: Pixels, uint8 of shape (N, height, width, channels), at least one image.
        is_trusted: Whether the network may run in this process: one that was just converted here.
        num_processes: Number of processes that share the images. Default: 1.
        on_image: Called with the number of images so far.

    Raises:
        BoardError: The interpreter cannot run the network.
    """
    interpreter: client.Interpreter = "micro" if tflm.is_available() else "litert"
    if is_trusted and num_processes == 1:
        if interpreter == "micro":
            return tflm.MicroInterpreter(content).scores(images, on_image)
        return litert.litert_scores(content, images, on_image=on_image)

    def classified(part: Images, on_part: OnImage) -> Scores:
        answer = client.classify(content, part, [interpreter], on_image=on_part)
        return answer.scores[interpreter]

    return np.concatenate(in_parts(classified, images, num_processes, on_image))
