"""The fuzzer: mutants are what they claim to be, what is planted is found, what was ever found stays mended."""

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("resource")  # children need limits, and a system that forks

from fuzz import harness, minimize, planted, tiny
from fuzz.findings import of_exception
from fuzz.formats import boxes, documents, gif, jpeg, png, protobuf, riff, tiff
from fuzz.harness import Fuzz, in_memory, resident
from fuzz.mutate import STRUCTURED, by_structure, mutated
from fuzz.pictures import pictures
from fuzz.record import DATA, ENTRIES, Record
from fuzz.targets import TARGETS, folders, forms
from fuzz.values import LARGEST, bytes_changed, rearranged
from fuzz.worker import context
from ursa.core.decoding import image
from ursa.errors import UrsaError

ROOT = Path(__file__).resolve().parents[1]
KEPT = Path(__file__).parent / "fuzz_cases"
OPEN = KEPT / "open.txt"  # names of cases that are found and not mended yet
CASES = sorted(file for file in KEPT.iterdir() if file != OPEN)
BY_NAME = {target.name: target for target in TARGETS}
SEEDS = dict(pictures())


def of_kind(start: bytes) -> list[bytes]:
    return [data for data in SEEDS.values() if data.startswith(start)]


# What was found once.


@pytest.mark.parametrize("name", BY_NAME)
def test_what_was_found_once_stays_mended(name):
    """In a child: a case that ends its process would end the tests."""
    left = OPEN.read_text().split() if OPEN.exists() else []
    files = [file for file in CASES if file.name.startswith(f"{name}-") and file.name not in left]
    if not files:
        pytest.skip("nothing was ever found here")
    with in_memory() as folder:
        runner = minimize.Runner(context(), folder, "fuzz.targets", BY_NAME[name])
        try:
            outcomes = {file.name: runner.outcome(file.read_bytes(), 5, fresh="memory" in file.name) for file in files}
        finally:
            runner.close()
    assert {file: found for file, found in outcomes.items() if found is not None} == {}


def test_every_case_that_is_kept_belongs_to_a_target_whose_seeds_are_ours():
    assert all(BY_NAME[file.name.split("-")[0]].ours for file in CASES)
    assert all(file.stat().st_size <= 300_000 for file in CASES)


# Seeds and mutators.


@pytest.mark.parametrize("name", SEEDS)
def test_every_seed_is_a_sound_picture_and_a_mutator_knows_its_format(name):
    assert by_structure(SEEDS[name]) is not None
    assert image.read(SEEDS[name]).pixels.size > 0


def test_the_seeds_are_of_every_kind_that_pillow_writes():
    kinds = {image.sniff(data) for data in SEEDS.values()}
    assert kinds >= {"BMP", "GIF", "ICO", "JPEG", "PNG", "PPM", "TIFF", "WEBP"}


@pytest.mark.parametrize("name", SEEDS)
def test_the_same_numbers_make_the_same_mutant_and_others_another(name):
    data, others = SEEDS[name], list(SEEDS.values())
    made = [mutated(data, Random(seed), others) for seed in range(40)]
    assert made == [mutated(data, Random(seed), others) for seed in range(40)]
    assert len(set(made)) > 25 and all(len(each) <= LARGEST for each in made)


@pytest.mark.parametrize("mutate", [mutate for _, mutate in STRUCTURED], ids=lambda mutate: mutate.__module__[-8:])
def test_a_mutator_survives_its_own_mutants_and_rubbish(mutate):
    """Mutations are stacked, so that each one gets what the others left."""
    rng = Random(3)
    for start in (*SEEDS.values(), b"", b"\xff\xd8", b"\0" * 50):
        data = start
        for _ in range(6):
            data = mutate(data, rng)[:20_000]
            assert isinstance(data, bytes)


@pytest.mark.parametrize(
    ("start", "again"),
    [
        (b"\xff\xd8", lambda data: jpeg.build(jpeg.parse(data))),
        (png.SIGNATURE, lambda data: png.build(*png.parse(data))),
        (b"RIFF", lambda data: riff.build(*riff.parse(data))),
        (b"GIF8", lambda data: b"".join(gif.parse(data))),
    ],
    ids=["jpeg", "png", "webp", "gif"],
)
def test_parsed_and_built_again_is_the_same_file(start, again):
    assert of_kind(start) and all(again(data) == data for data in of_kind(start))


