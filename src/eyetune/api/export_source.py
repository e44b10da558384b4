"""What an export is made from: a run, a .keras file or a .tflite file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.api.file_images import (
    images_for,
    refuse_file_options,
    require_data,
    section_for,
)
from eyetune.api.preparing import workspace_of
from eyetune.api.run import Run, open_run
from eyetune.data import Dataset, Split
from eyetune.device.export import export_folder
from eyetune.device.export.export_folder import SourceFile
from eyetune.device.export.model_file import (
    ModelFile,
    check_model_file,
    is_model_file,
    open_model_file,
)
from eyetune.errors import UsageError
from eyetune.recipe import DataSection, Resize
from eyetune.records import Workspace
from eyetune.records.predictions import require_predictions
from eyetune.records.run import require_images
from eyetune.report.progress.training_progress import counting_bar
from eyetune.values.pixels import PixelRange, Pixels, check_pixels

MAX_VALIDATION_IMAGES = 2000  # that a network from a file classifies


@dataclass(frozen=True)
class ExportSource:
    """What an export is made from; nothing of it is loaded yet.

    Attributes:
        origin: A completed run, or the absolute path of a .keras or .tflite file.
        workspace: The workspace that its export goes to, unless a folder is named.
        data: Name or path of the images for a file. None for a run, which has its own images, and
            for a file that needs none.
        pixels: The range of pixels that the network in a file takes; "auto" to infer it.
        unsafe: Whether code inside a .keras file may run.
    """

    origin: Run | Path
    workspace: Workspace
    data: str | Path | None = None
    pixels: Pixels = "auto"
    unsafe: bool = False

    @property
    def run(self) -> Run | None:
        """The run; None for a file."""
        return self.origin if isinstance(self.origin, Run) else None

    @property
    def resize(self) -> Resize:
        """How photos become images; files do not say it, and are for crops as new recipes are."""
        return self.origin.record.resize if isinstance(self.origin, Run) else "crop"

    @property
    def is_tflite(self) -> bool:
        """Whether it is a .tflite file."""
        return isinstance(self.origin, Path) and self.origin.suffix.lower() == ".tflite"

    @property
    def name(self) -> str:
        """The id of the run, or the name of the file without its ending."""
        return self.origin.id if isinstance(self.origin, Run) else self.origin.stem

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.origin.record.label if isinstance(self.origin, Run) else self.origin.name


@dataclass(frozen=True)
class SourceNetwork:
    """The network of a source.

    Attributes:
        image_shape: Height and width in pixels, and channels.
        pixels: The range of pixels that it takes.
        keras_model: The network in float, from images to class probabilities; None for a .tflite
            file.
        content: The content of a .tflite file as firmware holds it; None for a Keras model.
        file: The network as a function of images, if it is from a file; None for a run.
    """

    image_shape: tuple[int, int, int]
    pixels: PixelRange = "0-1"
    keras_model: Any = None
    content: bytes | None = None
    file: ModelFile | None = None


@dataclass(frozen=True)
class SourceImages:
    """The images of a source, and how its network classifies some of them.

    Attributes:
        section: How they are named in a recipe.
        dataset: The images.
        probabilities: Class probabilities of validation images, the first ones, float32 of shape
            (N, classes). They are computed in float, or by a .tflite file as it is.
    """

    section: DataSection
    dataset: Dataset
    probabilities: NDArray[np.float32]

    @property
    def validation(self) -> Split:
        """The validation images that were classified."""
        return self.dataset.validation.take(0, len(self.probabilities))


def find_source(
    model: Run | str | Path,
    *,
    data: str | Path | None = None,
    pixels: Pixels = "auto",
    unsafe: bool = False,
    workspace: str | Path | Workspace | None = None,
) -> ExportSource:
    """Return what an argument refers to; errors are raised before Keras is loaded.

    Args:
        model: A completed run, its id, the beginning of the id, its name or "latest"; or the path
            of a .keras or .tflite file.
        data: The images for a file.
        pixels: The range of pixels that the network in a file takes. Default: inferred.
        unsafe: Whether code inside a .keras file may run.
        workspace: The workspace that the run is recorded in.

    Raises:
        UsageError: The run is not complete, there is no such file, or an argument is for files.
        RunNotFoundError: There is no such run.
    """
    if not isinstance(model, Run) and is_model_file(str(model)):
        path = Path(model).expanduser().absolute()
        check_model_file(path)
        check_pixels(pixels)
        return ExportSource(path, workspace_of(workspace), data, pixels, unsafe)
    run = model if isinstance(model, Run) else open_run(str(model), workspace=workspace)
    _ = run.results  # raises an error if the run is not complete
    refuse_file_options(f"run {run.record.label}", data=data, pixels=pixels, unsafe=unsafe)
    return ExportSource(run, run.workspace)


def load_network(source: ExportSource) -> SourceNetwork:
    """Load the network of a source.

    Raises:
        UsageError: The file cannot be loaded, or is no classifier of images.
        TrainingError: The network of the run is missing or damaged.
    """
    if isinstance(source.origin, Run):
        shape = require_images(source.origin.record)
        return SourceNetwork(shape, keras_model=source.origin.classifier())
    file = open_model_file(source.origin, pixels=source.pixels, unsafe=source.unsafe)
    return SourceNetwork(
        file.input_shape, file.pixels, keras_model=file.keras_model, content=file.content, file=file
    )


def load_images(
    source: ExportSource, network: SourceNetwork, *, progress: bool = False
) -> SourceImages:
    """Load the images of a source, and classify validation images with a network from a file.

    Args:
        source: The source.
        network: Its network.
        progress: Whether to show a bar over the images that are classified.

    Raises:
        UsageError: No images are named for a file.
        DataError: The images have changed since the training of the run, or do not match the
            network.
    """
    if isinstance(source.origin, Run):
        run = source.origin
        probabilities, _ = require_predictions(run.workspace, run.record, "validation")
        return SourceImages(run.recipe.data, run.dataset(), probabilities)
    assert network.file is not None
    data = require_data(source.data, f"eyetune export {source.label}")
    dataset = images_for(network.file, data, "validation")
    images = dataset.validation.images[:MAX_VALIDATION_IMAGES]
    with counting_bar("classifying validation images", enabled=progress) as advance:
        probabilities = network.file.probabilities(
            images, lambda number: advance(number, len(images))
        )
    section = section_for(network.file, data).model_copy(update={"source": dataset.source})
    return SourceImages(section, dataset, probabilities)


def open_unchanged(source: SourceFile) -> ModelFile | None:
    """Open the .keras file that an export was made from; None if it was changed or cannot be read.

    Code inside the file is never run.

    Args:
        source: The file, as the manifest of the export names it.
    """
    path = Path(source.path)
    if path.suffix.lower() != ".keras" or export_folder.digest(path) != source.sha256:
        return None
    try:
        return open_model_file(path, pixels=source.pixels)
    except UsageError:  # it contains code
        return None
