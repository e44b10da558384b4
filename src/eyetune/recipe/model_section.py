"""The model section of a recipe: blocks or a pre-trained network, then dense layers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from eyetune.recipe.sections import Section

# Names as in https://keras.io/api/layers/activations/
ActivationName = Literal[
    "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "hard_silu",
    "hard_swish", "tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign", "mish", "linear",
]  # fmt: skip
# A pre-trained network of https://keras.io/api/applications/, or none
BackboneName = Literal[
    "none", "vgg16", "mobilenet_v1", "mobilenet_v2", "efficientnet_b0", "resnet50"
]
HyperparameterValue = bool | int | float | str
# Value of `model.initial_weights`: weights in the package, pre-trained on CIFAR-10
CIFAR10_WEIGHTS = "cifar10"


def _table(key: str) -> BeforeValidator:
    """Accept a plain integer for a table with only this one key."""

    def expand(value: Any) -> Any:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return {key: value} if is_integer else value

    return BeforeValidator(expand)


def _none_for_text(value: Any) -> Any:
    """Accept "none", as comparisons write a missing value, for which TOML has no notation."""
    return None if value == "none" else value


# The activation of one block or layer; None: that of the whole network
LayerActivation = Annotated[ActivationName | None, BeforeValidator(_none_for_text)]


class Block(Section):
    """Convolutions, each with an activation, followed by max pooling.

    With `expansion`, the block is an inverted bottleneck instead, as in MobileNetV2
    (arXiv:1801.04381): a 1x1 convolution to more channels, a depthwise convolution, and a 1x1
    convolution to `filters` channels without an activation.
    """

    filters: int = Field(32, ge=1, le=4096, description="filters of each convolution")
    convolutions: int = Field(1, ge=1, le=16, description="convolutions in a row")
    kernel_size: int = Field(
        3, ge=1, le=31, description="side length of the square kernel, in pixels"
    )
    stride: int = Field(1, ge=1, le=8, description="stride of the first convolution, in pixels")
    residual: bool = Field(
        False,
        description=(
            "add the block's input to its output, before the last activation "
            "(with expansion: only where both have one shape)"
        ),
    )
    depthwise: bool = Field(
        False, description="depthwise-separable convolutions, which have far fewer weights"
    )
    expansion: int = Field(
        0,
        ge=0,
        le=16,
        description=(
            "an inverted bottleneck with a depthwise convolution of this many times the block's "
            "input channels (0: no bottleneck)"
        ),
    )
    activation: LayerActivation = Field(
        None, description="activation of this block, instead of the model's (none: the model's)"
    )
    pool_size: int = Field(
        2, ge=1, le=16, description="side length of the max pooling window (1: no pooling)"
    )

    @model_validator(mode="after")
    def _check_expansion(self) -> Self:
        if self.expansion and self.depthwise:
            raise ValueError(
                "expansion includes a depthwise convolution, so depthwise must be false"
            )
        if self.expansion and self.convolutions > 1:
            raise ValueError("a block with expansion is one unit, so convolutions must be 1")
        return self


class DenseLayer(Section):
    """A hidden fully connected layer."""

    units: int = Field(64, ge=1, le=65536, description="outputs of the layer")
    activation: LayerActivation = Field(
        None, description="activation of this layer, instead of the model's (none: the model's)"
    )


def _momentum(value: Any) -> Any:
    """Refuse in one sentence what is neither `auto` nor a momentum; a union would need two."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value == "auto" or (is_number and 0 <= value < 1):
        return value
    raise PydanticCustomError("momentum", "auto, or a number from 0 to below 1")


LAB_BLOCKS = (Block(filters=32), Block(filters=64))


class ModelSection(Section):
    """The network: blocks or a pre-trained backbone, followed by dense layers.

    The default is the lab's network: blocks of 32 and 64 filters, 64 hidden units, ReLU. The name
    of a known network (see `recipe.known_networks`) stands for its values: `model = "resnet8"`.
    """

    kind: Literal["cnn"] = "cnn"
    function: str = Field(
        "",
        description=(
            "a build_model(hp) function that builds the network instead, written file.py:name"
        ),
    )
    hyperparameters: dict[str, HyperparameterValue] = Field(
        {}, description="hyperparameter values (hp) for the function"
    )
    base: BackboneName = Field(
        "none", description="a pre-trained network instead of the blocks, with frozen weights"
    )
    weights: str = Field(
        "imagenet",
        min_length=1,
        description="weights of the base: imagenet (downloaded by Keras), random, or a file",
    )
    trainable_from: str = Field(
        "", description="the base's first layer that fit.fine_tune_epochs trains"
    )
    initial_weights: str = Field(
        "",
        description=(
            "initial weights of the blocks, which are trained further: cifar10 (in the package), "
            "a run, or the path of a .keras or .npz file (empty: random)"
        ),
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
    activation: ActivationName = Field(
        "relu", description="activation of all convolutions and hidden dense layers"
    )
    width: float = Field(1.0, gt=0, le=16, description="multiplies the filters of all blocks")
    padding: Literal["valid", "same"] = Field("valid", description="padding of the convolutions")
    batch_norm: bool = Field(
        False, description="batch normalization between each convolution and its activation"
    )
    batch_norm_momentum: Annotated[Literal["auto"] | float, BeforeValidator(_momentum)] = Field(
        "auto",
        description=(
            "share of its running averages that batch normalization keeps in each step "
            "(auto: fewer for short epochs)"
        ),
    )
    global_pooling: bool = Field(False, description="global average pooling instead of flattening")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of activations dropped before each dense layer"
    )

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # a dictionary has no hash

    @property
    def has_function(self) -> bool:
        """Whether a user's function builds and compiles the network."""
        return bool(self.function)

    @property
    def has_backbone(self) -> bool:
        """Whether the network has a pre-trained backbone instead of blocks."""
        return self.base != "none"

    @field_validator("blocks")
    @classmethod
    def _check_blocks_or_backbone(
        cls, blocks: tuple[Block, ...], info: ValidationInfo
    ) -> tuple[Block, ...]:
        if not blocks and info.data.get("base") == "none" and not info.data.get("function"):
            raise PydanticCustomError("too_short", "at least 1 in the list")
        return blocks

    @model_validator(mode="after")
    def _check_function_alone(self) -> Self:
        if self.hyperparameters and not self.function:
            raise ValueError("hyperparameters are for a model function, but function is empty")
        if not self.function:
            return self
        ignored = [
            name
            for name, field in type(self).model_fields.items()
            if name not in ("kind", "function", "hyperparameters", "blocks")
            and getattr(self, name) != field.default
        ]
        if self.blocks:
            ignored.append("blocks")
        if ignored:
            raise ValueError(
                f"function {self.function} builds the network, so {ignored[0]} would have no effect"
            )
        return self

    @model_validator(mode="after")
    def _check_backbone_alone(self) -> Self:
        if not self.has_backbone:
            for name in ("weights", "trainable_from"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} is for a pre-trained network, but base is none")
            return self
        if self.blocks:
            raise ValueError(f"base {self.base} replaces the blocks, so blocks must be []")
        for_blocks = ("initial_weights", "width", "padding", "batch_norm", "batch_norm_momentum")
        for name in for_blocks:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} is for blocks, but base {self.base} replaces them")
        return self
