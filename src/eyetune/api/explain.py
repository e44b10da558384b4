"""Explanations of trained networks: computed once, shown as pictures and sentences."""

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
from eyetune.recipe import Resize
from eyetune.report.figures.activation_figures import Answers
from eyetune.values.activations import FeatureMap, Filters, LayerActivity
from eyetune.values.display import lines

if TYPE_CHECKING:
    import keras

    from eyetune.report.figures.picture import Picture

MAX_SAMPLED_IMAGES = 512  # for the activity of layers
MAX_ANSWERS = 6
MAX_PAIRS = 8
MAX_EXAMPLES = 3  # of a pair


@dataclass(frozen=True)
class Subject:
    """The image whose feature maps are shown.

    Attributes:
        name: For example "validation image 0: cat", or the path of its file.
        pixels: uint8, shape (height, width, channels).
        probabilities: The prediction of the network, shape (number of classes,).
        maps: The output of each layer.
    """

    name: str
    pixels: Images
    probabilities: Floats
    maps: tuple[FeatureMap, ...]


@dataclass(frozen=True, repr=False)
class Explanation:
    """What a trained network has learned. A notebook shows it as sentences and pictures.

    Attributes:
        label: Name of the network, for example "run 3f2a lab".
        split: Split of the images, "validation" or "test".
        class_names: Names of the classes, in the order of the labels.
        filters: The kernels of the first convolution; None if there is none.
        subject: One image with the output of each layer.
        attention_layer: Name of the layer whose feature maps Grad-CAM weights; "" if the network
            has no convolution whose output is an image.
        right: The most confident correct predictions, with heatmaps.
        wrong: The most confident wrong predictions, with heatmaps.
        pairs: The classes that are confused most.
        pair_answers: Examples of each pair, with heatmaps.
        activity: How the activation of each hidden layer behaves.
        num_sampled: Number of images that the activity was measured on.
        trained_on: Whether the network was trained on these images, too.
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
        """Notes on what is left out, and why."""
        notes = []
        if self.trained_on:
            notes.append(
                f"The network was trained on the {self.split} images too, "
                "so it performs better on them than on new images."
            )
        if self.filters is None:
            notes.append("The network has no convolution, so there are no filters to draw.")
        if not self.attention_layer:
            notes.append(
                "Grad-CAM is left out: no convolution of the network has an image as output."
            )
        if not self.activity:
            notes.append("No hidden layer has an activation, so no unit can be dead.")
        return tuple(notes)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The findings, a sentence each, and the notes."""
        sentences = [self.filters.text] if self.filters else []
        label = int(self.subject.probabilities.argmax())
        confidence = float(self.subject.probabilities.max())
        sentences.append(
            f"{self.subject.name}: predicted as {self.class_names[label]} "
            f"({confidence:.0%} confidence)."
        )
        if self.pairs:
            first = self.pairs[0]
            sentences.append(
                f"Confused most: {first.count:,} {self.split} images of "
                f"{self.class_names[first.true]} "
                f"({first.share:.0%} of them) are taken for {self.class_names[first.predicted]}."
            )
        if self.activity:
            dead = sum(layer.dead for layer in self.activity)
            units = sum(layer.units for layer in self.activity)
            worst = max(self.activity, key=lambda layer: layer.dead_share)
            where = f", most in {worst.layer} ({worst.dead_share:.0%})" if dead else ""
            sentences.append(
                f"Dead units, which are inactive on all of {self.num_sampled:,} images: "
                f"{dead:,} of {units:,}{where}."
            )
        return (*sentences, *self.notes)

    def plot_filters(self) -> Picture | None:
        """Draw the kernels of the first convolution; return None if there is none."""
        from eyetune.report.figures.activation_figures import filters

        return filters(self.filters, title=self.label) if self.filters else None

    def plot_feature_maps(self) -> Picture:
        """Draw the output of each layer for the image."""
        from eyetune.report.figures.activation_figures import feature_maps

        return feature_maps(
            self.subject.pixels,
            self.subject.maps,
            self.subject.probabilities,
            self.class_names,
            caption=self.subject.name,
            title=self.label,
        )

    def plot_heatmaps(self) -> Picture | None:
        """Draw Grad-CAM heatmaps; return None if the network has no convolution for them."""
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
        """Draw the most confused pairs of classes, with examples."""
        from eyetune.report.figures.activation_figures import confusions

        return confusions(
            self.pairs, self.pair_answers, self.class_names, split=self.split, title=self.label
        )

    def plot_activity(self) -> Picture:
        """Draw the shares of dead units, and of zero or saturated outputs, of each layer."""
        from eyetune.report.figures.activation_figures import activity

        return activity(self.activity, num_images=self.num_sampled, title=self.label)

    def pictures(self) -> dict[str, Picture]:
        """Return the available pictures by name, in the order of the explanation."""
        drawn = {
            "filters": self.plot_filters(),
            "feature-maps": self.plot_feature_maps(),
            "heatmaps": self.plot_heatmaps(),
            "confusions": self.plot_confusions(),
            "activity": self.plot_activity(),
        }
        return {name: picture for name, picture in drawn.items() if picture is not None}

    def save(self, folder: Path) -> list[Path]:
        """Write the pictures as PNG and SVG files, and return their paths.

        Args:
            folder: The folder; it is created if necessary.

        Raises:
            WorkspaceError: A file cannot be written.
        """
        from eyetune.report.figures.picture import save

        paths = []
        for name, picture in self.pictures().items():
            paths += save(picture, folder, name)
        return paths

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as plain JSON values, without the pixels."""
        probabilities = map(float, self.subject.probabilities)
        filters = None
        if self.filters is not None:
            filters = {
                "layer": self.filters.layer,
                "count": len(self.filters.numbers),
                "kinds": list(self.filters.kinds),
            }
        return {
            "split": self.split,
            "filters": filters,
            "image": {
                "name": self.subject.name,
                "probabilities": dict(zip(self.class_names, probabilities, strict=True)),
            },
            "attention_layer": self.attention_layer or None,
            "confused_pairs": [pair.to_json(self.class_names) for pair in self.pairs],
            "layers": [layer.to_json() for layer in self.activity],
            "num_images_sampled": self.num_sampled,
            "sentences": list(self.sentences),
        }

    def _repr_html_(self) -> str:
        parts = [f"<p>{html.escape(lines(sentence))}</p>" for sentence in self.sentences]
        parts += [picture.as_html(name) for name, picture in self.pictures().items()]
        return "".join(parts)

    def __repr__(self) -> str:
        return f"<Explanation of {self.label} on {self.split}: {', '.join(self.pictures())}>"


def choose_image(
    image: int | str | Path | Images,
    split: str,
    sizes: Mapping[str, int],
    shape: tuple[int, int, int],
    resize: Resize,
) -> int | tuple[str, Images]:
    """Check which image to explain, before Keras is loaded.

    Args:
        image: Its number in the split, from 0; the path of an image file; or uint8 pixels.
        split: The split of the number.
        sizes: Number of images of each split, by its name.
        shape: Shape of the images that the network takes: height, width, channels.
        resize: How an image file becomes an image of that shape, as in `data.resize`.

    Returns:
        The number, or a name and uint8 pixels of that shape.

    Raises:
        UsageError: There is no such split, or no image of that number.
        DataError: The file cannot be read as an image, or the pixels have another shape or type.

    Example:
        >>> choose_image(3, "test", {"test": 10}, (32, 32, 3), "crop")
        3
    """
    from eyetune.data.sources.image_file import decode

    if split not in sizes:
        raise UsageError(
            "There is no such split to explain.", expected=" or ".join(sizes), received=split
        )
    if isinstance(image, np.ndarray):
        if image.shape != shape or image.dtype != np.uint8:
            raise DataError(
                "The image does not have the shape and type that the network takes.",
                expected=f"uint8 of shape {shape}",
                received=f"{image.dtype} of shape {image.shape}",
            )
        return "an image", image
    if isinstance(image, str | Path):
        return str(image), decode(Path(image), shape, resize)
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
    """Explain what a trained network has learned.

    Args:
        model: A built Keras model that maps images in [0, 1] to class probabilities.
        split: The images to explain it with, 1 or more.
        predicted: Its class probabilities for them, shape (N, number of classes).
        subject: The image whose path through the network is shown: its name and its pixels, uint8
            of shape (height, width, channels).
        label: Name of the network, for titles.
        split_name: "validation" or "test".
        class_names: Names of the classes, in the order of the labels.
        trained_on: Whether the network was trained on these images, too.
    """
    from eyetune.models.activations.filters import first_filters
    from eyetune.models.activations.unit_activity import activity

    pairs = confused_pairs(predicted, split.labels, MAX_PAIRS, examples=MAX_EXAMPLES)
    right = most_confident_correct(predicted, split.labels, MAX_ANSWERS)
    wrong = most_confident_wrong(predicted, split.labels, MAX_ANSWERS)
    groups = [right, wrong, *(np.array(pair.examples, np.int64) for pair in pairs)]
    layer, answers = _answers(model, split, predicted, groups)
    sample = np.unique(np.linspace(0, len(split) - 1, MAX_SAMPLED_IMAGES).round().astype(int))
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
    """Return the layer that Grad-CAM weights, and the predictions of each group with heatmaps.

    All heatmaps are computed in one call.

    Args:
        model: The network.
        split: The images.
        predicted: Class probabilities of all images.
        groups: Indices of the images of each group.
    """
    from eyetune.models.activations.gradcam import heatmaps

    chosen = np.concatenate(groups)
    images, labels, rows = split.images[chosen], split.labels[chosen], predicted[chosen]
    classes = np.concatenate([rows.argmax(axis=1), labels])
    explained = heatmaps(model, normalize(np.concatenate([images, images])), classes)
    answers = []
    start = 0
    for group in groups:
        part = slice(start, start + len(group))
        start = part.stop
        predicted_maps = true_maps = None
        if explained is not None:
            predicted_maps = explained.maps[: len(chosen)][part]
            true_maps = explained.maps[len(chosen) :][part]
        answers.append(Answers(images[part], labels[part], rows[part], predicted_maps, true_maps))
    return explained.layer if explained else "", answers
