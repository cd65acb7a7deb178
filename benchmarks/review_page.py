"""The review page with 50,000 findings in Chromium: first picture, key to the next one; kill -9 while deciding."""

import argparse
import hashlib
import http.client
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from common import median, report
from PIL import Image

CLASSES, SIDE, BASES = 100, 256, 300  # px; different pictures, each told apart from its copies by bytes behind its end
KEYS = 80
URSA = Path(sys.executable).with_name("ursa")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]

WATCH = """key => new Promise((done) => {
  const place = () => document.querySelector('.place').textContent;
  const before = place(), begun = performance.now();
  document.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  const look = () => {
    const image = document.querySelector('#single .large img');
    if (image && image.complete && image.naturalWidth && place() !== before) done(performance.now() - begun);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""
SOME = "[...document.querySelectorAll('.tile img')].some((image) => image.complete && image.naturalWidth)"
SAVED = "document.querySelector('#saving').textContent === 'all saved'"
ALL_SEEN = """(() => {
  const box = document.querySelector('#grid').getBoundingClientRect();
  const seen = [...document.querySelectorAll('.tile')].filter((tile) => {
    const at = tile.getBoundingClientRect();
    return at.bottom > box.top && at.top < box.bottom;
  });
  const drawn = (tile) => { const image = tile.querySelector('img'); return image?.complete && image.naturalWidth; };
  return seen.length > 0 && seen.every(drawn);
})()"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--findings", type=int, default=50_000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    arguments = parser.parse_args()
    if arguments.chromium is None:
        print("skipped: it needs the program chromium")
        return
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["XDG_STATE_HOME"] = str(Path(temporary) / "state")
        folder = pictures(Path(temporary) / "pictures", arguments.findings)
        rows = page(folder, arguments.chromium)
        rows += kills(pictures(Path(temporary) / "few", 200), arguments.kills)
    report(
        "review_page",
        f"The review page with {arguments.findings:,} findings",
        ["what", "median", "slowest"],
        rows,
        f"{arguments.findings:,} pictures of {SIDE} px in {CLASSES} classes, a finding each. The first picture: from "
        "the address to the first thumbnail, none of which had been made; started: from the command until the address "
        f"is printed, from a warm store. Keys: {KEYS} in the single view, each from the key until the next picture is "
        "complete and a frame was drawn, while decisions are saved; a jump: the grid scrolled to a random place until "
        "all thumbnails there are drawn, which are made at that moment. Killed: the server, at a random moment while "
        "four connections decide; lost: answered as saved, and not in the journal afterwards.",
    )


