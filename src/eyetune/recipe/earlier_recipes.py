"""Recipes that were written before a value existed: what the value was then.

Recipes are recorded with every value, so a recorded recipe that lacks one is from before. Files
that people write name only what they change, and take today's defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyetune.recipe.image_sections import Resize

# Sources whose images all have one size, so that `data.resize` has no effect.
NAMED_SOURCES = ("cifar10", "cifar100", "digits")
_FILE_ENDINGS = (".npz", ".tar", ".tar.gz", ".tgz")
# Values of the data section that `Recipe.to_toml` has always written.
_ALWAYS_WRITTEN = {
    "source",
    "validation",
    "test",
    "subset",
    "image_size",
    "seed",
    "skip_unreadable",
}


def implied_resize(source: str) -> Resize:
    """Return the `data.resize` of a recorded recipe that does not name it.

    Photos of a folder were always squashed. Where it has no effect, it is today's default, so that
    recipes from before equal those of today.

    Args:
        source: Name or path of the images.

    Example:
        >>> implied_resize("photos"), implied_resize("cifar10")
        ('squash', 'crop')
    """
    has_one_size = source in NAMED_SOURCES or source.endswith(_FILE_ENDINGS)
    return "crop" if has_one_size else "squash"


def recorded_data(section: Any) -> Any:
    """Return the values of a recorded data section with those that it implies.

    Args:
        section: Values by name; anything else is returned unchanged.

    Example:
        >>> recorded_data({"source": "photos"})
        {'source': 'photos', 'resize': 'squash'}
    """
    if not isinstance(section, dict) or "resize" in section:
        return section
    return {**section, "resize": implied_resize(str(section.get("source", "")))}


def recorded_recipe(values: Any) -> Any:
    """Return the values of a recorded recipe with those that it implies.

    Args:
        values: Sections by name; anything else is returned unchanged.
    """
    if not isinstance(values, dict) or "data" not in values:
        return values
    return {**values, "data": recorded_data(values["data"])}


def recipe_in_file(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a recipe in a TOML file with those that it implies.

    A file that eyetune wrote has every value, and is taken as recorded. Any other file takes
    today's defaults.

    Args:
        values: Sections by name.
    """
    section = values.get("data")
    if isinstance(section, dict) and section.keys() >= _ALWAYS_WRITTEN:
        return {**values, "data": recorded_data(section)}
    return values
