"""Transfer learning: cached features, a trained head and fine-tuning, resumable exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from eyetune.data import cache
from eyetune.errors import CheckpointError, RecipeError
from eyetune.models.transfer import backbone_of, build_backbone
from eyetune.models.weights import load
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training import checkpoint
from eyetune.training.evaluate import probabilities
from eyetune.training.fit import Ending, Fitted
from eyetune.training.model_files import load_classifier, save_model
from eyetune.training.stages import stages
from eyetune.values.history import Epoch
from eyetune.values.run_files import CHECKPOINT_FILE
from tests.training.fitting import fit_recipe

DATASET = tiny_dataset(num_train=30, size=32)
BLOCK = ("block5_conv1", "block5_conv2", "block5_conv3")


class CrashError(Exception):
    """Stands for a crash."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with weights of VGG16: random, made once."""
    import keras

    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("weights") / "vgg16.weights.h5"
    build_backbone("vgg16", (32, 32, 3)).save_weights(path)
    return path


@pytest.fixture(scope="module")
def transfer(weights: Path) -> Recipe:
    edits = {
        "model": "vgg16",
        "model.weights": str(weights),
        "model.dense": [8],
        "model.dropout": 0.2,
    }
    return Recipe().with_(
        {**edits, "fit.epochs": 2, "fit.batch_size": 10, "fit.precision": "float32"}
    )


@pytest.fixture(scope="module")
def tuned(transfer: Recipe) -> Recipe:
    return transfer.with_(
        {
            "model.trainable_from": "block5_conv1",
            "fit.fine_tune_epochs": 2,
            "optimizer.name": "sgd",
            "optimizer.fine_tune_learning_rate": 1e-3,
            "fit.weight_averaging": 0.5,
        }
    )


def train(folder: Path, recipe: Recipe, **options: Any) -> Fitted:
    return fit_recipe(recipe, DATASET, folder, **options)


