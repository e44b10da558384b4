"""What a user should know about an export, as sentences."""

from __future__ import annotations

from eyetune.analysis.class_metrics import accuracy_share
from eyetune.device.boards.profiles import Board
from eyetune.device.export.conversions import Method
from eyetune.device.export.export_folder import Manifest
from eyetune.device.export.int8_ports import conversions_text
from eyetune.device.export.unknown import UnknownReport
from eyetune.device.export.verify import MAX_ACCURACY_DROP
from eyetune.values.numbers import count_text, rate_text
from eyetune.values.pixels import pixels_text

_NUM_SHOWN = 3  # names of classes


def _advice(manifest: Manifest) -> str:
    """Return what may help against loss in int8."""
    if manifest.run is None:
        return "eyetune train --set fit.quantize=int8 trains a network with the rounding of int8."
    if any(conversion.method is Method.LEARNED for conversion in manifest.conversions):
        return "More epochs of the last stage may help: --set fit.quantize_epochs."
    return "Train it with the rounding of int8: --set fit.quantize=int8."


def _advice_on_guessing(manifest: Manifest) -> str:
    """Return what to check where a network from a file is no better than guessing."""
    if manifest.source_file is None:
        return ""
    pixels = pixels_text(manifest.source_file.pixels)
    return (
        f" Check the order of the classes, {', '.join(manifest.class_names[:_NUM_SHOWN])} and so "
        f"on, and the range of pixels, here {pixels} (--pixels)."
    )


def export_notes(manifest: Manifest, board: Board) -> tuple[str, ...]:
    """Return what a user should know about an export."""
    notes = []
    source = manifest.source_file
    if source and (text := conversions_text(manifest.label, source.input_type, source.output_type)):
        notes.append(text)
    drop = manifest.accuracy_drop
    if drop is not None and drop > MAX_ACCURACY_DROP:
        notes.append(
            f"int8 costs {100 * drop:.1f} points of validation accuracy, also after "
            f"{count_text(len(manifest.conversions), 'conversion')}. {_advice(manifest)}"
        )
    notes += _notes_on_resizing(manifest)
    notes += _notes_on_validation(manifest)
    if manifest.unknown is not None:
        notes += _notes_on_unknown(manifest.unknown)
    elif not manifest.returns_probabilities:
        notes.append(
            "The outputs of the network are no probabilities: the class that the firmware prints "
            "is right, its confidence is not. A softmax as the last layer would make it right."
        )
    if manifest.remedies_left_out:
        notes.append(manifest.remedies_left_out)
    if manifest.arena_bytes > board.arena_bytes:
        notes.append(
            "The tensor arena lies in external RAM, which is slower, since internal RAM is too "
            "small for it."
        )
    if not manifest.arena_is_measured:
        notes.append(
            "The size of the tensor arena is predicted: TensorFlow Lite Micro is not available for "
            "this computer."
        )
    return (*notes, *board.quirks)


def _notes_on_validation(manifest: Manifest) -> list[str]:
    """Return what the accuracy on validation images does not say."""
    notes = []
    if manifest.run is None:
        notes.append(
            "If the network in the file was trained on some of the validation images, their "
            "accuracy is too high."
        )
    if manifest.validation_is_seen:
        notes.append(
            "The network was trained on the validation images, too, so their accuracy is too high: "
            "only test images count (eyetune verify)."
        )
    guess, num_images = manifest.validation_guess, manifest.validation_images
    if guess and accuracy_share(manifest.int8_validation_accuracy, num_images).low <= guess:
        notes.append(
            f"On {count_text(num_images, 'validation image')}, the accuracy is not shown to be "
            f"better than guessing, which reaches {guess:.1%}.{_advice_on_guessing(manifest)}"
        )
    return notes


def _notes_on_resizing(manifest: Manifest) -> list[str]:
    """Return how pictures of the camera differ from those of the training."""
    if manifest.resize != manifest.data.resize:
        return [
            f"The firmware makes images by `{manifest.resize}`, but photos became training images "
            f"by `{manifest.data.resize}`, so the board sees other pictures. Export again."
        ]
    if manifest.resize == "squash":
        return [
            "The firmware squashes the camera's picture, as the training images were squashed. "
            'With data.resize="crop", the default of new recipes, objects keep their shape, and '
            "the board computes exactly what the training did."
        ]
    return []


def _notes_on_unknown(report: UnknownReport) -> list[str]:
    """Return what a user should know about the threshold for unknown pictures."""
    notes = []
    if report.num_compared is None:
        notes.append(
            "If the validation images were used to train or to choose the network in the file, "
            f"more than {rate_text(report.rate)} of new known pictures may be refused."
        )
    if report.known is None:
        notes.append("There are no test images: how many known pictures are refused is not known.")
    elif report.known.share.low > report.rate:
        notes.append(
            f"{report.known.share.text()} of the test pictures are refused, more than the "
            f"{rate_text(report.rate)} that were asked for: they differ from the calibration "
            "images, or those are few."
        )
    return notes
