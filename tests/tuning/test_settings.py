"""Settings of new and resumed studies: options, and spaces that the images decide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eyetune as et
from eyetune.device.boards.profiles import load_board
from eyetune.errors import SourceError, StudyChangedError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import SamplerSettings, StudySettings
from eyetune.space.hyperparameters import Choice
from eyetune.space.space import Space
from eyetune.testing.datasets import tiny_images, write_cifar10, write_image_folder
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.tuning.final_training import MAX_FINAL_EPOCHS
from eyetune.tuning.load_images import ImageLoader
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.resuming import resumed_record
from eyetune.tuning.settings import new_settings
from eyetune.tuning.starting_space import StartingPoint


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
    monkeypatch.setattr("eyetune.tuning.starting_space.in_package", lambda: in_package)
    photos = write_image_folder(tmp_path / "photos")
    settings = settings_with_portfolio(photos, tmp_path / "workspace")
    assert bool(settings.recipe.model.initial_weights) == bool(in_package)
    # The weights in the package have seen the validation images of CIFAR-10.
    settings = settings_with_portfolio(write_cifar10(tmp_path), tmp_path / "other")
    assert not settings.recipe.model.initial_weights


def _images(folder: Path) -> Path:
    path = folder / "images.npz"
    images, labels = tiny_images(40, 2, size=16)
    np.savez(path, images=images, labels=labels)
    return path


BATCHES = Space.make([Choice(name="fit.batch_size", values=(8, 16, 512), ordered=True)])


def test_new_settings_leave_out_what_cannot_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = StartingPoint(Recipe(), BATCHES, _images(tmp_path), is_given=True)
    with SimulatedExecutor() as executor:
        images = ImageLoader(progress=False)
        options = TuneOptions(progress=True)
        settings = new_settings(Workspace(), start, options, executor, images)
    assert settings.space["fit.batch_size"].grid() == (8, 16)
    assert "fit.batch_size 512" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("is_of_earlier_version", [False, True])
def test_resumed_study_accepts_its_own_space(tmp_path: Path, is_of_earlier_version: bool) -> None:
    workspace = Workspace()
    start = StartingPoint(Recipe(), BATCHES, _images(tmp_path), is_given=True)
    images, options = ImageLoader(progress=False), TuneOptions(progress=False)
    with SimulatedExecutor() as executor:
        settings = new_settings(workspace, start, options, executor, images)
        if is_of_earlier_version:
            settings = settings.model_copy(update={"space": BATCHES})
        record = workspace.studies.create("study", settings)
        resumed = resumed_record(workspace, record, start, options, executor, images)
        assert resumed.settings.space == settings.space
        other = Space.make([Choice(name="fit.batch_size", values=(8, 12), ordered=True)])
        with pytest.raises(StudyChangedError):
            resumed_record(
                workspace, record, replace(start, space=other), options, executor, images
            )


def final_settings(start: StartingPoint, **options: Any) -> StudySettings:
    """Return the settings of a study with a time limit."""
    with SimulatedExecutor() as executor:
        images = ImageLoader(progress=False)
        given = TuneOptions(seconds=60.0, progress=False, **options)
        return new_settings(Workspace(), start, given, executor, images)


def test_rungs_are_no_longer_than_a_final_training(tmp_path: Path) -> None:
    recipe = Recipe().with_(fit__batch_size=8)
    settings = final_settings(StartingPoint(recipe, BATCHES, _images(tmp_path)))
    assert settings.final_training
    schedule = settings.schedule
    assert 1 < schedule.min_epochs < schedule.max_epochs <= MAX_FINAL_EPOCHS


@pytest.mark.parametrize("is_in_space", [False, True])
def test_fine_tuning_has_no_final_training(tmp_path: Path, is_in_space: bool) -> None:
    backbone = {"model": "vgg16", "model.trainable_from": "block5_conv1"}
    recipe = Recipe().with_({**backbone, "fit.batch_size": 8})
    path = "fit.fine_tune_epochs"
    space = Space.make([Choice(name="optimizer.learning_rate", values=(1e-3, 1e-2))])
    if is_in_space:
        space = Space.make([Choice(name=path, values=(0, 2), ordered=True)])
    else:
        recipe = recipe.with_({path: 2})
    photos = write_image_folder(tmp_path / "photos")
    start = StartingPoint(recipe, space, photos, is_given=True)
    settings = final_settings(start)
    assert not settings.final_training
    assert settings.schedule.name == "full"
    with pytest.raises(UsageError):
        final_settings(start, final_training=True)


BOARD_OPTIONS: dict[str, Any] = {
    "objective": ["int8_accuracy", "latency_ms"],
    "constraints": "parameters < 200k",
    "fps": 2.0,
    "board": "esp-eye",
    "trials": 3,
}


@pytest.mark.parametrize(
    ("options", "is_refused"),
    [
        ({}, False),
        ({"fps": 2.0}, False),
        ({"constraints": "parameters < 200k"}, False),
        ({"constraints": ["parameters < 200k", "fps >= 2"]}, False),
        ({"objective": ["int8_accuracy", "latency_ms"]}, False),
        ({"fps": 3.0}, True),
        ({"constraints": "parameters < 100k"}, True),
        ({"constraints": "fps >= 2"}, True),
        ({"objective": "latency_ms"}, True),
        ({"board": "esp32-cam"}, True),
    ],
)
def test_resumed_study_keeps_its_limits_on_the_board(
    tmp_path: Path, options: dict[str, Any], is_refused: bool
) -> None:
    workspace = Workspace()
    start = StartingPoint(Recipe(), BATCHES, _images(tmp_path), is_given=True)
    images = ImageLoader(progress=False)
    with SimulatedExecutor() as executor:
        given = TuneOptions(**BOARD_OPTIONS, progress=False)
        settings = new_settings(workspace, start, given, executor, images)
        assert settings.int8_images == len(images.load_images(settings.recipe).validation)
        record = workspace.studies.create("study", settings)
        again = TuneOptions(**options, progress=False)
        if is_refused:
            with pytest.raises(StudyChangedError):
                resumed_record(workspace, record, StartingPoint(Recipe()), again, executor, images)
        else:
            resumed = resumed_record(
                workspace, record, StartingPoint(Recipe()), again, executor, images
            )
            assert resumed.settings == settings


def test_study_finds_its_board_file_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(et.__file__).parent / "device" / "boards" / "esp-eye.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    start = StartingPoint(Recipe(), BATCHES, _images(tmp_path), is_given=True)
    images = ImageLoader(progress=False)
    workspace = Workspace(tmp_path / "workspace")
    options = TuneOptions(board="mine.toml", trials=3, progress=False)
    monkeypatch.chdir(tmp_path)
    with SimulatedExecutor() as executor:
        settings = new_settings(workspace, start, options, executor, images)
        record = workspace.studies.create("study", settings)
        resumed_record(workspace, record, StartingPoint(Recipe()), options, executor, images)
    monkeypatch.chdir("/")
    assert load_board(settings.board).name == "esp-eye"


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        ("random", {"initial_points": 3}),
        (None, {"gp_alpha": 0.1}),
        ("tpe", {"gp_beta": 2.0}),
        ("gp", {"gp_alpha": 0.0}),
        ("gp", {"initial_points": 0}),
    ],
)
def test_options_of_a_sampler_are_checked(
    tmp_path: Path, sampler: str | None, options: dict[str, Any]
) -> None:
    start = StartingPoint(Recipe(), BATCHES, _images(tmp_path), is_given=True)
    given = TuneOptions(sampler=sampler, trials=2, progress=False, **options)
    with SimulatedExecutor() as executor, pytest.raises(UsageError) as caught:
        new_settings(Workspace(), start, given, executor, ImageLoader(progress=False))
    assert next(iter(options)) in f"{caught.value.message} {caught.value.received}"


def test_resumed_study_keeps_how_its_sampler_learns(tmp_path: Path) -> None:
    workspace, images = Workspace(), ImageLoader(progress=False)
    start = StartingPoint(Recipe(), BATCHES, _images(tmp_path), is_given=True)
    options = TuneOptions(sampler="gp", initial_points=4, gp_beta=2.0, trials=3, progress=False)
    with SimulatedExecutor() as executor:
        settings = new_settings(workspace, start, options, executor, images)
        assert settings.sampling == SamplerSettings(initial_points=4, beta=2.0)
        record = workspace.studies.create("study", settings)
        same = resumed_record(workspace, record, start, options, executor, images)
        assert same.settings == settings
        with pytest.raises(StudyChangedError):
            resumed_record(
                workspace, record, start, replace(options, gp_beta=3.0), executor, images
            )


@pytest.mark.parametrize(
    "options",
    [
        {"executions": 0},
        {"retries": -1},
        {"max_consecutive_failures": 0},
        {"executions": 2, "epochs_total": 17, "max_epochs": 9},
        {"executions": 3, "seed": 2**32 - 2},
        {"retries": 2, "seed": 2**32 - 2},
    ],
)
def test_executions_and_retries_have_ranges(tmp_path: Path, options: dict[str, Any]) -> None:
    start = StartingPoint(Recipe(), BATCHES, _images(tmp_path), is_given=True)
    given = TuneOptions(progress=False, **options)
    with SimulatedExecutor() as executor, pytest.raises(UsageError):
        new_settings(Workspace(), start, given, executor, ImageLoader(progress=False))


def test_resumed_study_keeps_its_executions_and_may_change_its_retries(tmp_path: Path) -> None:
    workspace = Workspace()
    start = StartingPoint(Recipe(), BATCHES, _images(tmp_path), is_given=True)
    images = ImageLoader(progress=False)
    with SimulatedExecutor() as executor:
        options = TuneOptions(progress=False, executions=2, retries=1)
        settings = new_settings(workspace, start, options, executor, images)
        record = workspace.studies.create("study", settings)

        def resumed(**given: Any) -> StudySettings:
            options = TuneOptions(progress=False, **given)
            return resumed_record(workspace, record, start, options, executor, images).settings

        assert resumed().limits.retries == 1
        assert resumed(executions=2, retries=0).limits.retries == 0
        assert resumed().schedule.executions == 2
        with pytest.raises(StudyChangedError):
            resumed(executions=3)
