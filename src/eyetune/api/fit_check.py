"""Check whether a network fits a board: before any training, or from an existing network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from eyetune.analysis.trial_results import int8_json
from eyetune.api.board_needs import board_needs
from eyetune.api.preparing import note, start, workspace_of
from eyetune.api.run import Run
from eyetune.data.load import shape_of
from eyetune.device.boards.profiles import Board, load_board
from eyetune.device.boards.profiles import boards as all_boards
from eyetune.device.estimate.dense_scales import incorrect_dense_layer, one_scale_advice
from eyetune.errors import EyetuneError, UsageError, nearest
from eyetune.recipe import Recipe
from eyetune.recipe.known_networks import NETWORKS
from eyetune.records import Workspace
from eyetune.records.run import require_images
from eyetune.values.int8_accuracy import Int8Accuracy
from eyetune.values.renamed_attributes import accept_earlier_names, renamed_to
from eyetune.values.renamed_keys import with_earlier_names
from eyetune.values.summary import Summarized, Summary

if TYPE_CHECKING:
    from eyetune.device.estimate.footprint import Footprint
    from eyetune.device.estimate.latency import Latency
    from eyetune.device.estimate.layer_costs import Bottleneck

Verdict = Literal["fits", "does not fit", "cannot tell"]
_OTHER_MODEL_FILES = (".h5", ".hdf5", ".pb", ".onnx", ".pt", ".pth", ".json")


@dataclass(frozen=True, repr=False)
class FitCheck(Summarized):
    """What a network needs, and what a board has.

    Attributes:
        label: The network that was checked, for example "run 3f2a lab".
        board: The board.
        footprint: What the network needs.
        int8: Accuracy of the int8 network, if it is that of a trial whose study measured it for
            this board; None otherwise.
        uncertainty: Why that cannot be told for some layers; empty if it can.
        miscomputed: Why the board would compute the network of a .tflite file incorrectly; empty if
            it would not.
    """

    label: str
    board: Board
    footprint: Footprint
    int8: Int8Accuracy | None = None
    uncertainty: str = ""
    miscomputed: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the network fits. A lower bound of its needs can show that it does not."""
        if self.reasons:
            return "does not fit"
        return "cannot tell" if self.uncertainty else "fits"

    @property
    def fits(self) -> bool:
        """Whether the board can surely hold and run the network."""
        return self.verdict == "fits"

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Reasons why the network does not fit; empty if it does."""
        reasons = [violation.text for violation in self.footprint.violations(self.board)]
        return (*reasons, self.miscomputed) if self.miscomputed else tuple(reasons)

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What to do about these reasons."""
        advice = self.footprint.advice(self.board)
        if not self.miscomputed:
            return advice
        return (*advice, one_scale_advice(self.board))

    @cached_property
    def latency(self) -> Latency | None:
        """The predicted time for one image; None if it cannot be told, or without a cost model."""
        return None if self.uncertainty else self.footprint.latency(self.board)

    @cached_property
    def bottleneck(self) -> Bottleneck | None:
        """The layer that costs most of what the board has too little of, or of the time.

        None if some layers are unknown, since any of them may cost more.
        """
        return None if self.uncertainty else self.footprint.bottleneck(self.board)

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        if self.verdict == "cannot tell":
            return f"Cannot tell whether {self.label} fits {self.board.title}"
        return f"{self.label} {self.verdict} {self.board.title}"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        rows = {need.name: need.text for need in board_needs(self)}
        if self.bottleneck is not None:
            rows["bottleneck"] = self.bottleneck.text
        sentences = (self.uncertainty,) if self.uncertainty else ()
        return Summary(rows, (*sentences, *self.reasons, *self.advice))

    what = renamed_to("label")
    costliest = renamed_to("bottleneck")

    def to_json(self) -> dict[str, Any]:
        """Return the check as JSON values."""
        needs, time = self.footprint, self.latency
        bottleneck = None
        if self.bottleneck is not None:
            bottleneck = {**asdict(self.bottleneck), "words": self.bottleneck.text}
        costs = needs.layer_costs(self.board)
        return {
            "label": self.label,
            "what": self.label,  # the earlier name of label
            "board": self.board.name,
            "fits": self.fits,
            "verdict": self.verdict,
            "uncertainty": self.uncertainty,
            "reasons": list(self.reasons),
            "advice": list(self.advice),
            "flash_bytes": needs.flash_bytes,
            "flash_is_measured": needs.file_is_exact,
            "largest_model_bytes": self.board.max_model_bytes,
            "arena_bytes": needs.arena_bytes_on(self.board),
            "arena": asdict(needs.arena_on(self.board)),
            "arena_in_psram": needs.arena_in_psram(self.board),
            "largest_internal_arena_bytes": self.board.arena_bytes,
            "largest_arena_bytes": self.board.max_arena_bytes,
            "parameters": needs.parameters,
            **with_earlier_names({"macs": needs.macs, "macs_by_kind": needs.macs_by_kind}),
            "latency_ms": time.milliseconds if time else None,
            "latency_error_ms": time.error_milliseconds if time else None,
            "latency_error": time.error_milliseconds if time else None,  # the earlier name
            "fps": time.fps if time else None,
            "int8_accuracy": self.int8.accuracy if self.int8 else None,
            "int8": int8_json(self.int8),
            "unsupported": list(needs.unsupported),
            "unknown": list(needs.unknown),
            "bottleneck": bottleneck,
            "costliest_layer": bottleneck,  # the earlier name of bottleneck
            "layers": [with_earlier_names(asdict(cost)) for cost in costs],
        }


