"""Functions whose signature is that of the options of a study."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from eyetune.api.tune import tune
from eyetune.errors import ArgumentTypeError, UsageError
from eyetune.tuning.declared_options import declared_options
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.options_signature import from_options

# Keywords that scripts of users name.
KEYWORDS = [
    "build_model",
    "data",
    "space",
    "around",
    "recipe",
    "objective",
    "constraints",
    "board",
    "sampler",
    "schedule",
    "scheduler",
    "max_epochs",
    "min_epochs",
    "factor",
    "trials",
    "epochs_total",
    "seconds",
    "target",
    "max_parameters",
    "trial_seconds",
    "trial_bytes",
    "seed",
    "tune_new_entries",
    "fit_arguments",
    "validation_data",
    "validation_split",
    "name",
    "resume",
    "workers",
    "executor",
    "workspace",
    "progress",
    "plots",
    "trackers",
]


@from_options(TuneOptions)
def options_of(options: TuneOptions) -> TuneOptions:
    """Return the options.

    Returns:
        The options.
    """
    return options


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_from_options_accepts_every_keyword(keyword: str) -> None:
    arguments: dict[str, Any] = {keyword: "value"}
    options = options_of(**arguments)
    name = "scheduler" if keyword == "schedule" else keyword
    assert getattr(options, name) == "value"


def test_from_options_accepts_model_and_data_by_position() -> None:
    options = options_of("model.py:build_model", "digits")
    assert (options.build_model, options.data) == ("model.py:build_model", "digits")


def test_from_options_refuses_unknown_names() -> None:
    arguments: dict[str, Any] = {"trails": 3}
    with pytest.raises(ArgumentTypeError) as caught:
        options_of(**arguments)
    assert "trials" in (caught.value.fix or "")


def test_from_options_refuses_two_names_of_one_option() -> None:
    arguments: dict[str, Any] = {"schedule": "full", "scheduler": "median"}
    with pytest.raises(UsageError):
        options_of(**arguments)


def test_tune_shows_signature_and_sentences() -> None:
    names = [option.name for option in declared_options()]
    assert list(inspect.signature(tune).parameters) == names
    documentation = inspect.getdoc(tune) or ""
    assert documentation.index("Args:") < documentation.index("Returns:")
    for name in names:
        assert f"\n    {name}: " in documentation
