"""Devices are looked for at once, whoever asks, and "auto" is one that is there."""

import pytest
import torch

import ursa
from ursa.embed.device import available
from ursa.errors import DataError, TrainingError

GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0


def test_auto_is_the_first_of_what_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert available("auto") == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert available("auto") == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert available("auto") == "cpu"


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "meta", "CUDA", "cuda:1\n"])
def test_other_names_are_refused_with_those_that_there_are(name):
    with pytest.raises(DataError, match="no such device") as refused:
        available(name)
    assert "auto, cpu, cuda, mps" in refused.value.fix


@pytest.mark.skipif(GPUS > 0, reason="there is a GPU")
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_device_that_is_not_there_is_refused_before_any_work(name, tmp_path):
    for ask in (
        lambda: available(name),
        lambda: ursa.check(tmp_path / "nowhere", device=name),
        lambda: ursa.Learner(tmp_path / "nowhere", "pixels", device=name),  # even before the pictures are looked for
    ):
        with pytest.raises(TrainingError, match=f"there is no device {name}") as refused:
            ask()
        assert f"torch {torch.__version__}" in refused.value.found
        assert "cpu" in refused.value.fix


def test_a_number_beyond_the_last_names_those_that_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Some GPU")
    assert available("cuda:0") == "cuda:0"
    with pytest.raises(TrainingError) as refused:
        available("cuda:1")
    assert refused.value.found == "this machine has cuda:0 (Some GPU)"
    assert "cuda" in refused.value.fix
