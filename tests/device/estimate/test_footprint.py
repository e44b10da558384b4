"""What a network needs, against what TensorFlow's converter and tflite-micro say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eyetune.device.boards.profiles import board
from eyetune.device.estimate.footprint import Footprint, footprint
from eyetune.device.estimate.latency import latency
from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.device.export.interpreters import Micro, has_micro
from eyetune.errors import UsageError
from eyetune.models.build import build
from eyetune.models.structure import structure
from eyetune.recipe import Recipe

IMAGES = (32, 32, 3)


def network(name: str = "lab", **edits: Any) -> keras.Model:
    section = (
        Recipe.model_validate({"model": name})
        .with_({f"model.{key}": value for key, value in edits.items()})
        .model
    )
    return build(section, IMAGES, 10)


def kinds(model: keras.Model) -> list[str]:
    return [operator.kind for operator in footprint(model).graph.operators]


def sequential(*stack: Any, shape: tuple[int, ...] = (16, 16, 3)) -> keras.Model:
    return keras.Sequential([layers.Input(shape), *stack])


def converted(model: keras.Model) -> bytes:
    """Return the int8 model that TensorFlow makes, with weights as after training: none of them
    zero.
    """
    import tensorflow as tf

    numbers = np.random.default_rng(0)
    model.set_weights(
        [weight + numbers.uniform(0.001, 0.01, weight.shape) for weight in model.get_weights()]
    )
    shape = model.inputs[0].shape[1:]
    images = keras.Input(batch_shape=(1, *shape))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(images, model(images)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]

    def representative() -> Iterator[list[Any]]:
        for _ in range(3):
            yield [numbers.random((1, *shape), np.float32)]

    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def test_the_labs_network() -> None:
    needs = footprint(network())
    assert needs.head_bytes == 36_000
    assert needs.arena_bytes == pytest.approx(39_696, rel=0.01)  # tflite-micro
    assert needs.flash_bytes == pytest.approx(
        174_496, rel=0.02
    )  # of untrained weights, whose biases are left out
    assert (needs.parameters, needs.macs) == (167_562, 4_040_704)
    assert needs.unsupported == needs.unknown == ()


def test_the_resnet8_of_mlperf_tiny() -> None:
    needs = footprint(network("resnet8"))
    assert needs.head_bytes == 49_152
    assert needs.arena_bytes == pytest.approx(55_984, rel=0.01)
    assert needs.flash_bytes == pytest.approx(98_496, rel=0.03)


# As tflite-micro 0.dev20261023 reports them for the models that TensorFlow 2.21 makes of these
# networks.
@pytest.mark.parametrize(
    ("name", "edits", "head", "arena"),
    [
        ("lab", {"activation": "swish"}, 86_400, 90_880),
        ("lab", {"activation": "softsign"}, 86_400, 91_392),
        ("lab", {"activation": "tanh"}, 57_600, 61_664),
        ("lab", {"global_pooling": True, "dropout": 0.3}, 36_000, 39_776),
        ("vgg", {}, 65_536, 73_744),
        ("resnet20", {}, 65_536, 79_808),
        ("mobilenet", {}, 65_536, 76_544),
        ("mobilenet_v1", {}, 24_576, 121_248),
        ("mobilenet_v2", {}, 30_720, 184_256),
        ("efficientnet_b0", {}, 73_728, 358_384),
    ],
)
def test_the_arena_is_that_of_tflite_micro(
    name: str, edits: dict[str, Any], head: int, arena: int
) -> None:
    needs = footprint(network(name, **edits))
    assert needs.head_bytes == head
    assert needs.arena_bytes == pytest.approx(arena, rel=0.02)


def branches() -> keras.Model:
    """Two blocks of three branches each: the order in which they run decides what memory they
    share.
    """
    images = layers.Input(IMAGES)
    values = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="stem")(images)
    for block, filters in enumerate((8, 12)):
        point = layers.Conv2D(filters, 1, activation="relu", name=f"a{block}")(values)
        inner = layers.Conv2D(filters, 1, activation="relu", name=f"b{block}")(values)
        wide = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"c{block}")(inner)
        pooled = layers.MaxPooling2D(3, 1, padding="same", name=f"d{block}")(values)
        joined = layers.Concatenate()(
            [point, wide, layers.Conv2D(filters, 1, name=f"e{block}")(pooled)]
        )
        values = layers.ReLU()(layers.BatchNormalization()(joined))
    outputs = layers.Dense(24, activation="relu")(
        layers.Flatten()(layers.AveragePooling2D(4)(values))
    )
    return keras.Model(images, layers.Dense(10, activation="softmax")(outputs))


def test_branches_run_one_after_the_other() -> None:
    assert footprint(branches()).head_bytes == 18_432  # tflite-micro


def test_float_islands_and_int32_sums_take_more_memory() -> None:
    elu = footprint(
        sequential(
            layers.Conv2D(8, 3, padding="same", activation="elu"), layers.GlobalAveragePooling2D()
        )
    )
    assert elu.head_bytes == 2 * 4 * 16 * 16 * 8
    wider = layers.Conv2DTranspose(12, 3, strides=2, activation="relu")
    last = layers.Conv2DTranspose(4, 2, strides=2, activation="relu")
    sums = footprint(
        sequential(layers.Conv2D(8, 3, strides=2), wider, last, layers.GlobalAveragePooling2D())
    )
    assert sums.head_bytes == 20_704  # tflite-micro


def separable() -> keras.Model:
    return sequential(
        layers.SeparableConv2D(16, 3, activation="relu", padding="same"),
        layers.MaxPooling2D(),
        layers.SeparableConv2D(48, 3, activation="hard_swish"),
        layers.GlobalMaxPooling2D(),
        layers.Dense(10, activation="softmax"),
        shape=IMAGES,
    )


def squeeze_and_excite() -> keras.Model:
    images = layers.Input(IMAGES)
    values = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(images)
    weights = layers.GlobalAveragePooling2D(keepdims=True)(values)
    weights = layers.Conv2D(8, 1, activation="relu")(weights)
    weights = layers.Conv2D(32, 1, activation="hard_sigmoid")(weights)
    values = layers.Multiply()([values, weights])
    values = layers.Conv2D(48, 3, activation="relu")(values)
    outputs = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(values))
    return keras.Model(images, outputs)


def transposed() -> keras.Model:
    return sequential(
        layers.Conv2D(24, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(32, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
        shape=IMAGES,
    )


def preprocessing() -> keras.Model:
    return sequential(
        layers.Rescaling(2.0, offset=-1.0),
        layers.RandomFlip("horizontal"),
        layers.ZeroPadding2D(2),
        layers.Conv2D(24, 5, strides=2, activation="relu"),
        layers.Cropping2D(1),
        layers.Conv2D(48, 3, activation="leaky_relu"),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(32, activation="tanh"),
        layers.Dense(10, activation="softmax"),
        shape=IMAGES,
    )


def dilated() -> keras.Model:
    return sequential(
        layers.Conv2D(24, 3, padding="same", activation="relu"),
        layers.Conv2D(32, 3, strides=2, padding="same", activation="relu6"),
        layers.PReLU(shared_axes=[1, 2]),
        layers.Conv2D(32, 3, padding="same", activation="sigmoid"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(100, activation="softmax"),
        shape=IMAGES,
    )


def dense_only() -> keras.Model:
    stack = [layers.Dense(units, activation="relu") for units in (96, 64, 32)]
    return sequential(
        layers.Flatten(), *stack, layers.Dense(10, activation="softmax"), shape=(28, 28, 1)
    )


def normalized(layer: Any) -> keras.Model:
    return sequential(
        layers.Conv2D(32, 3, strides=2, padding="same"),
        layer(),
        layers.ReLU(),
        layers.Conv2D(64, 3, strides=2, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, activation="softmax"),
        shape=IMAGES,
    )


def normalized_often(layer: Any) -> keras.Model:
    stack = [
        one
        for block in (8, 16, 24, 32)
        for one in (layers.Conv2D(block, 3, strides=2, padding="same"), layer())
    ]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    return sequential(*stack, *head, shape=IMAGES)


# Networks of many kinds, with how far the size of the file may be off.
VARIED: dict[str, tuple[Any, float]] = {
    **{
        f"lab, {activation}": (
            lambda activation=activation: network("lab", activation=activation),
            0.03,
        )
        for activation in (
            *(
                "relu",
                "relu6",
                "leaky_relu",
                "elu",
                "swish",
                "hard_swish",
                "tanh",
                "sigmoid",
                "hard_sigmoid",
            ),
            "softsign",
        )
    },
    **{
        f"{name}, {edits}": (lambda name=name, edits=edits: network(name, **edits), 0.03)
        for name, edits in (
            ("lab", {"width": 0.5}),
            ("lab", {"width": 2.0}),
            ("lab", {"padding": "same"}),
            ("lab", {"batch_norm": True}),
            ("lab", {"global_pooling": True, "dropout": 0.3}),
            ("lab", {"dense": []}),
            ("lab", {"dense": [128, 64]}),
            ("lab", {"blocks": [16, 32, 64], "padding": "same"}),
            ("lab", {"blocks": [{"filters": 24, "kernel_size": 5, "stride": 2}, 48]}),
            (
                "lab",
                {
                    "blocks": [
                        {"filters": 24, "depthwise": True},
                        {"filters": 64, "depthwise": True},
                    ]
                },
            ),
            (
                "lab",
                {
                    "blocks": [
                        {"filters": 16, "residual": True},
                        {"filters": 32, "residual": True},
                    ],
                    "padding": "same",
                },
            ),
            ("vgg", {}),
            ("vgg", {"width": 0.5, "activation": "swish"}),
            ("vgg", {"batch_norm": False, "global_pooling": True}),
            ("resnet8", {}),
            ("resnet8", {"width": 0.5}),
            ("resnet8", {"width": 2.0, "activation": "relu6"}),
            ("resnet8", {"activation": "tanh", "dropout": 0.2, "dense": [32]}),
            ("resnet8", {"activation": "hard_swish"}),
            ("resnet20", {}),
            ("resnet20", {"width": 0.5}),
            ("mobilenet", {}),
            ("mobilenet", {"width": 0.5, "activation": "relu6"}),
            ("mobilenet", {"width": 2.0}),
            ("mobilenet", {"activation": "hard_swish"}),
        )
    },
    "branches": (branches, 0.03),
    "separable": (separable, 0.03),
    "squeeze and excite": (squeeze_and_excite, 0.03),
    "transposed": (transposed, 0.03),
    "preprocessing": (preprocessing, 0.03),
    "dilated": (dilated, 0.03),
    "dense only": (dense_only, 0.03),
    "layer normalizations": (lambda: normalized_often(layers.LayerNormalization), 0.03),
    "group normalizations": (lambda: normalized_often(lambda: layers.GroupNormalization(4)), 0.03),
    "layer normalization": (lambda: normalized(layers.LayerNormalization), 0.03),
    "group normalization": (lambda: normalized(lambda: layers.GroupNormalization(4)), 0.03),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIED)
def test_the_prediction_is_what_comes_of_the_conversion(name: str) -> None:
    make, tolerance = VARIED[name]
    keras.utils.clear_session()  # names have counters, and a file is longer by them
    model = make()
    predicted, content = footprint(model), converted(model)
    assert predicted.flash_bytes == pytest.approx(len(content), rel=tolerance)
    # The file itself, as it is read and planned, has the same operators and memory.
    found = footprint_of(read(content))
    assert found.head_bytes == predicted.head_bytes
    assert found.macs == predicted.macs
    assert found.arena_bytes == pytest.approx(predicted.arena_bytes, rel=0.03)
    assert found.unsupported == ()
    if has_micro():
        micro = Micro(content, 2 * predicted.arena_bytes)
        micro.scores(np.zeros((1, *model.input_shape[1:]), np.uint8))
        used = micro.arena()
        assert predicted.head_bytes == used.head_bytes
        assert predicted.arena_bytes == pytest.approx(used.bytes, rel=0.05)
        assert found.arena_bytes == pytest.approx(used.bytes, rel=0.05)


def test_forty_networks_and_more_are_compared() -> None:
    assert len(VARIED) >= 40


def test_what_only_training_needs_vanishes() -> None:
    plain = sequential(layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(4))
    trained = sequential(
        layers.RandomFlip("horizontal"),
        layers.GaussianNoise(0.1),
        layers.Conv2D(8, 3),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.SpatialDropout2D(0.1),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(4),
    )
    assert kinds(trained) == kinds(plain) == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"]
    assert footprint(trained).arena_bytes == footprint(plain).arena_bytes


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ([layers.MaxPooling2D(), layers.BatchNormalization()], ["MAX_POOL_2D", "MUL", "ADD"]),
        ([layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization()], ["CONV_2D", "MUL", "ADD"]),
        ([layers.Rescaling(1 / 255), layers.Conv2D(4, 3)], ["CONV_2D"]),
        ([layers.Rescaling(2, -1), layers.Conv2D(4, 3)], ["MUL", "ADD", "CONV_2D"]),
        ([layers.ZeroPadding2D(((0, 1), (0, 1))), layers.Conv2D(4, 3, strides=2)], ["CONV_2D"]),
        ([layers.ZeroPadding2D(1), layers.Conv2D(4, 3, strides=2)], ["PAD", "CONV_2D"]),
        ([layers.Conv2D(4, 3), layers.Softmax()], ["CONV_2D", "SOFTMAX"]),
        ([layers.MaxPooling2D(), layers.ReLU()], ["MAX_POOL_2D"]),
        ([layers.SeparableConv2D(4, 3, activation="hard_swish")], ["DEPTHWISE_CONV_2D", "CONV_2D", "HARD_SWISH"]),
        ([layers.GlobalAveragePooling2D(), layers.Reshape((1, 1, 3))], ["MEAN"]),
    ],
)  # fmt: skip
def test_neighbours_are_fused_as_the_converter_does(stack: list[Any], expected: list[str]) -> None:
    assert kinds(sequential(*stack)) == expected


def test_nothing_is_fused_that_somebody_else_reads() -> None:
    images = layers.Input((16, 16, 3))
    values = layers.Conv2D(8, 3, padding="same")(images)
    rest = layers.ReLU()(layers.BatchNormalization()(values))
    found = kinds(keras.Model(images, layers.Concatenate()([values, rest])))
    assert found == ["CONV_2D", "MUL", "ADD", "CONCATENATION"]


def test_nested_models_count_as_their_layers() -> None:
    inner = sequential(layers.Conv2D(8, 3, activation="relu"), layers.BatchNormalization())
    nested = sequential(inner, layers.Flatten(), layers.Dense(4))
    flat = sequential(
        layers.Conv2D(8, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(4),
    )
    assert kinds(nested) == kinds(flat)
    assert footprint(nested).head_bytes == footprint(flat).head_bytes


def test_a_shared_layer_has_its_weights_once() -> None:
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


@pytest.mark.parametrize("name", ["lab", "resnet8", "mobilenet", "mobilenet_v2"])
def test_mac_are_those_of_the_structure(name: str) -> None:
    model = network(name)
    assert footprint(model).macs == structure(model).macs


@pytest.mark.parametrize("model", [network, branches])
def test_what_was_built_before_makes_no_difference(model: Any) -> None:
    needs = [
        footprint(model()) for _ in range(12)
    ]  # counters of Keras with one figure and with two
    assert len({(one.flash_bytes, one.arena_bytes) for one in needs}) == 1


def test_it_takes_milliseconds() -> None:
    model = network("efficientnet_b0")  # 240 operators; most networks have 20
    footprint(model)
    start = time.perf_counter()
    footprint(model)
    assert time.perf_counter() - start < 0.2


def test_what_fits_and_what_does_not() -> None:
    eye, nucleo = board("esp-eye"), board("nucleo-l4r5zi")
    assert footprint(network()).fits(eye) == ()
    (flash,) = footprint(network("vgg16")).fits(eye)
    assert "flash" in flash
    assert f"{eye.largest_model_bytes:,}" in flash
    large = sequential(
        layers.Conv2D(48, 3, padding="same"), layers.GlobalAveragePooling2D(), shape=(128, 128, 3)
    )
    (arena,) = footprint(large).fits(nucleo)
    assert f"{footprint(large).arena_bytes:,} bytes of RAM" in arena
    assert footprint(large).fits(eye) == ()  # in external RAM


def test_the_labs_vgg16_is_too_large_and_that_is_told_in_a_second() -> None:
    model = build(Recipe().with_({"model": "vgg16"}).model, IMAGES, 10)
    start = time.perf_counter()
    needs, eye = footprint(model), board("esp-eye")
    (reason,) = needs.fits(eye)
    (advice,) = needs.advice(eye)
    assert time.perf_counter() - start < 1
    assert "bytes of flash; ESP-EYE has room for 3,667,968" in reason
    worst = needs.bottleneck(eye)
    assert (worst.limit, worst.layer) == (
        "flash",
        "vgg16/block4_conv2",
    )  # the first of those with 512 filters
    assert advice.startswith(
        f"Layer {worst.layer} holds 2,361,344 bytes of weights: 16% of the flash. No layer alone"
    )


def test_the_layer_that_costs_most_is_that_of_the_limit_that_is_broken() -> None:
    eye, nucleo = board("esp-eye"), board("nucleo-l4r5zi")
    stack = (layers.Conv2D(8, 3, name="first"), layers.Flatten(), layers.Dense(64, name="last"))
    fitting = footprint(sequential(*stack))
    assert fitting.bottleneck(eye).limit == "time"
    wide = footprint(
        sequential(layers.Flatten(), layers.Dense(64, name="wide"), shape=(224, 224, 3))
    )
    assert (wide.bottleneck(eye).limit, wide.bottleneck(eye).layer) == ("flash", "wide")
    assert wide.bottleneck(eye).share == pytest.approx(1, abs=0.01)
    large = sequential(
        layers.Conv2D(4, 3, strides=2, name="small"),
        layers.Conv2D(64, 3, padding="same", name="large"),
        layers.GlobalAveragePooling2D(),
        shape=(256, 256, 3),
    )
    found = footprint(large).bottleneck(nucleo)
    assert (found.limit, found.layer) == ("arena", "large")
    assert f"{127 * 127 * (4 + 64):,}"[:5] in found.words


def test_layer_costs_add_up_to_the_whole() -> None:
    eye = board("esp-eye")
    for model in (network(), branches(), network("mobilenet")):
        needs = footprint(model)
        costs = needs.layer_costs(eye)
        time_of_all = needs.latency(eye)
        assert time_of_all is not None
        assert sum(cost.macs for cost in costs) == needs.macs
        assert sum(cost.milliseconds or 0 for cost in costs) == pytest.approx(
            time_of_all.milliseconds
        )
        assert 0 < sum(cost.flash_bytes for cost in costs) < needs.flash_bytes
        assert max(cost.arena_bytes for cost in costs) <= needs.head_bytes
        assert len({cost.name for cost in costs}) == len(costs)


def test_mac_are_told_by_the_kind_of_operator() -> None:
    assert footprint(network()).macs_by_kind == {
        "CONV_2D": 3_892_608,
        "FULLY_CONNECTED": 148_096,
    }
    assert list(footprint(network("mobilenet")).macs_by_kind) == [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
    ]


def test_a_large_arena_lies_in_external_ram_and_takes_longer() -> None:
    eye = board("esp-eye")
    small, large = footprint(network()), footprint(network("lab", activation="swish", width=2.0))
    assert not small.arena_in_psram(eye)
    assert large.arena_in_psram(eye)
    assert not large.arena_in_psram(board("nucleo-l4r5zi"))
    inside = latency(large.graph, eye, arena_in_psram=False)
    outside = large.latency(eye)
    assert inside is not None
    assert outside is not None
    assert outside.milliseconds > 1.15 * inside.milliseconds


def test_on_the_s3_convolutions_copy_their_weights_into_the_arena() -> None:
    needs, eye, s3 = footprint(network()), board("esp-eye"), board("esp32-s3-eye")
    assert needs.arena_bytes_on(eye) == needs.arena_bytes
    assert needs.arena_bytes_on(s3) > needs.arena_bytes + 2 * 3 * 3 * 32 * 64
    wide = footprint(network("vgg"))
    assert wide.arena_in_psram(s3)
    assert wide.arena_bytes < s3.arena_bytes
    assert needs.fits(s3) == wide.fits(s3) == ()


def test_a_board_without_a_cost_model_gets_all_but_the_time() -> None:
    own = board("esp-eye").model_copy(update={"cost": None})
    needs = footprint(network())
    assert needs.latency(own) is None
    found = needs.bottleneck(own)
    assert found.layer.startswith("conv2d")  # by multiply-adds
    assert "of the multiply-adds" in found.words


@pytest.mark.parametrize(
    ("stack", "instead"),
    [
        ([layers.Conv2D(4, 3, activation="gelu", name="bad")], "relu, or hard_swish"),
        ([layers.Conv2D(4, 3, activation="softplus", name="bad")], "relu, or hard_swish"),
        ([layers.Conv2D(4, 3), layers.Activation("mish", name="bad")], "relu, or hard_swish"),
        ([layers.Conv2D(4, 3, activation="selu", name="bad")], "batch normalization"),
        ([layers.UpSampling2D(name="bad")], "Conv2DTranspose"),
    ],
)
def test_what_to_use_in_place_of_an_operator_is_told_by_layer(
    stack: list[Any], instead: str
) -> None:
    needs = footprint(sequential(*stack, layers.GlobalAveragePooling2D()))
    advice = needs.advice(board("esp-eye"))
    assert advice
    assert all(one.startswith("In layer bad, use ") for one in advice)
    assert instead in advice[0]
    assert len(advice) == len(set(advice))


def test_what_fits_needs_no_advice() -> None:
    assert footprint(network()).advice(board("esp-eye")) == ()


@pytest.mark.parametrize(
    "activation", ["gelu", "selu", "softplus", "mish", "exponential", "celu", "log_sigmoid"]
)
def test_activations_that_tflite_micro_cannot_run(activation: str) -> None:
    needs = footprint(sequential(layers.Conv2D(4, 3, activation=activation, name="first")))
    assert needs.unsupported
    assert all("(layer first)" in one for one in needs.unsupported)
    assert any("first" in reason for reason in needs.fits(board("esp-eye")))


def test_a_layer_of_which_nothing_is_known_is_named_and_its_weights_count() -> None:
    class Own(layers.Layer):
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=(1000, shape[-1]))

        def call(self, values: Any) -> Any:
            return values

    needs: Footprint = footprint(sequential(Own(name="own"), layers.Flatten()))
    assert needs.unknown == ("UNKNOWN (layer own)",)
    assert needs.flash_bytes > 3000
    assert needs.fits(board("esp-eye")) == ()


def test_a_model_without_a_wiring_is_refused() -> None:
    class Own(keras.Model):
        def call(self, values: Any) -> Any:
            return values

    for model in (Own(), keras.Sequential([layers.Dense(3)])):
        with pytest.raises(UsageError, match="wiring"):
            footprint(model)
