"""The page of an export: its values, and text from users, which is escaped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eyetune.analysis.metrics import evaluate
from eyetune.report.pages.export_page import export_page

BOARD = {
    "title": "ESP-EYE",
    "partition_bytes": 4_128_768,
    "firmware_bytes": 460_800,
    "arena_bytes": 102_400,
    "psram_bytes": 4_194_304,
    "quirks": ["Hold the button."],
}
MANIFEST: dict[str, Any] = {
    "run": "3f2a1b4c",
    "label": "3f2a1b4c lab",
    "class_names": ["cat", "dog"],
    "image_shape": [32, 32, 3],
    "board": BOARD,
    "formats": ["esp-idf"],
    "operators": ["CONV_2D", "SOFTMAX"],
    "flash_bytes": 174_496,
    "arena_bytes": 40_960,
    "arena_scratch_bytes": 0,
    "arena_is_measured": True,
    "macs": 4_040_704,
    "latency_ms": 180.4,
    "latency_error_ms": 63.1,
    "calibration_images": 200,
    "validation_images": 2000,
    "float_validation_accuracy": 0.7,
    "steps": [],
    "int8_validation_accuracy": 0.695,
    "versions": {"keras": "3.15.1"},
}
VERIFICATION: dict[str, Any] = {
    "passed": True,
    "conclusion": "passed",
    "headline": "The verification passed.",
    "text": "70.0% of 10,000 test images are classified correctly.",
    "failures": [],
    "warnings": [],
    "split": "test",
    "confusion": [[3500, 1500], [1500, 3500]],
    "num_images": 10_000,
    "float_accuracy": 0.71,
    "int8_accuracy": 0.7,
    "agreement": 0.999,
    "arena": {"head_bytes": 36_000, "tail_bytes": 3_696, "bytes": 39_696},
    "arena_limit_bytes": 40_960,
    "interpreter": "tflite-micro 0.1",
    "reference": "LiteRT",
    "versions": {"numpy": "2"},
}


def test_export_page_shows_what_the_network_needs() -> None:
    page = export_page(MANIFEST)
    for text in (
        "174,496 of 3,667,968 bytes",
        "40,960 of 102,400",
        "180 ± 63 ms",
        "69.50%",
        "-0.50",
        "Hold the button.",
    ):
        assert text in page
    assert "The verification passed" not in page
    assert "<h2>How the network was found</h2>" not in page


def test_export_page_shows_the_verification() -> None:
    page = export_page(MANIFEST, VERIFICATION)
    for text in (
        "The verification passed.",
        "70.0% of 10,000 test images",
        "99.90% of the images",
        "10,000 test images, in tflite-micro 0.1",
        "39,696 bytes",
    ):
        assert text in page


@pytest.mark.parametrize("name", ["agreement", "arena", "float_accuracy"])
def test_export_page_leaves_out_what_was_not_measured(name: str) -> None:
    failed = {"headline": "It failed.", "conclusion": "failed", "failures": ["Something failed."]}
    page = export_page(MANIFEST, {**VERIFICATION, **failed, name: None})
    assert "It failed." in page
    assert "Something failed." in page


def test_export_page_compares_a_large_arena_with_psram() -> None:
    assert "204,800 of 4,194,304 bytes" in export_page({**MANIFEST, "arena_bytes": 204_800})


def test_export_page_separates_measured_and_computed() -> None:
    page = export_page({**MANIFEST, "arena_scratch_bytes": 10_240})
    assert "<strong>30,720 bytes</strong><span>tensor arena without scratch memory, m" in page
    assert "<strong>10,240 bytes</strong><span>scratch memory" in page
    assert "computed" in export_page({**MANIFEST, "arena_is_measured": False})


def test_export_page_escapes_text_of_users() -> None:
    evil = "<script>alert(1)</script>"
    page = export_page({**MANIFEST, "label": evil, "steps": [evil], "operators": [evil]})
    assert evil not in page
    assert "&lt;script&gt;" in page


def test_export_page_shows_what_was_tried_against_loss() -> None:
    conversion = {"training_images": 200, "agreement": 0.91, "error": 0.0123, "chosen": False}
    plain = {**conversion, "method": "plain", "int8_accuracy": 0.6125}
    assert "61.25%" not in export_page({**MANIFEST, "conversions": [plain]})
    other = {**conversion, "method": "equalized", "int8_accuracy": 0.7, "chosen": True}
    page = export_page(
        {**MANIFEST, "conversions": [plain, other], "remedies_left_out": "A <layer> is odd."}
    )
    for text in ("61.25%", "equalized", "0.0123", "chosen", "A &lt;layer&gt; is odd."):
        assert text in page, text


def test_export_page_begins_with_what_was_verified() -> None:
    page = export_page(MANIFEST, VERIFICATION)
    summary = page[: page.index("<nav")]
    for text in ("The verification passed.", "70.0% of 10,000 test images"):
        assert text in summary
    assert "Not verified yet." in export_page(MANIFEST)


def test_export_page_shows_metrics_by_class() -> None:
    page = export_page(MANIFEST, VERIFICATION)
    assert "balanced accuracy 70.00%" in page
    assert "70.0% (68.7% to 71.3%)" in page  # recall, precision and F1 of 5,000 images
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], np.float32)
    validation = evaluate(probabilities, np.array([0, 1, 1]))
    page = export_page(MANIFEST, None, None, validation)
    assert "66.7% of 3 validation images" in page
    assert "balanced accuracy 75.00%" in page


def test_export_page_of_a_file_claims_nothing_about_its_training() -> None:
    source = {"path": "network.tflite", "sha256": 64 * "a"}
    unknown = {"run": None, "float_validation_accuracy": None, "calibration_images": None}
    validation = evaluate(np.array([[0.9, 0.1], [0.2, 0.8]], np.float32), np.array([0, 1]))
    page = export_page({**MANIFEST, **unknown, "source_file": source}, None, None, validation)
    for text in (
        "SHA-256 of the file aaaaaaaa,",
        "The int8 network on 2",
        "is not known",
        "unknown",
    ):
        assert text in page, text
    assert "choices were based" not in page


def test_export_page_shows_what_else_was_tried() -> None:
    unknown = {"arena_bytes": None, "latency_ms": None, "exported": False}
    other = {"label": "<b>", "accuracy": 0.6, "flash_bytes": 1234, "flash_is_estimated": True}
    other |= unknown
    exported = {**other, "label": "best", "flash_bytes": 9876, "latency_ms": 87.6, "exported": True}
    assert "What else was tried" not in export_page({**MANIFEST, "tried": [exported]})
    many = [{**other, "label": f"run {number}"} for number in range(20)]
    page = export_page({**MANIFEST, "tried": [other, *many, exported], "num_infeasible": 3})
    for text in ("22 networks", "3 trials", "about 1,234", "&lt;b&gt;", "9,876", ">88<", "run 13"):
        assert text in page, text
    assert "run 14" not in page  # the table shows 15, and the exported one
    many_images = {**other, "validation_images": 1_000_000}
    page = export_page({**MANIFEST, "tried": [many_images, exported]})
    assert "60.00% (59.90% to 60.10%)" in page


def test_export_page_tells_how_to_flash() -> None:
    board = {**BOARD, "chip": "esp32"}
    assert "idf.py set-target esp32" in export_page({**MANIFEST, "board": board})
    assert "idf.py" not in export_page({**MANIFEST, "formats": ["c"]})