def test_jpeg_segments_are_found_where_they_are():
    segments = jpeg.parse(SEEDS["jpeg progressive"])
    frame = next(segment for segment in segments if segment.marker in jpeg.FRAMES)
    assert frame.marker == 0xC2 and struct.unpack(">BHHB", frame.payload[:6]) == (8, 30, 40, 3)
    assert sum(segment.marker == jpeg.SOS for segment in segments) > 3 and segments[-1].marker == jpeg.EOI


def test_among_mutants_of_jpeg_are_lossless_frames_whose_scans_have_a_predictor():
    """The class of `hostile/lossless.jpg`: a frame header alone would not pass libjpeg's own checks."""
    rng, found = Random(0), 0
    for _ in range(1500):
        segments = jpeg.parse(jpeg.mutate(SEEDS["jpeg 4:4:4"], rng))
        lossless = any(segment.marker == 0xC3 and segment.payload for segment in segments)
        scans = [segment.payload for segment in segments if segment.marker == jpeg.SOS and segment.payload]
        found += lossless and any(1 <= scan[-3] <= 7 and scan[-2] == 0 for scan in scans if len(scan) > 3)
    assert found > 5


def test_nearly_all_structured_mutants_of_png_have_right_checksums():
    rng, wrong, seen = Random(1), 0, 0
    for data in of_kind(png.SIGNATURE):
        for _ in range(40):
            mutant, place = png.mutate(data, rng), len(png.SIGNATURE)
            for name, body in png.parse(mutant)[0]:
                check = mutant[place + 8 + len(body) : place + 12 + len(body)]
                wrong += int.from_bytes(check, "big") != zlib.crc32(name + body)
                place += 12 + len(body)
            seen += 1
    assert 0 < wrong < 0.25 * seen


def test_pixels_of_a_png_are_changed_inside_their_compression():
    """Most such mutants are whole for zlib: what is damaged reaches the filters."""
    rng, changed = Random(2), 0
    whole = image.read(SEEDS["png RGB"]).pixels
    for _ in range(300):
        try:
            pixels = image.read(png.mutate(SEEDS["png RGB"], rng)).pixels
        except UrsaError:
            continue
        changed += pixels.shape == whole.shape and bool((pixels != whole).any())
    assert changed > 10


@pytest.mark.parametrize("name", [name for name in SEEDS if "tiff" in name])
def test_tiff_directories_are_found(name):
    layout = tiff.parse(SEEDS[name])
    tags = [int.from_bytes(SEEDS[name][at : at + 2], layout.order) for at in layout.entries]
    assert {256, 257} <= set(tags) and layout.big == (name == "bigtiff")
    assert len(layout.directories) == (3 if name == "tiff pages" else 1)


def test_boxes_around_a_change_are_resized():
    data = SEEDS.get("jp2 RGB")
    if data is None:
        pytest.skip("this Pillow has no JPEG 2000")
    found = boxes.parse(data)
    inner = next(box for box in found if box.name == b"ihdr")
    longer = boxes.resized(data, found, inner.end, inner.end, b"\0\0\0\x0cfree1234")
    names, before = [box.name for box in boxes.parse(longer)], [box.name for box in found]
    at = before.index(b"ihdr") + 1
    assert names == [*before[:at], b"free", *before[at:]]
    assert boxes.parse(longer)[-1].end == len(longer)


def test_protobuf_comes_back_and_its_mutants_are_mostly_models_still():
    assert protobuf.build(protobuf.parse(tiny.model())) == tiny.model()
    rng = Random(4)
    parsed = [protobuf.parse(protobuf.mutate(tiny.model(), rng)) is not None for _ in range(200)]
    assert sum(parsed) > 150


def test_changed_documents_are_other_documents_and_the_old_one_stays():
    old = tiny.document()
    made = [documents.text(documents.changed(old, Random(seed)), Random(seed)) for seed in range(200)]
    assert old == tiny.document() and len(set(made)) > 150
    assert sum(json.dumps(old) == each for each in made) < 10


