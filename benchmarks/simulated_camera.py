"""A camera that is computed from its parts, to take pictures of data sets with.

It shares no code and no numbers with `data.camera`: that draws the looks of pictures, and this
follows the light. A scene is lit by a black body and drawn on a sensor of 96x96 pixels by a lens
that is out of focus and darker at the border. Each pixel counts photons of one color. Missing
colors are interpolated, white balance assumes a gray world, the result is encoded with the curve of
sRGB and compressed by Pillow, and the mean of squares of pixels is the picture.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import convolve, gaussian_filter

SCALE = 3  # pixels of the sensor for each of the picture, across and down
HALF_ANGLE_DEGREES = 28.0  # of what the sensor sees, to a corner
MAX_DEFOCUS = 3.2  # standard deviation in pixels of the sensor
KELVINS = (2600.0, 8500.0)  # from a bulb to shade
DAYLIGHT_KELVINS = 5500.0
WAVELENGTHS = (605e-9, 540e-9, 455e-9)  # of red, green and blue, in meters
EXPOSURE_STOPS = (-1.3, 0.6)  # errors of automatic exposure
PHOTONS = (150.0, 4000.0)  # that white gives a pixel, from dusk to daylight
READ_NOISE = 5.0  # in photons
MAX_BALANCE = 1.7  # the largest gain of white balance
QUALITIES = (55, 90)  # of JPEG

Light = NDArray[np.float64]
Pictures = NDArray[np.uint8]


def photographs(pictures: Pictures, seed: int) -> Pictures:
    """Return pictures as the camera sees them.

    Args:
        pictures: uint8, shape (N, height, width, 3).
        seed: Random seed; each picture has conditions of its own.
    """
    seeds = np.random.SeedSequence(seed).spawn(len(pictures))
    return np.stack(
        [
            _photograph(picture, np.random.default_rng(own))
            for picture, own in zip(pictures, seeds, strict=True)
        ]
    )


def _photograph(picture: Pictures, random: np.random.Generator) -> Pictures:
    height, width = picture.shape[:2]
    size = (SCALE * width, SCALE * height)
    scene = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    light = _to_light(scene / 255) * _black_body(random.uniform(*KELVINS))
    light = gaussian_filter(light, (*(random.uniform(0.2, MAX_DEFOCUS),) * 2, 0), mode="nearest")
    light *= _vignette(size[1], size[0])[..., np.newaxis] * 2 ** random.uniform(*EXPOSURE_STOPS)
    white = np.exp(random.uniform(*np.log(PHOTONS)))
    colors = _demosaiced(_counted(light, white, random) / white)
    encoded = _to_encoding(np.clip(_balanced(colors), 0, 1))
    frame = _compressed(np.round(255 * encoded).astype(np.uint8), int(random.integers(*QUALITIES)))
    squares = frame.reshape(height, SCALE, width, SCALE, 3).mean(axis=(1, 3))
    return np.asarray(np.round(squares), np.uint8)


def _to_light(values: Light) -> Light:
    """Invert the curve of sRGB (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _to_encoding(light: Light) -> Light:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _black_body(kelvins: float) -> Light:
    """Return red, green and blue of a black body's light, beside daylight's (Planck's law)."""

    def radiance(temperature: float) -> Light:
        wavelengths = np.array(WAVELENGTHS)
        return wavelengths**-5 / np.expm1(0.014388 / (wavelengths * temperature))

    ratio = radiance(kelvins) / radiance(DAYLIGHT_KELVINS)
    return np.asarray(ratio / ratio[1])


def _vignette(height: int, width: int) -> Light:
    """Return the fourth power of the cosine of the angle at which light meets each pixel."""
    down, across = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    distance = np.sqrt((down[:, np.newaxis] ** 2 + across**2) / 2)
    angle = np.arctan(distance * np.tan(np.radians(HALF_ANGLE_DEGREES)))
    return np.asarray(np.cos(angle) ** 4)


def _counted(light: Light, white: float, random: np.random.Generator) -> Light:
    """Return the photons that each pixel counts, of the color that its filter lets through."""
    seen = np.zeros(light.shape[:2])
    for color, mask in enumerate(_mosaic(*light.shape[:2])):
        seen += light[..., color] * mask
    photons = random.poisson(np.clip(seen, 0, 1) * white)
    return np.asarray(photons + random.normal(0, READ_NOISE, photons.shape))


def _mosaic(height: int, width: int) -> tuple[Light, Light, Light]:
    """Return which pixels see red, green and blue: Bayer's pattern, with blue in the corner."""
    down, across = np.mgrid[:height, :width] % 2
    red, blue = down * across, (1 - down) * (1 - across)
    return red.astype(float), (1.0 - red - blue), blue.astype(float)


def _demosaiced(seen: Light) -> Light:
    """Interpolate the colors that a pixel does not see, between its neighbors that do."""
    near = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])
    channels = []
    for mask in _mosaic(*seen.shape):
        weights = convolve(mask, near, mode="mirror")
        channels.append(convolve(seen * mask, near, mode="mirror") / weights)
    return np.stack(channels, axis=-1)


def _balanced(colors: Light) -> Light:
    """Multiply channels until the picture is gray on average, which is wrong for most pictures."""
    means = np.maximum(colors.mean(axis=(0, 1)), 1e-3)
    gains = np.clip(means[1] / means, 1 / MAX_BALANCE, MAX_BALANCE)
    return np.asarray(colors * gains)


def _compressed(frame: Pictures, quality: int) -> Pictures:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "jpeg", quality=quality)
    return np.asarray(Image.open(stream))
