"""The sections of a recipe: every value with its range, its default and its meaning."""

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
    "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "hard_silu",
    "hard_swish", "tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign", "mish", "linear",
]  # fmt: skip
# Names as in https://keras.io/api/optimizers/
OptimizerName = Literal[
    "adam", "sgd", "rmsprop", "adamw", "nadam", "adagrad", "adadelta", "adamax", "ftrl", "lion",
    "muon",
]  # fmt: skip
LearningRateSchedule = Literal["constant", "cosine", "one_cycle", "step", "exponential", "plateau"]
Precision = Literal["auto", "measured", "float32", "bfloat16"]
# A pre-trained network of https://keras.io/api/applications/, or none
BackboneName = Literal[
    "none", "vgg16", "mobilenet_v1", "mobilenet_v2", "efficientnet_b0", "resnet50"
]
# Metrics that every training measures. A model function may measure more.
MONITORS = ("val_loss", "val_accuracy", "loss", "accuracy")
HyperparameterValue = bool | int | float | str
# Value of `model.initial_weights`: weights in the package, pre-trained on CIFAR-10
CIFAR10_WEIGHTS = "cifar10"

WITH_MOMENTUM = ("sgd", "rmsprop")
KERAS_LEARNING_RATES = {"sgd": 0.01}  # Keras's default is 0.001 for every other optimizer


class Section(BaseModel):
    """A part of a recipe: immutable, and strict about its names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_mixed_up_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        """Keep numbers and Booleans apart: pydantic accepts each for the other."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        if annotation in (int, float) and isinstance(value, bool):
            raise PydanticCustomError("number_type", "a number")
        if annotation is bool and not isinstance(value, bool):
            raise PydanticCustomError("truth_type", "true or false")
        return value


def _table(key: str) -> BeforeValidator:
    """Accept a plain integer for a table with only this one key."""

    def expand(value: Any) -> Any:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return {key: value} if is_integer else value

    return BeforeValidator(expand)


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
    seed: int = Field(
        0, ge=0, lt=2**32, description="random seed of the split, if the source is not split"
    )
    skip_unreadable: bool = Field(False, description="skip image files that cannot be read")
    train_on_validation: bool = Field(
        False,
        description=(
            "also train on the validation images, for the final training: "
            "only the test result is meaningful then"
        ),
    )


