"""What a user calls from Python and the command line calls for them: train, resume, open a run.

This is the one place where data, training, records, analysis and pictures meet.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eyetune.analysis.compare import Candidate, Difference
from eyetune.analysis.compare import compare as paired
from eyetune.analysis.metrics import evaluate
from eyetune.data import Dataset
from eyetune.errors import DataError, EyetuneError, UsageError
from eyetune.history import Epoch
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.run import DataRecord, Results
from eyetune.report.progress import TrainingDisplay, decoding_bar
from eyetune.run import MODEL_FILE, Run, load_data

if TYPE_CHECKING:
    from eyetune.training.backend import Arithmetic


def train(
    recipe: Recipe | None = None,
    data: str | Path | Dataset | None = None,
    *,
    seed: int = 0,
    name: str = "",
    workspace: str | Path | Workspace | None = None,
    threads: int = 0,
    deterministic: bool = True,
    progress: bool = True,
) -> Run:
    """Train a recipe once, evaluate it and record it all.

    Args:
        recipe: What to train; the default is the lab's network on CIFAR-10.
        data: A source in place of the recipe's (see `load`), or a dataset that is loaded already.
        seed: Of everything that is random, 0 or above; the same seed gives the same result.
        name: What to call the run, besides its id.
        workspace: Where it is recorded; default `./eyetune-workspace`, or what EYETUNE_WORKSPACE names.
        threads: Of the arithmetic; 0 for one a core.
        deterministic: Use only operations that repeat exactly.
        progress: Show the progress on standard error.

    Returns:
        The run: COMPLETE, or PAUSED where Ctrl-C interrupted it.

    Raises:
        EyetuneError: The data cannot be used, the training failed or the workspace cannot be written.

    Example:
        >>> import eyetune as et, tempfile
        >>> recipe = et.Recipe().with_(data__subset=100, fit__epochs=1)
        >>> run = et.train(recipe, data="digits", workspace=tempfile.mkdtemp(), progress=False)
        >>> run.state, len(run.history)
        (<RunState.COMPLETE: 'COMPLETE'>, 1)
    """
    recipe = _checked_recipe(recipe)
    place = _workspace(workspace)
    place.prepare()
    _check_seed(seed)
    dataset = data if isinstance(data, Dataset) else _load(recipe, data, progress=progress)
    recipe = recipe.with_({"data.source": dataset.source})
    _start(threads, progress=progress)
    from eyetune.models import cnn
    from eyetune.models.structure import structure
    from eyetune.training.backend import choose_arithmetic
    from eyetune.training.fit import check

    check(recipe, dataset)
    arithmetic = choose_arithmetic(recipe.fit.precision)
    network = structure(cnn.build(recipe.model, dataset.image_shape, dataset.num_classes))
    record = place.create_run(
        recipe=recipe,
        data=_describe(dataset),
        network=network,
        seed=seed,
        precision=arithmetic.precision,
        threads=threads,
        deterministic=deterministic,
        name=name,
        versions=_versions(),
    )
    return _carry_on(place, record, dataset, arithmetic, progress=progress)


def resume(
    reference: str,
    *,
    data: Dataset | None = None,
    workspace: str | Path | Workspace | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> Run:
    """Go on with an interrupted run from its last whole epoch.

    Args:
        reference: Id, beginning of an id, name, or "latest".
        data: The dataset, where it was handed to `train` as one; otherwise it is loaded as the recipe says.
        workspace: As for `train`.
        threads: As for `train`; by default as many as the run began with.
        progress: As for `train`.

    Raises:
        UsageError: The run is complete.
        DataError: The images are not those that it was trained on.
        RunBusyError: Another process is training it.
    """
    place = _workspace(workspace)
    record = place.find(reference)
    if record.state is RunState.COMPLETE:
        raise UsageError(
            f"Run {record.label} is complete: there is nothing to resume.",
            fix=f"To train its recipe for longer: eyetune train {record.id} --epochs {2 * record.recipe.fit.epochs}",
        )
    run = Run(place, record)
    dataset = run.checked(data) if data else run.dataset()
    _start(record.threads if threads is None else threads, progress=progress)
    from eyetune.training.backend import choose_arithmetic

    arithmetic = choose_arithmetic(record.precision)
    return _carry_on(place, record, dataset, arithmetic, progress=progress)


def open_run(reference: str = "latest", *, workspace: str | Path | Workspace | None = None) -> Run:
    """Return a recorded run by id, beginning of an id, name, or "latest"."""
    place = _workspace(workspace)
    return Run(place, place.find(str(reference)))


def compare(*runs: Run) -> tuple[Candidate, list[Difference]]:
    """Compare runs with the first one, by their predictions on the same validation images.

    Runs of one recipe with different seeds are taken together; of several with one seed, which say the same, the last
    counts.

    Returns:
        The baseline, and the others' differences from it.

    Raises:
        UsageError: There is nothing to compare, or a run is not complete.
        DataError: The runs were validated on different images.

    Example:
        >>> import eyetune as et
        >>> baseline, differences = et.compare(et.open_run("a"), et.open_run("b"))  # doctest: +SKIP
    """
    groups: dict[str, dict[int, Run]] = {}
    for run in runs:
        groups.setdefault(run.recipe.fingerprint, {})[run.record.seed] = run
    if len(groups) < 2:
        raise UsageError(
            "There is nothing to compare.",
            expected="runs of two recipes or more",
            received=f"{len(runs)} run(s) of {len(groups)} recipe(s)",
        )
    prints = {run.record.data.fingerprint: run.record.label for run in runs}
    if len(prints) > 1:
        raise DataError(
            "The runs were validated on different images: their accuracies cannot be compared.",
            expected="runs on the same data, split and subset",
            received=", ".join(f"{label}: {fingerprint}" for fingerprint, label in prints.items()),
        )
    baseline, *others = (_candidate(list(group.values())) for group in groups.values())
    return baseline, paired(baseline, others)


def _candidate(group: Sequence[Run]) -> Candidate:
    first = group[0]
    seeds = f" ({len(group)} seeds)" if len(group) > 1 else ""
    return Candidate(
        label=f"{first.record.name or first.id}{seeds}",
        right=np.stack([run.right("validation") for run in group]),
        histories=tuple(run.history for run in group),
        parameters=first.record.network.parameters,
        multiply_adds=first.record.network.multiply_adds,
    )


def _carry_on(place: Workspace, record: RunRecord, dataset: Dataset, arithmetic: Arithmetic, *, progress: bool) -> Run:
    """Train a recorded run to its end from wherever it stands, and record what comes of it."""
    from eyetune.training.fit import Ending, fit

    with place.claim(record.id), _failures_recorded(place, record.id):
        place.set_state(record.id, RunState.RUNNING)
        with TrainingDisplay(record.recipe.fit.epochs, enabled=progress) as display:
            display.note(f"Run {record.label}: {len(dataset.train):,} images of {dataset.name}, in {arithmetic}")

            def on_epoch(epoch: Epoch) -> None:
                place.save_epoch(record.id, epoch)
                display.on_epoch(epoch)

            fitted = fit(
                record.recipe,
                dataset,
                place.run_folder(record.id),
                seed=record.seed,
                arithmetic=arithmetic,
                deterministic=record.deterministic,
                resume=True,
                on_epoch=on_epoch,
                on_progress=display.on_progress,
            )
        if fitted.ending is Ending.INTERRUPTED:
            return Run(place, place.set_state(record.id, RunState.PAUSED))
        display.note("Evaluating ...")
        results = _results(place, record, dataset, fitted.model, fitted.kept_epoch)
        complete = place.set_state(record.id, RunState.COMPLETE, results=results)
    run = Run(place, complete)
    display.note("Drawing ...")
    run.save_plots(dataset=dataset)
    return run


@contextmanager
def _failures_recorded(place: Workspace, run_id: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        place.set_state(run_id, RunState.PAUSED)
        raise
    except Exception as error:
        words = str(error) if isinstance(error, EyetuneError) else f"{type(error).__name__}: {error}"
        place.set_state(run_id, RunState.FAILED, error=words)
        raise


def _results(place: Workspace, record: RunRecord, dataset: Dataset, model: Any, kept_epoch: int) -> Results:
    """Evaluate the trained network on validation and, once, on test; keep it and its predictions."""
    from eyetune.analysis.linear import linear_accuracy
    from eyetune.training.evaluate import probabilities, save_model

    save_model(model, place.run_folder(record.id) / MODEL_FILE)
    figures = {}
    for name in ("validation", "test"):
        split = dataset.split(name)
        predicted = probabilities(model, split)
        place.save_predictions(record.id, name, predicted, split.labels)
        figures[name] = evaluate(predicted, split.labels)
    train, validation = dataset.train, dataset.validation
    known = dataset.name == "cifar10"  # judged by the lab's bands
    return Results(
        kept_epoch=kept_epoch,
        validation_loss=figures["validation"].loss,
        validation_accuracy=figures["validation"].accuracy,
        test_loss=figures["test"].loss,
        test_accuracy=figures["test"].accuracy,
        linear_accuracy=None
        if known
        else linear_accuracy(train.images, train.labels, validation.images, validation.labels),
    )


def _checked_recipe(recipe: Recipe | None) -> Recipe:
    if recipe is not None and not isinstance(recipe, Recipe):
        raise UsageError(
            "The first argument is not a recipe.",
            expected="an eyetune.Recipe, or None for the lab's",
            received=f"{type(recipe).__name__}: {recipe!r:.60}",
            fix="To train the lab's recipe on other images: eyetune.train(data=...)",
        )
    return recipe or Recipe()


def _check_seed(seed: int) -> None:
    from eyetune.training.backend import LARGEST_SEED

    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError("The seed is out of range.", expected=f"0 to {LARGEST_SEED}", received=seed)


def _start(threads: int, *, progress: bool) -> None:
    from eyetune.training.backend import start_keras

    if "keras" not in sys.modules:
        with TrainingDisplay(0, enabled=progress) as display:
            display.note("Loading Keras ...")
    start_keras(threads)


def _load(recipe: Recipe, source: str | Path | None, *, progress: bool) -> Dataset:
    with decoding_bar(enabled=progress) as on_progress:
        return load_data(recipe, source, on_progress=on_progress)


def _describe(dataset: Dataset) -> DataRecord:
    return DataRecord(
        name=dataset.name,
        source=dataset.source,
        fingerprint=dataset.fingerprint,
        class_names=dataset.class_names,
        image_shape=dataset.image_shape,
        num_train=len(dataset.train),
        num_validation=len(dataset.validation),
        num_test=len(dataset.test),
        notes=dataset.notes,
    )


def _versions() -> dict[str, str]:
    names = ("eyetune", "keras", "numpy")
    return {name: version(name) for name in names} | {"python": platform.python_version()}


def _workspace(workspace: str | Path | Workspace | None) -> Workspace:
    return workspace if isinstance(workspace, Workspace) else Workspace(workspace)
