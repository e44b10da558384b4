"""A recipe: everything that defines one training, as one immutable value.

The default recipe is the lab's: CIFAR-10, two convolutions with pooling, one hidden dense layer, Adam.
It goes to TOML and back, and is edited by path:

    >>> recipe = Recipe().with_({"optimizer.learning_rate": 1e-4, "model.blocks.0.activation": "tanh"})
    >>> recipe.optimizer.learning_rate, recipe.model.blocks[0].activation
    (0.0001, 'tanh')
    >>> Recipe.from_toml(recipe.to_toml()) == recipe
    True
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from eyetune.errors import RecipeError, nearest

# Names as in https://keras.io/api/layers/activations/
ActivationName = Literal[
    "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "hard_silu", "hard_swish",
    "tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign", "mish", "linear",
]  # fmt: skip
# Names as in https://keras.io/api/optimizers/
OptimizerName = Literal[
    "adam", "sgd", "rmsprop", "adamw", "nadam", "adagrad", "adadelta", "adamax", "ftrl", "lion", "muon",
]  # fmt: skip
Schedule = Literal["constant", "cosine", "one_cycle", "step", "exponential", "plateau"]
Precision = Literal["auto", "float32", "bfloat16"]
Monitor = Literal["val_loss", "val_accuracy", "loss", "accuracy"]

WITH_MOMENTUM = ("sgd", "rmsprop")
# Besides its own error, a ValueError, tomllib lets through Python's for a number of too many digits or deep nesting.
_NOT_TOML = (ValueError, RecursionError)
KERAS_LEARNING_RATES = {"sgd": 0.01}  # Keras's own default is 0.001 for every other optimizer


class _Section(BaseModel):
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


class DataSection(_Section):
    """Which images, and how they are split."""

    source: str = Field("cifar10", min_length=1, description="a name (`eyetune data list`) or a path")
    validation: float = Field(0.2, gt=0, lt=1, description="share of the training images that validates")
    test: float = Field(0.2, gt=0, lt=1, description="share held out as test where the source has no test split")
    subset: int = Field(0, ge=0, description="use only the first N training images (0: all)")
    image_size: int = Field(32, ge=8, le=1024, description="side of the square images from a folder, in pixels")
    seed: int = Field(0, ge=0, lt=2**32, description="of the split, where the source has none")
    skip_unreadable: bool = Field(False, description="leave out image files that cannot be read")


class AugmentSection(_Section):
    """Variations of the training images, made afresh in each epoch; validation and test stay as they are."""

    noise: float = Field(0.0, ge=0, le=1, description="standard deviation of Gaussian noise, on pixels of 0 to 1")
    flip: bool = Field(False, description="left and right swapped, for every second image")
    shift: int = Field(0, ge=0, le=512, description="largest shift in pixels; the border is filled by reflection")
    rotate: float = Field(0.0, ge=0, le=180, description="largest rotation, in degrees")
    zoom: float = Field(0.0, ge=0, lt=1, description="largest share by which the picture grows or shrinks")
    contrast: float = Field(0.0, ge=0, lt=1, description="largest share by which contrast changes")
    color: float = Field(0.0, ge=0, lt=1, description="largest share by which saturation and each channel change")
    cutout: int = Field(0, ge=0, le=512, description="side of a square that is painted over, in pixels")
    mixup: float = Field(0.0, ge=0, le=10, description="alpha of mixup: two images laid over each other (0: off)")
    cutmix: float = Field(0.0, ge=0, le=10, description="alpha of cutmix: a part of one image in another (0: off)")
    copies: int = Field(
        0, ge=0, le=50, description="variations added beside each unchanged image (0: every image is varied itself)"
    )

    @property
    def active(self) -> bool:
        """Whether anything is varied."""
        return any(value for name, value in self if name != "copies")

    @model_validator(mode="after")
    def _copies_vary(self) -> Self:
        if self.copies and not self.active:
            raise ValueError("copies need something that varies them, for example augment.noise=0.05")
        return self


class Block(_Section):
    """Convolutions, each with an activation, then a max pooling."""

    filters: int = Field(32, ge=1, le=4096)
    convolutions: int = Field(1, ge=1, le=16)
    kernel_size: int = Field(3, ge=1, le=31, description="side of the square kernel, in pixels")
    stride: int = Field(1, ge=1, le=8, description="step of the first convolution, in pixels")
    residual: bool = Field(False, description="add the block's input to its output, before the last activation")
    depthwise: bool = Field(False, description="depthwise-separable convolutions: far fewer weights")
    activation: ActivationName | None = Field(None, description="in place of the model's")
    pool_size: int = Field(2, ge=1, le=16, description="side of the max pooling window (1: no pooling)")


class DenseLayer(_Section):
    """A hidden fully connected layer."""

    units: int = Field(64, ge=1, le=65536)
    activation: ActivationName | None = Field(None, description="in place of the model's")


class ModelSection(_Section):
    """The network: blocks, then dense layers. The lab's: 32 and 64 filters of 3x3, 64 dense units, relu.

    The name of a known network (`ZOO`) stands for its values: `model = "resnet8"`.
    """

    kind: Literal["cnn"] = "cnn"
    blocks: tuple[Annotated[Block, _table("filters")], ...] = Field(
        (Block(filters=32), Block(filters=64)), min_length=1, max_length=32
    )
    dense: tuple[Annotated[DenseLayer, _table("units")], ...] = Field((DenseLayer(units=64),), max_length=16)
    activation: ActivationName = "relu"
    width: float = Field(1.0, gt=0, le=16, description="multiplies the filters of all blocks")
    padding: Literal["valid", "same"] = "valid"
    batch_norm: bool = Field(False, description="batch normalization before each activation of a convolution")
    global_pooling: bool = Field(False, description="global average pooling in place of flatten")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of activations dropped before each dense layer")


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
    "resnet8": {**_WHOLE, "blocks": [_STEM, *_stages(16, 32, 64, blocks=1, convolutions=2, residual=True)]},
    # He et al., 2016 (arXiv:1512.03385), section 4.2
    "resnet20": {**_WHOLE, "blocks": [_STEM, *_stages(16, 32, 64, blocks=3, convolutions=2, residual=True)]},
    # Howard et al., 2017 (arXiv:1704.04861), at the size of CIFAR
    "mobilenet": {**_WHOLE, "blocks": [_STEM, *_stages(32, 64, 128, blocks=2, depthwise=True)]},
}


def _known_network(value: Any) -> Any:
    """Let a name stand for a known network's values."""
    if not isinstance(value, str):
        return value
    if value not in ZOO:
        raise ValueError(f"there is no network {value}. {nearest(value, ZOO)}")
    return ZOO[value]


