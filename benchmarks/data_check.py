"""What `eyetune data check` finds: flipped labels and planted copies of CIFAR-10.

    EYETUNE_DATA=FOLDER python benchmarks/data_check.py --results data_check.jsonl
    EYETUNE_DATA=FOLDER python benchmarks/data_check.py --images 5000   # a reduced version

Labels: 5% of the labels of the training images become another class at random. The networks are
trained from scratch, since the package's pre-trained network has seen the labels. The table says
how many of the first 1% of the suspects (500 of 50,000) are flipped ones, how many suspects there
are, and how many of the flipped labels are among them; the same for cleanlab alone and for another
ranking. Some of CIFAR-10's own labels are wrong: they count as mistakes of the check.

Copies: the images are written as PNG files of a folder, with 300 copies among them, 50 each as
JPEG (quality 75 and 40), resized to 20 and 48 pixels, mirrored, and mirrored, resized to 24 pixels
and as JPEG. A copy is found if it is in a group with its original. CIFAR-10 has near-duplicates of
its own. So the check also runs without the copies, and false ones are counted in two ways, as
shares of all images: pairs with a copy that are neither with its original nor with an image that
is a near-duplicate of the original without the copies; and the images that have a near-duplicate
without the copies, of which a contact sheet is written (--sheet), for a person to judge.

An interrupted benchmark resumes: each measurement is added to the file of results.
"""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from eyetune._scratch import scratch_folder
from eyetune.analysis.label_suspects import label_suspects
from eyetune.data.check.duplicates import Copies, find_copies
from eyetune.data.check.pictures import Pictures, read_pictures
from eyetune.data.load import read_in_order
from eyetune.training.backend import start_keras
from recorded import Result, commit, machine, markdown_table, measured

FLIPPED_SHARE = 0.05
NUM_COPIES = 300
MIN_FLIPPED = 0.8  # of the first 1% of the suspects
MIN_FOUND, MAX_FALSE = 0.97, 0.001  # of the copies; pairs with a copy, of all images
CHANGES = ("JPEG 75", "JPEG 40", "20 pixels", "48 pixels", "mirrored", "mirrored, 24, JPEG 60")
SHEET_COLUMNS = 16


def changed(image: Image.Image, change: str) -> tuple[Image.Image, str, int]:
    """Return a changed image, the extension of its file and the quality of the JPEG."""
    if change.startswith("JPEG"):
        return image, "jpg", int(change.split()[1])
    if change.endswith("pixels"):
        side = int(change.split(maxsplit=1)[0])
        return image.resize((side, side), Image.Resampling.BILINEAR), "png", 0
    if change == "mirrored":
        return ImageOps.mirror(image), "png", 0
    small = ImageOps.mirror(image).resize((24, 24), Image.Resampling.BILINEAR)
    return small, "jpg", 60


def check_labels(images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int) -> Result:
    """Flip labels, check them, and return how many suspects are flipped ones."""
    start_keras()
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    from eyetune.analysis.strange_pictures import strange_pictures
    from eyetune.training.out_of_fold import fold_of, picture_features, predict_by_networks

    generator = np.random.default_rng(seed)
    count = len(labels)
    flipped = generator.choice(count, round(FLIPPED_SHARE * count), replace=False)
    given = labels.copy()
    given[flipped] = (labels[flipped] + generator.integers(1, 10, len(flipped))) % 10
    started_at = time.perf_counter()

    def progress(done: int, total: int) -> None:
        print(f"  {done} of {total} epochs", flush=True)

    predicted = predict_by_networks(
        images, given, 10, fold_of(given, np.arange(count), seed), progress
    )
    suspects = label_suspects(given, predicted)
    is_flipped = np.isin([suspect.index for suspect in suspects], flipped)
    first = count // 100
    alone = find_label_issues(given, predicted.astype(np.float64), n_jobs=1)
    margins = get_label_quality_scores(given, predicted, method="normalized_margin")
    strange = strange_pictures(picture_features(images), images)
    return {
        "flipped_among_first_by_margin": float(
            np.isin(np.argsort(margins)[:first], flipped).mean()
        ),
        "suspects_of_cleanlab_alone": int(alone.sum()),
        "flipped_share_of_cleanlab_alone": float(np.isin(np.flatnonzero(alone), flipped).mean()),
        "strange": len(strange),
        "accuracy": float((predicted.argmax(axis=1) == labels).mean()),
        "first": first,
        "flipped_among_first": float(is_flipped[:first].mean()),
        "suspects": len(suspects),
        "flipped_share_of_suspects": float(is_flipped.mean()),
        "found_share_of_flipped": float(is_flipped.sum() / len(flipped)),
        "seconds": time.perf_counter() - started_at,
    }


