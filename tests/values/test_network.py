from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from eyetune.values.network import Layer, Network

sizes = st.integers(0, 10**12)
shapes = st.lists(st.integers(1, 4096), min_size=1, max_size=3).map(tuple)
layers = st.builds(Layer, st.text(), st.text(), st.text(), shapes, sizes, sizes, sizes)
networks = st.builds(Network, shapes, st.lists(layers, max_size=5).map(tuple), sizes)

TWO_LAYERS = Network(
    (32, 32, 3),
    (
        Layer("conv", "Conv2D", "3x3, relu", (30, 30, 32), 896, 777_600, 28_800),
        Layer("head", "Dense", "softmax", (10,), 288_010, 288_000, 10),
    ),
    288_000,
)


@given(networks)
def test_network_survives_json(network: Network) -> None:
    assert Network.from_json(json.loads(json.dumps(network.to_json()))) == network


def test_network_totals_are_sums_over_layers() -> None:
    assert TWO_LAYERS.parameters == 288_906
    assert TWO_LAYERS.macs == 1_065_600
    assert TWO_LAYERS.activation_bytes == 28_810


def test_to_json_has_totals_and_layers() -> None:
    value = TWO_LAYERS.to_json()
    assert value["parameters"] == 288_906
    assert value["trainable_parameters"] == 288_000
    assert value["multiply_adds"] == 1_065_600
    assert value["activation_bytes"] == 28_810
    assert value["input_shape"] == [32, 32, 3]
    assert [layer["name"] for layer in value["layers"]] == ["conv", "head"]
    assert value["layers"][0]["output_shape"] == [30, 30, 32]
