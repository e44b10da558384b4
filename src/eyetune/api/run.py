"""A recorded run: its metrics, predictions, pictures and verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.facts import run_facts
from eyetune.analysis.metrics import Evaluation, evaluate
from eyetune.analysis.tta import TtaGain
from eyetune.analysis.verdict import Verdict, diagnose
from eyetune.api import run_network, run_pictures, run_predictions
from eyetune.api.preparing import workspace_of
from eyetune.api.run_predictions import Prediction
from eyetune.data import Dataset
from eyetune.data.dataset import Images
from eyetune.errors import DataError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.predictions import correct_answers, require_predictions
from eyetune.records.run import Results, require_images, require_results
from eyetune.training.load_data import load_data
from eyetune.values.display import one_line
from eyetune.values.history import History, as_columns
from eyetune.values.progress import OnProgress
from eyetune.values.run_files import MODEL_FILES

if TYPE_CHECKING:
    from eyetune.api.explain import Explanation
    from eyetune.models.model_function import Inputs
    from eyetune.report.figures.picture import Picture

__all__ = ["Prediction", "Run", "open_run"]

TOP_CLASSES = 3


@dataclass(frozen=True, repr=False)
class Run:
    """A recorded run. A notebook shows it as a table and its curves.

    Attributes:
        workspace: The workspace that holds it.
        record: What is recorded about it.

    Example:
        >>> import eyetune as et
        >>> run = et.open_run("latest")  # doctest: +SKIP
        >>> run.verdict.text             # doctest: +SKIP
    """

    workspace: Workspace
    record: RunRecord

    def annotate(self, *, note: str | None = None, tags: Iterable[str] | None = None) -> Run:
        """Write a note on the run, or give it tags, and return it with them.

        Args:
            note: The new note, at most 10,000 characters; "" removes it. Default: it stays.
            tags: All tags that it has from now on: letters, digits and `. _ : / + -`, without
                blanks. Default: they stay.

        Raises:
            UsageError: The note is too long, or a tag is not one.

        Example:
            >>> import eyetune as et
            >>> run = et.open_run("latest")  # doctest: +SKIP
            >>> run.annotate(tags={*run.record.tags, "new-lamp"})  # doctest: +SKIP
        """
        self.workspace.runs.annotate(self.id, note=note, tags=tags)
        return Run(self.workspace, self.workspace.runs.get(self.id))

    @property
    def id(self) -> str:
        """Its id, eight hexadecimal digits."""
        return self.record.id

    @property
    def state(self) -> RunState:
        """Its state: COMPLETE, PAUSED, FAILED and so on."""
        return self.record.state

    @property
    def recipe(self) -> Recipe:
        """The recipe that was trained.

        Raises:
            UsageError: `eyetune.Callback` recorded it from `model.fit`: it has no recipe.
        """
        return self.record.recipe

    @cached_property
    def history(self) -> History:
        """Its epochs with their metrics."""
        return self.workspace.runs.history(self.id)

    @property
    def folder(self) -> Path:
        """The folder of its files: recipe.toml, model.keras, checkpoint, predictions and plots."""
        return self.workspace.runs.folder(self.id)

    @property
    def results(self) -> Results:
        """Its results.

        Raises:
            UsageError: The run is not complete.
        """
        return require_results(self.record)

    @property
    def validation_accuracy(self) -> float:
        """Accuracy on the validation images, 0 to 1: choices are based on it.

        Raises:
            UsageError: The run is not complete, or its network is not a classifier.
        """
        accuracy = self.results.validation_accuracy
        if accuracy is None:
            noun = self.record.data.noun
            raise UsageError(
                f"Run {self.record.label} has no accuracy on validation {noun}s.",
                fix="Its metrics are in Run.history.",
            )
        return accuracy

    @property
    def has_verdict(self) -> bool:
        """Whether there is a verdict on it: a classifier that was trained with a recipe has one.

        A damaged checkpoint can lack metrics of some epochs; there is no verdict then. A network
        that was trained on the validation images needs predictions for the test images.
        """
        metrics = ("accuracy", "val_accuracy", "val_loss")
        is_measured = all(epoch.measures(name) for epoch in self.history for name in metrics)
        return self.record.own_recipe is not None and self._is_judged and is_measured

    @property
    def has_network(self) -> bool:
        """Whether its trained network is kept."""
        return any((self.folder / name).exists() for name in MODEL_FILES)

    @property
    def has_predictions(self) -> bool:
        """Whether class predictions are recorded, which only classifiers have."""
        return any(
            self.workspace.predictions.has(self.id, split) for split in ("validation", "test")
        )

    @property
    def test_accuracy(self) -> float:
        """Accuracy on the test images, 0 to 1: the one to report.

        Raises:
            UsageError: The test images have not been classified yet.
        """
        accuracy = self.results.test_accuracy
        if accuracy is None:
            raise UsageError(
                f"Run {self.record.label} has not been evaluated on the test images.",
                fix=f"When every choice is made: eyetune evaluate {self.id}",
            )
        return accuracy

    @property
    def _judged_split(self) -> str:
        """The split that a verdict is about: it was not trained on."""
        return "test" if self.recipe.data.train_on_validation else "validation"

    @property
    def _is_judged(self) -> bool:
        return self.workspace.predictions.has(self.id, self._judged_split)

    @cached_property
    def verdict(self) -> Verdict:
        """How good it is, what holds it back and what to try next.

        Raises:
            UsageError: The run is not complete, or lacks what a verdict needs: see `has_verdict`.
        """
        probabilities, labels = require_predictions(self.workspace, self.record, self._judged_split)
        if not self.has_verdict:
            raise UsageError(
                f"There is no verdict on run {self.record.label}.",
                expected="a classifier that was trained with a recipe, with accuracy and loss "
                "of each epoch",
                fix="Its metrics are in Run.history.",
            )
        test = self.workspace.predictions.load(self.id, "test")
        facts = run_facts(self.record, self.history, probabilities, labels, test)
        return diagnose(facts)

    # Predictions.

    @property
    def shown_split(self) -> str:
        """The split that pictures show: "test" if it has been classified, else "validation"."""
        return "test" if self.workspace.predictions.has(self.id, "test") else "validation"

    def evaluation(self, split: str = "test") -> Evaluation:
        """Return accuracy, confusion matrix and calibration from the recorded predictions.

        Args:
            split: "test" or "validation".

        Raises:
            UsageError: The split has not been classified yet.
        """
        return evaluate(*require_predictions(self.workspace, self.record, split))

    def evaluate(self, split: str = "test", *, dataset: Dataset | None = None) -> Evaluation:
        """Classify the images of a split with the saved network and record the predictions.

        Args:
            split: "test" or "validation".
            dataset: The images, if they are loaded already.

        Returns:
            Accuracy, confusion matrix and calibration.

        Raises:
            DataError: The images are not those of the run, or have no such split.
        """
        return run_predictions.evaluate_split(self, split, dataset)

    def evaluate_tta(self, split: str = "test", *, dataset: Dataset | None = None) -> TtaGain:
        """Measure test-time augmentation (TTA): averages over each image and its mirror image.

        The result is compared with the recorded predictions, which stay as they are. On a board,
        test-time augmentation takes twice as many multiply-accumulates.

        Args:
            split: "test" or "validation". Decide on validation whether to use it.
            dataset: The images, if they are loaded already.

        Raises:
            UsageError: The split has not been classified yet.
            DataError: The images are not those of the run.
        """
        return run_predictions.evaluate_with_mirror_images(self, split, dataset)

    def evaluate_flips(self, split: str = "test", *, dataset: Dataset | None = None) -> TtaGain:
        """Do the same as `evaluate_tta`, under its earlier name."""
        return self.evaluate_tta(split, dataset=dataset)

    def right(self, split: str) -> NDArray[np.bool_]:
        """Return whether each image of a split was classified correctly, shape (N,).

        Args:
            split: "test" or "validation".

        Raises:
            UsageError: The split has not been classified yet.
        """
        return correct_answers(self.workspace, self.record, split)

    def predict(
        self,
        images: str | Path | Sequence[str | Path] | Images,
        *,
        top: int = TOP_CLASSES,
        on_progress: OnProgress | None = None,
    ) -> list[Prediction]:
        """Classify images.

        Args:
            images: One file, several files, or uint8 pixels of shape (N, height, width, channels).
            top: Number of classes to return for each image. Default: 3.
            on_progress: Called after each decoded file with the number of files that are done and
                their total.

        Raises:
            DataError: A file cannot be read as an image, or the pixels have another shape than the
                network takes.
        """
        return run_predictions.predict_images(self, images, top, on_progress)

    def model(self) -> Any:
        """Return the network as a compiled Keras model, with the weights of its kept epoch.

        The network of a model function is as that function compiled it: its loss, metrics and
        optimizer with its state, and its own inputs and outputs. A recipe's network is in float32
        and takes images from 0 to 1. A network that `Callback` recorded is as it was saved.
        """
        return run_network.compiled_model(self)

    def classifier(self) -> Any:
        """Return a Keras model in float32 from images, 0 to 1, to class probabilities.

        For a recipe this is its network. It is the same for a model function, unless that works
        with logits, images without a channel axis or bfloat16.

        Raises:
            DataError: It was trained on data that was given as arrays.
        """
        return run_network.classifier(self)

    def inputs(self) -> Inputs:
        """Return what its network is trained on, which a model function needs to build it."""
        return run_network.training_inputs(self)

    # Images.

    def dataset(self) -> Dataset:
        """Load the images that it was trained on.

        Raises:
            DataError: The images have changed since.
        """
        return self.checked(load_data(self.recipe))

    def checked(self, dataset: Dataset) -> Dataset:
        """Return a dataset if it is the one that the run was trained on.

        Raises:
            DataError: It is another one.
        """
        if dataset.fingerprint != self.record.data.fingerprint:
            raise DataError(
                f"Run {self.record.label} was trained on other images than {dataset.source} has.",
                expected=f"fingerprint {self.record.data.fingerprint}",
                received=f"fingerprint {dataset.fingerprint}",
                fix="Restore the images, or train a new run.",
            )
        return dataset

    # Pictures.

    def plot(self, *others: Run | str) -> Picture:
        """Draw accuracy and loss by epoch.

        Args:
            others: Runs, ids or names to draw beside it.
        """
        beside = [
            open_run(other, workspace=self.workspace) if isinstance(other, str) else other
            for other in others
        ]
        return run_pictures.draw_curves([self, *beside])

    def plot_confusion(self, split: str | None = None) -> Picture:
        """Draw how many images of each class are classified as which class.

        Args:
            split: "test" or "validation". Default: `shown_split`.
        """
        return run_pictures.draw_confusion(self, split or self.shown_split)

    def plot_mistakes(
        self, split: str | None = None, *, count: int = 18, dataset: Dataset | None = None
    ) -> Picture:
        """Draw the most confident mistakes.

        Args:
            split: "test" or "validation". Default: `shown_split`.
            count: Number of images, at most. Default: 18.
            dataset: The images, if they are loaded already.
        """
        return run_pictures.draw_mistakes(self, split or self.shown_split, count, dataset)

    def plot_network(self) -> Picture:
        """Draw the layers of the network with their shapes."""
        return run_pictures.draw_network(self)

    def save_plots(
        self, folder: Path | None = None, *, dataset: Dataset | None = None
    ) -> list[Path]:
        """Write curves, confusion matrix, mistakes and network as PNG and SVG.

        Args:
            folder: Where to write them. Default: the folder "plots" of the run.
            dataset: The images, if they are loaded already.

        Returns:
            The files.
        """
        return run_pictures.save_pictures(self, folder, dataset)

    # Inside the network.

    def explain(
        self,
        image: int | str | Path | Images = 0,
        *,
        split: Literal["validation", "test"] = "validation",
        dataset: Dataset | None = None,
    ) -> Explanation:
        """Explain the network: filters, feature maps, Grad-CAM heatmaps and confusions.

        Args:
            image: The image whose feature maps to show: its number in the split, from 0; a file; or
                uint8 pixels of shape (height, width, channels).
            split: The images to explain the network with. Choose on validation; test is for the
                report.
            dataset: The images, if they are loaded already.

        Raises:
            UsageError: The run is not complete, or has no such split or image.
            DataError: The file cannot be read as an image, or the images are not those of the run.

        Example:
            >>> import eyetune as et
            >>> et.open_run().explain().plot_heatmaps()  # doctest: +SKIP
        """
        return run_network.explain_network(self, image, split, dataset)

    def image_to_explain(
        self, image: int | str | Path | Images, split: str
    ) -> int | tuple[str, Images]:
        """Return an image's number in a split, or the label and pixels of another image.

        It needs no Keras, so that a wrong argument fails before Keras is loaded.
        """
        from eyetune.api.explain import choose_image

        _ = self.results
        image_shape = require_images(self.record)
        data = self.record.data
        num_images = {"validation": data.num_validation, "test": data.num_test}
        return choose_image(image, split, num_images, image_shape, self.record.resize)

    # As values and in a notebook.

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain JSON values, with its history and its verdict."""
        return {
            **self.record.to_json(),
            "history": as_columns(self.history),
            "verdict": self.verdict.to_json() if self.has_verdict else None,
            "folder": str(self.folder),
        }

    def _repr_html_(self) -> str:
        from eyetune.api.shown import run_html

        return run_html(self)

    def __repr__(self) -> str:
        return f"<Run {one_line(self.record.headline)}>"


def open_run(reference: str = "latest", *, workspace: str | Path | Workspace | None = None) -> Run:
    """Return a recorded run.

    Args:
        reference: Its id, the beginning of its id, its name, or "latest".
        workspace: The workspace that holds it. Default: `./eyetune-workspace`, or the folder that
            EYETUNE_WORKSPACE names.

    Raises:
        RunNotFoundError: No run or several match.

    Example:
        >>> import eyetune as et
        >>> run = et.open_run("latest")  # doctest: +SKIP
    """
    workspace = workspace_of(workspace)
    return Run(workspace, workspace.runs.find(str(reference)))
