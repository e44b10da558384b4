"""Write the tables of docs/keras-tuner.md: what eyetune does with each public name of KerasTuner.

    python tools/keras_tuner_api.py

The verdicts are declared here, by name. A test compares the names with those that the installed
KerasTuner exports, and the verdicts with what eyetune does.
"""

from __future__ import annotations

import importlib
import inspect
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

DOCUMENT = Path(__file__).parent.parent / "docs" / "keras-tuner.md"
BEGIN, END = "<!-- names of KerasTuner: begin -->\n", "<!-- names of KerasTuner: end -->\n"
OURS = "eyetune.compat.keras_tuner"
TUNERS = ("BayesianOptimization", "GridSearch", "Hyperband", "RandomSearch", "Tuner")
ORACLES = (
    "Oracle",
    "oracles.BayesianOptimizationOracle",
    "oracles.GridSearchOracle",
    "oracles.HyperbandOracle",
    "oracles.RandomSearchOracle",
)


@dataclass(frozen=True)
class Verdict:
    """What eyetune does with a name.

    Attributes:
        status: works; differs, in the way that `text` says; or refused, for the reason in `text`.
        text: The difference, or the reason and a way round.
        is_passed_on: Whether it is KerasTuner's own object.
    """

    status: Literal["works", "differs", "refused"]
    text: str = ""
    is_passed_on: bool = False


def works(text: str = "") -> Verdict:
    """Return the verdict on a name that does what it does in KerasTuner."""
    return Verdict("works", text)


def differs(text: str) -> Verdict:
    """Return the verdict on a name that does something else, which the text describes."""
    return Verdict("differs", text)


def refused(text: str) -> Verdict:
    """Return the verdict on a name that raises an error; the text has reason and workaround."""
    return Verdict("refused", text)


OWN = Verdict("works", "KerasTuner's own", is_passed_on=True)

OBJECTS: Mapping[str, Verdict] = {
    "BayesianOptimization": differs(
        "learns how noisy the objective is, and takes the highest expected improvement, unless "
        "`alpha` and `beta` are given; one objective only"
    ),
    "GridSearch": differs(
        "the combinations come in random order; a warning says so if not all are tried"
    ),
    "HyperModel": OWN,
    "HyperParameters": OWN,
    "Hyperband": differs(
        "the same brackets; a promoted trial continues with its optimizer, and is no new trial; "
        "the objective is a metric of each epoch, and not what `fit` returns at its end"
    ),
    "Objective": OWN,
    "Oracle": differs("a read-only view of a study; a class of your own is refused, see below"),
    "RandomSearch": works(),
    "SklearnTuner": refused(
        "eyetune trains Keras models: keep `keras_tuner.SklearnTuner` for those of scikit-learn"
    ),
    "Tuner": works("with one of the four oracles"),
    "applications.HyperEfficientNet": OWN,
    "applications.HyperImageAugment": OWN,
    "applications.HyperResNet": OWN,
    "applications.HyperXception": OWN,
    "engine.base_tuner.BaseTuner": refused(
        "eyetune has one base class: derive from `Tuner`, whose `run_trial` may compute anything"
    ),
    "engine.hyperparameters.Boolean": OWN,
    "engine.hyperparameters.Choice": OWN,
    "engine.hyperparameters.Fixed": OWN,
    "engine.hyperparameters.Float": OWN,
    "engine.hyperparameters.HyperParameter": OWN,
    "engine.hyperparameters.Int": OWN,
    "engine.hyperparameters.deserialize": OWN,
    "engine.hyperparameters.serialize": OWN,
    "engine.metrics_tracking.infer_metric_direction": OWN,
    "engine.trial.Trial": OWN,
    "engine.trial.TrialStatus": OWN,
    "engine.tuner.maybe_distribute": OWN,
    "errors.FailedTrialError": OWN,
    "errors.FatalError": OWN,
    "errors.FatalRuntimeError": OWN,
    "errors.FatalTypeError": OWN,
    "errors.FatalValueError": OWN,
    "oracles.BayesianOptimizationOracle": differs("as `BayesianOptimization`"),
    "oracles.GridSearchOracle": differs("as `GridSearch`"),
    "oracles.HyperbandOracle": differs("as `Hyperband`"),
    "oracles.RandomSearchOracle": works(),
    "synchronized": OWN,
}

