"""`eyetune export`, `verify` and `flash`: a run on its way to a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich import box
from rich.markup import escape
from rich.table import Table

from eyetune.cli.common import Common, check_output_folder

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.api.export import Export
    from eyetune.device.export.verify import Verification

Formats = Annotated[
    tuple[Literal["esp-idf", "arduino", "c"], ...], Parameter(negative="", show_default=False)
]
_NO_COMMON = Common()


def export(
    run: str = "latest",
    /,
    *,
    board: str = "esp-eye",
    output: Annotated[
        Path | None, Parameter(metavar="FOLDER", show_default="exports/ID in the workspace")
    ] = None,
    format: Formats = ("esp-idf",),  # noqa: A002 (the word of the flag)
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> None:
    """Export a run for a board: int8 network, firmware and report.

    Ranges are measured on training images, and float and int8 are compared on validation images.
    `eyetune verify` proves the result on test images.

    For example:

        eyetune export latest --board esp-eye --output firmware
        eyetune export 3f2a --format esp-idf --format c --json

    Parameters
    ----------
    run
        Id of a run, the beginning of it, its name, or latest.
    board
        A name of `eyetune boards`, or the path of a TOML file.
    output
        Folder for the export, which is created.
    format
        Of the firmware: esp-idf (the default), arduino or c; may be repeated.
    overwrite
        Replace an export that is there. Anything else is never written over.
    """
    check_output_folder(output)
    import eyetune

    done = eyetune.export(
        run,
        output,
        board=board,
        formats=format,
        overwrite=overwrite,
        workspace=common.open_workspace(),
    )
    common.show(done.to_json(), *export_lines(done))


def verify(
    folder: Path,
    /,
    *,
    split: Literal["test", "validation"] = "test",
    images: int | None = None,
    common: Common = _NO_COMMON,
) -> int:
    """Verify an export on real images, with the board's interpreter.

    TensorFlow Lite Micro runs the network as the board would, and LiteRT is the reference. The
    exit status is 1 where the verification fails.

    For example:

        eyetune verify firmware
        eyetune verify firmware --split validation --images 500 --json

    Parameters
    ----------
    folder
        Of the export.
    split
        Which images: test for the report, once; validation while choices are still to be made.
    images
        Only the first so many of them.
    """
    import eyetune

    found = eyetune.verify(
        folder, split=split, num_images=images, workspace=common.open_workspace()
    )
    common.show(
        {"folder": str(folder), **found.to_json()},
        *verification_lines(found),
        f"Report: {folder / 'report.html'}",
    )
    return 0 if found.passed else 1


def flash(
    folder: Path,
    /,
    *,
    port: str | None = None,
    baud: int = 460_800,
    common: Common = _NO_COMMON,
) -> None:
    """Write built firmware to a board over its serial port.

    It needs esptool.

    For example:

        eyetune flash firmware
        eyetune flash firmware --port /dev/ttyUSB0

    Parameters
    ----------
    folder
        Of the export, or of its ESP-IDF project; it must have been built with idf.py build.
    port
        Serial port of the board; by default the only one that there is.
    baud
        Speed in bits a second.
    """
    from eyetune.cli.common import say
    from eyetune.device.export.flash import flash as write

    project = folder / "esp-idf" if (folder / "esp-idf").is_dir() else folder
    write(project, port, baud=baud, on_line=say)
    common.show({"folder": str(project), "flashed": True}, "Done. Watch it: idf.py monitor")


def export_lines(done: Export) -> list[RenderableType]:
    """Show what an export is."""
    manifest = done.manifest
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    accuracies = f"{manifest.float_validation_accuracy:.2%} in float, {manifest.int8_validation_accuracy:.2%} in int8"
    board = manifest.board
    room = board.arena_bytes if manifest.arena_bytes <= board.arena_bytes else board.psram_bytes
    rows = {
        "accuracy": f"{accuracies} ({manifest.validation_images:,} validation images)",
        "flash": f"{manifest.flash_bytes:,} of {board.max_model_bytes:,} bytes",
        "tensor arena": f"{manifest.arena_bytes:,} of {room:,} bytes, "
        f"{'measured' if manifest.arena_is_measured else 'predicted'}",
        "multiply-adds": f"{manifest.macs:,}",
        "operators": ", ".join(manifest.operators),
    }
    if manifest.latency_ms is not None:
        rows["time an image"] = (
            f"{manifest.latency_ms:,.0f} ± {manifest.latency_error_ms:,.0f} ms, predicted"
        )
    for name, value in rows.items():
        table.add_row(name, escape(value))
    lines: list[RenderableType] = [
        f"[bold]{escape(manifest.label)}[/bold] for {escape(board.title)}",
        table,
    ]
    lines += [escape(note) for note in done.notes]
    folders = ", ".join(f"{form}/" for form in manifest.formats)
    return [
        *lines,
        f"Written: {escape(str(done.folder))} (model.tflite, report.html, {folders})",
        f"Next: eyetune verify {escape(str(done.folder))}",
    ]


def verification_lines(found: Verification) -> list[RenderableType]:
    """Show what a proof found."""
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("images", f"{found.num_images:,} of the {found.split} split")
    if found.float_accuracy is not None:
        table.add_row("accuracy in float", f"{found.float_accuracy:.2%}")
    table.add_row("accuracy in int8", f"{found.int8_accuracy:.2%} ({escape(found.interpreter)})")
    if found.agreement is not None:
        table.add_row("same class", f"{found.agreement:.2%} ({escape(found.reference)})")
    if found.arena is not None:
        table.add_row(
            "tensor arena",
            f"{found.arena.bytes:,} bytes used, {found.arena_limit_bytes:,} set aside",
        )
    words = "[green]The proof holds.[/green]" if found.passed else "[red]The proof fails.[/red]"
    return [words, table, *(escape(one) for one in (*found.failures, *found.warnings))]
