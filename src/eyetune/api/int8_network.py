"""The int8 network of an export: converted from float, or as it is in a .tflite file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from eyetune.api.export_source import (
    MAX_VALIDATION_IMAGES,
    ExportSource,
    SourceImages,
    SourceNetwork,
)
from eyetune.api.preparing import note
from eyetune.device.export.conversions import Conversion
from eyetune.device.export.int8_values import no_progress
from eyetune.device.export.model_file import with_probabilities
from eyetune.report.progress.training_progress import counting_bar
from eyetune.values.run_files import RANGES_FILE

_NUM_OUTPUTS = 128  # from which logits are told from probabilities


@dataclass(frozen=True)
class Int8Network:
    """An int8 network, compared with its float version on validation images.

    Attributes:
        content: The content of its .tflite file.
        num_validation_images: Number of validation images.
        int8_accuracy: Its accuracy on these images, 0 to 1.
        float_accuracy: Accuracy of the float network on the same images; None if there is none.
        conversions: The conversions that were tried, in order; none for a .tflite file.
        remedies_left_out: Why some remedies were not possible; "" if all were, or none were needed.
    """

    content: bytes
    num_validation_images: int
    int8_accuracy: float
    float_accuracy: float | None = None
    conversions: tuple[Conversion, ...] = ()
    remedies_left_out: str = ""

    @property
    def calibration_images(self) -> int | None:
        """Number of training images that its ranges are from; None if that is not known."""
        chosen = (each.training_images for each in self.conversions if each.chosen)
        return next(chosen, None)


def int8_network(
    source: ExportSource,
    network: SourceNetwork,
    images: SourceImages,
    *,
    per_channel_dense: bool = True,
    progress: bool = True,
) -> Int8Network:
    """Return the int8 version of a network, converted with remedies where int8 loses accuracy.

    Args:
        source: Where the network is from.
        network: The network.
        images: Its images: ranges are from training images, accuracies from validation images.
            At most 2,000 validation images are used.
        per_channel_dense: Whether each output of a dense layer has its own scale. Default: True.
        progress: Whether to show the progress.

    Raises:
        UsageError: There are no training images, or Keras does not run on TensorFlow.
        BoardError: TensorFlow cannot convert the network to int8.
    """
    validation = images.validation.take(0, MAX_VALIDATION_IMAGES)
    probabilities = images.probabilities[: len(validation)]
    accuracy = float((probabilities.argmax(axis=1) == validation.labels).mean())
    if network.content is not None:
        return Int8Network(network.content, len(validation), accuracy)

    from eyetune.device.export.calibration import calibrate
    from eyetune.device.export.measured_footprint import check_converts
    from eyetune.models.int8.range_file import read_ranges

    model, learned = network.keras_model, None
    if source.run is not None:
        learned = read_ranges(source.run.folder / RANGES_FILE, model)
    if network.file is not None:
        some = network.file.outputs(validation.images[:_NUM_OUTPUTS], no_progress)
        model = with_probabilities(model, some)
    check_converts(model)
    with _shown_steps(progress=progress) as on_step:
        calibrated = calibrate(
            model,
            images.dataset.train,
            validation,
            float_probabilities=probabilities,
            per_channel_dense=per_channel_dense,
            on_step=on_step,
            learned=learned,
            pixels=network.pixels,
        )
    return Int8Network(
        content=calibrated.content,
        num_validation_images=len(validation),
        int8_accuracy=calibrated.chosen.int8_accuracy,
        float_accuracy=accuracy,
        conversions=calibrated.conversions,
        remedies_left_out=calibrated.left_out,
    )


@contextmanager
def _shown_steps(*, progress: bool) -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Yield a function that begins a step: it prints a line and shows a bar over its images."""
    with ExitStack() as bars:

        def on_step(text: str, num_images: int) -> Callable[[int], None]:
            bars.close()  # the bar of the step before
            note(text, progress=progress)
            advance = bars.enter_context(counting_bar("images", enabled=progress))
            return lambda number: advance(number, num_images)

        yield on_step
