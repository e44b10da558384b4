"""Networks and augmented images of recipes that are edited, from a process that has loaded Keras.

The server must answer meanwhile, so it loads no Keras itself.
"""

from __future__ import annotations

import asyncio
import base64
import io
from typing import Any

from eyetune.recipe import Recipe
from eyetune.tuning.executors.local import LocalExecutor

LIMIT_SECONDS = 120.0
PREVIEW_IMAGES = 8  # in a row; the first one is unchanged
PREVIEW_CLASSES = 4


class Inspector:
    """A process that answers questions about recipes; it is started with the first one."""

    def __init__(self) -> None:
        self._executor = LocalExecutor(1, jobs_per_process=1_000)

    async def network(self, recipe: Recipe) -> dict[str, Any]:
        """Return the layers of a recipe's network and what they need on each board.

        Raises:
            EyetuneError: The network cannot be built.
        """
        future = self._executor.submit(network_of, recipe, limit_seconds=LIMIT_SECONDS)
        return await asyncio.wrap_future(future)

    async def augmented(self, recipe: Recipe) -> str:
        """Return a picture of augmented training images, as a data URL.

        Raises:
            EyetuneError: The images cannot be loaded.
        """
        future = self._executor.submit(augmented_images, recipe, limit_seconds=LIMIT_SECONDS)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the process."""
        self._executor.close()


def network_of(recipe: Recipe) -> dict[str, Any]:
    """Return the layers of a recipe's network and what they need on each board.

    Args:
        recipe: The recipe.
    """
    from eyetune.api.fit_check import fit_checks

    checks = fit_checks(recipe, progress=False)
    needs = checks[0].footprint
    return {
        "parameters": needs.parameters,
        "macs": needs.macs,
        "flash_bytes": needs.flash_bytes,
        "boards": [check.to_json() for check in checks],
    }


def augmented_images(recipe: Recipe) -> str:
    """Return a picture of some training images and augmented copies of each, as a data URL.

    Args:
        recipe: The recipe, whose data is loaded.
    """
    from eyetune.data.augment import variations
    from eyetune.data.preview import variation_grid
    from eyetune.tuning.load_images import load_images

    picture = variation_grid(
        load_images(recipe, progress=False),
        lambda images: variations(images, recipe.augment, camera=recipe.data.camera),
        per_class=PREVIEW_IMAGES,
        classes=PREVIEW_CLASSES,
    )
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
