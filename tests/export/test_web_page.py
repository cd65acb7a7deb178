"""The exported page in a real browser: what it sees and answers beside Python, without a network, and when it changes.

A stand-in for onnxruntime-web runs the tiny model. The real one is tried where ONNXRUNTIME_WEB says what
`npm pack onnxruntime-web` wrote.
"""

import base64
import functools
import http.server
import io
import json
import os
import shutil
import threading

import numpy as np
import PIL
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

import ursa
from tests.serve.conftest import bundle_files, pack
from tests.web_runtime import known_runtime, npm_package
from ursa.core.decisions import Costs, Decisions
from ursa.core.prepare import Preparation, resize
from ursa.serve.prediction import activated, answers

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
ODD = "<img src=x onerror=document.title='owned'>"
pytestmark = pytest.mark.browser


class Host(http.server.SimpleHTTPRequestHandler):
    """A static host, as plain as they come: it compresses nothing, and knows one path of a site."""

    def log_message(self, format, *args):
        """Nothing."""


@pytest.fixture(scope="module")
def hosts():
    """host(root) -> (address, stop)."""
    servers = []

    def start(root):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Host, directory=str(root)))
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

        def stop():
            server.shutdown()
            server.server_close()

        return f"http://127.0.0.1:{server.server_port}", stop

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """export(place, title=None, **changes of the bundle) -> the folder."""
    runtime = npm_package(tmp_path_factory.mktemp("npm") / "npm.tgz")

    def write(place, title=None, **changes):
        bundle = pack(bundle_files(**changes), tmp_path_factory.mktemp("bundle") / "colors.ursa")
        with known_runtime():
            return ursa.export_web(bundle, place, runtime, title=title).folder

    return write


@pytest.fixture(scope="module")
def root(tmp_path_factory, export):
    place = tmp_path_factory.mktemp("host")
    export(place / "bears", classes=["blue", ODD, "red"], thresholds={"abstain": {"value": 0.9}, "costs": {}})
    return place


@pytest.fixture(scope="module")
def address(root, hosts):
    return f"{hosts(root)[0]}/bears/"


@pytest.fixture
def visit(browser):
    """visit(address) -> a page that has to stay free of complaints, those of its policy among them."""
    contexts, complaints, asked = [], [], set()

    def go(where):
        contexts.append(browser.new_context(locale="en-US"))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: complaints.append(said.text) if complaint(said) else None)
        page.on("pageerror", lambda problem: complaints.append(str(problem)))
        contexts[-1].on("request", lambda request: asked.add(request.url.split("/bears/")[0]))
        page.goto(where)
        expect(page.locator("#classes")).not_to_be_empty()
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []
    assert len({each for each in asked if not each.startswith("blob:")}) == 1  # nothing from elsewhere


def complaint(said):
    """404 is what a half uploaded page answers."""
    return said.type in ("error", "warning") and "Failed to load resource" not in said.text


def photo_of(color, kind="PNG", size=(64, 48), **options):
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, kind, **options)
    return buffer.getvalue()


def add(page, *pictures):
    page.set_input_files("#choose", [{"name": n, "mimeType": "image/jpeg", "buffer": data} for n, data in pictures])


def test_it_answers_as_python_does_and_a_name_stays_text(visit, address, root):
    page = visit(address)
    add(page, ("a.png", photo_of("lime")), ("b.png", photo_of("red")), ("c.png", photo_of("gray")))
    expect(page.locator("#list > .done")).to_have_count(3)
    shown = page.locator("#list").inner_text()
    assert ODD in shown and "red" in shown and "Not sure" in shown
    assert page.title() == "What is in the picture?" and not page.locator("#list img[src=x]").count()
    page.goto(f"{address}#about")
    expect(page.locator("#card")).to_contain_text("Colours")
    assert "sent to nobody" in page.locator("#facts").inner_text() and "curl" not in page.locator("#facts").inner_text()


def test_what_cannot_be_read_is_said_and_the_next_picture_is_answered(visit, address):
    bomb = bytearray(photo_of("red"))
    bomb[16:24] = (20_000).to_bytes(4, "big") * 2
    cut = photo_of(np.random.default_rng(0).bytes(3).hex().join(["#", ""]), "JPEG", (300, 300))
    page = visit(address)
    add(
        page,
        ("page.jpg", b"<!doctype html><p>no"),
        ("bomb.png", bytes(bomb)),
        ("cut.jpg", cut[:-40]),
        ("deep.png", deep()),
        ("svg.svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='5' height='5'/>"),
        ("broken.png", photo_of("red")[:60] + b"\0" * 12 + b"\0\0\0\0IEND\xaeB`\x82"),
        ("empty.jpg", b""),
        ("good.png", photo_of("blue")),
    )
    expect(page.locator("#list > .done")).to_have_count(1)
    told = page.locator("#failed").inner_text()
    assert "20000 × 20000" in told and "Not a picture" in told and "Incomplete" in told and "cannot read" in told
    assert "7 files" in told


