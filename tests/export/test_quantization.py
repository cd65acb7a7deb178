"""A model of smaller numbers: which numbers become small, what it computes, and that it is a file like any other."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.hostile_bundles import SIZE
from tests.quantizable import CHANNELS, conv_model
from ursa.core.bundles.onnx_rules import require_plain
from ursa.errors import BundleError
from ursa.export.quantization import to_fp16, to_int8
from ursa.serve.session import Session


@pytest.fixture(scope="module")
def pictures():
    """[16, S, S, 3], of three colors."""
    draw = np.random.default_rng(3)
    tint = np.eye(3)[draw.integers(0, 3, 16)][:, None, None] * 120
    return (draw.uniform(0, 130, (16, SIZE, SIZE, 3)) + tint).astype(np.uint8)


@pytest.fixture(scope="module")
def small(pictures):
    return to_int8(conv_model(), [pictures[:8], pictures[8:]])


def weights_of(content):
    return {each.name: numpy_helper.to_array(each) for each in onnx.load_from_string(content).graph.initializer}


def logits(content, pictures):
    return Session(content, SIZE, 3)(pictures)


def test_weights_are_int8_by_channel_in_seven_bits_and_activations_uint8(small):
    weights = weights_of(small)
    (kernel,) = (each for each in weights.values() if each.dtype == np.int8 and each.ndim == 4)
    assert kernel.shape == (CHANNELS, 3, 3, 3)
    assert abs(kernel.astype(int)).max() == 64
    assert [len(each) for name, each in weights.items() if "kernel" in name and each.dtype == np.float32] == [CHANNELS]
    model = onnx.load_from_string(small)
    made = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert made and all(weights[node.input[2]].dtype == np.uint8 for node in made)


def test_the_head_stays_as_it_is(small):
    before, after = weights_of(conv_model()), weights_of(small)
    assert np.array_equal(before["head"], after["head"]) and np.array_equal(before["bias"], after["bias"])


def test_it_computes_nearly_the_same_and_the_same_for_one_as_for_many(small, pictures):
    before, after = logits(conv_model(), pictures), logits(small, pictures)
    assert abs(before - after).max() < 0.1 < np.ptp(before)
    assert not np.array_equal(before, after)
    assert (before.argmax(1) == after.argmax(1)).all()
    alone = np.concatenate([logits(small, each[None]) for each in pictures])
    assert np.allclose(alone, after, atol=1e-5)


def test_the_range_of_activations_comes_from_the_pictures(pictures):
    dark = to_int8(conv_model(), [pictures[:8] // 8])
    difference = abs(logits(dark, pictures) - logits(conv_model(), pictures)).max()
    assert difference > 1  # what is brighter than all that it saw is cut off


def test_the_same_pictures_give_the_same_bytes_and_the_file_has_no_notes(small, pictures):
    assert to_int8(conv_model(), [pictures[:8], pictures[8:]]) == small
    model = onnx.load_from_string(small)
    assert not model.metadata_props and not model.graph.value_info and not model.graph.quantization_annotation
    assert all(each.HasField("raw_data") for each in model.graph.initializer)
    require_plain(small)


def test_it_is_quiet(pictures, capfd, caplog):
    to_int8(conv_model(seed=1), [pictures])
    assert (*capfd.readouterr(), caplog.records) == ("", "", [])


def test_a_network_without_a_layer_to_quantize_is_refused(pictures):
    with pytest.raises(BundleError, match="nothing to quantize") as refused:
        to_int8(conv_model(convolution=False), [pictures])
    assert refused.value.fix


def test_half_the_file_computes_exactly_what_rounded_weights_do(pictures):
    model = onnx.load_from_string(conv_model())
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float16).astype(np.float32), tensor.name))
    half = to_fp16(conv_model())
    assert np.array_equal(logits(half, pictures), logits(model.SerializeToString(), pictures))
    floats = [each for each in weights_of(half).values() if each.size >= 64]
    assert {each.dtype for each in floats} == {np.dtype(np.float16)}
    assert len(conv_model()) / len(half) > 1.5


@pytest.mark.parametrize("scale", [1e9, np.inf, np.nan])
def test_weights_that_sixteen_bits_cannot_hold_are_refused(scale):
    with pytest.raises(BundleError, match="too large for 16 bits") as refused:
        to_fp16(conv_model(scale=scale))
    assert "head" in refused.value.found
