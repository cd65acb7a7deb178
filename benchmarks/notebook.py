"""The review page inside JupyterLab, for real: its frame beneath a cell in Chromium, keys, reloads, restarts, a proxy.

Needs a Python with jupyterlab, jupyter-server-proxy, ipykernel and Ursa (`--python`), which need not be this one, and
Playwright in this one. Prints what held and what did not; `--shots DIR` keeps a screenshot of each step.
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import report

SECONDS = 60  # that a step may take
CELL = "import ursa\npage = ursa.review({folder!r}, backbone='pixels', progress=False{more})\npage"
ELSEWHERE = "hub.example"  # a name of this machine that is not its own, as a browser on another one would use
FLAGS = ["--no-sandbox", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"]
CELLS = {"review": "", "proxied": ", proxy='/proxy'"}  # notebooks, and what their cell says


class Lab:
    """JupyterLab on this machine, of which a notebook is opened."""

    def __init__(self, python: str, root: Path) -> None:
        self.token, self.port = secrets.token_hex(12), _free_port()
        command = [python, "-m", "jupyter", "lab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--allow-root"]
        command += [f"--ServerApp.port={self.port}", f"--ServerApp.token={self.token}", f"--ServerApp.root_dir={root}"]
        command += [f"--ServerApp.local_hostnames={ELSEWHERE}", "--ServerApp.allow_remote_access=True"]
        command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
        environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(root / "config"), "XDG_STATE_HOME": str(root / "state")}
        with (root / "lab.log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        _until(lambda: self.ask("api/status") is not None, "JupyterLab does not answer")

    def ask(self, path: str, method: str = "GET") -> Any:
        """Its own API; None while it does not answer."""
        wish = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", method=method)
        wish.add_header("authorization", f"token {self.token}")
        try:
            with urllib.request.urlopen(wish, timeout=20) as answer:
                return json.loads(answer.read() or "{}")
        except OSError:
            return None

    def address(self, host: str = "127.0.0.1", notebook: str = "review") -> str:
        return f"http://{host}:{self.port}/lab/workspaces/{notebook}/tree/{notebook}.ipynb?token={self.token}"

    def restart_kernel(self) -> None:
        for kernel in self.ask("api/kernels"):
            self.ask(f"api/kernels/{kernel['id']}/restart", "POST")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


class Tab:
    """The notebook in a tab of Chromium."""

    def __init__(self, browser: Any, shots: Path | None) -> None:
        self.page = browser.new_page(viewport={"width": 1440, "height": 900})
        self.shots = shots

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=1000 * SECONDS)
        self.page.wait_for_timeout(1500)

    def run_cell(self) -> None:
        self.page.locator(".jp-CodeCell .cm-content").first.click()
        self.page.keyboard.press("Shift+Enter")

    def frame(self) -> Any:
        """The review page, once it shows a picture."""
        self.page.wait_for_selector(".jp-OutputArea iframe", timeout=1000 * SECONDS)
        frame = self.page.frame_locator(".jp-OutputArea iframe")
        frame.locator("img").first.wait_for(timeout=1000 * SECONDS)
        return frame

    def saved(self) -> None:
        self.page.locator(".jp-CodeCell .cm-content").first.click()  # keys would go to the frame
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(1500)

    def shot(self, name: str) -> None:
        if self.shots is not None:
            self.page.screenshot(path=str(self.shots / f"{name}.png"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--shots", type=Path)
    arguments = parser.parse_args()
    has = subprocess.run([arguments.python, "-c", "import jupyterlab, ursa"], capture_output=True, check=False)
    if has.returncode or arguments.chromium is None:
        print("skipped: it needs a Python with jupyterlab and Ursa (--python), and the program chromium")
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        root = Path(temporary)
        folder = _pictures(root)
        lab = Lab(arguments.python, root)
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=FLAGS)
        try:
            rows = _steps(lab, Tab(browser, arguments.shots), folder)
        finally:
            browser.close()
            lab.stop()
    report("notebook", "The review page in JupyterLab", ["what", "seen"], rows)


def _steps(lab: Lab, tab: Tab, folder: Path) -> list[list[str]]:
    rows = []
    tab.open(lab.address())
    began = time.perf_counter()
    tab.run_cell()
    frame = tab.frame()
    rows.append(
        ["from the key that runs the cell to the first picture, with check", f"{time.perf_counter() - began:.1f} s"]
    )
    tab.shot("1-shown")
    frame.locator("body").click(position={"x": 5, "y": 5})
    tab.page.keyboard.press("k")
    _until(lambda: _decided(folder) == 1, "the key decided nothing")
    rows.append(["a key pressed in the frame", "one decision in the journal"])
    tab.page.wait_for_timeout(500)
    tab.shot("2-decided")
    tab.saved()
    tab.open(lab.address())
    tab.frame()
    tab.shot("3-reloaded")
    rows.append(["the tab loaded again", "the frame again, decision kept"])
    tab.open(lab.address("localhost"))
    tab.frame()
    rows.append(["by localhost instead of 127.0.0.1", "the frame"])
    tab.open(lab.address())
    tab.frame()
    lab.restart_kernel()
    tab.page.wait_for_timeout(6000)
    tab.shot("4-kernel-restarted")
    tab.run_cell()
    tab.page.wait_for_timeout(2000)
    tab.frame()
    tab.shot("5-run-again")
    rows.append(["kernel restarted, cell run again", f"the frame, {_decided(folder)} decision"])
    return [*rows, *_proxied(lab, tab, folder)]


def _proxied(lab: Lab, tab: Tab, folder: Path) -> list[list[str]]:
    """By jupyter-server-proxy, under a name that the kernel does not know."""
    tab.open(lab.address(ELSEWHERE, "proxied"))
    tab.run_cell()
    frame = tab.frame()
    before = _decided(folder)
    frame.locator("body").click(position={"x": 5, "y": 5})
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("k")
    _until(lambda: _decided(folder) == before + 1, "the key decided nothing")
    tab.shot("6-proxied")
    source = tab.page.locator(".jp-OutputArea iframe").get_attribute("src")
    beneath = tab.page.get_by_text("Open the page in a window of its own")
    link = beneath.evaluate("link => link.href")
    with tab.page.expect_popup() as popup:
        beneath.click()
    popup.value.locator("img").first.wait_for(timeout=1000 * SECONDS)
    return [
        [f"under {ELSEWHERE}, through jupyter-server-proxy, a key in the frame", f"one decision more; {source[:7]}..."],
        ["its link, in a tab of its own", f"the page; {link[: len('http://hub.example:')]}..."],
    ]


def _pictures(root: Path) -> Path:
    """Bears drawn by Ursa, some of them under the wrong class, and a notebook beside them."""
    from ursa.data.samples import bears

    folder = bears(root / "drawn", each=30) / "bears"
    first, second = sorted(place for place in folder.iterdir() if place.is_dir())[:2]
    for picture in sorted(first.glob("*.jpg"))[:4]:
        picture.rename(second / f"moved_{picture.name}")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for name, more in CELLS.items():
        cell: dict[str, Any] = {
            "cell_type": "code",
            "id": name,
            "source": CELL.format(folder=str(folder), more=more),
            "metadata": {},
        }
        cell |= {"outputs": [], "execution_count": None}
        notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (root / f"{name}.ipynb").write_text(json.dumps(notebook))
    return folder


def _decided(folder: Path) -> int:
    """Lines of the journal."""
    journal = folder / ".ursa" / "decisions.jsonl"
    return len(journal.read_bytes().splitlines()) if journal.exists() else 0


def _until(holds: Callable[[], bool], problem: str) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(problem)
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
