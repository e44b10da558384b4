"""A kind of input: how its files are made, and which reader gets them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        name: Its name.
        corpus: Makes valid inputs, once in each worker, in an empty folder.
        write: Writes an input into an empty folder, from the corpus and random numbers alone, and
            returns its path.
        read: Reads an input. It may return anything, or raise an `EyetuneError`.
        num_small: Number of inputs with the small budget.
    """

    name: str
    corpus: Callable[[Path], Any]
    write: Callable[[Random, Any, Path], Path]
    read: Callable[[Path], object]
    num_small: int = 150
