"""`eyetune tune`: the best network, searched for in parallel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from eyetune.cli.common import (
    INTERRUPTED,
    Common,
    CompactRecipeOptions,
    RecipeFlags,
    is_function,
    read_seconds,
    say,
)
from eyetune.errors import UsageError

if TYPE_CHECKING:
    from eyetune.api.run import Run
    from eyetune.api.study import Study

SEARCH = Group("Search", sort_key=1)
BUDGET = Group("Budget: whichever comes first", sort_key=2)
LIMITS = Group("Limits of one trial", sort_key=3)
AFTER = Group("Afterwards", sort_key=4)

_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()


@Parameter(name="*")
@dataclass(frozen=True)
class SearchFlags:
    """What is searched, and how."""

    space: Annotated[str | None, Parameter(group=SEARCH)] = None
    """Without a model function: what recipes may change: lab (the lab's own search, and the default), small (small
    networks for a board), fine (near the recipe), or a TOML file."""
    around: Annotated[str | None, Parameter(group=SEARCH)] = None
    """A run: search near its recipe."""
    objective: Annotated[
        tuple[str, ...], Parameter(group=SEARCH, negative="", show_default=False)
    ] = ()
    """What to make large or small; may be repeated: val_accuracy (the default), val_loss, parameters, multiply_adds,
    flash_bytes, arena_bytes, seconds, any metric of the model; name:max or name:min where it is not known."""
    constraint: Annotated[
        tuple[str, ...], Parameter(group=SEARCH, negative="", show_default=False)
    ] = ()
    """A limit that is checked before any training, such as "parameters < 200000"; may be repeated."""
    board: Annotated[str | None, Parameter(group=SEARCH)] = None
    """A device whose flash and memory networks must fit: esp-eye, ... or the path of a profile."""
    sampler: Annotated[str | None, Parameter(group=SEARCH)] = None
    """random, grid, quasi-random, tpe (the default), gp, cma-es or nsga2 (the default with several objectives)."""
    schedule: Annotated[str | None, Parameter(group=SEARCH)] = None
    """How epochs are given out: full (the default), halving, hyperband or median."""
    max_epochs: Annotated[int | None, Parameter(group=SEARCH)] = None
    """Of a trial; by default the recipe's epochs."""
    min_epochs: Annotated[int | None, Parameter(group=SEARCH)] = None
    """Of a trial before it may be stopped; by default 1."""
    factor: Annotated[float | None, Parameter(group=SEARCH)] = None
    """Of halving and hyperband: one of so many trials goes on; by default 3."""
    seed: Annotated[int | None, Parameter(group=SEARCH)] = None
    """Of the suggestions and of every training; by default 0."""
    fixed_space: Annotated[bool, Parameter(group=SEARCH, negative="")] = False
    """Leave hyperparameters that appear late at their defaults."""
    trials: Annotated[int | None, Parameter(group=BUDGET)] = None
    """New trials; by default 30, or hyperband's own number."""
    epochs_total: Annotated[int | None, Parameter(group=BUDGET)] = None
    """Epochs over all trials."""
    time: Annotated[str | None, Parameter(group=BUDGET)] = None
    """Wall time, for example 90s, 30m or 2h, over all sittings."""
    target: Annotated[float | None, Parameter(group=BUDGET)] = None
    """Value of the first objective that is good enough."""
    max_parameters: Annotated[int | None, Parameter(group=LIMITS)] = None
    """A larger network is not trained (KerasTuner's max_model_size)."""
    trial_time: Annotated[str | None, Parameter(group=LIMITS)] = None
    """A trial that takes longer from one rung to the next fails, for example 10m."""
    trial_memory: Annotated[float | None, Parameter(group=LIMITS)] = None
    """A trial whose worker takes more gigabytes fails."""
    early_stopping: Annotated[int | None, Parameter(group=LIMITS)] = None
    """End a trial after so many epochs without a better value of the objective."""

    def words(self) -> dict[str, Any]:
        """Return what `tune` takes."""
        gigabytes = self.trial_memory
        return {
            "space": "fine" if self.around is not None and self.space is None else self.space,
            "objective": self.objective or None,
            "constraints": self.constraint or None,
            "board": self.board,
            "sampler": self.sampler,
            "schedule": self.schedule,
            "max_epochs": self.max_epochs,
            "min_epochs": self.min_epochs,
            "factor": self.factor,
            "seed": self.seed,
            "tune_new_entries": False if self.fixed_space else None,
            "trials": self.trials,
            "epochs_total": self.epochs_total,
            "seconds": None if self.time is None else read_seconds(self.time),
            "target": self.target,
            "max_parameters": self.max_parameters,
            "trial_seconds": None if self.trial_time is None else read_seconds(self.trial_time),
            "trial_bytes": None if gigabytes is None else int(gigabytes * 10**9),
        }


