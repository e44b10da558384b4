"""Evaluate a network from a .keras or .tflite file on the images of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyetune.analysis.guessing import Judgement, judge
from eyetune.analysis.metrics import Evaluation, evaluate
from eyetune.api.file_images import images_for
from eyetune.api.preparing import check_evaluated_split, check_num_images, note, start
from eyetune.device.export.model_file import check_model_file, open_model_file
from eyetune.report.progress.training_progress import counting_bar
from eyetune.values.pixels import PixelRange, Pixels, check_pixels, pixels_text
from eyetune.values.summary import Summarized, Summary


@dataclass(frozen=True, repr=False)
class FileEvaluation(Summarized):
    """The evaluation of a network from a file.

    Attributes:
        path: The file.
        split: The split that the images are from.
        class_names: In the order of the network's outputs.
        evaluation: The metrics.
        interpreter: Name and version of what computed the network.
        dtype: Type of the network's input, for example "float32" or "int8".
        pixels: The range of pixels that the network was given.
    """

    path: Path
    split: str
    class_names: tuple[str, ...]
    evaluation: Evaluation
    interpreter: str
    dtype: str
    pixels: PixelRange

    @property
    def judgement(self) -> Judgement:
        """The accuracy beside the accuracy of guessing."""
        return judge(self.evaluation.confusion, self.split)

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        return f"{self.path.name}: {self.evaluation.headline}"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        rows = {
            **self.evaluation.summary.rows,
            "split": self.split,
            "pixels": f"from {pixels_text(self.pixels)}, {self.dtype} input",
            "computed by": self.interpreter,
        }
        return Summary(rows, (self.judgement.text,))

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as JSON values."""
        return {
            "file": str(self.path),
            "split": self.split,
            "interpreter": self.interpreter,
            "dtype": self.dtype,
            "pixels": self.pixels,
            **self.evaluation.to_json(),
            "classes": list(self.class_names),
            "guessing_accuracy": self.judgement.guess,
            "is_better_than_guessing": self.judgement.is_better_than_guessing,
            "text": self.judgement.text,
        }


def evaluate_file(
    path: str | Path,
    data: str | Path,
    *,
    split: str = "test",
    num_images: int | None = None,
    pixels: Pixels = "auto",
    unsafe: bool = False,
    progress: bool = True,
) -> FileEvaluation:
    """Evaluate a network from a .keras or .tflite file on the images of a data set.

    Args:
        path: The file. A .tflite file may be float or quantized.
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
        DataError: The images do not match the network.

    Example:
        >>> import eyetune as et
        >>> et.evaluate_file("model.tflite", "cifar10").evaluation.accuracy  # doctest: +SKIP
        0.8697
    """
    file = Path(path).expanduser()
    check_model_file(file)
    check_pixels(pixels)
    check_evaluated_split(split)
    check_num_images(num_images)
    start(0, progress=progress)
    network = open_model_file(file, pixels=pixels, unsafe=unsafe)
    note("Loading images ...", progress=progress)
    dataset = images_for(network, data, split)
    images = dataset.split(split)
    images = images.take(0, num_images or len(images))
    with counting_bar("classifying images", enabled=progress) as advance:
        probabilities = network.probabilities(
            images.images, lambda number: advance(number, len(images))
        )
    return FileEvaluation(
        path=file,
        split=split,
        class_names=dataset.class_names,
        evaluation=evaluate(probabilities, images.labels),
        interpreter=network.interpreter,
        dtype=network.dtype,
        pixels=network.pixels,
    )
