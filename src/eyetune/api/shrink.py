"""Make the network of a run smaller: remove channels, train the rest, until limits hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from eyetune.api.preparing import check_seed, note, start, workspace_of
from eyetune.api.run import Run
from eyetune.api.shrink_limits import (
    check_can_shrink,
    check_limits,
    cost_changes,
    costs_text,
    read_limits,
)
from eyetune.api.train import resume, train
from eyetune.data import Dataset
from eyetune.device.boards.profiles import load_board
from eyetune.errors import UsageError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.recipe.channels import channel_groups, with_explicit_filters
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.resolver import LATEST
from eyetune.records.run import require_results
from eyetune.records.shrink import ShrinkRecord, ShrinkStep
from eyetune.tracking.follow import check_trackers
from eyetune.tracking.tracker import Tracker
from eyetune.tuning.shrinking import (
    Candidate,
    Shapes,
    check_reachable,
    num_steps,
    smaller,
    smaller_when_converted,
    step_limits,
)
from eyetune.values.numbers import count_text
from eyetune.values.summary import Summarized, Summary

WEIGHTS_FOLDER = "weights"  # in the workspace
# Schedules that end with a small learning rate, whatever the results are.
_FALLING = ("cosine", "one_cycle", "step", "exponential")


@dataclass(frozen=True, repr=False)
class Shrunk(Summarized):
    """The result of `shrink`.

    Attributes:
        run: The run of the smaller network.
        parent: The run that it was made from.
        record: The limits, and each step with its costs and validation accuracy.
    """

    run: Run
    parent: Run
    record: ShrinkRecord

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        steps = count_text(len(self.record.steps), "step")
        return f"{self.run.record.label}, made from {self.parent.record.label} in {steps}"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        rows = {}
        for change in cost_changes(self.record):
            limit = f"; {change.limit}" if change.limit else ""
            rows[change.name] = f"{change.now}, before {change.before}{limit}"
        now, before = (f"{run.validation_accuracy:.2%}" for run in (self.run, self.parent))
        rows["validation accuracy in float"] = f"{now}, before {before}"
        return Summary(rows)

    def to_json(self) -> dict[str, Any]:
        """Return the run as JSON values, with the steps under `shrink`."""
        return {**self.run.to_json(), "shrink": self.record.to_json()}


def shrink(
    run: str | Run,
    constraints: str | Sequence[str] = (),
    *,
    board: str | Path | None = None,
    fps: float | None = None,
    epochs: int | None = None,
    seed: int = 0,
    name: str = "",
    data: Dataset | None = None,
    workspace: str | Path | Workspace | None = None,
    threads: int = 0,
    progress: bool = True,
    trackers: Sequence[Tracker] = (),
) -> Shrunk:
    """Make the network of a run smaller until it meets limits, with as little loss as possible.

    In each step, the least important channels are removed and the rest is trained further, with the
    predictions of the run as well as the labels. Importance is measured on training images. Each
    step is recorded as a run, and the last one is the result.

    Source: Molchanov et al., 2019, Importance Estimation for Neural Network Pruning
    (arXiv:1906.10771).

    Args:
        run: A complete run of a network of blocks: a `Run`, its id, the beginning of the id, its
            name or "latest".
        constraints: Upper limits such as "flash_bytes <= 98k", "arena_bytes <= 64KiB",
            "latency_ms <= 200" or "macs <= 6M". Default: only those of the board.
        board: The name of a built-in board, or the path of a .toml file that describes one. Its
            memory is a limit, too. Default: no board.
        fps: Frames per second that the network must reach on the board, as predicted. Default: no
            limit.
        epochs: Epochs of all steps together; the last step takes at least half. Default: as many as
            the run has.
        seed: Random seed, 0 or above. Default: 0.
        name: Name of the result. Default: that of the run, with "-small".
        data: The dataset, if `train` received one. Default: the images that the recipe names.
        workspace: Where the run is recorded. Default: `./eyetune-workspace`, or the folder that
            EYETUNE_WORKSPACE names.
        threads: Number of threads for arithmetic. Default: 0, one per core.
        progress: Show progress on standard error, or below the cell of a notebook.
        trackers: Where to log the runs of the steps, besides the workspace, for example
            `[eyetune.MlflowTracker("sqlite:///mlflow.db")]`.

    Returns:
        The run of the smaller network, and the steps that led to it.

    Raises:
        KeyboardInterrupt: It was interrupted; `resume_shrink` continues.
        UsageError: The network has no blocks, meets the limits already, or cannot meet them.
        RunNotFoundError: No run or several match.
        EyetuneError: The images cannot be used, or a training failed.

    Example:
        >>> import eyetune as et, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> recipe = et.Recipe().with_(data__subset=100, fit__epochs=2)
        >>> run = et.train(recipe, data="digits", workspace=folder, progress=False, plots=False)
        >>> small = et.shrink(run, "parameters <= 4k", workspace=folder, epochs=2, progress=False)
        >>> small.run.record.network.parameters <= 4000
        True
    """
    workspace = run.workspace if isinstance(run, Run) else workspace_of(workspace)
    parent = run if isinstance(run, Run) else Run(workspace, workspace.runs.find(run))
    require_results(parent.record)
    check_can_shrink(parent.record)
    check_seed(seed)
    check_trackers(trackers)
    limits = read_limits(constraints, fps, board)
    if epochs is not None and epochs < 1:
        raise UsageError("epochs is out of its range.", expected="1 or more", received=epochs)
    taken = {record.name for record in workspace.shrinks.all()}
    if name in (*taken, LATEST):
        raise UsageError(
            f"The name {name} is taken.",
            expected="another name",
            received=name,
            fix=f"Use another name, or continue: eyetune shrink --resume {name}",
        )
    dataset = parent.checked(data) if data else parent.dataset()
    start(threads, progress=progress)
    shapes = Shapes(dataset.image_shape, dataset.num_classes, load_board(board) if board else None)
    first = shapes.candidate(with_explicit_filters(parent.recipe))
    check_limits(parent.record, first, limits, shapes)
    check_reachable(first, limits, shapes)
    total = parent.record.num_epochs_done if epochs is None else epochs
    most_steps = total // 2 + 1  # half of the epochs are for the last one
    record = ShrinkRecord(
        name=name or _unused_name(parent.record, taken),
        parent=parent.id,
        limits=limits,
        board=_board_name(board),
        epochs=total,
        num_steps=min(max(1, num_steps(first, limits)), most_steps),
        seed=seed,
        threads=threads,
    )
    workspace.shrinks.save(record)
    return _continue(workspace, record, dataset, shapes, progress=progress, trackers=trackers)


def resume_shrink(
    name: str = "latest",
    *,
    data: Dataset | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
    trackers: Sequence[Tracker] = (),
) -> Shrunk:
    """Continue an interrupted `shrink` after its last complete epoch.

    Args:
        name: Name of the result, or "latest".
        data: The dataset, if `train` received one. Default: the images that the recipe names.
        workspace: Where it is recorded. Default: `./eyetune-workspace`, or the folder that
            EYETUNE_WORKSPACE names.
        progress: Show progress on standard error, or below the cell of a notebook.
        trackers: Where to log the runs of the steps. With those of `shrink`, what they have logged
            continues.

    Returns:
        The run of the smaller network, and the steps that led to it.

    Raises:
        KeyboardInterrupt: It was interrupted again.
        RunNotFoundError: There is none of this name, or a run of it was deleted.
        UsageError: It is complete.
        EyetuneError: The images cannot be used, or a training failed.

    Example:
        >>> import eyetune as et
        >>> small = et.resume_shrink("camera-small")  # doctest: +SKIP
    """
    check_trackers(trackers)
    workspace = workspace_of(workspace)
    record = workspace.shrinks.find(name)
    if record.is_over:
        raise UsageError(
            f"{record.name} is complete: there is nothing to resume.",
            fix=f"eyetune show {record.steps[-1].run}",
        )
    parent = Run(workspace, workspace.runs.find(record.parent))
    dataset = parent.checked(data) if data else parent.dataset()
    start(record.threads, progress=progress)
    board = load_board(record.board) if record.board else None
    shapes = Shapes(dataset.image_shape, dataset.num_classes, board)
    return _continue(workspace, record, dataset, shapes, progress=progress, trackers=trackers)


def _board_name(board: str | Path | None) -> str:
    """Return the name of a board, or the absolute path of its file, or ""."""
    name = str(board or "")
    return str(Path(name).resolve()) if name.endswith(".toml") else name


def _unused_name(parent: RunRecord, taken: set[str]) -> str:
    stem = f"{parent.name or parent.id}-small"
    names = [stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def _continue(
    workspace: Workspace,
    record: ShrinkRecord,
    dataset: Dataset,
    shapes: Shapes,
    *,
    progress: bool,
    trackers: Sequence[Tracker],
) -> Shrunk:
    """Train the step that was interrupted, if any, and all others."""
    parent = Run(workspace, workspace.runs.get(record.parent))
    say = partial(note, progress=progress)
    current = parent
    for index in range(record.num_steps):
        if index == len(record.steps):
            say("Choosing the channels that are removed ...")
            step = _next_step(workspace, record, parent, current, dataset, shapes)
            record = record.with_step(step, index)
            workspace.shrinks.save(record)
        step = record.steps[index]
        if not step.run:
            title = f"Step {index + 1} of {record.num_steps}"
            say(f"{title}: {_change_text(current.recipe, step, shapes)}")
            current = _trained(
                workspace, record, index, dataset, progress=progress, trackers=trackers
            )
            accuracy = current.validation_accuracy
            step = step.model_copy(update={"run": current.id, "validation_accuracy": accuracy})
            record = record.with_step(step, index)
            workspace.shrinks.save(record)
            say(
                f"{title}: validation accuracy {accuracy:.2%}, "
                f"{parent.validation_accuracy:.2%} before all steps"
            )
        else:
            current = Run(workspace, workspace.runs.get(step.run))
    return Shrunk(current, parent, record)


def _next_step(
    workspace: Workspace,
    record: ShrinkRecord,
    parent: Run,
    current: Run,
    dataset: Dataset,
    shapes: Shapes,
) -> ShrinkStep:
    """Choose the channels of the next step, and keep their weights in the workspace."""
    from eyetune.models.channels import put_part
    from eyetune.models.initial_weights import keep

    steps_left = record.num_steps - len(record.steps)
    before = shapes.candidate(with_explicit_filters(current.recipe))
    importance = _importance(before, current, dataset)
    if steps_left > 1:
        after = smaller(before, importance, step_limits(before, record.limits, steps_left), shapes)
        costs = after.costs
    else:
        after, costs = smaller_when_converted(before, importance, record.limits, shapes)
    put_part(before.channels, after.channels, importance)
    folder = workspace.path(WEIGHTS_FOLDER)
    try:
        weights = keep(after.network, folder)
    except OSError as error:
        raise WorkspaceError(
            f"The weights of the smaller network cannot be written to {folder}.",
            received=error.strerror or error,
            fix="Free some space or check the permissions of the folder, then try again.",
        ) from None
    recipe = _retraining(after.recipe, parent.id, weights, _epochs(record, steps_left))
    names = list(dict.fromkeys(["macs", *(limit.name for limit in record.limits)]))
    return ShrinkStep(
        recipe=recipe,
        before={name: before.costs[name] for name in names},
        after={name: costs[name] for name in names},
    )


def _importance(candidate: Candidate, run: Run, dataset: Dataset) -> Mapping[int, Any]:
    """Return the importance of a run's channels, and give the candidate its weights."""
    from eyetune.training.channel_importance import channel_importance

    candidate.network.set_weights(run.classifier().get_weights())
    return channel_importance(
        candidate.network, candidate.channels, dataset.train, dataset.num_classes
    )


