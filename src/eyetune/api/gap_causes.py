"""Test which properties of a camera's pictures are causes of a gap, one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eyetune.analysis import gap as gaps
from eyetune.analysis.class_metrics import Share
from eyetune.analysis.gap import Cause, Labels, Points, Right, Values
from eyetune.data import Split
from eyetune.data import picture_matching as matching
from eyetune.data.dataset import Floats, Images

NUM_FIXED_PREDICTIONS = 6  # both sets, and the properties that are tested with one strength
EITHER_WAY = "upside down or upright"

# From pictures to the class probabilities of the network.
Classify = Callable[[Images], Floats]


@dataclass(frozen=True)
class MeasuredGap:
    """A gap and its causes.

    Attributes:
        clean: Accuracy on the data set, if it had the camera's share of each class.
        camera: Accuracy on the camera's pictures.
        fall: By how much accuracy falls.
        causes: Properties by the part of the gap that they explain, the largest first.
    """

    clean: Share
    camera: Share
    fall: Points
    causes: tuple[Cause, ...]


def measure_gap(clean: Split, camera: Split, classify: Classify) -> MeasuredGap:
    """Measure a gap, and test each property by itself.

    Args:
        clean: Pictures of the data set, of the camera's classes.
        camera: Pictures of the camera, of the same shape.
        classify: Returns the class probabilities of pictures.
    """
    probabilities = classify(camera.images)
    sets = _Sets(
        clean,
        camera,
        gaps.class_weights(clean.labels, camera.labels),
        classify,
        np.asarray(classify(clean.images).argmax(axis=1) == clean.labels),
        np.asarray(probabilities.argmax(axis=1) == camera.labels),
        probabilities,
    )
    tests = [_exposure, _sharpness, _noise, _framing, _orientation]
    if camera.images.shape[-1] > 1:
        tests.insert(0, _color_cast)
    return MeasuredGap(
        *gaps.accuracies(sets.clean_right, sets.weights, sets.camera_right),
        gaps.fall(sets.clean_right, sets.weights, sets.camera_right),
        gaps.ordered([test(sets) for test in tests]),
    )


def num_predictions(images: Images) -> int:
    """Return how often `measure_gap` classifies pictures at most."""
    orientations = matching.orientations_of(images)
    return NUM_FIXED_PREDICTIONS + len(matching.ZOOMS) + len(orientations)


@dataclass(frozen=True)
class _Sets:
    """Pictures of the data set and of the camera, and how the network classifies them."""

    clean: Split
    camera: Split
    weights: Values
    classify: Classify
    clean_right: Right
    camera_right: Right
    camera_probabilities: Floats

    def is_right(self, images: Images, labels: Labels) -> Right:
        return np.asarray(self.classify(images).argmax(axis=1) == labels)

    def corrected(self, images: Images) -> Points:
        """Return what a correction of the camera's pictures gains."""
        return gaps.gain(self.is_right(images, self.camera.labels), self.camera_right)

    def degraded(self, images: Images) -> Points:
        """Return what the data set loses if its pictures are made like the camera's."""
        return gaps.gain(self.clean_right, self.is_right(images, self.clean.labels), self.weights)


def _color_cast(sets: _Sets) -> Cause:
    gained = sets.corrected(matching.with_colors_of(sets.camera.images, sets.clean.images))
    return Cause("color cast", "the camera's pictures with the colors of the data set", gained, {})


def _exposure(sets: _Sets) -> Cause:
    gained = sets.corrected(matching.with_light_of(sets.camera.images, sets.clean.images))
    return Cause("exposure", "the camera's pictures as bright as the data set", gained, {})


def _sharpness(sets: _Sets) -> Cause:
    clean, camera = sets.clean.images, sets.camera.images
    blur = matching.blur_of(clean, camera)
    if blur:
        lost = sets.degraded(matching.blurred(clean, blur))
        test = f"the data set blurred by {blur:.2f} pixels"
        return Cause("sharpness", test, lost, {"blur_pixels": blur})
    blur = matching.blur_of(camera, clean)
    gained = sets.corrected(matching.blurred(camera, blur))
    test = f"the camera's pictures blurred by {blur:.2f} pixels"
    return Cause("sharpness", test, gained, {"blur_pixels": blur, "camera_is_sharper": True})


def _noise(sets: _Sets) -> Cause:
    clean, camera = sets.clean.images, sets.camera.images
    noise = matching.noise_of(clean, camera, matching.blur_of(clean, camera))
    if not noise:
        return Cause("noise", "nothing: the camera's pictures have no more noise", None, {})
    lost = sets.degraded(matching.noisy(clean, noise, seed=0))
    return Cause("noise", f"the data set with noise of {noise:.3f}", lost, {"noise": noise})


def _framing(sets: _Sets) -> Cause:
    labels = sets.camera.labels
    options = {
        f"{zoom:g}": sets.is_right(matching.zoomed(sets.camera.images, zoom), labels)
        for zoom in matching.ZOOMS
    }
    after, best = gaps.chosen_on_other_half(sets.camera_right, options, labels)
    zoom = float(best or 1)
    scaled = f"the camera's pictures at {zoom:.0%} of their size"
    test = scaled if best else "all sizes: none is better"
    return Cause("framing", test, gaps.gain(after, sets.camera_right), {"zoom": zoom})


def _orientation(sets: _Sets) -> Cause:
    labels = sets.camera.labels
    options = {}
    for name in matching.orientations_of(sets.camera.images):
        turned = sets.classify(matching.turned(sets.camera.images, name))
        options[name] = np.asarray(turned.argmax(axis=1) == labels)
        if name == matching.UPSIDE_DOWN:
            upright = sets.camera_probabilities
            is_surer = turned.max(axis=1) > upright.max(axis=1)
            either = np.where(is_surer[:, np.newaxis], turned, upright)
            options[EITHER_WAY] = np.asarray(either.argmax(axis=1) == labels)
    after, best = gaps.chosen_on_other_half(sets.camera_right, options, labels)
    test = f"the camera's pictures {best}" if best else "all orientations: none is better"
    gained = gaps.gain(after, sets.camera_right)
    return Cause("orientation", test, gained, {"orientation": best or "as it is"})