class OptimizerSection(_Section):
    """How the weights are moved."""

    name: OptimizerName = "adam"
    learning_rate: float = Field(
        default_factory=lambda values: KERAS_LEARNING_RATES.get(values.get("name", ""), 0.001), gt=0, le=100
    )
    schedule: Schedule = Field("constant", description="how the rate changes over the training")
    warmup_epochs: float = Field(0.0, ge=0, le=1000, description="epochs in which the rate rises from 0")
    momentum: float = Field(0.0, ge=0, lt=1, description="of sgd and rmsprop")
    nesterov: bool = Field(False, description="Nesterov momentum, of sgd")
    weight_decay: float = Field(0.0, ge=0, le=1)
    clip_norm: float = Field(0.0, ge=0, le=1e6, description="largest norm of a weight's gradient (0: any)")

    @model_validator(mode="after")
    def _momentum_has_an_optimizer(self) -> Self:
        if self.momentum and self.name not in WITH_MOMENTUM:
            raise ValueError(f"momentum is for {' and '.join(WITH_MOMENTUM)}, but the optimizer is {self.name}")
        if self.nesterov and not (self.name == "sgd" and self.momentum):
            raise ValueError("nesterov needs the optimizer sgd and a momentum above 0")
        if self.schedule == "plateau" and self.warmup_epochs:
            raise ValueError("the schedule plateau goes by the validation loss alone: it has no warm-up")
        return self


