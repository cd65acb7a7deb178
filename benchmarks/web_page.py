"""The page of `ursa export --web` in Chromium against the Python predictor: the same answers, and the time they take.

Pictures are those of the shared sets as they are, and some of them saved anew: turned by EXIF, with transparency, gray,
CMYK, in other color spaces and formats. Needs Playwright, the program chromium, and ONNXRUNTIME_WEB, the file that
`npm pack onnxruntime-web` wrote; without them it says so and ends.

    ONNXRUNTIME_WEB=onnxruntime-web-1.30.0.tgz python benchmarks/web_page.py
"""

import base64
import functools
import http.server
import io
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from common import BACKBONE, SQUEEZENET, report, shared
from PIL import Image, ImageCms

import ursa

PICTURES = 150  # of each set, drawn
WITHIN = 2e-3  # of a probability
ASK = """async ([name, data]) => {
  const { predict } = await import(new URL("assets/model.js", document.baseURI));
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const before = performance.now();
  try {
    const answer = await predict(new File([bytes], name), name, { signal: new AbortController().signal, told() {} });
    return { ms: performance.now() - before, answer };
  } catch ({ kind, detail }) { return { problem: `${kind} ${detail}` }; }
}"""


def main() -> None:
    runtime, chromium = os.environ.get("ONNXRUNTIME_WEB"), shutil.which("chromium")
    if runtime is None or chromium is None:
        print("skipped: it needs the program chromium, and ONNXRUNTIME_WEB=onnxruntime-web-....tgz (npm pack)")
        sys.exit(0)
    from playwright.sync_api import sync_playwright

    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for which in ("dogs_cats", "bears_messy"):
            bundle = _bundle(Path(name), shared(which))
            made = ursa.export_web(bundle, Path(name) / f"{which}-site", runtime)
            with _served(made.folder) as address, ursa_page(browser, address) as (page, seconds):
                rows += _compared(which, ursa.Predictor(bundle), page, _pictures(which))
                if which == "dogs_cats":
                    rows += [
                        ["a visitor downloads", f"{made.megabytes:.1f} MB"],
                        ["from opening the page to a first answer", f"{seconds:.1f} s"],
                    ]
                    rows += _kinds(ursa.Predictor(bundle), page, _saved_anew(_pictures(which)[0][1]))
        browser.close()
    report(
        "web_page",
        "A page without a server: Chromium against the predictor",
        ["what", "seen"],
        rows,
        "Largest difference of any probability of a picture. SqueezeNet, one thread, from this machine's own disk.",
    )


def _bundle(place: Path, pictures: Path) -> Path:
    bundle = place / f"{pictures.name}.ursa"
    options: dict[str, Any] = {"backbone": BACKBONE, "weights": SQUEEZENET, "workspace": place / pictures.name}
    ursa.train(pictures, **options, recipe=ursa.Recipe.of(epochs=0), out=bundle, progress=False)
    return bundle


def _pictures(which: str) -> list[tuple[str, bytes]]:
    files = sorted(
        file for file in shared(which).rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")
    )
    drawn = random.Random(0).sample(files, min(PICTURES, len(files)))
    return [(file.name, file.read_bytes()) for file in drawn]


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def ursa_page(browser: Any, address: str) -> Iterator[tuple[Any, float]]:
    """The page once it has answered for a first time, and the seconds from its opening until then."""
    context = browser.new_context()
    page = context.new_page()
    page.on("console", lambda said: print("console:", said.text, file=sys.stderr))
    page.on("pageerror", lambda problem: print("page error:", problem, file=sys.stderr))
    began = time.perf_counter()
    page.goto(address)
    page.locator("#classes:not(:empty)").wait_for()
    _asked(page, "first.png", _encoded(Image.new("RGB", (64, 64), "gray"), "PNG"))
    yield page, time.perf_counter() - began
    context.close()


