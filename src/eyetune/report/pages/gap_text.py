"""A gap in sentences."""

from __future__ import annotations

from eyetune.analysis.gap import Gap, Points
from eyetune.values.numbers import interval_text


def gap_sentences(gap: Gap) -> list[str]:
    """Return what was found, what to do and what limits the result, as sentences."""
    sentences = []
    if gap.fall is not None and gap.clean is not None and gap.camera is not None:
        sentences.append(
            f"Accuracy falls by {_points(gap.fall)}: from {gap.clean.text()} on "
            f"{gap.num_clean:,} {gap.split} images to {gap.camera.text()} on "
            f"{gap.num_camera:,} pictures of the camera."
        )
        main = gap.main_cause
        if main is not None and main.explained is not None:
            sentences.append(f"The largest cause is {main.name}: {_points(main.explained)}.")
    sentences += gap.advice
    return [*sentences, *gap.notes]


def _points(points: Points) -> str:
    interval = interval_text((points.low, points.high), digits=1)
    value = round(100 * points.value, 1) + 0.0  # not -0.0
    return f"{value:.1f} points ({interval})"
