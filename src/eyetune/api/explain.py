"""Explanations of a trained network: computed once, and shown as pictures and sentences."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.confusions import (
    ConfusedPair,
    confused_pairs,
    most_confident_correct,
    most_confident_wrong,
)
from eyetune.data.dataset import Floats, Images, Split, normalize
from eyetune.errors import DataError, UsageError
from eyetune.report.figures.activation_figures import Answers
from eyetune.values.activations import FeatureMap, Filters, LayerActivity

if TYPE_CHECKING:
    import keras

    from eyetune.report.figures.picture import Picture

SAMPLED_IMAGES = 512  # for the activity of layers
ANSWERS_SHOWN = 6
PAIRS_SHOWN = 8
EXAMPLES_OF_A_PAIR = 3


@dataclass(frozen=True)
class Subject:
    """The image whose feature maps are shown.

    Attributes:
        name: Its name, for example "validation image 0: cat", or the name of its file.
        pixels: uint8, shape (height, width, channels).
        probabilities: The predicted probabilities, shape (number of classes,).
        maps: Its feature maps in each layer.
    """

    name: str
    pixels: Images
    probabilities: Floats
    maps: tuple[FeatureMap, ...]


@dataclass(frozen=True, repr=False)
class Explanation:
    """What a trained network has learned. A notebook shows it as text and pictures.

    Attributes:
        label: Name of the network.
        split: The split of the images, "validation" or "test".
        class_names: In the order of the labels.
        filters: The kernels of the first convolution; None if there is none.
        subject: One image and its feature maps.
        attention_layer: Whose feature maps Grad-CAM weighs; "" where there is no convolution with a
            picture.
        right: The most confident correct answers, with heatmaps.
        wrong: The most confident wrong answers, with heatmaps.
        pairs: The classes that are confused most.
        pair_answers: Examples of each pair, with heatmaps.
        activity: How the activation of each hidden layer behaves.
        num_sampled: Number of images for `activity`.
        trained_on: Whether the network was trained on these images.
    """

    label: str
    split: str
    class_names: tuple[str, ...]
    filters: Filters | None
    subject: Subject
    attention_layer: str
    right: Answers
    wrong: Answers
    pairs: tuple[ConfusedPair, ...]
    pair_answers: tuple[Answers, ...]
    activity: tuple[LayerActivity, ...]
    num_sampled: int
    trained_on: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out, and other remarks."""
        notes = []
        if self.trained_on:
            notes.append(
                f"The network was trained on the {self.split} images too: "
                "it knows them better than new ones."
            )
        if self.filters is None:
            notes.append("The network has no convolution: there are no filters to draw.")
        if not self.attention_layer:
            notes.append(
                "Grad-CAM is left out: no convolution of the network has an image as output."
            )
        if not self.activity:
            notes.append("No hidden layer has an activation: none can be dead.")
        return tuple(notes)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the pictures show, one sentence per subject."""
        said = [self.filters.words] if self.filters else []
        label = int(self.subject.probabilities.argmax())
        sure = float(self.subject.probabilities.max())
        said.append(f"{self.subject.name}: taken for {self.class_names[label]} ({sure:.0%} sure).")
        if self.pairs:
            first = self.pairs[0]
            said.append(
                f"Confused most: {first.count:,} {self.split} images of "
                f"{self.class_names[first.true]} "
                f"({first.share:.0%} of them) are taken for {self.class_names[first.predicted]}."
            )
        if self.activity:
            dead, units = (
                sum(getattr(one, name) for one in self.activity) for name in ("dead", "units")
            )
            worst = max(self.activity, key=lambda one: one.dead_share)
            where = f", most in {worst.layer} ({worst.dead_share:.0%})" if dead else ""
            said.append(
                f"Dead units, which are inactive on all of {self.num_sampled:,} images: "
                f"{dead:,} of {units:,}{where}."
            )
        return (*said, *self.notes)

    def plot_filters(self) -> Picture | None:
        """Draw the kernels of the first convolution; None if there is none."""
        from eyetune.report.figures.activation_figures import filters

        return filters(self.filters, title=self.label) if self.filters else None

    def plot_feature_maps(self) -> Picture:
        """Draw the feature maps of the image, layer by layer."""
        from eyetune.report.figures.activation_figures import feature_maps

        one = self.subject
        return feature_maps(
            one.pixels,
            one.maps,
            one.probabilities,
            self.class_names,
            caption=one.name,
            title=self.label,
        )

    def plot_heatmaps(self) -> Picture | None:
        """Draw where the network looks (Grad-CAM); None without a convolution."""
        from eyetune.report.figures.activation_figures import heatmaps

        if not self.attention_layer:
            return None
        return heatmaps(
            self.right,
            self.wrong,
            self.class_names,
            layer=self.attention_layer,
            split=self.split,
            title=self.label,
        )

    def plot_confusions(self) -> Picture:
        """Draw the most confused classes, with examples."""
        from eyetune.report.figures.activation_figures import confusions

        return confusions(
            self.pairs, self.pair_answers, self.class_names, split=self.split, title=self.label
        )

    def plot_activity(self) -> Picture:
        """Draw the shares of dead units, and of zero or saturated outputs, of each layer."""
        from eyetune.report.figures.activation_figures import activity

        return activity(self.activity, num_images=self.num_sampled, title=self.label)

    def pictures(self) -> dict[str, Picture]:
        """Return all available pictures by name, in order."""
        drawn = {
            "filters": self.plot_filters(),
            "feature-maps": self.plot_feature_maps(),
            "heatmaps": self.plot_heatmaps(),
            "confusions": self.plot_confusions(),
            "activity": self.plot_activity(),
        }
        return {name: picture for name, picture in drawn.items() if picture is not None}

    def save(self, folder: Path) -> list[Path]:
        """Write the pictures as PNG and SVG, and return the files.

        Raises:
            WorkspaceError: A file cannot be written.
        """
        from eyetune.report.figures.picture import save

        return [
            path
            for name, picture in self.pictures().items()
            for path in save(picture, folder, name)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as plain JSON values, without the pixels."""
        one, filters = self.subject, self.filters
        shares = {
            name: float(share)
            for name, share in zip(self.class_names, one.probabilities, strict=True)
        }
        return {
            "split": self.split,
            "filters": filters
            and {
                "layer": filters.layer,
                "count": len(filters.numbers),
                "kinds": list(filters.kinds),
            },
            "image": {"name": one.name, "probabilities": shares},
            "attention_layer": self.attention_layer or None,
            "confused_pairs": [pair.to_json(self.class_names) for pair in self.pairs],
            "layers": [layer.to_json() for layer in self.activity],
            "num_images_sampled": self.num_sampled,
            "sentences": list(self.sentences),
        }

    def _repr_html_(self) -> str:
        words = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences)
        return words + "".join(picture.as_html(name) for name, picture in self.pictures().items())

    def __repr__(self) -> str:
        return f"<Explanation of {self.label} on {self.split}: {', '.join(self.pictures())}>"


