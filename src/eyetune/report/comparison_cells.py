"""The cells of a comparison as text, the same in the terminal, on pages and in notebooks."""

from __future__ import annotations

from collections.abc import Mapping

from eyetune.analysis.comparison_table import Column, ComparisonRow
from eyetune.values.numbers import accuracy_text, interval_text, points_text, quantity

MIN_P_VALUE = 0.0001  # smaller ones are shown as smaller than this


def row_texts(row: ComparisonRow, *, interval_digits: int = 2) -> Mapping[Column, str]:
    """Return the texts of a row by column; "" where the baseline has nothing to show.

    Args:
        row: The row.
        interval_digits: Digits after the point of an interval. Default: 2.
    """
    texts = dict.fromkeys(Column, "") | {
        Column.LABEL: row.label,
        Column.ACCURACY: accuracy_text(row.accuracy, row.seed_deviation),
        Column.SECONDS: f"{row.seconds:,.0f}",
        Column.PARAMETERS: quantity(row.parameters),
        Column.MACS: quantity(row.macs),
    }
    estimates = row.estimates
    if estimates is None:
        return texts
    return texts | {
        Column.POINTS: points_text(estimates.difference),
        Column.INTERVAL: interval_text(estimates.interval, digits=interval_digits),
        Column.P_VALUE: p_value_text(estimates.p_value),
        Column.FINDING: f"{estimates.finding}{estimates.mark}",
        Column.AT_EQUAL_EPOCHS: points_text(estimates.at_equal_epochs),
        Column.AT_EQUAL_SECONDS: points_text(estimates.at_equal_seconds),
    }


def row_keys(row: ComparisonRow) -> Mapping[Column, float | str]:
    """Return what a row is sorted by, for each column; "" where the baseline has nothing to show.

    Args:
        row: The row.
    """
    keys: dict[Column, float | str] = dict.fromkeys(Column, "")
    keys |= {
        Column.LABEL: row.label.lower(),
        Column.ACCURACY: row.accuracy,
        Column.SECONDS: row.seconds,
        Column.PARAMETERS: row.parameters,
        Column.MACS: row.macs,
    }
    estimates = row.estimates
    if estimates is None:
        return keys
    return keys | {
        Column.POINTS: estimates.difference,
        Column.INTERVAL: estimates.interval[0],
        Column.P_VALUE: estimates.p_value,
        Column.FINDING: estimates.finding.value,
        Column.AT_EQUAL_EPOCHS: estimates.at_equal_epochs,
        Column.AT_EQUAL_SECONDS: estimates.at_equal_seconds,
    }


def p_value_text(p_value: float) -> str:
    """Return a p-value with four digits.

    Example:
        >>> p_value_text(0.0123), p_value_text(0.00001)
        ('0.0123', '<0.0001')
    """
    return f"<{MIN_P_VALUE:.4f}" if p_value < MIN_P_VALUE else f"{p_value:.4f}"