def deep():
    buffer = io.BytesIO()
    Image.fromarray(np.full((20, 20), 900, np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


# ---- what the model sees ----

SEE = """async ([data, preparation]) => {
  const { decoded } = await import(new URL("assets/decoded.js", document.baseURI));
  const { view } = await import(new URL("assets/prepare.js", document.baseURI));
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return Array.from(view(await decoded(new Blob([bytes]), preparation), preparation));
}"""


def saved(image, kind="PNG", turn=None, **options):
    if turn:
        exif = Image.Exif()
        exif[0x0112] = turn
        options["exif"] = exif.tobytes()
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def fine(image, turn=None, **options):
    """A JPEG with all its colors: decoded at a part of its size it comes within 3 levels."""
    return saved(image, "JPEG", turn, quality=95, subsampling=0, **options)


def other_colors():
    """sRGB with red and blue exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.find(b"rXYZ", 128), profile.find(b"bXYZ", 128)
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def pictures(photo):
    """{what: (file, fit, gray levels that a view may differ)}."""
    small, large = (Image.fromarray(photo(3, *size)) for size in ((61, 83), (403, 650)))
    clear = small.copy()
    clear.putalpha(Image.linear_gradient("L").resize(small.size))
    found = {f"turn {turn}": (fine(small, turn), "pad", 3) for turn in range(1, 9)}
    found |= {f"turn {turn}, large": (saved(large, "JPEG", turn, quality=95), "pad", 4) for turn in (1, 5, 6, 7)}
    found |= {f"turn 6, {kind}": (saved(small, kind, 6, **options), "pad", 1) for kind, options in LOSSLESS}
    found |= {
        f"{fit}, {kind}": (saved(large, kind), fit, 4) for fit in ("pad", "crop", "squash") for kind in ("PNG", "JPEG")
    }
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    found["turn in XMP"] = (fine(small, xmp=xmp), "pad", 3)
    found["turn in XMP, WebP"] = (saved(small, "WEBP", lossless=True, xmp=xmp), "pad", 1)
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    found["turn in XMP, PNG"] = (saved(small, pnginfo=text), "pad", 1)
    found["EXIF behind XMP"] = (fine(small, 3, xmp=xmp), "pad", 3)
    found["transparency"] = (saved(clear), "pad", 1)
    found["transparency, WebP"] = (saved(clear, "WEBP", lossless=True), "pad", 1)
    found["palette"] = (saved(small.quantize(32)), "pad", 1)
    found["gray"] = (saved(large.convert("L")), "pad", 1)
    found["gray JPEG"] = (saved(small.convert("L"), "JPEG"), "pad", 1)
    found["CMYK"] = (saved(small.convert("CMYK"), "JPEG", quality=95), "pad", 1)
    found["CMYK, large"] = (saved(large.convert("CMYK"), "JPEG", quality=95), "pad", 4)
    found["profile"] = (saved(small, icc_profile=other_colors()), "pad", 1)
    found["one pixel wide"] = (saved(small.crop((0, 0, 1, 60))), "pad", 1)
    found["behind its end a film"] = (fine(small) + bytes(70_000), "pad", 3)
    for halves in (1, 2, 3, 5, 7):  # eighths at which Python decodes
        image = Image.fromarray(photo(halves, 24, 16 * 16 // halves))
        found[f"{halves}/8"] = (fine(image), "pad", 3)
    return found


LOSSLESS = (("PNG", {}), ("WEBP", {"lossless": True}), ("AVIF", {"quality": 100, "subsampling": "4:4:4"}))


def test_the_browser_sees_what_python_sees(visit, address, photo, tmp_path):
    page, far = visit(address), {}
    for what, (data, fit, most) in pictures(photo).items():
        preparation = Preparation(16, fit)
        seen = page.evaluate(SEE, [base64.b64encode(data).decode(), preparation.to_json()])
        wanted = ursa.Predictor.view(Seeing(preparation), data)
        difference = np.abs(np.array(seen).reshape(wanted.shape) - wanted.astype(int))
        if difference.max() > most or difference.mean() > most / 4:
            far[what] = (difference.max(), difference.mean())
    assert far == {}


class Seeing:
    """As much of a predictor as `view` needs."""

    def __init__(self, preparation):
        self.bundle = type("Of", (), {"preparation": preparation})


MOST = 0 if int(PIL.__version__.split(".")[0]) >= 13 else 1  # gray levels: earlier ones begin with another side

RESIZE = """async ([width, height, data, w, h]) => {
  const { resized } = await import(new URL("assets/prepare.js", document.baseURI));
  return Array.from(resized({ width, height, data: Uint8Array.from(data) }, w, h).data);
}"""


def test_pictures_are_resized_as_pillow_does_it_to_the_same_number(visit, address):
    page, draw = visit(address), np.random.default_rng(0)
    for _ in range(25):
        height, width, h, w = draw.integers(1, 60, 4).tolist()
        pixels = draw.integers(0, 256, (height, width, 3)).astype(np.uint8)
        found = page.evaluate(RESIZE, [width, height, pixels.ravel().tolist(), w, h])
        far = np.abs(np.array(found).reshape(h, w, 3) - resize(pixels, w, h).astype(int)).max()
        assert far <= MOST, (width, height, w, h)


DECIDE = """async (each) => {
  const { answered } = await import(new URL("assets/decisions.js", document.baseURI));
  return each.map(([outputs, facts]) => JSON.stringify(answered(outputs, facts)));
}"""


def test_outputs_become_the_answers_that_python_gives(visit, address):
    page, draw, names = visit(address), np.random.default_rng(1), ("__proto__", "b", "c")
    asked, wanted = [], []
    for number in range(60):
        task = ("single-label", "multi-label", "regression")[number % 3]
        costs = {"b": Costs(8.0, 1.0), "c": Costs(1.0, 3.0)} if number % 2 and task != "regression" else {}
        decisions = Decisions(costs, 0.6 if number % 4 < 2 and task == "single-label" else None)
        outputs = draw.normal(0, 2, (1, 3)).astype(np.float32)
        facts = {"task": task, "classes": names, "temperature": 1.7, "abstain": decisions.abstain}
        facts["costs"] = [[costs[name].miss, costs[name].false_alarm] if name in costs else None for name in names]
        asked.append([outputs[0].tolist(), facts])
        wanted.append(answers(activated(outputs, task, 1.7), task, names, decisions)[0].to_json())
    for text, answer in zip(page.evaluate(DECIDE, asked), wanted, strict=True):
        found = json.loads(text)
        numbers = [
            next(document.pop(key) for key in ("probabilities", "values") if key in document)
            for document in (found, answer)
        ]
        assert list(numbers[0]) == list(names) and list(numbers[0].values()) == pytest.approx(
            list(numbers[1].values()), abs=1e-6
        )
        assert found.pop("probability", 0) == pytest.approx(answer.pop("probability", 0), abs=1e-6)
        assert found == answer


# ---- without a network, and when a new version comes ----

KEPT = """async () => {
  for (const end = Date.now() + 8000; Date.now() < end;) {
    const { active, installing, waiting } = (await navigator.serviceWorker.getRegistration()) ?? {};
    if (active?.state === "activated" && !installing && !waiting && navigator.serviceWorker.controller) return true;
    await new Promise((go) => setTimeout(go, 30));
  }
  return false;
}"""


def answered(page, color="red"):
    add(page, (f"{color}.png", photo_of(color)))
    expect(page.locator("#list > .done")).to_have_count(1)
    return page.locator("#list .top").inner_text()


def test_once_loaded_it_works_without_a_network(visit, root, hosts):
    address, stop = hosts(root)
    page = visit(f"{address}/bears/")
    assert page.evaluate(KEPT)
    stop()
    page.reload()
    assert answered(page) == "red"
    page.select_option("#language", "de")
    expect(page.locator("footer")).to_contain_text("auf diesem Gerät")


def test_a_new_version_is_taken_over_whole_or_not_at_all(visit, hosts, export, tmp_path):
    place = tmp_path / "bears"
    export(place, title="The first")
    page = visit(f"{hosts(tmp_path)[0]}/bears/")
    assert page.evaluate(KEPT)
    shutil.rmtree(place)
    export(place, title="The second", temperature=2.0)
    model = (place / "model.json").read_bytes()
    (place / "model.json").write_bytes(model + b" ")  # half uploaded
    page.reload()
    page.evaluate("() => navigator.serviceWorker.ready.then((found) => found.update()).catch(() => {})")
    page.wait_for_timeout(300)
    page.reload()
    assert page.title() == "The first" and answered(page) == "red"

    (place / "model.json").write_bytes(model)
    page.evaluate(UPDATED)
    page.reload()
    expect(page).to_have_title("The second")
    assert answered(page, "blue") == "blue"
    assert page.evaluate("() => caches.keys().then((all) => all.length)") == 1


UPDATED = """async () => {
  const found = await navigator.serviceWorker.ready;
  await found.update();
  while (!found.waiting) await new Promise((go) => setTimeout(go, 30));
}"""


@pytest.mark.skipif("ONNXRUNTIME_WEB" not in os.environ, reason="needs ONNXRUNTIME_WEB, the file that npm packed")
def test_the_real_runtime_answers_as_the_predictor_does(visit, hosts, tmp_path):
    bundle = pack(bundle_files(), tmp_path / "colors.ursa")
    ursa.export_web(bundle, tmp_path / "bears", os.environ["ONNXRUNTIME_WEB"])
    page = visit(f"{hosts(tmp_path)[0]}/bears/")
    data = photo_of((90, 120, 160))
    found = page.evaluate(ASK, base64.b64encode(data).decode())
    assert found["probabilities"] == pytest.approx(ursa.Predictor(bundle)(data).probabilities, abs=2e-3)


ASK = """async (data) => {
  const { predict } = await import(new URL("assets/model.js", document.baseURI));
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return predict(new File([bytes], "a"), "a", { signal: new AbortController().signal, told() {} });
}"""
