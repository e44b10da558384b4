"""`et.gap` on a trained run: accuracies of both sets, causes, and pictures without labels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import eyetune as et
from eyetune.api.run import Run
from eyetune.data.dataset import Images
from eyetune.errors import DataError, UsageError


def write_pictures(folder: Path, images: Images, names: list[str]) -> None:
    """Write pictures of a camera; the names are those of folders, "" for none."""
    for number, (image, name) in enumerate(zip(images, names, strict=True)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / name / f"{number}.png")


def labels_of(run: Run) -> list[str]:
    names = run.record.data.class_names
    return [names[label] for label in run.dataset().validation.labels]


def test_gap_of_the_same_pictures_is_nothing(trained: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path, trained.dataset().validation.images, labels_of(trained))
    found = et.gap(trained, tmp_path, progress=False)
    assert found.clean is not None
    assert found.camera is not None
    assert found.clean.value == pytest.approx(found.camera.value)
    assert found.camera.value == pytest.approx(trained.validation_accuracy)
    assert (found.num_clean, found.num_camera) == (20, 20)
    assert all(shift.shift == 0 for shift in found.shifts)
    assert found.main_cause is None
    assert found.command == ""
    assert len(found.notes) == 2  # few pictures, no difference
    json.dumps(found.to_json())


def test_gap_of_some_classes_leaves_the_others_out(trained: Run, tmp_path: Path) -> None:
    names = labels_of(trained)
    some = [number for number, name in enumerate(names) if name in ("cat", "dog")]
    images = np.asarray(trained.dataset().validation.images[some]) // 3
    write_pictures(tmp_path, images, [names[number] for number in some])
    found = et.gap(trained.id, tmp_path, workspace=trained.workspace, progress=False)
    assert found.num_clean == found.num_camera == len(some)
    shifts = {shift.measure: shift.shift for shift in found.shifts}
    assert shifts["brightness"] < -2
    assert len(found.notes) >= 2
    assert found._repr_html_().count("<img") == 1
    assert len(repr(found)) < 300


def test_gap_without_labels_gives_properties_only(trained: Run, tmp_path: Path) -> None:
    images = trained.dataset().validation.images // 2
    write_pictures(tmp_path, images, [""] * len(images))
    found = et.gap(trained, tmp_path, progress=False)
    assert found.clean is None
    assert found.fall is None
    assert not found.causes
    brightness = next(shift for shift in found.shifts if shift.measure == "brightness")
    assert brightness.camera == pytest.approx(brightness.clean / 2, rel=0.05)
    assert found.plot().axes


def test_gap_compares_with_images_that_were_not_trained_on(trained: Run, tmp_path: Path) -> None:
    images = trained.dataset().validation.images
    write_pictures(tmp_path, images, labels_of(trained))
    recipe = trained.recipe.with_(data__train_on_validation=True)
    whole = replace(trained, record=replace(trained.record, own_recipe=recipe))
    with pytest.raises(UsageError):
        et.gap(whole, tmp_path, progress=False)
    dataset = trained.dataset()
    half = replace(dataset, validation=dataset.validation.take(0, 5))
    with pytest.raises(UsageError):
        et.gap(trained, tmp_path, dataset=half, progress=False)


def test_gap_refuses_other_classes_and_unknown_splits(trained: Run, tmp_path: Path) -> None:
    images = trained.dataset().validation.images[:2]
    write_pictures(tmp_path, images, ["cat", "spaceship"])
    with pytest.raises(DataError):
        et.gap(trained, tmp_path, progress=False)
    with pytest.raises(UsageError):
        et.gap(trained, tmp_path, split="train", progress=False)  # type: ignore[arg-type]


def test_gap_leaves_out_pictures_that_cannot_be_read(trained: Run, tmp_path: Path) -> None:
    names = labels_of(trained)
    write_pictures(tmp_path, trained.dataset().validation.images, names)
    (tmp_path / names[0] / "0.png").write_bytes(b"no picture")
    found = et.gap(trained, tmp_path, progress=False)
    assert found.num_camera == 19
    assert any("1 of 20 pictures are left out" in note for note in found.notes)
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="None of the 20 pictures"):
        et.gap(trained, tmp_path, progress=False)
