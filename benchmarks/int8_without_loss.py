"""Accuracy in int8 of a trained network and of one that is hard to convert, by three methods.

    EYETUNE_DATA=FOLDER python benchmarks/int8_without_loss.py --results int8.jsonl

ResNet-8 of half the width is trained on CIFAR-10. A copy of it is made hard for int8: in each
residual block, one channel becomes larger by a factor, and the weights that read it smaller, which
changes nothing in float. Both are converted plainly, with the remedies of an export, and after the
quantized stage of a training. TensorFlow Lite Micro classifies test images, which decide nothing.

The table also shows for how many of them the fake-quantized network of the quantized stage predicts
the class that TensorFlow Lite Micro predicts.

Started again with the same file after an interruption, it repeats the training in float, and skips
everything else that is in the file.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from eyetune.data import Dataset, Split, load
from eyetune.device.export.calibration import CalibratedModel, calibrate
from eyetune.device.export.quantize import quantize
from eyetune.device.export.tflm import MicroInterpreter
from eyetune.models.int8.equalization import scalable_pairs
from eyetune.models.int8.folding import Weights, fold, output_scales, put_back
from eyetune.models.int8.images import evenly_spaced
from eyetune.models.int8.layers import folded_model
from eyetune.models.int8.ranges import Ranges
from eyetune.recipe import Recipe
from eyetune.training.backend import start_keras
from eyetune.training.evaluate import probabilities
from eyetune.training.fit import Fitted, fit
from eyetune.training.precision import Arithmetic
from eyetune.training.prepared_network import PreparedNetwork, prepare_network
from recorded import Result, commit, machine, markdown_table, measured

PLAIN, REMEDIES, TRAINING = "plain", "remedies", "quantization-aware training"
NUM_PLAIN_IMAGES = 200
NUM_VALIDATION_IMAGES = 2000


def recipe_of(epochs: int) -> Recipe:
    """Return the recipe of the training in float."""
    edits = {
        "model": "resnet8",
        "model.width": 0.5,
        "augment.flip": True,
        "optimizer.schedule": "one_cycle",
        "optimizer.learning_rate": 0.005,
        "fit.batch_size": 128,
        "fit.precision": "float32",
        "fit.epochs": epochs,
    }
    return Recipe().with_(edits)


def make_hard(model: keras.Model, factor: float) -> None:
    """Make the first channel of each tensor between two layers larger, where float allows it."""
    network = fold(model)
    weights = dict(network.weights)
    for pair in scalable_pairs(network):
        first, second = weights[pair.first], weights[pair.second]
        factors = np.ones(len(first.bias), np.float32)
        factors[0] = factor
        scales = output_scales(network.nodes[pair.first], first.kernel, factors)
        weights[pair.first] = Weights(first.kernel * scales, first.bias * factors)
        by_input = second.kernel.reshape(-1, len(factors), second.kernel.shape[-1])
        scaled = (by_input / factors.reshape(-1, 1)).reshape(second.kernel.shape)
        weights[pair.second] = Weights(scaled, second.bias)
    put_back(network.with_weights(weights))


def prepared_with(
    recipe: Recipe, dataset: Dataset, start: list[NDArray[np.float32]]
) -> PreparedNetwork:
    """Return the network of a recipe with given weights."""
    prepared = prepare_network(recipe, dataset, seed=0, arithmetic=Arithmetic("float32"))
    prepared.model.set_weights(start)
    return prepared


def quantized(recipe: Recipe, dataset: Dataset, start: list[NDArray[np.float32]]) -> Fitted:
    """Return the outcome of a quantized stage, after an epoch that leaves the weights as they are.

    That epoch is a part of every training.
    """
    edits = {
        "optimizer.learning_rate": 1e-12,
        "optimizer.schedule": "constant",
        "optimizer.quantize_learning_rate": 1e-4,
        "model.batch_norm_momentum": 0.9999,
        "fit.epochs": 1,
        "fit.quantize": "int8",
    }
    with tempfile.TemporaryDirectory() as folder:
        return fit(prepared_with(recipe.with_(edits), dataset, start), Path(folder))


def converted(model: keras.Model, dataset: Dataset, learned: Ranges | None) -> CalibratedModel:
    """Convert a network as an export does."""
    validation = dataset.validation.take(0, NUM_VALIDATION_IMAGES)
    return calibrate(
        model,
        dataset.train,
        validation,
        float_probabilities=probabilities(model, validation),
        per_channel_dense=True,
        on_step=lambda *_: lambda _: None,
        learned=learned,
    )


def outcome(
    method: str,
    recipe: Recipe,
    dataset: Dataset,
    start: list[NDArray[np.float32]],
    test: Split,
) -> Result:
    """Return the accuracy in int8 by one method, in TensorFlow Lite Micro."""
    model = prepared_with(recipe, dataset, start).model
    in_float = probabilities(model, test).argmax(axis=1)
    ranges = None
    if method == TRAINING:
        fitted = quantized(recipe, dataset, start)
        model, ranges = fitted.model, fitted.ranges
    how, agreement = method, None
    if method == PLAIN:
        content = quantize(model, evenly_spaced(dataset.train.images, NUM_PLAIN_IMAGES))
    else:
        result = converted(model, dataset, ranges)
        content, how = result.content, result.chosen.method.value
    classes = MicroInterpreter(content).scores(test.images).argmax(axis=1)
    if ranges is not None:
        fake = folded_model(fold(model), ranges, quantized_weights=True)
        agreement = float(np.mean(probabilities(fake, test).argmax(axis=1) == classes))
    return {
        "float_accuracy": float(np.mean(in_float == test.labels)),
        "int8_accuracy": float(np.mean(classes == test.labels)),
        "how": how,
        "agreement": agreement,
        "machine": machine(),
        "commit": commit(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, help="file of results, to resume from")
    parser.add_argument("--data", default="cifar10", help="a source of images")
    parser.add_argument("--subset", type=int, default=20_000, help="number of images")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of the training in float")
    parser.add_argument("--quantize-epochs", type=int, default=1, help="epochs of the last stage")
    parser.add_argument("--factor", type=float, default=1000, help="size of the large channels")
    parser.add_argument("--images", type=int, default=1000, help="number of test images")
    options = parser.parse_args()
    start_keras()
    dataset = load(options.data, subset=options.subset)
    test = dataset.test.take(0, options.images)
    recipe = recipe_of(options.epochs)
    prepared = prepare_network(recipe, dataset, seed=0, arithmetic=Arithmetic("float32"))
    with tempfile.TemporaryDirectory() as folder:
        model = fit(prepared, Path(folder)).model
    rows = []
    for factor in (1.0, options.factor):
        make_hard(model, factor)
        start = model.get_weights()
        for method in (PLAIN, REMEDIES, TRAINING):
            staged = recipe.with_(fit__quantize_epochs=options.quantize_epochs)
            key = {
                "recipe": staged.fingerprint,
                "data": dataset.fingerprint,
                "factor": factor,
                "method": method,
                "images": len(test),
            }
            result = measured(
                options.results, key, partial(outcome, method, staged, dataset, start, test)
            )
            agreement = result["agreement"]
            rows.append(
                [
                    "as trained" if factor == 1 else f"a channel {factor:g} times as large",
                    method if result["how"] == method else f"{method} ({result['how']})",
                    f"{result['float_accuracy']:.2%}",
                    f"{result['int8_accuracy']:.2%}",
                    "" if agreement is None else f"{agreement:.2%}",
                ]
            )
            print(" | ".join(rows[-1]), flush=True)
    header = ("network", "method", "float", "int8", "as fake-quantized")
    print(markdown_table(header, rows))


if __name__ == "__main__":
    main()