def check_copies(
    images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int, sheet: Path | None
) -> Result:
    """Plant copies among files, check them, and return how many are found."""
    generator = np.random.default_rng(seed)
    originals = generator.choice(len(images), NUM_COPIES, replace=False)
    with scratch_folder() as folder:
        for label in range(10):
            (folder / f"class {label}").mkdir()
        for index, image in enumerate(images):
            Image.fromarray(image).save(folder / f"class {labels[index]}" / f"{index}.png")
        own = _groups(read_pictures(str(folder)))
        copies = {}
        for number, original in enumerate(originals.tolist()):
            change = CHANGES[number % len(CHANGES)]
            copy, extension, quality = changed(Image.fromarray(images[original]), change)
            name = f"class {labels[original]}/copy {number}.{extension}"
            stream = io.BytesIO()
            if extension == "jpg":
                copy.save(stream, "JPEG", quality=quality)
            else:
                copy.save(stream, "PNG")
            (folder / name).write_bytes(stream.getvalue())
            copies[name] = f"class {labels[original]}/{original}.png", change
        started_at = time.perf_counter()
        pictures = read_pictures(str(folder))
        found = _groups(pictures)
        seconds = time.perf_counter() - started_at
    near = {name: group for group in own for name in group}
    of = {name: group for group in found for name in group}
    is_found = {name: original in of.get(name, ()) for name, (original, _) in copies.items()}
    false = 0
    for name, (original, _) in copies.items():
        expected = {name, *near.get(original, {original})}
        expected |= {other for other, (one, _) in copies.items() if one in expected}
        false += len(of.get(name, set()) - expected)
    if sheet is not None:
        _draw(own, images, sheet)
    result: Result = {
        "found": sum(is_found.values()) / len(copies),
        "false_pairs_with_a_copy": false,
        "false_share": false / len(images),
        "images_with_a_near_duplicate": len(near),
        "seconds": seconds,
    }
    for change in CHANGES:
        of_change = [name for name, (_, one) in copies.items() if one == change]
        result[change] = sum(is_found[name] for name in of_change) / len(of_change)
    return result


def _groups(pictures: Pictures) -> list[set[str]]:
    def names(group: Copies) -> set[str]:
        return {pictures.items[index].name for index in group.indices}

    return [names(group) for group in find_copies(pictures)]


def _draw(groups: list[set[str]], images: NDArray[np.uint8], path: Path) -> None:
    """Write a contact sheet with the first two images of each group."""
    rows = -(-len(groups) // SHEET_COLUMNS)
    canvas = Image.new("RGB", (SHEET_COLUMNS * 72, rows * 36), "white")
    for number, group in enumerate(groups):
        left, top = number % SHEET_COLUMNS * 72, number // SHEET_COLUMNS * 36
        for place, name in enumerate(sorted(group)[:2]):
            index = int(Path(name).stem)
            canvas.paste(Image.fromarray(images[index]), (left + 33 * place, top))
    canvas.save(path)


def _verdict(share: float, least: float, false_share: float = 0.0) -> str:
    """Return whether a share, and that of false pairs with a copy, keep their bars."""
    return "reached" if share >= least and false_share < MAX_FALSE else "missed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=50_000, help="of the training images")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--results", type=Path, help="file of the measurements so far")
    parser.add_argument("--sheet", type=Path, help="PNG file with CIFAR-10's own near-duplicates")
    parser.add_argument("--only", choices=("labels", "copies"))
    options = parser.parse_args()
    train = read_in_order("cifar10").splits["train"]
    images, labels = train.images[: options.images], train.labels[: options.images]
    rows = []
    for seed in range(options.seeds):
        key = {"images": len(images), "seed": seed, "commit": commit(), **machine()}
        if options.only != "labels":
            copies = measured(
                options.results,
                {"kind": "copies", **key},
                lambda seed=seed: check_copies(images, labels, seed, options.sheet),  # type: ignore[misc]
            )
            rows += [
                (f"copies found, seed {seed}", f"{copies['found']:.1%}"),
                *((f"- {change}", f"{copies[change]:.1%}") for change in CHANGES),
                ("false pairs with a copy, of all images", f"{copies['false_share']:.3%}"),
                ("images with a near-duplicate", f"{copies['images_with_a_near_duplicate']:,}"),
                ("seconds", f"{copies['seconds']:.0f}"),
                ("bars for copies", _verdict(copies["found"], MIN_FOUND, copies["false_share"])),
            ]
        if options.only != "copies":
            found = measured(
                options.results,
                {"kind": "labels", **key},
                lambda seed=seed: check_labels(images, labels, seed),  # type: ignore[misc]
            )
            rows += [
                (
                    f"flipped among the first {found['first']} suspects, seed {seed}",
                    f"{found['flipped_among_first']:.1%}",
                ),
                (
                    "- ranked by normalized margin instead",
                    f"{found['flipped_among_first_by_margin']:.1%}",
                ),
                ("suspects", f"{found['suspects']:,}"),
                ("- of cleanlab alone", f"{found['suspects_of_cleanlab_alone']:,}"),
                (
                    "flipped among the suspects of cleanlab alone",
                    f"{found['flipped_share_of_cleanlab_alone']:.1%}",
                ),
                ("flipped among all suspects", f"{found['flipped_share_of_suspects']:.1%}"),
                ("flipped labels that are suspects", f"{found['found_share_of_flipped']:.1%}"),
                ("pictures unlike all others", f"{found['strange']:,}"),
                ("out-of-fold accuracy", f"{found['accuracy']:.1%}"),
                ("seconds", f"{found['seconds']:.0f}"),
                ("bar for labels", _verdict(found["flipped_among_first"], MIN_FLIPPED)),
            ]
    print(f"{len(images):,} images of CIFAR-10, {machine()['cpu']}\n")
    print(markdown_table(("measurement", "result"), rows))


if __name__ == "__main__":
    main()
