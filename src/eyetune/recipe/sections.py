"""The sections of a recipe: every value with its range, its default and what it means."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

# Names as in https://keras.io/api/layers/activations/
ActivationName = Literal[
    "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "hard_silu", "hard_swish",
    "tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign", "mish", "linear",
]  # fmt: skip
# Names as in https://keras.io/api/optimizers/
OptimizerName = Literal[
    "adam", "sgd", "rmsprop", "adamw", "nadam", "adagrad", "adadelta", "adamax", "ftrl", "lion", "muon",
]  # fmt: skip
LearningRateSchedule = Literal["constant", "cosine", "one_cycle", "step", "exponential", "plateau"]
Precision = Literal["auto", "float32", "bfloat16"]
# A pre-trained network of https://keras.io/api/applications/, or none
BackboneName = Literal[
    "none", "vgg16", "mobilenet_v1", "mobilenet_v2", "efficientnet_b0", "resnet50"
]
# What every training measures; a model function may measure more.
MONITORS = ("val_loss", "val_accuracy", "loss", "accuracy")
HyperparameterValue = bool | int | float | str

WITH_MOMENTUM = ("sgd", "rmsprop")
KERAS_LEARNING_RATES = {"sgd": 0.01}  # Keras's own default is 0.001 for every other optimizer


class Section(BaseModel):
    """A part of a recipe: immutable, and strict about its names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Keep numbers and truth values apart, which pydantic takes for each other."""
        kind = cls.model_fields[str(info.field_name)].annotation
        if kind in (int, float) and isinstance(value, bool):
            raise PydanticCustomError("number_type", "a number")
        if kind is bool and not isinstance(value, bool):
            raise PydanticCustomError("truth_type", "true or false")
        return value


def _table(key: str) -> BeforeValidator:
    """Let a plain number stand for a table that holds only that one value."""

    def expand(value: Any) -> Any:
        return {key: value} if isinstance(value, int) and not isinstance(value, bool) else value

    return BeforeValidator(expand)


class DataSection(Section):
    """Which images, and how they are split."""

    source: str = Field(
        "cifar10", min_length=1, description="a name (`eyetune data list`) or a path"
    )
    validation: float = Field(
        0.2, gt=0, lt=1, description="share of the training images that validates"
    )
    test: float = Field(
        0.2, gt=0, lt=1, description="share held out as test where the source has no test split"
    )
    subset: int = Field(0, ge=0, description="use only the first N training images (0: all)")
    image_size: int = Field(
        32, ge=8, le=1024, description="side of the square images from a folder, in pixels"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="of the split, where the source has none")
    skip_unreadable: bool = Field(False, description="leave out image files that cannot be read")
    train_on_validation: bool = Field(
        False,
        description="train on the validation images too, once all choices are made: then only test tells",
    )


class AugmentSection(Section):
    """Variations of the training images, made afresh in each epoch; validation and test stay as
    they are.
    """

    noise: float = Field(
        0.0, ge=0, le=1, description="standard deviation of Gaussian noise, on pixels of 0 to 1"
    )
    flip: bool = Field(False, description="left and right swapped, for every second image")
    shift: int = Field(
        0, ge=0, le=512, description="largest shift in pixels; the border is filled by reflection"
    )
    rotate: float = Field(0.0, ge=0, le=180, description="largest rotation, in degrees")
    zoom: float = Field(
        0.0, ge=0, lt=1, description="largest share by which the picture grows or shrinks"
    )
    contrast: float = Field(0.0, ge=0, lt=1, description="largest share by which contrast changes")
    color: float = Field(
        0.0, ge=0, lt=1, description="largest share by which saturation and each channel change"
    )
    cutout: int = Field(
        0, ge=0, le=512, description="side of a square that is painted over, in pixels"
    )
    mixup: float = Field(
        0.0, ge=0, le=10, description="alpha of mixup: two images laid over each other (0: off)"
    )
    cutmix: float = Field(
        0.0, ge=0, le=10, description="alpha of cutmix: a part of one image in another (0: off)"
    )
    copies: int = Field(
        0,
        ge=0,
        le=50,
        description="variations added beside each unchanged image (0: every image is varied itself)",
    )

    @property
    def active(self) -> bool:
        """Whether anything is varied."""
        return any(value for name, value in self if name != "copies")

    @model_validator(mode="after")
    def _copies_vary(self) -> Self:
        if self.copies and not self.active:
            raise ValueError(
                "copies need something that varies them, for example augment.noise=0.05"
            )
        return self


class Block(Section):
    """Convolutions, each with an activation, then a max pooling."""

    filters: int = Field(32, ge=1, le=4096)
    convolutions: int = Field(1, ge=1, le=16)
    kernel_size: int = Field(3, ge=1, le=31, description="side of the square kernel, in pixels")
    stride: int = Field(1, ge=1, le=8, description="step of the first convolution, in pixels")
    residual: bool = Field(
        False, description="add the block's input to its output, before the last activation"
    )
    depthwise: bool = Field(
        False, description="depthwise-separable convolutions: far fewer weights"
    )
    activation: ActivationName | None = Field(None, description="in place of the model's")
    pool_size: int = Field(
        2, ge=1, le=16, description="side of the max pooling window (1: no pooling)"
    )


class DenseLayer(Section):
    """A hidden fully connected layer."""

    units: int = Field(64, ge=1, le=65536)
    activation: ActivationName | None = Field(None, description="in place of the model's")


LAB_BLOCKS = (Block(filters=32), Block(filters=64))


class ModelSection(Section):
    """The network: blocks or a pre-trained base, then dense layers. The lab's: 32 and 64 filters,
    64 units, relu.

    The name of a known network (`ZOO` and `PRETRAINED`) stands for its values: `model = "resnet8"`.
    """

    kind: Literal["cnn"] = "cnn"
    function: str = Field(
        "", description="a build_model(hp) in place of all below, as file.py:name"
    )
    hyperparameters: dict[str, HyperparameterValue] = Field(
        {}, description="what the function's hp holds"
    )
    base: BackboneName = Field(
        "none", description="a pre-trained network in place of the blocks, its weights frozen"
    )
    weights: str = Field(
        "imagenet",
        min_length=1,
        description="of the base: imagenet (downloaded by Keras), random, or a file",
    )
    trainable_from: str = Field(
        "", description="the base's first layer that fit.fine_tune_epochs train"
    )
    blocks: tuple[Annotated[Block, _table("filters")], ...] = Field(
        default_factory=lambda values: (
            () if values.get("base", "none") != "none" or values.get("function") else LAB_BLOCKS
        ),
        max_length=32,
    )
    dense: tuple[Annotated[DenseLayer, _table("units")], ...] = Field(
        (DenseLayer(units=64),), max_length=16
    )
    activation: ActivationName = "relu"
    width: float = Field(1.0, gt=0, le=16, description="multiplies the filters of all blocks")
    padding: Literal["valid", "same"] = "valid"
    batch_norm: bool = Field(
        False, description="batch normalization before each activation of a convolution"
    )
    global_pooling: bool = Field(False, description="global average pooling in place of flatten")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of activations dropped before each dense layer"
    )

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # a table has no hash of its own

    @property
    def has_function(self) -> bool:
        """Whether a user's function builds and compiles the network."""
        return bool(self.function)

    @property
    def has_backbone(self) -> bool:
        """Whether a pre-trained network stands in place of the blocks."""
        return self.base != "none"

    @field_validator("blocks")
    @classmethod
    def _blocks_or_a_base(
        cls, blocks: tuple[Block, ...], info: ValidationInfo
    ) -> tuple[Block, ...]:
        if not blocks and info.data.get("base") == "none" and not info.data.get("function"):
            raise PydanticCustomError("too_short", "at least 1 in the list")
        return blocks

    @model_validator(mode="after")
    def _function_in_place_of_all(self) -> Self:
        others = {
            name: value
            for name, value in self
            if name not in ("kind", "function", "hyperparameters", "blocks")
        }
        fields = type(self).model_fields
        changed = [name for name, value in others.items() if value != fields[name].default]
        if self.function and (changed or self.blocks):
            name = (changed or ["blocks"])[0]
            raise ValueError(
                f"function {self.function} builds the network, so {name} would do nothing"
            )
        if self.hyperparameters and not self.function:
            raise ValueError("hyperparameters are of a model function, but there is none")
        return self

    @model_validator(mode="after")
    def _base_in_place_of_blocks(self) -> Self:
        if not self.has_backbone:
            for name in ("weights", "trainable_from"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} is of a pre-trained network, but base is none")
            return self
        if self.blocks:
            raise ValueError(
                f"base {self.base} stands in place of the blocks, but there are some (blocks = [])"
            )
        for name in ("width", "padding", "batch_norm"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} is of blocks, but base {self.base} stands in place of them"
                )
        return self


