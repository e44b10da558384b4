"""What is derived from the declared options of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eyetune.errors import UsageError
from eyetune.records.study import Budget, Limits, SchedulerSettings
from eyetune.tuning.declared_options import (
    budget_of,
    check_choices,
    declared_options,
    limits_of,
    options_table,
    recorded_section,
    texts_of,
)
from eyetune.tuning.options import TuneOptions

DOCUMENT = Path(__file__).parents[2] / "docs" / "tuning.md"


def test_options_table_is_the_one_in_the_docs() -> None:
    """After a change, put the output of `print(options_table())` into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    _, _, rest = text.partition("<!-- options of tune: begin -->\n")
    table, _, _ = rest.partition("<!-- options of tune: end -->")
    assert table == options_table()


def test_declared_options_end_with_a_full_stop() -> None:
    for option in declared_options():
        assert option.declaration.summary.endswith("."), option.name


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("scheduler", "full, halving, hyperband, median"),
        ("trials", "1 or more"),
        ("factor", "above 1"),
        ("gp_beta", "0 or more"),
        ("board", ""),
    ],
)
def test_declared_option_takes_its_values_from_records(name: str, values: str) -> None:
    (option,) = (option for option in declared_options() if option.name == name)
    assert option.values == values


def test_sections_hold_the_options_that_are_given() -> None:
    options = TuneOptions(
        scheduler="halving", max_epochs=9, trials=4, seconds=60, max_parameters=1000
    )
    assert budget_of(options) == Budget(trials=4, seconds=60)
    assert limits_of(options) == Limits(parameters=1000)
    assert recorded_section(options, "schedule", SchedulerSettings) == SchedulerSettings(
        name="halving", max_epochs=9
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"trials": 0}, "1 or more"),
        ({"seconds": -1.0}, "above 0"),
        ({"target": "high"}, "float | None"),
    ],
)
def test_budget_of_refuses_values_out_of_range(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        budget_of(TuneOptions(**options))
    assert caught.value.expected == expected


def test_check_choices_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        check_choices(TuneOptions(sampler="tep"))
    assert "tpe" in (caught.value.fix or "")


@pytest.mark.parametrize("value", [(), ("val_loss", 3), 3])
def test_texts_of_refuses_other_values(value: Any) -> None:
    with pytest.raises(UsageError):
        texts_of("objective", value)


def test_texts_of_accepts_one_or_several() -> None:
    assert texts_of("objective", "val_loss") == ("val_loss",)
    assert texts_of("objective", ["val_loss", "parameters"]) == ("val_loss", "parameters")
    assert texts_of("objective", None) == ()
