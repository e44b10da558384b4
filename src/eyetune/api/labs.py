"""A recorded lab, and what can be asked of it: pictures, the report, and how a notebook shows it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyetune.records import Workspace
from eyetune.records.lab import Explanation, LabRecord
from eyetune.values.history import History

if TYPE_CHECKING:
    from eyetune.report.figures.lab_figures import Cost
    from eyetune.report.figures.picture import Picture

REPORT_FILE = "report.html"


@dataclass(frozen=True, repr=False)
class Lab:
    """A recorded lab. A notebook shows its answer, the leaderboard and what each technique was
    worth.

    Attributes:
        workspace: Where it is recorded.
        record: What is recorded of it.

    Example:
        >>> import tempfile
        >>> from eyetune.testing.labs import fabricated_lab
        >>> lab = Lab(Workspace(tempfile.mkdtemp()), fabricated_lab(12))
        >>> lab
        <Lab lab-1: cifar10, 12 techniques' values, combination 73.5% on test>
        >>> len(lab.plot_steps().axes)
        1
    """

    workspace: Workspace
    record: LabRecord

    @property
    def id(self) -> str:
        """Name of its folder."""
        return self.record.id

    @property
    def folder(self) -> Path:
        """Where its files lie: lab.json, and the report and pictures once they are written."""
        return self.workspace.labs.folder(self.id)

    @property
    def answer(self) -> str:
        """Which technique, which combination gave the best result."""
        return self.record.answer

    @property
    def test_accuracy(self) -> float:
        """Share of the test images that the best recipe classifies right, 0 to 1, the mean over its
        seeds.
        """
        return self.record.final.test_accuracy

    @cached_property
    def histories(self) -> dict[str, History]:
        """Epochs of the compared runs by their ids; those of purged runs are empty."""
        runs = {run for one in self.record.leaderboard for run in one.runs}
        return {run: self.workspace.runs.history(run) for run in sorted(runs)}

    def plot(self) -> Picture:
        """Draw what each technique was worth, with intervals."""
        from eyetune.report.figures.forest_plot import effects_forest

        return effects_forest(self.record)

    def plot_curves(self, *, best: int = 3) -> Picture:
        """Draw validation accuracy by epoch and by seconds: the baseline and the best over all
        others.
        """
        from eyetune.report.figures.lab_figures import lab_curves

        return lab_curves(self.record, self.histories, best=best)

    def plot_steps(self) -> Picture:
        """Draw how the combination was stacked."""
        from eyetune.report.figures.lab_figures import steps_staircase

        return steps_staircase(self.record)

    def plot_interactions(self) -> Picture:
        """Draw how the parts of the combination get on with each other."""
        from eyetune.report.figures.lab_figures import interaction_matrix

        return interaction_matrix(self.record)

    def plot_cost(self, by: Cost = "parameters") -> Picture:
        """Draw cost against accuracy, with the Pareto front."""
        from eyetune.report.figures.lab_figures import cost_picture

        return cost_picture(self.record, by=by)

    def save_plots(self, folder: Path | None = None) -> list[Path]:
        """Write all pictures as PNG and SVG, by default into the lab's folder."""
        from eyetune.report.figures.run_figures import save

        target = folder or self.folder / "plots"
        pictures = {"effects": self.plot, "curves": self.plot_curves, "cost": self.plot_cost}
        if self.record.steps:
            pictures["steps"] = self.plot_steps
        if self.record.interactions:
            pictures["interactions"] = self.plot_interactions
        return [path for name, draw in pictures.items() for path in save(draw(), target, name)]

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report, one HTML file that opens anywhere, and return it; by default into the
        lab's folder.

        Raises:
            WorkspaceError: It cannot be written.
        """
        from eyetune.report.pages.lab_page import lab_page
        from eyetune.report.pages.page import write_page

        html = lab_page(self.record, self.histories, _explanations())
        return write_page(html, Path(path) if path else self.folder / REPORT_FILE)

    def to_json(self) -> dict[str, Any]:
        """Return the lab as plain JSON values, with the test accuracy of its best recipe and its
        report, if written.
        """
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
        tried = f"{len(record.techniques)} techniques' values"
        return f"<Lab {record.id}: {record.data}, {tried}, {record.final.label} {self.test_accuracy:.1%} on test>"


def open_lab(reference: str = "latest", *, workspace: str | Path | Workspace | None = None) -> Lab:
    """Return a recorded lab by id, beginning of an id, or "latest".

    Raises:
        LabNotFoundError: No lab or several match.
        WorkspaceError: Its file is damaged.

    Example:
        >>> import eyetune as et
        >>> et.open_lab("latest").save_plots()  # doctest: +SKIP
    """
    place = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
    return Lab(place, place.labs.find(str(reference)))


def _explanations() -> list[Explanation]:
    from eyetune.techniques import techniques

    return [
        Explanation(name=one.name, group=one.group, why=one.why, hurts=one.hurts, link=one.link)
        for one in techniques()
    ]
