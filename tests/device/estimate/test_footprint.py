"""What a network needs of a board, against measurements, and advice where it does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers

from eyetune.device.boards.profiles import Board, load_board
from eyetune.device.estimate.footprint import Footprint, footprint
from eyetune.device.estimate.latency import latency
from tests.device.estimate.networks import branches, network, sequential

EYE = load_board("esp-eye")
S3 = load_board("esp32-s3-eye")
NUCLEO = load_board("nucleo-l4r5zi")


def limits(needs: Footprint, board: Board) -> list[str]:
    return [violation.limit for violation in needs.violations(board)]


def test_footprint_of_the_lab_network() -> None:
    needs = footprint(network())
    assert needs.head_bytes == 36_000
    assert needs.arena_bytes == pytest.approx(39_696, rel=0.01)  # tflite-micro
    assert needs.flash_bytes == pytest.approx(171_456, rel=0.01)  # with biases that differ
    assert (needs.parameters, needs.macs) == (167_562, 4_040_704)
    assert needs.macs_by_kind == {"CONV_2D": 3_892_608, "FULLY_CONNECTED": 148_096}
    assert needs.unsupported == needs.unknown == ()


def test_footprint_of_the_resnet8_of_mlperf_tiny() -> None:
    needs = footprint(network("resnet8"))
    assert needs.head_bytes == 49_152
    assert needs.arena_bytes == pytest.approx(55_984, rel=0.01)
    assert needs.flash_bytes == pytest.approx(84_464, rel=0.01)


# As reported by tflite-micro 0.dev20261023 for the models that TensorFlow 2.21 makes of them.
@pytest.mark.parametrize(
    ("name", "edits", "head", "arena"),
    [
        ("lab", {"activation": "swish"}, 86_400, 90_880),
        ("lab", {"activation": "softsign"}, 86_400, 91_392),
        ("lab", {"activation": "tanh"}, 57_600, 61_664),
        ("lab", {"activation": "elu"}, 230_400, 235_904),
        ("lab", {"activation": "hard_sigmoid"}, 57_600, 61_648),
        ("lab", {"activation": "hard_swish"}, 57_600, 61_712),
        ("lab", {"activation": "leaky_relu"}, 57_600, 61_728),
        ("lab", {"activation": "sigmoid"}, 57_600, 61_664),
        ("lab", {"global_pooling": True, "dropout": 0.3}, 36_000, 39_776),
        ("vgg", {}, 65_536, 73_744),
        ("resnet20", {}, 49_152, 63_424),
        ("mobilenet", {}, 65_536, 76_544),
        ("mobilenet_v1", {}, 24_576, 121_248),
        ("mobilenet_v2", {}, 30_720, 184_256),
        ("efficientnet_b0", {}, 73_728, 358_384),
    ],
)
def test_footprint_arena_is_that_of_tflite_micro(
    name: str, edits: dict[str, Any], head: int, arena: int
) -> None:
    needs = footprint(network(name, **edits))
    assert needs.head_bytes == head
    assert needs.arena_bytes == pytest.approx(arena, rel=0.02)


def test_footprint_runs_branches_one_after_the_other() -> None:
    assert footprint(branches()).head_bytes == 18_432  # tflite-micro


def test_footprint_of_float_operators_and_int32_sums() -> None:
    elu = layers.Conv2D(8, 3, padding="same", activation="elu")
    needs = footprint(sequential(elu, layers.GlobalAveragePooling2D()))
    assert needs.head_bytes == 2 * 4 * 16 * 16 * 8
    wide = layers.Conv2DTranspose(12, 3, strides=2, activation="relu")
    last = layers.Conv2DTranspose(4, 2, strides=2, activation="relu")
    pooling = layers.GlobalAveragePooling2D()
    needs = footprint(sequential(layers.Conv2D(8, 3, strides=2), wide, last, pooling))
    assert needs.head_bytes == 20_704  # tflite-micro


def test_footprint_of_a_shared_layer_counts_its_weights_once() -> None:
    def model(*, shared: bool) -> keras.Model:
        images = values = layers.Input((16, 16, 8))
        layer = layers.Conv2D(8, 3, padding="same")
        for _ in range(2):
            values = layer(values)
            layer = layer if shared else layers.Conv2D(8, 3, padding="same")
        return keras.Model(images, values)

    once, twice = footprint(model(shared=True)), footprint(model(shared=False))
    assert twice.flash_bytes - once.flash_bytes > 3 * 3 * 8 * 8
    assert once.arena_bytes == twice.arena_bytes
    assert once.parameters * 2 == twice.parameters
    assert once.macs == twice.macs


@pytest.mark.parametrize("model", [network, branches])
def test_footprint_ignores_models_built_before(model: Callable[[], keras.Model]) -> None:
    # Twelve, so that Keras's counters have one digit and two.
    needs = [footprint(model()) for _ in range(12)]
    assert len({(need.flash_bytes, need.arena_bytes) for need in needs}) == 1


def test_footprint_names_the_limits_that_are_exceeded() -> None:
    assert limits(footprint(network()), EYE) == []
    assert limits(footprint(network("vgg16")), EYE) == ["flash"]
    wide = layers.Conv2D(48, 3, padding="same")
    large = footprint(sequential(wide, layers.GlobalAveragePooling2D(), shape=(128, 128, 3)))
    assert limits(large, NUCLEO) == ["arena"]
    assert limits(large, EYE) == []  # the arena lies in external RAM


def test_footprint_of_vgg16_names_the_largest_layer() -> None:
    needs = footprint(network("vgg16"))
    largest = needs.bottleneck(EYE)
    # The first of the layers with 512 filters and as many input channels.
    assert (largest.limit, largest.layer) == ("flash", "vgg16/block4_conv2")
    assert largest.share == pytest.approx(0.16, abs=0.005)
    (advice,) = needs.advice(EYE)
    assert advice.startswith(largest.text)


def test_bottleneck_is_that_of_the_exceeded_limit() -> None:
    stack = (layers.Conv2D(8, 3, name="first"), layers.Flatten(), layers.Dense(64, name="last"))
    assert footprint(sequential(*stack)).bottleneck(EYE).limit == "time"
    dense = (layers.Flatten(), layers.Dense(64, name="wide"))
    wide = footprint(sequential(*dense, shape=(224, 224, 3))).bottleneck(EYE)
    assert (wide.limit, wide.layer) == ("flash", "wide")
    assert wide.share == pytest.approx(1, abs=0.01)
    large = sequential(
        layers.Conv2D(4, 3, strides=2, name="small"),
        layers.Conv2D(64, 3, padding="same", name="large"),
        layers.GlobalAveragePooling2D(),
        shape=(256, 256, 3),
    )
    bottleneck = footprint(large).bottleneck(NUCLEO)
    assert (bottleneck.limit, bottleneck.layer) == ("arena", "large")


def test_layer_costs_add_up_to_the_footprint() -> None:
    for model in (network(), branches(), network("mobilenet")):
        needs = footprint(model)
        costs = needs.layer_costs(EYE)
        time = needs.latency(EYE)
        assert time is not None
        milliseconds = sum(cost.milliseconds or 0 for cost in costs)
        assert milliseconds == pytest.approx(time.milliseconds)
        assert sum(cost.macs for cost in costs) == needs.macs
        assert 0 < sum(cost.flash_bytes for cost in costs) < needs.flash_bytes
        assert max(cost.arena_bytes for cost in costs) <= needs.head_bytes
        assert len({cost.name for cost in costs}) == len(costs)


def test_latency_is_longer_with_the_arena_in_psram() -> None:
    small, large = footprint(network()), footprint(network("lab", activation="swish", width=2.0))
    assert not small.arena_in_psram(EYE)
    assert large.arena_in_psram(EYE)
    assert not large.arena_in_psram(NUCLEO)
    inside = latency(large.graph, EYE, arena_in_psram=False)
    outside = large.latency(EYE)
    assert inside is not None
    assert outside is not None
    assert outside.milliseconds > 1.15 * inside.milliseconds


def test_arena_on_the_s3_holds_scratch_memory() -> None:
    needs = footprint(network())
    assert needs.arena_bytes_on(EYE) == needs.arena_bytes
    arena = needs.arena_on(S3)
    assert arena.tensors_bytes == needs.head_bytes
    assert arena.interpreter_bytes == needs.tail_bytes
    assert arena.scratch_bytes > 9000
    assert arena.bytes == needs.arena_bytes_on(S3) == needs.arena_bytes + arena.scratch_bytes
    assert not arena.is_measured


def test_arena_on_the_s3_depends_on_the_version_of_esp_nn() -> None:
    wide = footprint(network("vgg"))
    arduino = S3.model_copy(update={"esp_nn": ("1.2.3",)})
    any_version = S3.model_copy(update={"esp_nn": (), "copies_convolutions": True})
    assert wide.arena_bytes_on(S3) < wide.arena_bytes_on(arduino)
    assert wide.arena_bytes_on(any_version) == wide.arena_bytes_on(arduino)
    assert not wide.arena_in_psram(S3)
    assert wide.arena_in_psram(arduino)
    assert limits(wide, S3) == limits(wide, arduino) == []


def test_arena_on_the_s3_counts_separable_and_dilated_layers() -> None:
    separable = footprint(sequential(layers.SeparableConv2D(32, 3), shape=(16, 16, 16)))
    dilated = layers.Conv2D(16, 3, dilation_rate=2, padding="same")
    for needs in (separable, footprint(sequential(dilated, shape=(16, 16, 16)))):
        assert needs.arena_on(S3).scratch_bytes > 0


def test_bottleneck_without_a_cost_model_is_by_macs() -> None:
    board = EYE.model_copy(update={"cost": None})
    needs = footprint(network())
    assert needs.latency(board) is None
    bottleneck = needs.bottleneck(board)
    assert bottleneck.layer.startswith("conv2d")
    assert bottleneck.share == pytest.approx(3_115_008 / needs.macs)


@pytest.mark.parametrize(
    ("stack", "replacement"),
    [
        ([layers.Conv2D(4, 3, activation="gelu", name="bad")], "hard_swish"),
        ([layers.Conv2D(4, 3, activation="softplus", name="bad")], "hard_swish"),
        ([layers.Conv2D(4, 3), layers.Activation("mish", name="bad")], "hard_swish"),
        ([layers.Conv2D(4, 3, activation="selu", name="bad")], "batch normalization"),
        ([layers.UpSampling2D(name="bad")], "bilinear"),
    ],
)
def test_advice_names_the_layer_and_a_replacement(stack: list[Any], replacement: str) -> None:
    needs = footprint(sequential(*stack, layers.GlobalAveragePooling2D()))
    advice = needs.advice(EYE)
    assert all("layer bad" in sentence for sentence in advice)
    assert replacement in advice[0]
    assert len(advice) == len(set(advice))


def test_advice_is_empty_for_a_network_that_fits() -> None:
    assert footprint(network()).advice(EYE) == ()


@pytest.mark.parametrize(
    "activation", ["gelu", "selu", "softplus", "mish", "exponential", "celu", "log_sigmoid"]
)
def test_footprint_names_unsupported_activations(activation: str) -> None:
    needs = footprint(sequential(layers.Conv2D(4, 3, activation=activation, name="first")))
    assert needs.unsupported
    assert all("(layer first)" in name for name in needs.unsupported)
    assert set(limits(needs, EYE)) == {"operator"}


def test_footprint_does_not_judge_a_spreading_float_operator() -> None:
    images = layers.Input((16, 16, 3))
    values = layers.Conv2D(8, 3, padding="same")(images)
    smooth = layers.MaxPooling2D(3, 1, padding="same")(layers.ELU(name="smooth")(values))
    added = keras.Model(images, layers.Add()([smooth, values]))
    joined = keras.Model(images, layers.Concatenate()([smooth, values]))
    assert footprint(added).unknown == ()
    assert footprint(joined).unknown == ("ELU (layer smooth)",)


def test_footprint_of_an_unknown_layer_counts_its_weights() -> None:
    class Own(layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=(1000, shape[-1]))

        def call(self, values: Any) -> Any:
            return values

    needs = footprint(sequential(Own(name="own"), layers.Flatten()))
    assert needs.unknown == ("layer own",)
    assert needs.flash_bytes > 3000
    assert limits(needs, EYE) == []
