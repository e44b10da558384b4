"""Comparisons of runs."""

from __future__ import annotations

import json

import pytest

import eyetune as et


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