@pytest.fixture(scope="module")
def tuned_run(tuned: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Return the outcome of the fine-tuned training without a pause."""
    return train(tmp_path_factory.mktemp("tuned"), tuned)


def metrics(fitted: Fitted) -> list[tuple[float, ...]]:
    return [
        tuple(epoch.value(name) for name in ("loss", "accuracy", "val_loss", "val_accuracy"))
        for epoch in fitted.history
    ]


def assert_equal(one: Fitted, other: Fitted) -> None:
    assert metrics(one) == metrics(other)
    for mine, theirs in zip(one.model.variables, other.model.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def base_weights(fitted: Fitted) -> dict[str, Any]:
    return {
        layer.name: layer.get_weights()
        for layer in backbone_of(fitted.model).layers
        if layer.weights
    }


def test_frozen_backbone_computes_its_features_once(tmp_path: Path, transfer: Recipe) -> None:
    cache.clear()
    notes: list[str] = []
    first = train(tmp_path / "a", transfer, on_note=notes.append)
    assert [note.partition(":")[0] for note in notes] == [
        "Features of the train images from vgg16",
        "Features of the validation images from vgg16",
    ]
    again = train(
        tmp_path / "b", transfer.with_(optimizer__learning_rate=0.1), on_note=notes.append
    )
    assert len(notes) == 2
    assert [(one.name, one.source) for one in cache.entries()] == [("vgg16 features", "tiny")] * 2
    original = load(transfer.model)
    assert original is not None
    for fitted in (first, again):
        for kept, given in zip(base_weights(fitted).values(), original.layers, strict=True):
            np.testing.assert_array_equal(kept[0], given[0])
    # The head that was trained on features works in the whole network, too.
    predicted = probabilities(first.model, DATASET.validation).argmax(axis=1)
    accuracy = (predicted == DATASET.validation.labels).mean()
    assert accuracy == pytest.approx(first.history[-1].val_accuracy)
    stored = checkpoint.load(tmp_path / "a" / CHECKPOINT_FILE)
    assert sum(array.size for array in stored.model) < 10_000  # the head alone
    path = tmp_path / "model.keras"
    save_model(first.model, path)
    np.testing.assert_array_equal(
        probabilities(load_classifier(path), DATASET.validation),
        probabilities(first.model, DATASET.validation),
    )


def test_training_on_features_is_training_the_whole_network(
    tmp_path: Path, transfer: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_features = train(tmp_path / "features", transfer)
    whole = tuple(replace(stage, on_features=False) for stage in stages(transfer))
    monkeypatch.setattr("eyetune.training.fit.stages", lambda _: whole)
    on_images = train(tmp_path / "images", transfer)
    np.testing.assert_allclose(metrics(on_images), metrics(on_features), rtol=1e-3)


def test_augmentation_sends_the_images_through_the_frozen_base(
    tmp_path: Path, transfer: Recipe
) -> None:
    recipe = transfer.with_({"augment.noise": 0.1, "fit.epochs": 1})
    notes: list[str] = []
    fitted = train(tmp_path, recipe, on_note=notes.append)
    assert notes == []
    original = load(recipe.model)
    assert original is not None
    for kept, given in zip(base_weights(fitted).values(), original.layers, strict=True):
        np.testing.assert_array_equal(kept[0], given[0])


def test_fine_tuning_trains_only_the_named_layers(tuned: Recipe, tuned_run: Fitted) -> None:
    fitted = tuned_run
    assert [epoch.epoch for epoch in fitted.history] == [1, 2, 3, 4]
    assert [round(epoch.learning_rate, 6) for epoch in fitted.history] == [0.01, 0.01, 0.001, 0.001]
    original = load(tuned.model)
    assert original is not None
    pairs = zip(base_weights(fitted).items(), original.layers, strict=True)
    changed = {name for (name, kept), given in pairs if not np.array_equal(kept[0], given[0])}
    assert changed == set(BLOCK)


def test_stages_resume_bit_for_bit_from_any_moment(
    tmp_path: Path, tuned: Recipe, tuned_run: Fitted
) -> None:
    def crash(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise CrashError

    def interrupt(position: Any) -> None:
        if position.epoch == 3:
            raise KeyboardInterrupt

    def resume(**options: Any) -> Fitted:
        return train(tmp_path / "parts", tuned, resume=True, **options)

    frozen = resume(stop_after=1)
    assert (frozen.ending, len(frozen.history)) == (Ending.PAUSED, 1)
    frozen_base = base_weights(frozen)
    with pytest.raises(CrashError):  # between the stages
        resume(on_epoch=crash)
    broken = resume(on_progress=interrupt)  # in fine-tuning, which leaves the first stage whole
    assert (broken.ending, broken.kept_epoch) == (Ending.INTERRUPTED, 2)
    assert metrics(broken) == metrics(tuned_run)[:2]
    for kept, given in zip(base_weights(broken).values(), frozen_base.values(), strict=True):
        np.testing.assert_array_equal(kept[0], given[0])
    tuning = resume(stop_after=3)
    assert (tuning.ending, len(tuning.history)) == (Ending.PAUSED, 3)
    assert_equal(tuned_run, resume())


def test_other_weights_under_the_same_name_are_another_training(
    tmp_path: Path, transfer: Recipe
) -> None:
    path = tmp_path / "own.weights.h5"
    path.write_bytes(Path(transfer.model.weights).read_bytes())
    recipe = transfer.with_(model__weights=str(path))
    train(tmp_path / "run", recipe, stop_after=1)
    build_backbone("vgg16", (32, 32, 3)).save_weights(path)
    with pytest.raises(CheckpointError, match="weights"):
        train(tmp_path / "run", recipe, resume=True)


def test_wrong_weights_are_rejected_before_anything_is_trained(
    tmp_path: Path, transfer: Recipe
) -> None:
    with pytest.raises(RecipeError, match=r"missing\.h5"):
        train(tmp_path, transfer.with_(model__weights=str(tmp_path / "missing.h5")))
    assert not list(tmp_path.glob("*.npz"))


def test_random_backbone_depends_on_the_seed_alone(tmp_path: Path, transfer: Recipe) -> None:
    recipe = transfer.with_(
        {"model.weights": "random", "fit.epochs": 2, "fit.precision": "bfloat16"}
    )
    whole = train(tmp_path / "whole", recipe)
    train(tmp_path / "parts", recipe, stop_after=1)
    assert_equal(whole, train(tmp_path / "parts", recipe, resume=True))


def test_recipe_without_backbone_has_one_stage() -> None:
    (only,) = stages(Recipe())
    assert (only.start, only.end, only.on_features, only.recipe) == (0, 10, False, Recipe())


class Seen(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps what it was called for, and what the network predicts for one image."""

    def __init__(self, stop_after: int) -> None:
        super().__init__()
        self.stop_after = stop_after
        self.calls: list[str] = []
        self.predicted: list[tuple[int, ...]] = []

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        self.calls.append("begin")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.calls.append(f"{epoch}")
        image = DATASET.train.images[:1] / 255
        self.predicted.append(self.model.predict(image, verbose=0).shape)
        self.model.stop_training = epoch + 1 == self.stop_after

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        self.calls.append("end")


@pytest.mark.parametrize(("stop_after", "epochs"), [(0, ["0", "1", "2", "3"]), (1, ["0"])])
def test_callbacks_see_the_stages_as_one_training(
    tmp_path: Path, tuned: Recipe, stop_after: int, epochs: list[str]
) -> None:
    seen = Seen(stop_after)
    fitted = train(tmp_path, tuned, callbacks=[seen])
    assert fitted.ending is Ending.COMPLETE
    assert seen.calls == ["begin", *epochs, "end"]
    # Where the head alone is trained, on features, callbacks see the whole network.
    assert seen.predicted == [(1, 3)] * len(epochs)
