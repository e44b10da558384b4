"""The sections of a recipe for its images: each value with its range, default and meaning."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from eyetune.recipe.sections import Section

CameraName = Literal["none", "ov2640"]
CAMERA_SHARE = 0.08  # of the training images; see benchmarks/camera_gap.py
Resize = Literal["crop", "pad", "squash"]


class DataSection(Section):
    """The images and how they are split."""

    source: str = Field(
        "cifar10",
        min_length=1,
        description="name of a known data set (`eyetune data list`), or a path",
    )
    validation: float = Field(
        0.2, gt=0, lt=1, description="share of the training images used for validation"
    )
    test: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="share of the images held out for testing, if the source has no test split",
    )
    subset: int = Field(0, ge=0, description="use only the first N training images (0: all)")
    image_size: int = Field(
        32,
        ge=8,
        le=1024,
        description="side length of the square images made from a folder, in pixels",
    )
    resize: Resize = Field(
        "crop",
        description=(
            "how photos of a folder become square: the largest part in the center, as exported "
            "firmware takes it; all of the photo with black borders; or all of it, distorted"
        ),
    )
    grayscale: bool = Field(False, description="convert the images to one channel")
    seed: int = Field(
        0, ge=0, lt=2**32, description="random seed of the split, if the source is not split"
    )
    skip_unreadable: bool = Field(False, description="skip image files that cannot be read")
    camera: CameraName = Field(
        "none",
        description=(
            "change the training images at random, so that they look like those of this camera: "
            "blur, light, noise, colors, rounding and compression"
        ),
    )
    camera_share: float = Field(
        CAMERA_SHARE,
        gt=0,
        le=1,
        description=(
            "share of the training images that get the look of `camera`, others in each epoch "
            "(more: better on the camera, worse on clean images)"
        ),
    )
    train_on_validation: bool = Field(
        False,
        description=(
            "also train on the validation images, for the final training: "
            "only the test result is meaningful then"
        ),
    )
    calibration: float = Field(
        0.0,
        ge=0,
        lt=1,
        description=(
            "share of the validation images that neither the training nor a search sees, for the "
            "threshold of an export that refuses unknown pictures"
        ),
    )

    @model_validator(mode="after")
    def _check_calibration(self) -> Self:
        if self.calibration and self.train_on_validation:
            raise ValueError(
                "calibration images must not be trained on: "
                "set calibration to 0 or train_on_validation to false"
            )
        return self

    @model_validator(mode="after")
    def _check_share_has_a_camera(self) -> Self:
        if self.camera == "none" and self.camera_share != CAMERA_SHARE:
            raise ValueError("camera_share needs the name of a camera, but data.camera is none")
        return self

    @property
    def unchanged(self) -> DataSection:
        """The same images, as they are in the data set: without the look of a camera."""
        return self.model_copy(update={"camera": "none", "camera_share": CAMERA_SHARE})


class AugmentSection(Section):
    """Random changes to the training images, different in every epoch."""

    noise: float = Field(
        0.0,
        ge=0,
        le=1,
        description="standard deviation of Gaussian noise, for pixel values from 0 to 1",
    )
    flip: bool = Field(False, description="mirror half of the images horizontally, at random")
    upside_down: bool = Field(
        False,
        description="turn half of the images by 180 degrees, for a board that may hang upside down",
    )
    shift: int = Field(
        0, ge=0, le=512, description="largest shift, in pixels; the border is filled by reflection"
    )
    rotate: float = Field(0.0, ge=0, le=180, description="largest rotation, in degrees")
    zoom: float = Field(
        0.0, ge=0, lt=1, description="largest relative change of size (0.2: by up to 20%)"
    )
    contrast: float = Field(0.0, ge=0, lt=1, description="largest relative change of contrast")
    color: float = Field(
        0.0, ge=0, lt=1, description="largest relative change of saturation and of each channel"
    )
    cutout: int = Field(
        0, ge=0, le=512, description="side length of a square that is painted over, in pixels"
    )
    mixup: float = Field(
        0.0, ge=0, le=10, description="alpha of mixup, which blends two images (0: off)"
    )
    cutmix: float = Field(
        0.0,
        ge=0,
        le=10,
        description="alpha of CutMix, which pastes a part of one image into another (0: off)",
    )
    copies: int = Field(
        0,
        ge=0,
        le=50,
        description=(
            "augmented copies added to each unchanged image (0: the images themselves are changed)"
        ),
    )

    @property
    def active(self) -> bool:
        """Whether any image is changed."""
        return any(value for name, value in self if name != "copies")
