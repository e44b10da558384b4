"""Arguments of KerasTuner's tuners."""

from __future__ import annotations

from importlib import metadata

from eyetune.compat.keras_tuner.arguments import objective_texts


def test_objective_texts_know_objectives_of_a_board() -> None:
    expected = ("latency_ms:min", "fps:max", "int8_accuracy:max")
    assert objective_texts(["latency_ms", "fps", "int8_accuracy"]) == expected


def test_objective_texts_infer_directions_as_keras_tuner_does() -> None:
    """The function that infers them is internal: look at it again with a new version."""
    assert metadata.version("keras-tuner") == "1.4.8"
    assert objective_texts(["val_loss", "val_accuracy", "parameters"]) == (
        "val_loss:min",
        "val_accuracy:max",
        "parameters:min",
    )
