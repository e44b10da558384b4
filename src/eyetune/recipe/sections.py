"""The sections of a recipe for its training: each value with its range, default and meaning."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from eyetune.values.history import History

# Names as in https://keras.io/api/optimizers/
OptimizerName = Literal[
    "adam", "sgd", "rmsprop", "adamw", "nadam", "adagrad", "adadelta", "adamax", "ftrl", "lion",
    "muon",
]  # fmt: skip
LearningRateSchedule = Literal["constant", "cosine", "one_cycle", "step", "exponential", "plateau"]
Precision = Literal["auto", "measured", "float32", "bfloat16"]
# Metrics that every training measures. A model function may measure more.
MONITORS = ("val_loss", "val_accuracy", "loss", "accuracy")
WITH_MOMENTUM = ("sgd", "rmsprop")
NEVER_RESTARTED = ("constant", "plateau")  # schedules that have no end
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


class OptimizerSection(Section):
    """How the weights are updated."""

    name: OptimizerName = Field("adam", description="rule that updates the weights")
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
    restarts: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = Field(
        (),
        description=(
            "numbers of epochs after which the schedule starts again, over the epochs up to the "
            "next one or to the end (`eyetune train --resume RUN --epochs N` adds one)"
        ),
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

    quantize_learning_rate: float = Field(
        0.0,
        ge=0,
        le=100,
        description=(
            "first learning rate of fit.quantize_epochs, which falls to 0 (0: a hundredth of "
            "learning_rate)"
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
        if self.cycle_epochs and self.schedule in NEVER_RESTARTED:
            raise ValueError(
                f"cycle_epochs is for a schedule that can start again, but it is {self.schedule}"
            )
        if self.restarts and self.schedule in NEVER_RESTARTED:
            raise ValueError(
                f"restarts are for a schedule that can start again, but it is {self.schedule}"
            )
        if list(self.restarts) != sorted(set(self.restarts)):
            raise ValueError(f"restarts must rise, but they are {list(self.restarts)}")
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
    quantize: Literal["none", "int8"] = Field(
        "none",
        description=(
            "int8 adds a last stage that trains with the rounding of int8, so that a board loses "
            "no accuracy (quantization-aware training)"
        ),
    )
    quantize_epochs: int = Field(
        3, ge=1, le=100_000, description="additional epochs of that stage, after all others"
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
        "none",
        description=(
            "balanced: images of classes with few images count more in the loss, so that all "
            "classes have the same total weight"
        ),
    )
    sampling: Literal["all", "balanced"] = Field(
        "all",
        description=(
            "balanced: each epoch draws as many images of each class, those of rare classes "
            "several times (all: each image once)"
        ),
    )
    weight_averaging: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="decay of the running average of weights, for each step (0: no average)",
    )

    @property
    def total_epochs(self) -> int:
        """Number of epochs, fine-tuning and quantization included."""
        return self.float_epochs + (self.quantize_epochs if self.quantize != "none" else 0)

    @property
    def float_epochs(self) -> int:
        """Number of epochs in float, fine-tuning included."""
        return self.epochs + self.fine_tune_epochs

    @property
    def has_further_stages(self) -> bool:
        """Whether fine-tuning or quantization follows, which early stopping would cut off."""
        return self.total_epochs > self.epochs

    def counted(self, history: History) -> History:
        """Return the epochs of which `keep_best` keeps the best.

        Epochs in float do not count once the network is trained with the rounding of int8.

        Args:
            history: All epochs that are trained.
        """
        is_quantized = self.quantize != "none" and len(history) > self.float_epochs
        return history[self.float_epochs :] if is_quantized else history

    @model_validator(mode="after")
    def _check_classes_are_balanced_once(self) -> Self:
        if self.sampling != "all" and self.class_weight != "none":
            raise ValueError(
                "sampling and class_weight would count rare classes twice: "
                "set sampling to all or class_weight to none"
            )
        return self

    @model_validator(mode="after")
    def _check_stages_have_fixed_lengths(self) -> Self:
        if self.fine_tune_epochs and self.early_stopping:
            raise ValueError(
                "early_stopping would end the training before fine_tune_epochs start: "
                "set one of them to 0"
            )
        if self.quantize != "none" and self.early_stopping:
            raise ValueError(
                "early_stopping would end the training before quantize_epochs start: "
                "set early_stopping to 0 or quantize to none"
            )
        return self