class AugmentSection(Section):
    """Random changes to the training images, different in every epoch."""

    noise: float = Field(
        0.0,
        ge=0,
        le=1,
        description="standard deviation of Gaussian noise, for pixel values from 0 to 1",
    )
    flip: bool = Field(False, description="mirror half of the images horizontally, at random")
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

    @model_validator(mode="after")
    def _check_copies(self) -> Self:
        if self.copies and not self.active:
            raise ValueError(
                "copies need an augmentation that changes them, for example augment.noise=0.05"
            )
        return self


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
    activation: ActivationName | None = Field(
        None, description="activation of this block, instead of the model's"
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
    activation: ActivationName | None = Field(
        None, description="activation of this layer, instead of the model's"
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


class OptimizerSection(Section):
    """How the weights are updated."""

    name: OptimizerName = "adam"
    learning_rate: float = Field(
        default_factory=lambda values: KERAS_LEARNING_RATES.get(values.get("name", ""), 0.001),
        gt=0,
        le=100,
        description="learning rate, which `schedule` may change",
    )
    schedule: LearningRateSchedule = Field(
        "constant", description="how the learning rate changes during the training"
    )
    warmup_epochs: float = Field(
        0.0, ge=0, le=1000, description="epochs in which the learning rate rises from 0"
    )
    cycle_epochs: int = Field(
        0,
        ge=0,
        le=100_000,
        description="epochs of the schedule's first cycle (0: one cycle for the whole training)",
    )
    cycle_factor: float = Field(
        3.0,
        gt=1,
        le=100,
        description="each cycle of the schedule ends after this many times as many epochs",
    )
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of sgd and rmsprop")
    nesterov: bool = Field(False, description="Nesterov momentum, for sgd")
    weight_decay: float = Field(
        0.0, ge=0, le=1, description="decoupled weight decay (0: the optimizer's default)"
    )
    clip_norm: float = Field(
        0.0, ge=0, le=1e6, description="largest norm of each weight's gradient (0: no limit)"
    )
    fine_tune_learning_rate: float = Field(
        1e-5,
        gt=0,
        le=100,
        description=(
            "constant learning rate of fit.fine_tune_epochs; "
            "a small one preserves the pre-trained weights"
        ),
    )

    @model_validator(mode="after")
    def _check_optimizer_supports_values(self) -> Self:
        if self.momentum and self.name not in WITH_MOMENTUM:
            raise ValueError(
                f"momentum is for {' and '.join(WITH_MOMENTUM)}, but the optimizer is {self.name}"
            )
        if self.nesterov and not (self.name == "sgd" and self.momentum):
            raise ValueError("nesterov needs the optimizer sgd and a momentum above 0")
        if self.cycle_epochs and self.schedule in ("constant", "plateau"):
            raise ValueError(
                f"cycle_epochs is for a schedule that can start again, but it is {self.schedule}"
            )
        if self.schedule == "plateau" and self.warmup_epochs:
            raise ValueError(
                "the schedule plateau depends on the validation loss alone: it has no warm-up"
            )
        return self


class LossSection(Section):
    """The function that training minimizes."""

    name: Literal["categorical_crossentropy", "categorical_focal_crossentropy"] = (
        "categorical_crossentropy"
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of each label spread over all classes"
    )
    teacher: str = Field(
        "",
        description=(
            "a run or a .keras file whose predictions are learned as well as the labels "
            "(distillation)"
        ),
    )
    teacher_share: float = Field(0.5, gt=0, le=1, description="share of the teacher in the loss")
    temperature: float = Field(
        2.0,
        gt=0,
        le=100,
        description="softens the predictions of teacher and network before comparison (1: off)",
    )


class FitSection(Section):
    """The length, batch size and arithmetic of the training."""

    epochs: int = Field(10, ge=1, le=100_000, description="passes over the training images")
    seconds: float = Field(
        0.0,
        ge=0,
        le=1e8,
        description=(
            "time of the training in seconds, which its schedule follows; it ends after `epochs` "
            "at the latest (0: no limit)"
        ),
    )
    fine_tune_epochs: int = Field(
        0,
        ge=0,
        le=100_000,
        description="additional epochs that also train the base, from model.trainable_from on",
    )
    batch_size: int = Field(32, ge=1, le=65536, description="images in each training step")
    early_stopping: int = Field(
        0, ge=0, description="stop after this many epochs without a better `monitor` (0: never)"
    )
    monitor: str = Field(
        "val_loss",
        min_length=1,
        description=f"metric for early_stopping and keep_best: {' | '.join(MONITORS)}",
    )
    restore_best: bool = Field(
        True, description="with early stopping, return to the weights of the best epoch"
    )
    keep_best: bool = Field(
        False, description="always return to the weights of the best epoch at the end"
    )
    precision: Precision = Field(
        "auto",
        description=(
            "bfloat16 is mixed precision: float32 weights, bfloat16 arithmetic (auto: the faster "
            "one, measured; measured: also for a model function, which else keeps its own)"
        ),
    )
    class_weight: Literal["none", "balanced"] = Field(
        "none", description="balanced gives all classes the same total weight"
    )
    weight_averaging: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="decay of the running average of weights, for each step (0: no average)",
    )

    @property
    def total_epochs(self) -> int:
        """Number of epochs, fine-tuning included."""
        return self.epochs + self.fine_tune_epochs

    @model_validator(mode="after")
    def _check_stages_have_fixed_lengths(self) -> Self:
        if self.fine_tune_epochs and self.early_stopping:
            raise ValueError(
                "early_stopping would end the training before fine_tune_epochs start: "
                "set one of them to 0"
            )
        return self
