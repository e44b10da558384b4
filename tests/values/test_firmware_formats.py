"""The formats of firmware."""

from __future__ import annotations

from typing import get_args

from eyetune.values.firmware_formats import DEFAULT_FORMATS, FIRMWARE_FORMATS, FirmwareFormat


def test_firmware_formats_are_all_described() -> None:
    assert tuple(FIRMWARE_FORMATS) == get_args(FirmwareFormat)
    assert set(DEFAULT_FORMATS) <= set(FIRMWARE_FORMATS)
