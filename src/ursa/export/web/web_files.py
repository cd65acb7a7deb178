"""Predictor, onnxruntime-web -> the files of a page that runs the model in the visitor's browser.

index.html, assets/        the page of `ursa serve`; here `model.js` asks a worker instead of a server
model.json, model.onnx     what the page has to know of the model, and the model as it is in the bundle
examples/, card.md         from the bundle
runtime/                   onnxruntime-web
service-worker.js          keeps all of them in the browser, by their hashes
manifest.webmanifest       with its icons: what makes the page one that can be installed
README.md, .nojekyll       for whoever puts it online
"""

import hashlib
import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from string import Template
from typing import Any

from ursa.core.text import escaped
from ursa.export.card import plain
from ursa.export.web.web_icons import icon
from ursa.export.web.web_runtime import VERSION
from ursa.serve.limits import ServerLimits
from ursa.serve.page.model_document import model_document
from ursa.serve.page.page_assets import page_files, titled
from ursa.serve.page.page_routes import shown_card
from ursa.serve.predictor import Predictor

MAX_BYTES = 100_000_000  # of a picture's file: it lies in the visitor's own memory
OURS = ("model.js", "worker.js", "decoded.js", "described.js", "scaled.js", "prepare.js", "decisions.js")
NOT_KEPT = ("README.md", ".nojekyll", "service-worker.js", "runtime/LICENSE.txt")  # of no use without a network

# A page alone cannot say who may frame it. WebAssembly needs a word of its own.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
HEAD = f"""<meta http-equiv="content-security-policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="theme-color" content="#1d5478">
<link rel="manifest" href="manifest.webmanifest">
<link rel="apple-touch-icon" href="icons/touch.png">
"""


def web_files(
    predictor: Predictor, name: str, card: str, runtime: Mapping[str, bytes], title: str | None
) -> dict[str, bytes]:
    """name: what the bundle is called; card: for README; runtime: of `runtime_files`; title: None for a question."""
    model = predictor.bundle.parts["model.onnx"]
    pages = _page(title)
    written = {
        **pages,
        **runtime,
        **{f"examples/{number}.jpg": one.jpeg for number, one in enumerate(predictor.bundle.examples)},
        "icons/192.png": icon(192),
        "icons/512.png": icon(512),
        "icons/maskable.png": icon(512, full=True),
        "icons/touch.png": icon(180, full=True),
        "card.md": shown_card(predictor),
        "model.onnx": model,
        "model.json": _json(_facts(predictor, title, model, runtime)),
        "manifest.webmanifest": _json(_installable(title or escaped(name))),
    }
    kept = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(written.items()) if path not in NOT_KEPT}
    size = sum(len(data) for path, data in written.items() if path in kept)
    return {
        **written,
        "service-worker.js": _service_worker(kept),
        "README.md": _readme(name, card, size),
        ".nojekyll": b"",  # GitHub: files as they are
    }


def _page(title: str | None) -> dict[str, bytes]:
    """The server's page, with our files, our words and our head."""
    pages = dict(page_files())
    for path in [path for path in pages if path.startswith("assets/languages/")]:
        words = json.loads(pages[path]) | json.loads(_asset(f"words/{path.rpartition('/')[2]}"))
        pages[path] = json.dumps(words, ensure_ascii=False, indent=1).encode()
    words = json.loads(pages["assets/languages/en.json"])
    index = titled(pages["index.html"], title).decode()
    index = _replaced(index, '(<meta charset="utf-8">\n)', rf"\g<1>{HEAD}")
    index = _replaced(index, r"( data-say=\"privacy\">)[^<]*", rf"\g<1>{words['privacy']}")
    index = _replaced(index, r"( data-say=\"no-server\"[^>]*>)[^<]*", rf"\g<1>{words['no-server']}")
    index = _replaced(index, r"<noscript>.*?</noscript>", "<noscript><p>This page needs JavaScript.</p></noscript>")
    return {**pages, **{f"assets/{name}": _asset(name) for name in OURS}, "index.html": index.encode()}


def _replaced(text: str, pattern: str, by: str) -> str:
    """A test sees to it that the server's page still has each of these places."""
    made, count = re.subn(pattern, by, text, count=1, flags=re.DOTALL)
    if count != 1:
        raise LookupError(f"the page has no {pattern}")
    return made


def _facts(predictor: Predictor, title: str | None, model: bytes, runtime: Mapping[str, bytes]) -> dict[str, Any]:
    """What `v1/model` says, and how outputs become answers. costs: [of a miss, of a false alarm] or null, by class."""
    bundle, limits = predictor.bundle, ServerLimits(max_bytes=MAX_BYTES)
    each = [bundle.decisions.costs.get(name) for name in bundle.labels.names]
    wasm = "runtime/ort-wasm.bin"
    return {
        **model_document(predictor, title, limits, len(bundle.examples)),
        "temperature": bundle.temperature,
        "abstain": bundle.decisions.abstain,
        "costs": [None if one is None else [one.miss, one.false_alarm] for one in each],
        "downloads": [[wasm, len(runtime[wasm])], ["model.onnx", len(model)]],
    }


def _installable(name: str) -> dict[str, Any]:
    images = [("icons/192.png", 192, "any"), ("icons/512.png", 512, "any"), ("icons/maskable.png", 512, "maskable")]
    return {
        "name": name,
        "short_name": name[:24],
        "id": "./",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "theme_color": "#1d5478",
        "background_color": "#f6f5f2",
        "icons": [
            {"src": src, "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}
            for src, side, purpose in images
        ],
    }


def _service_worker(kept: Mapping[str, str]) -> bytes:
    text = _asset("service-worker.js").decode()
    listed = json.dumps(kept, indent=1)
    digest = hashlib.sha256(listed.encode() + text.encode()).hexdigest()[:16]
    text = _replaced(text, r"const FILES = \{\};[^\n]*", f"const FILES = {listed};")
    return _replaced(text, "ursa-page-none", f"ursa-page-{digest}").encode()


def _readme(name: str, card: str, size: int) -> bytes:
    values = {
        "heading": plain(name),
        "version": version("ursa-learn"),
        "runtime": VERSION,
        "megabytes": f"{size / 1e6:.1f}",
        "card": re.sub(r"^#", "##", card, flags=re.MULTILINE).rstrip(),
    }
    return Template(_asset("README.md").decode()).substitute(values).encode("utf-8", "replace")


def _asset(name: str) -> bytes:
    return (files("ursa.export.web") / "assets" / name).read_bytes()


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
