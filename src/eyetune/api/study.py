"""A recorded study: its best trials, tables, figures, report, and the retraining of the winner."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyetune.analysis.ranking import non_dominated_trials, rank_trials
from eyetune.analysis.trial_results import trial_json
from eyetune.api.preparing import workspace_of
from eyetune.api.run import Run
from eyetune.api.study_requests import request_pause, request_stop, request_trial
from eyetune.api.train import train
from eyetune.api.tried_networks import study_limits
from eyetune.errors import RunNotFoundError, TrainingError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, Workspace
from eyetune.records.study import StudyRecord, StudyState
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.report.output import write_output
from eyetune.tracking.tracker import Tracker
from eyetune.tuning.endings import Ending
from eyetune.tuning.trials import trial_recipe
from eyetune.values.history import History
from eyetune.values.json_text import json_value

if TYPE_CHECKING:
    import pandas

    from eyetune.report.figures.picture import Picture

REPORT_FILE = "report.html"
PLOTS = "plots"  # folder of the pictures
DRAWN_FILE = "drawn.json"  # of which state of the study they are, and the importances then


@dataclass(frozen=True, repr=False)
class Study:
    """A recorded study. A notebook shows it as a table and a curve.

    Attributes:
        workspace: Workspace that holds it.
        record: Its record.

    Example:
        >>> import eyetune as et
        >>> study = et.open_study("digits")  # doctest: +SKIP
        >>> study.best()[0].values           # doctest: +SKIP
        {'conv_layers': 2, 'units': 96, 'learning_rate': 0.001}
    """

    workspace: Workspace
    record: StudyRecord

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def state(self) -> StudyState:
        """Its state."""
        return self.record.state

    @property
    def folder(self) -> Path:
        """Folder of its report and figures."""
        return self.workspace.studies.folder(self.record.id)

    @cached_property
    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials, in the order in which they were suggested."""
        return tuple(self.workspace.studies.trials(self.record.id))

    def best(self, count: int = 1) -> list[TrialRecord]:
        """Return the best trials, the best first.

        With several objectives, the trials that no other one beats come first, and among these
        the first objective decides; see `eyetune.analysis.ranking`.

        Args:
            count: Number of trials, at most.
        """
        return rank_trials(self.record.settings.objectives, self.trials)[:count]

    @property
    def front(self) -> tuple[TrialRecord, ...]:
        """The trials that no other one beats in all objectives (the Pareto front).

        The best in the first objective comes first. With one objective, it is the best trial.
        """
        return tuple(non_dominated_trials(self.record.settings.objectives, self.trials))

    @property
    def best_trial(self) -> TrialRecord:
        """The best trial.

        Raises:
            TrainingError: No trial has a result.
        """
        best = self.best()
        if not best:
            failed = next((trial for trial in self.trials if trial.error), None)
            fix = f"To see the state of each trial: eyetune study {self.name}"
            if failed is None and self.record.ending == Ending.OUT_OF_TIME:
                fix = "The time was too short to train a trial: give the study more time."
            raise TrainingError(
                f"No trial of study {self.name} has a result.",
                received=failed.error.splitlines()[0] if failed else f"{len(self.trials)} trials",
                fix=fix,
            )
        return best[0]

    @property
    def best_values(self) -> dict[str, Any]:
        """Hyperparameters of the best trial."""
        return self.best_trial.all_values

    @property
    def best_value(self) -> float:
        """The first objective of the best trial."""
        values = self.best_trial.objectives
        assert values is not None
        return values[0]

    @property
    def best_recipe(self) -> Recipe:
        """Recipe of the best trial."""
        return trial_recipe(self.record.settings, self.best_trial)

    @property
    def final_trial(self) -> TrialRecord | None:
        """The longer training of the best recipe that ended it; None if there is none."""
        finals = [trial for trial in self.trials if trial.is_final and trial.is_over]
        return finals[-1] if finals else None

    def enqueue_trial(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Let the study try values next, also if another process is running it.

        A trial by hand counts as one of the study's trials. It is trained after those that have
        begun and after those that the study began with.

        Args:
            values: Values of hyperparameters; those that are missing have their defaults.

        Returns:
            The values of all hyperparameters that are active.

        Raises:
            SpaceError: A name or a value is not in the study's space.
            UsageError: The study is complete, or has tried these values.

        Example:
            >>> import eyetune as et
            >>> study = et.open_study("first")  # doctest: +SKIP
            >>> study.enqueue_trial({"optimizer.learning_rate": 0.003})  # doctest: +SKIP
        """
        return request_trial(self.workspace, self.record, values, self.trials)

    def pause(self) -> None:
        """Let the process that runs the study pause it, as Ctrl-C does.

        Raises:
            UsageError: The study is not running.
        """
        request_pause(self.workspace, self.record)

    def stop(self) -> None:
        """Let the process that runs the study end it with the results so far.

        Its best network is saved. A final training is left out; one that is running pauses.

        Raises:
            UsageError: The study is not running.
        """
        request_stop(self.workspace, self.record)

    def run(self, trial: TrialRecord | None = None, execution: int | None = None) -> Run:
        """Return the run of a trial.

        Args:
            trial: One of the study's trials. Default: the best one.
            execution: Number of one of its executions, from 0. Default: the best one on validation,
                whose network is kept.

        Raises:
            UsageError: The trial was not trained by eyetune, or has no such execution.
        """
        trial = trial or self.best_trial
        if trial.run is None:
            raise UsageError(
                f"Trial {trial.number} of study {self.name} has no run.", received=str(trial.state)
            )
        run = trial.run
        if execution is not None:
            if not 0 <= execution < len(trial.runs):
                raise UsageError(
                    f"Trial {trial.number} of study {self.name} has no execution {execution}.",
                    expected=f"0 to {len(trial.runs) - 1}",
                    received=execution,
                )
            run = trial.runs[execution]
        return Run(self.workspace, self.workspace.runs.get(run))

    def best_model(self) -> Any:
        """Return the Keras model of the best trial with the weights of its best epoch.

        Of several executions, it is that of the best one on validation.
        """
        return self.run().model()

    def retrain(
        self,
        *,
        epochs: int = 50,
        early_stopping: int | None = None,
        seed: int = 0,
        name: str = "",
        progress: bool = True,
        trackers: Sequence[Tracker] = (),
    ) -> Run:
        """Train the best trial's recipe again from scratch, for longer.

        Args:
            epochs: Maximum number of epochs, 1 or more; those of fine-tuning and of training for
                int8 come on top. Default: 50.
            early_stopping: Epochs without a lower validation loss after which training ends with
                the weights of the best epoch; 0 for never. Default: 5; 0 for a recipe with
                fine-tuning or training for int8, which ends with the weights of its best epoch.
            seed: Random seed, 0 or more. Default: 0.
            name: Name of the run. Default: the study's name with "/best".
            progress: Show progress: on standard error, or in a notebook below the cell.
            trackers: Where to log the run, besides the workspace. Default: nowhere.

        Returns:
            The run.

        Raises:
            RecipeError: Early stopping would end the training before its last stage.
            TrainingError: No trial has a result, or the training failed.
        """
        fit = self.best_recipe.fit
        is_whole = early_stopping is None and fit.has_further_stages
        if early_stopping is None:
            early_stopping = 0 if is_whole else 5
        edits: dict[str, Any] = {"fit.epochs": epochs, "fit.early_stopping": early_stopping}
        edits |= {"fit.keep_best": is_whole, "fit.monitor": "val_loss", "fit.seconds": 0.0}
        # One schedule for all epochs.
        edits |= {"optimizer.cycle_epochs": 0, "optimizer.restarts": ()}
        recipe = self.best_recipe.with_(edits)
        return train(
            recipe,
            name=name or f"{self.name}/best",
            seed=seed,
            workspace=self.workspace,
            progress=progress,
            trackers=trackers,
        )

    def to_dataframe(self) -> pandas.DataFrame:
        """Return the trials as a table with one row for each.

        Columns: trial, state, objectives, hyperparameters, costs, epochs and seconds. With several
        executions, an objective is their mean, and its column with `_spread` their standard
        deviation. A hyperparameter that has the name of another column is in the column
        "hyperparameter NAME".
        """
        import pandas

        objectives = self.record.settings.objectives
        rows = []
        for trial in self.trials:
            row = trial_json(trial, objectives)
            spread = row.pop("spread")
            for name in ("hyperparameters", "network", "rungs", "int8", "executions"):
                row.pop(name)
            spreads = {f"{name}_spread": value for name, value in spread.items()}
            rows.append({**row, **spreads, **trial.network})
        taken = {name for row in rows for name in row}
        for row, trial in zip(rows, self.trials, strict=True):
            for name, value in trial.all_values.items():
                row[f"hyperparameter {name}" if name in taken else name] = value
        return pandas.DataFrame(rows)

    @cached_property
    def histories(self) -> dict[str, History]:
        """Epochs of the trials' runs, by the id of the run."""
        runs = [run for trial in self.trials for run in trial.runs]
        return self.workspace.runs.histories(runs)

    @cached_property
    def _drawn_histories(self) -> dict[str, History]:
        """Epochs of the trials that figures show, where there are many, by the id of the run."""
        from eyetune.report.figures.study_figures import curve_trials

        if any(trial.is_final for trial in self.trials):  # the timeline shows all of them
            return self.histories
        drawn = curve_trials(self.record, self.trials)
        return self.workspace.runs.histories([trial.run for trial in drawn if trial.run])

    @cached_property
    def _starts(self) -> dict[str, datetime]:
        """When the trials' runs began, by the id of the run."""
        return self.workspace.runs.starts([run for trial in self.trials for run in trial.runs])

    @cached_property
    def importances(self) -> dict[str, float]:
        """How much each hyperparameter decided which trials are among the best tenth.

        Trials are compared by the first objective. The shares sum to 1, the largest first; there
        are none with fewer than ten results.
        """
        from eyetune.analysis.importance import importances
        from eyetune.analysis.study_summary import search_trials

        if self._drawn is not None:
            return self._drawn
        first = self.record.settings.objectives[0]
        results = [
            (trial.used_values, first.oriented(trial.objectives[0]))
            for trial in search_trials(self.trials)
            if trial.objectives
        ]
        return importances(self.record.space, results)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what to be careful with in this study."""
        from eyetune.analysis.study_summary import trials_with_own_averages, warnings

        judged = trials_with_own_averages(self.record, self.trials)
        histories = self.workspace.runs.histories([trial.run for trial in judged if trial.run])
        return tuple(warnings(self.record, self.trials, histories, self._find_run))

    def _find_run(self, run_id: str) -> RunRecord | None:
        try:
            return self.workspace.runs.get(run_id)
        except RunNotFoundError:  # it was deleted
            return None

    def plot(self) -> Picture:
        """Draw the best value so far over the epochs trained."""
        from eyetune.report.figures.study_figures import best_curve

        return best_curve(self.record, self.trials)

    def plot_curves(self) -> Picture:
        """Draw the learning curves of all trials."""
        from eyetune.report.figures.study_figures import learning_curves

        return learning_curves(self.record, self.trials, self._drawn_histories)

    def plot_parallel(self) -> Picture:
        """Draw each trial as a line across its hyperparameters: parallel coordinates."""
        from eyetune.report.figures.study_figures import parallel_coordinates

        return parallel_coordinates(self.record, self.trials)

    def plot_importances(self) -> Picture:
        """Draw the importance of each hyperparameter."""
        from eyetune.report.figures.study_figures import importance_bars

        return importance_bars(self.importances)

    def plot_slices(self) -> Picture:
        """Draw the objective against each hyperparameter."""
        from eyetune.report.figures.study_figures import slices

        return slices(self.record, self.trials)

    def plot_front(self) -> Picture:
        """Draw two objectives against each other, with the Pareto front and the limits."""
        from eyetune.report.figures.study_figures import pareto_picture

        return pareto_picture(self.record, self.trials, study_limits(self.record.settings))

    def plot_timeline(self) -> Picture:
        """Draw when each trial was trained, and the final training: how the time was divided."""
        from eyetune.report.figures.study_timeline import timeline

        return timeline(self.record, self.trials, self.histories, self._starts)

    def save_plots(self, folder: Path | None = None) -> list[Path]:
        """Write all pictures as PNG and SVG, by default into the study's folder."""
        from eyetune.report.figures.picture import save

        target = folder or self.folder / PLOTS
        pictures = {
            "best": self.plot,
            "curves": self.plot_curves,
            "parallel": self.plot_parallel,
            "slices": self.plot_slices,
        }
        if self.importances:
            pictures["importances"] = self.plot_importances
        if len(self.record.settings.objectives) > 1:
            pictures["front"] = self.plot_front
        if any(trial.is_final for trial in self.trials):
            pictures["timeline"] = self.plot_timeline
        return [path for name, draw in pictures.items() for path in save(draw(), target, name)]

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report, one HTML file that opens anywhere, and return its path.

        Args:
            path: Where to write it. Default: `report.html` in the study's folder.

        Raises:
            WorkspaceError: It cannot be written.
        """
        from eyetune.report.pages.study_page import study_page

        page = study_page(
            self.record,
            self.trials,
            self._drawn_histories,
            self._starts if any(trial.is_final for trial in self.trials) else {},
            self.importances,
            self.warnings,
            study_limits(self.record.settings),
        )
        return write_output(page, Path(path) if path else self.folder / REPORT_FILE)

    def draw(self) -> list[Path]:
        """Write all pictures and the report into the study's folder, unless they are up to date.

        Returns:
            The report and the folder of the pictures.

        Raises:
            WorkspaceError: They cannot be written.
        """
        report, plots = self.folder / REPORT_FILE, self.folder / PLOTS
        if self._drawn is None or not (report.exists() and plots.exists()):
            self.save_plots()
            self.report()
            drawn = {"digest": self._digest, "importances": self.importances}
            write_output(json.dumps(drawn), self.folder / DRAWN_FILE)
        return [report, plots]

    @cached_property
    def _drawn(self) -> dict[str, float] | None:
        """Importances in the figures that are drawn; None where these show an earlier state."""
        try:
            drawn = json_value((self.folder / DRAWN_FILE).read_text(encoding="utf-8"))
            shares = {name: float(share) for name, share in drawn["importances"].items()}
            is_current = drawn["digest"] == self._digest
        except (OSError, ValueError, LookupError, TypeError, AttributeError):  # none, or damaged
            return None
        is_known = set(shares) <= set(self.record.space.names)
        return shares if is_current and is_known else None

    @cached_property
    def _digest(self) -> str:
        """Return a digest of what figures and report show."""
        digest = hashlib.sha256(self.record.model_dump_json().encode())
        for trial in self.trials:
            digest.update(trial.model_dump_json().encode())
        return digest.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the study as plain JSON values."""
        from eyetune.analysis.study_summary import num_trials

        objectives = self.record.settings.objectives
        best = self.best()
        report = self.folder / REPORT_FILE
        return {
            "study": self.name,
            "id": self.record.id,
            "state": str(self.state),
            "trials": num_trials(self.trials),
            "configurations": len(self.trials),
            "epochs_trained": sum(trial.epochs_trained for trial in self.trials),
            "best": trial_json(best[0], objectives) if best else None,
            "front": [trial.number for trial in self.front],
            "objectives": [objective.model_dump() for objective in objectives],
            "seconds": round(self.record.seconds, 3),
            "ending": self.record.ending,
            "space": self.record.space.model_dump(mode="json")["distributions"],
            "sampler": self.record.settings.sampler,
            "scheduler": self.record.settings.schedule.model_dump(),
            "schedule": self.record.settings.schedule.model_dump(),
            "states": {
                str(state): sum(trial.state is state for trial in self.trials)
                for state in TrialState
            },
            "importances": self.importances,
            "warnings": list(self.warnings),
            "all_trials": [trial_json(trial, objectives) for trial in self.trials],
            "report": str(report) if report.exists() else None,
        }

    def _repr_html_(self) -> str:
        from eyetune.report.pages.study_page import study_summary

        return study_summary(self.record, self.trials, self.warnings)

    def __repr__(self) -> str:
        best = self.best()
        value = f", best {self.best_value:.4g}" if best else ""
        return f"<Study {self.name}: {self.state}, {len(self.trials)} trials{value}>"


def open_study(
    reference: str = "latest", *, workspace: str | Path | Workspace | None = None
) -> Study:
    """Return a recorded study.

    Args:
        reference: Its name, its id, the first digits of its id, or "latest". Default: "latest".
        workspace: Folder of the records, or an open `Workspace`. Default: EYETUNE_WORKSPACE, or
            ./eyetune-workspace.

    Raises:
        StudyNotFoundError: No study matches, or several do.

    Example:
        >>> import eyetune as et
        >>> study = et.open_study("latest")  # doctest: +SKIP
        >>> study.best_trial  # doctest: +SKIP
    """
    workspace = workspace_of(workspace)
    return Study(workspace, workspace.studies.find(str(reference)))
