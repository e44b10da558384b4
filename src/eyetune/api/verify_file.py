"""Verify a network from a .keras or .tflite file with the board's interpreter."""

from __future__ import annotations

from pathlib import Path

from eyetune.analysis.metrics import evaluate
from eyetune.api.export_source import (
    ExportSource,
    SourceNetwork,
    find_source,
    load_images,
    load_network,
)
from eyetune.api.file_images import images_for, require_split
from eyetune.api.int8_network import int8_network
from eyetune.api.preparing import check_evaluated_split, check_num_images, note, start
from eyetune.api.verify import processes_for
from eyetune.data import Dataset
from eyetune.device.export.model_file import check_model_file
from eyetune.device.export.verify import Verification
from eyetune.report.progress.training_progress import counting_bar
from eyetune.values.pixels import Pixels


def verify_file(
    path: str | Path,
    data: str | Path,
    *,
    split: str = "test",
    num_images: int | None = None,
    pixels: Pixels = "auto",
    unsafe: bool = False,
    progress: bool = True,
) -> Verification:
    """Verify a network from a file: classify real images with TensorFlow Lite Micro.

    A .keras file is converted to int8 first, with ranges from training images.

    Args:
        path: A .tflite file of an int8 network whose input is a camera's bytes less 128, or a
            .keras file. An operator that converts the input to int8, or the output from int8, is
            left out.
        data: A data source: cifar10, cifar100, digits, or a path. Its classes must be in the order
            of the network's outputs.
        split: "test" or "validation".
        num_images: Number of images to use, the first ones of the split. Default: all.
        pixels: The range of pixels that the network takes: "0-1", "0-255" or "-1-1". Default:
            inferred from the scale of a quantized input or from a Rescaling layer, otherwise "0-1"
            ("0-255" for integers without a scale).
        unsafe: Whether code inside a .keras file may run. It can do anything that you can.
        progress: Whether to show the progress.

    Raises:
        UsageError: The file cannot be loaded, or an argument is out of range.
        BoardError: The interpreter cannot run the network, or it takes other inputs.
        DataError: The images do not match the network.

    Example:
        >>> import eyetune as et
        >>> et.verify_file("model.tflite", "cifar10").passed  # doctest: +SKIP
        True
    """
    from eyetune.device.export import verify as verification
    from eyetune.device.export.int8_ports import conversions_text, read_as_firmware
    from eyetune.device.export.int8_values import check_ports

    file = Path(path).expanduser()
    check_model_file(file)
    check_evaluated_split(split)
    check_num_images(num_images)
    source = find_source(file, data=data, pixels=pixels, unsafe=unsafe)
    if source.is_tflite:
        check_ports(read_as_firmware(file)[0], pixels)
    verification.warm_up()
    start(0, progress=progress)
    network = load_network(source)
    assert network.file is not None
    if network.content is not None:
        text = conversions_text(source.label, network.file.dtype, network.file.output_dtype)
        note(text, progress=progress and bool(text))
    dataset, content = _images_and_int8(source, network, data, split, progress=progress)
    images = dataset.split(split)
    images = images.take(0, num_images or len(images))
    float_accuracy = None
    if network.content is None:
        probabilities = network.file.probabilities(images.images)
        float_accuracy = evaluate(probabilities, images.labels).accuracy
    note(f"Classifying {len(images):,} {split} images ...", progress=progress)
    total = verification.num_classifications(len(images))
    with counting_bar("classifying images", enabled=progress) as advance:
        return verification.verify(
            content,
            images.images,
            images.labels,
            split=split,
            arena_limit_bytes=None,
            float_accuracy=float_accuracy,
            num_processes=processes_for(len(images)),
            on_image=lambda number: advance(number, total),
        )


def _images_and_int8(
    source: ExportSource, network: SourceNetwork, data: str | Path, split: str, *, progress: bool
) -> tuple[Dataset, bytes]:
    """Return the images, and the content of a .tflite file, to which a float network is converted.

    Raises:
        DataError: The images do not match the network, or there is no such split.
    """
    if network.content is not None:
        assert network.file is not None
        return images_for(network.file, data, split), network.content
    images = load_images(source, network, progress=progress)
    require_split(images.dataset, split)
    return images.dataset, int8_network(source, network, images, progress=progress).content
