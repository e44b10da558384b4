"""The methods of a tuner that its trials call, which a subclass may override.

They have the names and arguments of KerasTuner 1.4.8. An override needs the process in which the
tuner was created, so its trials train there, one after the other (see `own_trials`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from eyetune.errors import UsageError

if TYPE_CHECKING:
    from eyetune.compat.keras_tuner.tuner import Tuner

# With an override of one of these, trials train in this process.
CALLED_IN_TRIALS = (
    "run_trial",
    "pre_create_trial",
    "on_trial_begin",
    "on_trial_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_batch_begin",
    "on_batch_end",
)
# The methods that KerasTuner calls and eyetune does not: what to do instead.
NEVER_CALLED = {
    "get_state": "Write the state to a file in tuner.project_dir, in on_trial_end.",
    "set_state": "Read the state from a file in tuner.project_dir, in __init__.",
    "reload": "Read what you need in __init__, after super().__init__().",
}
INSTEAD_OF_PRIVATE = "Override run_trial; super().run_trial() builds and trains the network."


class TrialMethods:
    """The base class of `Tuner`: what a search calls for each trial, and what a trial may use."""

    def run_trial(self: Any, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Train the network of a trial and return its metrics.

        A subclass may change the arguments and call this method, or do something else: then the
        tuner needs no model function.

        Args:
            trial: The trial, a `keras_tuner.engine.trial.Trial`, with its `hyperparameters`.
            args: Positional arguments of `search`.
            kwargs: Keyword arguments of `search`.

        Returns:
            A number, a dictionary of metrics, the result of `model.fit`, or a list of these, one
            for each execution: their means count.

        Example:
            >>> import eyetune.compat.keras_tuner as keras_tuner
            >>> class Quadratic(keras_tuner.RandomSearch):
            ...     def run_trial(self, trial, *args, **kwargs):
            ...         return trial.hyperparameters.Float("x", -1.0, 1.0) ** 2
        """
        from eyetune.compat.keras_tuner.trial_training import train_trial

        return train_trial(self, trial, args, kwargs)

    __running: tuple[str, list[tuple[int, dict[str, float]]]] = ("", [])

    def follow(self, trial_id: str) -> list[tuple[int, dict[str, float]]]:
        """Collect what a trial reports while it runs, and return the list: steps and metrics."""
        self.__running = (trial_id, [])
        return self.__running[1]

    def takes_report(self, trial_id: str, metrics: Mapping[str, Any], step: int) -> bool:
        """Take metrics that a trial reports, and return whether it is running."""
        running_id, reports = self.__running
        if trial_id != running_id:
            return False
        reports.append((step, {name: float(value) for name, value in metrics.items()}))
        return True

    def save_model(self: Any, trial_id: str, model: Any, step: int = 0) -> None:  # noqa: ARG002
        """Write the weights of a trial's network, for `load_model`.

        Args:
            trial_id: Id of the trial.
            model: The network.
            step: Number of the epoch; not used here.
        """
        from eyetune.compat.keras_tuner.trial_training import WEIGHTS_FILE, save_weights

        save_weights(model, Path(self.get_trial_dir(trial_id)) / WEIGHTS_FILE)

    def pre_create_trial(self) -> None:
        """Do nothing; called before each trial is suggested."""

    def on_search_begin(self) -> None:
        """Do nothing; called when a search begins."""

    def on_search_end(self) -> None:
        """Do nothing; called when a search has ended."""

    def on_trial_begin(self, trial: Any) -> None:
        """Do nothing; called when a trial begins."""

    def on_trial_end(self: Any, trial: Any) -> None:  # noqa: ARG002
        """Call `save`; called when a trial has ended, with its score and status."""
        self.save()

    def on_epoch_begin(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
        """Do nothing; called when an epoch of a trial begins."""

    def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
        """Do nothing; called when an epoch of a trial has ended, with its metrics."""

    def on_batch_begin(self, trial: Any, model: Any, batch: int, logs: Any) -> None:
        """Do nothing; called when a training batch begins."""

    def on_batch_end(self, trial: Any, model: Any, batch: int, logs: Any = None) -> None:
        """Do nothing; called when a training batch has ended."""

    # What a script keeps beside the records.

    @property
    def project_dir(self: Any) -> str:
        """Path of a folder for a script's own files, which is created.

        eyetune keeps its records elsewhere in the workspace: see `tuner.study.folder`.
        """
        folder = project_folder(self)
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def get_trial_dir(self: Any, trial_id: str) -> str:
        """Return the path of a folder for a script's own files about a trial, which is created.

        Args:
            trial_id: Id of the trial.
        """
        folder = project_folder(self) / f"trial_{trial_id}"
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def save(self) -> None:
        """Do nothing: everything is recorded in the workspace as it happens."""

    def get_state(self) -> dict[str, Any]:
        """Return the state of the tuner beside its records: none, as in KerasTuner."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Accept an empty state, the only one that a tuner has.

        Raises:
            UsageError: The state is not empty.
        """
        if state:
            raise UsageError(
                "A tuner has no state beside its records.",
                received=f"{state!r:.60}",
                fix="Keep the script's own state in a file in tuner.project_dir.",
            )


def project_folder(tuner: Tuner) -> Path:
    """Return the path of the folder for a script's own files, which may not exist."""
    name = quote(tuner.project_name, safe="").replace(".", "%2E")
    return tuner.workspace.path("projects", name)


def overrides(tuner: Tuner) -> tuple[str, ...]:
    """Return the names of the methods that a tuner overrides and its trials call."""
    own = _own_names(type(tuner)) | vars(tuner).keys()
    return tuple(name for name in CALLED_IN_TRIALS if name in own)


def overrides_load_model(tuner: Tuner) -> bool:
    """Return whether a tuner loads the networks of its trials in its own way."""
    return "load_model" in _own_names(type(tuner)) | vars(tuner).keys()


def check_overrides(kind: type[Tuner], workers: int | None) -> None:
    """Refuse what a subclass overrides in vain.

    Args:
        kind: Class of the tuner.
        workers: Number of workers that the script asks for; None for the default.

    Raises:
        UsageError: KerasTuner would call a method of it and eyetune does not; a name has another
            meaning in eyetune; or a method is called in the process of the tuner, and the script
            asks for worker processes.
    """
    own = _own_names(kind)
    taken = sorted(own & names_of_eyetune())
    if taken:
        raise UsageError(
            f"{kind.__name__} defines {taken[0]}, which is a name of eyetune's tuners.",
            received=taken[0],
            fix="Choose another name for it.",
        )
    for name in sorted(own & _names_of_keras_tuner()):
        fix = NEVER_CALLED.get(name, INSTEAD_OF_PRIVATE if name.startswith("_") else "")
        if fix:
            raise UsageError(
                f"{kind.__name__} overrides {name}, which eyetune does not call.",
                expected=f"overrides of {', '.join(CALLED_IN_TRIALS)}, load_model or save_model",
                received=name,
                fix=fix,
            )
    called = [name for name in CALLED_IN_TRIALS if name in own]
    if called and workers:
        raise UsageError(
            f"{kind.__name__} overrides {', '.join(called)}, which needs the process of the tuner.",
            expected="workers=0",
            received=f"workers={workers}",
            fix="Leave workers out. To train in parallel, use HyperModel.fit instead of run_trial.",
        )


def _own_names(kind: type) -> set[str]:
    """Return the names that the user's own classes define among the bases of a class."""
    return {
        name
        for base in kind.__mro__
        if not base.__module__.startswith("eyetune.") and base is not object
        for name in vars(base)
        if not (name.startswith("__") and name.endswith("__"))
    }


@functools.cache
def names_of_eyetune() -> frozenset[str]:
    """Return the public names of eyetune's tuners that KerasTuner's do not have."""
    import keras_tuner

    from eyetune.compat.keras_tuner.tuner import Tuner

    ours = {name for name in dir(Tuner) if not name.startswith("_")}
    return frozenset(ours - set(dir(keras_tuner.Tuner)) - {"hypermodel"})


@functools.cache
def _names_of_keras_tuner() -> frozenset[str]:
    """Return the methods that KerasTuner's tuners have."""
    import keras_tuner

    kinds = (keras_tuner.Tuner, keras_tuner.Hyperband)
    return frozenset(name for kind in kinds for name, _ in inspect.getmembers(kind, callable))
