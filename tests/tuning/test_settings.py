"""Options are checked before images are loaded, and the portfolio is chosen by the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import eyetune as et
from eyetune.errors import SourceError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import StudySettings
from eyetune.testing.datasets import write_cifar10, write_image_folder
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.tuning.load_images import ImageLoader
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.settings import StartingPoint, new_settings, resumed_record


@pytest.mark.parametrize(
    "options",
    [
        {"board": "no-such-board"},
        {"sampler": "no-such-sampler"},
        {"scheduler": "no-such-scheduler"},
        {"constraints": ["parameters ! 3"]},
    ],
)
def test_options_are_checked_before_images_load(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        et.tune(None, "no-such-data", workspace=tmp_path, **options)
    assert not isinstance(caught.value, SourceError)


def settings_with_portfolio(source: Path, folder: Path) -> StudySettings:
    """Return the settings of a study over the portfolio, after a check that it could resume."""
    workspace, images = Workspace(folder), ImageLoader(progress=False)
    start = StartingPoint(Recipe(), space="portfolio", data=source, is_given=True)
    options = TuneOptions(trials=2)
    executor = SimulatedExecutor()
    settings = new_settings(workspace, start, options, executor, images)
    record = workspace.studies.create("study", settings)
    assert resumed_record(workspace, record, start, options, executor, images).settings == settings
    return settings


@pytest.mark.parametrize("in_package", [(), ("resnet8",)])
def test_portfolio_is_chosen_by_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_package: tuple[str, ...]
) -> None:
    monkeypatch.setattr("eyetune.tuning.settings.in_package", lambda: in_package)
    photos = write_image_folder(tmp_path / "photos")
    settings = settings_with_portfolio(photos, tmp_path / "workspace")
    assert bool(settings.recipe.model.initial_weights) == bool(in_package)
    # The weights in the package have seen the validation images of CIFAR-10.
    settings = settings_with_portfolio(write_cifar10(tmp_path), tmp_path / "other")
    assert not settings.recipe.model.initial_weights
