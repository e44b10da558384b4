"""Known networks: names that stand for whole model sections, pre-trained or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError


def _stages(num_blocks: Mapping[int, int], **values: Any) -> list[dict[str, Any]]:
    """Return the blocks of several stages; each stage after the first halves the image size.

    Args:
        num_blocks: Number of blocks of each stage, by the filters of its blocks.
        values: Values of all blocks.
    """
    result: list[dict[str, Any]] = []
    for stage, (filters, count) in enumerate(num_blocks.items()):
        for block in range(count):
            halves = stage > 0 and block == 0
            stride = 2 if halves else 1
            result.append({"filters": filters, "stride": stride, "pool_size": 1, **values})
    return result


_STEM = {"filters": 16, "pool_size": 1}
_FULLY_CONVOLUTIONAL = {
    "padding": "same",
    "batch_norm": True,
    "global_pooling": True,
    "dense": [],
}

# Networks that are trained from scratch, as values of the model section. `model.width` makes them
# wider or narrower.
ZOO: dict[str, dict[str, Any]] = {
    "lab": {},
    # Simonyan and Zisserman, 2015 (arXiv:1409.1556), scaled down to CIFAR images
    "vgg": {
        "blocks": [{"filters": count, "convolutions": 2} for count in (32, 64, 128)],
        "padding": "same",
        "batch_norm": True,
        "dense": [128],
        "dropout": 0.3,
    },
    # The image classification network of MLPerf Tiny (Banbury et al., 2021, arXiv:2106.07597)
    "resnet8": {
        **_FULLY_CONVOLUTIONAL,
        "blocks": [_STEM, *_stages({16: 1, 32: 1, 64: 1}, convolutions=2, residual=True)],
    },
    # He et al., 2016 (arXiv:1512.03385), section 4.2, with two instead of three blocks per stage
    "resnet14": {
        **_FULLY_CONVOLUTIONAL,
        "blocks": [_STEM, *_stages({16: 2, 32: 2, 64: 2}, convolutions=2, residual=True)],
    },
    # He et al., 2016 (arXiv:1512.03385), section 4.2
    "resnet20": {
        **_FULLY_CONVOLUTIONAL,
        "blocks": [_STEM, *_stages({16: 3, 32: 3, 64: 3}, convolutions=2, residual=True)],
    },
    # Howard et al., 2017 (arXiv:1704.04861), scaled down to CIFAR images
    "mobilenet": {
        **_FULLY_CONVOLUTIONAL,
        "blocks": [_STEM, *_stages({32: 2, 64: 2, 128: 2}, depthwise=True)],
    },
    # Sandler et al., 2018 (arXiv:1801.04381), scaled down to CIFAR images
    "mobilenet2": {
        **_FULLY_CONVOLUTIONAL,
        "blocks": [_STEM, *_stages({12: 2, 24: 3, 48: 3}, expansion=4, residual=True)],
    },
}

# The most accurate networks that were found under limits of size (benchmarks/frontier.py), with the
# residual blocks of He et al., 2016 (arXiv:1512.03385). Techniques do not try them.
SMALL: dict[str, dict[str, Any]] = {
    "small-16k": {
        **_FULLY_CONVOLUTIONAL,
        "blocks": [
            {**_STEM, "stride": 2},
            *_stages({16: 1, 20: 1}, convolutions=2, residual=True),
        ],
    },
    "small-98k": {
        **_FULLY_CONVOLUTIONAL,
        "blocks": [_STEM, *_stages({16: 3, 32: 4}, convolutions=2, residual=True)],
    },
    "small-300k": {
        **_FULLY_CONVOLUTIONAL,
        "blocks": [_STEM, *_stages({16: 3, 32: 6, 64: 2}, convolutions=2, residual=True)],
    },
}

# Pre-trained networks, each followed by the lab's dense layer. VGG16 is flattened, as in the lab.
# The others end in global average pooling, as in their pre-training. `mobilenet_v1` has a number
# because `mobilenet` is a small network of the zoo.
PRETRAINED: dict[str, dict[str, Any]] = {
    # Simonyan and Zisserman, 2015 (arXiv:1409.1556)
    "vgg16": {"base": "vgg16"},
    # Howard et al., 2017 (arXiv:1704.04861)
    "mobilenet_v1": {"base": "mobilenet_v1", "global_pooling": True},
    # Sandler et al., 2018 (arXiv:1801.04381)
    "mobilenet_v2": {"base": "mobilenet_v2", "global_pooling": True},
    # Tan and Le, 2019 (arXiv:1905.11946)
    "efficientnet_b0": {"base": "efficientnet_b0", "global_pooling": True},
    # He et al., 2016 (arXiv:1512.03385)
    "resnet50": {"base": "resnet50", "global_pooling": True},
}

# The first layer of each backbone's last stage: where fine-tuning starts by default.
LAST_STRETCH = {
    "vgg16": "block5_conv1",
    "mobilenet_v1": "conv_dw_12",
    "mobilenet_v2": "block_14_expand",
    "efficientnet_b0": "block7a_expand_conv",
    "resnet50": "conv5_block1_1_conv",
}

# Networks of the zoo that `model.initial_weights = "cifar10"` has weights for
WITH_CIFAR10_WEIGHTS = ("resnet8",)

NETWORKS = {**ZOO, **SMALL, **PRETRAINED}


def known_network(value: Any) -> Any:
    """Replace the name of a known network by its values, and `file.py:name` by a model function."""
    if not isinstance(value, str):
        return value
    if ".py:" in value or value.endswith((".py", ".pickle")):
        return {"function": value}
    if value not in NETWORKS:
        raise PydanticCustomError(
            "unknown_network", "the name of a known network, or a table of values"
        )
    return NETWORKS[value]
