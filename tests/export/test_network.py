"""Any network -> ONNX: names, any number of examples, every output compared; else nothing is written."""

import contextlib
import logging
import warnings

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa.errors import BundleError
from ursa.export.network import _names, _output_names, export_network
from ursa.export.onnx import _quiet, _takes_any_number, _without_notes
from ursa.export.parity import LIMIT
from ursa.export.write_bundle import _require_finite, write


class Two(nn.Module):
    """Two inputs, outputs by name, one of them large: differences are measured by the size of the output."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(3, 2), nn.Linear(4, 2)

    def forward(self, left, right):
        return {"sum": self.one(left) + self.two(right), "large": 1e6 * self.one(left)}


def test_a_network_of_two_inputs_and_named_outputs_computes_the_same_for_any_number_of_examples(tmp_path):
    import onnxruntime

    torch.manual_seed(0)
    net, examples = Two().train(), (torch.randn(5, 3), torch.randn(5, 4))
    assert export_network(net, examples, tmp_path / "a.onnx") < LIMIT / 10
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"), providers=["CPUExecutionProvider"])
    assert [place.name for place in session.get_inputs()] == ["input_0", "input_1"]
    assert [place.name for place in session.get_outputs()] == ["sum", "large"]
    for count in (1, 2, 7):
        left, right = torch.randn(count, 3), torch.randn(count, 4)
        with torch.no_grad():
            wanted = net(left, right)
        found = session.run(None, {"input_0": left.numpy(), "input_1": right.numpy()})
        for name, numbers in zip(("sum", "large"), found, strict=True):
            np.testing.assert_allclose(numbers, wanted[name].numpy(), rtol=1e-4, atol=1e-5)
    content = onnx.load(tmp_path / "a.onnx")
    assert not content.graph.value_info and all(not node.doc_string for node in content.graph.node)
    assert _without_notes(content) == (tmp_path / "a.onnx").read_bytes()  # once is enough


def test_a_network_that_counts_its_examples_is_refused_and_nothing_is_written(tmp_path):
    class Odd(nn.Module):
        def forward(self, inputs):
            return inputs * (2.0 if inputs.shape[0] > 2 else 1.0)

    with pytest.raises(BundleError) as problem:
        export_network(Odd(), (torch.ones(5, 3),), tmp_path / "a.onnx")
    assert problem.value.found and problem.value.fix and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("count", "names"), [(1, ["input"]), (2, ["input_0", "input_1"])])
def test_one_is_called_by_the_word_and_several_are_numbered(count, names):
    assert _names("input", count) == names


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        (torch.ones(1), ["output"]),
        ((torch.ones(1), torch.ones(1)), ["output_0", "output_1"]),
        ([torch.ones(1)], ["output"]),
        ({"b": torch.ones(1), "a": torch.ones(1)}, ["b", "a"]),
        ({0: torch.ones(1)}, ["0"]),
    ],
)
def test_outputs_have_their_own_names_where_they_have_some(outputs, names):
    assert _output_names(outputs) == names


def test_who_takes_any_number_of_inputs_is_known_by_its_signature():
    class Several(nn.Module):
        def forward(self, *inputs):
            return inputs[0]

    assert _takes_any_number(Several()) and not _takes_any_number(nn.Linear(2, 2))


@pytest.mark.parametrize("fails", [True, False])
def test_the_exporter_is_quiet_and_whoever_listens_afterwards_hears_again(fails, capsys):
    logger = logging.getLogger("torch.onnx")
    before, filters = logger.level, warnings.filters[:]
    with contextlib.suppress(ZeroDivisionError), _quiet():
        print("progress")
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
        assert not logger.isEnabledFor(logging.WARNING) and logger.isEnabledFor(logging.ERROR)
        if fails:
            raise ZeroDivisionError
    assert (logger.level, warnings.filters[:]) == (before, filters) and capsys.readouterr().out == ""


# --- what is written -----------------------------------------------------------------------------------------------

PARTS = st.dictionaries(
    st.sampled_from(["bundle.json", "model.onnx", "card.md", "w.safetensors"]), st.binary(max_size=40)
)


@settings(max_examples=15)
@given(PARTS)
def test_a_bundle_holds_its_parts_byte_for_byte_as_a_file_or_a_folder(tmp_path_factory, parts):
    import zipfile

    place = tmp_path_factory.mktemp("written")
    write(place / "a.ursa", parts)
    write(place / "b.ursa", dict(parts))
    with zipfile.ZipFile(place / "a.ursa") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == parts
    assert (place / "a.ursa").read_bytes() == (place / "b.ursa").read_bytes()  # no date of today in it
    write(place / "folder", parts)
    found = (place / "folder").iterdir() if parts else ()
    assert {path.name: path.read_bytes() for path in found} == parts


@pytest.mark.parametrize(
    ("broken", "said"), [(["a"], "in a"), (["a", "c"], "in a and 1 more"), (["a", "b", "c"], "in a and 2 more")]
)
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_named_and_counted(broken, said, number):
    state = {name: torch.ones(3) for name in "abc"} | {"count": torch.tensor(3)}
    _require_finite(state)
    for name in broken:
        state[name][1] = number
    with pytest.raises(BundleError) as problem:
        _require_finite(state)
    assert problem.value.found == f"NaN or infinite numbers {said}"
