"""Predicted times, against published measurements of known networks."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from eyetune.device.boards.profiles import load_board
from eyetune.device.estimate.graph import Graph, Operator, Tensor
from eyetune.device.estimate.latency import Latency, latency
from eyetune.device.estimate.lowering import lower
from eyetune.models.build import build
from eyetune.recipe import Recipe


def mobilenet(shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Build the MobileNet with a quarter of the filters.

    It is that of MLPerf Tiny's wake words, person detection and TinyMaix.
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


def predicted(graph: Graph, name: str, *, arena_in_psram: bool = False) -> Latency:
    time = latency(graph, load_board(name), arena_in_psram=arena_in_psram)
    assert time is not None
    return time


@pytest.mark.parametrize(
    ("name", "network", "macs", "milliseconds"),
    [
        # esp-tflite-micro, person detection with ESP-NN
        ("esp-eye", lambda: mobilenet((96, 96, 1), 2), 7.16e6, 380),
        ("esp32-s3-eye", lambda: mobilenet((96, 96, 1), 2), 7.16e6, 54),
        ("esp32-c3", lambda: mobilenet((96, 96, 1), 2), 7.16e6, 426),
        ("esp32-p4", lambda: mobilenet((96, 96, 1), 2), 7.16e6, 73),
        # pico-tflmicro on an RP2350, of gnotu/pico2-benchmark
        ("pico-2", keywords, 2.66e6, 60.4),
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
def test_latency_range_holds_published_times(
    name: str, network: Any, macs: float, milliseconds: float
) -> None:
    graph = lower(network())
    assert graph.macs == pytest.approx(macs, rel=0.03)  # the same network
    time = predicted(graph, name)
    assert time.low <= milliseconds <= time.high, time.milliseconds


@pytest.mark.parametrize(
    ("network", "per_second"),
    [
        (resnet8, 3.146),
        (keywords, 13.074),
        (lambda: mobilenet((96, 96, 3), 2), 4.286),
        (anomalies, 159.02),
    ],
)
def test_latency_of_the_pico_2_fits_its_core(network: Any, per_second: float) -> None:
    """The nRF5340 in MLPerf Tiny v1.1: the same core at 128 MHz, with flash that is not slow."""
    pico = load_board("pico-2")
    assert pico.cost is not None
    cost = pico.cost.model_copy(update={"dense": 3.0})
    nrf5340 = pico.model_copy(update={"clock_hz": 128_000_000, "cost": cost})
    time = latency(lower(network()), nrf5340, arena_in_psram=False)
    assert time is not None
    assert time.milliseconds == pytest.approx(1000 / per_second, rel=0.04)


def test_latency_of_inverted_bottlenecks_on_the_nicla_vision() -> None:
    """The eight networks of TinyEngine's README took 3.8 to 4.8 cycles per MAC on this core."""
    network = keras.applications.MobileNetV2(
        input_shape=(144, 144, 3), alpha=0.35, weights=None, classes=1000
    )
    graph = lower(network)
    time = predicted(graph, "nicla-vision")
    cycles_per_mac = [
        milliseconds * 480_000 / graph.macs
        for milliseconds in (time.low, time.milliseconds, time.high)
    ]
    assert cycles_per_mac[0] < 3.8 < cycles_per_mac[1] < 4.8 < cycles_per_mac[2]


def test_latency_of_mobilenet_v3_in_external_ram() -> None:
    network = keras.applications.MobileNetV3Small(
        input_shape=(224, 224, 3), weights=None, include_preprocessing=False
    )
    graph = lower(network)
    assert graph.macs == pytest.approx(56.5e6, rel=0.03)
    s3, p4 = load_board("esp32-s3-eye"), load_board("esp32-p4")
    p4_of_revision_3 = p4.model_copy(update={"clock_hz": 400_000_000})
    # Milliseconds: of esp-tflite-micro, then of later versions of ESP-NN
    for board, milliseconds in ((s3, 1434), (s3, 729), (p4_of_revision_3, 388)):
        time = latency(graph, board, arena_in_psram=True)
        assert time is not None
        assert time.low <= milliseconds <= time.high, time.milliseconds


def test_latency_of_tinymaix_cifar_by_macs() -> None:
    step = Operator("CONV_2D", ("all",), (0,), 1, macs=3_080_000)  # TinyMaix's for CIFAR
    time = predicted(Graph((Tensor((32, 32, 16)), Tensor((16,))), (step,), (0,), (1,)), "esp-eye")
    assert time.low <= 132 <= time.high, time.milliseconds


def steps(*kinds: str, size: int = 100) -> Graph:
    """Return a chain of operators with a thousand MACs each."""
    made = tuple(
        Operator(kind, (f"layer{index}",), (index,), index + 1, macs=1000)
        for index, kind in enumerate(kinds)
    )
    return Graph((Tensor((size,)),) * (len(kinds) + 1), made, (0,), (len(kinds),))


CHAINS = st.lists(
    st.sampled_from(["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MEAN"]), max_size=8
)


@given(CHAINS, st.booleans())
def test_latency_is_the_sum_of_its_operators(kinds: list[str], arena_in_psram: bool) -> None:
    time = predicted(steps(*kinds), "esp-eye", arena_in_psram=arena_in_psram)
    assert sum(time.operators) == pytest.approx(time.milliseconds)
    assert len(time.operators) == len(kinds)
    assert time.low == pytest.approx(time.milliseconds - time.error_milliseconds)
    assert time.high == pytest.approx(time.milliseconds + time.error_milliseconds)


@given(CHAINS)
def test_latency_in_psram_is_longer_and_less_certain(kinds: list[str]) -> None:
    graph = steps(*kinds, "CONV_2D")
    inside, outside = predicted(graph, "esp-eye"), predicted(graph, "esp-eye", arena_in_psram=True)
    assert outside.low == pytest.approx(1.15 * inside.low)
    assert outside.high == pytest.approx(2 * inside.high)


def test_latency_doubles_at_half_the_clock() -> None:
    graph, eye = steps("CONV_2D", "ADD"), load_board("esp-eye")
    slow = latency(
        graph, eye.model_copy(update={"clock_hz": eye.clock_hz // 2}), arena_in_psram=False
    )
    assert slow is not None
    assert slow.milliseconds == pytest.approx(2 * predicted(graph, "esp-eye").milliseconds)


def test_latency_of_a_reshape_is_zero() -> None:
    assert predicted(steps("RESHAPE"), "esp-eye").milliseconds == 0


def test_latency_per_mac_is_higher_for_few_channels() -> None:
    def milliseconds(channels: int) -> float:
        step = Operator("CONV_2D", ("conv",), (0,), 1, macs=1000)
        return predicted(
            Graph((Tensor((8, 8, channels)), Tensor((1,))), (step,), (0,), (1,)), "esp32-s3-eye"
        ).milliseconds

    assert milliseconds(1) == milliseconds(15) > milliseconds(16) == milliseconds(64)


def test_latency_without_a_cost_model_is_none() -> None:
    own = load_board("esp-eye").model_copy(update={"cost": None})
    assert latency(steps("CONV_2D"), own, arena_in_psram=False) is None
