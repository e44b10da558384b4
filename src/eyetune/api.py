"""What a user calls from Python and the command line calls for them: train, resume, open a run.

This is the one place where data, training, records, analysis and pictures meet.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from eyetune.analysis import rates
from eyetune.analysis.compare import Candidate
from eyetune.analysis.compare import compare as paired
from eyetune.data import Dataset
from eyetune.errors import DataError, UsageError
from eyetune.history import Epoch
from eyetune.labs import Lab
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.report.progress import TrainingDisplay, WorkersDisplay, decoding_bar, step_bar
from eyetune.run import Run, load_data, settled, teacher_file
from eyetune.shown import ShownComparison, ShownRangeTest
from eyetune.tuning.jobs import inspect, work
from eyetune.tuning.recording import describe, job_of, record_failure, record_outcome, versions, yardstick


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
    plots: bool = True,
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
        progress: Show the progress: on standard error, in a notebook below the cell.
        plots: Draw its pictures into its folder, which takes a few seconds; `Run.save_plots` can do it later.

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
    recipe = settled(recipe.with_({"data.source": dataset.source}), place)
    _start(threads, progress=progress)
    inspected = inspect(recipe, dataset, teacher_file(place, recipe))
    if inspected.network is None:
        raise inspected.error or AssertionError
    record = place.create_run(
        recipe=recipe,
        data=describe(dataset),
        network=inspected.network,
        seed=seed,
        precision=inspected.precision,
        threads=threads,
        deterministic=deterministic,
        name=name,
        versions=versions(),
    )
    return _carry_on(place, record, dataset, progress=progress, plots=plots)


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
    return _carry_on(place, record, dataset, progress=progress)


QUICK = {"fit.epochs": 2, "data.subset": 4000}


def lab(
    recipe: Recipe | None = None,
    data: str | Path | None = None,
    *,
    techniques: Sequence[str] = (),
    quick: bool = False,
    seeds: int = 1,
    final_seeds: int | None = None,
    seconds: float | None = None,
    workers: int | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> Lab:
    """Find out which technique, which combination gives the best result, and how sure we can be.

    Trains the baseline and each technique's values, one change at a time; stacks what helped; looks how each pair gets
    on; then trains the best and the baseline on training and validation images, and tries them on test, once. What is
    recorded already is not trained again: the same call goes on where an interrupted one stopped.

    Worker processes start with your script: keep the call below `if __name__ == "__main__":` (not in a notebook).

    Args:
        recipe: The baseline; the default is the lab's network on CIFAR-10.
        data: A source in place of the recipe's (see `load`).
        techniques: What to try: names (all their values) or "name=value"; by default every technique that needs
            nothing but the images.
        quick: A dozen changes, few epochs and few images, where the recipe leaves those at their defaults.
        seeds: Trainings of each recipe that are compared, 1 or more.
        final_seeds: Trainings of the best recipe, and of the baseline, on test; by default 3 (quick: 2).
        seconds: How long it may take; what was not tried by then is listed (None: as long as it takes).
        workers: Trainings at once; by default one for each core, as far as the memory goes.
        workspace: As for `train`.
        progress: As for `train`.

    Raises:
        UsageError: A technique is unknown, or a number out of its range.
        RunBusyError: Another lab is at work in the workspace.
        EyetuneError: The data cannot be used, or the baseline cannot be trained.
    """
    from eyetune.techniques.lab import climb
    from eyetune.techniques.plan import QUICK as QUICK_CHOICES
    from eyetune.techniques.plan import LabPlan, choose
    from eyetune.tuning.executors import default_workers

    _check_main_process()
    recipe = _checked_recipe(recipe)
    if quick:
        recipe = _quick(recipe)
    last = (2 if quick else 3) if final_seeds is None else final_seeds
    for name, number in (("seeds", seeds), ("final_seeds", last), ("workers", 1 if workers is None else workers)):
        if number < 1:
            raise UsageError(f"{name} is too small.", expected="1 or more", received=number)
    choices = choose(techniques or (QUICK_CHOICES if quick else ()))
    if techniques:
        for choice in choices:
            choice.apply(recipe)  # what was asked for by name and cannot be fails before any training
    place = _workspace(workspace)
    place.prepare()
    dataset = _load(recipe, data, progress=progress)
    plan = LabPlan(
        baseline=recipe.with_({"data.source": dataset.source}),
        choices=choices,
        seeds=tuple(range(seeds)),
        final_seeds=last,
        workers=workers or default_workers(),
        seconds=seconds,
    )
    with WorkersDisplay(enabled=progress) as display:
        record = climb(plan, place, display)
        display.note("Drawing ...")
        place.save_lab(record)
        done = Lab(place, record)
        done.save_plots()
        done.report()
    return done


def _quick(recipe: Recipe) -> Recipe:
    """Return a recipe with few epochs and images, where it leaves them at their defaults."""
    chosen = {"fit.epochs": recipe.fit.model_fields_set, "data.subset": recipe.data.model_fields_set}
    return recipe.with_({path: value for path, value in QUICK.items() if path.partition(".")[2] not in chosen[path]})


def _check_main_process() -> None:
    """Refuse to start workers from a worker, which a script without its guard would do for ever."""
    import multiprocessing

    if multiprocessing.parent_process() is not None:
        raise UsageError(
            "A worker process ran the script that started it.",
            fix='Put what your script does below `if __name__ == "__main__":`.',
        )


def open_run(reference: str = "latest", *, workspace: str | Path | Workspace | None = None) -> Run:
    """Return a recorded run by id, beginning of an id, name, or "latest"."""
    place = _workspace(workspace)
    return Run(place, place.find(str(reference)))


def compare(*runs: Run) -> ShownComparison:
    """Compare runs with the first one, by their predictions on the same validation images.

    Runs of one recipe with different seeds are taken together; of several with one seed, which say the same, the last
    counts.

    Returns:
        The baseline and the others' differences from it; a notebook shows a table and a forest plot, `plot()` draws it.

    Raises:
        UsageError: There is nothing to compare, or a run is not complete.
        DataError: The runs were validated on different images.

    Example:
        >>> import eyetune as et
        >>> comparison = et.compare(et.open_run("a"), et.open_run("b"))  # doctest: +SKIP
        >>> comparison.differences[0].words                              # doctest: +SKIP
        'better'
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
    return ShownComparison(baseline, tuple(paired(baseline, others)))


