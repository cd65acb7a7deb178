"""A bundle -> a page without a server: the folder, and what is refused. In a browser: tests/export/test_web_page.py."""

import gzip
import hashlib
import io
import json
import re
import tarfile

import pytest
from PIL import Image
from typer.testing import CliRunner

import ursa
from tests.serve.conftest import bundle_files, pack
from tests.web_runtime import FAKE, known_runtime, npm_package
from ursa.cli.commands import app
from ursa.errors import BundleError, DataError
from ursa.export.web import web_runtime
from ursa.export.web.web_icons import icon
from ursa.serve.page.page_assets import page_files

ODD = "<script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return pack(bundle_files(["blue", ODD, "red"]), tmp_path_factory.mktemp("web") / "$My bears & Co.ursa")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """What npm would have packed, and known by its hashes."""
    with known_runtime():
        yield npm_package(tmp_path_factory.mktemp("npm") / "npm.tgz")


@pytest.fixture(scope="module")
def site(model, runtime):
    return ursa.export_web(model, model.parent / "site", runtime, title="Which <bear>?")


def read(site, name):
    return (site.folder / name).read_bytes()


def test_the_folder_holds_what_the_page_asks_for_and_no_more_of_the_bundle_than_that(site, model):
    bundle = ursa.Predictor(model).bundle
    assert read(site, "model.onnx") == bundle.parts["model.onnx"]
    assert gzip.decompress(read(site, "runtime/ort-wasm.bin")) == FAKE["ort-wasm-simd-threaded.wasm"]
    assert read(site, "runtime/ort.js") == FAKE["ort.wasm.bundle.min.mjs"]
    assert b"Microsoft" in read(site, "runtime/LICENSE.txt")
    assert set(page_files()) <= set(site.files)
    assert not [name for name in site.files if "weights" in name or "words/" in name]
    assert sorted(str(path.relative_to(site.folder)) for path in site.folder.rglob("*") if path.is_file()) == list(
        site.files
    )
    facts = json.loads(read(site, "model.json"))
    assert facts["classes"] == ["blue", ODD, "red"] and facts["costs"] == [None] * 3 and facts["abstain"] is None
    assert facts["downloads"][1] == ["model.onnx", len(bundle.parts["model.onnx"])]


def test_nothing_comes_from_elsewhere_and_no_script_stands_in_the_page(site):
    index = read(site, "index.html").decode()
    assert "default-src 'none'" in index and "wasm-unsafe-eval" in index
    assert not re.search(r"https?://|<script>|<style| style=| on\w+=", index)
    assert "<title>Which &lt;bear&gt;?</title>" in index
    assert "v1/predict" not in index and "server" not in re.sub(r'(id|data-say)="[^"]*"', "", index)


def test_all_that_a_page_needs_offline_is_kept_by_its_hash(site):
    worker = read(site, "service-worker.js").decode()
    kept = json.loads(re.search(r"const FILES = (\{.*?\});", worker, re.DOTALL)[1])
    assert kept == {name: hashlib.sha256(read(site, name)).hexdigest() for name in kept}
    left_out = {".nojekyll", "README.md", "runtime/LICENSE.txt", "service-worker.js"}
    assert set(site.files) - set(kept) == left_out
    assert site.megabytes == pytest.approx(sum(len(read(site, name)) for name in kept) / 1e6)
    assert re.search(r'VERSION = "ursa-page-[0-9a-f]{16}"', worker)


def test_the_same_bundle_gives_the_same_page_and_another_title_another_version(site, model, runtime, tmp_path):
    again = ursa.export_web(model, tmp_path / "again", runtime, title="Which <bear>?")
    assert all(read(again, name) == read(site, name) for name in site.files)
    other = ursa.export_web(model, tmp_path / "other", runtime)
    version = re.compile(rb"ursa-page-[0-9a-f]+")
    first, second = (version.findall(read(one, "service-worker.js"))[0] for one in (site, other))
    assert first != second


def test_it_can_be_installed_wherever_it_lies(site):
    told = json.loads(read(site, "manifest.webmanifest"))
    assert told["name"] == "Which <bear>?" and told["start_url"] == told["scope"] == "./"
    for each in told["icons"]:
        image = Image.open(io.BytesIO(read(site, each["src"])))
        assert f"{image.width}x{image.height}" == each["sizes"]


def test_icons_are_ours_with_and_without_corners():
    whole, round_ = (Image.open(io.BytesIO(icon(64, full=full))).convert("RGBA") for full in (True, False))
    assert whole.getpixel((0, 0))[3] == 255 and round_.getpixel((0, 0))[3] == 0
    assert whole.getpixel((1, 32))[:3] == round_.getpixel((1, 32))[:3] == (0x1D, 0x54, 0x78)
    assert len({whole.getpixel((x, y)) for x in range(64) for y in range(64)}) > 3


@pytest.mark.parametrize("language", ["en", "de", "es", "zh"])
def test_every_language_says_that_nothing_is_sent(site, language):
    words, before = (
        json.loads(data)
        for data in (read(site, f"assets/languages/{language}.json"), page_files()[f"assets/languages/{language}.json"])
    )
    assert set(words) == set(before)
    changed = {key for key in words if words[key] != before[key]}
    assert {"privacy", "no-server", "state-sending", "problem-offline", "problem-server"} <= changed
    assert not [key for key in changed if re.search("[Ss]erv(er|id)|服务器", str(words[key]))]


def test_the_readme_says_what_to_do_and_a_name_stays_a_name(site):
    text = read(site, "README.md").decode()
    assert "http.server" in text and "GitHub Pages" in text and "Colours" not in text.splitlines()[0]
    assert "<b>" not in text.splitlines()[0] and "<script>" not in text
    assert not re.search(r"\$(heading|version|card|megabytes|runtime)", text)


@pytest.mark.parametrize("inside", ["", "dist", "node_modules/onnxruntime-web/dist"])
def test_a_folder_of_the_package_does_as_well(model, runtime, tmp_path, inside):
    place = tmp_path / "mine" / inside
    place.mkdir(parents=True)
    for name, data in FAKE.items():
        (place / name).write_bytes(data)
    assert ursa.export_web(model, tmp_path / "site", tmp_path / "mine").files


def test_without_the_runtime_it_says_the_one_command(model, tmp_path):
    with pytest.raises(DataError, match="onnxruntime-web") as told:
        ursa.export_web(model, tmp_path / "site")
    assert f"npm pack onnxruntime-web@{web_runtime.VERSION}" in told.value.fix
    assert not (tmp_path / "site").exists()


def broken_runtimes(place):
    other = npm_package(place / "other.tgz", {name: data + b" " for name, data in FAKE.items()})
    half = npm_package(place / "half.tgz", dict([next(iter(FAKE.items()))]))
    cut = place / "cut.tgz"
    cut.write_bytes(other.read_bytes()[:60])
    text = place / "text.tgz"
    text.write_text("not an archive")
    linked = place / "linked.tgz"
    with tarfile.open(linked, "w:gz") as archive:
        for name in FAKE:
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(member)
    empty = place / "empty"
    empty.mkdir()
    return [other, half, cut, text, linked, empty, place / "missing.tgz"]


def test_any_other_runtime_is_refused_and_nothing_is_written(model, runtime, tmp_path):
    for each in broken_runtimes(tmp_path):
        with pytest.raises(DataError):
            ursa.export_web(model, tmp_path / "site", each)
    assert not (tmp_path / "site").exists()


def test_a_file_of_the_package_larger_than_it_can_be_is_not_read(runtime, monkeypatch):
    monkeypatch.setattr(web_runtime, "LARGEST", 10)
    with pytest.raises(DataError, match="is not onnxruntime-web"):
        web_runtime.runtime_files(runtime)


def test_nothing_is_overwritten_and_what_cannot_be_a_page_is_refused(site, model, runtime, tmp_path):
    with pytest.raises(DataError, match="not empty"):
        ursa.export_web(model, site.folder, runtime)
    with pytest.raises(DataError, match="title is empty"):
        ursa.export_web(model, tmp_path / "new", runtime, title="  ")
    with pytest.raises(BundleError):
        ursa.export_web(tmp_path / "none.ursa", tmp_path / "new", runtime)
    assert not (tmp_path / "new").exists()


def test_the_command_answers_with_one_document_and_refuses_what_it_would_ignore(model, runtime, tmp_path):
    def run(*words):
        return CliRunner().invoke(app, ["export", str(model), *map(str, words)])

    done = run("--web", tmp_path / "site", "--runtime", runtime, "--title", "Bears", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["runtime"] == web_runtime.VERSION
    assert "http.server" in run("--web", tmp_path / "again", "--runtime", runtime).stderr
    refused = [
        ("--web", tmp_path / "new", "--int8"),
        ("--web", tmp_path / "new", "--runtime", runtime, "--data", tmp_path),
        ("--container", tmp_path / "new", "--runtime", runtime),
        ("--container", tmp_path / "new", "--title", "Bears"),
        ("--int8", "--data", tmp_path, "--title", "Bears"),
        ("--web", tmp_path / "new"),
    ]
    assert [run(*words).exit_code for words in refused] == [2] * len(refused)
    assert not (tmp_path / "new").exists()
