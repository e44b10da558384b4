"""A recorded run, and what can be asked of it: figures, predictions, pictures, a verdict."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.facts import Facts, run_facts
from eyetune.analysis.metrics import Evaluation, confident_mistakes, evaluate
from eyetune.analysis.tta import TtaGain, tta_gain
from eyetune.analysis.verdict import Verdict, diagnose
from eyetune.data import Dataset
from eyetune.data.dataset import Images
from eyetune.errors import DataError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.predictions import correct_answers, require_predictions
from eyetune.records.run import Results, require_results
from eyetune.training.images import load_data
from eyetune.values.history import History, as_columns
from eyetune.values.run_files import MODEL_FILE

if TYPE_CHECKING:
    from eyetune.api.explain import Explanation
    from eyetune.report.figures.picture import Picture

TOP_CLASSES = 3


@dataclass(frozen=True)
class Prediction:
    """What a network sees in an image: the likeliest classes with their probabilities, the first
    the likeliest.
    """

    image: str
    classes: tuple[tuple[str, float], ...]


@dataclass(frozen=True, repr=False)
class Run:
    """A recorded run, and what can be asked of it. A notebook shows it as a table and a curve.

    Attributes:
        workspace: Where it is recorded.
        record: What is recorded of it.
    """

    workspace: Workspace
    record: RunRecord

    @property
    def id(self) -> str:
        """Eight hexadecimal digits."""
        return self.record.id

    @property
    def state(self) -> RunState:
        """Where it stands."""
        return self.record.state

    @property
    def recipe(self) -> Recipe:
        """What was trained."""
        return self.record.recipe

    @cached_property
    def history(self) -> History:
        """Its epochs."""
        return self.workspace.runs.history(self.id)

    @property
    def folder(self) -> Path:
        """Where its files lie: recipe.toml, model.keras, checkpoint, predictions and plots."""
        return self.workspace.runs.folder(self.id)

    @property
    def results(self) -> Results:
        """What it reached.

        Raises:
            UsageError: It is not complete.
        """
        return require_results(self.record)

    @property
    def validation_accuracy(self) -> float:
        """Share of the validation images classified right, 0 to 1: what choices are made on."""
        return self.results.validation_accuracy

    @property
    def test_accuracy(self) -> float:
        """Share of the test images classified right, 0 to 1: what is reported.

        Raises:
            UsageError: Nobody has looked at the test images yet: choices are made on validation.
        """
        accuracy = self.results.test_accuracy
        if accuracy is None:
            raise UsageError(
                f"Run {self.record.label} has not been tried on the test images.",
                fix=f"When every choice is made: eyetune evaluate {self.id}",
            )
        return accuracy

    @cached_property
    def verdict(self) -> Verdict:
        """What to think of it, in plain words."""
        return diagnose(self._facts())

    def evaluation(self, split: str = "test") -> Evaluation:
        """Return accuracy, confusion and calibration on "test" or "validation", from its recorded
        predictions.
        """
        return evaluate(*self._predictions(split))

    def evaluate(self, split: str = "test", *, dataset: Dataset | None = None) -> Evaluation:
        """Classify a split's images anew with the saved network, record the predictions and return
        the figures.

        Raises:
            DataError: The images are not those of the run.
        """
        from eyetune.training.evaluate import probabilities

        images = (dataset or self.dataset()).split(split)
        if not len(images):
            raise DataError(
                f"The images of run {self.record.label} have no {split} split.",
                fix="Classify your own: run.model().evaluate(x_test, y_test)",
            )
        predicted = probabilities(self.model(), images)
        self.workspace.predictions.save(self.id, split, predicted, images.labels)
        return evaluate(predicted, images.labels)

    def evaluate_tta(self, split: str = "test", *, dataset: Dataset | None = None) -> TtaGain:
        """Classify a split's mirror images too, average the probabilities, and compare with the
        images alone.

        Nothing is recorded: the recorded predictions of the images alone stay what counts. On a
        board it costs twice the multiply-adds.

        Args:
            split: "test" or "validation". Decide on validation whether to use it.
            dataset: The images, where they are loaded already.

        Raises:
            UsageError: The images alone have not been classified yet.
            DataError: The images are not those of the run.
        """
        from eyetune.training.evaluate import probabilities

        plain, labels = self._predictions(split)
        images = self.checked(dataset or self.dataset()).split(split)
        return tta_gain(plain, probabilities(self.model(), images, mirrored=True), labels)

    @property
    def shown_split(self) -> str:
        """The split that pictures show: test where the run has been tried on it, else validation."""
        return (
            "test" if self.workspace.predictions.load(self.id, "test") is not None else "validation"
        )

    def right(self, split: str) -> NDArray[np.bool_]:
        """Return for each image of a split whether it was classified right, from the recorded
        predictions.
        """
        return correct_answers(self.workspace, self.record, split)

    def predict(
        self,
        images: str | Path | Sequence[str | Path] | Images,
        *,
        top: int = TOP_CLASSES,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[Prediction]:
        """Classify images.

        Args:
            images: One file, several files, or uint8 pixels of shape (N, height, width, channels).
            top: Number of classes to return for each image.
            on_progress: Called after each decoded file with the number of files that are done and
                their total.

        Raises:
            DataError: A file cannot be read as an image, or pixels are of another shape than the
                network's.
        """
        from eyetune.data.sources.folder import decode
        from eyetune.training.evaluate import classify

        if isinstance(images, np.ndarray):
            labels, pixels = [f"image {number}" for number in range(len(images))], images
        else:
            labels = (
                [str(images)] if isinstance(images, str | Path) else [str(path) for path in images]
            )
            decoded = []
            for path in labels:
                decoded.append(decode(Path(path), self.record.data.image_shape))
                if on_progress is not None:
                    on_progress(len(decoded), len(labels))
            pixels = np.stack(decoded)
        names = self.record.data.class_names
        rows = classify(self.model(), pixels)
        return [
            Prediction(
                label, tuple((names[place], float(row[place])) for place in np.argsort(-row)[:top])
            )
            for label, row in zip(labels, rows, strict=True)
        ]

    def model(self) -> Any:
        """Return the trained network as a Keras model in float32, compiled so that `evaluate`
        works.
        """
        from eyetune.training.evaluate import load_model

        model = load_model(self.folder / MODEL_FILE)
        model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
        return model

    def dataset(self) -> Dataset:
        """Load the images that it was trained on.

        Raises:
            DataError: They have changed since.
        """
        return self.checked(load_data(self.recipe))

    def checked(self, dataset: Dataset) -> Dataset:
        """Return the dataset if it is the one that the run was trained on.

        Raises:
            DataError: It is another one.
        """
        if dataset.fingerprint != self.record.data.fingerprint:
            raise DataError(
                f"The images of {dataset.source} are not those that run {self.record.label} was trained on.",
                expected=f"fingerprint {self.record.data.fingerprint}",
                received=f"fingerprint {dataset.fingerprint}",
                fix="Put them back as they were, or train a new run.",
            )
        return dataset

    def plot(self, *others: Run | str) -> Picture:
        """Draw accuracy and loss by epoch, of this run and others (runs, or their ids or names)."""
        from eyetune.report.figures.run_figures import curves

        runs = (
            self,
            *(self._sibling(other) if isinstance(other, str) else other for other in others),
        )
        title = self._title() if not others else ""
        return curves({run.record.label: run.history for run in runs}, title=title)

    def plot_confusion(self, split: str | None = None) -> Picture:
        """Draw which classes are taken for which, by default on `shown_split`."""
        from eyetune.report.figures.run_figures import confusion_matrix

        split = split or self.shown_split
        names = self.record.data.class_names
        return confusion_matrix(
            self.evaluation(split).confusion, names, title=f"{self._title()}, {split} images"
        )

    def plot_mistakes(
        self, split: str | None = None, *, count: int = 18, dataset: Dataset | None = None
    ) -> Picture:
        """Draw the wrongly classified images of which the network was surest, by default of
        `shown_split`.
        """
        from eyetune.report.figures.run_figures import mistakes

        split = split or self.shown_split
        probabilities, labels = self._predictions(split)
        chosen = confident_mistakes(probabilities, labels, count)
        images = (dataset or self.dataset()).split(split).images[chosen]
        names = self.record.data.class_names
        title = f"The most confident mistakes of {self._title()}"
        return mistakes(images, labels[chosen].tolist(), probabilities[chosen], names, title=title)

    def plot_network(self) -> Picture:
        """Draw the network: how the picture shrinks and deepens."""
        from eyetune.report.figures.network_diagram import network_diagram

        return network_diagram(self.record.network, title=self._title())

    def explain(
        self,
        image: int | str | Path | Images = 0,
        *,
        split: Literal["validation", "test"] = "validation",
        dataset: Dataset | None = None,
    ) -> Explanation:
        """Look into the network: its filters, what each layer makes of an image, where it looks,
        what it confuses.

        Args:
            image: Whose way through the network is shown: its number in the split, from 0; a file;
                or uint8 pixels of shape (height, width, channels).
            split: Whose images to explain it with. Choose on validation; test is for the report.
            dataset: The run's, where it is loaded already.

        Raises:
            UsageError: The run is not complete, or has no such split or image.
            DataError: The file cannot be read as an image, or the images are not those of the run.

        Example:
            >>> import eyetune as et
            >>> et.open_run().explain().plot_heatmaps()  # doctest: +SKIP
        """
        from eyetune.api.explain import explain

        chosen = self.image_to_explain(image, split)
        images = (self.checked(dataset) if dataset else self.dataset()).split(split)
        if self.workspace.predictions.load(self.id, split) is None:
            self.evaluate(split, dataset=dataset)
        probabilities, _ = self._predictions(split)
        names = self.record.data.class_names
        if isinstance(chosen, int):
            chosen = (
                f"{split} image {chosen}: {names[images.labels[chosen]]}",
                np.array(images.images[chosen]),
            )
        return explain(
            self.model(),
            images,
            probabilities,
            chosen,
            label=self._title(),
            split_name=split,
            class_names=names,
            trained_on=split == "validation" and self.recipe.data.train_on_validation,
        )

    def image_to_explain(
        self, image: int | str | Path | Images, split: str
    ) -> int | tuple[str, Images]:
        """Return an image's number in a split, or the name and pixels of another one; it needs no
        Keras.
        """
        from eyetune.api.explain import choose_image

        _ = self.results
        data = self.record.data
        return choose_image(
            image,
            split,
            {"validation": data.num_validation, "test": data.num_test},
            data.image_shape,
        )

    def save_plots(
        self, folder: Path | None = None, *, dataset: Dataset | None = None
    ) -> list[Path]:
        """Write curves, confusion, mistakes and network as PNG and SVG, by default into the run's
        folder.
        """
        from eyetune.report.figures.run_figures import save

        target = folder or self.folder / "plots"
        paths = save(self.plot(), target, "curves") if self.history else []
        if self.record.results is not None:
            paths += save(self.plot_confusion(), target, "confusion")
            paths += save(self.plot_mistakes(dataset=dataset), target, "mistakes")
        return paths + save(self.plot_network(), target, "network")

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain JSON values, with its history and its verdict."""
        complete = self.record.results is not None
        return {
            **self.record.to_json(),
            "history": as_columns(self.history),
            "verdict": self.verdict.to_json() if complete else None,
            "folder": str(self.folder),
        }

    def _repr_html_(self) -> str:
        record = self.record
        rows = {
            "run": record.label,
            "state": str(record.state),
            "data": f"{record.data.name} ({record.data.num_train:,} training images)",
            "epochs": f"{record.num_epochs_done} of {self.recipe.fit.total_epochs}",
            "parameters": f"{record.network.parameters:,}",
            "time": f"{record.duration_seconds:.0f} s ({record.images_per_second:,.0f} images/s)",
        }
        if record.results:
            rows |= {
                "validation accuracy": f"{record.results.validation_accuracy:.2%}",
            }
            if record.results.test_accuracy is not None:
                rows["test accuracy"] = f"{record.results.test_accuracy:.2%}"
            rows["verdict"] = self.verdict.text
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in rows.items()
        )
        return f"<table>{cells}</table>{self._curve_html()}"

    def _curve_html(self) -> str:
        if not self.history:
            return ""
        return self.plot().as_html("accuracy and loss by epoch")

    def _sibling(self, reference: str) -> Run:
        return Run(self.workspace, self.workspace.runs.find(reference))

    def __repr__(self) -> str:
        record = self.record
        reached = (
            f", {record.results.validation_accuracy:.1%} on validation" if record.results else ""
        )
        return f"<Run {record.label}: {record.state}, {record.data.name}, {record.num_epochs_done} epochs{reached}>"

    def _title(self) -> str:
        return f"{self.record.label} on {self.record.data.name}"

    def _predictions(self, split: str) -> tuple[Any, Any]:
        return require_predictions(self.workspace, self.record, split)

    def _facts(self) -> Facts:
        judged = "test" if self.recipe.data.train_on_validation else "validation"
        has_test = self.workspace.predictions.load(self.id, "test") is not None
        test_accuracy = float(self.right("test").mean()) if has_test else None
        return run_facts(self.record, self.history, *self._predictions(judged), test_accuracy)
