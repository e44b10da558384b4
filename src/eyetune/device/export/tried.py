"""What else was tried before a network was exported, as values for the manifest."""

from __future__ import annotations

from pydantic import Field

from eyetune.values.json_model import JsonModel


class TriedNetwork(JsonModel):
    """A network that was trained on the same images."""

    label: str = Field(description="name and id of the run, or number of the trial")
    accuracy: float = Field(ge=0, le=1, description="accuracy on the validation images")
    validation_images: int | None = Field(
        None, description="number of validation images that it was evaluated on"
    )
    flash_bytes: float = Field(gt=0, description="size of the .tflite file")
    flash_is_estimated: bool = Field(
        description="whether the size is only the number of parameters, one byte each"
    )
    arena_bytes: float | None = Field(None, description="size of the tensor arena, if known")
    latency_ms: float | None = Field(
        None, description="predicted time per image on the board in milliseconds, if known"
    )
    exported: bool = Field(False, description="whether it is the exported network")
