"""The lesson in notebooks/lab.ipynb: executed from top to bottom with few images, and checked."""

from __future__ import annotations

import ast
import base64
import html
import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest
from ipykernel.kernelspec import write_kernel_spec
from nbclient import NotebookClient
from PIL import Image

from eyetune.testing.datasets import write_cifar10

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "lab.ipynb"
EPOCHS = 2
SEARCH_EPOCHS = 3  # which makes two brackets of Hyperband
SEARCH_TRIALS = "6 trials"  # 3 + 1 and 2, as KerasTuner counts them
CHANCE = 0.1
KERNEL = "eyetune-tests"
QUIET_CELLS = {"parameters", "imports"}  # all others show something
# How many pictures each cell shows besides live curves; the other cells show none.
PICTURES = dict.fromkeys(
    [
        "load", "pixels", "plot", "fitting", "recipe", "mistakes", "rate", "epochs", "optimizer",
        "activation-drawing", "activation", "architecture-drawing", "architecture",
        "noise-drawing", "noisy-drawing", "moved-drawing", "augmentation", "regularization",
        "rates-drawing", "error-bars", "combine", "confusion", "whole-lab-steps",
        "whole-lab-curves", "tuner-ours", "tuner-curves", "tuner-parallel", "tuner-best",
    ],
    1,
)  # fmt: skip
# With few trials, the picture of the importances is a line of text.
TOO_FEW_TRIALS = "tuner-importances"
MAY_HAVE_PICTURES = {"compare", "compare-seeds", "whole-lab-code", "tuner-compare", TOO_FEW_TRIALS}
MAY_BE_GRAY = {*MAY_HAVE_PICTURES, "whole-lab-steps"}  # where nothing is certain or kept
TRAININGS = {
    "recipe": 1, "rate": 2, "epochs": 2, "optimizer": 2, "activation": 1, "architecture-drawing": 1,
    "augmentation": 2, "regularization": 2, "combine": 1,
}  # fmt: skip
LIVE_CURVES = {**TRAININGS, "tuner-ours": 1, "tuner-best": 1}  # one for each training or search


