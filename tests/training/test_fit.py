"""A training: repeatable, resumable bit for bit, stopped and failed in the right ways."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.data import Split
from eyetune.errors import CheckpointError, DataError, DivergedError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training import checkpoint
from eyetune.training.evaluate import probabilities
from eyetune.training.fit import Ending, Fitted, class_weight
from eyetune.values.history import Epoch, Progress
from eyetune.values.run_files import BEST_CHECKPOINT_FILE, CHECKPOINT_FILE
from tests.training.fitting import fit_recipe

DATASET = tiny_dataset()
SMALL = Recipe().with_(
    {"model.blocks": [4], "model.dense": [8], "fit.batch_size": 16, "fit.epochs": 3}
)


class CrashError(Exception):
    """Stands for a crash."""


def train(folder: Path, recipe: Recipe = SMALL, *, seed: int = 0, **options: Any) -> Fitted:
    return fit_recipe(recipe, DATASET, folder, seed=seed, **options)


def crash_after(number: int) -> Any:
    def on_epoch(epoch: Epoch) -> None:
        if epoch.epoch == number:
            raise CrashError

    return on_epoch


def weights(fitted: Fitted) -> list[Any]:
    return [np.asarray(variable) for variable in fitted.model.variables]


def metrics(fitted: Fitted) -> list[tuple[float, ...]]:
    return [
        tuple(epoch.value(name) for name in ("loss", "accuracy", "val_loss", "val_accuracy"))
        for epoch in fitted.history
    ]


def assert_equal(one: Fitted, other: Fitted) -> None:
    assert metrics(one) == metrics(other)
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a training of `SMALL`; tests train on in a copy."""
    return tmp_path_factory.mktemp("small")


@pytest.fixture(scope="module")
def small(small_folder: Path) -> Fitted:
    """Return the outcome of a training of `SMALL` without a pause."""
    return train(small_folder, SMALL)


@pytest.fixture
def copy_of_small(small_folder: Path, small: Fitted, tmp_path: Path) -> Path:
    """Return a copy of the folder of a training of `SMALL`."""
    return shutil.copytree(small_folder, tmp_path / "copy")


def test_training_learns_and_reports_each_epoch(tmp_path: Path) -> None:
    seen: list[Epoch] = []
    fitted = train(
        tmp_path, SMALL.with_(fit__epochs=6, optimizer__learning_rate=0.01), on_epoch=seen.append
    )
    assert fitted.ending is Ending.COMPLETE
    assert tuple(seen) == fitted.history
    assert [epoch.epoch for epoch in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1].value("val_loss") < seen[0].value("val_loss")
    assert all(epoch.duration_seconds > 0 and epoch.images_per_second > 0 for epoch in seen)
    assert all(epoch.learning_rate == pytest.approx(0.01) for epoch in seen)


def test_progress_reaches_the_last_image_of_each_epoch(tmp_path: Path) -> None:
    seen: list[Progress] = []
    train(tmp_path, SMALL.with_(fit__epochs=2), on_progress=seen.append)
    assert [(one.epoch, one.images) for one in seen] == [
        (epoch, images) for epoch in (1, 2) for images in (16, 32, 48, 60)
    ]
    assert all(
        one.num_images == 60 and one.num_epochs == 2 and math.isfinite(one.loss or math.nan)
        for one in seen
    )


def test_fit_result_depends_on_the_seed_alone(tmp_path: Path, small: Fitted) -> None:
    assert_equal(small, train(tmp_path / "again"))
    assert metrics(small) != metrics(train(tmp_path / "other", seed=1))


@pytest.mark.parametrize(
    "edits",
    [
        {"optimizer.name": "nadam", "model.batch_norm": True},
        {"model.dropout": 0.5, "fit.early_stopping": 2},
    ],
)
def test_fit_resumes_bit_for_bit_after_a_crash(tmp_path: Path, edits: dict[str, Any]) -> None:
    recipe = SMALL.with_({"fit.epochs": 4, **edits})
    whole = train(tmp_path / "whole", recipe)
    with pytest.raises(CrashError):
        train(tmp_path / "broken", recipe, on_epoch=crash_after(2))
    replayed: list[Epoch] = []
    resumed = train(tmp_path / "broken", recipe, resume=True, on_epoch=replayed.append)
    assert_equal(whole, resumed)
    assert [epoch.epoch for epoch in replayed] == [epoch.epoch for epoch in whole.history]


