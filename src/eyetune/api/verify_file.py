"""Verify a network from a .keras or .tflite file with the board's interpreter."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from eyetune.analysis.metrics import evaluate
from eyetune.api.evaluate_file import images_for
from eyetune.api.export_model import export_model
from eyetune.api.preparing import note, start
from eyetune.api.verify import SPLITS, workers_for
from eyetune.device.export.model_file import check_model_file, open_model_file
from eyetune.device.export.verify import Verification
from eyetune.errors import UsageError
from eyetune.report.progress.training_progress import counting_bar


def verify_file(
    path: str | Path,
    data: str | Path,
    *,
    split: str = "test",
    num_images: int | None = None,
    unsafe: bool = False,
    progress: bool = True,
) -> Verification:
    """Verify a network from a file: classify real images with TensorFlow Lite Micro.

    A .keras file is converted to int8 first, with ranges from training images.

    Args:
        path: A .tflite file of an int8 network whose input is a camera's bytes less 128, or a
            .keras file of a network for images from 0 to 1.
        data: A data source: cifar10, cifar100, digits, or a path. Its classes must be in the order
            of the network's outputs.
        split: "test" or "validation".
        num_images: Number of images to use, the first ones of the split. Default: all.
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
    from eyetune.device.estimate.tflite import read
    from eyetune.device.export import verify as verification
    from eyetune.device.export.int8_values import check_input

    file = Path(path).expanduser()
    check_model_file(file)
    if split not in SPLITS or (num_images is not None and num_images < 1):
        raise UsageError(
            "The images for the verification cannot be chosen like this.",
            expected=f"{' or '.join(SPLITS)}, and 1 image or more",
            received=f"{split}, {num_images} images",
        )
    is_keras = file.suffix.lower() == ".keras"
    if not is_keras:
        port = read(file).input
        check_input(port.scale, port.zero_point)
    start(0, progress=progress)
    network = open_model_file(file, unsafe=unsafe)
    dataset = images_for(network, data, split)
    images = dataset.split(split)
    images = images.take(0, num_images or len(images))
    float_accuracy = None
    content = file.read_bytes()
    if is_keras:
        float_accuracy = evaluate(network.probabilities(images.images), images.labels).accuracy
        with TemporaryDirectory() as folder:
            export_model(file, folder, data=data, unsafe=unsafe, progress=progress)
            content = (Path(folder) / "model.tflite").read_bytes()
    note(f"Classifying {len(images):,} {split} images ...", progress=progress)
    total = verification.num_classifications(len(images))
    with (
        workers_for(len(images)) as workers,
        counting_bar("classifying images", enabled=progress) as advance,
    ):
        return verification.verify(
            content,
            images.images,
            images.labels,
            split=split,
            arena_limit_bytes=None,
            float_accuracy=float_accuracy,
            workers=workers,
            on_image=lambda number: advance(number, total),
        )