def _stages(*filters: int, blocks: int, **values: Any) -> list[dict[str, Any]]:
    """Return blocks in stages, each stage after the first halving the picture as it begins."""
    return [
        {"filters": count, "stride": 2 if stage and not block else 1, "pool_size": 1, **values}
        for stage, count in enumerate(filters)
        for block in range(blocks)
    ]


_STEM = {"filters": 16, "pool_size": 1}
_WHOLE = {"padding": "same", "batch_norm": True, "global_pooling": True, "dense": []}

# Known networks, each as values of the model section; `model.width` makes them wider or narrower.
ZOO: dict[str, dict[str, Any]] = {
    "lab": {},
    # Simonyan and Zisserman, 2015 (arXiv:1409.1556), at the size of CIFAR
    "vgg": {
        "blocks": [{"filters": count, "convolutions": 2} for count in (32, 64, 128)],
        "padding": "same",
        "batch_norm": True,
        "dense": [128],
        "dropout": 0.3,
    },
    # MLPerf Tiny's image classification network (Banbury et al., 2021, arXiv:2106.07597)
    "resnet8": {
        **_WHOLE,
        "blocks": [_STEM, *_stages(16, 32, 64, blocks=1, convolutions=2, residual=True)],
    },
    # He et al., 2016 (arXiv:1512.03385), section 4.2
    "resnet20": {
        **_WHOLE,
        "blocks": [_STEM, *_stages(16, 32, 64, blocks=3, convolutions=2, residual=True)],
    },
    # Howard et al., 2017 (arXiv:1704.04861), at the size of CIFAR
    "mobilenet": {**_WHOLE, "blocks": [_STEM, *_stages(32, 64, 128, blocks=2, depthwise=True)]},
}

