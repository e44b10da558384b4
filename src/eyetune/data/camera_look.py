"""The look of a camera: what its lens, sensor and processor do to a picture, at random.

The order is that of the light: blur and shading of the lens, exposure and noise of the sensor,
white balance, and last the format in which pictures leave the camera. Each picture has strengths
of its own.

Pixels are treated as square roots of light, which is close to the usual gamma of 2.2. A gain of
light is then a factor of pixels, and the noise of photons is the same at every brightness: the
square root makes the variance of Poisson counts constant (Anscombe, 1948).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from eyetune.data.jpeg import jpeg
from eyetune.data.picture_properties import GRAY_WEIGHTS

# What the bits that RGB565 keeps of red, green and blue are multiples of. The firmware does not
# fill the others: white is 248, 252, 248.
RGB565_STEPS = (8.0, 4.0, 8.0)


@dataclass(frozen=True)
class CameraLook:
    """How strongly a camera changes its pictures. The defaults change nothing.

    Attributes:
        defocus: Largest standard deviation of the blur of the lens, as a share of the side.
        motion: Largest standard deviation of the blur of motion, as a share of the side.
        shading: Largest share of light that the corners lose.
        darkest: Smallest factor of pixels by exposure.
        brightest: Largest factor of pixels by exposure.
        noise: Standard deviation of noise without amplification, for pixels from 0 to 1.
        max_gain: Largest amplification of the sensor, which drowns in noise what was dark.
        red_cast: Largest logarithm of the factor of red light; blue changes the other way.
        blue_cast: Largest logarithm of the factor of blue light.
        green_tint: Largest logarithm of the factor of green light.
        rgb565: Share of the changed images whose last bits RGB565 cuts off.
        compressed: Share of the changed images that are compressed as JPEG.
        min_quality: Lowest quality of these, as in Pillow.
        max_quality: Highest quality of these.
    """

    defocus: float = 0.0
    motion: float = 0.0
    shading: float = 0.0
    darkest: float = 1.0
    brightest: float = 1.0
    noise: float = 0.0
    max_gain: float = 1.0
    red_cast: float = 0.0
    blue_cast: float = 0.0
    green_tint: float = 0.0
    rgb565: float = 0.0
    compressed: float = 0.0
    min_quality: float = 95.0
    max_quality: float = 95.0


# The registers are those of Espressif's driver:
# https://github.com/espressif/esp32-camera/blob/master/sensors/private_include/ov2640_settings.h
CAMERAS: Mapping[str, CameraLook] = MappingProxyType(
    {
        "ov2640": CameraLook(
            # The lens has a fixed focus. A thing that is much nearer than that, or a lens that was
            # turned, spreads a point over several percent of the picture's side.
            defocus=0.03,
            # Rows are exposed one after the other, for up to a frame (1/15 s at full resolution):
            # https://www.uctronics.com/download/cam_module/OV2640DS.pdf
            motion=0.02,
            # Modules see about 65 degrees: the fourth power of the cosine of half of that is 0.5.
            # https://www.waveshare.com/wiki/OV2640_Camera_Board
            shading=0.5,
            # `ae_levels_regs`: the brightness that automatic exposure aims at is 0x20 to 0x58,
            # and 0x3E by default.
            darkest=0x20 / 0x3E,
            brightest=0x58 / 0x3E,
            # The datasheet's signal-to-noise ratio of 40 dB: noise is 1% of full light, and half
            # of that in square roots of light.
            noise=0.005,
            # The driver's gain ceilings are 2 to 128. A network's pixel is the mean of several of
            # the camera's, which removes a part of the noise.
            max_gain=32.0,
            # `wb_modes_regs`: red gains are 0x42 (home) to 0x65 (cloudy), blue ones 0x4F to 0x71.
            # A wrong guess of the light leaves their quotient in the picture.
            red_cast=math.log(0x65 / 0x42),
            blue_cast=math.log(0x71 / 0x4F),
            # First pictures after the start are green, later ones purple:
            # https://github.com/espressif/esp32-camera/issues/383
            green_tint=0.15,
            # The firmware reads RGB565; pictures that people collect with the same camera are JPEG.
            rgb565=0.5,
            compressed=0.5,
            # The driver's usual qualities of 10 to 12 look good at the camera's resolution. Blocks
            # of a picture that is small already hide more.
            min_quality=40.0,
            max_quality=95.0,
        )
    }
)


def photograph(images: Any, look: CameraLook, seed: Any, share: float = 1.0) -> Any:
    """Change images at random so that they look like a camera's.

    Images that keep their look are the first of the batch, and those in RGB565 follow them: the
    images of an epoch are in random order already.

    Args:
        images: float32 in [0, 1], shape (N, height, width, channels), 1 or 3 channels. The sides
            are known.
        look: What the camera does.
        seed: Two integers, int64, shape (2,). The same seed gives the same result.
        share: Share of the images that are changed, 0 to 1. Default: 1.

    Returns:
        float32 in [0, 1], of the same shape.
    """
    seeds = iter(tf.unstack(tf.random.experimental.stateless_split(seed, 11)))
    # Rounded up or down at random, so that small batches have the share on average too.
    kept, images = _cut(images, 1 - share, tf.random.stateless_uniform([], next(seeds)))
    images = _blurred(images, look, seeds)
    images *= _factors(images, look, seeds)
    if look.noise:
        images += _noise(images, look, seeds)
    images = tf.clip_by_value(images * _white_balance(images, look, seeds), 0.0, 1.0)
    return tf.concat([kept, *_as_stored(images, look, next(seeds))], axis=0)


def _cut(images: Any, share: float, rounding: Any = 0.5) -> tuple[Any, Any]:
    """Return the first images and the others.

    Args:
        images: Shape (N, height, width, channels).
        share: Share of the first images, 0 to 1.
        rounding: What is added to their number before it is rounded down, 0 to 1.
    """
    count = tf.cast(tf.cast(tf.shape(images)[0], tf.float32) * share + rounding, tf.int32)
    return images[:count], images[count:]


def _uniform(images: Any, seeds: Any, low: float, high: float) -> Any:
    """Return a uniform random number for each image, shape (N,)."""
    return tf.random.stateless_uniform([tf.shape(images)[0]], next(seeds), low, high)


def _blurred(images: Any, look: CameraLook, seeds: Any) -> Any:
    """Blur with a Gaussian that motion makes longer, along an axis more than along the other."""
    defocus = _uniform(images, seeds, 0.0, look.defocus)
    motion = _uniform(images, seeds, 0.0, look.motion)
    angle = _uniform(images, seeds, 0.0, math.pi / 2)
    if not (look.defocus or look.motion):
        return images
    height, width, channels = images.shape[1:]
    down = _blur_matrices(height, tf.sqrt(defocus**2 + (motion * tf.sin(angle)) ** 2))
    across = _blur_matrices(width, tf.sqrt(defocus**2 + (motion * tf.cos(angle)) ** 2))
    images = tf.matmul(down, tf.reshape(images, [-1, height, width * channels]))
    images = tf.reshape(images, [-1, height, width, channels])
    return tf.einsum("nvw,nhwc->nhvc", across, images)


def _blur_matrices(size: int, deviation: Any) -> Any:
    """Return for each image the weights of all pixels of a line in each pixel, shape (N, s, s).

    Args:
        size: Number of pixels of a line, s.
        deviation: Standard deviation as a share of the line, shape (N,).
    """
    places = tf.range(size, dtype=tf.float32) / size
    squares = (places[:, tf.newaxis] - places) ** 2
    variance = tf.maximum(deviation, 1e-3 / size)[:, tf.newaxis, tf.newaxis] ** 2
    return tf.nn.softmax(-squares / (2 * variance), axis=-1)


def _factors(images: Any, look: CameraLook, seeds: Any) -> Any:
    """Return the factor of each pixel by exposure and shading, shape (N, height, width, 1)."""
    exposure = tf.exp(_uniform(images, seeds, math.log(look.darkest), math.log(look.brightest)))
    lost = _uniform(images, seeds, 0.0, look.shading)
    down, across = (tf.linspace(-1.0, 1.0, size) ** 2 for size in images.shape[1:3])
    distances = (down[:, tf.newaxis] + across) / 2  # squared; 1 in the corners
    shading = tf.sqrt(1 - lost[:, tf.newaxis, tf.newaxis] * distances)
    return (exposure[:, tf.newaxis, tf.newaxis] * shading)[..., tf.newaxis]


def _noise(images: Any, look: CameraLook, seeds: Any) -> Any:
    gain = tf.exp(_uniform(images, seeds, 0.0, math.log(look.max_gain)))
    deviation = look.noise * tf.sqrt(gain)
    values = tf.random.stateless_normal(tf.shape(images), next(seeds))
    return values * deviation[:, tf.newaxis, tf.newaxis, tf.newaxis]


def _white_balance(images: Any, look: CameraLook, seeds: Any) -> Any:
    """Return the factor of each channel, shape (N, 1, 1, channels); 1 for gray images."""
    if images.shape[-1] == 1:
        return 1.0
    warm = _uniform(images, seeds, -1.0, 1.0)
    green = _uniform(images, seeds, -look.green_tint, look.green_tint)
    light = tf.stack([look.red_cast * warm, green, -look.blue_cast * warm], axis=-1)
    return tf.exp(light / 2)[:, tf.newaxis, tf.newaxis, :]


def _as_stored(images: Any, look: CameraLook, seed: Any) -> list[Any]:
    """Return images in the formats of the camera, in their order, in three parts."""
    shortened, others = _cut(images, look.rgb565)
    share = look.compressed / (1 - look.rgb565) if look.rgb565 < 1 else 0.0
    unchanged, compressed = _cut(others, 1 - share)
    parts = [rgb565(shortened), unchanged]
    if look.compressed:
        quality = tf.random.stateless_uniform(
            [tf.shape(compressed)[0]], seed, look.min_quality, look.max_quality
        )
        parts.append(jpeg(compressed, quality))
    else:
        parts.append(compressed)
    return parts


def rgb565(images: Any) -> Any:
    """Return images without the last bits of each pixel, which RGB565 has no place for.

    Args:
        images: float32 in [0, 1], shape (N, height, width, channels), 1 or 3 channels.
    """
    steps = tf.constant(RGB565_STEPS)
    values = tf.floor(tf.round(images * 255) / steps) * steps / 255
    if images.shape[-1] == 1:
        values = tf.reduce_sum(values * tf.constant(GRAY_WEIGHTS), axis=-1, keepdims=True)
    return values
