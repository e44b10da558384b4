"""Answers that need Keras, from a process that has loaded it: the server itself loads none.

It draws networks of recipes that are edited, augments images, explains what networks have learned,
and classifies pictures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from eyetune.dashboard.pictures import image_url, pixels_url, png_url
from eyetune.errors import DataError
from eyetune.recipe import Recipe
from eyetune.tuning.executors.local import LocalExecutor

if TYPE_CHECKING:
    from eyetune.api.network_pair import NetworkPair
    from eyetune.api.picture_predictions import PicturePrediction

LIMIT_SECONDS = 120.0
PREVIEW_IMAGES = 8  # in a row; the first one is unchanged
PREVIEW_CLASSES = 4
SEEN_PIXELS = 160  # width of a picture as the network sees it

_Answer = TypeVar("_Answer")


class Inspector:
    """A process that answers questions; it is started with the first one.

    Each question is a function of this module with plain arguments. Errors of eyetune are raised
    where the answer is awaited.
    """

    def __init__(self) -> None:
        self._executor = LocalExecutor(1, jobs_per_process=1_000)

    async def ask(self, question: Callable[..., _Answer], *arguments: Any) -> _Answer:
        """Return the answer to a question.

        Raises:
            EyetuneError: It cannot be answered.
        """
        future = self._executor.submit(question, *arguments, limit_seconds=LIMIT_SECONDS)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the process."""
        self._executor.close()


def network_of(recipe: Recipe) -> dict[str, Any]:
    """Return a diagram of a recipe's network, and what it needs on each board.

    Args:
        recipe: The recipe.
    """
    from eyetune.api.fit_check import fit_checks
    from eyetune.data.load import shape_of
    from eyetune.models.build import build
    from eyetune.models.structure import structure
    from eyetune.report.figures.network_diagram import network_diagram

    checks = fit_checks(recipe, progress=False)
    needs = checks[0].footprint
    network = structure(build(recipe.model, *shape_of(recipe.data)))
    return {
        "diagram": png_url(network_diagram(network)._repr_png_()),
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
    return image_url(picture)


def explanation_of(folder: Path, run_id: str, number: int) -> dict[str, Any]:
    """Return what the network of a run has learned: sentences, and pictures as data URLs by name.

    Args:
        folder: Folder of the workspace.
        run_id: Id of a complete run.
        number: Number of the validation image whose path through the network is shown, from 0.
    """
    from eyetune.api.run import open_run

    explained = open_run(run_id, workspace=folder).explain(number)
    pictures = {name: png_url(drawn._repr_png_()) for name, drawn in explained.pictures().items()}
    return {"sentences": list(explained.sentences), "pictures": pictures}


def answers_for(folder: Path, run_id: str, pictures: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
    """Return what a network answers for pictures, through the firmware's preprocessing.

    Args:
        folder: Folder of the workspace.
        run_id: Id of a complete run.
        pictures: Names and contents of image files.
    """
    from eyetune._scratch import scratch_folder
    from eyetune.api.predict import classify_files
    from eyetune.records import Workspace

    run_folder = Workspace(folder).runs.folder(run_id)
    pair = _network_pair(folder, run_id, _changed_at(run_folder))
    with scratch_folder() as scratch:
        files = []
        for number, (_, content) in enumerate(pictures):
            files.append(scratch / str(number))
            files[-1].write_bytes(content)
        try:
            answers = classify_files(pair, files, progress=False)
        except DataError as error:  # none of them can be read
            if len(files) > 1:
                raise
            reason = error.received or error.message
            return {"pictures": [], "unreadable": [(pictures[0][0], reason)], "notes": []}
    names = {str(file): name for file, (name, _) in zip(files, pictures, strict=True)}
    return {
        "pictures": [_answer(names[picture.name], picture) for picture in answers.pictures],
        "unreadable": [(names[name], reason) for name, reason in answers.unreadable],
        "notes": list(answers.notes),
    }


def _answer(name: str, picture: PicturePrediction) -> dict[str, Any]:
    return {
        **picture.to_json(),
        "image": name,
        "seen": pixels_url(picture.image, SEEN_PIXELS),
    }


@lru_cache(maxsize=2)  # the frames of a webcam are for one network
def _network_pair(folder: Path, run_id: str, changed_at: float) -> NetworkPair:  # noqa: ARG001
    from eyetune.api.network_pair import find_network, load_pair
    from eyetune.api.preparing import start

    found = find_network(run_id, data=None, pixels="auto", unsafe=False, workspace=folder)
    start(0, progress=False)
    return load_pair(found, progress=False)


def _changed_at(folder: Path) -> float:
    """Return when a file of a run last changed: a run that trains on has another network then."""
    return max((path.stat().st_mtime for path in folder.iterdir() if path.is_file()), default=0.0)
