"""The options of a study, each declared once with its type, default, summary and record.

The keyword arguments of `eyetune.tune`, the flags of `eyetune tune`, the recorded settings, the
check of a resumed study and the table in docs/tuning.md are derived from `TuneOptions` (see
`declared_options`). Ranges come from the recorded settings in `eyetune.records.study`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Any

from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.space.space import Space
from eyetune.tracking.tracker import Tracker
from eyetune.tuning.option_declaration import FlagSyntax, Option, OptionGroup

NO_LIMIT = "no limit"


@dataclass(frozen=True)
class TuneOptions:
    """The arguments of `tune`; for None, the default or the recorded value applies."""

    build_model: Annotated[
        Any,
        Option(
            'KerasTuner\'s `build_model(hp)` or `HyperModel`, or "file.py:name" of one; without it '
            "recipes are searched.",
            OptionGroup.INPUT,
            "recipes",
            syntax=FlagSyntax.NONE,
        ),
    ] = None
    data: Annotated[
        Any,
        Option(
            "Source of the images (see `load`), or arrays (x, y) or (x, y, sample_weight). A model "
            "function gets arrays as they are, of any shape; it also takes a `tf.data.Dataset`, a "
            "`keras.utils.PyDataset` and other batches with a length.",
            OptionGroup.INPUT,
            "the recipe's",
            syntax=FlagSyntax.NONE,
        ),
    ] = None
    _: KW_ONLY
    recipe: Annotated[
        Recipe | None,
        Option(
            "Recipe that every trial starts from; with a model function, its data, augment and fit "
            "sections apply.",
            OptionGroup.INPUT,
            "the lab's",
            syntax=FlagSyntax.NONE,
        ),
    ] = None
    fit_arguments: Annotated[
        Mapping[str, Any] | None,
        Option(
            "More arguments of Keras's `fit` for a model function, such as callbacks; each trial "
            "gets a copy.",
            OptionGroup.INPUT,
            syntax=FlagSyntax.NONE,
        ),
    ] = None
    validation_data: Annotated[
        Any,
        Option(
            "Data to validate on, where `data` is not a source: of the same kind.",
            OptionGroup.INPUT,
            "a share of the training images",
            syntax=FlagSyntax.NONE,
        ),
    ] = None
    validation_split: Annotated[
        float | None,
        Option(
            "Share of the last samples to validate on, where `data` is arrays; 0 for none.",
            OptionGroup.INPUT,
            "0.2 for arrays",
            syntax=FlagSyntax.NONE,
        ),
    ] = None
    space: Annotated[
        str | Path | Space | None,
        Option(
            "Values of a recipe that trials may change: portfolio (near the best known recipes), "
            "lab (the lab's own search), small (small networks for a board), fine (near the "
            "recipe) or a TOML file.",
            OptionGroup.SEARCH,
            "lab; fine with `around`; a model function has its own",
        ),
    ] = None
    around: Annotated[
        str | None,
        Option("Run whose recipe every trial starts from.", OptionGroup.SEARCH),
    ] = None
    objective: Annotated[
        str | Sequence[str] | None,
        Option(
            "Quantity to optimize: val_accuracy, val_loss, int8_accuracy, latency_ms, fps, "
            "parameters, macs, flash_bytes, arena_bytes, seconds or a metric of the model; append "
            ":max or :min where the name does not imply the direction.",
            OptionGroup.SEARCH,
            "val_accuracy",
            recorded="objectives",
            is_fixed=True,
        ),
    ] = None
    constraints: Annotated[
        str | Sequence[str] | None,
        Option(
            'Limit that a network must keep before it is trained, such as "parameters < 200000" or '
            '"latency_ms < 200".',
            OptionGroup.SEARCH,
            recorded="constraints",
            is_fixed=True,
            flag="constraint",
        ),
    ] = None
    fps: Annotated[
        float | None,
        Option(
            "Frames per second that a network must reach on the board, as predicted: short for the "
            'constraint "fps >= N".',
            OptionGroup.SEARCH,
            NO_LIMIT,
        ),
    ] = None
    board: Annotated[
        str | None,
        Option(
            "Board whose flash and memory networks must fit: a name such as esp-eye, or the path "
            "of a profile.",
            OptionGroup.SEARCH,
            recorded="board",
            is_fixed=True,
        ),
    ] = None
    sampler: Annotated[
        str | None,
        Option(
            "Method that suggests the hyperparameters of each trial.",
            OptionGroup.SEARCH,
            "tpe; nsga2 with several objectives",
            recorded="sampler",
            is_fixed=True,
        ),
    ] = None
    initial_points: Annotated[
        int | None,
        Option(
            "Random trials before the samplers tpe and gp learn from results (KerasTuner's "
            "num_initial_points).",
            OptionGroup.SEARCH,
            "10",
            recorded="sampling.initial_points",
            is_fixed=True,
        ),
    ] = None
    gp_alpha: Annotated[
        float | None,
        Option(
            "Variance of the noise that the sampler gp assumes in an objective of variance 1 "
            "(KerasTuner's alpha).",
            OptionGroup.SEARCH,
            "learned from the results",
            recorded="sampling.alpha",
            is_fixed=True,
        ),
    ] = None
    gp_beta: Annotated[
        float | None,
        Option(
            "Number of standard deviations by which the sampler gp prefers uncertain values "
            "(KerasTuner's beta).",
            OptionGroup.SEARCH,
            "the highest expected improvement instead",
            recorded="sampling.beta",
            is_fixed=True,
        ),
    ] = None
    scheduler: Annotated[
        str | None,
        Option(
            "Rule that distributes epochs over the trials.",
            OptionGroup.SEARCH,
            "full; halving before a final training",
            recorded="schedule.name",
            is_fixed=True,
            former_names=("schedule",),
        ),
    ] = None
    max_epochs: Annotated[
        int | None,
        Option(
            "Epochs of a trial that is trained to the end.",
            OptionGroup.SEARCH,
            "the recipe's fit.epochs; by the number of images before a final training",
            recorded="schedule.max_epochs",
            is_fixed=True,
        ),
    ] = None
    min_epochs: Annotated[
        int | None,
        Option(
            "Epochs of a trial before it may be stopped.",
            OptionGroup.SEARCH,
            "1",
            recorded="schedule.min_epochs",
            is_fixed=True,
        ),
    ] = None
    factor: Annotated[
        float | None,
        Option(
            "Reduction factor of halving and hyperband: one trial in `factor` is promoted.",
            OptionGroup.SEARCH,
            "3",
            recorded="schedule.factor",
            is_fixed=True,
        ),
    ] = None
    executions: Annotated[
        int | None,
        Option(
            "Trainings of each trial, with the seeds `seed`, `seed` + 1 and so on; the mean of "
            "their results counts.",
            OptionGroup.SEARCH,
            "1",
            recorded="schedule.executions",
            is_fixed=True,
        ),
    ] = None
    seed: Annotated[
        int | None,
        Option(
            "Random seed of the suggestions and of every training.",
            OptionGroup.SEARCH,
            "0",
            recorded="seed",
            is_fixed=True,
        ),
    ] = None
    tune_new_entries: Annotated[
        bool | None,
        Option(
            "Search hyperparameters that appear late, instead of leaving them at their defaults.",
            OptionGroup.SEARCH,
            "True",
            recorded="tune_new_entries",
            is_fixed=True,
            flag="fixed-space",
            syntax=FlagSyntax.TURNS_OFF,
            flag_summary="Leave hyperparameters that appear late at their defaults.",
        ),
    ] = None
    trials: Annotated[
        int | None,
        Option(
            "New trials; infeasible ones do not count.",
            OptionGroup.BUDGET,
            "30; with hyperband, those of its brackets; no limit with another budget",
            recorded="budget.trials",
        ),
    ] = None
    epochs_total: Annotated[
        int | None,
        Option(
            "Epochs of all trials together.",
            OptionGroup.BUDGET,
            NO_LIMIT,
            recorded="budget.epochs",
        ),
    ] = None
    seconds: Annotated[
        float | None,
        Option(
            "Wall time of the study, earlier invocations included.",
            OptionGroup.BUDGET,
            NO_LIMIT,
            recorded="budget.seconds",
            flag="time",
            syntax=FlagSyntax.DURATION,
        ),
    ] = None
    target: Annotated[
        float | None,
        Option(
            "Value of the first objective that is good enough.",
            OptionGroup.BUDGET,
            recorded="budget.target",
        ),
    ] = None
    final_training: Annotated[
        bool | None,
        Option(
            "With a time limit, train the best recipe for the rest of the time as soon as that "
            "promises more than another trial.",
            OptionGroup.BUDGET,
            "True for recipes with val_accuracy or int8_accuracy as the only objective and no "
            "limit besides the time",
            recorded="final_training",
            is_fixed=True,
            flag="no-final-training",
            syntax=FlagSyntax.TURNS_OFF,
            flag_summary="Search until the time is up, without a longer training of the best "
            "recipe.",
        ),
    ] = None
    max_parameters: Annotated[
        int | None,
        Option(
            "Parameters of a network; a larger one is infeasible.",
            OptionGroup.LIMITS,
            NO_LIMIT,
            recorded="limits.parameters",
        ),
    ] = None
    trial_seconds: Annotated[
        float | None,
        Option(
            "Time that a trial may take from one rung to the next; beyond it, the trial fails.",
            OptionGroup.LIMITS,
            NO_LIMIT,
            recorded="limits.seconds",
            flag="trial-time",
            syntax=FlagSyntax.DURATION,
        ),
    ] = None
    trial_bytes: Annotated[
        int | None,
        Option(
            "Memory that the worker of a trial may take; beyond it, the trial fails.",
            OptionGroup.LIMITS,
            NO_LIMIT,
            recorded="limits.memory_bytes",
            flag="trial-memory",
            syntax=FlagSyntax.GIGABYTES,
        ),
    ] = None
    retries: Annotated[
        int | None,
        Option(
            "Times that a trial is trained again after an error or a result that is not a number, "
            "with another seed.",
            OptionGroup.LIMITS,
            "0",
            recorded="limits.retries",
        ),
    ] = None
    max_consecutive_failures: Annotated[
        int | None,
        Option(
            "Failed trials in a row that end the study with an error.",
            OptionGroup.LIMITS,
            "5, as long as no trial has a result",
            recorded="limits.consecutive_failures",
        ),
    ] = None
    name: Annotated[
        str,
        Option("Name of the study.", OptionGroup.STUDY, "its id"),
    ] = ""
    resume: Annotated[
        bool,
        Option("Resume the study of this name, or the latest one.", OptionGroup.STUDY, "False"),
    ] = False
    workers: Annotated[
        int | None,
        Option(
            "Trainings that run in parallel, each in a worker process; 0: in this process, one "
            "at a time and without limits.",
            OptionGroup.STUDY,
            "one for each core, as far as the memory allows",
            recorded="workers",
        ),
    ] = None
    executor: Annotated[
        str | None,
        Option(
            "Where trainings run: local, ray (the cluster that RAY_ADDRESS names, or this machine) "
            "or ray://HOST:PORT.",
            OptionGroup.STUDY,
            "local; that of the resumed study, unless it is ray://HOST:PORT",
            recorded="executor",
        ),
    ] = None
    workspace: Annotated[
        str | Path | Workspace | None,
        Option(
            "Folder of the records, or an open `Workspace`.",
            OptionGroup.STUDY,
            "EYETUNE_WORKSPACE, or ./eyetune-workspace",
            syntax=FlagSyntax.NONE,
        ),
    ] = None
    progress: Annotated[
        bool,
        Option(
            "Show progress: on standard error, or in a notebook below the cell.",
            OptionGroup.STUDY,
            "True",
            syntax=FlagSyntax.NONE,
        ),
    ] = True
    plots: Annotated[
        bool,
        Option(
            "Write figures and a report into the study's folder at the end.",
            OptionGroup.STUDY,
            "True",
            syntax=FlagSyntax.NONE,
        ),
    ] = True
    trackers: Annotated[
        Sequence[Tracker],
        Option(
            "Where to log the study besides the workspace, such as `[eyetune.MlflowTracker(uri)]`.",
            OptionGroup.STUDY,
            "none",
            syntax=FlagSyntax.NONE,
        ),
    ] = ()
