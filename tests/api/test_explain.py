"""What Run.explain gives, of a real run and of networks that lack what is usually there."""

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
from eyetune.errors import DataError, UsageError
from eyetune.records.predictions import require_predictions
from eyetune.testing.datasets import tiny_images

SIZES = {"validation": 20, "test": 10}


@pytest.fixture(scope="module")
def explained(trained: Run) -> Explanation:
    return trained.explain(3)


def test_explain_uses_the_recorded_predictions(explained: Explanation, trained: Run) -> None:
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
            found = heatmaps(trained.model(), images, classes)
            assert found is not None
            assert maps is not None
            assert np.allclose(maps, found.maps, atol=1e-4)


def test_explanation_has_html_and_json(explained: Explanation) -> None:
    page = explained._repr_html_()
    assert page.count("<img") == 5
    assert "learned kernels" in page
    value = json.loads(json.dumps(explained.to_json(), allow_nan=False))
    assert sum(value["image"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert {"confused_pairs", "layers", "filters", "attention_layer"} <= set(value)
    assert "validation" in repr(explained)


def test_explain_accepts_files_and_pixels(trained: Run, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "red.png"
    Image.new("RGB", (50, 40), "red").save(path)
    one = trained.explain(path, split="test")
    assert one.subject.name == str(path)
    assert one.subject.pixels[16, 16].tolist() == [255, 0, 0]
    assert one.split == "test"
    pixels = np.zeros((32, 32, 3), np.uint8)
    assert trained.explain(pixels).subject.name == "an image"


def test_explanation_notes_that_images_were_trained_on(trained: Run) -> None:
    recipe = trained.recipe.with_({"data.train_on_validation": True})
    whole = Run(trained.workspace, replace(trained.record, recipe=recipe))
    dataset = trained.dataset()
    for split, said in (("validation", True), ("test", False)):
        notes = whole.explain(split=split, dataset=dataset).notes  # type: ignore[arg-type]
        assert any("trained on the validation images" in note for note in notes) == said


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
        ("one", split.images[0]),
        label="plain",
        split_name="test",
        class_names=names,
    )


@pytest.mark.parametrize("mistakes", [True, False])
def test_explanation_notes_missing_parts_of_a_network(mistakes: bool, tmp_path: Path) -> None:
    one = plain(mistakes=mistakes)
    assert one.plot_filters() is None
    assert one.plot_heatmaps() is None
    assert len(one.notes) == 3
    assert "Grad-CAM" in " ".join(one.sentences)
    assert len(one.pairs) == (2 if mistakes else 0)
    assert [path.stem for path in one.save(tmp_path)[::2]] == [
        "feature-maps",
        "confusions",
        "activity",
    ]
    value = one.to_json()
    assert (value["filters"], value["attention_layer"], value["layers"]) == (None, None, [])


@pytest.mark.parametrize(
    ("image", "split", "kind", "said"),
    [
        (20, "validation", UsageError, "no validation image 20"),
        (-1, "test", UsageError, "no test image -1"),
        (0, "train", UsageError, "no such split"),
        ("missing.png", "test", DataError, "no such file"),
        (np.zeros((8, 8, 3), np.uint8), "test", DataError, "other images"),
        (np.zeros((32, 32, 3), np.float32), "test", DataError, "other images"),
    ],
)
def test_explain_rejects_a_missing_image(
    image: Any, split: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        choose_image(image, split, SIZES, (32, 32, 3))
    assert choose_image(19, "validation", SIZES, (32, 32, 3)) == 19
