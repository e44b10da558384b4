"""What is said about an export: its accuracies, its sizes, its time, and what it refuses."""

from __future__ import annotations

from eyetune.device.export.export_folder import Manifest, SourceFile
from eyetune.device.export.export_text import accuracy_rows, export_rows
from tests.device.export.test_export_folder import MANIFEST_VALUE


def rows_of(**changes: object) -> dict[str, str]:
    return export_rows(Manifest.model_validate({**dict(MANIFEST_VALUE), **changes}))


def test_rows_of_an_export() -> None:
    rows = rows_of()
    assert rows["tensor arena"] == "2,048 of 102,400 bytes, measured"
    assert rows["time per image"] == "1 ± 0.5 ms, predicted"
    assert "pixels" not in rows
    assert "unknown" not in rows


def test_rows_say_which_part_of_the_arena_was_computed() -> None:
    text = rows_of(arena_bytes=20_480, arena_scratch_bytes=4096)["tensor arena"]
    assert text == (
        "20,480 of 102,400 bytes, 4,096 computed for ESP-NN's kernels, the rest measured, "
        "in whole KiB"
    )


def test_rows_of_an_arena_in_external_ram() -> None:
    text = rows_of(arena_bytes=204_800, arena_is_measured=False)["tensor arena"]
    assert text == "204,800 of 4,194,304 bytes, predicted"


def test_rows_of_a_file_name_its_pixels() -> None:
    file = SourceFile(path="/network.keras", sha256="abc", pixels="0-255")
    rows = rows_of(source_file=file, latency_ms=None, latency_error_ms=None)
    assert rows["pixels"] == "from 0 to 255"
    assert "time per image" not in rows


def test_accuracy_rows_have_their_intervals() -> None:
    rows = accuracy_rows(0.75, 0.5, 100, "test")
    assert rows == {
        "images": "100 of the test split",
        "accuracy in float": "75.00% (65.70% to 82.45%)",
        "accuracy in int8": "50.00% (40.38% to 59.62%)",
    }
