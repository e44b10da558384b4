"""`eyetune predict`: what a network answers for pictures, as on a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich import box
from rich.table import Table

from eyetune.cli.common import (
    Common,
    ModelFileFlags,
    ModelFileOptions,
    check_output_file,
)
from eyetune.errors import UsageError
from eyetune.report.console import escape, escape_lines

if TYPE_CHECKING:
    from eyetune.api.picture_predictions import PictureAnswer, Predictions

_NO_COMMON = Common()
_NO_FILE_FLAGS = ModelFileFlags()


def predict(
    run: str,
    /,
    *images: Path,
    camera: Annotated[str | None, Parameter(metavar="NUMBER|VIDEO", show_default=False)] = None,
    frames: int = 10,
    top: int = 3,
    output: Annotated[
        Path | None, Parameter(metavar="FILE", show_default="plots in the workspace, for folders")
    ] = None,
    files: ModelFileOptions = _NO_FILE_FLAGS,
    common: Common = _NO_COMMON,
) -> None:
    """Classify pictures as a board does, in float and in int8.

    Each picture becomes a frame of the camera and then the network's image, by the same arithmetic
    as in the firmware. Of folders, a contact sheet shows what the network sees. Files that cannot
    be read are listed.

    For example:

        eyetune predict latest photo.jpg another.png
        eyetune predict firmware/ photos/ --output sheet.png
        eyetune predict latest --camera 0 --frames 30
        eyetune predict model.tflite photo.jpg --data cifar10 --json

    Parameters
    ----------
    run
        The run: its id, the beginning of the id, its name, or `latest`. Or the folder of an export,
        whose threshold for unknown pictures applies, or a .keras or .tflite file.
    images
        Image files (PNG, JPEG, WebP, BMP or GIF, of any size), or folders, of which all images are
        classified, those in subfolders too.
    camera
        Number of a webcam, or a video file. It needs OpenCV: pip install 'eyetune[camera]'
    frames
        Number of frames of the camera.
    top
        Number of classes for each picture.
    output
        File for the contact sheet, which ends in .png.
    """
    if Path(run).exists() and not images and camera is None and not _is_network(run):
        raise UsageError(
            f"{run} is a path, but the first argument names the run.",
            fix=f"eyetune predict latest {run}",
        )
    if not images and camera is None:
        raise UsageError("No image is given.", fix=f"eyetune predict {run} photo.jpg")
    from eyetune.data.preview import check_picture_path, save_picture

    check_output_file(output)
    if output is not None:
        check_picture_path(output)
    import eyetune

    workspace = common.open_workspace()
    result = eyetune.predict(
        run,
        images,
        camera=camera,
        num_frames=frames,
        top=top,
        data=files.data,
        pixels=files.pixels,
        unsafe=files.unsafe,
        workspace=workspace,
    )
    sheet = output
    if sheet is None and any(path.is_dir() for path in images):
        name = result.run or Path(result.network).stem
        sheet = workspace.path("plots", f"predictions-{name}.png")
    if sheet is not None:
        save_picture(result.contact_sheet(), sheet)
    common.show(
        {**result.to_json(), "contact_sheet": None if sheet is None else str(sheet)},
        _table(result),
        *(f"Unreadable: {escape(name)} ({escape(why)})" for name, why in result.unreadable),
        *(escape_lines(note) for note in result.notes),
        *([] if sheet is None else [f"Contact sheet: {escape(str(sheet))}"]),
    )


def _is_network(name: str) -> bool:
    """Return whether an argument names the folder of an export or a model file."""
    from eyetune.api.network_pair import is_export
    from eyetune.device.export.model_file import is_model_file

    return is_export(name) or is_model_file(name)


def _table(result: Predictions) -> Table:
    """Return a table of the answers in float and in int8."""
    pictures = result.pictures
    table = Table(box=box.SIMPLE)
    table.add_column("picture", overflow="fold")
    for name in ("float", "int8"):
        table.add_column(name)
    table.add_column("most probable")
    has_votes = any(picture.voted is not None for picture in pictures)
    if has_votes:
        table.add_column("by vote")
    for picture in pictures:
        classes = ", ".join(f"{escape(name)} {share:.1%}" for name, share in picture.classes)
        cells = [
            escape(picture.name),
            _answer_text(picture.float_answer),
            _answer_text(picture.int8_answer),
            classes,
        ]
        if has_votes:
            cells.append(escape(picture.voted or ""))
        table.add_row(*cells)
    return table


def _answer_text(answer: PictureAnswer | None) -> str:
    return "" if answer is None else escape(answer.text)
