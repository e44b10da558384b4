"""What was tried to convert a network to int8 without loss, as values for the manifest."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from eyetune.values.json_model import JsonModel


class Method(StrEnum):
    """How a network was converted to int8."""

    LEARNED = "learned"
    PLAIN = "plain"
    EQUALIZED = "equalized"
    FITTED_RANGES = "fitted-ranges"
    CORRECTED = "corrected"

    @property
    def description(self) -> str:
        """What the method does, as a short phrase."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    Method.LEARNED: "ranges learned in training",
    Method.PLAIN: "ranges from the smallest and largest values",
    Method.EQUALIZED: "cross-layer equalization",
    Method.FITTED_RANGES: "cross-layer equalization, ranges of least error",
    Method.CORRECTED: "cross-layer equalization, ranges of least error, bias correction",
}


class Conversion(JsonModel):
    """One conversion to int8, compared with the float network on validation images."""

    method: Method
    training_images: int = Field(gt=0, description="images from which ranges were found")
    int8_accuracy: float = Field(ge=0, le=1, description="accuracy on the validation images")
    agreement: float = Field(
        ge=0, le=1, description="share of the validation images with the same class as in float"
    )
    error: float = Field(
        ge=0,
        le=1,
        description="mean share of the probability that int8 gives to other classes than float",
    )
    chosen: bool = Field(False, description="whether the export uses it")
