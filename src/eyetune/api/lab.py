"""The lab: run one, open a recorded one, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyetune.analysis.imbalance import imbalance
from eyetune.api.preparing import checked_recipe, workspace_of
from eyetune.api.run import open_run
from eyetune.data import Dataset
from eyetune.errors import ArgumentTypeError, DataError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.lab import LabRecord
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.tracking.follow import check_trackers, follow
from eyetune.tracking.tracker import Tracker
from eyetune.values.history import History

if TYPE_CHECKING:
    from eyetune.report.figures.lab_figures import CostName
    from eyetune.report.figures.picture import Picture
    from eyetune.techniques.lab.plan import Choice, LabPlan

QUICK_VALUES = {"fit.epochs": 2, "data.subset": 4000}
FINAL_SEEDS, QUICK_FINAL_SEEDS = 3, 2
EXTRA_FINAL_SEEDS = 7  # in the time that a limit leaves, where the number is not given
REPORT_FILE = "report.html"


@dataclass(frozen=True, repr=False)
class Lab:
    """A recorded lab. A notebook shows its answer, its leaderboard and what each technique gained.

    Attributes:
        workspace: Where it is recorded.
        record: Its record.

    Example:
        >>> import tempfile
        >>> from eyetune.testing.labs import fabricated_lab
        >>> lab = Lab(Workspace(tempfile.mkdtemp()), fabricated_lab(12))
        >>> lab.id, lab.record.data, len(lab.record.techniques)
        ('lab-1', 'cifar10', 12)
        >>> len(lab.plot_steps().axes)
        1
    """

    workspace: Workspace
    record: LabRecord

    @property
    def id(self) -> str:
        """The lab's id: the name of its folder."""
        return self.record.id

    @property
    def folder(self) -> Path:
        """The folder of lab.json, and of the report and plots once they are written."""
        return self.workspace.labs.folder(self.id)

    @property
    def answer(self) -> str:
        """Which technique, which combination gave the best result, in two sentences."""
        return self.record.answer

    @property
    def test_accuracy(self) -> float:
        """Test accuracy of the best recipe, 0 to 1, the mean over its seeds."""
        return self.record.final.test_accuracy

    @cached_property
    def histories(self) -> dict[str, History]:
        """The epochs of the compared runs by run id; empty for runs that were purged."""
        runs = {run for trained in self.record.leaderboard for run in trained.runs}
        return {run: self.workspace.runs.history(run) for run in sorted(runs)}

    def plot(self) -> Picture:
        """Draw what each technique gained, with 95% intervals."""
        from eyetune.report.figures.forest_plot import effects_forest

        return effects_forest(self.record)

    def plot_curves(self, *, best: int = 3) -> Picture:
        """Draw validation accuracy by epoch and by seconds, the best recipes in color.

        Args:
            best: How many techniques are drawn in color.
        """
        from eyetune.report.figures.lab_figures import lab_curves

        return lab_curves(self.record, self.histories, best=best)

    def plot_steps(self) -> Picture:
        """Draw how the combination was stacked."""
        from eyetune.report.figures.lab_figures import steps_staircase

        return steps_staircase(self.record)

    def plot_interactions(self) -> Picture:
        """Draw how the parts of the combination work together."""
        from eyetune.report.figures.lab_figures import interaction_matrix

        return interaction_matrix(self.record)

    def plot_cost(self, by: CostName = "parameters") -> Picture:
        """Draw the cost of each recipe against its accuracy, with the Pareto front.

        Args:
            by: "parameters" or "macs" ("multiply_adds" is the earlier name of "macs").
        """
        from eyetune.report.figures.lab_figures import cost_picture

        return cost_picture(self.record, by=by)

    def save_plots(self, folder: Path | None = None) -> list[Path]:
        """Write all plots as PNG and SVG, and return the files.

        Args:
            folder: Where to write. Default: `plots` in the lab's folder.

        Raises:
            WorkspaceError: A file cannot be written.
        """
        from eyetune.report.figures.picture import save

        target = folder or self.folder / "plots"
        pictures = {"effects": self.plot, "curves": self.plot_curves, "cost": self.plot_cost}
        if self.record.steps:
            pictures["steps"] = self.plot_steps
        if self.record.interactions:
            pictures["interactions"] = self.plot_interactions
        return [path for name, draw in pictures.items() for path in save(draw(), target, name)]

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report, one HTML file that needs no other file, and return its path.

        Args:
            path: The file. Default: `report.html` in the lab's folder.

        Raises:
            WorkspaceError: The file cannot be written.
        """
        from eyetune.report.output import write_output
        from eyetune.report.pages.lab_page import lab_page
        from eyetune.techniques import techniques
        from eyetune.techniques.lab.findings import explanation_of

        explanations = [explanation_of(technique) for technique in techniques()]
        html = lab_page(self.record, self.histories, explanations)
        return write_output(html, Path(path) if path else self.folder / REPORT_FILE)

    def to_json(self) -> dict[str, Any]:
        """Return the lab as plain JSON values, with its test accuracy, folder and report."""
        report = self.folder / REPORT_FILE
        return {
            **self.record.to_json(),
            "test_accuracy": self.test_accuracy,
            "folder": str(self.folder),
            "report": str(report) if report.exists() else None,
        }

    def _repr_html_(self) -> str:
        from eyetune.report.pages.lab_page import lab_summary

        return lab_summary(self.record)

    def __repr__(self) -> str:
        record = self.record
        number = len(record.techniques)
        changes = "1 change" if number == 1 else f"{number} changes"
        best = f"{record.final.label} {record.metric} {self.test_accuracy:.1%} on test"
        return f"<Lab {record.id}: {record.data}, {changes}, {best}>"


def open_lab(reference: str = "latest", *, workspace: str | Path | Workspace | None = None) -> Lab:
    """Return a recorded lab.

    Args:
        reference: Its id, the beginning of its id, or "latest".
        workspace: The workspace or its folder. Default: the usual workspace.

    Raises:
        LabNotFoundError: No lab or several labs match.
        WorkspaceError: The lab's file is damaged.

    Example:
        >>> import eyetune as et
        >>> et.open_lab("latest").save_plots()  # doctest: +SKIP
    """
    workspace = workspace_of(workspace)
    return Lab(workspace, workspace.labs.find(str(reference)))


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
    trackers: Sequence[Tracker] = (),
) -> Lab:
    """Find out which technique, which combination gives the best result, and how sure we can be.

    Trains the baseline and each technique's values, one change at a time; stacks what helped; tries
    each pair of the parts; then trains the best recipe and the baseline on training and validation
    images and tests them, once. What is already recorded is not trained again: the same call
    continues an interrupted lab.

    Where the largest class has more than twice as many images as the smallest, the techniques
    class-weight and balanced-sampling are tried too, and everything is compared by balanced
    accuracy.

    Args:
        recipe: The baseline. Default: the default recipe, on CIFAR-10.
        data: A data source instead of the recipe's (see `load`).
        techniques: What to try: names (all their values) or "name=value". Default: every technique
            that needs nothing but the images.
        quick: Try a dozen changes with few epochs and few images, unless the recipe sets those.
        seeds: Number of trainings of each compared recipe, 1 or more.
        final_seeds: Number of trainings of the best recipe, and of the baseline, that are tested.
            Default: 3, or 2 with `quick`; 7 more where a time limit leaves time for them.
        seconds: Time limit in seconds; what was not tried by then is listed. Default: none.
        workers: Number of trainings at once. Default: one per core, as far as memory allows.
        workspace: The workspace or its folder. Default: the usual workspace.
        progress: Whether to show the trainings.
        trackers: Where to log the lab, besides the workspace, for example
            `[eyetune.MlflowTracker("sqlite:///mlflow.db")]`.

    Raises:
        UsageError: A technique is unknown, or a number is out of range.
        RunBusyError: Another lab is running in the workspace.
        EyetuneError: The data cannot be used, or the baseline cannot be trained.

    Example:
        >>> import eyetune as et
        >>> lab = et.lab(data="digits", quick=True)  # doctest: +SKIP
        >>> print(lab.answer)  # doctest: +SKIP
    """
    from eyetune.techniques.lab import plan as lab_plan
    from eyetune.techniques.lab.run_lab import run_lab
    from eyetune.tuning.executors import default_workers
    from eyetune.tuning.load_images import load_images
    from eyetune.tuning.references import resolve

    if isinstance(data, Dataset):
        raise ArgumentTypeError(
            "A lab cannot use a dataset in memory: its workers could not see it.",
            expected="a source, which the workers load through the cache of decoded images",
            received=repr(data)[:60],
            fix="Save it as an .npz file or a folder of images, and pass that path.",
        )
    check_trackers(trackers)
    # Without validation images there is nothing to choose on. The baseline may be that of a run
    # that was continued, or of a trial: a lab trains from the beginning, with one schedule.
    recipe = checked_recipe(recipe).with_(
        {
            "data.train_on_validation": False,
            "optimizer.restarts": (),
            "optimizer.cycle_epochs": 0,
        }
    )
    if quick:
        recipe = _quick_recipe(recipe)
    extra_final_seeds = EXTRA_FINAL_SEEDS if final_seeds is None else 0
    if final_seeds is None:
        final_seeds = QUICK_FINAL_SEEDS if quick else FINAL_SEEDS
    if workers is None:
        workers = default_workers()
    _check_numbers(seconds=seconds, seeds=seeds, final_seeds=final_seeds, workers=workers)
    workspace = workspace_of(workspace)
    names = techniques.split(",") if isinstance(techniques, str) else techniques
    if names:
        choices = lab_plan.choose(names)
        for choice in choices:  # what was named and cannot be applied fails before any training
            choice.apply(recipe)
        choices = tuple(_with_fixed_teacher(choice, recipe, workspace) for choice in choices)
    else:
        choices = lab_plan.choose(lab_plan.QUICK if quick else ())
    workspace.prepare()
    dataset = load_images(recipe, data, progress=progress)
    if not len(dataset.test):
        raise DataError(
            f"A lab ends with test images, and {dataset.source} has none.",
            expected="one test image or more",
            received="none",
            fix="Add test images, or compare runs on validation images: eyetune compare RUN RUN",
        )
    class_counts = dataset.train.class_counts(dataset.num_classes).tolist()
    is_uneven = imbalance(class_counts).is_large
    if is_uneven and not names:
        choices = (*choices, *lab_plan.choose(lab_plan.FOR_UNEVEN_CLASSES))
    plan = lab_plan.LabPlan(
        baseline=resolve(recipe.with_({"data.source": dataset.source}), workspace),
        data_fingerprint=dataset.fingerprint,
        choices=choices,
        seeds=tuple(range(seeds)),
        final_seeds=final_seeds,
        extra_final_seeds=extra_final_seeds,
        workers=workers,
        seconds=seconds,
        balanced=is_uneven,
    )
    with (
        follow(workspace, trackers) as follower,
        WorkersDisplay(enabled=progress) as display,
    ):
        settings = _settings(plan, dataset)
        record = run_lab(plan, workspace, display, lambda: follower.begin_lab(plan.id, settings))
        display.note("Drawing the plots and writing the report ...")
        workspace.labs.save(record)
        finished = Lab(workspace, record)
        finished.save_plots()
        finished.report()
        follower.end_lab(record)
    return finished


def _settings(plan: LabPlan, dataset: Dataset) -> dict[str, Any]:
    """Return the settings of a lab for trackers."""
    return {
        "data": dataset.name,
        "techniques": [choice.label for choice in plan.choices],
        "seeds": plan.seeds,
        "final_seeds": plan.final_seeds,
        "workers": plan.workers,
        "seconds": plan.seconds,
        "recipe": plan.baseline.values(),
    }


def _quick_recipe(recipe: Recipe) -> Recipe:
    """Return a recipe with few epochs and images, where it leaves them at their defaults."""
    defaults, values = Recipe().values(), recipe.values()
    edits = {path: value for path, value in QUICK_VALUES.items() if values[path] == defaults[path]}
    return recipe.with_(edits)


def _check_numbers(*, seconds: float | None, **counts: object) -> None:
    for name, number in counts.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise UsageError(
                f"`{name}` is out of range.",
                expected="a whole number, 1 or more",
                received=repr(number),
            )
    if seconds is not None and not seconds > 0:  # also refuses NaN
        raise UsageError(
            "The time limit is out of range.", expected="more than 0 seconds", received=seconds
        )


def _with_fixed_teacher(choice: Choice, recipe: Recipe, workspace: Workspace) -> Choice:
    """Return a choice that names its teacher by id: "latest" would change during the lab."""
    teacher = choice.apply(recipe).loss.teacher
    if teacher != choice.value or teacher.endswith(".keras"):
        return choice
    run = open_run(teacher, workspace=workspace)
    _ = run.results
    if run.recipe.data.train_on_validation:
        raise UsageError(
            f"The teacher {run.record.label} was trained on the validation images, with which the"
            " lab compares.",
            expected="a run that was trained on training images only",
            fix="`eyetune runs` lists all runs.",
        )
    return replace(choice, value=run.id)
