"""Do the lab: every technique compared with evidence, the best stacked, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eyetune.api.labs import Lab
from eyetune.api.preparing import checked_recipe, workspace_of
from eyetune.api.run import open_run
from eyetune.data import Dataset
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.techniques.catalog.transfer import TEACHER
from eyetune.techniques.lab.plan import Choice
from eyetune.tuning.load_images import load_images
from eyetune.tuning.references import resolve

QUICK = {"fit.epochs": 2, "data.subset": 4000}


def lab(
    recipe: Recipe | None = None,
    data: str | Path | None = None,
    *,
    techniques: str | Sequence[str] = (),
    quick: bool = False,
    seeds: int = 1,
    final_seeds: int | None = None,
    seconds: float | None = None,
    workers: int | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> Lab:
    """Find out which technique, which combination gives the best result, and how sure we can be.

    Trains the baseline and each technique's values, one change at a time; stacks what helped; looks
    how each pair gets on; then trains the best and the baseline on training and validation images,
    and tries them on test, once. What is recorded already is not trained again: the same call goes
    on where an interrupted one stopped.

    Args:
        recipe: The baseline; the default is the lab's network on CIFAR-10.
        data: A source in place of the recipe's (see `load`).
        techniques: What to try: names (all their values) or "name=value"; by default every
            technique that needs nothing but the images.
        quick: A dozen changes, few epochs and few images, where the recipe leaves those at their
            defaults.
        seeds: Trainings of each recipe that are compared, 1 or more.
        final_seeds: Trainings of the best recipe, and of the baseline, on test; by default 3
            (quick: 2).
        seconds: How long it may take; what was not tried by then is listed (None: as long as it
            takes).
        workers: Trainings at once; by default one for each core, as far as the memory goes.
        workspace: As for `train`.
        progress: As for `train`.

    Raises:
        UsageError: A technique is unknown, or a number out of its range.
        RunBusyError: Another lab is at work in the workspace.
        EyetuneError: The data cannot be used, or the baseline cannot be trained.

    Example:
        >>> import eyetune as et
        >>> lab = et.lab(data="digits", quick=True)  # doctest: +SKIP
        >>> print(lab.answer)  # doctest: +SKIP
    """
    from eyetune.techniques.lab.plan import QUICK as QUICK_CHOICES
    from eyetune.techniques.lab.plan import LabPlan, choose
    from eyetune.techniques.lab.run_lab import run_lab
    from eyetune.tuning.executors import default_workers

    if isinstance(data, Dataset):
        raise UsageError(
            "The lab's workers cannot see a dataset in memory.",
            expected="a source, which they load through the cache of decoded images",
            received=repr(data)[:60],
            fix="Save it as an .npz file or a folder of images, and name that.",
        )
    recipe = checked_recipe(recipe).with_(
        {"data.train_on_validation": False}
    )  # or there is nothing to choose on
    if quick:
        recipe = _quick(recipe)
    last = (2 if quick else 3) if final_seeds is None else final_seeds
    workers = default_workers() if workers is None else workers
    _check_numbers(seconds=seconds, seeds=seeds, final_seeds=last, workers=workers)
    words = techniques.split(",") if isinstance(techniques, str) else techniques
    workspace = workspace_of(workspace)
    choices = choose(words or (QUICK_CHOICES if quick else ()))
    if words:  # what was asked for by name and cannot be fails before any training
        choices = tuple(
            _with_teacher(choice, recipe, workspace) for choice in choices if choice.apply(recipe)
        )
    workspace.prepare()
    dataset = load_images(recipe, data, progress=progress)
    plan = LabPlan(
        baseline=resolve(recipe.with_({"data.source": dataset.source}), workspace),
        data_fingerprint=dataset.fingerprint,
        choices=choices,
        seeds=tuple(range(seeds)),
        final_seeds=last,
        workers=workers,
        seconds=seconds,
    )
    with WorkersDisplay(enabled=progress) as display:
        record = run_lab(plan, workspace, display)
        display.note("Drawing ...")
        workspace.labs.save(record)
        done = Lab(workspace, record)
        done.save_plots()
        done.report()
    return done


def _quick(recipe: Recipe) -> Recipe:
    """Return a recipe with few epochs and images, where it leaves them at their defaults."""
    usual, values = Recipe().values(), recipe.values()
    return recipe.with_(
        {path: value for path, value in QUICK.items() if values[path] == usual[path]}
    )


def _check_numbers(*, seconds: float | None, **counts: object) -> None:
    for name, number in counts.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise UsageError(
                f"{name} cannot be used.",
                expected="a whole number, 1 or more",
                received=repr(number),
            )
    if seconds is not None and not seconds > 0:  # NaN is not above 0 either
        raise UsageError(
            "The time cannot be used.", expected="more than 0 seconds", received=seconds
        )


def _with_teacher(choice: Choice, recipe: Recipe, workspace: Workspace) -> Choice:
    """Return a choice that names its teacher for good: "latest" would be another run as the lab
    goes on.
    """
    teacher = choice.apply(recipe).loss.teacher if choice.technique.needs == TEACHER else ""
    if not teacher or teacher.endswith(".keras"):
        return choice
    run = open_run(teacher, workspace=workspace)
    _ = run.results
    if run.recipe.data.train_on_validation:
        raise UsageError(
            f"The teacher {run.record.label} was trained on the validation images, which are to compare its pupils.",
            expected="a run that was trained on training images alone",
            fix="eyetune runs lists all runs.",
        )
    return replace(choice, value=run.id)