def test_a_bundle_with_a_changed_document_has_right_hashes(tmp_path):
    """Otherwise every mutant would be refused at the first check, and nothing behind it were ever tried."""
    from ursa.core.bundles import bundle

    text = json.dumps({**tiny.document(), "more": "\ud800"})
    file = tmp_path / "a.ursa"
    file.write_bytes(tiny.packed({"bundle.json": tiny.signed(text, tiny.parts()), **tiny.parts()}))
    try:
        assert bundle.read(file).document["more"] == "\ud800"
    except UrsaError as error:
        assert "was changed" not in error.what
    with zipfile.ZipFile(io.BytesIO(tiny.bundle())) as archive:
        assert set(archive.namelist()) == {"bundle.json", *tiny.parts()}


@pytest.mark.parametrize("size", [0, 1, 2, 100])
def test_bytes_are_changed_whatever_their_number(size):
    data = bytes(range(size))
    made = [bytes_changed(data, Random(seed)) for seed in range(200)]
    assert len(set(made)) > (5 if size < 3 else 100)


def test_a_list_is_rearranged_by_one_step():
    made = {tuple(rearranged("abc", Random(seed), lambda: "x")) for seed in range(300)}
    assert {("a", "c"), ("b", "a", "c"), ("a", "x", "b", "c")} <= made
    assert rearranged([], Random(0), lambda: "x") == ["x"]


# Targets.


@pytest.mark.parametrize("name", ["pictures", "torture", "forms", "lists", "folders", "bundles", "tables"])
def test_a_target_runs_what_is_sound_and_makes_the_same_cases_again(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = BY_NAME[name]
    target.warm()
    numbers = [f"0 {n}" for n in range(20)]
    assert [target.case(Random(n)) for n in numbers] == [target.case(Random(n)) for n in numbers]


def test_a_form_that_is_whole_is_answered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    head = b'Content-Disposition: form-data; name="picture"; filename="a.jpg"\r\n\r\n'
    body = b"--x\r\n" + head + SEEDS["png RGB"] + b"\r\n--x--\r\n"
    forms.run(b"multipart/form-data; boundary=x\n" + body)


def test_trees_are_made_inside_their_own_folder_and_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(40):
        data = folders.case(Random(number))
        if b"link" in data:
            continue  # links to each other are slow to walk: the harness has a limit for that
        with contextlib.suppress(UrsaError):
            folders.run(data + b"\nfile\t../../outside.jpg\t\nfile\t/cat/a.jpg\t")
        assert list(tmp_path.iterdir()) == []


# The harness, with what is planted.


@pytest.fixture
def folder():
    with in_memory() as place:
        yield place


def fuzzed(*names, until, seconds=1.2, processes=1):
    """What a run finds; a longer one where the machine was too busy for it."""
    targets = [target for target in planted.TARGETS if target.name in names]
    for times in (1, 4, 20):
        one = Fuzz(context("fuzz.planted"), "fuzz.planted", targets, "7", lambda _: None)
        summary = one.run(times * seconds, processes)
        if until(summary):
            break
    return summary


@pytest.mark.parametrize(
    ("name", "kind", "what"),
    [
        ("raises", "exception", "KeyError"),
        ("aborts", "crash", "SIGABRT"),
        ("late", "crash", "SIGABRT"),
        ("loops", "hang", "over 0.1 s of CPU"),
        ("waits", "hang", "waits for ever"),
        ("grows", "memory", "over 100 MB"),
    ],
)
def test_what_is_planted_is_found_named_and_made_small(name, kind, what, folder):
    summary = fuzzed(name, until=lambda seen: seen.findings)
    found = [finding for finding in summary.findings if (finding.kind, finding.what) == (kind, what)]
    assert found and found[0].target == name
    assert name == "late" or planted.TRIGGER in found[0].data
    target = next(target for target in planted.TARGETS if target.name == name)
    runner = minimize.Runner(context("fuzz.planted"), folder, "fuzz.planted", target)
    try:
        small = minimize.minimized(found[0], runner, {"waits": 1.5, "grows": 2.0}.get(name, 30.0))
    finally:
        runner.close()
    assert small.reproduced and planted.TRIGGER in small.data
    assert len(small.data) <= (60 if name in ("waits", "grows") else 4)
    assert name in ("late", "grows") or f" {name}" in small.where


def test_what_only_refuses_is_no_finding_and_half_of_it_is_refused():
    summary = fuzzed("refuses", until=lambda seen: seen.tallies["refuses"].cases > 1000)
    tally = summary.tallies["refuses"]
    assert summary.findings == [] and tally.cases > 1000
    assert 0.4 < tally.sound / tally.cases < 0.6


def test_many_of_one_kind_are_one_finding_and_are_counted():
    summary = fuzzed("raises", until=lambda seen: any(one.seen > 10 for one in seen.findings), seconds=1.5)
    by_what = {finding.what: finding for finding in summary.findings}
    assert len(summary.findings) <= 2 and by_what["KeyError"].seen > 10


def test_several_targets_share_several_processes_and_nothing_stays_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "SHARED", tmp_path)
    summary = fuzzed("refuses", "aborts", "raises", until=lambda seen: len(seen.findings) > 1, seconds=4, processes=2)
    assert all(tally.cases > 0 for tally in summary.tallies.values())
    assert {finding.kind for finding in summary.findings} >= {"crash", "exception"}
    assert list(tmp_path.iterdir()) == []
    if resident():
        assert summary.rss[1] - summary.rss[0] < 100