class LossSection(_Section):
    """What the training makes small."""

    name: Literal["categorical_crossentropy", "categorical_focal_crossentropy"] = "categorical_crossentropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)


class FitSection(_Section):
    """How long, in what portions and with what arithmetic."""

    epochs: int = Field(10, ge=1, le=100_000)
    batch_size: int = Field(32, ge=1, le=65536)
    early_stopping: int = Field(
        0, ge=0, description="stop after this many epochs without a better `monitor` (0: never)"
    )
    monitor: Monitor = Field("val_loss", description="what early stopping watches")
    restore_best: bool = Field(True, description="with early stopping, end with the best epoch's weights")
    precision: Precision = Field("auto", description="bfloat16 is mixed: float32 weights, bfloat16 arithmetic")
    class_weight: Literal["none", "balanced"] = "none"
    weight_averaging: float = Field(
        0.0, ge=0, lt=1, description="share that the running average of weights keeps at each step (0: no average)"
    )


class Recipe(_Section):
    """Everything that defines one training.

    Args:
        data: Source, split and subset.
        augment: Variations of the training images.
        model: The network.
        optimizer: Name, rate and the rest.
        loss: Loss function and label smoothing.
        fit: Epochs, batch size, early stopping, precision.

    Raises:
        RecipeError: From `make`, `with_`, `from_toml` and `load`: a name is unknown or a value out of range.

    Example:
        >>> Recipe.make({"fit": {"epochs": 3}}).fit.epochs
        3
    """

    data: DataSection = DataSection()
    augment: AugmentSection = AugmentSection()
    model: Annotated[ModelSection, BeforeValidator(_known_network)] = ModelSection()
    optimizer: OptimizerSection = OptimizerSection()
    loss: LossSection = LossSection()
    fit: FitSection = FitSection()

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.optimizer.warmup_epochs >= self.fit.epochs:
            raise ValueError(
                f"optimizer.warmup_epochs ({self.optimizer.warmup_epochs:g}) must be below fit.epochs "
                f"({self.fit.epochs})"
            )
        return self

    @classmethod
    def make(cls, values: Mapping[str, Any], *, origin: str = "the recipe") -> Recipe:
        """Build a recipe from nested dictionaries; `origin` says in an error where they came from."""
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            raise _explain(error, origin) from None

    def with_(self, edits: Mapping[str, Any] | None = None, /, **more: Any) -> Recipe:
        """Return a copy with some values changed.

        A whole is changed before its parts: `{"model.blocks.2.filters": 16, "model.blocks": [8, 8, 8]}` makes 8, 8, 16.

        Args:
            edits: New values by path, for example `{"model.blocks.0.filters": 16}`.
            more: The same with a double underscore for the dot: `optimizer__learning_rate=0.01`.

        Raises:
            RecipeError: A path is unknown or a value out of its range.
        """
        paths = {**(edits or {}), **{name.replace("__", "."): value for name, value in more.items()}}
        parts = {path: value for path, value in paths.items() if any(path.startswith(f"{whole}.") for whole in paths)}
        if parts:
            wholes = {path: value for path, value in paths.items() if path not in parts}
            return self.with_(wholes).with_(parts)
        # Values left at their default stay open, so that a default that hangs on another value follows it.
        values = self.model_dump(exclude_unset=True)
        for path, value in paths.items():
            _put(values, self.model_dump(), path, value)
        return Recipe.make(values, origin="the edited recipe")

    def to_toml(self, *, comments: bool = False) -> str:
        """Return the recipe as TOML, every value written out; with `comments`, what each one means behind it."""
        import tomli_w

        text = tomli_w.dumps(self.model_dump(mode="json", exclude_none=True), indent=2)
        return _with_comments(text) if comments else text

    @classmethod
    def from_toml(cls, text: str, *, origin: str = "the recipe") -> Recipe:
        """Read a recipe from TOML; what is not given takes the default."""
        try:
            values = tomllib.loads(text)
        except _NOT_TOML as error:
            raise RecipeError(
                f"{origin} is not valid TOML.", received=error, fix="See https://toml.io for the notation."
            ) from None
        return cls.make(values, origin=origin)

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a recipe from a TOML file."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise RecipeError(
                f"The recipe {path} cannot be read.",
                received=error.strerror or error,
                fix="`eyetune recipe > recipe.toml` writes one to begin with.",
            ) from None
        except UnicodeDecodeError as error:
            raise RecipeError(f"The recipe {path} is not a text file.", received=error) from None
        return cls.from_toml(text, origin=str(path))

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that are the same for equal recipes only."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def values(self) -> dict[str, Any]:
        """Return every value by its path.

        Example:
            >>> Recipe().values()["model.blocks.0.filters"]
            32
        """
        return dict(_leaves(self.model_dump()))

    def difference(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """Return the values that differ, by path: (mine, the other's); None where one has no such place.

        Example:
            >>> Recipe().difference(Recipe().with_(fit__epochs=20))
            {'fit.epochs': (10, 20)}
        """
        mine, theirs = self.values(), other.values()
        paths = [*mine, *(path for path in theirs if path not in mine)]
        return {path: (mine.get(path), theirs.get(path)) for path in paths if mine.get(path) != theirs.get(path)}


def _with_comments(text: str) -> str:
    """Put behind each value of a recipe's TOML what it means and which names it takes."""
    section: type[BaseModel] = Recipe
    lines = []
    for line in text.splitlines():
        words = ""
        if line.startswith("["):
            section = _section_at(line.strip("[]").split("."))
            words = (section.__doc__ or "").partition(".")[0] if line.count(".") == 0 else ""
        elif re.match(r"\w+ = (?!\[$)", line):
            words = _meaning(section, line.partition(" ")[0])
        lines.append(f"{line}  # {words}" if words else line)
    return "\n".join(lines) + "\n"


def _meaning(section: type[BaseModel], name: str) -> str:
    field = section.model_fields[name]
    names = [str(one) for one in _flatten(field.annotation) if isinstance(one, str)]
    return "; ".join(part for part in (field.description, " | ".join(names)) if part)


def parse_edits(words: Iterable[str]) -> dict[str, Any]:
    """Read edits as the command line gives them: `path=value`, the value in TOML, or else plain text.

    Raises:
        RecipeError: There is no equals sign or no path.

    Example:
        >>> parse_edits(["fit.epochs=20", "model.activation=tanh", "model.blocks=[16, 32]"])
        {'fit.epochs': 20, 'model.activation': 'tanh', 'model.blocks': [16, 32]}
    """
    edits = {}
    for word in words:
        path, equals, text = word.partition("=")
        if not equals or not path.strip():
            raise RecipeError(
                "An edit is not of the form path=value.",
                received=word,
                fix="Write, for example, optimizer.learning_rate=1e-4.",
            )
        edits[path.strip()] = _toml_value(text.strip())
    return edits


def _toml_value(text: str) -> Any:
    try:
        values = tomllib.loads(f"value = {text}")
    except _NOT_TOML:
        return text
    return values["value"] if len(values) == 1 else text


def _put(values: dict[str, Any], full: Any, path: str, value: Any) -> None:
    """Set one value by path in nested plain values, filling the way down from the full recipe."""
    node: Any = values
    names = path.split(".")
    for depth, name in enumerate(names):
        key = _key(full, name, path, ".".join(names[:depth]))
        if depth == len(names) - 1:
            node[key] = value
            return
        full = full[key]
        if isinstance(node, dict) and key not in node:
            # A list is edited as a whole; a section only where it is named.
            node[key] = list(full) if isinstance(full, list | tuple) else {}
        elif isinstance(node[key], tuple):
            node[key] = list(node[key])
        node = node[key]


def _key(node: Any, name: str, path: str, parent: str) -> str | int:
    if isinstance(node, dict) and name in node:
        return name
    if isinstance(node, list | tuple) and name in map(str, range(len(node))):
        return int(name)
    if isinstance(node, dict):
        raise RecipeError(f"A recipe has no {path}.", received=name, fix=nearest(name, node))
    if not isinstance(node, list | tuple):
        raise RecipeError(f"A recipe has no {path}.", expected=f"nothing below {parent}", received=name)
    raise RecipeError(
        f"A recipe has no {path}.",
        expected=f"{parent}: a place from 0 to {len(node) - 1}",
        received=name,
        fix=f"To make the list longer, give all of it, for example --set {parent}=[16, 32, 64].",
    )


def _join(*names: object) -> str:
    return ".".join(str(name) for name in names if name != "")


def _leaves(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, _join(path, key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _leaves(child, _join(path, index))
    else:
        yield path, value


def _explain(error: pydantic.ValidationError, origin: str) -> RecipeError:
    """Turn pydantic's first complaint into one error with the path, the range, the value and a way out."""
    # What hangs on a wrong value fails with it (a default that follows it, a list's length without it): an echo.
    raised = error.errors()
    complaints = [
        one
        for one in raised
        if one["type"] != "default_factory_not_called"
        and not any(other["loc"] != one["loc"] == other["loc"][: len(one["loc"])] for other in raised)
    ]
    first, more = complaints[0], len(complaints) - 1
    location = first["loc"]
    path = _join(*location)
    suffix = f" (also wrong: {', '.join(_join(*one['loc']) for one in complaints[1:6])})" if more else ""
    origin = origin[0].upper() + origin[1:] if origin.startswith("the ") else origin
    if first["type"] == "extra_forbidden":
        known = _known_names(location[:-1])
        return RecipeError(
            f"{origin} has an unknown name, {path}{suffix}.",
            received=location[-1],
            fix=nearest(str(location[-1]), known),
        )
    if first["type"] == "value_error":
        message = first["msg"].removeprefix("Value error, ")
        where = f" at {path}" if path else ""
        return RecipeError(f"{origin} contradicts itself{where}{suffix}: {message}.", fix="Change one of the two.")
    fix = None
    if first["type"] == "literal_error":
        fix = nearest(str(first["input"]), _literal_names(location))
    return RecipeError(
        f"{origin} has a value that cannot be used{f' at {path}' if path else ''}{suffix}.",
        expected=_expectation(first["msg"]),
        received=_short(first["input"]),
        fix=fix,
    )


def _expectation(message: str) -> str:
    text = message.removeprefix("Input should be ")
    for jargon, words in _IN_WORDS.items():
        text = re.sub(jargon, words, text)
    return text[0].lower() + text[1:]


_IN_WORDS = {
    r"a valid integer.*": "a whole number",
    r"a valid number.*": "a number",
    r"a valid tuple": "a list",
    r"a valid dictionary or instance of \w+": "a table of values",
    r"Tuple should have (at least|at most) (\d+) items? after validation.*": r"\1 \2 in the list",
}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def _section_at(location: Iterable[str | int]) -> type[BaseModel]:
    section: type[BaseModel] = Recipe
    for name in location:
        if isinstance(name, int):
            continue
        annotation = section.model_fields[name].annotation
        section = next(kind for kind in _flatten(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel))
    return section


def _known_names(location: Iterable[str | int]) -> list[str]:
    return list(_section_at(location).model_fields)


def _literal_names(location: tuple[str | int, ...]) -> list[str]:
    annotation = _section_at(location[:-1]).model_fields[str(location[-1])].annotation
    return [str(name) for name in _flatten(annotation) if isinstance(name, str)]


def _flatten(annotation: Any) -> Iterable[Any]:
    arguments = get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _flatten(argument)