# Pre-trained networks, each with the lab's dense layer behind it. VGG16 is flattened, as in the
# lab; the others end in an average, as they were trained. mobilenet_v1 has a number since
# `mobilenet` is the small one, trained from nothing.
PRETRAINED: dict[str, dict[str, Any]] = {
    # Simonyan and Zisserman, 2015 (arXiv:1409.1556)
    "vgg16": {"base": "vgg16"},
    # Howard et al., 2017 (arXiv:1704.04861)
    "mobilenet_v1": {"base": "mobilenet_v1", "global_pooling": True},
    # Sandler et al., 2018 (arXiv:1801.04381)
    "mobilenet_v2": {"base": "mobilenet_v2", "global_pooling": True},
    # Tan and Le, 2019 (arXiv:1905.11946)
    "efficientnet_b0": {"base": "efficientnet_b0", "global_pooling": True},
    # He et al., 2016 (arXiv:1512.03385)
    "resnet50": {"base": "resnet50", "global_pooling": True},
}
# The first layer of the last stretch of each base: what fine-tuning trains where nothing else is
# known.
LAST_STRETCH = {
    "vgg16": "block5_conv1",
    "mobilenet_v1": "conv_dw_12",
    "mobilenet_v2": "block_14_expand",
    "efficientnet_b0": "block7a_expand_conv",
    "resnet50": "conv5_block1_1_conv",
}
NETWORKS = {**ZOO, **PRETRAINED}


