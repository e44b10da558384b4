"""Turns the outcomes of jobs into records; only the coordinating process writes records."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator

import numpy as np

from eyetune.analysis.linear_baseline import MAX_IMAGES, count_correct
from eyetune.analysis.metrics import evaluate
from eyetune.data import AnyDataset, Dataset
from eyetune.data.cache import computed
from eyetune.data.dataset import Floats
from eyetune.errors import DataError, DivergedError, EyetuneError
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.run import DataRecord, Results, RunFailure
from eyetune.training.job import Job, Outcome
from eyetune.tuning.references import teacher_file
from eyetune.values.versions import library_versions


def describe(dataset: AnyDataset, num_classes: int = 0) -> DataRecord:
    """Return what is recorded of a dataset.

    Args:
        dataset: The data of a run.
        num_classes: Number of classes that the network distinguishes, if the data was given as
            arrays; 0 if it is no classifier.
    """
    if not isinstance(dataset, Dataset):
        return DataRecord(
            name=dataset.name,
            source=dataset.source,
            fingerprint=dataset.fingerprint,
            class_names=tuple(map(str, range(num_classes))),
            image_shape=dataset.sample_shape,
            num_train=len(dataset.train),
            num_validation=len(dataset.validation) if dataset.validation else 0,
            num_test=0,
            notes=dataset.notes,
            kind="arrays",
        )
    return DataRecord(
        name=dataset.name,
        source=dataset.source,
        fingerprint=dataset.fingerprint,
        class_names=dataset.class_names,
        image_shape=dataset.image_shape,
        num_train=len(dataset.train),
        num_validation=len(dataset.validation),
        num_test=len(dataset.test),
        notes=dataset.notes,
    )


def versions() -> dict[str, str]:
    """Return the versions of the software that results depend on."""
    return library_versions("eyetune", "keras", "numpy") | {"python": platform.python_version()}


def job_of(
    workspace: Workspace,
    record: RunRecord,
    *,
    splits: tuple[str, ...] = ("validation", "test"),
    stop_after: int | None = None,
    conclude: bool = False,
) -> Job:
    """Return the job that trains a recorded run.

    Args:
        workspace: Workspace of the run.
        record: The run.
        splits: Splits to classify with the trained network.
        stop_after: Total epochs after which to pause; None for the recipe's end.
        conclude: Save the network and classify even where training is not over.
    """
    return Job(
        recipe=record.recipe,
        folder=workspace.runs.folder(record.id),
        seed=record.seed,
        precision=record.precision,
        threads=record.threads,
        deterministic=record.deterministic,
        splits=splits,
        teacher=teacher_file(workspace, record.recipe),
        stop_after=stop_after,
        conclude=conclude,
    )


def record_outcome(
    workspace: Workspace,
    record: RunRecord,
    outcome: Outcome,
    linear_accuracy: Callable[[], float | None],
) -> RunRecord:
    """Record the outcome of a job: COMPLETE or STOPPED with results and predictions, or PAUSED.

    Args:
        workspace: Where the run is recorded.
        record: The run.
        outcome: The outcome of its job.
        linear_accuracy: Returns the accuracy of a linear classifier on the same images; None where
            it means nothing.
    """
    if not outcome.is_saved:
        workspace.runs.set_state(record.id, RunState.PAUSED)
        return workspace.runs.get(record.id)
    metrics = {}
    for name, (probabilities, labels) in outcome.predictions.items():
        workspace.predictions.save(record.id, name, probabilities, labels)
        metrics[name] = evaluate(probabilities, labels)
    validation, test = metrics.get("validation"), metrics.get("test")
    kept = outcome.history[outcome.kept_epoch - 1]
    results = Results(
        kept_epoch=outcome.kept_epoch,
        validation_loss=validation.loss if validation else kept.val_loss,
        validation_accuracy=validation.accuracy if validation else kept.val_accuracy,
        test_loss=test.loss if test else None,
        test_accuracy=test.accuracy if test else None,
        linear_accuracy=linear_accuracy(),
    )
    state = RunState.COMPLETE if outcome.is_over else RunState.STOPPED
    workspace.runs.set_state(record.id, state, results=results)
    return workspace.runs.get(record.id)


def record_failure(workspace: Workspace, run_id: str, error: BaseException) -> RunRecord:
    """Record why a run failed; after Ctrl-C it is PAUSED and can be resumed."""
    if isinstance(error, KeyboardInterrupt):
        workspace.runs.set_state(run_id, RunState.PAUSED)
    else:
        is_ours = isinstance(error, EyetuneError)
        message = str(error) if is_ours else f"{type(error).__name__}: {error}"
        failure = RunFailure.DIVERGED if isinstance(error, DivergedError) else RunFailure.OTHER
        workspace.runs.set_state(run_id, RunState.FAILED, error=message, failure=failure)
    return workspace.runs.get(run_id)


def linear_baseline(
    dataset: Dataset, on_note: Callable[[str], None] = lambda _: None
) -> float | None:
    """Return the validation accuracy of a linear classifier, fitted once per data set and cached.

    Args:
        dataset: The images.
        on_note: Called with a message before the classifier is fitted, which may take seconds.

    Returns:
        Share of the first 5,000 validation images classified correctly, 0 to 1. None for CIFAR-10,
        which is judged by the lab's bands, where validation images are trained on, which would say
        nothing, and where the images that would be fitted are of one class.
    """
    if dataset.name == "cifar10" or dataset.validation_is_seen:
        return None
    if len(np.unique(dataset.train.labels[:MAX_IMAGES])) < 2:
        return None
    num_images = min(len(dataset.validation), MAX_IMAGES)

    def fit() -> Iterator[Floats]:
        on_note("Fitting a linear baseline ...")
        train, validation = dataset.train, dataset.validation
        num_correct = count_correct(
            train.images, train.labels, validation.images, validation.labels
        )
        yield np.array([[num_correct]], np.float32)

    key = {"values": "linear baseline", "version": 1, "fingerprint": dataset.fingerprint}
    try:
        values = computed(
            key, (1, 1), fit, name=f"{dataset.name}: linear baseline", source=dataset.source
        )
    except DataError:  # a cache that cannot be written must not fail a training that is done
        (values,) = fit()
    return int(values[0, 0]) / num_images