def _epochs(record: ShrinkRecord, steps_left: int) -> int:
    """Return the epochs of a step: half of all in the last one, the others equally many."""
    others = record.num_steps - 1
    earlier = max(1, record.epochs // (2 * others)) if others else 0
    return earlier if steps_left > 1 else max(1, record.epochs - earlier * others)


def _retraining(recipe: Recipe, teacher: str, weights: Path, epochs: int) -> Recipe:
    """Return the recipe of a smaller network that starts from the weights that it keeps."""
    schedule = recipe.optimizer.schedule
    edits: dict[str, Any] = {
        "model.initial_weights": str(weights),
        "loss.teacher": teacher if recipe.fit.class_weight == "none" else "",
        "optimizer.schedule": schedule if schedule in _FALLING else "cosine",
        "optimizer.warmup_epochs": 0,
        "optimizer.cycle_epochs": 0,
        "optimizer.restarts": (),
        "fit.epochs": epochs,
        "fit.seconds": 0,
        "fit.early_stopping": 0,
    }
    return recipe.with_(edits)


def _trained(
    workspace: Workspace,
    record: ShrinkRecord,
    index: int,
    dataset: Dataset,
    *,
    progress: bool,
    trackers: Sequence[Tracker],
) -> Run:
    """Train a step, or the rest of it, and return its complete run.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    recipe = record.steps[index].recipe
    is_last = index == record.num_steps - 1
    name = record.name if is_last else f"{record.name}-step-{index + 1}"
    # By recipe and name, a run is of this step: the file of its initial weights is named by their
    # hash, and the name tells it from the run of another shrink with the same first steps.
    same = workspace.runs.same(recipe, dataset.fingerprint, record.seed)
    runs = [run for run in same if run.name == name]
    done = [run for run in runs if run.state is RunState.COMPLETE]
    paused = [run for run in runs if run.state is RunState.PAUSED]
    if done:
        return Run(workspace, done[-1])
    if paused:
        run = resume(
            paused[-1].id, data=dataset, workspace=workspace, progress=progress, trackers=trackers
        )
    else:
        run = train(
            recipe,
            dataset,
            seed=record.seed,
            name=name,
            workspace=workspace,
            threads=record.threads,
            progress=progress,
            plots=is_last,
            trackers=trackers,
        )
    if run.state is RunState.PAUSED:
        raise KeyboardInterrupt
    return run


def _change_text(before: Recipe, step: ShrinkStep, shapes: Shapes) -> str:
    """Return what a step changes: channels, costs, and how it is trained."""
    image_channels = shapes.image_shape[-1]
    pairs = zip(
        channel_groups(with_explicit_filters(before).model, image_channels),
        channel_groups(step.recipe.model, image_channels),
        strict=True,
    )
    changed = [f"{old.count} to {new.count}" for old, new in pairs if old.count != new.count]
    teacher = f"teacher {step.recipe.loss.teacher}"
    if not step.recipe.loss.teacher:
        teacher = "no teacher, since the recipe weights classes"
    return (
        f"channels {', '.join(changed)}; {costs_text(step.before)} to {costs_text(step.after)}; "
        f"{count_text(step.recipe.fit.epochs, 'epoch')}, {teacher}"
    )
