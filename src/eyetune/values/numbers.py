"""Numbers as people read them: accuracies, differences in points, counts and durations."""

from __future__ import annotations

from collections.abc import Sequence


def accuracy_text(accuracy: float, deviation: float | None = None) -> str:
    """Return an accuracy in percent, with its standard deviation over seeds if there is one.

    Args:
        accuracy: 0 to 1.
        deviation: Standard deviation over seeds, as a share; None with one seed.

    Example:
        >>> accuracy_text(0.7, 0.004), accuracy_text(0.7)
        ('70.00% ± 0.40', '70.00%')
    """
    if deviation is None:
        return f"{accuracy:.2%}"
    return f"{accuracy:.2%} ± {100 * deviation:.2f}"


def rate_text(rate: float) -> str:
    """Return a share that was asked for, without digits that were not.

    Example:
        >>> rate_text(0.05), rate_text(0.025), rate_text(0.07)
        ('5%', '2.5%', '7%')
    """
    return f"{100 * rate:.6g}%"


def percentage(share: float | None) -> str:
    """Return a share as percents; "" if it is None.

    Example:
        >>> percentage(0.8124), percentage(None)
        ('81.2%', '')
    """
    return "" if share is None else f"{share:.1%}"


def points_text(difference: float) -> str:
    """Return a difference of shares in points.

    Example:
        >>> points_text(0.0123)
        '+1.23'
    """
    return f"{100 * difference:+.2f}"


def interval_text(interval: Sequence[float], *, digits: int = 2) -> str:
    """Return an interval of shares in points.

    Example:
        >>> interval_text((-0.001, 0.02)), interval_text((-0.001, 0.02), digits=1)
        ('-0.10 to +2.00', '-0.1 to +2.0')
    """
    low, high = interval
    return f"{100 * low:+.{digits}f} to {100 * high:+.{digits}f}"


def quantity(value: float) -> str:
    """Return a count in few digits.

    Example:
        >>> quantity(950), quantity(167_562), quantity(3.2e6)
        ('950', '168 k', '3.2 M')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def count_text(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun.

    Args:
        number: How many there are.
        noun: The singular.
        plural: The plural, if it is not the singular with an "s".

    Example:
        >>> count_text(1, "trial"), count_text(1200, "trial"), count_text(2, "process", "processes")
        ('1 trial', '1,200 trials', '2 processes')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def workers_text(num_workers: int) -> str:
    """Return what trained the trials of a study; 0 workers are the coordinating process.

    Example:
        >>> workers_text(2), workers_text(0)
        ('2 workers', 'one process')
    """
    return count_text(num_workers, "worker") if num_workers else "one process"


def duration(seconds: float) -> str:
    """Return a duration in the units that people use.

    Example:
        >>> duration(42.4), duration(600), duration(5025)
        ('42 s', '10 min', '1 h 24 min')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
