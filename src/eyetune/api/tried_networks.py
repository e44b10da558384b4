"""The networks that were tried before one was exported: trials of its study, or other runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from eyetune.api.run import Run
from eyetune.device.boards.profiles import Board, load_board
from eyetune.device.export.export_folder import Manifest
from eyetune.device.export.tried import TriedNetwork
from eyetune.errors import EyetuneError
from eyetune.records import RunState, Workspace
from eyetune.records.run import RunRecord
from eyetune.records.study import Constraint, StudySettings
from eyetune.records.trial import TrialState
from eyetune.values.history import History

MAX_COMPUTED = 30  # runs whose costs are computed from their recipes, the most accurate ones


@dataclass(frozen=True)
class TriedNetworks:
    """The networks that were trained on the same images.

    Attributes:
        networks: The networks, the most accurate first.
        num_infeasible: Number of trials that limits ruled out before any training.
        search_limits: The limits of the study on flash_bytes, arena_bytes and latency_ms that are
            tighter than those of the board.
    """

    networks: tuple[TriedNetwork, ...]
    num_infeasible: int = 0
    search_limits: Mapping[str, float] = field(default_factory=dict)


def tried_networks(run: Run, manifest: Manifest) -> TriedNetworks:
    """Return the networks that were trained on the same images, with what is known of their costs.

    The accuracy of a trial that was stopped is the best that it had reached. Costs of a trial are
    those that its study predicted for its board; those of other runs are computed from their
    recipes, of the most accurate ones. What is not known either way is left out.

    Args:
        run: The exported run. If it belongs to a study, its trials are returned, otherwise all
            complete runs of the workspace on the same images.
        manifest: The manifest of its export.
    """
    runs, studies = run.workspace.runs, run.workspace.studies
    study_id = run.record.study_id
    trials = studies.trials(study_id) if study_id else []
    settings = studies.get(study_id).settings if study_id and trials else None
    trial_of_run = {trial.run: trial for trial in trials if trial.run}
    others = [
        other for other in _on_same_images(run) if study_id or other.state is RunState.COMPLETE
    ]
    histories = runs.histories([other.id for other in others if other.results is None])
    accuracies = {other.id: _accuracy(other, histories.get(other.id, ())) for other in others}
    others.sort(key=lambda other: -accuracies[other.id])
    known = _Costs(run.workspace, manifest.board)
    networks = []
    for other in others:
        trial = trial_of_run.get(other.id)
        exported: Mapping[str, float | None] = {
            "flash_bytes": manifest.flash_bytes,
            "arena_bytes": manifest.arena_bytes,
            "latency_ms": manifest.latency_ms,
        }
        costs = exported if other.id == run.id else known.of(other)
        networks.append(
            TriedNetwork(
                label=f"trial {trial.number}" if trial else other.label,
                accuracy=accuracies[other.id],
                validation_images=other.data.num_validation,
                flash_bytes=costs.get("flash_bytes") or max(other.network.parameters, 1),
                flash_is_estimated="flash_bytes" not in costs,
                arena_bytes=costs.get("arena_bytes"),
                latency_ms=costs.get("latency_ms"),
                exported=other.id == run.id,
            )
        )
    limits = _upper_limits(settings.constraints) if settings else {}
    if settings is None or not _is_for_board(settings, manifest.board):
        limits.pop("latency_ms", None)
    return TriedNetworks(
        tuple(networks),
        sum(trial.state is TrialState.INFEASIBLE for trial in trials),
        _tighter_than_board(limits, manifest.board),
    )


def _accuracy(record: RunRecord, history: History) -> float:
    """Return the validation accuracy of a run; the best so far if it was stopped."""
    accuracy = record.results.validation_accuracy if record.results else None
    if accuracy is not None:
        return accuracy
    if record.own_recipe is not None:
        history = record.own_recipe.fit.counted(history)
    return max((epoch.val_accuracy or 0.0 for epoch in history), default=0.0)


class _Costs:
    """The costs of runs on a board, as their studies predicted them or from their recipes.

    Args:
        workspace: The workspace of the runs.
        board: The board.
    """

    def __init__(self, workspace: Workspace, board: Board) -> None:
        self._workspace, self._board = workspace, board
        self._by_study: dict[str, dict[str, Mapping[str, float]]] = {}
        self._num_computed = 0

    def of(self, record: RunRecord) -> Mapping[str, float | None]:
        """Return the costs of a run by name; none if they are not known."""
        if record.study_id is not None:
            if record.study_id not in self._by_study:
                self._by_study[record.study_id] = self._of_study(record.study_id)
            costs = self._by_study[record.study_id].get(record.id)
            if costs is not None:
                return costs
        if self._num_computed == MAX_COMPUTED:
            return {}
        self._num_computed += 1
        return self._computed(record)

    def _of_study(self, study_id: str) -> dict[str, Mapping[str, float]]:
        try:
            settings = self._workspace.studies.get(study_id).settings
        except EyetuneError:  # it was deleted
            return {}
        if not _is_for_board(settings, self._board):
            return {}
        return {
            trial.run: trial.network
            for trial in self._workspace.studies.trials(study_id)
            if trial.run
        }

    def _computed(self, record: RunRecord) -> Mapping[str, float]:
        from eyetune.device.estimate.footprint import footprint
        from eyetune.models.build import build
        from eyetune.training.prepared_network import costs_on

        recipe, shape = record.own_recipe, record.data.image_shape
        if recipe is None or recipe.model.has_function or len(shape) != 3:
            return {}
        try:
            network = build(
                recipe.model, (shape[0], shape[1], shape[2]), len(record.data.class_names)
            )
            needed = footprint(network)
        except EyetuneError:
            return {}
        if needed.unknown:
            return {}
        return {"flash_bytes": needed.flash_bytes, **costs_on(self._board, needed)}


def study_limits(settings: StudySettings) -> dict[str, float]:
    """Return the largest value of each cost that a study allows: its constraints' and its board's.

    Args:
        settings: The settings of the study.
    """
    limits = _upper_limits(settings.constraints)
    try:
        board = load_board(settings.board) if settings.board else None
    except EyetuneError:  # the file of its board was deleted
        board = None
    if board is not None:
        for name, limit in (
            ("flash_bytes", board.max_model_bytes),
            ("arena_bytes", board.max_arena_bytes),
        ):
            limits[name] = min(limit, limits.get(name, limit))
    return limits


def num_compared(run: Run) -> int:
    """Return how many networks were compared on the validation images of a run, 1 or more.

    These are the trials of its study, or else all runs of the workspace on the same images that
    were trained to their end or stopped. Each epoch counts where the best one was kept, and where
    the training ended or changed its learning rate by the validation loss.
    """
    others = _on_same_images(run)
    by_epoch = [other.id for other in others if _is_chosen_by_epoch(other)]
    epochs = sum(len(history) for history in run.workspace.runs.histories(by_epoch).values())
    return max(1, len(others) - len(by_epoch) + epochs)


def _on_same_images(run: Run) -> list[RunRecord]:
    """Return the runs on a run's images that have ended: of its study, or else all of them.

    Those that were also trained on the validation images are left out: they were not compared.
    """
    study_id, fingerprint = run.record.study_id, run.record.data.fingerprint
    return [
        other
        for other in run.workspace.runs.all()
        if other.state in (RunState.COMPLETE, RunState.STOPPED)
        and not other.trained_on_validation
        and other.data.fingerprint == fingerprint
        and (study_id is None or other.study_id == study_id)
    ]


def _is_chosen_by_epoch(record: RunRecord) -> bool:
    """Return whether validation images had a say in which epoch of a run is kept."""
    recipe = record.own_recipe
    if recipe is None:  # a training by Keras's own fit, whose callbacks are not known
        return True
    fit = recipe.fit
    return fit.keep_best or bool(fit.early_stopping) or recipe.optimizer.schedule == "plateau"


def _is_for_board(settings: StudySettings, board: Board) -> bool:
    try:
        return bool(settings.board) and load_board(settings.board) == board
    except EyetuneError:  # the file of its board was deleted
        return False


def _upper_limits(constraints: Iterable[Constraint]) -> dict[str, float]:
    """Return the largest value of each cost; frames per second limit the time per image."""
    limits: dict[str, float] = {}
    for constraint in constraints:
        name, limit, is_upper = constraint.name, constraint.limit, constraint.is_upper
        if name == "fps" and not is_upper and limit > 0:
            name, limit, is_upper = "latency_ms", 1000 / limit, True
        if is_upper:
            limits[name] = min(limit, limits.get(name, limit))
    return limits


def _tighter_than_board(limits: Mapping[str, float], board: Board) -> dict[str, float]:
    """Return the limits on costs that a board limits less, or not at all."""
    board_limits = {
        "flash_bytes": board.max_model_bytes,
        "arena_bytes": board.arena_bytes,
        "latency_ms": float("inf"),
    }
    return {
        name: limits[name]
        for name, board_limit in board_limits.items()
        if limits.get(name, board_limit) < board_limit
    }
