"""Run.explain: a trained run, and networks without convolutions or hidden layers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.api.explain import Explanation, choose_image, explain
from eyetune.api.run import Run
from eyetune.data import Split
from eyetune.errors import DataError, EyetuneError, UsageError
from eyetune.records.predictions import require_predictions
from eyetune.testing.datasets import tiny_images

SIZES = {"validation": 20, "test": 10}


@pytest.fixture(scope="module")
def explained(trained: Run) -> Explanation:
    return trained.explain(3)


def test_explanation_holds_what_the_run_recorded(explained: Explanation, trained: Run) -> None:
    data = trained.dataset().validation
    assert (
        explained.subject.name
        == f"validation image 3: {trained.record.data.class_names[data.labels[3]]}"
    )
    assert np.array_equal(explained.subject.pixels, data.images[3])
    probabilities, labels = require_predictions(trained.workspace, trained.record, "validation")
    assert np.allclose(explained.subject.probabilities, probabilities[3], atol=1e-5)
    assert all(explained.right.probabilities.argmax(axis=1) == explained.right.labels)
    assert all(explained.wrong.probabilities.argmax(axis=1) != explained.wrong.labels)
    wrong = int((probabilities.argmax(axis=1) != labels).sum())
    assert sum(pair.count for pair in explained.pairs) <= wrong
    for pair, answers in zip(explained.pairs, explained.pair_answers, strict=True):
        assert np.array_equal(answers.images, data.images[list(pair.examples)])
    assert (explained.filters is not None, explained.attention_layer) == (True, "conv2d")
    assert [layer.layer for layer in explained.activity] == ["conv2d", "dense"]
    assert explained.num_sampled == len(data) == 20


def test_heatmaps_belong_to_their_images(explained: Explanation, trained: Run) -> None:
    from eyetune.models.activations.gradcam import heatmaps

    for answers in (explained.right, explained.wrong, *explained.pair_answers):
        images = (answers.images / 255).astype(np.float32)
        for maps, classes in (
            (answers.predicted_maps, answers.probabilities.argmax(axis=1)),
            (answers.true_maps, answers.labels),
        ):
            expected = heatmaps(trained.model(), images, classes)
            assert expected is not None
            assert maps is not None
            assert np.allclose(maps, expected.maps, atol=1e-4)


def test_explanation_has_a_page_and_json(explained: Explanation) -> None:
    page = explained._repr_html_()
    assert page.count("<img") == 5
    assert "learned kernels" in page
    value = json.loads(json.dumps(explained.to_json(), allow_nan=False))
    assert sum(value["image"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert {"confused_pairs", "layers", "filters", "attention_layer"} <= set(value)
    assert "validation" in repr(explained)


def test_explain_takes_files_pixels_and_test_images(trained: Run, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "red.png"
    Image.new("RGB", (50, 40), "red").save(path)
    explanation = trained.explain(path, split="test")
    assert explanation.subject.name == str(path)
    assert explanation.subject.pixels[16, 16].tolist() == [255, 0, 0]
    assert explanation.split == "test"
    pixels = np.zeros((32, 32, 3), np.uint8)
    assert trained.explain(pixels).subject.name == "an image"


def test_explanation_notes_training_on_validation_images(trained: Run) -> None:
    recipe = trained.recipe.with_({"data.train_on_validation": True})
    whole = Run(trained.workspace, replace(trained.record, own_recipe=recipe))
    dataset = trained.dataset()
    for split, is_trained_on in (("validation", True), ("test", False)):
        explanation = whole.explain(split=split, dataset=dataset)  # type: ignore[arg-type]
        assert explanation.trained_on == is_trained_on
        assert len(explanation.notes) == is_trained_on


def plain(*, mistakes: bool) -> Explanation:
    """Explain a network without convolution or hidden layer, on two classes of gray images."""
    import keras
    from keras import layers

    model: Any = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    images, labels = tiny_images(10, 2, size=8)
    predicted = np.eye(2, dtype=np.float32)[1 - labels if mistakes else labels]
    split = Split(images[..., :1], labels)
    names = ("no", "yes")
    return explain(
        model,
        split,
        predicted,
        ("an image", split.images[0]),
        label="plain",
        split_name="test",
        class_names=names,
    )


@pytest.mark.parametrize("mistakes", [True, False])
def test_explanation_notes_what_the_network_lacks(mistakes: bool, tmp_path: Path) -> None:
    explanation = plain(mistakes=mistakes)
    assert explanation.plot_filters() is None
    assert explanation.plot_heatmaps() is None
    assert len(explanation.notes) == 3
    assert set(explanation.notes) <= set(explanation.sentences)
    assert len(explanation.pairs) == (2 if mistakes else 0)
    assert [path.stem for path in explanation.save(tmp_path)[::2]] == [
        "feature-maps",
        "confusions",
        "activity",
    ]
    value = explanation.to_json()
    assert (value["filters"], value["attention_layer"], value["layers"]) == (None, None, [])


@pytest.mark.parametrize(
    ("image", "split", "kind", "received"),
    [
        (20, "validation", UsageError, "20"),
        (-1, "test", UsageError, "-1"),
        (0, "train", UsageError, "train"),
        ("missing.png", "test", DataError, "missing.png"),
        (np.zeros((8, 8, 3), np.uint8), "test", DataError, "uint8 of shape (8, 8, 3)"),
        (np.zeros((32, 32, 3), np.float32), "test", DataError, "float32 of shape (32, 32, 3)"),
    ],
)
def test_choose_image_rejects_unusable_images(
    image: Any, split: str, kind: type[EyetuneError], received: str
) -> None:
    with pytest.raises(kind) as caught:
        choose_image(image, split, SIZES, (32, 32, 3), "crop")
    assert received in str(caught.value)
    assert choose_image(19, "validation", SIZES, (32, 32, 3), "crop") == 19
