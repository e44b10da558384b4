"""Classify pictures as a board does: the firmware's preprocessing, in float and in int8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eyetune.api.network_pair import Int8Side, NetworkPair, find_network, load_pair
from eyetune.api.picture_predictions import PictureAnswer, PicturePrediction, Predictions
from eyetune.api.preparing import start
from eyetune.api.run import Run
from eyetune.data.dataset import Images
from eyetune.data.resize import resized
from eyetune.data.sources.folder import image_files
from eyetune.data.sources.image_file import SUFFIXES, UNSUPPORTED_SUFFIXES, decode
from eyetune.data.sources.webcam import check_camera, read_frames
from eyetune.device.firmware import (
    UNKNOWN_CLASS,
    UNKNOWN_LABEL,
    Answers,
    read_known_results,
    read_result,
    vote_over_frames,
)
from eyetune.device.firmware.photo import frame_shape, seen_image
from eyetune.errors import DataError, UsageError
from eyetune.records import Workspace
from eyetune.report.progress.training_progress import counting_bar
from eyetune.values.pixels import Pixels

DEFAULT_FRAMES = 10
DEFAULT_TOP = 3
MAX_FRAMES = 10_000
_NUM_SHOWN = 5  # unreadable pictures in an error


def predict(
    model: Run | str | Path,
    images: str | Path | Sequence[str | Path] = (),
    *,
    camera: int | str | None = None,
    num_frames: int = DEFAULT_FRAMES,
    top: int = DEFAULT_TOP,
    data: str | Path | None = None,
    pixels: Pixels = "auto",
    unsafe: bool = False,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> Predictions:
    """Classify pictures as a board does, in float and in int8 side by side.

    Each picture becomes a frame of the camera in RGB565, and then the network's image, by the same
    integer arithmetic as in the firmware. The int8 network is that of an export. For a run without
    an export in its workspace, it is converted with ranges from training images.

    Args:
        model: A completed run, or its id, the beginning of the id, its name, or "latest"; the
            folder of an export; or the path of a .keras or .tflite file.
        images: An image file or a folder, or several of them. Of a folder, all image files are
            classified, those in subfolders too.
        camera: The number of a webcam, or the path of a video file, in place of `images`. It needs
            OpenCV: pip install 'eyetune[camera]'
        num_frames: Number of frames of the camera, 1 to 10,000. Default: 10.
        top: Number of classes for each picture, 1 or more. Default: 3.
        data: The images that a network in a file is for: their classes name the outputs, and their
            training images are used to convert a .keras file to int8.
        pixels: The range of pixels that a network in a file takes. Default: inferred.
        unsafe: Whether code inside a .keras file may run. It can do anything that you can.
        workspace: The workspace that the run is recorded in.
        progress: Whether to show the progress.

    Raises:
        UsageError: There is no such run, file or camera, or an argument is out of range.
        DataError: None of the pictures can be read.
        BoardError: The int8 network cannot be run.

    Example:
        >>> import eyetune as et
        >>> answers = et.predict("latest", "photos/")  # doctest: +SKIP
        >>> answers.pictures[0].int8_answer.label  # doctest: +SKIP
        'cat'
    """
    _check_numbers(top, num_frames)
    given = [images] if isinstance(images, str | Path) else list(images)
    if bool(given) == (camera is not None):
        raise UsageError(
            "Either pictures or a camera are needed.",
            expected="image files or folders, or a camera",
            received="both" if given else "none",
        )
    files = picture_files([Path(path) for path in given])
    source = None if camera is None else check_camera(str(camera))
    found = find_network(model, data=data, pixels=pixels, unsafe=unsafe, workspace=workspace)
    start(0, progress=progress)
    pair = load_pair(found, progress=progress)
    if source is None:
        return classify_files(pair, files, top=top, progress=progress)
    seen = _seen_frames(pair, source, num_frames, progress=progress)
    pictures = _classified(pair, seen, top, is_camera=True, progress=progress)
    return Predictions(pair.label, pair.run, tuple(pictures), notes=pair.notes)


def classify_files(
    pair: NetworkPair, files: Sequence[Path], *, top: int = DEFAULT_TOP, progress: bool = True
) -> Predictions:
    """Classify image files with a network that is loaded.

    Args:
        pair: The network in float and in int8.
        files: The files, 1 or more.
        top: Number of classes for each picture, 1 or more. Default: 3.
        progress: Whether to show the progress.

    Raises:
        DataError: None of the pictures can be read.
        BoardError: The int8 network cannot be run.
    """
    seen, unreadable = _seen_files(pair, files, progress=progress)
    pictures = _classified(pair, seen, top, is_camera=False, progress=progress)
    return Predictions(pair.label, pair.run, tuple(pictures), tuple(unreadable), pair.notes)


def picture_files(paths: Sequence[Path]) -> list[Path]:
    """Return files as they are, and for a folder the images in it and in its subfolders, sorted.

    Raises:
        UsageError: A path does not exist, or a folder contains no images.
        DataError: A folder has too many files, or too many levels.
    """
    files = []
    for path in paths:
        if path.is_dir():
            images = image_files(path, (*SUFFIXES, *UNSUPPORTED_SUFFIXES))
            if not images:
                raise UsageError(
                    f"The folder {path} contains no images.",
                    expected=f"files ending in {', '.join(SUFFIXES)}",
                )
            files += images
        elif path.exists():
            files.append(path)
        else:
            raise UsageError(f"There is no file or folder {path}.", received=f"{path.absolute()}")
    return files


_Seen = list[tuple[str, Images]]  # names of pictures, and what the network sees


def _seen_files(
    pair: NetworkPair, files: Sequence[Path], *, progress: bool
) -> tuple[_Seen, list[tuple[str, str]]]:
    """Return what the network sees of image files, and which of them cannot be read, and why.

    Raises:
        DataError: None can be read.
    """
    shape = frame_shape(pair.image_shape, pair.resize)
    seen: _Seen = []
    unreadable = []
    with counting_bar("reading pictures", enabled=progress) as advance:
        for number, path in enumerate(files, start=1):
            try:
                photo = decode(path, shape, pair.resize)
            except DataError as error:
                if len(files) == 1:
                    raise
                unreadable.append((str(path), str(error.received or error.message)))
            else:
                seen.append((str(path), seen_image(photo, pair.image_shape, pair.resize)))
            advance(number, len(files))
    if not seen:
        raise DataError(
            f"None of the {len(files):,} pictures can be read.",
            expected="files in PNG, JPEG, WebP, BMP or GIF",
            received="; ".join(f"{name}: {why}" for name, why in unreadable[:_NUM_SHOWN]),
        )
    return seen, unreadable


def _seen_frames(
    pair: NetworkPair, source: int | Path, num_frames: int, *, progress: bool
) -> _Seen:
    """Return what the network sees of the frames of a camera."""
    height, width, _ = frame_shape(pair.image_shape, pair.resize)
    seen: _Seen = []
    with counting_bar("reading frames", enabled=progress) as advance:
        for number, photo in enumerate(read_frames(source, num_frames), start=1):
            frame = resized(photo, (width, height), pair.resize)
            image = seen_image(frame, pair.image_shape, pair.resize)
            seen.append((f"frame {number}", image))
            advance(number, num_frames)
    return seen


def _classified(
    pair: NetworkPair, seen: _Seen, top: int, *, is_camera: bool, progress: bool
) -> list[PicturePrediction]:
    """Return the answers for pictures; those of a camera are voted on, as in the firmware."""
    images = np.stack([image for _, image in seen])
    nothing: list[PictureAnswer | None] = [None] * len(seen)
    float_answers = int8_answers = nothing
    voted: list[str | None] = [None] * len(seen)
    if pair.float_side is not None:
        probabilities = np.asarray(pair.float_side(images), np.float64)
        results = zip(probabilities.argmax(axis=1), probabilities.max(axis=1), strict=True)
        float_answers = [
            _answer(pair.class_names, row, top, int(index), float(confidence))
            for row, (index, confidence) in zip(probabilities, results, strict=True)
        ]
    if pair.int8_side is not None:
        probabilities, answers = _int8_results(pair.int8_side, images, progress=progress)
        results = zip(answers.classes.tolist(), answers.per_mille.tolist(), strict=True)
        int8_answers = [
            _answer(pair.class_names, row, top, index, per_mille / 1000)
            for row, (index, per_mille) in zip(probabilities, results, strict=True)
        ]
        if is_camera and pair.int8_side.rule is not None:
            indices = vote_over_frames(answers, pair.int8_side.vote_frames).classes.tolist()
            voted = [_label(pair.class_names, index) for index in indices]
    columns = zip(seen, float_answers, int8_answers, voted, strict=True)
    return [
        PicturePrediction(*picture, in_float, in_int8, by_vote)
        for picture, in_float, in_int8, by_vote in columns
    ]


def _int8_results(
    side: Int8Side, images: Images, *, progress: bool
) -> tuple[NDArray[np.float64], Answers]:
    """Return the probabilities of all classes, and the answers of the firmware."""
    from eyetune.device.estimate.tflite import read
    from eyetune.device.export.board_scores import board_scores
    from eyetune.device.export.int8_values import check_scale, probabilities_of

    with counting_bar("classifying pictures", enabled=progress) as advance:
        scores = board_scores(
            side.content,
            images,
            is_trusted=side.is_trusted,
            on_image=lambda number: advance(number, len(images)),
        )
    if side.rule is not None:
        return side.rule.probabilities(scores), read_known_results(scores, side.rule)
    output = read(side.content).output
    check_scale(output)
    results = [read_result(row, output.scale, output.zero_point) for row in scores]
    return np.asarray(probabilities_of(scores, output), np.float64), Answers(
        np.array([index for index, _ in results], np.int64),
        np.array([per_mille for _, per_mille in results], np.int64),
    )


def _answer(
    names: Sequence[str],
    probabilities: NDArray[np.float64],
    top: int,
    index: int,
    confidence: float,
) -> PictureAnswer:
    most_likely = np.argsort(-probabilities, kind="stable")[:top]
    return PictureAnswer(
        label=_label(names, index),
        confidence=confidence,
        is_unknown=index == UNKNOWN_CLASS,
        classes=tuple((names[each], float(probabilities[each])) for each in most_likely),
    )


def _label(names: Sequence[str], index: int) -> str:
    return UNKNOWN_LABEL if index == UNKNOWN_CLASS else names[index]


def _check_numbers(top: int, num_frames: int) -> None:
    if top < 1:
        raise UsageError(
            "The number of classes is too small.", expected="--top of 1 or more", received=top
        )
    if not 1 <= num_frames <= MAX_FRAMES:
        raise UsageError(
            "The number of frames is out of range.",
            expected=f"1 to {MAX_FRAMES:,}",
            received=num_frames,
        )
