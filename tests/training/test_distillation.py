"""Distillation: the loss by hand, the teacher asked once or about each varied image, and refused
where it is wrong.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.data import cache
from eyetune.errors import CheckpointError, RecipeError, TrainingError
from eyetune.recipe import LossSection, Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training.distillation import is_correct, open_teacher, teacher_predictions
from eyetune.training.evaluate import probabilities
from eyetune.training.fit import Fitted
from eyetune.training.model_files import save_model
from eyetune.training.optimizers import build_loss
from eyetune.training.pipeline import training_batches
from tests.training.fitting import fit_recipe

DATASET = tiny_dataset()
SMALL = Recipe().with_(
    {"model.blocks": [4], "model.dense": [8], "fit.batch_size": 20, "fit.epochs": 2}
)


def train(folder: Path, recipe: Recipe, **options: Any) -> Fitted:
    return fit_recipe(recipe, DATASET, folder, **options)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    path = folder / "model.keras"
    save_model(
        train(folder, SMALL.with_({"fit.epochs": 6, "optimizer.learning_rate": 0.01})).model, path
    )
    return path


def softened(rows: np.ndarray[Any, Any], temperature: float) -> np.ndarray[Any, Any]:
    raised = rows.astype(np.float64) ** (1 / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def test_loss_is_that_of_the_paper() -> None:
    generator = np.random.default_rng(0)
    labels = np.eye(4, dtype=np.float32)[[0, 1, 3]]
    taught, own = (generator.dirichlet(np.ones(4), 3).astype(np.float32) for _ in range(2))
    section = LossSection(teacher="run", teacher_share=0.3, temperature=4.0)
    loss = build_loss(section)
    hard = -np.log((own * labels).sum(axis=1)).mean()
    soft = -(softened(taught, 4) * np.log(softened(own, 4))).sum(axis=1).mean()
    assert float(loss(np.concatenate([labels, taught], axis=1), own)) == pytest.approx(
        0.3 * 16 * soft + 0.7 * hard, rel=1e-5
    )
    assert float(loss(labels, own)) == pytest.approx(hard, rel=1e-5)


def test_accuracy_ignores_the_teacher() -> None:
    labels = np.array([[0.6, 0.4, 0.01, 0.99], [0.2, 0.8, 0.99, 0.01]], np.float32)
    assert np.asarray(
        is_correct(labels, np.array([[0.9, 0.1], [0.9, 0.1]], np.float32))
    ).tolist() == [
        1.0,
        0.0,
    ]


def test_student_learns_from_cached_predictions(tmp_path: Path, teacher: Path) -> None:
    cache.clear()
    recipe = SMALL.with_({"loss.teacher": str(teacher), "loss.teacher_share": 1.0})
    notes: list[str] = []
    taught = train(tmp_path / "a", recipe, on_note=notes.append)
    again = train(tmp_path / "b", recipe, on_note=notes.append, stop_after=1)
    again = train(tmp_path / "b", recipe, on_note=notes.append, resume=True)
    assert [epoch.val_loss for epoch in again.history] == [
        epoch.val_loss for epoch in taught.history
    ]
    assert len(notes) == 1
    assert [one.name for one in cache.entries()] == ["probabilities of a teacher"]
    plain = train(tmp_path / "plain", SMALL)
    assert plain.history[-1].val_loss != taught.history[-1].val_loss
    # Validation is judged by its labels alone.
    said = probabilities(taught.model, DATASET.validation)[np.arange(20), DATASET.validation.labels]
    assert taught.history[-1].val_loss == pytest.approx(-np.log(said).mean(), rel=1e-4)


def test_teacher_sees_the_augmented_image_of_the_student(tmp_path: Path, teacher: Path) -> None:
    section = SMALL.with_(augment__noise=0.2).augment

    def mean_of(images: Any) -> Any:
        import keras

        return keras.ops.mean(images, axis=(1, 2))

    batches, _ = training_batches(DATASET.train, 3, 20, 0, section, mean_of)
    for images, labels in batches:
        assert labels.shape == (20, 6)
        np.testing.assert_allclose(labels[:, 3:], np.asarray(images).mean(axis=(1, 2)), rtol=1e-5)
    recipe = SMALL.with_({"loss.teacher": str(teacher), "augment.mixup": 0.4, "augment.noise": 0.1})
    whole = train(tmp_path / "whole", recipe)
    train(tmp_path / "parts", recipe, stop_after=1)
    assert [epoch.loss for epoch in train(tmp_path / "parts", recipe, resume=True).history] == [
        epoch.loss for epoch in whole.history
    ]


def test_open_teacher_rejects_other_tasks_and_bad_files(tmp_path: Path, teacher: Path) -> None:
    recipe = SMALL.with_(loss__teacher=str(teacher))
    with pytest.raises(RecipeError) as caught:
        open_teacher(recipe, tiny_dataset(num_classes=4))
    assert "4 classes" in str(caught.value.expected)
    assert "3 classes" in str(caught.value.received)
    with pytest.raises(RecipeError, match=r"missing\.keras"):
        open_teacher(SMALL.with_(loss__teacher=str(tmp_path / "missing.keras")), DATASET)
    damaged = tmp_path / "damaged.keras"
    damaged.write_bytes(b"PK broken")
    with pytest.raises(TrainingError, match=r"damaged\.keras"):
        open_teacher(recipe, DATASET, damaged)


def test_resume_rejects_a_checkpoint_of_another_teacher(tmp_path: Path, teacher: Path) -> None:
    own = tmp_path / "own.keras"
    own.write_bytes(teacher.read_bytes())
    recipe = SMALL.with_(loss__teacher="some-run")
    train(tmp_path / "run", recipe, teacher=own, stop_after=1)
    save_model(train(tmp_path / "other", SMALL).model, own)
    with pytest.raises(CheckpointError, match="teacher"):
        train(tmp_path / "run", recipe, teacher=own, resume=True)


def test_predictions_are_cached_for_each_dataset(teacher: Path) -> None:
    recipe = SMALL.with_(loss__teacher=str(teacher))
    opened = open_teacher(recipe, DATASET)
    assert opened is not None
    notes: list[str] = []
    for fingerprint in ("one", "two", "one"):
        teacher_predictions(opened, recipe, replace(DATASET, fingerprint=fingerprint), notes.append)
    assert len(notes) == 2
