"""How much accuracy falls from the images of a run to the pictures of a camera, and why."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from eyetune.analysis import gap as gaps
from eyetune.analysis.gap import Gap, Labels, Shift
from eyetune.analysis.gap_advice import advice_on, train_command
from eyetune.api.gap_causes import Classify, MeasuredGap, measure_gap, num_predictions
from eyetune.api.preparing import check_evaluated_split, start
from eyetune.api.run import Run, open_run
from eyetune.data import Dataset, Split
from eyetune.data.dataset import Floats, Images
from eyetune.data.picture_properties import measured, measures_of
from eyetune.data.sources.camera_folder import CameraFiles, camera_files
from eyetune.data.sources.image_file import decode_readable
from eyetune.errors import UsageError
from eyetune.records import Workspace
from eyetune.records.run import require_images
from eyetune.report.progress.training_progress import counting_bar, decoding_bar
from eyetune.tuning.load_images import load_images
from eyetune.values.display import one_line

if TYPE_CHECKING:
    from eyetune.report.figures.picture import Picture

__all__ = ["ShownGap", "gap"]

MAX_CLEAN = 2000  # pictures of the data set: more would hardly narrow the interval of the gap


@dataclass(frozen=True, repr=False)
class ShownGap(Gap):
    """A gap. A notebook shows it as sentences and a picture."""

    def __repr__(self) -> str:
        from eyetune.report.pages.gap_text import gap_sentences

        first = next(iter(gap_sentences(self)), "the pictures have no labels")
        return f"<Gap of {one_line(self.label)}: {one_line(first)}>"

    def plot(self) -> Picture:
        """Draw the gap, and what each property explains of it, with 95% intervals."""
        from eyetune.report.figures.gap_figures import gap_bars

        return gap_bars(self)

    def _repr_html_(self) -> str:
        from eyetune.report.pages.gap_text import gap_sentences

        sentences = "".join(f"<p>{html.escape(one_line(text))}</p>" for text in gap_sentences(self))
        return f"{sentences}{self.plot().as_html('what explains the gap')}"


def gap(
    run: Run | str,
    camera_data: str | Path,
    *,
    split: Literal["validation", "test"] = "validation",
    dataset: Dataset | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> ShownGap:
    """Measure how much accuracy falls on pictures of a camera, and which property explains it.

    Each property is tested by itself. Color cast, exposure, framing and orientation are corrected
    in the camera's pictures: as far as accuracy rises, the property was a cause. Blur and noise
    cannot be taken away, so the data set's pictures get as much of them: as far as accuracy falls,
    they are a cause. The parts need not add up to the gap.

    Args:
        run: A run of a classifier of images, its id or its name.
        camera_data: A folder of the camera's pictures, with one folder per class, named as in the
            training. Pictures without such folders give their properties only.
        split: The images to compare with: "validation" or "test". Default: validation.
        dataset: The images of the run, if they are loaded already.
        workspace: Where the run is recorded.
        progress: Show progress on standard error, or below the cell of a notebook.

    Returns:
        The accuracies, the gap and its causes, each with a 95% interval, and the command that
        trains on such pictures.

    Raises:
        UsageError: The run is not complete, or there are no pictures.
        SourceError: There is no such folder.
        DataError: The classes differ, or none of the pictures can be read.

    Example:
        >>> import eyetune as et
        >>> found = et.gap("latest", "frames")  # doctest: +SKIP
        >>> found.fall, found.command           # doctest: +SKIP
    """
    check_evaluated_split(split)
    chosen = run if isinstance(run, Run) else open_run(run, workspace=workspace)
    _ = chosen.results  # raises a UsageError if there is no trained network yet
    shape = require_images(chosen.record)
    if split == "validation" and chosen.record.trained_on_validation:
        raise UsageError(
            f"Run {chosen.record.label} was trained on its validation images, so its accuracy on "
            "them says little.",
            fix="Compare with the test images: --split test.",
        )
    files = camera_files(Path(camera_data).expanduser(), chosen.record.data.class_names)
    left_out: list[str] = []
    with decoding_bar(enabled=progress) as on_decoded:
        camera, positions = decode_readable(
            files.paths,
            shape,
            chosen.record.resize,
            on_note=left_out.append,
            on_progress=on_decoded,
        )
    files = files.only(positions, chosen.record.data.class_names)
    if dataset is None:
        dataset = load_images(chosen.recipe, progress=progress)
    images = chosen.checked(dataset).split(split)
    clean = _compared(images, files.labels, split, dataset.class_names)
    shifts = tuple(
        gaps.shift_of(measure, measured(clean.images, measure), measured(camera, measure))
        for measure in measures_of(shape[2])
    )
    found = None
    if files.labels is not None:
        start(0, progress=progress)
        with counting_bar("testing properties", enabled=progress) as on_done:
            classify = _counted(chosen, num_predictions(camera), on_done)
            found = measure_gap(clean, Split(camera, files.labels), classify)
    return _gap(chosen, files, str(camera_data), split, len(clean), shifts, found, left_out)


def _compared(
    images: Split, camera_labels: Labels | None, split: str, class_names: Sequence[str]
) -> Split:
    """Return the images of the data set to compare with: of the same classes, not too many."""
    if not len(images):
        raise UsageError(
            f"The data set has no {split} images to compare with.",
            fix="Compare with the other split: --split test or --split validation.",
        )
    chosen = np.argsort(images.labels, kind="stable")
    if camera_labels is not None:
        absent = np.setdiff1d(camera_labels, images.labels)
        if len(absent):
            raise UsageError(
                f"The data set has no {split} images of some classes to compare with.",
                expected="images of each class that the camera has taken pictures of",
                received=f"no image of {', '.join(class_names[label] for label in absent[:10])}",
                fix="Compare with the other split (--split), or leave these pictures out.",
            )
        chosen = chosen[np.isin(images.labels[chosen], camera_labels)]
    if len(chosen) > MAX_CLEAN:  # as many of each class as before, in proportion
        chosen = chosen[np.linspace(0, len(chosen) - 1, MAX_CLEAN).astype(int)]
    return Split(np.asarray(images.images[chosen]), images.labels[chosen])


def _counted(run: Run, total: int, on_done: Callable[[int, int | None], None]) -> Classify:
    """Return a function that classifies pictures and counts its calls."""
    from eyetune.training.evaluate import probabilities

    network = run.classifier()
    num_done = 0

    def classify(images: Images) -> Floats:
        nonlocal num_done
        labels = np.zeros(len(images), np.int64)
        predicted = probabilities(network, Split(np.ascontiguousarray(images), labels))
        num_done += 1
        on_done(num_done, total)
        return predicted

    return classify


def _gap(
    run: Run,
    files: CameraFiles,
    source: str,
    split: str,
    num_clean: int,
    shifts: tuple[Shift, ...],
    found: MeasuredGap | None,
    left_out: Sequence[str],
) -> ShownGap:
    recipe = run.record.own_recipe
    edits, advice = advice_on(found.fall, found.causes, recipe) if found else ({}, [])
    notes = gaps.notes_on(
        len(files.paths), found.fall if found else None, found.camera if found else None
    )
    if files.missing:
        notes.append(f"Classes without pictures are left out: {', '.join(files.missing)}.")
    notes += [f"{text[0].upper()}{text[1:]}." for text in left_out]
    return ShownGap(
        run=run.id,
        label=run.record.label,
        source=source,
        split=split,
        num_clean=num_clean,
        num_camera=len(files.paths),
        clean=found.clean if found else None,
        camera=found.camera if found else None,
        fall=found.fall if found else None,
        shifts=shifts,
        causes=found.causes if found else (),
        edits=edits,
        command=train_command(run.id, edits) if recipe is not None else "",
        advice=tuple(advice),
        notes=tuple(notes),
    )