def choose_image(
    image: int | str | Path | Images,
    split: str,
    sizes: Mapping[str, int],
    shape: tuple[int, int, int],
) -> int | tuple[str, Images]:
    """Return the image to explain, checked before anything is loaded.

    Args:
        image: Its number in the split, from 0; a file; or uint8 pixels.
        split: The split that the number refers to.
        sizes: Number of images of each split by name.
        shape: Shape of the images that the network takes: height, width, channels.

    Returns:
        The number, or a name and uint8 pixels of that shape.

    Raises:
        UsageError: There is no such split, or no image of that number.
        DataError: The file cannot be read as an image, or the pixels are of another shape.

    Example:
        >>> choose_image(3, "test", {"test": 10}, (32, 32, 3))
        3
    """
    from eyetune.data.sources.folder import decode

    if split not in sizes:
        raise UsageError(
            "There is no such split to explain.", expected=" or ".join(sizes), received=split
        )
    if isinstance(image, np.ndarray):
        if image.shape != shape or image.dtype != np.uint8:
            received = f"{image.dtype} of shape {image.shape}"
            raise DataError(
                "The image does not have the shape that the network requires.",
                expected=f"uint8 of shape {shape}",
                received=received,
            )
        return "an image", image
    if isinstance(image, str | Path):
        return str(image), decode(Path(image), shape)
    if not 0 <= image < sizes[split]:
        raise UsageError(
            f"There is no {split} image {image}.",
            expected=f"0 to {sizes[split] - 1}, or a file",
            received=image,
        )
    return int(image)