@dataclass(frozen=True)
class _Target:
    """A network to check, before Keras is loaded.

    Attributes:
        label: What it is.
        model: Returns its Keras model.
        is_built_here: Whether that builds the model, so that the names of its layers depend on
            what else was built in this process.
        run: The run that trained it; None if it is not a run.
    """

    label: str
    model: Callable[[], Any]
    is_built_here: bool = True
    run: Run | None = None


@accept_earlier_names(what="network")
def fit_check(
    network: Any = None,
    board: str | Path | Board = "esp-eye",
    *,
    workspace: str | Path | Workspace | None = None,
    unsafe: bool = False,
    progress: bool = True,
) -> FitCheck:
    """Check whether a network fits a board, without training it.

    Its needs are computed from its layers. A network with other layers is converted to int8 and
    measured, which takes some seconds; where that is not possible, the verdict is "cannot tell".

    Args:
        network: A recipe, a run or a Keras model; the path of a recipe (.toml), a Keras model
            (.keras) or a converted one (.tflite); the name of a known network, such as lab or
            resnet8; or a run by its id, the beginning of the id, its name or "latest". Default: the
            lab's recipe.
        board: A board, the name of a built-in one, or the path of a .toml file that describes one.
        workspace: The workspace that runs are recorded in.
        unsafe: Whether code inside a .keras file may run. It can do anything that you can.
        progress: Whether to print that Keras is being loaded.

    Raises:
        UsageError: There is no such network or board, or the file cannot be read.
        EyetuneError: The network cannot be built.

    Example:
        >>> import eyetune as et
        >>> check = et.fit_check("resnet8", "nucleo-l4r5zi")
        >>> check.fits, check.footprint.macs
        (True, 12501632)
    """
    (check,) = fit_checks(network, (board,), workspace=workspace, unsafe=unsafe, progress=progress)
    return check


def fit_checks(
    network: Any = None,
    boards: Iterable[str | Path | Board] | None = None,
    *,
    workspace: str | Path | Workspace | None = None,
    unsafe: bool = False,
    progress: bool = True,
) -> tuple[FitCheck, ...]:
    """Check whether a network fits each of several boards; its needs are computed once.

    Args:
        network: The same as for `fit_check`.
        boards: Boards, names of built-in ones, or paths of .toml files. Default: all built-in ones.
        workspace: The workspace that runs are recorded in.
        unsafe: Whether code inside a .keras file may run. It can do anything that you can.
        progress: Whether to print that Keras is being loaded.

    Returns:
        A check for each board, in the order of the boards.

    Raises:
        UsageError: There is no such network or board, or the file cannot be read.
        EyetuneError: The network cannot be built.

    Example:
        >>> import eyetune as et
        >>> checks = et.fit_checks("resnet8", ["esp-eye", "nucleo-l4r5zi"])
        >>> [check.verdict for check in checks]
        ['fits', 'fits']
    """
    chosen = all_boards() if boards is None else boards
    profiles = [board if isinstance(board, Board) else load_board(board) for board in chosen]
    is_file = isinstance(network, str | Path) and str(network).lower().endswith(".tflite")
    if is_file:
        needs, uncertainty, is_whole = _needs_of_file(Path(network).expanduser())
        label = str(network) if is_whole else f"{network} with int8 at both ends"
        run = None
    else:
        target = _resolve(Recipe() if network is None else network, workspace, unsafe=unsafe)
        needs, uncertainty = _needs_of(target, unsafe=unsafe, progress=progress)
        label, run = target.label, target.run
    checks = []
    for profile in profiles:
        int8 = None if run is None else _int8_of(run, profile)
        miscomputed = incorrect_dense_layer(needs.graph, profile) if is_file else ""
        checks.append(FitCheck(label, profile, needs, int8, uncertainty, miscomputed))
    return tuple(checks)


def _needs_of_file(path: Path) -> tuple[Footprint, str, bool]:
    """Return what the model in a .tflite file needs in firmware, without TensorFlow.

    Also returned are why that cannot be told, and whether firmware holds all of the file.
    """
    from eyetune.device.estimate.operators import takes_other_memory
    from eyetune.device.estimate.tflite import footprint_of
    from eyetune.device.export.int8_ports import read_as_firmware
    from eyetune.device.export.measured_footprint import measured_in_sandbox

    model, content = read_as_firmware(path)
    needs = footprint_of(model)
    is_whole = model.size_bytes == path.stat().st_size
    others = [kind for kind in model.operators if takes_other_memory(kind)]
    if not others or needs.unsupported:
        return needs, "", is_whole
    try:
        return measured_in_sandbox(content, needs), "", is_whole
    except EyetuneError as error:
        text = f"The memory of {', '.join(others)} cannot be computed. {_sentences(error)}"
        return needs, text, is_whole


