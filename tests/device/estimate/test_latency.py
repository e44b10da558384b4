"""Times, against published measurements of known networks."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from eyetune.device.boards.profiles import board
from eyetune.device.estimate.graph import Graph, Operator, Tensor
from eyetune.device.estimate.latency import Latency, latency
from eyetune.device.estimate.lowering import lower
from eyetune.models.build import build
from eyetune.recipe import Recipe


def mobilenet(shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Build the MobileNet of MLPerf Tiny's wake words, person detection and TinyMaix: a quarter of
    the filters.
    """
    return keras.applications.MobileNet(
        input_shape=shape, alpha=0.25, weights=None, classes=num_classes
    )


def keywords() -> keras.Model:
    """Build the DS-CNN of MLPerf Tiny (Zhang et al., 2017, arXiv:1711.07128)."""

    def normalized(values: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(values))

    images = layers.Input((49, 10, 1))
    values = normalized(layers.Conv2D(64, (10, 4), strides=2, padding="same")(images))
    for _ in range(4):
        values = normalized(layers.DepthwiseConv2D(3, padding="same")(values))
        values = normalized(layers.Conv2D(64, 1)(values))
    values = layers.Flatten()(layers.AveragePooling2D((25, 5))(values))
    return keras.Model(images, layers.Dense(12, activation="softmax")(values))


def anomalies() -> keras.Model:
    """Build the autoencoder of MLPerf Tiny."""
    hidden = [
        layers.Dense(units, activation="relu")
        for units in (128, 128, 128, 128, 8, 128, 128, 128, 128)
    ]
    return keras.Sequential([layers.Input((640,)), *hidden, layers.Dense(640)])


def resnet8() -> keras.Model:
    return build(Recipe.model_validate({"model": "resnet8"}).model, (32, 32, 3), 10)


def known(graph: Graph, name: str, *, arena_in_psram: bool = False) -> Latency:
    found = latency(graph, board(name), arena_in_psram=arena_in_psram)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "network", "macs", "milliseconds"),
    [
        # esp-tflite-micro, person detection with ESP-NN
        ("esp-eye", lambda: mobilenet((96, 96, 1), 2), 7.16e6, 380),
        ("esp32-s3-eye", lambda: mobilenet((96, 96, 1), 2), 7.16e6, 54),
        # TinyMaix on the ESP32
        ("esp-eye", lambda: mobilenet((128, 128, 3), 1000), 13.6e6, 755),
        ("esp-eye", lambda: mobilenet((96, 96, 3), 2), 7.49e6, 476),
        # MLPerf Tiny v0.5, the reference submission
        ("nucleo-l4r5zi", resnet8, 12.5e6, 704),
        ("nucleo-l4r5zi", keywords, 2.66e6, 182),
        ("nucleo-l4r5zi", lambda: mobilenet((96, 96, 3), 2), 7.49e6, 601),
        ("nucleo-l4r5zi", anomalies, 0.264e6, 10),
    ],
)
def test_published_times_lie_within_the_error(
    name: str, network: Any, macs: float, milliseconds: float
) -> None:
    graph = lower(network())
    assert graph.macs == pytest.approx(macs, rel=0.03)  # it is the same network
    found = known(graph, name)
    assert found.low <= milliseconds <= found.high, found.milliseconds


def test_a_large_network_on_the_s3_has_its_arena_in_external_ram() -> None:
    network = keras.applications.MobileNetV3Small(
        input_shape=(224, 224, 3), weights=None, include_preprocessing=False
    )
    graph = lower(network)
    assert graph.macs == pytest.approx(56.5e6, rel=0.03)
    found = known(graph, "esp32-s3-eye", arena_in_psram=True)
    assert found.low <= 1434 <= found.high, found.milliseconds  # ms, of esp-tflite-micro


def test_a_network_of_which_only_the_mac_are_published() -> None:
    step = Operator("CONV_2D", ("all",), (0,), 1, macs=3_080_000)  # TinyMaix's for CIFAR
    found = known(Graph((Tensor((32, 32, 16)), Tensor((16,))), (step,), (0,), (1,)), "esp-eye")
    assert found.low <= 132 <= found.high, found.milliseconds


def steps(*kinds: str, size: int = 100) -> Graph:
    """Return a chain of operators with a thousand multiply-adds each."""
    made = tuple(
        Operator(kind, (f"layer{place}",), (place,), place + 1, macs=1000)
        for place, kind in enumerate(kinds)
    )
    return Graph((Tensor((size,)),) * (len(kinds) + 1), made, (0,), (len(kinds),))


CHAINS = st.lists(
    st.sampled_from(["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MEAN"]), max_size=8
)


@given(CHAINS, st.booleans())
def test_the_operators_times_add_up(kinds: list[str], arena_in_psram: bool) -> None:
    found = known(steps(*kinds), "esp-eye", arena_in_psram=arena_in_psram)
    assert sum(found.operators) == pytest.approx(found.milliseconds)
    assert len(found.operators) == len(kinds)
    assert found.low == pytest.approx(found.milliseconds - found.error_milliseconds)
    assert found.high == pytest.approx(found.milliseconds + found.error_milliseconds)


@given(CHAINS)
def test_external_ram_is_slower_and_less_certain(kinds: list[str]) -> None:
    graph = steps(*kinds, "CONV_2D")
    inside, outside = known(graph, "esp-eye"), known(graph, "esp-eye", arena_in_psram=True)
    assert outside.low == pytest.approx(1.15 * inside.low)
    assert outside.high == pytest.approx(2 * inside.high)


def test_half_the_clock_takes_twice_the_time() -> None:
    graph, eye = steps("CONV_2D", "ADD"), board("esp-eye")
    slow = latency(
        graph, eye.model_copy(update={"clock_hz": eye.clock_hz // 2}), arena_in_psram=False
    )
    assert slow is not None
    assert slow.milliseconds == pytest.approx(2 * known(graph, "esp-eye").milliseconds)


def test_a_new_shape_takes_no_time() -> None:
    assert known(steps("RESHAPE"), "esp-eye").milliseconds == 0


def test_few_input_channels_cost_more_a_mac() -> None:
    def of(channels: int) -> float:
        step = Operator("CONV_2D", ("conv",), (0,), 1, macs=1000)
        return known(
            Graph((Tensor((8, 8, channels)), Tensor((1,))), (step,), (0,), (1,)), "esp32-s3-eye"
        ).milliseconds

    assert of(1) == of(15) > of(16) == of(64)


def test_without_a_cost_model_the_time_is_not_known() -> None:
    own = board("esp-eye").model_copy(update={"cost": None})
    assert latency(steps("CONV_2D"), own, arena_in_psram=False) is None
