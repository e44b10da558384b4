"""Comparisons of runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import eyetune as et
from eyetune.errors import ArgumentTypeError, RunNotFoundError, UsageError
from eyetune.records import Workspace
from tests.records.fabricate import add_complete_run


def test_compare_draws_itself(trained: et.Run) -> None:
    recipe = trained.recipe.with_(fit__epochs=1)
    other = et.train(recipe, trained.dataset(), progress=False, plots=False)
    comparison = et.compare(trained, other)
    assert comparison.baseline.accuracy == trained.validation_accuracy
    (one,) = comparison.differences
    assert one.difference == pytest.approx(other.validation_accuracy - trained.validation_accuracy)
    assert comparison.plot()._repr_png_().startswith(b"\x89PNG")
    assert "(baseline)" in comparison._repr_html_()
    assert (
        json.loads(json.dumps(comparison.to_json(), allow_nan=False))["baseline"]["label"]
        == "trained"
    )


@pytest.fixture
def named(tmp_path: Path) -> Workspace:
    """Return a workspace with two complete runs, "first" and "second", and predictions of both."""
    workspace = Workspace(tmp_path / "named")
    labels = np.arange(20) % 2
    for epochs, name, num_wrong in ((1, "first", 5), (2, "second", 1)):
        recipe = et.Recipe().with_(fit__epochs=epochs)
        record = add_complete_run(workspace, recipe=recipe, name=name)
        predicted = np.where(np.arange(20) < num_wrong, 1 - labels, labels)
        workspace.predictions.save(
            record.id, "validation", np.eye(2, dtype=np.float32)[predicted], labels
        )
    return workspace


def test_compare_takes_names_ids_and_runs(named: Workspace) -> None:
    by_name = et.compare("first", "second", workspace=named)
    assert by_name.differences[0].difference == pytest.approx(0.2)
    first, second = (et.open_run(name, workspace=named) for name in ("first", "second"))
    assert et.compare(first, "second").to_json() == by_name.to_json()
    assert et.compare(first.id, second, workspace=named.folder).to_json() == by_name.to_json()


def test_compare_refuses_what_is_not_a_run(named: Workspace) -> None:
    with pytest.raises(RunNotFoundError):
        et.compare("first", "third", workspace=named)
    with pytest.raises(ArgumentTypeError):
        et.compare(["first", "second"], workspace=named)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        et.compare("first", "first", workspace=named)
