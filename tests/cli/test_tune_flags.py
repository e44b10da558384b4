"""The flags of `eyetune tune`, made from the declared options."""

from __future__ import annotations

from typing import Any

import pytest
from cyclopts import App

from eyetune.cli.tune_flags import keyword_arguments, make_flags_class
from eyetune.errors import UsageError

FLAGS_CLASS = make_flags_class()


def read_flags(*arguments: str) -> dict[str, Any]:
    """Return the keyword arguments that flags stand for."""
    app = App()
    received: list[dict[str, Any]] = []

    def command(*, flags: Any = FLAGS_CLASS()) -> None:  # noqa: B008 (it is immutable)
        received.append(keyword_arguments(flags))

    command.__annotations__["flags"] = FLAGS_CLASS
    app.default(command)
    app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    return received[0]


# Flags that commands and scripts of users name.
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--space small", {"space": "small"}),
        ("--around latest", {"around": "latest"}),
        (
            "--objective val_loss --objective parameters",
            {"objective": ("val_loss", "parameters")},
        ),
        ("--constraint macs<9 --constraint macs>1", {"constraints": ("macs<9", "macs>1")}),
        ("--board esp-eye", {"board": "esp-eye"}),
        ("--fps 5", {"fps": 5.0}),
        ("--sampler gp", {"sampler": "gp"}),
        ("--scheduler median", {"scheduler": "median"}),
        ("--schedule median", {"scheduler": "median"}),
        ("--max-epochs 9", {"max_epochs": 9}),
        ("--min-epochs 2", {"min_epochs": 2}),
        ("--factor 2.5", {"factor": 2.5}),
        ("--seed 0", {"seed": 0}),
        ("--fixed-space", {"tune_new_entries": False}),
        ("--trials 60", {"trials": 60}),
        ("--epochs-total 500", {"epochs_total": 500}),
        ("--time 30m", {"seconds": 1800.0}),
        ("--target 0.8", {"target": 0.8}),
        ("--max-parameters 1000", {"max_parameters": 1000}),
        ("--trial-time 90s", {"trial_seconds": 90.0}),
        ("--trial-memory 3.5", {"trial_bytes": 3_500_000_000}),
        ("--name first", {"name": "first"}),
        ("--resume", {"resume": True}),
        ("--workers 2", {"workers": 2}),
        ("--executor ray", {"executor": "ray"}),
        ("", {}),
    ],
)
def test_keyword_arguments_of_every_flag(arguments: str, expected: dict[str, Any]) -> None:
    assert read_flags(*arguments.split()) == expected


@pytest.mark.parametrize("arguments", ["--scheduler full --schedule median", "--time soon"])
def test_keyword_arguments_refuses(arguments: str) -> None:
    with pytest.raises(UsageError):
        read_flags(*arguments.split())