# With one core, searches have one worker. Most of their time is the start of their workers.
USE_ONE_CORE = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
"""


def read_notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory, cache_directory: Path) -> dict[str, Any]:
    """Execute the notebook in a new kernel, and return its code cells by id."""
    folder = tmp_path_factory.mktemp("notebook")
    write_kernel_spec(folder / "kernels" / KERNEL)
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "use_one_core.py").write_text(USE_ONE_CORE)
    settings = {
        "JUPYTER_PATH": folder,
        "IPYTHONDIR": folder / "ipython",
        "KERAS_HOME": folder / "keras",  # no weights to transfer from, on any machine
        "EYETUNE_WORKSPACE": folder / "workspace",
        # Images of color and noise are learned in a few steps.
        "EYETUNE_NOTEBOOK_DATA": write_cifar10(folder, images_per_batch=100),
        "EYETUNE_NOTEBOOK_SUBSET": 400,
        "EYETUNE_NOTEBOOK_EPOCHS": EPOCHS,
        "EYETUNE_NOTEBOOK_SEARCH_EPOCHS": SEARCH_EPOCHS,
    }
    notebook = read_notebook()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, str(value))
        # A student has none of these. With the last, the kernel would hide the output of C code.
        for name in ("TF_CPP_MIN_LOG_LEVEL", "MPLBACKEND", "PYTEST_CURRENT_TEST"):
            patch.delenv(name, raising=False)
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=300, kernel_name=KERNEL, resources=resources).execute()
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def test_page_of_the_lesson_shows_the_notebook() -> None:
    page = (NOTEBOOK.parents[1] / "docs" / "lesson.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```python\n(.*?)\n```$", page, re.S | re.M)
    parts = read_notebook().cells
    assert shown == [cell.source for cell in parts if cell.cell_type == "code"]
    for cell in parts:
        if cell.cell_type == "markdown":
            assert cell.source.replace("](../docs/", "](") in page


def pictures(cell: Any) -> list[bytes]:
    """Return the pictures below a cell, also those inside HTML."""
    found: list[bytes] = []
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
    """Return the percentages in the text below a cell, as shares."""
    return [float(number) / 100 for number in re.findall(r"([\d.]+)%", text(cell))]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_cell_has_an_output_and_no_error(cells: dict[str, Any]) -> None:
    silent = {name for name, cell in cells.items() if not cell.outputs}
    assert silent == QUIET_CELLS
    kinds = {output.output_type for cell in cells.values() for output in cell.outputs}
    assert "error" not in kinds


@pytest.mark.slow
def test_no_cell_writes_to_standard_error(cells: dict[str, Any]) -> None:
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
def test_cells_show_their_pictures(cells: dict[str, Any]) -> None:
    counts = {
        name: len(pictures(cell)) for name, cell in cells.items() if name not in MAY_HAVE_PICTURES
    }
    expected = {name: count + LIVE_CURVES.get(name, 0) for name, count in PICTURES.items()}
    assert {name: count for name, count in counts.items() if count} == expected
    for name, cell in cells.items():
        for png in pictures(cell):
            pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
            assert min(pixels.shape[:2]) > (40 if name == TOO_FEW_TRIALS else 100), name
            # Axes are black and gray; their content is in color.
            colorful = pixels.max(axis=-1) - pixels.min(axis=-1) > 50
            shown = pixels.max(axis=-1) < 200 if name in MAY_BE_GRAY else colorful
            assert shown.sum() > 200, name


@pytest.mark.slow
def test_training_ends_as_one_line_with_its_last_epoch(cells: dict[str, Any]) -> None:
    for name, count in TRAININGS.items():
        shown = [
            out.data["text/plain"]
            for out in cells[name].outputs
            if out.output_type == "display_data"
        ]
        trainings = [text for text in shown if text.startswith("Run ")]
        assert len(trainings) == count, name
        for training in trainings:
            assert re.search(r"\nepoch (\d+)/\1  loss .* validation loss ", training)


@pytest.mark.slow
def test_accuracies_and_losses_are_plausible(cells: dict[str, Any]) -> None:
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
def test_both_tuners_search_alike_and_nothing_twice(cells: dict[str, Any]) -> None:
    numbers = text(cells["tuner-numbers"])
    assert numbers.count(SEARCH_TRIALS) == 2
    assert "11 epochs" in numbers  # 3 of 1, 1 promoted to 3, and 2 of 3: nothing twice
    again = text(cells["tuner-again"])
    assert "is complete" in again
    assert shares(cells["tuner-again"]) == shares(cells["tuner-numbers"])[1:2]
    table = "".join(output.data.get("text/html", "") for output in cells["tuner-compare"].outputs)
    assert "the tuner's" in html.unescape(table)


@pytest.mark.slow
def test_transfer_cell_says_that_the_weights_are_missing(cells: dict[str, Any]) -> None:
    assert "The weights of VGG16 are not on this machine" in text(cells["transfer"])


def test_notebook_is_kept_without_outputs() -> None:
    notebook = read_notebook()
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    executed = [cell.id for cell in code if cell.outputs or cell.execution_count]
    assert not executed, "jupyter nbconvert --clear-output --inplace notebooks/lab.ipynb"
    assert {cell.id for cell in code} >= PICTURES.keys() | TRAININGS.keys() | QUIET_CELLS


def test_technique_sections_ask_show_and_leave_a_task() -> None:
    notebook = read_notebook()
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    sections = {part.splitlines()[0]: part for part in re.split(r"^## ", prose, flags=re.MULTILINE)}
    techniques = [title for title in sections if re.match(r"(8|9|10|11|12|13|14)\. ", title)]
    assert len(techniques) == 7
    for title in techniques:
        for sign in ("**Question.**", "**Look at**", "**Your turn.**"):
            assert sign in sections[title], (title, sign)


def test_notebook_lines_have_at_most_100_characters() -> None:
    notebook = read_notebook()
    lines = [line for cell in notebook.cells for line in cell.source.splitlines()]
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("accuracy", "val_accuracy", "expected"),
    [(0.9, 0.4, "overfitting"), (0.4, 0.4, "no overfitting"), (0.4, 0.5, "no overfitting")],
)
def test_section_5_says_overfitting_below_training_only(
    accuracy: float, val_accuracy: float, expected: str
) -> None:
    notebook = read_notebook()
    (cell,) = (cell for cell in notebook.cells if cell.id == "fitting")
    statements = ast.parse(cell.source).body
    functions: list[ast.stmt] = [node for node in statements if isinstance(node, ast.FunctionDef)]
    namespace: dict[str, Any] = {}
    exec(compile(ast.Module(functions, []), "fitting", "exec"), namespace)
    history = {"accuracy": [0.1, accuracy], "val_accuracy": [0.1, val_accuracy]}
    assert namespace["fitting"](SimpleNamespace(history=history)) == expected
