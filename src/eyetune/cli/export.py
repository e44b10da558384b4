"""`eyetune export`, `verify` and `flash`: from a trained run to a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich import box
from rich.table import Table

from eyetune.cli.common import Common, ModelFileFlags, ModelFileOptions, check_output_folder
from eyetune.cli.unknown_flags import NOTHING_UNKNOWN, UnknownFlags
from eyetune.errors import UsageError
from eyetune.report.console import escape, escape_lines
from eyetune.values.firmware_formats import DEFAULT_FORMATS, FIRMWARE_FORMATS, FirmwareFormat
from eyetune.values.model_formats import MODEL_FORMATS, ModelFormat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from eyetune.api.export import Export
    from eyetune.api.export_model import ModelExport
    from eyetune.device.export.verify import Verification

Formats = Annotated[
    tuple[FirmwareFormat, ...], Parameter(negative="", show_default=", ".join(DEFAULT_FORMATS))
]
ExportFormats = Annotated[
    tuple[FirmwareFormat | ModelFormat, ...],
    Parameter(negative="", show_default=", ".join(DEFAULT_FORMATS)),
]
_NO_COMMON = Common()
_NO_FILE_FLAGS = ModelFileFlags()


def export(
    run: str = "latest",
    /,
    *,
    board: Annotated[str | None, Parameter(show_default="esp-eye")] = None,
    output: Annotated[
        Path | None, Parameter(metavar="FOLDER", show_default="exports/ID in the workspace")
    ] = None,
    format: ExportFormats = DEFAULT_FORMATS,  # noqa: A002 (the name of the option)
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    unknown: UnknownFlags = NOTHING_UNKNOWN,
    files: ModelFileOptions = _NO_FILE_FLAGS,
    common: Common = _NO_COMMON,
) -> None:
    """Export a run or a model file for a board: int8 network, firmware and report.

    The formats tflite, keras and onnx are model files, without firmware and report. They need no
    board, except a .tflite file for the ESP32-S3.

    Ranges are measured on training images, and float and int8 are compared on validation images.
    `eyetune verify` verifies the result on test images. With --unknown, the firmware answers
    pictures of something else with "unknown" if the network is not sure about them.

    For example:

        eyetune export latest --board esp-eye --output firmware
        eyetune export 3f2a --format esp-idf --format c --json
        eyetune export latest --unknown 5% --output firmware
        eyetune export network.keras --data cifar10 --board esp-eye --output firmware
        eyetune export latest --format tflite --format onnx --output files
        eyetune export network.keras --format tflite --data cifar10 --output files

    Parameters
    ----------
    run
        A run: its id, the beginning of the id, its name, or latest. Or a .keras file, or a .tflite
        file of an int8 network, whose layers stay as they are.
    board
        A name from `eyetune boards`, or the path of a .toml file that describes a board. Model
        files need none; a .tflite file for the ESP32-S3 does, if it has dense layers.
    output
        Folder for the export, which is created.
    format
        Format of the firmware (esp-idf, arduino, c) or of a model file (tflite in int8, keras and
        onnx in float); repeat the option for several formats. onnx needs eyetune[onnx].
    overwrite
        Replace an existing export. Other files are never replaced.
    """
    check_output_folder(output)
    import eyetune
    from eyetune.device.boards.profiles import DEFAULT_BOARD

    if _are_model_formats(format):
        unknown.check_absent()
        result = eyetune.export_model(
            run,
            output,
            formats=format,
            board=board,
            data=files.data,
            pixels=files.pixels,
            unsafe=files.unsafe,
            overwrite=overwrite,
            workspace=common.open_workspace(),
        )
        common.show(result.to_json(), *_model_lines(result))
        return
    firmware = eyetune.export(
        run,
        output,
        board=board or DEFAULT_BOARD,
        formats=format,
        data=files.data,
        pixels=files.pixels,
        unsafe=files.unsafe,
        overwrite=overwrite,
        unknown=unknown.options(),
        workspace=common.open_workspace(),
    )
    common.show(firmware.to_json(), *export_lines(firmware))


def _are_model_formats(formats: Sequence[str]) -> bool:
    """Return whether model files are to be exported, not firmware.

    Raises:
        UsageError: Both are.
    """
    are_model_formats = [name in MODEL_FORMATS for name in formats]
    if any(are_model_formats) and not all(are_model_formats):
        raise UsageError(
            "Model files and firmware cannot be exported at once.",
            expected=f"only {', '.join(MODEL_FORMATS)}, or only {', '.join(FIRMWARE_FORMATS)}",
            received=", ".join(formats),
            fix="Export twice. An export with firmware contains model.tflite, too.",
        )
    return any(are_model_formats)


def _model_lines(files: ModelExport) -> list[RenderableType]:
    """Return what to print about model files."""
    summary = files.summary
    lines: list[RenderableType] = [_table(summary.rows)] if summary.rows else []
    lines += [escape_lines(sentence) for sentence in summary.sentences]
    return [*lines, f"Written: {escape(str(files.folder))} ({', '.join(files.files)})"]


def verify(
    folder: Path,
    /,
    *,
    split: Literal["test", "validation"] = "test",
    images: Annotated[int | None, Parameter(show_default="all")] = None,
    files: ModelFileOptions = _NO_FILE_FLAGS,
    common: Common = _NO_COMMON,
) -> int:
    """Verify an export or a model file on real images, with the board's interpreter.

    TensorFlow Lite Micro runs the network as the board would, and LiteRT is the reference. The
    exit status is 1 if the verification fails.

    For example:

        eyetune verify firmware
        eyetune verify firmware --split validation --images 500 --json
        eyetune verify model.tflite --data cifar10

    Parameters
    ----------
    folder
        Folder of the export. Or a .tflite file in int8, or a .keras file, which is converted first.
    split
        Which images to use: test for the final report; validation while choices are still to be
        made.
    images
        Number of images to use, the first ones of the split.
    """
    import eyetune
    from eyetune.api.file_images import require_data
    from eyetune.device.export.model_file import is_model_file

    if is_model_file(str(folder)) and not folder.is_dir():
        result = eyetune.verify_file(
            folder,
            require_data(files.data, f"eyetune verify {folder}"),
            split=split,
            num_images=images,
            pixels=files.pixels,
            unsafe=files.unsafe,
        )
        common.show({"file": str(folder), **result.to_json()}, *verification_lines(result))
        return 0 if result.passed else 1
    files.check_absent(folder)
    result = eyetune.verify(
        folder, split=split, num_images=images, workspace=common.open_workspace()
    )
    common.show(
        {"folder": str(folder), **result.to_json()},
        *verification_lines(result),
        f"Report: {escape(str(folder / 'report.html'))}",
    )
    return 0 if result.passed else 1


def flash(
    folder: Path,
    /,
    *,
    port: Annotated[str | None, Parameter(show_default="the only serial port")] = None,
    baud: int = 460_800,
    common: Common = _NO_COMMON,
) -> None:
    """Write built firmware to a board over its serial port.

    It needs esptool: pip install 'eyetune[flash]'

    For example:

        eyetune flash firmware
        eyetune flash firmware --port /dev/ttyUSB0

    Parameters
    ----------
    folder
        Folder of the export, or of its ESP-IDF project, in which idf.py build has been run.
    port
        Serial port of the board.
    baud
        Speed in bits per second.
    """
    from eyetune.cli.common import say
    from eyetune.device.export.flash import flash as write_firmware

    project = folder / "esp-idf" if (folder / "esp-idf").is_dir() else folder
    write_firmware(project, port, baud=baud, on_line=say)
    common.show(
        {"folder": str(project), "flashed": True},
        "The firmware is on the board. To see its output: idf.py monitor",
    )


def export_lines(export: Export) -> list[RenderableType]:
    """Return what to print about an export."""
    manifest = export.manifest
    folders = ", ".join(f"{name}/" for name in manifest.formats)
    path = escape(str(export.folder))
    return [
        f"[bold]{escape(manifest.label)}[/bold] for {escape(manifest.board.title)}",
        _table(export.summary.rows),
        *(escape_lines(note) for note in export.notes),
        f"Written: {path} (model.tflite, report.html, {folders})",
        f"Next: eyetune verify {path}",
    ]


def verification_lines(verification: Verification) -> list[RenderableType]:
    """Return what to print about a verification."""
    from eyetune.device.export.verify import Conclusion

    colors = {Conclusion.PASSED: "green", Conclusion.FAILED: "red"}
    color = colors.get(verification.conclusion, "yellow")
    verdict = f"[{color}]{verification.conclusion}[/{color}]"
    return [
        verdict,
        verification.judgement.text,
        _table(verification.summary.rows),
        *(escape_lines(sentence) for sentence in verification.remarks),
    ]


def _table(rows: Mapping[str, str]) -> Table:
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, text in rows.items():
        table.add_row(name, escape_lines(text))
    return table
