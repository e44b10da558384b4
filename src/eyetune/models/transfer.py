"""Transfer learning: a network that was pre-trained on ImageNet, frozen, with a small head for the
classes at hand.

The base works as it does when it is used, also while a network around it is trained: its batch
normalizations keep their statistics and its dropout is off. Keras's `base(images, training=False)`
does not reach that, since `fit` passes its own `training` to every layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eyetune.errors import RecipeError, nearest
from eyetune.models import cnn
from eyetune.recipe import ModelSection

if TYPE_CHECKING:
    import keras

MIN_SIDE = 32  # pixels: what Keras's applications take

# Of the ImageNet images, by channel: red, green, blue.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
# Keras's ImageNet weights of EfficientNet want (x - mean) / deviation, but its normalization, whose
# weights come from the file, divides by the root of the deviation only. Keras puts another division
# behind that where it loads those weights itself; here it is done before, on the distance from the
# mean.
_LIFT = tuple(deviation**-0.5 for deviation in _DEVIATION)


@dataclass(frozen=True)
class Backbone:
    """A pre-trained network of Keras.

    Attributes:
        application: Its name in `keras.applications`.
        file: The file that Keras downloads its ImageNet weights to.
        scale: Factor on pixels in [0, 1], by channel, that makes what it was trained on.
        offset: What is then added, by channel.
        reverse: Whether it takes the channels as blue, green, red.
    """

    application: str
    file: str
    scale: Sequence[float]
    offset: Sequence[float]
    reverse: bool = False


_CAFFE: dict[str, Any] = {
    "scale": (255.0,) * 3,
    "offset": (-123.68, -116.779, -103.939),
    "reverse": True,
}
_SYMMETRIC: dict[str, Any] = {"scale": (2.0,) * 3, "offset": (-1.0,) * 3}
_LIFTED: dict[str, Any] = {
    "scale": tuple(255 * lift for lift in _LIFT),
    "offset": tuple(255 * mean * (1 - lift) for mean, lift in zip(_MEAN, _LIFT, strict=True)),
}
BACKBONES = {
    "vgg16": Backbone("VGG16", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", **_CAFFE),
    "mobilenet_v1": Backbone("MobileNet", "mobilenet_1_0_224_tf_no_top.h5", **_SYMMETRIC),
    "mobilenet_v2": Backbone(
        "MobileNetV2",
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        **_SYMMETRIC,
    ),
    "efficientnet_b0": Backbone("EfficientNetB0", "efficientnetb0_notop.h5", **_LIFTED),
    "resnet50": Backbone(
        "ResNet50", "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", **_CAFFE
    ),
}


def build(
    section: ModelSection,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    dtype: str = "float32",
) -> keras.Model:
    """Build a base with random weights, frozen, between its preprocessing and a head.

    Args:
        section: The recipe's model section, with a base.
        image_shape: Height and width in pixels, at least 32, and 3 channels.
        num_classes: Number of outputs, at least 2.
        dtype: Keras dtype policy; preprocessing and softmax are always in float32.

    Returns:
        A Keras model as that of `build.build`.

    Raises:
        RecipeError: The base cannot take such images.

    Example:
        >>> network = build(ModelSection(base="vgg16"), (32, 32, 3), 10)
        >>> [type(layer).__name__ for layer in network.layers]
        ['InputLayer', 'Rescaling', 'Functional', 'Flatten', 'Dense', 'Dense']
    """
    import keras

    _check_images(section.base, image_shape)
    chosen = BACKBONES[section.base]
    images = keras.layers.Input(image_shape)
    outputs = keras.layers.Rescaling(
        list(chosen.scale), offset=list(chosen.offset), dtype="float32"
    )(images)
    if chosen.reverse:
        outputs = keras.ops.flip(outputs, axis=-1)
    backbone = build_backbone(section.base, image_shape, dtype=dtype)
    _check_trainable_from(section, backbone)
    outputs = backbone(outputs)
    for layer in cnn.head(section, num_classes, dtype):
        outputs = layer(outputs)
    return keras.Model(images, outputs, name=f"{section.base}_transfer")


def build_backbone(
    name: str, image_shape: tuple[int, int, int], *, dtype: str = "float32"
) -> keras.Model:
    """Build a base alone, with random weights, frozen and without dropout."""
    import keras

    with _policy(dtype):
        application = getattr(keras.applications, BACKBONES[name].application)
        base = application(include_top=False, weights=None, input_shape=image_shape)
    base.trainable = False
    for layer in base.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return base


@contextmanager
def _policy(dtype: str) -> Iterator[None]:
    """Let Keras's applications, which take no dtype, be built in one."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def backbone_of(network: keras.Model) -> keras.Model:
    """Return the base in a network from `build`."""
    return network.layers[_place_of_base(network)]


def features_of(network: keras.Model) -> keras.Model:
    """Return the part of a network that a frozen base leaves as it is: from images to float
    features in one row.
    """
    import keras

    flattened = network.layers[_place_of_base(network) + 1]
    return keras.Model(network.input, flattened.output, name="features")


def head_of(network: keras.Model) -> keras.Model:
    """Return the rest of a network, from features to probabilities. Its layers are the network's
    own.
    """
    import keras

    place = _place_of_base(network)
    inputs = outputs = keras.layers.Input(network.layers[place + 1].output.shape[1:])
    for layer in network.layers[place + 2 :]:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs, name="head")


def _place_of_base(network: keras.Model) -> int:
    import keras

    return next(
        place for place, layer in enumerate(network.layers) if isinstance(layer, keras.Model)
    )


def thaw(network: keras.Model, first: str) -> None:
    """Let the base be trained from a layer on; batch normalizations stay frozen, for they would
    lose their statistics.

    Args:
        network: From `build`.
        first: Name of the layer, in the order of Keras's `summary`; empty freezes the base as a
            whole.
    """
    import keras

    base = backbone_of(network)
    base.trainable = bool(first)
    names = [layer.name for layer in base.layers]
    for place, layer in enumerate(base.layers):
        fixed = isinstance(layer, keras.layers.BatchNormalization | keras.layers.Normalization)
        layer.trainable = bool(first) and not fixed and place >= names.index(first)


def _check_trainable_from(section: ModelSection, backbone: keras.Model) -> None:
    names = [layer.name for layer in backbone.layers if layer.weights]
    if section.trainable_from and section.trainable_from not in names:
        raise RecipeError(
            f"{section.base} has no layer {section.trainable_from} to train from.",
            expected=f"model.trainable_from: one of its {len(names)} layers with weights",
            received=section.trainable_from,
            fix=nearest(section.trainable_from, names),
        )


def _check_images(base: str, image_shape: tuple[int, int, int]) -> None:
    height, width, channels = image_shape
    if channels != 3:
        raise RecipeError(
            f"The base {base} takes colour images only.",
            expected="images of 3 channels",
            received=f"{channels} channel(s)",
            fix="Store the images in colour (grey: the same values three times), or use a network without a base.",
        )
    if min(height, width) < MIN_SIDE:
        raise RecipeError(
            f"The images are too small for the base {base}.",
            expected=f"at least {MIN_SIDE}x{MIN_SIDE} pixels",
            received=f"{height}x{width}",
            fix="Use larger images (of a folder: --image-size 32), or a network without a base.",
        )