ARGUMENTS: Mapping[str, Verdict] = {
    "hypermodel": works("also a class, or the text `file.py:name`"),
    "objective": differs(
        "several objectives are a Pareto front: `score` is their sum, as in KerasTuner, but the "
        "order is that of the front; also `parameters`, `macs` and `seconds`"
    ),
    "max_trials": differs(
        "a network that breaks a limit does not count; None is all combinations of values, and is "
        "refused where there are infinitely many: pass a number"
    ),
    "max_epochs": works(),
    "factor": works("any number above 1"),
    "hyperband_iterations": differs(
        "None and infinity are refused: for a limit in time, "
        '`eyetune.tune(..., scheduler="hyperband", seconds=3600)`'
    ),
    "num_initial_points": differs("10 by default, and not three per hyperparameter"),
    "alpha": differs(
        "without it, the noise is learned; a given value, also 1e-4, means what it means in "
        "KerasTuner"
    ),
    "beta": differs(
        "without it, the expected improvement is taken; a given value, also 2.6, means what it "
        "means in KerasTuner"
    ),
    "seed": differs("0 by default, and not a random one; it also seeds the trainings"),
    "hyperparameters": works(),
    "tune_new_entries": works(),
    "allow_new_entries": works("such a network ends the search, when the search begins"),
    "max_retries_per_trial": works("each with another seed"),
    "max_consecutive_failed_trials": works(),
    "oracle": differs("one of the four; another one is refused: see `Oracle`"),
    "max_model_size": differs("a larger network is left out; it does not count as a trial"),
    "optimizer": works("other arguments of `compile`, such as `run_eagerly`, stay as they were"),
    "loss": works("other arguments of `compile`, such as `loss_weights`, stay as they were"),
    "metrics": works("a metric whose `get_config` is incomplete is refused: compile with it"),
    "distribution_strategy": differs(
        "a strategy with the first device changes nothing; several devices are refused: each trial "
        "trains on one device, and `workers=2` trains two trials at a time"
    ),
    "directory": differs("the workspace; by default `./eyetune-workspace`"),
    "project_name": works("the name of the study"),
    "logger": works(
        "no effect and a warning, as in KerasTuner 1.4; `trackers=[...]` logs to MLflow, "
        "TensorBoard or a logger of your own"
    ),
    "tuner_id": works("it names the tuner for the script; files do not depend on it"),
    "overwrite": works(),
    "executions_per_trial": works("the mean counts, the results show the spread"),
}

_IN_THIS_PROCESS = "an override makes trials train in this process, one by one; a warning says so"
_OWN_FILES = "for the files of the script and of its `run_trial`; eyetune keeps its own elsewhere"
TUNER_MEMBERS: Mapping[str, Verdict] = {
    "directory": differs("the path of the workspace; cannot be changed"),
    "distribution_strategy": differs("cannot be changed"),
    "executions_per_trial": differs("cannot be changed"),
    "get_best_hyperparameters": works("of Hyperband with its plan: `tuner/epochs` and others"),
    "get_best_models": differs(
        "only the networks of the best trial and of the 10 best that were trained to the end are "
        "kept; asking for more is refused: build them from `get_best_hyperparameters`"
    ),
    "get_state": works("an override is refused: write a file into `project_dir`"),
    "get_trial_dir": differs(_OWN_FILES),
    "hypermodel": works(),
    "load_model": differs("only for networks that are kept: see `get_best_models`"),
    "logger": works(),
    "loss": differs("cannot be changed"),
    "max_model_size": differs("cannot be changed"),
    "metrics": differs("cannot be changed"),
    "on_batch_begin": works(_IN_THIS_PROCESS),
    "on_batch_end": works(_IN_THIS_PROCESS),
    "on_epoch_begin": works(_IN_THIS_PROCESS),
    "on_epoch_end": works(_IN_THIS_PROCESS),
    "on_search_begin": works(),
    "on_search_end": works(),
    "on_trial_begin": works(_IN_THIS_PROCESS),
    "on_trial_end": works(_IN_THIS_PROCESS),
    "optimizer": differs("cannot be changed"),
    "oracle": differs("a read-only view, see below"),
    "pre_create_trial": works(_IN_THIS_PROCESS),
    "project_dir": differs(_OWN_FILES),
    "project_name": differs("cannot be changed"),
    "reload": works("an override is refused: read what you need in `__init__`"),
    "remaining_trials": works(),
    "results_summary": works(),
    "run_trial": works(_IN_THIS_PROCESS),
    "save": differs("does nothing: everything is recorded as it happens"),
    "save_model": differs("called by your own `run_trial` only; eyetune saves networks itself"),
    "search": differs(
        "trains in worker processes, each with a copy of the model function and the callbacks; a "
        "warning names what they changed in these copies (`workers=0` trains in this process); "
        "`HyperModel.fit` gets `epochs` and `batch_size` also where they are not given"
    ),
    "search_space_summary": works(),
    "seed": differs("0 by default"),
    "set_state": differs(
        "takes an empty state only; an override is refused: read a file in `project_dir`"
    ),
    "tuner_id": works(),
}