def explain(
    model: keras.Model,
    split: Split,
    predicted: Floats,
    subject: tuple[str, Images],
    *,
    label: str,
    split_name: str,
    class_names: Sequence[str],
    trained_on: bool = False,
) -> Explanation:
    """Explain a trained network.

    Args:
        model: Any built Keras model from images in [0, 1] to class probabilities.
        split: The images to explain it with, at least 1.
        predicted: Predicted probabilities of these images, shape (N, number of classes).
        subject: The image whose feature maps are shown, with its name: uint8, shape (height,
            width, channels).
        label: Name of the network, for titles.
        split_name: "validation" or "test".
        class_names: In the order of the labels.
        trained_on: Whether it was trained on these images.
    """
    from eyetune.models.activations.filters import first_filters
    from eyetune.models.activations.unit_activity import activity

    pairs = confused_pairs(predicted, split.labels, PAIRS_SHOWN, examples=EXAMPLES_OF_A_PAIR)
    right = most_confident_correct(predicted, split.labels, ANSWERS_SHOWN)
    wrong = most_confident_wrong(predicted, split.labels, ANSWERS_SHOWN)
    places = [right, wrong, *(np.array(pair.examples, np.int64) for pair in pairs)]
    layer, answers = _answers(model, split, predicted, places)
    sample = np.unique(np.linspace(0, len(split) - 1, SAMPLED_IMAGES).round().astype(int))
    return Explanation(
        label=label,
        split=split_name,
        class_names=tuple(class_names),
        filters=first_filters(model),
        subject=_subject(model, *subject),
        attention_layer=layer,
        right=answers[0],
        wrong=answers[1],
        pairs=pairs,
        pair_answers=tuple(answers[2:]),
        activity=activity(model, normalize(split.images[sample])),
        num_sampled=len(sample),
        trained_on=trained_on,
    )


def _subject(model: keras.Model, name: str, pixels: Images) -> Subject:
    from eyetune.models.activations.feature_maps import feature_maps
    from eyetune.training.evaluate import classify

    probabilities = classify(model, pixels[np.newaxis])[0]
    return Subject(name, pixels, probabilities, feature_maps(model, normalize(pixels)))


def _answers(
    model: keras.Model, split: Split, predicted: Floats, groups: Sequence[NDArray[np.int64]]
) -> tuple[str, list[Answers]]:
    """Return the layer that Grad-CAM weights, and each group's images with their heatmaps."""
    from eyetune.models.activations.gradcam import heatmaps

    chosen = np.concatenate(groups)
    images, labels, rows = split.images[chosen], split.labels[chosen], predicted[chosen]
    classes = np.concatenate([rows.argmax(axis=1), labels])
    found = heatmaps(model, normalize(np.concatenate([images, images])), classes)
    maps = (None, None) if found is None else np.split(found.maps, 2)
    ends = np.cumsum([len(group) for group in groups])
    stretches = [slice(end - len(group), end) for end, group in zip(ends, groups, strict=True)]
    answers = [
        Answers(
            images[part],
            labels[part],
            rows[part],
            *(None if one is None else one[part] for one in maps),
        )
        for part in stretches
    ]
    return found.layer if found else "", answers
