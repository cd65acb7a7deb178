"""A workspace that came with somebody's folder, or was damaged: `check` says what it says without one, or names a file.

A workspace is made by a real `check`, then damaged in each way that is listed here, then checked again.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load, save

from ursa import workspace
from ursa.core.finding import Finding
from ursa.data import test_set_log
from ursa.data.catalog import Catalog
from ursa.data.download.ledger import Fetched, Ledger
from ursa.data.saved_splits import save_splits
from ursa.embed.store import Store
from ursa.errors import DataError
from ursa.workflow.check import check
from ursa.workspace import Workspace

pytestmark = pytest.mark.timeout(60)  # what never ends is a failure


@pytest.fixture(scope="module")
def whole(tmp_path_factory, picture_folder, pixels):
    """(folder with a workspace that has everything in it, what `check` says of it)."""
    folder = picture_folder(tmp_path_factory.mktemp("whole") / "pictures", {"red": 9, "maroon": 9, "green": 9})
    first = check(folder, **pixels)
    drawn = first.catalog.with_columns(
        split=pl.when(pl.col("id").str.contains("_00[01]")).then(pl.lit("test")).otherwise(pl.lit("train"))
    )
    space = Workspace.open(folder)
    save_splits(space.splits, drawn, 0)
    test_set_log.record_use(space.test_set_log, "train", "model", drawn.rows["sha256"])
    with Ledger(space) as ledger:
        ledger.add(Fetched("http://pictures.example/1.jpg", "red", "red/red_000.jpg"))
    said = check(folder, **pixels)
    assert 0.5 < said.accuracy.value < 1.0  # so that better and worse can be told
    return folder, said


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of the folder and its workspace, by this user: still believed."""
    return Path(shutil.copytree(whole[0], tmp_path / "pictures"))


@pytest.fixture
def somebody_else(tmp_path, monkeypatch):
    """A block in which files are sealed by another user."""

    @contextlib.contextmanager
    def switched():
        with monkeypatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody else"))
            yield

    return switched


def same(result, said) -> bool:
    def told(findings: list[Finding]):
        return [(finding.kind, finding.where, round(finding.score, 5)) for finding in findings]

    return (
        result.accuracy == said.accuracy
        and np.array_equal(result.confusion, said.confusion)
        and told(result.findings) == told(said.findings)
        and result.catalog.rows.drop("modified").equals(said.catalog.rows.drop("modified"))
    )


def the_only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    assert found, pattern
    return found[-1]


# --- each file, damaged in each way --------------------------------------------------------------------------------

FILES = {
    "schema": "schema.json",
    "catalog": "catalog.parquet",
    "backbones": "backbones.json",
    "embeddings": "embeddings/*/*.npy",
    "probe": "probes/*.safetensors",
    "splits": "splits.parquet",
    "test_set_log": "test_set_log.jsonl",
    "last_setup": "last_setup.json",
    "downloads": "downloads.jsonl",
    "seal of the catalog": "catalog.parquet.seal",
    "seal of the embeddings": "embeddings/*/*.seal",
}


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(100))


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    path.rename(path.parent.parent / "outside")
    path.symlink_to(path.parent.parent / "outside")


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/to/be/found")


def nested(path: Path) -> None:
    path.write_text("[" * 200_000)


DAMAGES = (empty, cut, zeros, garbage, flipped, longer, folder_instead, pipe, link, dangling, nested)
STATES = [(file, damage) for file in FILES for damage in DAMAGES]


def test_there_are_enough_states():
    assert len(STATES) >= 64


@pytest.mark.parametrize(("file", "damage"), STATES, ids=lambda part: getattr(part, "__name__", part))
def test_a_damaged_file_changes_nothing_or_is_named(whole, copied, pixels, capsys, file, damage):
    path = the_only(copied / ".ursa", FILES[file])
    damage(path)
    try:
        result = check(copied, **pixels)
    except DataError as problem:
        assert path.name in problem.what or path.name in (problem.found or "") + (problem.fix or "")
        assert problem.fix
        return
    changed_list = "list that was made or changed elsewhere" in capsys.readouterr().err
    assert same(result, whole[1]) or (file == "splits" and changed_list)
    assert same(check(copied, **pixels), result)  # and what was written anew is believed