def _asked(page: Any, name: str, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(ASK, [name, base64.b64encode(data).decode()])
    return found


def _difference(predictor: ursa.Predictor, page: Any, name: str, data: bytes) -> tuple[float, float] | str:
    """(of the most different probability, ms), or what one of both says of a picture that it does not read."""
    seen = _asked(page, name, data)
    try:
        wanted = predictor(data).to_json()
    except ursa.DataError as problem:
        return f"Python: {problem.what}; page: {seen.get('problem', 'an answer')}"
    if "problem" in seen:
        return f"Python: an answer; page: {seen['problem']}"
    found = seen["answer"]["probabilities"]
    return max(abs(found[name] - share) for name, share in wanted["probabilities"].items()), seen["ms"]


def _compared(
    which: str, predictor: ursa.Predictor, page: Any, pictures: list[tuple[str, bytes]]
) -> list[list[object]]:
    differences, times = [], []
    for name, data in pictures:
        found = _difference(predictor, page, name, data)
        if isinstance(found, str):
            print(name, found)
            continue
        differences.append(found[0])
        times.append(found[1])
        if found[0] > WITHIN:
            print(name, f"{found[0]:.4f}", Image.open(io.BytesIO(data)))
    within = sum(each <= WITHIN for each in differences)
    return [
        [f"{which}: pictures", len(differences)],
        [f"{which}: median, largest", f"{np.median(differences):.6f}, {max(differences):.4f}"],
        [f"{which}: within {WITHIN}", f"{within} of {len(differences)}"],
        [f"{which}: a picture, median", f"{np.median(times):.0f} ms"],
    ]


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _saved_anew(data: bytes) -> dict[str, bytes]:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    kinds = {f"EXIF turn {turn}, JPEG": _turned(image, turn, "JPEG", quality=92) for turn in range(1, 9)}
    large = image.resize((1203, 1601), Image.Resampling.BICUBIC)
    kinds |= {f"EXIF turn {turn}, large JPEG": _turned(large, turn, "JPEG", quality=92) for turn in (1, 3, 6, 7)}
    kinds |= {f"EXIF turn 6, {kind}": _turned(image, 6, kind, **more) for kind, more in LOSSLESS.items()}
    clear = image.copy()
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    kinds["PNG with transparency"] = _encoded(clear, "PNG")
    kinds["WebP with transparency"] = _encoded(clear, "WEBP", lossless=True)
    kinds["PNG with a palette"] = _encoded(image.quantize(64), "PNG")
    kinds["gray PNG"] = _encoded(image.convert("L"), "PNG")
    kinds["gray PNG of 16 bits"] = _encoded(
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 16), "PNG"
    )
    kinds["gray JPEG"] = _encoded(image.convert("L"), "JPEG", quality=92)
    kinds["CMYK JPEG"] = _encoded(image.convert("CMYK"), "JPEG", quality=92)
    kinds["large CMYK JPEG"] = _encoded(large.convert("CMYK"), "JPEG", quality=92)
    kinds["progressive JPEG"] = _encoded(large, "JPEG", quality=80, progressive=True)
    kinds["JPEG with a profile"] = _encoded(image, "JPEG", quality=92, icc_profile=_wide())
    kinds["PNG with a profile"] = _encoded(image, "PNG", icc_profile=_wide())
    kinds |= {kind: _encoded(image, kind) for kind in ("GIF", "BMP", "TIFF", "AVIF", "WEBP", "JPEG2000")}
    kinds["truncated JPEG"] = data[: len(data) // 2]
    return kinds


LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "WEBP": {"lossless": True}, "AVIF": {"quality": 90}}


def _turned(image: Image.Image, turn: int, kind: str, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    return _encoded(image, kind, exif=exif.tobytes(), **options)


@functools.cache
def _wide() -> bytes:
    """sRGB with its red and blue exchanged: whoever ignores it sees other colors."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.find(b"rXYZ", 128), profile.find(b"bXYZ", 128)
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def _kinds(predictor: ursa.Predictor, page: Any, pictures: dict[str, bytes]) -> list[list[object]]:
    told: Callable[[Any], str] = lambda found: found if isinstance(found, str) else f"{found[0]:.5f}"  # noqa: E731
    return [[kind, told(_difference(predictor, page, kind, data))] for kind, data in pictures.items()]


if __name__ == "__main__":
    main()
