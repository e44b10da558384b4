"""Transfer learning: a backbone that was pre-trained on ImageNet, with a new head for the classes.

The backbone always works in inference mode, also while the network around it is trained: its batch
normalizations keep their statistics and its dropout is off. Keras's `base(images, training=False)`
does not achieve that, because `fit` passes its own `training` argument to every layer.
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

MIN_SIDE = 32  # in pixels, for Keras's applications

# Mean and standard deviation of the ImageNet images in red, green and blue.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
# Keras's ImageNet weights of EfficientNet need (x - mean) / deviation, but its normalization layer,
# whose weights come from the file, divides by the square root of the deviation only. Keras adds
# another division after that layer if it loads these weights itself. Here the missing factor is
# applied before it, to the distance from the mean.
_LIFT = tuple(deviation**-0.5 for deviation in _DEVIATION)


@dataclass(frozen=True)
class Backbone:
    """A pre-trained network of Keras.

    Attributes:
        application: Its name in `keras.applications`.
        file: Name of the file to which Keras downloads its ImageNet weights.
        scale: Factor of each channel, for pixels in [0, 1].
        offset: Number that is then added to each channel.
        reverse: Whether its channels are blue, green, red.
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
    """Build a network of preprocessing, a frozen backbone with random weights, and a head.

    Args:
        section: The recipe's model section, with a base.
        image_shape: Height and width in pixels, at least 32, and 3 channels.
        num_classes: Number of outputs, at least 2.
        dtype: Keras dtype policy; preprocessing and softmax are always in float32.

    Returns:
        A Keras model, like that of `build.build`.

    Raises:
        RecipeError: The images are too small for the backbone or have no three channels, or
            `trainable_from` is not one of its layers.

    Example:
        >>> network = build(ModelSection(base="vgg16"), (32, 32, 3), 10)
        >>> [type(layer).__name__ for layer in network.layers]
        ['InputLayer', 'Rescaling', 'Functional', 'Flatten', 'Dense', 'Dense']
    """
    import keras

    _check_images(section.base, image_shape)
    properties = BACKBONES[section.base]
    images = keras.layers.Input(image_shape)
    outputs = keras.layers.Rescaling(
        list(properties.scale), offset=list(properties.offset), dtype="float32"
    )(images)
    if properties.reverse:
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
    """Build a backbone alone: random weights, frozen, without dropout."""
    import keras

    with _policy(dtype):
        application = getattr(keras.applications, BACKBONES[name].application)
        backbone = application(include_top=False, weights=None, input_shape=image_shape)
    backbone.trainable = False
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return backbone


@contextmanager
def _policy(dtype: str) -> Iterator[None]:
    """Set Keras's dtype policy meanwhile: its applications have no argument for it."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def backbone_of(network: keras.Model) -> keras.Model:
    """Return the backbone in a network from `build`."""
    return network.layers[_backbone_index(network)]


def features_of(network: keras.Model) -> keras.Model:
    """Return the part of a network up to the features: from images to one row for each image.

    It shares the layers of the network, and does not change while the backbone is frozen.
    """
    import keras

    flattened = network.layers[_backbone_index(network) + 1]
    return keras.Model(network.input, flattened.output, name="features")


def head_of(network: keras.Model) -> keras.Model:
    """Return the part of a network from the features to the probabilities; it shares the layers."""
    import keras

    index = _backbone_index(network)
    inputs = outputs = keras.layers.Input(network.layers[index + 1].output.shape[1:])
    for layer in network.layers[index + 2 :]:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs, name="head")


def _backbone_index(network: keras.Model) -> int:
    import keras

    return next(
        index for index, layer in enumerate(network.layers) if isinstance(layer, keras.Model)
    )


def thaw(network: keras.Model, first: str) -> None:
    """Make the backbone trainable from a layer on.

    Normalization layers stay frozen, because they would lose their statistics.

    Args:
        network: From `build`.
        first: Name of the first trainable layer, in the order of Keras's `summary`; empty freezes
            the whole backbone.
    """
    import keras

    backbone = backbone_of(network)
    backbone.trainable = bool(first)
    names = [layer.name for layer in backbone.layers]
    for index, layer in enumerate(backbone.layers):
        fixed = isinstance(layer, keras.layers.BatchNormalization | keras.layers.Normalization)
        layer.trainable = bool(first) and not fixed and index >= names.index(first)


def _check_trainable_from(section: ModelSection, backbone: keras.Model) -> None:
    names = [layer.name for layer in backbone.layers if layer.weights]
    if section.trainable_from and section.trainable_from not in names:
        raise RecipeError(
            f"{section.base} has no layer {section.trainable_from} with weights.",
            expected=f"model.trainable_from: one of its {len(names)} layers with weights",
            received=section.trainable_from,
            fix=nearest(section.trainable_from, names),
        )


def _check_images(base: str, image_shape: tuple[int, int, int]) -> None:
    height, width, channels = image_shape
    if channels != 3:
        raise RecipeError(
            f"The base {base} needs color images.",
            expected="3 channels",
            received=f"{channels} channel(s)",
            fix=(
                "Set data.grayscale=false, or store the images in color (gray: the same values "
                "three times), or use a network without a base."
            ),
        )
    if min(height, width) < MIN_SIDE:
        raise RecipeError(
            f"The images are too small for the base {base}.",
            expected=f"at least {MIN_SIDE}x{MIN_SIDE} pixels",
            received=f"{height}x{width}",
            fix="Use larger images (for a folder: --image-size 32), or a network without a base.",
        )