def find_learning_rate(
    recipe: Recipe | None = None,
    data: str | Path | Dataset | None = None,
    *,
    smallest: float = rates.SMALLEST,
    largest: float = rates.LARGEST,
    steps: int | None = None,
    seed: int = 0,
    threads: int = 0,
    progress: bool = True,
) -> ShownRangeTest:
    """Find the learning rate to train a recipe with, by a range test (Smith, 2017, arXiv:1506.01186).

    For some hundred steps the network trains as `train` would train it, while the rate rises from far too small to far
    too large; then everything is thrown away but the losses. The recipe's own rate, schedule and warm-up give way to
    the test's rates. Only training images are looked at, and nothing is recorded.

    Args:
        recipe: What to test; the default is the lab's network on CIFAR-10.
        data: As for `train`.
        smallest: The first rate, above 0.
        largest: The last rate, at most 100 and at least ten times the smallest.
        steps: From the first to the last, 20 or more (None: 500, fewer on small data).
        seed: Of everything that is random, as for `train`.
        threads: As for `train`.
        progress: Show the progress on standard error.

    Returns:
        The losses, the suggestion and the usable range. Where the loss did not fall, the suggestion is None.

    Raises:
        UsageError: A value is out of its range.
        EyetuneError: The data or the recipe cannot be used.

    Example:
        >>> import eyetune as et
        >>> found = et.find_learning_rate(data="digits", steps=100, progress=False)
        >>> 0.0003 < found.suggestion < 0.03
        True
    """
    recipe = _checked_recipe(recipe)
    rates.check_range(smallest, largest, steps)
    _check_seed(seed)
    recipe = recipe.with_({"data.train_on_validation": False})
    dataset = data if isinstance(data, Dataset) else _load(recipe, data, progress=progress)
    _start(threads, progress=progress)
    from eyetune.training.backend import choose_arithmetic
    from eyetune.training.range_test import batches_per_epoch, step_losses

    num_steps = steps or rates.default_steps(batches_per_epoch(recipe, dataset))
    tried = rates.rising_rates(smallest, largest, num_steps)
    arithmetic = choose_arithmetic(recipe.fit.precision)
    title = f"Range test of {recipe.optimizer.name} on {dataset.name}"
    with step_bar(num_steps, f"{title}: {num_steps:,} steps, in {arithmetic}", enabled=progress) as on_step:
        losses: list[float] = []
        teacher = teacher_file(_workspace(None), recipe)
        trained = step_losses(recipe, dataset, tried, seed=seed, arithmetic=arithmetic, teacher=teacher)
        for loss in rates.until_diverged(trained, num_steps):
            losses.append(loss)
            on_step(len(losses), tried[len(losses) - 1], loss)
    test = rates.judge(tried, losses, num_steps)
    return ShownRangeTest(**vars(test), title=title)


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


def _carry_on(place: Workspace, record: RunRecord, dataset: Dataset, *, progress: bool, plots: bool = True) -> Run:
    """Train a recorded run to its end from wherever it stands, and record what comes of it."""
    from eyetune.training.backend import choose_arithmetic

    with place.claim(record.id), _failures_recorded(place, record.id):
        place.set_state(record.id, RunState.RUNNING)
        with TrainingDisplay(record.recipe.fit.total_epochs, enabled=progress) as display:
            arithmetic = choose_arithmetic(record.recipe.fit.precision)
            display.note(f"Run {record.label}: {len(dataset.train):,} images of {dataset.name}, in {arithmetic}")

            def on_epoch(epoch: Epoch) -> None:
                place.save_epoch(record.id, epoch)
                display.on_epoch(epoch)

            outcome = work(
                job_of(place, record),
                dataset,
                on_epoch=on_epoch,
                on_progress=display.on_progress,
                on_note=display.note,
            )
        run = Run(place, record_outcome(place, record, outcome, lambda: yardstick(dataset)))
    if plots and run.state is RunState.COMPLETE:
        display.note("Drawing ...")
        run.save_plots(dataset=dataset)
    return run


@contextmanager
def _failures_recorded(place: Workspace, run_id: str) -> Iterator[None]:
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        record_failure(place, run_id, error)
        raise


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


def _workspace(workspace: str | Path | Workspace | None) -> Workspace:
    return workspace if isinstance(workspace, Workspace) else Workspace(workspace)
