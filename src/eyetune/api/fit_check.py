"""Whether a network fits a board, told before any training or of a network that is there already."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyetune.api.preparing import start, workspace_of
from eyetune.api.run import Run
from eyetune.data.load import shape_of
from eyetune.device.boards.profiles import Board, load_board
from eyetune.errors import EyetuneError, FunctionError, UsageError, nearest
from eyetune.recipe import Recipe
from eyetune.recipe.known_networks import NETWORKS
from eyetune.records import Workspace
from eyetune.values.renamed_keys import with_earlier_names

if TYPE_CHECKING:
    from eyetune.device.estimate.footprint import Footprint
    from eyetune.device.estimate.latency import Latency
    from eyetune.device.estimate.layer_costs import Bottleneck

_OTHER_MODEL_FILES = (".h5", ".hdf5", ".pb", ".onnx", ".pt", ".pth", ".json")


@dataclass(frozen=True)
class FitCheck:
    """What a network needs beside what a board has.

    Attributes:
        what: What was checked, in words.
        board: The board.
        footprint: What the network needs.
    """

    what: str
    board: Board
    footprint: Footprint

    @property
    def fits(self) -> bool:
        """Whether the board can hold and run it."""
        return not self.reasons

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Why it does not fit; empty where it does."""
        return tuple(violation.text for violation in self.footprint.violations(self.board))

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What to do about that."""
        return self.footprint.advice(self.board)

    @cached_property
    def latency(self) -> Latency | None:
        """The time for one image; None where the board has no cost model."""
        return self.footprint.latency(self.board)

    @cached_property
    def bottleneck(self) -> Bottleneck:
        """The layer that costs most of what there is too little of, or of the time."""
        return self.footprint.bottleneck(self.board)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        needs, time = self.footprint, self.latency
        bottleneck = {**asdict(self.bottleneck), "words": self.bottleneck.text}
        return {
            "what": self.what,
            "board": self.board.name,
            "fits": self.fits,
            "reasons": list(self.reasons),
            "advice": list(self.advice),
            "flash_bytes": needs.flash_bytes,
            "largest_model_bytes": self.board.max_model_bytes,
            "arena_bytes": needs.arena_bytes_on(self.board),
            "arena_in_psram": needs.arena_in_psram(self.board),
            "largest_internal_arena_bytes": self.board.arena_bytes,
            "largest_arena_bytes": self.board.max_arena_bytes,
            "parameters": needs.parameters,
            **with_earlier_names({"macs": needs.macs, "macs_by_kind": needs.macs_by_kind}),
            "latency_ms": time.milliseconds if time else None,
            "latency_error": time.error_milliseconds if time else None,
            "unsupported": list(needs.unsupported),
            "unknown": list(needs.unknown),
            "bottleneck": bottleneck,
            "costliest_layer": bottleneck,
            "layers": [with_earlier_names(asdict(cost)) for cost in needs.layer_costs(self.board)],
        }


def fit_check(
    what: Any = None,
    board: str | Path | Board = "esp-eye",
    *,
    workspace: str | Path | Workspace | None = None,
    unsafe: bool = False,
    progress: bool = True,
) -> FitCheck:
    """Tell whether a network fits a board, without training or converting it.

    Args:
        what: A recipe, a run, a Keras model; the path of a recipe (.toml), a Keras network (.keras)
            or a converted one (.tflite); the name of a known network, such as lab or resnet8; or a
            run by its id, the beginning of that, its name or "latest". None: the lab's recipe.
        board: A name of `eyetune boards`, the path of a TOML file, or a board.
        workspace: Where runs are recorded.
        unsafe: Let a .keras file run the code that it brings along. Such code can do anything that
            you can.
        progress: Say that Keras loads, where it does.

    Raises:
        UsageError: There is no such thing or board, or the file is none that can be read.
        EyetuneError: The network cannot be built.

    Example:
        >>> import eyetune as et
        >>> check = et.fit_check("resnet8", "nucleo-l4r5zi")
        >>> check.fits, check.footprint.macs
        (True, 12501632)
    """
    target = board if isinstance(board, Board) else load_board(board)
    if isinstance(what, str | Path) and str(what).lower().endswith(".tflite"):
        from eyetune.device.estimate.tflite import footprint_of, read

        return FitCheck(str(what), target, footprint_of(read(Path(what))))
    words, model, is_ours = _found(Recipe() if what is None else what, workspace, unsafe=unsafe)
    start(0, progress=progress)
    from eyetune.device.estimate.footprint import footprint

    return FitCheck(words, target, footprint(model(), renumber_layers=is_ours))


# What was found: what it is in words, how to get the model of it, and whether that is built here
# and now.
_Found = tuple[str, Callable[[], Any], bool]


def _found(what: Any, workspace: str | Path | Workspace | None, *, unsafe: bool) -> _Found:
    """Find what is meant, and say what is wrong with it, before Keras loads."""
    match what:
        case Recipe():
            return _found_recipe(f"recipe {what.fingerprint}", what)
        case Run():
            return _found_run(what)
        case str() | Path():
            return _found_word(str(what), workspace, unsafe=unsafe)
        case _ if hasattr(what, "layers") and hasattr(what, "count_params"):
            return f"model {what.name}", lambda: what, False
    raise UsageError(
        "That is nothing whose footprint can be told.",
        expected="a recipe, a run, a Keras model, or a word that names one",
        received=f"{type(what).__name__}: {what!r:.60}",
    )


def _found_word(word: str, workspace: str | Path | Workspace | None, *, unsafe: bool) -> _Found:
    path = Path(word)
    match path.suffix.lower():
        case ".keras":
            _check_is_keras(path)
            return word, lambda: _loaded(path, unsafe=unsafe), False
        case ".toml":
            return _found_recipe(word, Recipe.load(path))
        case suffix if suffix in _OTHER_MODEL_FILES or path.is_file():
            raise UsageError(
                "Files of this kind cannot be checked.",
                expected="a recipe (.toml), a Keras network (.keras) or a converted one (.tflite)",
                received=word,
                fix="Save a Keras model with model.save('network.keras').",
            )
    if word in NETWORKS:
        return _found_recipe(f"the known network {word}", Recipe().with_({"model": word}))
    if path.is_dir():
        raise UsageError(f"{word} is a folder, not a network.", fix="Name a file in it, or a run.")
    return _found_run(_run(word, workspace_of(workspace)))


def _found_recipe(words: str, recipe: Recipe) -> _Found:
    shape, num_classes = shape_of(recipe.data.source, recipe.data.image_size)
    return words, lambda: _built(recipe, shape, num_classes), True


def _found_run(run: Run) -> _Found:
    data = run.record.data
    return (
        f"run {run.record.label}",
        lambda: _built(run.recipe, data.image_shape, len(data.class_names)),
        True,
    )


def _run(word: str, workspace: Workspace) -> Run:
    try:
        return Run(workspace, workspace.runs.find(word))
    except EyetuneError as error:
        if workspace.exists and workspace.runs.all():
            raise
        raise UsageError(
            f"There is no network or run {word!r}.",
            expected="a .toml, .keras or .tflite file, a run, or the name of a known network",
            received=f"{word}; no run is recorded in {workspace.folder}",
            fix=nearest(word, NETWORKS),
        ) from error


def _built(recipe: Recipe, image_shape: tuple[int, int, int], num_classes: int) -> Any:
    from eyetune.models.build import build

    try:
        return build(recipe.model, image_shape, num_classes)
    except EyetuneError:
        raise
    # Keras and TensorFlow say in many ways that a network is too large or makes no sense
    except Exception as error:
        received = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise FunctionError("The network cannot be built.", received=received) from None


def _check_is_keras(path: Path) -> None:
    if not path.is_file():
        raise UsageError(
            "There is no such .keras file.", received=path, fix="Name a file that is there."
        )
    if not zipfile.is_zipfile(path):
        raise UsageError(
            "The .keras file is damaged.",
            expected="what model.save('network.keras') writes, a zip archive",
            received=path,
            fix="Save it again.",
        )


def _loaded(path: Path, *, unsafe: bool) -> Any:
    """Load a .keras file; the code that it brings along is run only where the user allows it."""
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=not unsafe)
    except (
        Exception
    ) as error:  # a damaged or foreign archive raises whatever zip, JSON or HDF5 make of it
        raise _unloadable(path, error, unsafe=unsafe) from None


def _unloadable(path: Path, error: Exception, *, unsafe: bool) -> UsageError:
    words = " ".join(str(error).split())
    received = f"{path}: {type(error).__name__}: {words[:200]}"
    if not unsafe and ("safe_mode" in words or "unsafe" in words.lower()):
        return UsageError(
            "The .keras file brings code along, which is not run.",
            received=received,
            fix="If you trust who made it, let its code run with --unsafe (unsafe=True): it can do all that you can.",
        )
    if "Could not locate" in words or "register_keras_serializable" in words:
        return UsageError(
            "The .keras file has layers of a class that is not known here.",
            received=received,
            fix="In Python, import the class, load the network yourself and call eyetune.fit_check(model).",
        )
    return UsageError(
        "The .keras file cannot be loaded.", received=received, fix="Save it again with this Keras."
    )