def tune(
    start: str | None = None,
    /,
    *,
    search: SearchFlags = SearchFlags(),
    flags: CompactRecipeOptions = _NO_FLAGS,
    name: str = "",
    resume: Annotated[bool, Parameter(negative="")] = False,
    workers: Annotated[int | None, Parameter(show_default=False)] = None,
    executor: Annotated[str | None, Parameter(show_default=False)] = None,
    engine: str = "eyetune",
    retrain_epochs: Annotated[int, Parameter(group=AFTER)] = 0,
    against: Annotated[
        tuple[str, ...], Parameter(group=AFTER, negative="", show_default=False)
    ] = (),
    common: Common = _NO_COMMON,
) -> int:
    """Search for the best hyperparameters, in parallel.

    The search is over recipes, or over a KerasTuner build_model(hp) as it is.

    Trials run side by side, pause and go on with their optimizers as they were, and are all
    recorded as runs. After Ctrl-C or a crash, --resume goes on; at most the epochs under way are
    trained again.

    For example:

        eyetune tune model.py:build_model --data cifar10 --schedule hyperband
        eyetune tune --space small --data cifar10 --board esp-eye --time 30m
        eyetune tune --space small --objective val_accuracy --objective parameters
        eyetune tune --around latest --trials 20 --retrain-epochs 50
        eyetune tune --resume --name first --trials 60

    Parameters
    ----------
    start
        A model function, as file.py:name; or without one what recipes are searched from: a recipe's
        TOML file or a run (by default the lab's recipe).
    name
        What to call the study.
    resume
        Go on with the study of this name, or with the latest.
    workers
        Trainings at once, by default one for each core (as far as the memory goes).
    executor
        Where trainings run: local (the default), ray (this machine's cluster, or the one that
        RAY_ADDRESS names) or ray://HOST:PORT.
    engine
        eyetune; or keras-tuner, to let KerasTuner itself search, for comparison.
    retrain_epochs
        Train the best anew for so many epochs at most, stopping early.
    against
        Runs to compare the best with (the retrained one, if it was), by id or name; may be
        repeated.
    """
    import eyetune

    if engine == "keras-tuner" and (resume or executor not in (None, "local")):
        raise UsageError(
            "KerasTuner's own search cannot be resumed, and runs on this machine.", received=engine
        )
    function, recipe = _begun(start, search, flags, common, resume=resume)
    rivals = [eyetune.open_run(word, workspace=common.open_workspace()) for word in against]
    words = {
        **search.words(),
        "name": name,
        "workers": workers,
        "workspace": common.open_workspace(),
    }
    data = flags.data
    try:
        if engine == "keras-tuner":
            study = eyetune.tune_with_keras_tuner(function, data, recipe=recipe, **words)
        elif engine == "eyetune":
            study = eyetune.tune(
                function, data, recipe=recipe, resume=resume, executor=executor, **words
            )
        else:
            raise UsageError(
                "There is no such engine.", expected="eyetune or keras-tuner", received=engine
            )
        retrained = (
            study.retrain(epochs=retrain_epochs) if retrain_epochs and study.best() else None
        )
    except KeyboardInterrupt:
        known = f" --name {name}" if name else ""
        say(f"Interrupted. Every whole epoch is recorded. To go on: eyetune tune --resume{known}")
        return INTERRUPTED
    _show(study, retrained, rivals, common)
    return 0


def _begun(
    start: str | None, search: SearchFlags, flags: RecipeFlags, common: Common, *, resume: bool
) -> tuple[str | None, Any]:
    """Return the model function, if there is one, and the recipe that was asked for, if any was."""
    has_function = is_function(start)
    edits = {} if search.early_stopping is None else {"fit.early_stopping": search.early_stopping}
    only_data = RecipeFlags(data=flags.data)
    if search.around is not None:
        if start is not None:
            raise UsageError(
                "--around names what is searched near.", received=f"{start} besides --around"
            )
        return None, flags.apply(search.around, common).with_(edits)
    if (start is None or has_function) and flags == only_data and not edits:
        return (start if has_function else None), None
    if resume and start is None and (flags != only_data or edits):
        raise UsageError(
            "With --resume the recipe is that of the study.", fix="Leave the recipe values out."
        )
    recipe = flags.apply(None if has_function else start, common)
    return (start if has_function else None), recipe.with_(edits) if edits else recipe


def _show(study: Study, retrained: Run | None, rivals: list[Run], common: Common) -> None:
    import eyetune
    from eyetune.api.study import REPORT_FILE
    from eyetune.cli.study_tables import study_tables
    from eyetune.cli.tables import comparison_tables

    value = study.to_json()
    shown: list[Any] = list(
        study_tables(
            study.record,
            study.trials,
            study.importances,
            study.warnings,
            _paths(study, REPORT_FILE),
        )
    )
    if retrained is not None:
        value["retrained"] = retrained.record.to_json()
        results = retrained.results
        test = "" if results.test_accuracy is None else f", {results.test_accuracy:.2%} on test"
        shown.append(
            f"Retrained as {retrained.record.label}: {results.validation_accuracy:.2%} on validation{test}, "
            f"epoch {results.kept_epoch} of {retrained.record.num_epochs_done}"
        )
    if rivals:
        comparison = eyetune.compare(*rivals, retrained or study.run())
        shown += comparison_tables(comparison)
        value["comparison"] = comparison.to_json()
    common.show(value, *shown)


def _paths(study: Study, report: str) -> list[Path]:
    return [path for path in (study.folder / report, study.folder / "plots") if path.exists()]
