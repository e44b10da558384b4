"""What was tried before an export: trials of a study, or runs on the same images."""

from __future__ import annotations

from pathlib import Path

from eyetune.api.run import Run, open_run
from eyetune.api.tried_networks import tried_networks
from eyetune.records import Workspace
from eyetune.records.study import TrialState
from eyetune.testing.studies import fabricated_study


def test_tried_networks_are_the_trials_of_a_study(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    study = fabricated_study(22, failing=0, infeasible=0.2, workspace=workspace)
    fabricated_study(4, failing=0, name="other", workspace=workspace)
    trained = [trial for trial in study.trials if trial.run]
    best = next(trial for trial in trained if trial.state is TrialState.COMPLETE)
    networks, num_infeasible = tried_networks(
        open_run(best.run or "", workspace=workspace), 5000, 2000
    )
    assert {network.label for network in networks} == {f"trial {t.number}" for t in trained}
    accuracies = [network.accuracy for network in networks]
    assert accuracies == sorted(accuracies, reverse=True)
    infeasible = [trial for trial in study.trials if trial.state is TrialState.INFEASIBLE]
    assert num_infeasible == len(infeasible) > 0
    (exported,) = [network for network in networks if network.exported]
    assert (exported.label, exported.flash_bytes) == (f"trial {best.number}", 5000)
    assert all(network.flash_is_estimated for network in networks if not network.exported)


def test_tried_networks_without_a_study_are_all_runs(trained: Run) -> None:
    networks, num_infeasible = tried_networks(trained, 1000, 2000)
    assert num_infeasible == 0
    assert [network.label for network in networks if network.exported] == [trained.record.label]
    assert all(network.accuracy <= networks[0].accuracy for network in networks)
