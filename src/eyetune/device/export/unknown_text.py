"""What an export says about unknown pictures."""

from __future__ import annotations

from typing import Any

from eyetune.analysis.conformal import refused_range
from eyetune.device.export.unknown import RefusedPictures, UnknownReport
from eyetune.values.numbers import count_text, rate_text


def refused(report: UnknownReport) -> tuple[RefusedPictures, ...]:
    """Return the shares that were measured: of known pictures, if there are any, and of others."""
    known = () if report.known is None else (report.known,)
    return (*known, *report.unknown)


def as_values(report: UnknownReport) -> dict[str, Any]:
    """Return a report as JSON values, with intervals and with the promise as text."""
    answered = report.answered_accuracy
    return {
        **report.model_dump(mode="json"),
        "confidence": report.confidence,
        "text": guarantee_text(report),
        "refused": [
            {**each.model_dump(mode="json"), "share": each.share.to_json()}
            for each in refused(report)
        ],
        "answered_accuracy": answered.to_json() if answered is not None else None,
    }


def guarantee_text(report: UnknownReport) -> str:
    """Return what is promised, for which pictures, and from how many images, as sentences."""
    low, high = refused_range(report.calibration_rank, report.calibration_images)
    sentences = [
        f"Pictures whose confidence is below {report.confidence:.2%} are answered with unknown.",
        f"At most {rate_text(report.rate)} of new pictures of the known classes are refused, on "
        "average over choices of calibration images (split conformal prediction): the threshold is "
        f"the confidence of rank {report.calibration_rank:,} among {report.calibration_images:,} "
        f"calibration images. For 95% of such choices, the share is between {low:.1%} and "
        f"{high:.1%}.",
        _assumption(report),
        f"The confidence is that of the int8 network, with the temperature "
        f"{report.temperature:.2f} from "
        f"{count_text(report.temperature_images, 'other validation image')}.",
    ]
    if report.answered_accuracy is not None and report.answered_accuracy.is_known:
        accuracy = report.answered_accuracy.text()
        sentences.append(f"Of the test pictures that are answered, {accuracy} are right.")
    if report.vote_frames > 1:
        sentences.append(
            f"This holds for single pictures. The firmware prints what more than half of the last "
            f"{report.vote_frames} frames show, and unknown if that is nothing."
        )
    return " ".join(sentences)


def _assumption(report: UnknownReport) -> str:
    """Return what the promise depends on."""
    alike = "It holds for pictures like the calibration images"
    if report.is_held_out:
        return f"{alike}, which neither the training nor a search has seen."
    if report.num_compared is None:
        return (
            f"{alike}, if the network was neither trained on them nor chosen by them, which is not "
            "known of a file."
        )
    if report.num_compared == 1:
        return f"{alike}; no other network was compared on them."
    return (
        f"{alike}. {report.num_compared:,} networks were compared on them, so the threshold is "
        "lower than for a single one: enough for the worst of them on average. That assumes "
        "that no training reacted to the results of others; data.calibration holds images out."
    )
