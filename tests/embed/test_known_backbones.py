"""The table of backbones agrees with timm; every family's features and layer groups are sound."""

from pathlib import Path

import pytest
import timm
import torch

from ursa.embed.backbone import DEFAULT, Backbone
from ursa.embed.pretrained import bodies, relatives
from ursa.embed.pretrained.known_backbones import PERMISSIVE, license_words, limits_use, markdown, table
from ursa.models.groups import layer_groups
from ursa.training.classifier import Classifier

# --- the table -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", table(), ids=lambda row: row.name)
def test_a_row_says_what_timm_says(row):
    bodies.require_known(row.name)
    config = timm.get_pretrained_cfg(row.name)
    assert config.has_weights
    assert row.license == config.license and row.license in PERMISSIVE
    assert row.size == bodies.SIZES.get(row.name.partition(".")[2], config.input_size[-1])
    assert 60 < row.imagenet < 90 and 0 < row.parameters < 100


def test_the_rows_come_in_the_order_of_their_speed_and_the_page_shows_them():
    speeds = [row.milliseconds["openvino bf16"] for row in table()]
    assert speeds == sorted(speeds)
    page = Path(__file__).resolve().parents[2] / "docs" / "training.md"
    assert markdown() in page.read_text("utf-8")


def test_the_default_is_in_the_table():
    assert DEFAULT in {row.name for row in table()}


# --- licenses ------------------------------------------------------------------------------------------------------


def test_weights_for_non_commercial_use_are_said_to_be_that(tmp_path, picture_folder, capfd):
    from ursa.prepared.setup import Clock, Setup, prepared

    name = "convnextv2_atto.fcmae"
    assert limits_use(bodies.license_of(name)) and "non-commercial use only" in license_words(name, "cc-by-nc-4.0")
    assert "its own terms" in license_words(name, "dinov3-license")
    assert not any(limits_use(license) for license in (None, "unknown", "mit", bodies.license_of(DEFAULT)))
    prepared(picture_folder(tmp_path / "one", {"red": 1}), Setup(backbone="pixels"), Clock())
    assert "licensed" not in capfd.readouterr().err


def test_it_is_said_in_every_run_though_remembered(tmp_path, picture_folder, capfd, monkeypatch):
    from ursa.prepared.setup import Clock, Setup, prepared

    monkeypatch.setattr(bodies, "license_of", lambda _: "cc-by-nc-4.0")
    folder = picture_folder(tmp_path / "one", {"red": 1})
    for _ in range(2):
        prepared(folder, Setup(backbone="pixels"), Clock())
        assert capfd.readouterr().err.count("The weights of pixels are licensed cc-by-nc-4.0") == 1
        monkeypatch.setattr(bodies, "license_of", lambda _: None)


# --- families ------------------------------------------------------------------------------------------------------

FAMILIES = {  # a network: whether what the probe sees is a feature map's mean and maximum
    "test_resnet.r160_in1k": True,
    "test_convnext.r160_in1k": True,
    "mobilenetv4_conv_small_050.e3000_r224_in1k": False,  # a layer of its own before the classifier
    "hgnetv2_b0.ssld_stage2_ft_in1k": False,
    "tiny_vit_5m_224.dist_in22k_ft_in1k": True,
    "test_vit.r160_in1k": False,
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_s_layers_fall_into_groups_and_its_features_are_finite(name):
    torch.manual_seed(0)
    extractor = Backbone(name).load(pretrained=False)
    assert extractor.body.has_map == FAMILIES[name]
    views = torch.randint(0, 256, (2, extractor.size, extractor.size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        vectors = extractor(views)
    assert vectors.isfinite().all() and not torch.equal(vectors[0], vectors[1])
    model = Classifier(extractor, vectors.shape[1], 3)
    groups = layer_groups(model)
    assert len(groups) == 4 and groups[-1] == [model.head]
    sizes = [len(group) for group in groups[:-1]]
    assert max(sizes) < 4 * min(sizes)


def test_a_head_with_layers_of_its_own_is_used_whatever_the_number_of_its_outputs():
    body = Backbone("hgnetv2_b4.ssld_stage2_ft_in1k").load(pretrained=False).body
    assert body.model.num_features == body.model.head_hidden_size  # so the numbers do not tell
    assert not body.has_map


def test_dinov2_is_taken_at_the_size_it_was_trained_at_and_from_a_file_too(tmp_path):
    from safetensors.torch import save_file

    name = "vit_small_patch14_reg4_dinov2.lvd142m"
    torch.manual_seed(0)
    whole = timm.create_model(name)
    save_file({key: tensor.contiguous() for key, tensor in whole.state_dict().items()}, tmp_path / "w.safetensors")
    extractor = Backbone(name, tmp_path / "w.safetensors").load()
    assert extractor.size == 224
    grid = extractor.body.model.pos_embed
    assert grid.shape == (1, 16 * 16, 384)  # resampled from 37 x 37
    assert torch.allclose(grid.mean(), whole.pos_embed.mean(), atol=1e-3)
    assert timm.get_pretrained_cfg(name).input_size[-1] == 518


# --- relatives -----------------------------------------------------------------------------------------------------


def test_relatives_of_a_known_backbone_are_those_of_the_table_too(monkeypatch):
    here = {
        "convnext_pico.d1_in1k",
        "convnext_atto.d2_in1k",
        "convnext_tiny.in12k_ft_in1k",
        "convnext_pico_ols.d1_in1k",
    }
    monkeypatch.setattr(relatives, "_cached_by_the_hub", here.__contains__)
    assert set(relatives.relatives("convnext_nano.in12k_ft_in1k")) == here - {"convnext_pico_ols.d1_in1k"}
    assert relatives.relatives("hgnetv2_b4.ssld_stage2_ft_in1k") == []
    assert relatives.relatives("convnext_nano.d1h_in1k") == []  # not in the table: only its own tag counts
    assert relatives.at_hand("pixels") and not relatives.at_hand("convnext_nano.in12k_ft_in1k")
