"""The base of all values that are stored as JSON and checked when they are read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class JsonModel(BaseModel):
    """An immutable value that is stored as JSON; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
