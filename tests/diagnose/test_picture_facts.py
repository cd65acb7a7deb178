"""Facts of files and thumbnails: known numbers of known pictures, and no folder that only repeats the class."""

import numpy as np
import pytest

from ursa.data.catalog import Catalog
from ursa.diagnose.picture_facts import ENDS, FILE_FACTS, NAMED, PICTURE_FACTS, picture_facts


def catalog(*rows: dict, **columns) -> Catalog:
    """Rows over usual values: 64 x 48 pixels, 3,072 bytes, JPEG, even gray."""
    usual = {
        "id": "a/0.jpg",
        "label": "a",
        "width": 64,
        "height": 48,
        "bytes": 3072,
        "format": "JPEG",
        "thumbnail": bytes([128] * 1024),
    }
    filled = [usual | row for row in rows]
    table = {name: [row[name] for row in filled] for name in usual}
    return Catalog.of(".", table | {"path": table["id"]})


def facts(**row) -> dict[str, float]:
    return {name: values[0] for name, values in picture_facts(catalog(row)).items()}


def levels(picture: np.ndarray) -> bytes:
    return picture.astype(np.uint8).tobytes()


def test_every_fact_has_words_and_ends():
    assert set(picture_facts(catalog({}))) == set(FILE_FACTS) | set(PICTURE_FACTS)
    assert set(ENDS) | set(NAMED) == set(FILE_FACTS) | set(PICTURE_FACTS)


def test_of_a_file():
    found = facts(width=200, height=100, bytes=5000, format="WEBP")
    assert (found["width"], found["height"], found["area"], found["aspect"]) == (200, 100, 20_000, 2.0)
    assert found["compression"] == 0.25
    assert found["format"] == "WEBP"
    assert facts(format="PNG")["compression"] == 0  # of what keeps every pixel the bytes say what it shows


def test_of_an_even_picture():
    found = facts(thumbnail=bytes([77] * 1024))
    assert {found[name] for name in ("brightness", "darkest", "brightest", "border")} == {77}
    assert found["contrast"] == found["sharpness"] == 0


def test_of_a_frame_around_a_square():
    picture = np.full((32, 32), 200)
    picture[1:-1, 1:-1] = 50
    found = facts(thumbnail=levels(picture))
    assert found["border"] == 200
    assert (found["darkest"], found["brightest"]) == (50, 200)
    assert found["brightness"] == pytest.approx(picture.mean())
    assert found["contrast"] == pytest.approx(picture.std())


def test_a_blurred_picture_is_less_sharp_at_the_same_contrast():
    rough = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(float)
    smooth = np.cumsum(np.cumsum(rough - rough.mean(), 0), 1)
    smooth = (smooth - smooth.min()) / np.ptp(smooth) * 255
    sharp, blurred = facts(thumbnail=levels(rough)), facts(thumbnail=levels(smooth))
    assert sharp["sharpness"] > 5 * blurred["sharpness"]


@pytest.mark.parametrize("change", ["darker", "inverted"])
def test_levels_follow_the_picture(change):
    picture = np.random.default_rng(1).integers(30, 220, (32, 32))
    changed = picture // 2 if change == "darker" else 255 - picture
    before, after = facts(thumbnail=levels(picture)), facts(thumbnail=levels(changed))
    if change == "darker":
        assert after["brightest"] == before["brightest"] // 2
        assert after["brightness"] < before["brightness"]
    else:
        assert after["darkest"] == 255 - before["brightest"]
        assert after["contrast"] == pytest.approx(before["contrast"])


def folders(*ids_and_labels: tuple[str, str]) -> list[str]:
    rows = [{"id": id, "label": label} for id, label in ids_and_labels]
    return picture_facts(catalog(*rows))["folder"].tolist()


def test_a_folder_counts_where_several_classes_have_it():
    assert folders(("cat/phone/1", "cat"), ("dog/phone/2", "dog"), ("dog/web/3", "dog")) == ["phone", "phone", ""]


def test_folders_of_classes_do_not_count_wherever_they_stand():
    assert folders(("train/cat/1", "cat"), ("train/dog/2", "dog")) == ["train", "train"]
    relabeled = folders(("cat/1", "dog"), ("dog/2", "dog"), ("cat/3", "cat"))
    assert relabeled == ["", "", ""]


def test_order_of_pictures_means_nothing():
    rows = [{"id": f"{i}.jpg", "width": 10 + i, "thumbnail": levels(np.full((32, 32), i))} for i in range(9)]
    forward, backward = picture_facts(catalog(*rows)), picture_facts(catalog(*rows[::-1]))
    for name, values in forward.items():
        assert np.array_equal(values, backward[name][::-1]), name