@pytest.mark.parametrize("name", ["embeddings", "embeddings/*", "probes", "."])
def test_a_link_in_the_place_of_a_folder_is_refused_by_name(copied, pixels, name):
    path = copied / ".ursa" if name == "." else the_only(copied / ".ursa", name)
    outside = copied.parent / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    before = sorted(outside.rglob("*"))
    with pytest.raises(DataError, match="symbolic link") as problem:
        check(copied, **pixels)
    assert str(path) in problem.value.what and "--workspace" in problem.value.fix
    assert sorted(outside.rglob("*")) == before


def test_a_link_that_the_user_named_is_followed(whole, copied, pixels):
    (copied / ".ursa").rename(copied.parent / "space")
    (copied.parent / "named").symlink_to("space")
    result = check(copied, **dict(pixels, workspace=copied.parent / "named"))
    assert same(result, whole[1])


@pytest.mark.parametrize("name", ["embeddings", "probes"])
def test_a_file_in_the_place_of_a_folder_is_named(copied, pixels, name):
    path = copied / ".ursa" / name
    shutil.rmtree(path)
    path.write_text("in the way")
    with pytest.raises(DataError, match=name):
        check(copied, **pixels)


# --- forged by somebody else ---------------------------------------------------------------------------------------


def sealed_npy(path: Path, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    workspace.write_sealed(path, buffer.getvalue(), f"{path.parent.name}/{path.name}")


def forged_probe(space: Path) -> None:
    """Every picture is right, out of sample."""
    for path in (space / "probes").glob("*.safetensors"):
        tensors = load(path.read_bytes())
        catalog = Catalog.read(space / "catalog.parquet", space.parent)
        kept = catalog.where(~pl.col("id").str.contains("_00[01]")) if len(tensors["folds"]) < 27 else catalog
        tensors["probabilities"] = np.eye(3, dtype=np.float32)[kept.targets()]
        workspace.write_sealed(path, save(tensors))


def hidden_pictures(space: Path) -> None:
    """The difficult class is said to be unreadable."""
    catalog = Catalog.read(space / "catalog.parquet", space.parent)
    hidden = pl.when(pl.col("label") == "maroon").then(pl.lit("truncated")).otherwise("problem")
    workspace.write_sealed(space / "catalog.parquet", catalog.with_columns(problem=hidden).to_parquet())


def duplicated_pictures(space: Path) -> None:
    """All pictures are said to have the same bytes."""
    catalog = Catalog.read(space / "catalog.parquet", space.parent)
    same_bytes = pl.col("sha256").first()
    workspace.write_sealed(space / "catalog.parquet", catalog.with_columns(sha256=same_bytes).to_parquet())


def huge_size(space: Path) -> None:
    """The backbone is said to see pictures of 40,000 pixels."""
    known = json.loads((space / "backbones.json").read_text())
    for about in known.values():
        about["size"] = 40_000
    workspace.write_sealed(space / "backbones.json", json.dumps(known).encode())


def of_segments(change):
    def forge(space: Path) -> None:
        shutil.rmtree(space / "probes")  # so that they are read
        for path in (space / "embeddings").glob("*/*.npy"):
            segment = np.load(path)
            sealed_npy(path, change(segment))

    forge.__name__ = change.__name__
    return forge


def not_a_number(segment):
    segment["vector"][:] = np.nan
    return segment


def infinite(segment):
    segment["vector"][0, 0] = np.inf
    return segment


def telling_vectors(segment):
    segment["vector"][:] = np.random.default_rng(0).normal(size=segment["vector"].shape)
    return segment


def wrong_width(segment):
    out = np.zeros(len(segment), [("key", "V32"), ("vector", "<f4", (7,))])
    out["key"] = segment["key"]
    return out


def wrong_kind(segment):
    out = np.zeros(len(segment), [("key", "V32"), ("vector", "<f8", (segment["vector"].shape[1],))])
    out["key"] = segment["key"]
    return out


def huge_shape(space: Path) -> None:
    """The header of the embeddings promises 2^40 rows."""
    for path in (space / "embeddings").glob("*/*.npy"):
        buffer = io.BytesIO()
        descr = np.lib.format.dtype_to_descr(np.load(path).dtype)
        np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": (1 << 40,)})
        workspace.write_sealed(path, buffer.getvalue() + bytes(64), f"{path.parent.name}/{path.name}")


def another_release(space: Path) -> None:
    """The catalog has other columns."""
    rows = pl.read_parquet(space / "catalog.parquet").drop("phash").with_columns(new=pl.lit(1))
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    workspace.write_sealed(space / "catalog.parquet", buffer.getvalue())


FORGED = (
    forged_probe,
    hidden_pictures,
    duplicated_pictures,
    huge_size,
    huge_shape,
    another_release,
    *map(of_segments, (not_a_number, infinite, telling_vectors, wrong_width, wrong_kind)),
)


@pytest.mark.parametrize("forge", FORGED, ids=lambda forge: forge.__name__)
def test_what_somebody_else_sealed_is_not_believed(whole, copied, pixels, somebody_else, forge):
    with somebody_else():
        forge(copied / ".ursa")
    assert same(check(copied, **pixels), whole[1])


@pytest.mark.parametrize("forge", (huge_size, huge_shape, another_release, of_segments(wrong_kind)))
def test_what_another_release_of_ours_sealed_is_computed_again(whole, copied, pixels, forge):
    forge(copied / ".ursa")
    assert same(check(copied, **pixels), whole[1])


def test_the_forgeries_would_change_the_answer_if_they_were_believed(whole, copied, pixels):
    forged_probe(copied / ".ursa")  # by this user, who may
    result = check(copied, **pixels)
    assert result.accuracy.value == 1.0 > whole[1].accuracy.value


def test_a_file_does_not_count_in_the_place_of_another_one(whole, copied, pixels):
    space = copied / ".ursa"
    probes = sorted(path.name for path in (space / "probes").glob("*.safetensors"))
    assert len(probes) == 2
    for ending in ("", ".seal"):
        one, other = (space / "probes" / f"{name}{ending}" for name in probes)
        kept = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(kept)
    (segments,) = (space / "embeddings").iterdir()
    segments.rename(segments.with_name("0123456789abcdef"))
    assert same(check(copied, **pixels), whole[1])
    with Store(space / "embeddings" / "0123456789abcdef") as store:
        assert len(store) == 0


# --- made elsewhere, and fresh -------------------------------------------------------------------------------------


def test_a_workspace_of_somebody_else_is_said_to_be_so_once_and_a_moved_one_of_ours_is_not(
    whole, copied, pixels, somebody_else, capsys, tmp_path, picture_folder
):
    assert same(check(copied, **pixels), whole[1])
    assert capsys.readouterr().err == ""
    theirs = picture_folder(tmp_path / "theirs", {"red": 4, "green": 4})
    with somebody_else():
        check(theirs, **pixels)
    capsys.readouterr()
    check(theirs, **pixels)
    said = capsys.readouterr().err
    assert "was made elsewhere" in said and str(theirs / ".ursa") in said and said.count("\n") == 1
    check(theirs, **pixels)
    assert capsys.readouterr().err == ""


def test_pictures_that_somebody_else_put_aside_stay_aside_and_that_is_said(copied, pixels, somebody_else, capsys):
    path = copied / ".ursa" / "splits.parquet"
    path.with_name("splits.parquet.seal").unlink()
    with somebody_else():
        workspace.write_sealed(path, path.read_bytes())
    result = check(copied, **pixels)
    assert int(result.confusion.sum()) == 21
    assert (
        "6 pictures are put aside for testing by a list that was made or changed elsewhere" in capsys.readouterr().err
    )


def test_fresh_computes_all_again_and_keeps_what_cannot_be(whole, copied, pixels):
    space = copied / ".ursa"
    forged_probe(space)
    (space / "runs" / "20260101-000000").mkdir(parents=True)
    kept = {name: (space / name).read_bytes() for name in ("splits.parquet", "test_set_log.jsonl", "downloads.jsonl")}
    seen = []
    fresh = dict(pixels, fresh=True, progress=lambda _, done, of: seen.append((done, of)))
    assert same(check(copied, **fresh), whole[1])
    assert seen[-1] == (27, 27)
    assert {name: (space / name).read_bytes() for name in kept} == kept
    assert (space / "runs" / "20260101-000000").is_dir()


def test_a_zip_with_a_forged_workspace_is_not_believed_on_the_command_line(whole, copied, somebody_else):
    with somebody_else():
        forged_probe(copied / ".ursa")
        for name in ("schema.json", "catalog.parquet", "backbones.json"):
            workspace.write_sealed(copied / ".ursa" / name, (copied / ".ursa" / name).read_bytes())
    for path in (copied / ".ursa").rglob("*.seal"):  # and none of them carries a seal of ours
        path.write_text(path.read_text().splitlines()[-1] + "\n") if "schema" in path.name else path.unlink()
    archive = shutil.make_archive(str(copied.parent / "pictures"), "zip", copied)
    folder = copied.parent / "unpacked"
    shutil.unpack_archive(archive, folder)
    program = "from ursa.cli import main; main()"
    command = [sys.executable, "-c", program, "check", folder, "--backbone", "pixels", "--json"]
    for options, said in ((["--precision", "fp32"], "was made elsewhere"), (["--fresh"], "")):
        done = subprocess.run([*map(str, command), *options], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["accuracy"]["value"] == whole[1].accuracy.value
        assert said in done.stderr and "Traceback" not in done.stderr


# --- append-only files ---------------------------------------------------------------------------------------------


def add_use(space: Workspace) -> None:
    test_set_log.record_use(space.test_set_log, "train", "another model", ["0" * 64])


def add_download(space: Workspace) -> None:
    with Ledger(space) as ledger:
        ledger.add(Fetched("http://pictures.example/2.jpg", "red", "red/2.jpg"))


@pytest.mark.parametrize(("name", "add"), [("test_set_log.jsonl", add_use), ("downloads.jsonl", add_download)])
@pytest.mark.parametrize("by", [os.symlink, os.link])
def test_nothing_is_appended_to_a_file_of_the_user(copied, name, add, by):
    profile = copied.parent / "profile"
    profile.write_text("mine\n")
    (copied / ".ursa" / name).unlink()
    by(profile, copied / ".ursa" / name)
    with pytest.raises(DataError, match=name):
        add(Workspace(copied / ".ursa"))
    assert profile.read_text() == "mine\n"


@pytest.mark.parametrize(
    "line",
    [
        b'{"url": "u", "label": "red", "file": "../../etc/passwd"}',
        b'{"url": "u", "label": "red", "file": "/etc/passwd"}',
        b'{"url": "u", "label": "red", "file": "red/.."}',
        b'{"url": ["u"], "label": "red"}',
        b'{"url": "u"}',
        b'{"url": "u", "label": "red", "limit": "much"}',
        b"[" * 100_000,
        b"9" * 5_000,
        b"\xff\xfe",
    ],
)
def test_a_line_that_is_none_of_ours_is_passed_over(copied, line):
    path = copied / ".ursa" / "downloads.jsonl"
    path.write_bytes(path.read_bytes() + line + b"\n")
    assert list(Ledger(Workspace.open(copied)).known) == [("http://pictures.example/1.jpg", "red")]


@pytest.mark.parametrize("change", [{"sketch": [{}]}, {"sketch": ["a"] * 65}, {"pictures": "many"}, {"model": None}])
def test_a_look_that_is_none_of_ours_is_passed_over(copied, change):
    path = copied / ".ursa" / "test_set_log.jsonl"
    (line,) = path.read_text().splitlines()
    path.write_text(f"{line}\n{json.dumps({**json.loads(line), **change})}\n")
    assert len(test_set_log.uses(path)) == 1
    assert test_set_log.record_use(path, "train", "third", ["1" * 64]) == 1


def test_a_list_of_parts_with_more_rows_than_bytes_is_not_unfolded(tmp_path):
    path = tmp_path / "splits.parquet"
    rows = pl.DataFrame({"seed": pl.repeat(0, 3_000_000, eager=True)}).with_columns(
        sha256=pl.lit("a" * 64), part=pl.lit("test")
    )
    rows.write_parquet(path)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="put aside"):
        save_splits(path, Catalog.of(tmp_path, {"id": [], "path": []}), 0)
