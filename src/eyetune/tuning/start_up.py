"""The start of a study: what was asked for is recorded before its settings follow from it.

Settings need the data and a look at the model function, in a worker that loads Keras. A study that
is interrupted meanwhile is resumed from what was asked for.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from eyetune.data.load import KNOWN_SOURCES
from eyetune.errors import UsageError, WorkspaceError
from eyetune.records import Workspace
from eyetune.records.study import StartUp, StudyRecord, StudySettings
from eyetune.space.space import Space
from eyetune.tuning.declared_options import DeclaredOption, declared_options
from eyetune.tuning.objectives import objectives_of, read_objective
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.settings import board_reference
from eyetune.tuning.starting_space import StartingPoint, with_source

NOT_KEPT = ("workers", "executor")  # those of the invocation that resumes the study count


def create_study(workspace: Workspace, start: StartingPoint, options: TuneOptions) -> StudyRecord:
    """Record a new study that has no settings yet, only what was asked for.

    Args:
        workspace: Where it is recorded.
        start: What its trials start from.
        options: What is asked for.

    Raises:
        UsageError: The name is taken.
    """
    asked: dict[str, Any] = {}
    for option in declared_options():
        value = getattr(options, option.name)
        if _is_kept(option) and value is not None:
            asked[option.name] = board_reference(value) if option.name == "board" else value
    space = start.space
    if isinstance(space, Path):
        space = str(space)
    if isinstance(space, str) and space.endswith(".toml"):
        space = str(Path(space).expanduser().absolute())
    start_up = StartUp(
        recipe=start.recipe,
        space=space,
        data=None if start.data is None else _located(start.data),
        is_given=start.is_given,
        options=asked,
    )
    settings = StudySettings(
        recipe=with_source(start.recipe, start_up.data),
        space=Space(),
        objectives=objectives_of(options) or (read_objective("val_accuracy"),),
        board=asked.get("board", ""),
        executor=options.executor or "local",
        start_up=start_up,
    )
    return workspace.studies.create(options.name, settings)


def _is_kept(option: DeclaredOption) -> bool:
    """Return whether an option of a study is recorded before its settings follow from it."""
    is_recorded = bool(option.declaration.recorded) or option.name == "fps"
    return is_recorded and option.name not in NOT_KEPT


def resumed_options(options: TuneOptions, start_up: StartUp) -> TuneOptions:
    """Return the options of an invocation that resumes a study without settings.

    A workspace may be someone else's: an option that no study records, such as a model function,
    which would count as named by this user, is refused.

    Args:
        options: What is asked for now.
        start_up: What was asked for then; it applies where nothing is asked for now.

    Raises:
        WorkspaceError: The record holds an option that no study records.
    """
    kept = {option.name for option in declared_options() if _is_kept(option)}
    if unknown := sorted(start_up.options.keys() - kept):
        raise WorkspaceError(
            "The record of the study is damaged: it holds options that no study records.",
            received=", ".join(unknown),
            fix="Start the study again under another name.",
        )
    then = {
        name: value for name, value in start_up.options.items() if getattr(options, name) is None
    }
    return replace(options, **then)


def recorded_executor(record: StudyRecord | None) -> str:
    """Return the executor of a study that is resumed, or the default.

    Args:
        record: The study; None for a new one.

    Raises:
        UsageError: It is a Ray cluster at an address. A cluster sends code to this machine, so the
            user has to name the address, which a workspace of someone else may name, too.
    """
    executor = record.settings.executor if record else "local"
    if "://" in executor:
        raise UsageError(
            "The study was searched on a Ray cluster, whose address has to be named again.",
            received=executor,
            fix=f"If you trust this cluster: --executor {executor}",
        )
    return executor


def resumed_start(start: StartingPoint, start_up: StartUp) -> StartingPoint:
    """Return what the trials of a resumed study without settings start from.

    Args:
        start: What is asked for now.
        start_up: What was asked for then; it applies where nothing is asked for now.
    """
    data = start.data or start_up.data
    if start.is_given or start.space is not None:
        return replace(start, data=data)
    return StartingPoint(start_up.recipe, start_up.space, data, is_given=start_up.is_given)


def _located(source: str | Path) -> str:
    """Return a source so that it means the same in another folder."""
    # The text may be too long for a path, hold a null byte, or name an unknown user's home.
    with suppress(OSError, ValueError, RuntimeError):
        path = Path(source).expanduser()
        if str(source) not in KNOWN_SOURCES and path.exists():
            return str(path.absolute())
    return str(source)
