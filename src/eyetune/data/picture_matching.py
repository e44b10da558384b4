"""Give pictures a property of other pictures, and leave their other properties alone.

A value that differs from picture to picture, such as brightness, is moved to the same quantile of
the other pictures: the darkest picture becomes as bright as the darkest of the others.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from eyetune.data.dataset import Images
from eyetune.data.picture_properties import (
    GRAY_WEIGHTS,
    NEARLY_NOTHING,
    PICTURES_AT_ONCE,
    Measure,
    Values,
    measured,
)

MAX_GAIN = 4.0  # of pixels: more only amplifies noise
MAX_BLUR = 0.15  # standard deviation as a share of the shorter side
BLUR_STEPS = 14  # of a bisection, which halves the error each time
MAX_SAMPLES = 300  # pictures on which a strength is found

# Ways in which a camera can be mounted, as quarter turns to the left and mirror images.
UPSIDE_DOWN = "turned by 180 degrees"
ORIENTATIONS = {
    UPSIDE_DOWN: (2, False),
    "turned left by 90 degrees": (1, False),
    "turned right by 90 degrees": (3, False),
    "mirrored": (0, True),
    "mirrored and turned by 180 degrees": (2, True),
}
# Cuts out a part of each side, or adds a reflected border.
ZOOMS = (0.67, 0.8, 1.25, 1.5, 2.0)


def matched(values: Values, reference: Values) -> Values:
    """Return the values at the same quantiles of other values.

    Example:
        >>> matched(np.array([3.0, 1.0, 2.0]), np.arange(0.0, 61.0)).tolist()
        [50.0, 10.0, 30.0]
    """
    ranks = np.argsort(np.argsort(values, kind="stable"))
    return np.asarray(np.quantile(reference, (ranks + 0.5) / len(values)))


def with_colors_of(images: Images, others: Images) -> Images:
    """Return pictures with the warmth and greenness of others, as bright as before."""
    shifts = [
        matched(measured(images, measure), measured(others, measure)) - measured(images, measure)
        for measure in (Measure.WARMTH, Measure.GREENNESS)
    ]
    red = shifts[0] / 2 - shifts[1] / 3
    green = shifts[1] * 2 / 3
    blue = -shifts[0] / 2 - shifts[1] / 3
    gains = np.exp(np.stack([red, green, blue], axis=1))
    means = images.mean(axis=(1, 2), dtype=np.float64) + NEARLY_NOTHING
    weights = np.array(GRAY_WEIGHTS)
    gains *= ((means @ weights) / ((means * gains) @ weights))[:, np.newaxis]
    return _multiplied(images, gains[:, np.newaxis, np.newaxis, :])


def with_light_of(images: Images, others: Images) -> Images:
    """Return pictures as bright as others; what was clipped stays clipped."""
    before = measured(images, Measure.BRIGHTNESS)
    wanted = matched(before, measured(others, Measure.BRIGHTNESS))
    gains = (wanted + NEARLY_NOTHING) / (before + NEARLY_NOTHING)
    return _multiplied(images, gains[:, np.newaxis, np.newaxis, np.newaxis])


def _multiplied(images: Images, gains: Values) -> Images:
    values = images * np.clip(gains, 1 / MAX_GAIN, MAX_GAIN)
    return np.asarray(np.clip(np.round(values), 0, 255), np.uint8)


def blur_of(images: Images, others: Images) -> float:
    """Return the blur that makes pictures as unsharp as others.

    Args:
        images: Pictures, uint8, shape (N, height, width, channels).
        others: The other pictures.

    Returns:
        Standard deviation in pixels; 0 if the others are sharper.
    """
    sample = _sample(images)
    wanted = float(np.median(measured(others, Measure.SHARPNESS)))

    def is_sharper(deviation: float) -> bool:
        values = measured(blurred(sample, deviation), Measure.SHARPNESS)
        return float(np.median(values)) > wanted

    low, high = 0.0, MAX_BLUR * float(min(images.shape[1:3]))
    if not is_sharper(low):
        return 0.0
    for _ in range(BLUR_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_sharper(middle) else (low, middle)
    return (low + high) / 2


def blurred(images: Images, deviation: float) -> Images:
    """Return pictures blurred by a Gaussian.

    Args:
        images: uint8, shape (N, height, width, channels).
        deviation: Standard deviation in pixels, 0 or more.
    """
    if deviation <= 0:
        return images
    down, across = (_blur_matrix(size, deviation) for size in images.shape[1:3])
    parts = []
    for start in range(0, len(images), PICTURES_AT_ONCE):
        part = images[start : start + PICTURES_AT_ONCE].astype(np.float32)
        part = np.einsum("vh,nhwc->nvwc", down, part, optimize=True)
        part = np.einsum("vw,nhwc->nhvc", across, part, optimize=True)
        parts.append(np.round(part).astype(np.uint8))
    return np.concatenate(parts)


def _blur_matrix(size: int, deviation: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return the weight of each pixel of a line in each pixel; each row has the sum 1."""
    places = np.arange(size)
    exponents = -((places[:, np.newaxis] - places) ** 2) / (2 * deviation**2)
    weights = np.exp(exponents)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def noise_of(images: Images, others: Images, blur: float) -> float:
    """Return the noise that others have and pictures lack.

    Blur removes texture, which looks like noise. So pictures are compared as blurred as the others.

    Args:
        images: Pictures, uint8, shape (N, height, width, channels).
        others: The other pictures.
        blur: From `blur_of`, in pixels.

    Returns:
        Standard deviation for pixels from 0 to 1; 0 if the others have no more noise.
    """
    own = float(np.median(measured(blurred(_sample(images), blur), Measure.NOISE)))
    theirs = float(np.median(measured(others, Measure.NOISE)))
    return float(np.sqrt(max(theirs**2 - own**2, 0.0)))


