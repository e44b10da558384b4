"""`eyetune data`: look at images and labels before training on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from eyetune.cli.common import Common, check_output_file, command_group, load_keras
from eyetune.cli.data_check import check
from eyetune.errors import UsageError

if TYPE_CHECKING:
    from eyetune.recipe import Recipe

app = command_group("data", "Look at images and labels before training on them.")
app.command(check)
_NO_COMMON = Common()
MAX_PER_CLASS = 200


@app.command
def show(
    source: str,
    /,
    *,
    output: Annotated[
        Path | None, Parameter(metavar="FILE", show_default="data-NAME.png in the workspace")
    ] = None,
    augment: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    camera: Literal["none", "ov2640"] = "none",
    per_class: int = 10,
    subset: Annotated[int, Parameter(show_default="all")] = 0,
    image_size: int = 32,
    resize: Literal["crop", "pad", "squash"] = "crop",
    grayscale: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    skip_unreadable: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> None:
    """Describe a data set and draw samples of every class.

    It shows shapes, types, value ranges, class counts and the first labels, and of a folder the
    sizes and formats of its photos, and what is left of them in square images.

    For example:

        eyetune data show cifar10
        eyetune data show cifar10 --augment flip=true --augment shift=4
        eyetune data show cifar10 --camera ov2640
        eyetune data show photos/ --image-size 48 --output photos.png

    Parameters
    ----------
    source
        cifar10, cifar100, digits, or the path of an archive, a folder of images or an .npz file.
    output
        File for the picture of the samples.
    augment
        Draw augmented images: a value of the recipe's augment section, as name=value. May be
        repeated. The first image of each row is unchanged.
    camera
        Draw images with the look of this camera, as data.camera gives it to training images.
    per_class
        Sample images in a row.
    subset
        Use only the first N training images: four fifths train, the rest validate.
    image_size
        Side length in pixels to which the images of a folder are resized.
    resize
        How photos of a folder become square: crop takes the largest part in the center, pad all of
        the photo with black borders, squash all of it, distorted.
    grayscale
        Convert the images to one channel.
    seed
        Random seed of the splits, if the source is not split.
    skip_unreadable
        Skip image files that cannot be read, instead of stopping.
    """
    check_output_file(output)
    if not 1 <= per_class <= MAX_PER_CLASS:
        raise UsageError(
            "The number of sample images is out of range.",
            expected=f"--per-class from 1 to {MAX_PER_CLASS}",
            received=per_class,
        )
    from eyetune.analysis.imbalance import imbalance, imbalance_text
    from eyetune.cli.data_tables import dataset_tables, imbalance_lines
    from eyetune.data.preview import (
        check_picture_path,
        describe,
        sample_grid,
        save_picture,
        variation_grid,
    )
    from eyetune.recipe import Recipe, parse_edits
    from eyetune.tuning.load_images import load_images

    if output:
        check_picture_path(output)
    edits = {
        "data.source": source,
        "data.subset": subset,
        "data.image_size": image_size,
        "data.resize": resize,
        "data.grayscale": grayscale,
        "data.seed": seed,
        "data.skip_unreadable": skip_unreadable,
        "data.camera": camera,
        **parse_edits(f"augment.{edit}" for edit in augment),
    }
    recipe = Recipe().with_(edits)  # checks the ranges
    dataset = load_images(recipe, progress=True)
    name = f"data-{dataset.name}{'-augmented' if recipe.augments_images else ''}.png"
    path = output or common.open_workspace().path(name)
    if recipe.augments_images:
        load_keras()
        from eyetune.data.augment import variations

        grid = variation_grid(
            dataset,
            lambda images: variations(images, recipe.augment, camera=recipe.data.camera),
            per_class=per_class,
        )
    else:
        grid = sample_grid(dataset, per_class=per_class)
    save_picture(grid, path)
    facts = describe(dataset) | {"photos": _photos(recipe)}
    uneven = imbalance(dataset.train.class_counts(dataset.num_classes).tolist())
    note = imbalance_text(uneven, dataset.class_names)
    common.show(
        {**facts, "imbalance": uneven.to_json(), "picture": str(path)},
        *dataset_tables(facts, path, recipe.data.resize),
        *imbalance_lines(note),
    )


def _photos(recipe: Recipe) -> dict[str, Any] | None:
    """Return the facts about the photos of a folder; None for a source of another kind."""
    from eyetune.data.load import folder_of
    from eyetune.data.photo_facts import photo_facts
    from eyetune.data.sources.folder import survey
    from eyetune.report.progress.training_progress import counting_bar

    root = folder_of(recipe.data.source)
    if root is None:
        return None
    section = recipe.data
    with counting_bar("reading headers") as on_progress:
        facts = photo_facts(
            survey(root).paths(), section.image_size, section.resize, on_progress=on_progress
        )
    return facts.to_json()


@app.command(name="list")
def list_sources(*, common: Common = _NO_COMMON) -> None:
    """List the named data sets and the image cache.

    For example:

        eyetune data list
    """
    from eyetune.cli.data_tables import sources_tables
    from eyetune.data import KNOWN_SOURCES, cache

    cached = [
        {
            "name": entry.name,
            "source": entry.source,
            "details": list(entry.details),
            "size_bytes": entry.size_bytes,
            "created_at": entry.created_at.isoformat(timespec="seconds"),
            "folder": str(entry.folder),
        }
        for entry in cache.entries()
    ]
    value = {"known": KNOWN_SOURCES, "cached": cached, "cache": str(cache.directory())}
    common.show(value, *sources_tables(value))


@app.command
def clear(*, common: Common = _NO_COMMON) -> None:
    """Empty the image cache.

    Images are decoded again when they are next used.

    For example:

        eyetune data clear
    """
    from eyetune.data import cache

    freed = cache.clear()
    common.show({"freed_bytes": freed}, f"Freed {freed / 1e6:,.0f} MB.")
