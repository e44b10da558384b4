"""What the correction for multiple comparisons does to a finding, explained for a reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

MARK = "*"


class Estimate(Protocol):
    """A difference with its 95% interval, and whether it is a finding after the correction."""

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of this difference by itself."""

    @property
    def certain(self) -> bool:
        """Whether the p-value, corrected for all comparisons, is below 5%."""


def is_uncertain_after_correction(estimate: Estimate) -> bool:
    """Return whether the interval excludes zero although the finding is not certain.

    The interval is that of a single comparison; the finding is corrected for all of them.
    """
    low, high = estimate.interval
    return not estimate.certain and (low > 0 or high < 0)


def correction_mark(estimate: Estimate) -> str:
    """Return the mark that leads to the note: "*", or "" where no note is needed."""
    return MARK if is_uncertain_after_correction(estimate) else ""


def correction_note(estimates: Sequence[Estimate]) -> str:
    """Return a note on the marked estimates; "" if none is marked.

    Args:
        estimates: Those that are shown, all of them compared together.
    """
    if not any(map(is_uncertain_after_correction, estimates)):
        return ""
    return (
        f"{MARK} The interval excludes zero, but it is that of a single comparison. With"
        f" {len(estimates)} comparisons, chance alone makes some intervals exclude zero, so the"
        " finding is corrected for all of them (Holm)."
    )
