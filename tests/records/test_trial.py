"""Records of trials."""

from __future__ import annotations

import pickle

from eyetune.records.trial import InfeasibleReason, Rung, TrialRecord, TrialState


def test_a_prompt_shows_a_trial_in_one_line() -> None:
    trial = TrialRecord(
        number=3,
        state=TrialState.COMPLETE,
        values={"optimizer.learning_rate": 0.00123456, "model.dropout": 0.5},
        rungs=(Rung(epochs=20, values=(0.8711, 222.2)),),
    )
    assert repr(trial) == (
        "<TrialRecord: trial 3: COMPLETE, 0.8711 and 222.2 after 20 epochs, "
        "optimizer.learning_rate=0.001235, model.dropout=0.5>"
    )
    assert str([trial]) == f"[{trial!r}]"


def test_a_prompt_shows_a_trial_without_result_and_values() -> None:
    trial = TrialRecord(number=0, state=TrialState.WAITING, values={})
    assert repr(trial) == "<TrialRecord: trial 0: WAITING>"


def test_a_notebook_shows_the_result_and_the_costs_of_a_trial() -> None:
    trial = TrialRecord(
        number=3,
        state=TrialState.PAUSED,
        values={"model.dropout": 0.5},
        run="5f3a",
        rungs=(Rung(epochs=1, values=(0.9,)),),
        network={"macs": 12_501_632, "latency_ms": 222.25},
    )
    page = trial._repr_html_()
    for shown in ("0.9 after 1 epoch", "5f3a", "model.dropout", "12,501,632", "222.2"):
        assert f">{shown}<" in page


def test_a_notebook_shows_why_a_trial_has_no_result() -> None:
    reason = InfeasibleReason.exceeded("flash_bytes < 1000", "flash_bytes", 1234, 1000)
    assert reason.text == "flash_bytes < 1000: 1,234"
    infeasible = TrialRecord(
        number=1, state=TrialState.INFEASIBLE, values={}, infeasible_reasons=(reason,)
    )
    assert "flash_bytes &lt; 1000: 1,234" in infeasible._repr_html_()
    failed = TrialRecord(number=2, state=TrialState.FAILED, values={}, error="<b>\nline 2")
    assert "&lt;b&gt;\nline 2" in failed._repr_html_()


def test_a_trial_remains_a_value() -> None:
    trial = TrialRecord(number=0, state=TrialState.WAITING, values={"a": 1})
    assert pickle.loads(pickle.dumps(trial)) == trial
    assert TrialRecord.model_validate_json(trial.model_dump_json()) == trial