def run(*arguments, **options):
    command = [sys.executable, "-m", "fuzz", "--targets", "fuzz.planted", "--minutes", "0.02", "--processes", "1"]
    return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, **options)


def test_the_command_says_what_was_found_keeps_it_and_ends_with_1(tmp_path):
    done = run("--target", "aborts", "--seed", "5", "--json", "--keep", str(tmp_path))
    document = json.loads(done.stdout)
    assert done.returncode == 1 and document["seed"] == "5" and document["targets"]["aborts"]["crash"] >= 1
    (found,) = document["findings"]
    file = Path(found["file"])
    assert file.parent == tmp_path and file.read_bytes() == planted.TRIGGER
    assert file.name.startswith("aborts-crash-sigabrt-")


def test_the_command_ends_with_0_where_nothing_was_found_and_2_where_nothing_was_meant():
    done = run("--target", "refuses")
    assert done.returncode == 0 and "0 findings" in done.stdout and "seed " in done.stderr
    assert run("--target", "bears").returncode == 2


def test_ctrl_c_ends_with_the_table():
    command = [sys.executable, "-m", "fuzz", "--targets", "fuzz.planted", "--target", "refuses", "--minutes", "5"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2.5)
    process.send_signal(2)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "cases in" in said


# Its parts.


def test_a_record_is_read_by_another_process_newest_first(tmp_path):
    path = tmp_path / "record"
    written, read = Record(path, create=True), Record(path)
    for n in range(5):
        written.begin(bytes([n]) * (n + 1))
    assert read.begun() == 5 and read.recent() == [bytes([n]) * (n + 1) for n in (4, 3, 2, 1, 0)]
    written.close()
    read.close()


def test_a_record_keeps_what_fits_and_forgets_the_rest(tmp_path):
    record = Record(tmp_path / "record", create=True)
    large = DATA // 3
    for n in range(10):
        record.begin(bytes([n]) * large)
    assert [data[0] for data in record.recent()] in ([9, 8], [9, 8, 7])
    record.begin(bytes(DATA + 1))
    assert record.recent()[0] == b"" and record.begun() == 11
    for n in range(ENTRIES * 2):
        record.begin(str(n).encode())
    assert record.recent() == [str(n).encode() for n in range(ENTRIES * 2 - 1, ENTRIES - 1, -1)]
    record.close()


def test_shrinking_keeps_what_matters_and_respects_its_budget():
    data = os.urandom(300) + b"needle" + os.urandom(300)
    assert minimize.shrunk(data, lambda some: b"needle" in some, time.monotonic() + 20) == b"needle"
    assert minimize.shrunk(data, lambda some: len(some) > 5, time.monotonic() + 20) == bytes(6)
    assert minimize.shrunk(data, lambda _: True, time.monotonic() - 1) == data


def test_exceptions_are_the_same_where_type_and_place_are():
    def at_one_place(problem):
        try:
            raise problem
        except (KeyError, ValueError) as error:
            return of_exception("pictures", error, b"", "JPEG").signature

    assert at_one_place(KeyError(1)) == at_one_place(KeyError(2)) != at_one_place(ValueError(1))
