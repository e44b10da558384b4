"""A check of data: from a folder with faults to findings, a page, moved files and a comparison."""

from __future__ import annotations

import html
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import eyetune as et
from eyetune.analysis.data_findings import CERTAIN_ENOUGH, FindingKind
from eyetune.api.check_comparison import choose_parts
from eyetune.api.check_findings import predict_labels
from eyetune.api.data_check import DataCheck
from eyetune.errors import DataError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.check_store import RecordedFinding, check_key
from eyetune.testing.datasets import tiny_images

CLASSES = ("cat", "dog & <b>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return photos of two colors: 40 of one class, 16 of the other, and faults among them."""
    root = tmp_path_factory.mktemp("photos")
    images, _ = tiny_images(112, 2, size=40)
    for label, (name, count) in enumerate(zip(CLASSES, (40, 16), strict=True)):
        (root / name).mkdir()
        for number in range(count):
            Image.fromarray(images[2 * number + label]).save(root / name / f"{number:02}.png")
    shutil.copy(root / "cat" / "03.png", root / "cat" / "copy.png")
    with Image.open(root / "cat" / "04.png") as image:
        ImageOps.mirror(image).save(root / "cat" / "mirrored.png")
    shutil.copy(root / "cat" / "05.png", root / CLASSES[1] / "conflict.png")
    (root / "cat" / "20.png").rename(root / CLASSES[1] / "wrong.png")
    (root / "cat" / "broken.jpg").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def check(folder: Path) -> DataCheck:
    return et.data_check(folder, progress=False)


def names_of(check: DataCheck, kind: FindingKind) -> list[set[str]]:
    return [
        {found.name for found in finding.pictures}
        for finding in check.findings
        if finding.kind is kind
    ]


def test_check_finds_every_planted_fault(check: DataCheck) -> None:
    assert check.method == "features"
    assert names_of(check, FindingKind.UNREADABLE) == [{"cat/broken.jpg"}]
    assert names_of(check, FindingKind.EXACT_DUPLICATE) == [{"cat/03.png", "cat/copy.png"}]
    assert names_of(check, FindingKind.NEAR_DUPLICATE) == [{"cat/04.png", "cat/mirrored.png"}]
    conflict = f"{CLASSES[1]}/conflict.png"
    assert names_of(check, FindingKind.CONFLICT) == [{"cat/05.png", conflict}]
    wrong = names_of(check, FindingKind.LABEL)
    assert wrong[0] | wrong[1] == {f"{CLASSES[1]}/wrong.png", conflict}
    assert FindingKind.IMBALANCE in check.counts
    (finding,) = (one for one in check.findings if one.kind is FindingKind.CONFLICT)
    assert [found.name for found in finding.surplus] == [conflict]


def test_check_in_json_has_kind_files_and_score(check: DataCheck) -> None:
    value = json.loads(json.dumps(check.to_json()))
    assert value["num_pictures"] == 59
    assert value["class_counts"] == {"train": [41, 18]}
    assert value["sizes"]["median"] == [40, 40]
    for finding in value["findings"]:
        assert finding["kind"] in {kind.value for kind in FindingKind}
        assert 0 <= finding["score"] <= 1
        assert set(finding["surplus"]) <= set(finding["files"])


def test_findings_about_classes_name_them_and_are_told_apart(tmp_path: Path) -> None:
    images, _ = tiny_images(60, 3, size=24)
    for name, count in (("many", 30), ("few", 4), ("none", 0), ("phone", 2)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(count):
            suffix = "HEIC" if name == "phone" else "png"
            path = tmp_path / "photos" / name / f"{number}.{suffix}"
            if name == "phone":
                path.write_bytes(b"a photo of a phone")
            else:
                Image.fromarray(images.take(number, axis=0)).save(path)
    check = et.data_check(tmp_path / "photos", labels="none", progress=False)
    found = check.to_json()["findings"]
    small = [each["labels"] for each in found if each["kind"] == "small-class"]
    assert small == [["none"], ["phone"], ["few"]]
    unreadable = [each for each in found if each["kind"] == "unreadable"]
    assert [each["files"] for each in unreadable] == [["phone/0.HEIC"], ["phone/1.HEIC"]]
    assert "convert it to JPEG" in unreadable[0]["text"]
    keys = {RecordedFinding(**each).key for each in found}
    assert len(keys) == len(found)


def test_folder_without_a_readable_picture_is_an_error_that_names_files(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        et.data_check(tmp_path, progress=False)
    assert "cat/1.jpg (not an image)" in str(caught.value.received)


def test_test_pictures_alone_cannot_be_checked(tmp_path: Path) -> None:
    for split, suffix in (("train", "heic"), ("test", "png")):
        for name in ("cat", "dog"):
            path = tmp_path / split / name / f"1.{suffix}"
            path.parent.mkdir(parents=True)
            if split == "train":
                path.write_bytes(b"a photo of a phone")
            else:
                Image.new("RGB", (8, 8)).save(path)
    with pytest.raises(DataError, match="no training picture"):
        et.data_check(tmp_path, progress=False)


def test_classifiers_that_guess_are_not_believed(check: DataCheck) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, len(check.pictures))
    items = tuple(
        replace(item, label=int(label))
        for item, label in zip(check.pictures.items, labels, strict=True)
    )
    pictures = replace(check.pictures, items=items)
    groups = np.arange(len(items))
    predicted = predict_labels(pictures, groups, groups, "features", check.features, seed=0)
    assert not predicted.is_better_than_guessing
    assert predicted.suspects == ()
    assert check.label_agreement is not None
    assert check.label_agreement > 0.9


def test_page_shows_escaped_names_and_pictures(check: DataCheck, tmp_path: Path) -> None:
    page = check.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    for name in ("cat/copy.png", f"{CLASSES[1]}/wrong.png", "cat/broken.jpg"):
        assert html.escape(name) in page.replace("<wbr>", "")
    assert page.count("data:image/jpeg;base64,") >= 8


def test_copies_across_splits_keep_the_one_that_is_tested(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (30, 6, 6, 3), dtype=np.uint8)
    images = images.repeat(4, axis=1).repeat(4, axis=2)
    images[25] = images[3]
    path = tmp_path / "data.npz"
    labels = np.arange(30) % 2
    labels[25] = labels[3]
    np.savez(path, x_train=images[:24], y_train=labels[:24], x_test=images[24:], y_test=labels[24:])
    check = et.data_check(path, labels="none", progress=False)
    (finding,) = (one for one in check.findings if one.kind is FindingKind.ACROSS_SPLITS)
    assert [found.name for found in finding.pictures] == ["train[3]", "test[1]"]
    assert [found.name for found in finding.surplus] == ["train[3]"]
    with pytest.raises(UsageError):
        check.move_aside()


def test_moving_aside_leaves_one_of_each(check: DataCheck, folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(folder, root)
    items = tuple(replace(one, file=root / one.name) for one in check.pictures.items)
    unreadable = tuple(replace(one, file=root / one.name) for one in check.pictures.unreadable)
    pictures = replace(check.pictures, root=root, items=items, unreadable=unreadable)
    moved = replace(check, pictures=pictures).move_aside()
    expected = {"cat/broken.jpg", "cat/copy.png", "cat/mirrored.png"}
    assert expected | {f"{CLASSES[1]}/wrong.png", f"{CLASSES[1]}/conflict.png"} <= set(moved.moved)
    again = et.data_check(root, labels="none", progress=False)
    assert set(again.counts) <= {FindingKind.IMBALANCE, FindingKind.OUTLIER}
    assert set(et.undo_check(root).moved) == set(moved.moved)
    with pytest.raises(UsageError):
        check.move_aside(["copies"])


def test_parts_of_a_comparison_share_no_copies(check: DataCheck) -> None:
    parts = choose_parts(check, CERTAIN_ENOUGH)
    train, validation = set(parts.train.tolist()), set(parts.validation.tolist())
    assert not train & validation
    assert set(parts.removed.tolist()) <= train
    for group in check.copies:
        assert not validation & set(group.indices)
    names = {check.pictures.items[index].name for index in parts.removed}
    assert {"cat/copy.png", "cat/mirrored.png"} & names
    labels = check.pictures.labels[parts.validation]
    assert len(validation) == round(0.2 * len(check.pictures))
    assert (labels == 1).sum() >= 2


def test_compare_trains_with_and_without_the_suspects(
    check: DataCheck, tmp_path: Path, no_pictures: None
) -> None:
    recipe = Recipe().with_({"model.blocks": [4], "model.dense": [], "fit.epochs": 1})
    workspace = Workspace(tmp_path)
    result = check.compare(recipe, seeds=1, workspace=workspace, progress=False)
    with_suspects, without = (workspace.runs.get(run) for run in result.runs)
    assert with_suspects.data.num_train == result.num_train
    assert without.data.num_train == result.num_train - result.num_removed
    assert with_suspects.data.num_validation == without.data.num_validation
    low, high = result.difference.interval
    assert low <= result.difference.difference <= high
    assert result.metric == "balanced accuracy"
    assert result.to_json()["num_removed"] == result.num_removed > 0


@pytest.mark.parametrize("arguments", [{"labels": "guessing"}, {"source": "nowhere"}])
def test_check_refuses_bad_arguments(arguments: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        et.data_check(**{"source": "digits", "progress": False, **arguments})  # type: ignore[arg-type]


def test_check_names_the_command_that_installs_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyetune.api.data_check.PACKAGES", ("no_such_package",))
    with pytest.raises(UsageError) as caught:
        et.data_check("digits")
    assert "eyetune[check]" in str(caught.value.fix)


def test_checks_of_folders_with_one_name_are_recorded_apart(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, _ = tiny_images(24, 2, size=24)
    for place in ("first", "second"):
        for number, image in enumerate(images):
            path = tmp_path / place / "pets" / str(number % 2) / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        monkeypatch.chdir(tmp_path / place)
        et.data_check("pets", labels="none", progress=False).save(workspace=workspace)
    checks = Workspace(workspace).checks
    assert set(checks.sources()) == {
        str(tmp_path / place / "pets") for place in ("first", "second")
    }
    assert checks.get(check_key(str(tmp_path / "first" / "pets"))).facts["name"] == "pets"
