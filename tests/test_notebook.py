"""The lesson in notebooks/lab.ipynb: executed from top to bottom on few images, as a student would,
and looked at.
"""

from __future__ import annotations

import base64
import html
import io
import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from ipykernel.kernelspec import write_kernel_spec
from nbclient import NotebookClient
from PIL import Image

from eyetune.data.sources import cifar
from eyetune.testing.datasets import write_cifar10

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "lab.ipynb"
EPOCHS = 2
SEARCH_EPOCHS = 3  # which makes two brackets of Hyperband
SEARCH_TRIALS = "6 trials"  # 3 + 1 and 2, as KerasTuner counts them
CHANCE = 0.1
KERNEL = "eyetune-tests"
QUIET_CELLS = {"parameters", "imports"}  # all others show something
# How many pictures each cell shows; cells that are not named here show none.
PICTURES = {
    "load": 1, "pixels": 1, "plot": 1, "fitting": 1, "recipe": 1, "mistakes": 1, "rate": 1, "epochs": 1,
    "optimizer": 1, "activation-drawing": 1, "activation": 1, "architecture-drawing": 1, "architecture": 1,
    "noise-drawing": 1, "noisy-drawing": 1, "moved-drawing": 1, "augmentation": 1, "regularisation": 1,
    "rates-drawing": 1, "error-bars": 1, "combine": 1, "confusion": 1, "whole-lab-steps": 1, "whole-lab-curves": 1,
    "tuner-ours": 1, "tuner-curves": 1, "tuner-parallel": 1, "tuner-best": 1,
}  # fmt: skip
TOO_FEW_TRIALS = (
    "tuner-importances"  # in so short a search: a line of words stands in place of the picture
)
MAY_HAVE_PICTURES = {"compare", "compare-seeds", "whole-lab-code", "tuner-compare", TOO_FEW_TRIALS}
MAY_BE_GREY = {*MAY_HAVE_PICTURES, "whole-lab-steps"}  # where nothing is sure, or nothing is kept
TRAININGS = {
    "recipe": 1, "rate": 2, "epochs": 2, "optimizer": 2, "activation": 1, "architecture-drawing": 1,
    "augmentation": 2, "regularisation": 2, "combine": 1,
}  # fmt: skip


def source(folder: Path) -> tuple[str, int]:
    """Return what to learn from: the real images where they are, else as many of colour and noise."""
    directory = os.environ.get("EYETUNE_DATA")
    if directory and cifar.find(Path(directory), "cifar10"):
        return "cifar10", 1000
    return str(write_cifar10(folder, images_per_batch=100)), 0


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory, cache_directory: Path) -> dict[str, Any]:
    """Execute the notebook in a new kernel of this Python, and return its code cells by their id."""
    folder = tmp_path_factory.mktemp("notebook")
    write_kernel_spec(folder / "kernels" / KERNEL)
    data, subset = source(folder)
    settings = {
        "JUPYTER_PATH": folder,
        "IPYTHONDIR": folder / "ipython",
        "KERAS_HOME": folder / "keras",  # no weights to transfer from, on any machine
        "EYETUNE_WORKSPACE": folder / "workspace",
        "EYETUNE_NOTEBOOK_DATA": data,
        "EYETUNE_NOTEBOOK_SUBSET": subset,
        "EYETUNE_NOTEBOOK_EPOCHS": EPOCHS,
        "EYETUNE_NOTEBOOK_SEARCH_EPOCHS": SEARCH_EPOCHS,
    }
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, str(value))
        # A student has set none of these; with the last, the kernel would hide what is written from
        # C.
        for name in ("TF_CPP_MIN_LOG_LEVEL", "MPLBACKEND", "PYTEST_CURRENT_TEST"):
            patch.delenv(name, raising=False)
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=300, kernel_name=KERNEL, resources=resources).execute()
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def pictures(cell: Any) -> list[bytes]:
    """Return the pictures below a cell, those inside of HTML included."""
    found = []
    for output in cell.outputs:
        data = output.get("data", {})
        embedded = re.findall(r"data:image/png;base64,([\w+/=]+)", data.get("text/html", ""))
        own = [data["image/png"]] if "image/png" in data else []
        found += [base64.b64decode(text) for text in own + embedded]
    return found


def text(cell: Any) -> str:
    """Return all text below a cell."""
    parts = [
        output.get("text", "") + output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    ]
    return "\n".join(parts)


def shares(cell: Any) -> list[float]:
    """Return the percentages below a cell, as shares."""
    return [float(number) / 100 for number in re.findall(r"([\d.]+)%", text(cell))]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_cell_shows_something_and_none_an_error(cells: dict[str, Any]) -> None:
    silent = {name for name, cell in cells.items() if not cell.outputs}
    assert silent == QUIET_CELLS
    kinds = {output.output_type for cell in cells.values() for output in cell.outputs}
    assert "error" not in kinds


