"""The quantized stage of a training: the network learns to live with the rounding of int8.

Batch normalization is folded into the weights, with its running averages as they are. Channels are
equalized, and each tensor gets the range that holds its values with the least error. Then training
continues with rounded weights and values, and adjusts the ranges too.

Source: Jacob et al., 2018 (arXiv:1712.05877).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyetune.data.dataset import Split
from eyetune.errors import BoardError, RecipeError
from eyetune.models.int8.folding import fold, put_back
from eyetune.models.int8.images import evenly_spaced
from eyetune.models.int8.ranges import Range, fixed_ranges, range_owners

if TYPE_CHECKING:
    import keras

NUM_OBSERVED_IMAGES = 1000  # of which the first ranges are taken


def check(network: keras.Model) -> None:
    """Check that the int8 arithmetic of all layers of a network is known.

    Raises:
        RecipeError: It is not. The error names the layer.
    """
    try:
        fold(network)
    except BoardError as error:
        raise RecipeError(
            "The recipe quantizes a network that cannot be trained with the rounding of int8.",
            expected=error.expected,
            received=error.received,
            fix="Use another layer or activation, or fit.quantize none: eyetune export then tries "
            "remedies against loss in int8.",
        ) from None


def begin(network: keras.Model, train: Split | None) -> keras.Model:
    """Return a model that computes a trained network as int8 does, with weights of its own.

    Args:
        network: The trained network, which does not change.
        train: Training images, from which the first ranges are taken. None if all variables of the
            model are set afterwards.
    """
    from eyetune.models.int8.equalization import equalized
    from eyetune.models.int8.layers import folded_model
    from eyetune.models.int8.observation import observe

    folded = fold(network)
    if train is None:
        owners = {owner for owner in range_owners(folded) if owner is not None}
        ranges = {owner: Range(0.0, 1.0) for owner in owners}
    else:
        images = evenly_spaced(train.images, NUM_OBSERVED_IMAGES)
        folded = equalized(folded, observe(folded, images))
        ranges = observe(folded, images).ranges()
    return folded_model(folded, ranges, quantized_weights=True, learned=True)


def finish(trained: keras.Model, network: keras.Model) -> dict[int, Range]:
    """Put the weights of a quantized stage into the network, and return the learned ranges.

    Args:
        trained: From `begin`, after training.
        network: The network that it was made from. It gets the trained weights, and computes in
            float what they describe.

    Returns:
        The range of each int8 tensor, by its node in the folded network.
    """
    from eyetune.models.int8.layers import FakeQuantize, FoldedWeights

    folded = fold(network)
    weights = [layer for layer in trained.layers if isinstance(layer, FoldedWeights)]
    put_back(folded.with_weights({layer.index: layer.folded() for layer in weights}))
    # Random layers have no part in this stage, and its checkpoints do not hold their states: after
    # a resumed training, they are those of the start.
    for variable in network.non_trainable_variables:
        if variable.name == "seed_generator_state":
            variable.assign([variable.numpy()[0], 0])
    limits = [layer for layer in trained.layers if isinstance(layer, FakeQuantize)]
    return fixed_ranges(folded) | {layer.index: layer.current() for layer in limits}
