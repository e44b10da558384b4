"""`eyetune data`: look at images and labels before training on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from eyetune.cli.common import Common, check_output_file, command_group, load_keras
from eyetune.errors import UsageError

app = command_group("data", "Look at images and labels before training on them.")
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
    per_class: int = 10,
    subset: int = 0,
    image_size: int = 32,
    seed: int = 0,
    skip_unreadable: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> None:
    """Describe a data set and draw samples of every class.

    It shows shapes, types, value ranges, class counts and the first labels.

    For example:

        eyetune data show cifar10
        eyetune data show cifar10 --augment flip=true --augment shift=4
        eyetune data show photos/ --image-size 48 --output photos.png

    Parameters
    ----------
    source
        cifar10, cifar100, digits, or the path of an archive, a folder of images or an .npz file.
    output
        File for the picture of the samples.
    augment
        Draw what the network would see with this variation, as name=value of the recipe's augment
        section; may be repeated. The first picture of each row is unchanged.
    per_class
        Samples in a row.
    subset
        Use only the first N training images: four fifths train, the rest validate.
    image_size
        Side in pixels to which the images of a folder are resized.
    seed
        Of the splits that are made up.
    skip_unreadable
        Leave out image files that cannot be read, instead of stopping.
    """
    check_output_file(output)
    if not 1 <= per_class <= MAX_PER_CLASS:
        raise UsageError(
            "The number of samples is out of range.",
            expected=f"--per-class of 1 to {MAX_PER_CLASS}",
            received=per_class,
        )
    from eyetune.cli.tables import dataset_tables
    from eyetune.data.preview import describe, sample_grid, save_picture, variation_grid
    from eyetune.recipe import Recipe, parse_edits
    from eyetune.report.progress.training_progress import decoding_bar
    from eyetune.training.images import load_data

    edits = {
        "data.source": source,
        "data.subset": subset,
        "data.image_size": image_size,
        "data.seed": seed,
        "data.skip_unreadable": skip_unreadable,
        **parse_edits(f"augment.{word}" for word in augment),
    }
    recipe = Recipe().with_(edits)  # one place checks the ranges
    with decoding_bar() as on_progress:
        dataset = load_data(recipe, on_progress=on_progress)
    path = (
        output
        or common.open_workspace().folder
        / f"data-{dataset.name}{'-augmented' if augment else ''}.png"
    )
    if recipe.augment.active:
        load_keras()
        from eyetune.data.augment import variations

        grid = variation_grid(
            dataset, lambda images: variations(images, recipe.augment), per_class=per_class
        )
    else:
        grid = sample_grid(dataset, per_class=per_class)
    save_picture(grid, path)
    facts = describe(dataset)
    common.show({**facts, "picture": str(path)}, *dataset_tables(facts, path))


@app.command(name="list")
def list_sources(*, common: Common = _NO_COMMON) -> None:
    """List the data sets that have a name, and those in the cache.

    For example:

        eyetune data list
    """
    from eyetune.cli.tables import sources_tables
    from eyetune.data import KNOWN_SOURCES, cache

    cached = [
        {
            "name": entry.name,
            "source": entry.source,
            "size_bytes": entry.size_bytes,
            "folder": str(entry.folder),
        }
        for entry in cache.entries()
    ]
    value = {"known": KNOWN_SOURCES, "cached": cached, "cache": str(cache.directory())}
    common.show(value, *sources_tables(value))


@app.command
def clear(*, common: Common = _NO_COMMON) -> None:
    """Empty the cache of decoded images.

    Images are decoded again when they are next used.

    For example:

        eyetune data clear
    """
    from eyetune.data import cache

    freed = cache.clear()
    common.show({"freed_bytes": freed}, f"Freed {freed / 1e6:,.0f} MB.")
