"""An export that refuses unknown pictures: its threshold, and how well it works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eyetune.analysis.conformal import checked_rate, min_images, threshold_rank
from eyetune.api.export_source import ExportSource, SourceImages
from eyetune.api.int8_network import Int8Network
from eyetune.api.run import Run
from eyetune.api.tried_networks import num_compared
from eyetune.api.verify import processes_for
from eyetune.data import Dataset, Split
from eyetune.data.unknown_pictures import generated_pictures, own_pictures
from eyetune.device.export.unknown import (
    RefusedPictures,
    UnknownReport,
    calibrated_rule,
)
from eyetune.device.firmware import (
    UNKNOWN_CLASS,
    UnknownRule,
    check_vote_frames,
    read_known_results,
)
from eyetune.errors import DataError, UsageError
from eyetune.report.progress.training_progress import counting_bar, print_note
from eyetune.values.numbers import rate_text

if TYPE_CHECKING:
    from eyetune.device.export.int8_values import Images, Scores

DEFAULT_VOTE_FRAMES = 3
MAX_IMAGES = 2000  # of each kind that the int8 network classifies here
_FEWEST = 3  # validation images: a third of them is at least one
_MAX_MACS_ALONE = 2e10  # about 10 s; other processes take some seconds to start


@dataclass(frozen=True)
class UnknownOptions:
    """How an export refuses pictures that show none of its classes.

    Attributes:
        rate: The largest share of known pictures to refuse, above 0 and at most 0.5; on average
            over calibrations.
        data: Pictures that show something else, to report how many of them are refused: a folder
            of image files, or a data source such as cifar100. Default: only generated ones.
        vote_frames: Number of the last frames that vote in the firmware, 1 to 32. Default: 3.

    Raises:
        UsageError: A value is out of range.

    Example:
        >>> UnknownOptions(0.05).vote_frames
        3
    """

    rate: float
    data: str | Path | None = None
    vote_frames: int = DEFAULT_VOTE_FRAMES

    def __post_init__(self) -> None:
        checked_rate(self.rate)
        check_vote_frames(self.vote_frames)


@dataclass(frozen=True)
class KnownPictures:
    """Pictures of the classes of a network, by what an export uses them for, and others.

    Attributes:
        compared: Validation images for the accuracies, the choice among conversions to int8 and the
            temperature.
        calibration: Images for the threshold.
        is_held_out: Whether neither the training nor a search has seen the calibration images.
        num_compared: Number of networks that were compared on the calibration images; None if that
            is not known.
        others: Pictures of something else, by what they show.
    """

    compared: SourceImages
    calibration: Split
    is_held_out: bool
    num_compared: int | None
    others: Mapping[str, Images]


def unknown_options(unknown: float | UnknownOptions | None) -> UnknownOptions | None:
    """Return the options of an argument that may be a rate alone.

    Raises:
        UsageError: The rate is out of range.
    """
    if unknown is None or isinstance(unknown, UnknownOptions):
        return unknown
    return UnknownOptions(unknown)


def check_enough_images(num_validation: int, rate: float, *, num_networks: int = 1) -> None:
    """Check that validation images are enough for a rate, a third of which are not calibrated on.

    Raises:
        DataError: They are not.
    """
    needed = min_images(rate, num_networks)
    total = max(_FEWEST, needed + (needed - 1) // 2)
    if num_validation >= total:
        return
    reason = f", which {num_networks} networks were compared on" if num_networks > 1 else ""
    raise DataError(
        f"There are too few validation images to refuse at most {rate_text(rate)} of the known "
        "pictures.",
        expected=f"at least {total:,} validation images{reason}",
        received=f"{num_validation:,}",
        fix="Add images."
        if num_validation < _FEWEST
        else "Add images, or allow a larger share: --unknown "
        f"{_affordable_rate(num_validation - num_validation // 3, num_networks)}",
    )


def _affordable_rate(num_calibration: int, num_networks: int = 1) -> str:
    """Return the smallest round rate for which there are enough images, as text."""
    for percent in (1, 2, 5, 10, 15, 20, 25, 30, 40, 50):
        if threshold_rank(num_calibration, percent / 100, num_networks):
            return f"{percent}%"
    return "with more images"


def known_pictures(
    source: ExportSource, images: SourceImages, options: UnknownOptions
) -> KnownPictures:
    """Divide the pictures of known classes into those to choose on and those to calibrate on.

    Args:
        source: What is exported.
        images: Its images, with predictions for validation images.
        options: How unknown pictures are refused.

    Raises:
        SourceError: The unknown pictures that the user names do not exist.
        DataError: They cannot be read, there are too few validation images, or the network was
            trained on them.
    """
    dataset = images.dataset
    others = generated_pictures(dataset.image_shape, has_digits=dataset.source != "digits")
    if options.data is not None:
        shape = dataset.image_shape
        pictures = own_pictures(options.data, shape, source.resize, on_note=print_note)
        others[f"pictures of {options.data}"] = pictures
    if dataset.validation_is_seen:
        raise DataError(
            "The network was trained on its validation images: their scores say nothing about "
            "new pictures.",
            expected="validation images that were not trained on",
            received=f"{source.label}, with data.train_on_validation",
            fix="Train it again with --set data.train_on_validation=false --set "
            "data.calibration=0.5",
        )
    if dataset.calibration is not None:
        needed = min_images(options.rate)
        held_out = dataset.calibration.take(0, max(MAX_IMAGES, needed))
        if len(held_out) < needed:
            raise DataError(
                "There are too few calibration images to refuse at most "
                f"{rate_text(options.rate)} of the known pictures.",
                expected=f"at least {needed:,} calibration images",
                received=f"{len(held_out):,}",
                fix="Add images, hold out more of them (data.calibration), or allow a larger "
                f"share: --unknown {_affordable_rate(len(held_out))}",
            )
        compared = images.validation.take(0, MAX_IMAGES)
        return KnownPictures(
            SourceImages(
                images.section,
                replace(dataset, validation=compared),
                images.probabilities[: len(compared)],
            ),
            held_out,
            is_held_out=True,
            num_compared=1,
            others=others,
        )
    networks = num_compared(source.origin) if isinstance(source.origin, Run) else None
    available = images.validation
    check_enough_images(len(available), options.rate, num_networks=networks or 1)
    order = np.random.default_rng(0).permutation(len(available))
    num_chosen = min(len(available) // 3, MAX_IMAGES)
    num_calibration = max(MAX_IMAGES, min_images(options.rate, networks or 1))
    chosen, rest = np.sort(order[:num_chosen]), np.sort(order[num_chosen:][:num_calibration])
    compared = Split(available.images[chosen], available.labels[chosen])
    return KnownPictures(
        SourceImages(
            images.section,
            replace(dataset, validation=compared),
            images.probabilities[chosen],
        ),
        Split(available.images[rest], available.labels[rest]),
        is_held_out=False,
        num_compared=networks,
        others=others,
    )


@dataclass(frozen=True)
class RefusingNetwork:
    """An int8 network that refuses unknown pictures.

    Attributes:
        int8: The network, without a softmax at its end if it was converted here.
        report: How it refuses them, and how often.
        rule: The rule of the firmware.
    """

    int8: Int8Network
    report: UnknownReport
    rule: UnknownRule


def refusing_network(
    source: ExportSource,
    int8: Int8Network,
    known: KnownPictures,
    options: UnknownOptions,
    *,
    progress: bool = True,
) -> RefusingNetwork:
    """Find temperature and threshold of an int8 network, and measure what it refuses.

    Args:
        source: What is exported.
        int8: Its int8 network. A softmax at its end is removed, unless it is from a .tflite file.
        known: Pictures of its classes.
        options: How unknown pictures are refused.
        progress: Whether to show a bar over the pictures that are classified.

    Raises:
        BoardError: The interpreter cannot run the network.
    """
    from eyetune.device.estimate.tflite import read
    from eyetune.device.export.board_scores import interpreter_name
    from eyetune.device.export.int8_values import returns_probabilities
    from eyetune.device.export.logits import without_softmax

    shorter = None if source.is_tflite else without_softmax(int8.content)
    content = shorter or int8.content
    output = read(content).output
    compared = known.compared.validation
    dataset = known.compared.dataset
    test = _spread(dataset.test)
    unknown = known.others
    parts = [compared.images, known.calibration.images, test.images, *unknown.values()]
    scores = _scores(content, parts, is_trusted=not source.is_tflite, progress=progress)
    calibrated = calibrated_rule(
        output,
        scores[0],
        compared.labels,
        scores[1],
        scores_are_logits=shorter is not None or not returns_probabilities(output),
        rate=options.rate,
        num_compared=known.num_compared or 1,
    )
    rule = calibrated.rule
    answers = [read_known_results(part, rule).classes for part in scores[2:]]
    refused = [int(np.sum(classes == UNKNOWN_CLASS)) for classes in answers]
    report = UnknownReport(
        rate=options.rate,
        vote_frames=options.vote_frames,
        temperature=calibrated.temperature,
        threshold=rule.threshold,
        scores_are_logits=rule.scores_are_logits,
        softmax_removed=shorter is not None,
        temperature_images=len(compared),
        calibration_images=len(known.calibration),
        calibration_rank=calibrated.rank,
        is_held_out=known.is_held_out,
        num_compared=known.num_compared,
        interpreter=interpreter_name(content),
        known=_refused("test pictures", test.images, refused[0]) if len(test) else None,
        correct_answers=int(np.sum(answers[0] == test.labels)) if len(test) else None,
        unknown=tuple(
            _refused(name, images, number)
            for (name, images), number in zip(unknown.items(), refused[1:], strict=True)
        ),
    )
    accuracy = float(np.mean(scores[0].argmax(axis=1) == compared.labels))
    return RefusingNetwork(replace(int8, content=content, int8_accuracy=accuracy), report, rule)


def _refused(name: str, images: Images, refused: int) -> RefusedPictures:
    return RefusedPictures(name=name, images=len(images), refused=refused)


def _spread(split: Split) -> Split:
    """Return some images from all over a split: those of a folder may be sorted by class."""
    if len(split) <= MAX_IMAGES:
        return split
    chosen = np.linspace(0, len(split) - 1, MAX_IMAGES).astype(int)
    return Split(split.images[chosen], split.labels[chosen])


def _scores(
    content: bytes, parts: list[Images], *, is_trusted: bool, progress: bool
) -> list[Scores]:
    """Return the scores that a board computes for each part of the images."""
    from eyetune.device.estimate.tflite import read
    from eyetune.device.export.board_scores import board_scores

    images = np.concatenate(parts)
    is_long = len(images) * read(content).macs > _MAX_MACS_ALONE
    with counting_bar("classifying known and unknown pictures", enabled=progress) as advance:
        scores = board_scores(
            content,
            images,
            is_trusted=is_trusted,
            num_processes=processes_for(len(images)) if is_long else 1,
            on_image=lambda number: advance(number, len(images)),
        )
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return np.split(scores, ends)


def calibration_share(dataset: Dataset, rate: float) -> float:
    """Return the share of validation images to hold out of a training or a search.

    A third of them, at most 2,000, and more if a rate needs more, up to a half.

    Raises:
        DataError: There are too few validation images.
    """
    num_images, needed = len(dataset.validation), min_images(rate)
    num_held_out = max(needed, min(num_images // 3, MAX_IMAGES))
    if 2 * num_held_out > num_images:
        raise DataError(
            f"There are too few validation images to refuse at most {rate_text(rate)} of the known "
            "pictures.",
            expected=f"at least {2 * needed:,} validation images: a search needs half of them",
            received=f"{num_images:,}",
            fix="Add images, or allow a larger share: --unknown "
            f"{_affordable_rate(num_images // 2)}",
        )
    return num_held_out / num_images


def read_rate(text: str) -> float:
    """Read the largest share of known pictures to refuse, such as 5% or 0.05.

    Raises:
        UsageError: It is not a share.

    Example:
        >>> read_rate("5%"), read_rate("0.05")
        (0.05, 0.05)
    """
    from decimal import Decimal, InvalidOperation

    number = text.strip()
    try:
        value = Decimal(number.removesuffix("%"))
    except InvalidOperation:
        raise UsageError(
            "The share of known pictures that may be refused cannot be read.",
            expected="a share such as 5% or 0.05",
            received=text,
        ) from None
    return checked_rate(float(value / 100 if number.endswith("%") else value))