def noisy(images: Images, deviation: float, seed: int) -> Images:
    """Return pictures with Gaussian noise.

    Args:
        images: uint8, shape (N, height, width, channels).
        deviation: Standard deviation for pixels from 0 to 1.
        seed: Random seed.
    """
    noise = np.random.default_rng(seed).standard_normal(images.shape, np.float32)
    values = images + 255 * deviation * noise
    return np.asarray(np.clip(np.round(values), 0, 255), np.uint8)


def zoomed(images: Images, zoom: float) -> Images:
    """Return pictures in which things are larger or smaller, of the same shape.

    Args:
        images: uint8, shape (N, height, width, channels).
        zoom: Above 1, the middle is cut out and enlarged; below 1, the picture becomes smaller and
            its reflection fills the border.
    """
    height, width = images.shape[1:3]
    if zoom < 1:
        down, across = (round(size * (1 / zoom - 1) / 2) for size in (height, width))
        images = np.pad(images, ((0, 0), (down, down), (across, across), (0, 0)), mode="symmetric")
        box = (0, 0, images.shape[2], images.shape[1])
    else:
        down, across = (size * (1 - 1 / zoom) / 2 for size in (height, width))
        box = (across, down, width - across, height - down)
    return np.stack([_resized(image, (width, height), box) for image in images])


def _resized(
    image: Images, size: tuple[int, int], box: tuple[float, float, float, float]
) -> Images:
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    smaller = picture.resize(size, Image.Resampling.BILINEAR, box)
    return np.asarray(smaller).reshape(size[1], size[0], image.shape[-1])


def turned(images: Images, orientation: str) -> Images:
    """Return pictures in another orientation.

    Args:
        images: uint8, shape (N, height, width, channels). They are square where they are turned by
            90 degrees.
        orientation: A name in ORIENTATIONS.
    """
    quarters, is_mirrored = ORIENTATIONS[orientation]
    images = np.rot90(images, quarters, axes=(1, 2))
    return images[:, :, ::-1] if is_mirrored else images


def orientations_of(images: Images) -> tuple[str, ...]:
    """Return the orientations that keep the shape of pictures."""
    is_square = images.shape[1] == images.shape[2]
    return tuple(
        name for name, (quarters, _) in ORIENTATIONS.items() if is_square or quarters % 2 == 0
    )


def _sample(images: Images) -> Images:
    """Return pictures that stand for all, from everywhere in their order."""
    if len(images) <= MAX_SAMPLES:
        return images
    return np.asarray(images[np.linspace(0, len(images) - 1, MAX_SAMPLES).astype(int)])