@pytest.mark.slow
def test_nothing_is_written_to_standard_error(cells: dict[str, Any]) -> None:
    noise = [
        output.text
        for cell in cells.values()
        for output in cell.outputs
        if output.get("name") == "stderr"
    ]
    assert not noise
    assert not [
        name
        for name, cell in cells.items()
        if re.search("oneDNN|absl|WARNING|Traceback", text(cell))
    ]


@pytest.mark.slow
def test_every_picture_is_there_and_shows_something(cells: dict[str, Any]) -> None:
    counts = {
        name: len(pictures(cell)) for name, cell in cells.items() if name not in MAY_HAVE_PICTURES
    }
    assert {name: count for name, count in counts.items() if count} == PICTURES
    for name, cell in cells.items():
        for png in pictures(cell):
            pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
            assert min(pixels.shape[:2]) > (40 if name == TOO_FEW_TRIALS else 100), name
            # Axes are black and grey: what they are for is in colour.
            colourful = pixels.max(axis=-1) - pixels.min(axis=-1) > 50
            shown = pixels.max(axis=-1) < 200 if name in MAY_BE_GREY else colourful
            assert shown.sum() > 200, name


@pytest.mark.slow
def test_a_training_shows_itself_in_one_line_that_says_how_it_ended(cells: dict[str, Any]) -> None:
    for name, count in TRAININGS.items():
        shown = [
            out.data["text/plain"]
            for out in cells[name].outputs
            if out.output_type == "display_data"
        ]
        trainings = [words for words in shown if words.startswith("Run ")]
        assert len(trainings) == count, name
        assert all(
            re.search(r"\nepoch (\d+)/\1  loss .* validation loss ", words) for words in trainings
        ), trainings


@pytest.mark.slow
def test_the_figures_are_sane(cells: dict[str, Any]) -> None:
    untrained, guessing = shares(cells["compile"])
    assert guessing == CHANCE
    assert untrained < 3 * CHANCE
    losses = [float(loss) for loss in re.findall(r" loss: ([\d.]+)", text(cells["fit"]))]
    assert len(losses) == EPOCHS
    assert losses[-1] < losses[0]
    (first,) = shares(cells["evaluate"])
    on_validation, on_test, _ = shares(cells["test"])
    assert all(CHANCE < accuracy <= 1 for accuracy in (first, on_validation, on_test))
    for name in ("epochs-time", "seeds"):
        assert len(shares(cells[name])) >= 3
        assert all(0.5 * CHANCE < accuracy <= 1 for accuracy in shares(cells[name])), name
    by_luck = shares(cells["honest"])
    assert 0.6 < by_luck[-1] < by_luck[0]
    theirs, ours, _ = shares(cells["tuner-numbers"])
    in_the_search, *again = shares(cells["tuner-luck"])
    assert in_the_search == ours
    assert len(again) == 2
    assert all(CHANCE < accuracy <= 1 for accuracy in (theirs, ours))  # the best of several


@pytest.mark.slow
def test_both_tuners_search_the_same_plan_and_nothing_is_searched_twice(
    cells: dict[str, Any],
) -> None:
    numbers = text(cells["tuner-numbers"])
    assert numbers.count(SEARCH_TRIALS) == 2
    assert "11 epochs" in numbers  # 3 of 1, 1 goes on to 3, and 2 of 3: nothing is trained twice
    again = text(cells["tuner-again"])
    assert "is complete" in again
    assert shares(cells["tuner-again"]) == shares(cells["tuner-numbers"])[1:2]
    table = "".join(output.data.get("text/html", "") for output in cells["tuner-compare"].outputs)
    assert "the tuner's" in html.unescape(table)


@pytest.mark.slow
def test_what_cannot_be_done_here_says_so(cells: dict[str, Any]) -> None:
    assert "The weights of VGG16 are not on this machine" in text(cells["transfer"])


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    full = [cell.id for cell in code if cell.outputs or cell.execution_count]
    assert not full, f"{sys.executable} -m nbconvert --clear-output --inplace notebooks/lab.ipynb"
    assert {cell.id for cell in code} >= PICTURES.keys() | TRAININGS.keys() | QUIET_CELLS


def test_every_technique_section_asks_before_it_shows_and_leaves_something_to_do() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    sections = {part.splitlines()[0]: part for part in re.split(r"^## ", words, flags=re.M)}
    techniques = [title for title in sections if re.match(r"(8|9|10|11|12|13|14)\. ", title)]
    assert len(techniques) == 7
    for title in techniques:
        for sign in ("**Question.**", "**Look at**", "**Your turn.**"):
            assert sign in sections[title], (title, sign)
