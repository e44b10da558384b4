"""The formats of firmware that an export can hold: their names and what each one is."""

from __future__ import annotations

from typing import Literal

FirmwareFormat = Literal["esp-idf", "arduino", "c"]

# The folder of a format in an export has the format's name.
FIRMWARE_FORMATS: dict[FirmwareFormat, str] = {
    "esp-idf": "an ESP-IDF project",
    "arduino": "an Arduino sketch",
    "c": "the network as a C array",
}
DEFAULT_FORMATS: tuple[FirmwareFormat, ...] = ("esp-idf",)