def known_network(value: Any) -> Any:
    """Let a name stand for a known network's values, and file.py:name for a model function."""
    if not isinstance(value, str):
        return value
    if ".py:" in value or value.endswith((".py", ".pickle")):
        return {"function": value}
    if value not in NETWORKS:
        raise PydanticCustomError(
            "unknown_network", "the name of a known network, or a table of values"
        )
    return NETWORKS[value]


class OptimizerSection(Section):
    """How the weights are moved."""

    name: OptimizerName = "adam"
    learning_rate: float = Field(
        default_factory=lambda values: KERAS_LEARNING_RATES.get(values.get("name", ""), 0.001),
        gt=0,
        le=100,
    )
    schedule: LearningRateSchedule = Field(
        "constant", description="how the rate changes over the training"
    )
    warmup_epochs: float = Field(
        0.0, ge=0, le=1000, description="epochs in which the rate rises from 0"
    )
    momentum: float = Field(0.0, ge=0, lt=1, description="of sgd and rmsprop")
    nesterov: bool = Field(False, description="Nesterov momentum, of sgd")
    weight_decay: float = Field(0.0, ge=0, le=1)
    clip_norm: float = Field(
        0.0, ge=0, le=1e6, description="largest norm of a weight's gradient (0: any)"
    )
    fine_tune_learning_rate: float = Field(
        1e-5,
        gt=0,
        le=100,
        description="constant rate of fit.fine_tune_epochs; small, or what was learned is lost",
    )

    @model_validator(mode="after")
    def _momentum_has_an_optimizer(self) -> Self:
        if self.momentum and self.name not in WITH_MOMENTUM:
            raise ValueError(
                f"momentum is for {' and '.join(WITH_MOMENTUM)}, but the optimizer is {self.name}"
            )
        if self.nesterov and not (self.name == "sgd" and self.momentum):
            raise ValueError("nesterov needs the optimizer sgd and a momentum above 0")
        if self.schedule == "plateau" and self.warmup_epochs:
            raise ValueError(
                "the schedule plateau goes by the validation loss alone: it has no warm-up"
            )
        return self


class LossSection(Section):
    """What the training makes small."""

    name: Literal["categorical_crossentropy", "categorical_focal_crossentropy"] = (
        "categorical_crossentropy"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    teacher: str = Field(
        "", description="a run or a .keras file whose probabilities are learned too (distillation)"
    )
    teacher_share: float = Field(0.5, gt=0, le=1, description="share of the teacher in the loss")
    temperature: float = Field(
        2.0,
        gt=0,
        le=100,
        description="how much both probabilities are softened before they are compared (1: not)",
    )


class FitSection(Section):
    """How long, in what portions and with what arithmetic."""

    epochs: int = Field(10, ge=1, le=100_000)
    fine_tune_epochs: int = Field(
        0,
        ge=0,
        le=100_000,
        description="epochs after those, which train the base from model.trainable_from on",
    )
    batch_size: int = Field(32, ge=1, le=65536)
    early_stopping: int = Field(
        0, ge=0, description="stop after this many epochs without a better `monitor` (0: never)"
    )
    monitor: str = Field(
        "val_loss",
        min_length=1,
        description=f"what early stopping and keep_best go by: {' | '.join(MONITORS)}",
    )
    restore_best: bool = Field(
        True, description="with early stopping, end with the best epoch's weights"
    )
    keep_best: bool = Field(
        False, description="end with the best epoch's weights, also without early stopping"
    )
    precision: Precision = Field(
        "auto", description="bfloat16 is mixed: float32 weights, bfloat16 arithmetic"
    )
    class_weight: Literal["none", "balanced"] = "none"
    weight_averaging: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share that the running average of weights keeps at each step (0: no average)",
    )

    @property
    def total_epochs(self) -> int:
        """Epochs of all stages."""
        return self.epochs + self.fine_tune_epochs

    @model_validator(mode="after")
    def _stages_have_a_length(self) -> Self:
        if self.fine_tune_epochs and self.early_stopping:
            raise ValueError("early_stopping would end what fine_tune_epochs are to carry on")
        return self