def test_resuming_a_finished_training_trains_nothing(copy_of_small: Path, small: Fitted) -> None:
    before = (copy_of_small / CHECKPOINT_FILE).stat().st_mtime_ns
    assert_equal(small, train(copy_of_small, resume=True))
    assert (copy_of_small / CHECKPOINT_FILE).stat().st_mtime_ns == before


def test_interrupt_keeps_whole_epochs(tmp_path: Path, small: Fitted) -> None:
    def interrupt(position: Progress) -> None:
        if position.epoch == 3:
            raise KeyboardInterrupt

    broken = train(tmp_path, on_progress=interrupt)
    assert broken.ending is Ending.INTERRUPTED
    assert len(broken.history) == 2
    assert broken.kept_epoch == 2
    resumed = train(tmp_path, resume=True)
    assert resumed.ending is Ending.COMPLETE
    assert_equal(resumed, small)


@pytest.mark.parametrize(
    "edits",
    [
        {"optimizer.schedule": "one_cycle", "augment.noise": 0.05, "fit.sampling": "balanced"},
        {
            "optimizer.name": "sgd",
            "optimizer.momentum": 0.9,
            "optimizer.nesterov": True,
            "model.dropout": 0.3,
            "fit.early_stopping": 3,
        },
    ],
)
def test_fit_with_pauses_equals_an_uninterrupted_one(tmp_path: Path, edits: dict[str, Any]) -> None:
    recipe = SMALL.with_({"fit.epochs": 4, **edits})
    first = train(tmp_path / "parts", recipe, stop_after=1)
    assert (first.ending, len(first.history), first.kept_epoch) == (Ending.PAUSED, 1, 1)
    nothing_more = train(tmp_path / "parts", recipe, resume=True, stop_after=1)
    assert_equal(first, nothing_more)
    assert nothing_more.ending is Ending.PAUSED
    second = train(tmp_path / "parts", recipe, resume=True, stop_after=3)
    assert (second.ending, len(second.history)) == (Ending.PAUSED, 3)
    last = train(tmp_path / "parts", recipe, resume=True, stop_after=4)
    assert last.ending is Ending.COMPLETE
    assert_equal(last, train(tmp_path / "whole", recipe))


def test_early_stopping_ends_with_the_best_epochs_weights(tmp_path: Path) -> None:
    # A rate so large that validation gets worse, but not so large that the loss is lost.
    recipe = SMALL.with_(
        {"fit.epochs": 40, "fit.early_stopping": 2, "optimizer.learning_rate": 0.3}
    )
    fitted = train(tmp_path, recipe)
    losses = [epoch.value("val_loss") for epoch in fitted.history]
    best = losses.index(min(losses)) + 1
    assert len(losses) == best + 2 < 40
    assert fitted.kept_epoch == best
    kept = checkpoint.load(tmp_path / BEST_CHECKPOINT_FILE)
    np.testing.assert_array_equal(weights(fitted)[0], kept.model[0])


def test_without_restore_best_the_last_epoch_is_kept(tmp_path: Path) -> None:
    recipe = SMALL.with_(
        {
            "fit.epochs": 40,
            "fit.early_stopping": 2,
            "fit.restore_best": False,
            "optimizer.learning_rate": 0.3,
        }
    )
    fitted = train(tmp_path, recipe)
    assert fitted.kept_epoch == len(fitted.history) < 40
    assert not (tmp_path / BEST_CHECKPOINT_FILE).exists()


def test_divergence_suggests_what_to_try(tmp_path: Path) -> None:
    # Without a relu to die nothing holds the weights back.
    recipe = SMALL.with_(
        {
            "optimizer.name": "sgd",
            "optimizer.learning_rate": 100,
            "fit.epochs": 20,
            "model.activation": "linear",
        }
    )
    with pytest.raises(DivergedError) as caught:
        train(tmp_path, recipe)
    assert "--learning-rate 10" in str(caught.value.fix)
    assert "optimizer.clip_norm" in str(caught.value.fix)


def test_batch_larger_than_the_data_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        train(tmp_path, SMALL.with_(fit__batch_size=61))
    assert "60" in str(caught.value.expected)
    assert caught.value.received == "61"


