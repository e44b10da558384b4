"""`eyetune tune`: search for the best network, in parallel."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Group, Parameter

from eyetune.cli.common import (
    INTERRUPTED,
    Common,
    CompactRecipeOptions,
    RecipeFlags,
    is_function,
    say,
)
from eyetune.cli.interruption import recorded_studies, say_how_to_resume
from eyetune.cli.tracker_flags import TrackerFlags, TrackerOptions
from eyetune.cli.tune_flags import GROUPS, keyword_arguments, make_flags_class
from eyetune.errors import UsageError, nearest
from eyetune.tuning.option_declaration import OptionGroup

if TYPE_CHECKING:
    from eyetune.api.run import Run
    from eyetune.api.study import Study

    TuneFlags: TypeAlias = Any  # its fields are those of TuneOptions
else:
    TuneFlags = make_flags_class()

AFTER = Group("Afterwards", sort_key=5)
ENGINES = ("eyetune", "keras-tuner")

_NO_COMMON = Common()
_NO_FLAGS = TuneFlags()
_NO_RECIPE_FLAGS = RecipeFlags()
_NO_TRACKERS = TrackerFlags()


@Parameter(name="*")
@dataclass(frozen=True)
class CommandFlags:
    """Flags that the command has and `eyetune.tune` has not."""

    engine: Annotated[str, Parameter(group=GROUPS[OptionGroup.STUDY])] = "eyetune"
    """Search engine: eyetune, or for comparison keras-tuner (KerasTuner itself)."""
    early_stopping: Annotated[int | None, Parameter(group=GROUPS[OptionGroup.LIMITS])] = None
    """End a trial after this many epochs without a better value of the objective."""
    retrain_epochs: Annotated[int, Parameter(group=AFTER)] = 0
    """Train the best trial's recipe from scratch for up to this many epochs, stopping early."""
    against: Annotated[
        tuple[str, ...], Parameter(group=AFTER, negative="", show_default=False)
    ] = ()
    """Run to compare the best trial with (or the retrained one), by id or name. May be repeated."""


def tune(
    start: str | None = None,
    /,
    *,
    flags: TuneFlags = _NO_FLAGS,
    command: CommandFlags = CommandFlags(),
    recipe_flags: CompactRecipeOptions = _NO_RECIPE_FLAGS,
    trackers: TrackerOptions = _NO_TRACKERS,
    common: Common = _NO_COMMON,
) -> int:
    """Search for the best hyperparameters; its help is in `tune_help`.

    Parameters
    ----------
    start
        A model function, as file.py:name; or the recipe that trials start from: a TOML file or a
        run (by default the lab's recipe).
    """
    import eyetune

    arguments = keyword_arguments(flags)
    if command.engine not in ENGINES:
        raise UsageError(
            f"{command.engine} is not a known engine.",
            received=command.engine,
            fix=nearest(command.engine, ENGINES),
        )
    is_resumed = arguments.get("resume", False)
    if command.engine == "keras-tuner" and (
        is_resumed or arguments.get("executor", "local") != "local"
    ):
        raise UsageError(
            "KerasTuner's own search cannot be resumed, and runs on this machine.",
            received=command.engine,
        )
    around = arguments.pop("around", None)
    if around is not None:
        arguments.setdefault("space", "fine")
    function, recipe = _function_and_recipe(
        start, around, command, recipe_flags, common, is_resumed=is_resumed
    )
    workspace = common.open_workspace()
    opened = trackers.open()
    if opened:
        arguments["trackers"] = opened
    rivals = [eyetune.open_run(name, workspace=workspace) for name in command.against]
    search = eyetune.tune if command.engine == "eyetune" else eyetune.tune_with_keras_tuner
    resumed = workspace.studies.find(arguments.get("name") or "latest").name if is_resumed else ""
    with recorded_studies(workspace) as study_ids:
        try:
            study = search(
                function, recipe_flags.data, recipe=recipe, workspace=workspace, **arguments
            )
            retrained = None
            if command.retrain_epochs and study.best():
                retrained = study.retrain(epochs=command.retrain_epochs, trackers=opened)
        except KeyboardInterrupt as error:
            if command.engine == "keras-tuner":
                say("Interrupted. The trials so far are recorded; KerasTuner cannot resume them.")
                return INTERRUPTED
            executor = arguments.get("executor", "")
            options = {
                "workers": arguments.get("workers"),
                "executor": executor if "://" in executor else None,  # it has to be named again
                "retrain_epochs": command.retrain_epochs or None,
                "against": command.against,
            }
            return say_how_to_resume(
                "tune",
                common,
                workspace,
                study_ids,
                resumed=resumed,
                options=options | asdict(trackers),
                error=error,
            )
    _show(study, retrained, rivals, common)
    return 0


def _function_and_recipe(
    start: str | None,
    around: str | None,
    command: CommandFlags,
    recipe_flags: RecipeFlags,
    common: Common,
    *,
    is_resumed: bool,
) -> tuple[str | None, Any]:
    """Return the model function, if there is one, and the recipe, if any of it was given."""
    function = start if is_function(start) else None
    edits = {}
    if command.early_stopping is not None:
        edits["fit.early_stopping"] = command.early_stopping
    if around is not None:
        if start is not None:
            raise UsageError(
                "--around names what trials start from.", received=f"{start} and --around"
            )
        return None, recipe_flags.apply(around, common).with_(edits)
    only_data = RecipeFlags(data=recipe_flags.data)
    changes_recipe = recipe_flags != only_data or bool(edits)
    if (start is None or function is not None) and not changes_recipe:
        return function, None
    if is_resumed and start is None and changes_recipe:
        raise UsageError(
            "With --resume the recipe is that of the study.", fix="Leave the recipe values out."
        )
    recipe = recipe_flags.apply(
        None if function is not None else start, common, for_function=function is not None
    )
    return function, recipe.with_(edits) if edits else recipe


def _show(study: Study, retrained: Run | None, rivals: list[Run], common: Common) -> None:
    import eyetune
    from eyetune.api.study import REPORT_FILE
    from eyetune.cli.comparison_tables import comparison_tables
    from eyetune.cli.study_tables import study_tables

    value = study.to_json()
    paths = [study.folder / REPORT_FILE, study.folder / "plots"]
    existing_paths = [path for path in paths if path.exists()]
    tables: list[Any] = list(
        study_tables(study.record, study.trials, study.importances, study.warnings, existing_paths)
    )
    if retrained is not None:
        value["retrained"] = retrained.record.to_json()
        results = retrained.results
        test = "" if results.test_accuracy is None else f", {results.test_accuracy:.2%} on test"
        tables.append(
            f"Retrained as {retrained.record.label}: {results.validation_accuracy:.2%} on "
            f"validation{test}, epoch {results.kept_epoch} of {retrained.record.num_epochs_done}"
        )
    if rivals:
        comparison = eyetune.compare(*rivals, retrained or study.run())
        tables += comparison_tables(comparison)
        value["comparison"] = comparison.to_json()
    common.show(value, *tables)
