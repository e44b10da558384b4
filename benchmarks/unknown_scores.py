"""Which int8 scores tell known pictures from unknown ones: probabilities or logits?

    python benchmarks/unknown_scores.py --results results.jsonl
    python benchmarks/unknown_scores.py --data digits --epochs 2 --subset 500 --seeds 1

Trains resnet8 on CIFAR-10, on eight of its classes (cifar10-8) and on the digits, converts it to
int8, and takes the scores of its softmax and those before it, as a board computes them. For both,
the threshold refuses at most 5% of the known pictures. Reported are how many test pictures have the
highest confidence of all, how many are refused, and how many unknown pictures are, with 95%
intervals: noise, blotches of color, digits or CIFAR-10's photographs, and pictures of the other two
classes. It prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.class_metrics import wilson_share
from recorded import Result, machine, markdown_table, measured

Images = NDArray[np.uint8]

RATE = 0.05
NUM_IMAGES = 2000
KINDS = ("probabilities", "logits")
SOURCES = ("cifar10", "cifar10-8", "digits")
NUM_KNOWN_CLASSES = 8  # of cifar10-8


def measure(data: str, seed: int, epochs: int, subset: int) -> Result:
    """Train one network, and return what both kinds of scores are worth."""
    import eyetune as et
    from eyetune.data.unknown_pictures import generated_pictures, own_pictures
    from eyetune.device.estimate.tflite import read
    from eyetune.device.export.board_scores import board_scores
    from eyetune.device.export.logits import without_softmax
    from eyetune.device.export.quantize import quantize
    from eyetune.device.export.unknown import calibrated_rule
    from eyetune.models.int8.images import evenly_spaced

    with tempfile.TemporaryDirectory() as folder:
        others: Images | None = None
        source = data
        if data == "cifar10-8":
            source, others = known_classes(Path(folder))
        edits = {"model": "resnet8", "fit.epochs": epochs, "data.source": source}
        edits["data.subset"] = subset
        run = et.train(et.Recipe().with_(edits), seed=seed, workspace=folder, plots=False)
        dataset = run.dataset()
        content = quantize(run.classifier(), evenly_spaced(dataset.train.images, 1000))
        accuracy = run.validation_accuracy
    shorter = without_softmax(content)
    assert shorter is not None
    half = min(len(dataset.validation) // 2, NUM_IMAGES)
    tuning, rest = dataset.validation.take(0, half), dataset.validation.take(half, 2 * half)
    test = dataset.test.take(0, NUM_IMAGES).images
    unknown = generated_pictures(dataset.image_shape, has_digits=data != "digits")
    if data == "digits":
        unknown["photographs"] = own_pictures("cifar10", dataset.image_shape)
    if others is not None:
        unknown["other classes"] = others
    result: Result = {"accuracy": accuracy, "unknown": list(unknown)}
    for kind, network in zip(KINDS, (content, shorter), strict=True):
        calibrated = calibrated_rule(
            read(network).output,
            board_scores(network, tuning.images),
            tuning.labels,
            board_scores(network, rest.images),
            scores_are_logits=kind == "logits",
            rate=RATE,
        )
        rule = calibrated.rule
        confidences = rule.confidences(board_scores(network, test))
        refused = {"known": [int((confidences < rule.threshold).sum()), len(test)]}
        for name, images in unknown.items():
            is_refused = rule.confidences(board_scores(network, images)) < rule.threshold
            refused[name] = [int(is_refused.sum()), len(images)]
        result[kind] = {
            "temperature": calibrated.temperature,
            "saturated": float(np.mean(confidences == confidences.max())),
            "refused": refused,
        }
    return result


def known_classes(folder: Path) -> tuple[str, Images]:
    """Write a file with eight classes of CIFAR-10, and return its path and pictures of the others.

    The pictures that are returned are test pictures of both other classes.
    """
    import eyetune as et

    dataset = et.load("cifar10")
    arrays: dict[str, Any] = {}
    for name, split in (
        ("train", dataset.train),
        ("val", dataset.validation),
        ("test", dataset.test),
    ):
        known = split.labels < NUM_KNOWN_CLASSES
        arrays |= {f"x_{name}": split.images[known], f"y_{name}": split.labels[known]}
    path = folder / "known.npz"
    np.savez(path, **arrays)
    return str(path), dataset.test.images[dataset.test.labels >= NUM_KNOWN_CLASSES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, help="file with results, to continue with")
    parser.add_argument("--data", action="append", choices=SOURCES, help="default: all")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--subset", type=int, default=0, help="training images; 0: all")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    rows = []
    for data in arguments.data or SOURCES:
        for seed in range(arguments.seeds):
            key = {"data": data, "seed": seed, "epochs": arguments.epochs}
            key |= {"subset": arguments.subset, "format": 2}  # with numbers of refused pictures
            result = measured(
                arguments.results,
                key,
                lambda data=data, seed=seed: {  # type: ignore[misc]
                    **measure(data, seed, arguments.epochs, arguments.subset),
                    "machine": machine(),
                },
            )
            for kind in KINDS:
                values = result[kind]
                refused = {
                    name: wilson_share(*counts).text() for name, counts in values["refused"].items()
                }
                others = ", ".join(f"{name} {refused[name]}" for name in result["unknown"])
                cells = (data, str(seed), f"{result['accuracy']:.1%}", kind)
                temperature, saturated = (
                    f"{values['temperature']:.2f}",
                    f"{values['saturated']:.1%}",
                )
                rows.append((*cells, temperature, saturated, refused["known"], others))
    header = ("data", "seed", "accuracy", "scores", "temperature", "saturated", "known refused")
    print(markdown_table((*header, "unknown refused"), rows))


if __name__ == "__main__":
    main()