def pictures(root: Path, count: int) -> Path:
    """A folder that was checked, with a finding a picture, without running a check."""
    from ursa.clean.kept_findings import write_findings
    from ursa.clean.wrong_labels.label_audit import DoubtfulLabel, JudgedLabels, LabelAudit
    from ursa.core.finding import Finding
    from ursa.data import scan
    from ursa.data.sources.folder_source import from_folder
    from ursa.prepared import last_setup
    from ursa.prepared.setup import Setup
    from ursa.workspace import Workspace

    draw = np.random.default_rng(0)
    bases = [_jpeg(draw) for _ in range(BASES)]
    hashes: dict[str, str] = {}
    for number in range(count):
        place = root / f"class {number % CLASSES:02}" / f"{number:05}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        data = bases[number % BASES] + number.to_bytes(8, "big")
        place.write_bytes(data)
        hashes[f"{place.parent.name}/{place.name}"] = hashlib.sha256(data).hexdigest()
    catalog, space = from_folder(root), Workspace.open(root)
    catalog = scan.with_facts(catalog, [scan.FileInfo(hashes[id], "JPEG", SIDE, SIDE, 1) for id in catalog.ids])
    scan.keep(catalog, space.catalog)
    labels = dict(catalog.rows.select("id", "label").iter_rows())
    order = catalog.ids
    likely = {id: f"class {(int(labels[id][-2:]) + 1) % CLASSES:02}" for id in order}
    margins = np.sort(draw.normal(1, 2, count))[::-1].copy()
    suspected, doubtful = order[: count // 2], order[count // 2 :]

    def told(id: str) -> dict[str, Any]:
        return {"given": labels[id], "likely": likely[id], "nearest": {"given": order[:3], "likely": order[-3:]}}

    findings = [
        Finding("wrong-label", (id,), 0.9, f"Labelled {labels[id]}.", "Look at it.", told(id)) for id in suspected
    ]
    said = tuple(DoubtfulLabel(id, labels[id], likely[id], 0.6, 0.3, 0.7) for id in doubtful)
    judged = JudgedLabels(tuple(order), margins, tuple(likely[id] for id in order))
    write_findings(space, findings, LabelAudit(said, (), (), judged))
    last_setup.remember(space, root, Setup.of(backbone="pixels"))
    return root


def _jpeg(draw: np.random.Generator) -> bytes:
    small = Image.fromarray(draw.integers(0, 256, (8, 8, 3), np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    noisy = np.asarray(small, np.int16) + draw.normal(0, 8, (SIDE, SIDE, 3)).astype(np.int16)
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


class Server:
    """`ursa review`, until it is ended."""

    def __init__(self, folder: Path) -> None:
        began = time.perf_counter()
        command = [str(URSA), "review", str(folder), "--no-browser"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.url = ""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if found := re.search(r"http://\S+/", line):
                self.url = found[0]
                break
        self.seconds = time.perf_counter() - began
        if not self.url:
            raise RuntimeError("the server did not start")

    def memory(self) -> float:
        """MB of this process at most so far."""
        status = Path(f"/proc/{self.process.pid}/status")
        found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
        return int(found[1]) / 1000 if found else float("nan")

    def end(self, number: int = signal.SIGINT) -> None:
        """The process ends, cleanly or not."""
        self.process.send_signal(number)
        self.process.wait(30)


def page(folder: Path, chromium: str) -> list[list[object]]:
    """Figures of the page."""
    from playwright.sync_api import sync_playwright

    starts, server = [], Server(folder)
    for _ in range(4):
        server.end()
        server = Server(folder)
        starts.append(server.seconds)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        firsts = []
        for _ in range(5):
            for kept in (folder / ".ursa").glob("review_thumbnails.bin*"):
                kept.unlink()
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            tab = context.new_page()
            began = time.perf_counter()
            tab.goto(server.url, wait_until="commit")
            until(tab, SOME)
            firsts.append(time.perf_counter() - began)
            context.close()
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        tab.goto(server.url)
        tab.wait_for_selector(".tile img")
        jumps = [_jump(tab, place) for place in random.Random(0).choices(range(100), k=12)]
        tab.evaluate("document.querySelector('#grid').scrollTop = 0")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#single .large img")
        tab.wait_for_timeout(1000)
        steps = [_key(tab, "ArrowRight") for _ in range(KEYS)]
        decided = [_key(tab, draw) for draw in random.Random(1).choices(["k", "d", "1", "a", "n"], k=KEYS)]
        until(tab, SAVED)
        browser.close()
    memory = server.memory()
    server.end()
    return [
        ["started, s", f"{median(starts):.2f}", f"{max(starts):.2f}"],
        ["first picture, s", f"{median(firsts):.2f}", f"{max(firsts):.2f}"],
        ["→ to the next picture, ms", f"{median(steps):.0f}", f"{max(steps):.0f}"],
        ["a decision to the next picture, ms", f"{median(decided):.0f}", f"{max(decided):.0f}"],
        ["a jump in the grid, s", f"{median(jumps):.2f}", f"{max(jumps):.2f}"],
        ["memory of the server, MB", f"{memory:.0f}", ""],
    ]


def until(tab: Any, condition: str) -> None:
    """Asked before each frame: the page's policy forbids what Playwright does for that."""
    again = f"const look = () => ({condition}) ? done() : requestAnimationFrame(look); look();"
    tab.evaluate(f"() => new Promise((done) => {{ {again} }})")


def _key(tab: Any, key: str) -> float:
    """ms. A person takes longer to look at a picture than this waits."""
    tab.wait_for_timeout(120)
    return float(tab.evaluate(WATCH, key))


def _jump(tab: Any, percent: int) -> float:
    began = time.perf_counter()
    tab.evaluate(
        "(share) => { const grid = document.querySelector('#grid'); grid.scrollTop = share * grid.scrollHeight; }",
        percent / 100,
    )
    tab.wait_for_timeout(20)
    until(tab, ALL_SEEN)
    return time.perf_counter() - began


def kills(folder: Path, times: int) -> list[list[object]]:
    """Servers that are killed while they save."""
    from ursa.clean.decisions.journal import read_journal
    from ursa.workspace import Workspace

    space, said, lost, damaged = Workspace.of(folder), set[str](), 0, 0
    for number in range(times):
        draw, server, ended = random.Random(number), Server(folder), threading.Event()
        deciders = [threading.Thread(target=_decide, args=(server.url, each, said, ended)) for each in range(4)]
        for each in deciders:
            each.start()
        time.sleep(draw.uniform(0.05, 0.4))
        server.end(signal.SIGKILL)
        ended.set()
        for each in deciders:
            each.join()
        read = read_journal(space)
        lost, damaged = len(said - {entry.key for entry in read.entries}), read.damaged
    words = f"{times} kills, {len(said):,} decisions answered as saved"
    return [[words, f"{lost} lost", f"{damaged} lines damaged"]]


def _decide(url: str, seed: int, said: set[str], ended: threading.Event) -> None:
    draw = random.Random(f"{url} {seed}")
    while not ended.is_set():
        kind = draw.choice(["keep", "delete", "not-sure"])
        body = json.dumps({"decisions": [{"row": draw.randrange(200), "kind": kind}]}).encode()
        request = urllib.request.Request(f"{url}api/decide", body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                said.update(json.loads(answer.read())["keys"])
        except (OSError, ValueError, http.client.HTTPException):  # it was killed
            return


if __name__ == "__main__":
    main()
