"""The bundle's format: what was written is read, and nothing else is."""

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core.bundles import bundle
from ursa.core.bundles.bundle import FORMAT, MANIFEST, PARTS
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.errors import BundleError

DOCUMENT = {
    "classes": ["grizzly", "teddy bär"],
    "preparation": {"size": 96, "fit": "pad"},
    "temperature": 1.25,
    "accuracy": {"value": 0.9, "low": 0.8, "high": 0.95, "method": "held out"},
}
CONTENTS = {name: (name.encode() + bytes(range(256))) * 2 for name in PARTS}
FILES = {MANIFEST: bundle.manifest(DOCUMENT, CONTENTS), **CONTENTS}


def folder(files: dict[str, bytes], place: Path) -> Path:
    place.mkdir()
    for name, data in files.items():
        (place / name).write_bytes(data)
    return place


def archive(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as target:
        for name, data in files.items():
            target.writestr(name, data)
    return buffer.getvalue()


def zipped(files: dict[str, bytes], place: Path) -> Path:
    place.write_bytes(archive(files))
    return place


def signed(**changes) -> bytes:
    """bundle.json with other entries and a hash that is right: what somebody else may write on purpose."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()}
    document = {"format": FORMAT, **DOCUMENT, "parts": hashes, **changes, "sha256": ""}
    text = json.dumps(document)
    return text.replace('"sha256": ""', f'"sha256": "{hashlib.sha256(text.encode()).hexdigest()}"').encode()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("bundles")


@pytest.mark.parametrize("form", [folder, zipped])
def test_what_was_written_is_read(tmp_path, form):
    found = bundle.read(form(FILES, tmp_path / "model.ursa"))
    assert found.labels == Labels(("grizzly", "teddy bär"))
    assert found.preparation == Preparation(96, "pad")
    assert found.temperature == 1.25
    assert found.parts == CONTENTS
    assert found.document["accuracy"] == DOCUMENT["accuracy"]
    assert found.document["format"] == FORMAT
    assert found == bundle.read(str(tmp_path / "model.ursa"))


@given(part=st.sampled_from([MANIFEST, *PARTS]), at=st.integers(0), value=st.integers(1, 255))
def test_a_changed_byte_in_any_part_is_refused(place, part, at, value):
    data = bytearray(FILES[part])
    data[at % len(data)] ^= value
    with pytest.raises(BundleError):
        bundle.read(zipped({**FILES, part: bytes(data)}, place / "changed.ursa"))


@given(part=st.sampled_from([MANIFEST, *PARTS]), cut=st.integers(1, 400))
def test_a_part_that_was_cut_or_lengthened_is_refused(place, part, cut):
    for data in (FILES[part][:-cut], FILES[part] + b"\n" * cut):
        with pytest.raises(BundleError):
            bundle.read(zipped({**FILES, part: data}, place / "cut.ursa"))


def test_a_changed_byte_of_the_zip_itself_is_refused_or_changes_nothing(place):
    """Some bytes of a zip (its dates) carry nothing that is read."""
    whole, path = archive(FILES), place / "zip.ursa"
    path.write_bytes(whole)
    sound = bundle.read(path)
    harmless = 0
    for at in range(0, len(whole), 2):
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        path.write_bytes(bytes(data))
        try:
            assert bundle.read(path) == sound
            harmless += 1
        except BundleError:
            pass
    assert harmless < len(whole) / 4


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_compressed_entry_is_refused_and_the_way_out_named(tmp_path, compression):
    (tmp_path / "model.ursa").write_bytes(archive(FILES, compression))
    with pytest.raises(BundleError, match="compressed") as error:
        bundle.read(tmp_path / "model.ursa")
    assert "name the folder" in error.value.found


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
@pytest.mark.parametrize("part", [MANIFEST, *PARTS])
def test_in_a_folder_links_and_pipes_are_refused(tmp_path, part):
    place = folder(FILES, tmp_path / "bundle")
    (place / part).rename(tmp_path / "elsewhere")
    (place / part).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError):
        bundle.read(place)
    (place / part).unlink()
    os.mkfifo(place / part)
    with pytest.raises(BundleError, match="named pipe"):
        bundle.read(place)


@pytest.mark.skipif(os.name != "posix", reason="pipes and sparse files")
def test_a_pipe_and_a_huge_file_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.ursa")
    with pytest.raises(BundleError, match="named pipe"):
        bundle.read(tmp_path / "pipe.ursa")
    place = folder(FILES, tmp_path / "bundle")
    with (place / "model.onnx").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(BundleError, match="too large"):
        bundle.read(place)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"metrics": {"accuracy": {"value": None, "low": 0.0, "high": 1.0, "method": "nothing to count"}}},
        {"classes": ["क्\u200dष", "\u200fעברית", "naïve", "👩\u200d🔬", "a" * 255]},
        {"preparation": {"size": 224}},
        {"more": {"of": ["what", "a", "later", "version", 1, None, True]}},
    ],
    ids=str,
)
def test_what_export_may_write_is_read(tmp_path, changes):
    content = signed(**changes)
    bundle.require_readable(content)
    bundle.read(zipped({**FILES, MANIFEST: content}, tmp_path / "model.ursa"))


def test_what_could_not_be_read_is_refused_before_it_is_written():
    with pytest.raises(BundleError, match="could not be read") as error:
        bundle.require_readable(signed(classes=["a", "b\n"]))
    assert "classes" in error.value.found


def test_the_beginning_of_a_zip_is_refused(place):
    whole, path = archive(FILES), place / "begun.ursa"
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(BundleError):
            bundle.read(path)


@pytest.mark.parametrize("form", [folder, zipped])
@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(tmp_path, form, part):
    files = {name: data for name, data in FILES.items() if name != part}
    with pytest.raises(BundleError, match="incomplete") as error:
        bundle.read(form(files, tmp_path / "model.ursa"))
    assert error.value.found == f"{part} is missing"


@pytest.mark.parametrize("form", [folder, zipped])
def test_without_a_manifest_it_is_no_bundle(tmp_path, form):
    with pytest.raises(BundleError, match="is not a bundle"):
        bundle.read(form(CONTENTS, tmp_path / "model.ursa"))


def test_a_newer_format_is_refused_with_the_way_to_update(tmp_path):
    files = {**FILES, MANIFEST: signed(format=FORMAT + 1)}
    with pytest.raises(BundleError, match="newer Ursa") as error:
        bundle.read(zipped(files, tmp_path / "model.ursa"))
    assert f"format {FORMAT + 1}" in error.value.found and "upgrade" in error.value.fix


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip", bytes(100), b"\x89PNG\r\n\x1a\n"])
def test_what_is_not_a_zip_is_refused(tmp_path, data):
    (tmp_path / "model.ursa").write_bytes(data)
    with pytest.raises(BundleError, match="damaged, or is not a bundle"):
        bundle.read(tmp_path / "model.ursa")


def test_a_missing_bundle_is_refused_with_the_way_to_make_one(tmp_path):
    with pytest.raises(BundleError, match="there is no bundle") as error:
        bundle.read(tmp_path / "model.ursa")
    assert "ursa train" in error.value.fix


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": []},
        {"classes": None},
        {"preparation": {"size": 0}},
        {"preparation": {"side": 224}},
        {"preparation": None},
        {"temperature": 0},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": "warm"},
        {"parts": {}},
        {"parts": list(PARTS)},
        {"parts": None},
        {"format": None},
        {"format": float("inf")},
    ],
    ids=str,
)
def test_a_manifest_that_makes_no_sense_is_refused_even_when_it_is_signed(tmp_path, changes):
    files = {**FILES, MANIFEST: signed(**changes)}
    with pytest.raises(BundleError, match="is damaged"):
        bundle.read(zipped(files, tmp_path / "model.ursa"))


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000], ids=lambda data: repr(data[:8]))
def test_a_manifest_that_is_no_document_is_refused(tmp_path, data):
    with pytest.raises(BundleError, match="is damaged"):
        bundle.read(zipped({**FILES, MANIFEST: data}, tmp_path / "model.ursa"))


def test_other_files_in_the_zip_are_not_read(tmp_path):
    found = bundle.read(zipped({**FILES, "../../outside": b"x", "more.txt": b"y"}, tmp_path / "model.ursa"))
    assert set(found.parts) == set(PARTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.ursa"]
