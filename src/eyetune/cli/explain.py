"""`eyetune explain`: what a network has learned, as pictures and tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich import box
from rich.table import Table

from eyetune.cli.common import Common, check_output_folder, load_keras
from eyetune.report.console import escape, escape_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.api.explain import Explanation

_NO_COMMON = Common()


def explain(
    run: str = "latest",
    /,
    *,
    image: str = "0",
    split: Literal["validation", "test"] = "validation",
    output: Annotated[
        Path | None, Parameter(metavar="FOLDER", show_default="explanation in the run's folder")
    ] = None,
    common: Common = _NO_COMMON,
) -> None:
    """Show what a network has learned, in pictures and tables.

    It draws five pictures: the filters of the first convolution; the feature maps of one image,
    layer by layer; where the network looks (Grad-CAM) in its most confident correct and wrong
    predictions; which classes are confused, with examples; and how many units of each layer are
    dead, zero or saturated.

    For example:

        eyetune explain latest
        eyetune explain 3f2a --image 12 --output pictures
        eyetune explain latest --image photo.jpg --split test --json

    Parameters
    ----------
    run
        The run: its id, the beginning of the id, its name, or `latest`.
    image
        Image whose feature maps are drawn: its number in the split, from 0, or an image file.
    split
        Split whose images are used. Make choices on validation; test is for the report.
    output
        Folder for the pictures (PNG and SVG).
    """
    check_output_folder(output)
    from eyetune.api.run import open_run

    chosen = open_run(run, workspace=common.open_workspace())
    is_number = image.removeprefix("-").isdecimal()
    chosen_image = int(image) if is_number else image
    chosen.image_to_explain(chosen_image, split)  # raises errors before Keras loads
    load_keras()
    explained = chosen.explain(chosen_image, split=split)
    paths = explained.save(output or chosen.folder / "explanation")
    pictures = [str(path) for path in paths]
    value = {"run": chosen.id, **explained.to_json(), "pictures": pictures}
    common.show(
        value,
        *_tables(explained),
        "Pictures:",
        *(escape(path) for path in pictures if path.endswith(".png")),
    )


def _tables(explained: Explanation) -> list[RenderableType]:
    """Return an explanation as sentences and tables."""
    shown: list[RenderableType] = [
        f"[bold]{escape(explained.label)}[/bold], {explained.split} images",
        "",
    ]
    shown += [escape_lines(sentence) for sentence in explained.sentences]
    if explained.pairs:
        shown.append(_pairs_table(explained))
    else:
        shown += ["", f"No mistakes on the {explained.split} images."]
    if explained.activity:
        shown.append(_activity_table(explained))
    return shown


def _pairs_table(explained: Explanation) -> Table:
    table = Table(box=box.SIMPLE, title="confused most", title_justify="left")
    table.add_column("class")
    table.add_column("taken for")
    table.add_column("images", justify="right")
    table.add_column("share of the class", justify="right")
    table.add_column("most confident (image number)")
    for pair in explained.pairs:
        names = (escape(explained.class_names[label]) for label in (pair.true, pair.predicted))
        table.add_row(
            *names, f"{pair.count:,}", f"{pair.share:.1%}", ", ".join(map(str, pair.examples))
        )
    return table


def _activity_table(explained: Explanation) -> Table:
    title = f"activations on {explained.num_sampled:,} {explained.split} images"
    table = Table(box=box.SIMPLE, title=title, title_justify="left")
    for name in ("layer", "activation"):
        table.add_column(name)
    for name in ("units", "dead", "share", "outputs at rest"):
        table.add_column(name, justify="right")
    table.add_column("explanation", overflow="fold")
    for layer in explained.activity:
        table.add_row(
            escape(layer.layer),
            layer.activation,
            f"{layer.units:,}",
            f"{layer.dead:,}",
            f"{layer.dead_share:.0%}",
            f"{layer.resting:.0%} {'saturated' if layer.bounded else 'not above 0'}",
            layer.text,
        )
    return table