def _needs_of(target: _Target, *, unsafe: bool, progress: bool) -> tuple[Footprint, str]:
    start(0, progress=progress)
    from eyetune.device.estimate.footprint import footprint

    model = target.model()
    needs = footprint(model, renumber_layers=target.is_built_here)
    if not needs.unknown:
        return needs, ""
    names = ", ".join(needs.unknown)
    note(f"Converting the network, to measure {names} ...", progress=progress)
    return _measured(model, needs, unsafe=unsafe)


def _measured(model: Any, needs: Footprint, *, unsafe: bool) -> tuple[Footprint, str]:
    """Return what a network with unknown layers needs, and why that cannot be told if so."""
    from eyetune.device.export.measured_footprint import measured_apart

    try:
        return measured_apart(model, unsafe=unsafe), ""
    except EyetuneError as error:
        return needs, f"The needs of {', '.join(needs.unknown)} are unknown. {_sentences(error)}"


def _sentences(error: EyetuneError) -> str:
    """Return an error's message and what was received, as sentences."""
    received = (error.received or "").rstrip(".")
    return f"{error.message} {received}." if received else error.message


def _int8_of(run: Run, board: Board) -> Int8Accuracy | None:
    """Return the accuracy of a trial's int8 network, if its study measured it for a board."""
    if run.record.study_id is None:
        return None
    try:
        settings = run.workspace.studies.get(run.record.study_id).settings
        measured_for = load_board(settings.board) if settings.int8_images else None
    except EyetuneError:  # the study was deleted, or the file of its board
        return None
    if measured_for != board:
        return None
    trials = run.workspace.studies.trials(run.record.study_id)
    return next((trial.int8 for trial in trials if trial.run == run.id), None)


def _resolve(network: Any, workspace: str | Path | Workspace | None, *, unsafe: bool) -> _Target:
    """Return the network that an argument refers to; errors are raised before Keras is loaded."""
    match network:
        case Recipe():
            return _recipe_target(f"recipe {network.fingerprint}", network)
        case Run():
            return _run_target(network)
        case str() | Path():
            return _named_target(str(network), workspace, unsafe=unsafe)
        case _ if hasattr(network, "layers") and hasattr(network, "count_params"):
            return _Target(f"model {network.name}", lambda: network, is_built_here=False)
    raise UsageError(
        "Cannot estimate a footprint for this object.",
        expected="a recipe, a run, a Keras model, or the name or path of one",
        received=f"{type(network).__name__}: {network!r:.60}",
    )


def _named_target(name: str, workspace: str | Path | Workspace | None, *, unsafe: bool) -> _Target:
    from eyetune.device.estimate.keras_file import check_keras_file, load_keras_file

    path = Path(name)
    suffix = path.suffix.lower()
    if suffix == ".keras":
        check_keras_file(path)
        return _Target(name, lambda: load_keras_file(path, unsafe=unsafe), is_built_here=False)
    if suffix == ".toml":
        return _recipe_target(name, Recipe.load(path))
    if suffix in _OTHER_MODEL_FILES or path.is_file():
        raise UsageError(
            "Cannot check files of this type.",
            expected="a recipe (.toml), a Keras model (.keras) or a converted one (.tflite)",
            received=name,
            fix="Save a Keras model with model.save('network.keras').",
        )
    if name in NETWORKS:
        return _recipe_target(f"the known network {name}", Recipe().with_({"model": name}))
    if path.is_dir():
        raise UsageError(
            f"{name} is a folder, not a network.",
            expected="a file, a run or the name of a known network",
            received=name,
            fix="Name a file in the folder, or a run.",
        )
    return _run_target(_find_run(name, workspace_of(workspace)))


def _recipe_target(label: str, recipe: Recipe) -> _Target:
    shape, num_classes = shape_of(recipe.data)
    return _Target(label, lambda: _built(recipe, shape, num_classes))


def _run_target(run: Run) -> _Target:
    return _Target(f"run {run.record.label}", lambda: _built_again(run), run=run)


def _find_run(name: str, workspace: Workspace) -> Run:
    try:
        return Run(workspace, workspace.runs.find(name))
    except EyetuneError as error:
        if workspace.exists and workspace.runs.all():
            raise
        raise UsageError(
            f"There is no network or run {name!r}.",
            expected="a .toml, .keras or .tflite file, a run, or the name of a known network",
            received=f"{name}; no runs are recorded in {workspace.folder}",
            fix=nearest(name, NETWORKS),
        ) from error


def _built_again(run: Run) -> Any:
    """Return the network of a run with random weights."""
    data = run.record.data
    if data.has_images:
        return _built(run.recipe, require_images(run.record), len(data.class_names))
    from eyetune.models.model_function import build_with

    section = run.recipe.model
    return build_with(section.function, section.hyperparameters, run.inputs()).classifier


def _built(recipe: Recipe, image_shape: tuple[int, int, int], num_classes: int) -> Any:
    from eyetune.models.build import build

    return build(recipe.model, image_shape, num_classes)
