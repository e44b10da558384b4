"""What was tried before an export: trials of a study, or runs on the same images."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.api.run import Run, open_run
from eyetune.api.tried_networks import TriedNetworks, num_compared, study_limits, tried_networks
from eyetune.device.boards.profiles import load_board
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.trial import TrialState
from eyetune.testing.studies import fabricated_study
from eyetune.tuning.objectives import read_constraint
from tests.device.export.test_export_folder import MANIFEST_VALUE
from tests.records.fabricate import add_complete_run


def test_tried_networks_are_the_trials_of_a_study(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    study = fabricated_study(22, failing=0, infeasible=0.2, workspace=workspace)
    fabricated_study(4, failing=0, name="other", workspace=workspace)
    trained = [trial for trial in study.trials if trial.run]
    best = next(trial for trial in trained if trial.state is TrialState.COMPLETE)
    tried = tried_networks(open_run(best.run or "", workspace=workspace), MANIFEST_VALUE)
    assert {network.label for network in tried.networks} == {f"trial {t.number}" for t in trained}
    accuracies = [network.accuracy for network in tried.networks]
    assert accuracies == sorted(accuracies, reverse=True)
    infeasible = [trial for trial in study.trials if trial.state is TrialState.INFEASIBLE]
    assert tried.num_infeasible == len(infeasible) > 0
    (exported,) = [network for network in tried.networks if network.exported]
    assert (exported.label, exported.flash_bytes) == (f"trial {best.number}", 1000)
    assert exported.latency_ms == MANIFEST_VALUE.latency_ms
    others = [network for network in tried.networks if not network.exported]
    assert all(network.latency_ms != exported.latency_ms for network in others)
    assert tried.search_limits == {}  # on other costs


def test_tried_networks_without_a_study_are_all_runs(trained: Run) -> None:
    tried = tried_networks(trained, MANIFEST_VALUE)
    assert tried.num_infeasible == 0
    exported = [network.label for network in tried.networks if network.exported]
    assert exported == [trained.record.label]
    num_images = trained.record.data.num_validation
    assert {network.validation_images for network in tried.networks} == {num_images}
    assert all(network.accuracy <= tried.networks[0].accuracy for network in tried.networks)


def test_networks_that_were_trained_on_validation_images_are_not_ranked(workspace: Path) -> None:
    records = Workspace(workspace)
    seen = Recipe().with_(data__train_on_validation=True)
    own = add_complete_run(records, 0.6, name="own")
    add_complete_run(records, 0.99, name="memorized", recipe=seen)
    tried = tried_networks(open_run(own.id, workspace=records), MANIFEST_VALUE)
    assert [network.label for network in tried.networks] == [own.label]
    assert num_compared(open_run(own.id, workspace=records)) == 1
    memorized = open_run("memorized", workspace=records)
    assert [network.label for network in tried_networks(memorized, MANIFEST_VALUE).networks] == [
        own.label
    ]


@pytest.mark.parametrize("board", ["esp-eye", "pico-2"])
def test_tried_networks_have_times_and_limits_of_their_board(tmp_path: Path, board: str) -> None:
    tried = tried_for(board, tmp_path)
    times = [network.latency_ms for network in tried.networks if not network.exported]
    if board == MANIFEST_VALUE.board.name:
        assert set(times) == {123}
        assert tried.search_limits == {"flash_bytes": 98_000, "latency_ms": 200}
    else:
        assert 123 not in times  # which is the time on the other board
        assert tried.search_limits == {"flash_bytes": 98_000}


def tried_for(board: str, folder: Path) -> TriedNetworks:
    """Return what a study with limits on a board has tried."""
    workspace = Workspace(folder)
    study = fabricated_study(5, failing=0, workspace=workspace)
    texts = ("flash_bytes <= 98k", "fps >= 5", "latency_ms < 1s", "arena_bytes <= 3MiB")
    settings = study.record.settings.model_copy(
        update={"board": board, "constraints": tuple(map(read_constraint, texts))}
    )
    workspace.studies.save(study.record.model_copy(update={"settings": settings}))
    costs = {"flash_bytes": 50_000, "arena_bytes": 30_000, "latency_ms": 123}
    trials = [trial.model_copy(update={"network": costs}) for trial in study.trials]
    workspace.studies.save_trials(study.record.id, trials)
    best = next(trial for trial in trials if trial.state is TrialState.COMPLETE)
    return tried_networks(open_run(best.run or "", workspace=workspace), MANIFEST_VALUE)


def test_limits_of_a_study_are_those_of_its_board_and_its_own() -> None:
    settings = fabricated_study(4).record.settings
    constraints = tuple(map(read_constraint, ("flash_bytes < 50000", "fps >= 10")))
    update = {"board": "esp-eye", "constraints": constraints}
    limits = study_limits(settings.model_copy(update=update))
    arena = load_board("esp-eye").max_arena_bytes
    assert limits == {"flash_bytes": 50_000, "latency_ms": 100, "arena_bytes": arena}
    gone = settings.model_copy(update={"board": "/no/such/board.toml", "constraints": ()})
    assert study_limits(gone) == {}


def test_costs_of_runs_without_a_study_are_computed(workspace: Path) -> None:
    records = Workspace(workspace)
    own = add_complete_run(records, 0.6, name="own")
    small = Recipe().with_({"model.blocks": [4], "model.padding": "same"})
    add_complete_run(records, 0.9, name="other", recipe=small)
    tried = tried_networks(open_run(own.id, workspace=records), MANIFEST_VALUE)
    (other,) = (network for network in tried.networks if not network.exported)
    assert not other.flash_is_estimated
    assert other.arena_bytes
    assert other.latency_ms
    assert other.flash_bytes > 1_000