_CHANGES = "the view cannot change the search"
ORACLE_MEMBERS: Mapping[str, Verdict] = {
    "allow_new_entries": differs("cannot be changed"),
    "alpha": differs("cannot be changed"),
    "beta": differs("cannot be changed"),
    "create_trial": refused(
        f"{_CHANGES}: to try certain values, pass `hyperparameters` with `Fixed` entries"
    ),
    "directory": differs("the path of the workspace, and not None"),
    "end_order": differs("in the order in which the trials started"),
    "end_trial": refused(f"{_CHANGES}: raise `errors.FailedTrialError` in the trial"),
    "factor": differs("cannot be changed"),
    "get_best_trials": works(),
    "get_space": works("a copy"),
    "get_state": differs("hyperparameters, seed and the ids of trials"),
    "get_trial": differs("a copy that cannot be changed"),
    "gpr": refused("no regressor is kept: fit one to `tuner.study.to_dataframe()`"),
    "hyperband_iterations": differs("cannot be changed"),
    "hyperparameters": differs("a copy"),
    "max_consecutive_failed_trials": differs("cannot be changed"),
    "max_epochs": differs("cannot be changed"),
    "max_retries_per_trial": differs("cannot be changed"),
    "max_trials": differs(
        "cannot be changed: create the tuner again with more trials, and its search continues"
    ),
    "min_epochs": works(),
    "multi_worker": works(),
    "num_initial_points": differs("cannot be changed"),
    "objective": works(),
    "ongoing_trials": differs("by the id of the trial, and not of the tuner"),
    "populate_space": refused(
        "a sampler of eyetune suggests the values: `eyetune.tune(..., sampler=...)` has more of "
        "them; or keep KerasTuner for it, and import the results: "
        "`eyetune import keras-tuner untitled_project`"
    ),
    "project_name": differs("the name of the study, and not None"),
    "reload": differs("does nothing: every call reads the records"),
    "remaining_trials": works(),
    "save": differs("does nothing: everything is recorded as it happens"),
    "score_trial": refused(
        'the objective is the score: return `{"my_score": value}` from `HyperModel.fit`, with '
        '`objective=keras_tuner.Objective("my_score", "min")`'
    ),
    "seed": differs("0 by default"),
    "set_state": refused(f"{_CHANGES}: the records are the state"),
    "should_report": works(),
    "start_order": works(),
    "trials": differs(
        "copies that cannot be changed, with the metrics of their best epochs, also where "
        "`HyperModel.fit` returns others"
    ),
    "tune_new_entries": differs("cannot be changed"),
    "tuner_ids": works(),
    "update_space": refused(f"{_CHANGES}: use more hyperparameters in the model function"),
    "update_trial": differs(
        "in the `run_trial` of a subclass only; elsewhere, return metrics from `HyperModel.fit`"
    ),
    "verbose": differs("cannot be changed: `search` has the argument"),
}


def public_modules() -> Iterator[ModuleType]:
    """Yield the public modules of the installed KerasTuner, itself first."""
    waiting = [importlib.import_module("keras_tuner")]
    while waiting:
        module = waiting.pop(0)
        yield module
        for name, value in sorted(vars(module).items()):
            is_public = not name.startswith("_") and name != "src"
            if is_public and isinstance(value, ModuleType):
                waiting.append(value)