@pytest.mark.parametrize(
    ("edits", "seed", "named"),
    [
        ({"optimizer.learning_rate": 0.5}, 0, "recipe"),
        ({}, 5, "seed"),
        ({"fit.precision": "bfloat16"}, 0, "precision"),
    ],
)
def test_checkpoint_of_another_training_is_rejected(
    copy_of_small: Path, edits: dict[str, Any], seed: int, named: str
) -> None:
    with pytest.raises(CheckpointError, match=named):
        train(copy_of_small, SMALL.with_(edits), seed=seed, resume=True)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 broken", b"\x00" * 100])
def test_damaged_checkpoint_is_named(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / CHECKPOINT_FILE).write_bytes(damage)
    with pytest.raises(CheckpointError, match=r"checkpoint\.npz"):
        train(tmp_path, resume=True)


def test_full_disk_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path, SMALL.with_(fit__epochs=1))
    before = (tmp_path / CHECKPOINT_FILE).read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(WorkspaceError) as caught:
        train(tmp_path, SMALL.with_(fit__epochs=1))
    assert "No space left" in str(caught.value.received)
    assert (tmp_path / CHECKPOINT_FILE).read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


def test_balanced_class_weights_make_rare_classes_count(tmp_path: Path) -> None:
    order = np.concatenate([np.flatnonzero(DATASET.train.labels == 0)] * 3 + [np.arange(6)])
    uneven = replace(DATASET, train=Split(DATASET.train.images[order], DATASET.train.labels[order]))

    def rare_probability(folder: str, class_weight: str) -> float:
        (tmp_path / folder).mkdir()
        recipe = SMALL.with_(fit__class_weight=class_weight, fit__epochs=2)
        fitted = fit_recipe(recipe, uneven, tmp_path / folder)
        return float(probabilities(fitted.model, uneven.validation)[:, 1:].mean())

    assert rare_probability("balanced", "balanced") > 1.15 * rare_probability("none", "none")


def test_class_weights_leave_out_a_class_without_images() -> None:
    split = Split(DATASET.train.images[:3], np.array([0, 0, 1]))
    weights = class_weight(SMALL.with_(fit__class_weight="balanced"), split, 3)
    assert weights is not None
    assert [weights[label] for label in split.labels] == [0.75, 0.75, 1.5]


def test_bfloat16_trains_and_leaves_a_float32_network(tmp_path: Path, small: Fitted) -> None:
    fitted = train(tmp_path, SMALL.with_(fit__precision="bfloat16"))
    assert all(math.isfinite(epoch.value("loss")) for epoch in fitted.history)
    assert {layer.compute_dtype for layer in fitted.model.layers} == {"float32"}
    assert metrics(fitted) != metrics(small)


def test_weight_averaging_validates_and_keeps_the_average(tmp_path: Path) -> None:
    recipe = SMALL.with_(
        {"fit.weight_averaging": 0.9, "optimizer.learning_rate": 0.05, "fit.epochs": 4}
    )
    fitted = train(tmp_path, recipe)
    raw = checkpoint.load(tmp_path / CHECKPOINT_FILE).model
    assert not np.array_equal(weights(fitted)[0], raw[0])
    right = (
        probabilities(fitted.model, DATASET.validation).argmax(axis=1) == DATASET.validation.labels
    )
    assert right.mean() == pytest.approx(fitted.history[-1].val_accuracy)
    with pytest.raises(CrashError):
        train(tmp_path / "broken", recipe, on_epoch=crash_after(2))
    assert_equal(fitted, train(tmp_path / "broken", recipe, resume=True))


def test_fit_resumes_bit_for_bit_with_augmentation(tmp_path: Path, small: Fitted) -> None:
    edits = {"augment.noise": 0.05, "augment.flip": True, "augment.shift": 2, "augment.copies": 1}
    camera = {"augment.upside_down": True, "data.camera": "ov2640"}
    recipe = SMALL.with_({**edits, **camera, "optimizer.schedule": "one_cycle", "fit.epochs": 3})
    seen: list[Progress] = []
    whole = train(tmp_path / "whole", recipe, on_progress=seen.append)
    assert seen[-1].images == seen[-1].num_images == 120
    with pytest.raises(CrashError):
        train(tmp_path / "broken", recipe, on_epoch=crash_after(1))
    assert_equal(whole, train(tmp_path / "broken", recipe, resume=True))
    assert metrics(whole) != metrics(small)