def public_objects() -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Return the public classes and functions of the installed KerasTuner.

    Returns:
        Each object with all its names without "keras_tuner.", by the shortest of them.
    """
    names: dict[int, list[str]] = {}
    objects: dict[int, Any] = {}
    for module in public_modules():
        prefix = module.__name__.removeprefix("keras_tuner").removeprefix(".")
        for name, value in vars(module).items():
            if name.startswith("_") or isinstance(value, ModuleType):
                continue
            objects[id(value)] = value
            names.setdefault(id(value), []).append(f"{prefix}.{name}".removeprefix("."))
    by_name = {}
    for key, found in names.items():
        found.sort(key=lambda name: (name.count("."), name))
        by_name[found[0]] = (objects[key], tuple(found))
    return dict(sorted(by_name.items(), key=lambda item: item[0].lower()))


def our_object(name: str) -> Any:
    """Return eyetune's object of a name without "keras_tuner."."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(f"{OURS}.{module}".rstrip(".")), last)


def constructor_arguments(kinds: Sequence[str]) -> dict[str, list[str]]:
    """Return the names of the arguments of some classes, each with the classes that have it."""
    objects = public_objects()
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    classes: dict[str, list[str]] = {}
    for kind in kinds:
        for parameter in inspect.signature(objects[kind][0]).parameters.values():
            if parameter.kind in named:
                classes.setdefault(parameter.name, []).append(kind.removeprefix("oracles."))
    return classes


def members(kinds: Sequence[str]) -> list[str]:
    """Return the public attributes and methods that objects of some classes have."""
    import keras
    import keras_tuner

    def build(hp: Any) -> Any:
        hp.Boolean("wide")
        return keras.Sequential()

    objects = public_objects()
    names: set[str] = set()
    for kind in kinds:
        value = objects[kind][0]
        with tempfile.TemporaryDirectory() as folder:
            if issubclass(value, keras_tuner.Oracle):
                instance = value("val_loss")
            elif kind == "Tuner":
                oracle = keras_tuner.oracles.RandomSearchOracle("val_loss")
                instance = value(oracle, build, directory=folder)
            else:
                instance = value(build, "val_loss", directory=folder)
            names |= {name for name in (*dir(value), *vars(instance)) if not name.startswith("_")}
    return sorted(names)


def tables() -> str:
    """Return the tables of docs/keras-tuner.md, in Markdown."""
    objects = public_objects()
    lines = [
        "### Classes and functions",
        "",
        "| `keras_tuner.` | verdict | details |",
        "|---|---|---|",
    ]
    for name, (_, names) in objects.items():
        shown = ", ".join(f"`{alias}`" for alias in names)
        lines.append(_row(shown, OBJECTS[name]))
    lines += ["", "### Arguments of tuners and oracles", ""]
    lines += ["| argument | of | verdict | details |", "|---|---|---|---|"]
    for argument, kinds in constructor_arguments((*TUNERS, *ORACLES)).items():
        shown = ", ".join(f"`{kind}`" for kind in kinds if kind != "Oracle")
        lines.append(_row(f"`{argument}` | {shown}", ARGUMENTS[argument]))
    lines += [
        "",
        "### Attributes and methods of tuners",
        "",
        "| `tuner.` | verdict | details |",
        "|---|---|---|",
    ]
    lines += [_row(f"`{name}`", verdict) for name, verdict in TUNER_MEMBERS.items()]
    lines += ["", "### Attributes and methods of `tuner.oracle`", "", *_header("tuner.oracle.")]
    lines += [_row(f"`{name}`", verdict) for name, verdict in ORACLE_MEMBERS.items()]
    return "\n".join(lines) + "\n"


def _header(prefix: str) -> list[str]:
    return [f"| `{prefix}` | verdict | details |", "|---|---|---|"]


def _row(first: str, verdict: Verdict) -> str:
    return f"| {first} | {verdict.status} | {verdict.text} |".replace("|  |", "| |")


def with_tables(text: str) -> str:
    """Return the text of docs/keras-tuner.md with new tables."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
