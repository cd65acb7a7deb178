"""A bundle's name and card -> the text files of its container: Dockerfile, compose, Kubernetes, systemd, a Space."""

import json
import re
import sys
from importlib.metadata import version
from importlib.resources import files
from string import Template

from ursa.core.text import escaped
from ursa.export.card import plain
from ursa.export.container.pinned_requirements import PinnedRequirement

PORT = 7860  # that of a Hugging Face Space
READY = "/ready"
LONGEST = 40  # characters of a name: Kubernetes allows 63, and appends to it

# What the file is called in the folder, and the template that it is made from.
FILES = {
    "Dockerfile": "Dockerfile",
    "compose.yaml": "compose.yaml",
    ".dockerignore": "dockerignore",
    ".gitattributes": "gitattributes",
    "kubernetes.yaml": "kubernetes.yaml",
    "{name}.service": "systemd.service",
    "README.md": "README.md",
}


def safe_name(stem: str) -> str:
    """A file's stem -> a name that images, services and Kubernetes take: a-z, 0-9 and dashes, a letter first."""
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:LONGEST].rstrip("-")
    return name if name and name[0].isalpha() else f"model-{name}".rstrip("-")


def container_files(
    stem: str, sha256: str, card: str, wheel: str, requirements: list[PinnedRequirement]
) -> dict[str, bytes]:
    """stem: what the bundle is called; sha256: of its manifest; card: its Markdown; wheel: the file name of Ursa's."""
    name = safe_name(stem)
    values = {
        "name": name,
        "tag": sha256[:12],
        "bundle": f"{name}.ursa",
        "wheel": wheel,
        "port": PORT,
        "ready": READY,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "title": json.dumps(escaped(stem), ensure_ascii=False),
        "heading": plain(stem),
        "pictured": "A page on which pictures are dropped, and an API, served by `ursa serve`.",
        "version": version("ursa-learn"),
        "card": re.sub(r"^#", "##", card, flags=re.MULTILINE).rstrip(),
    }
    room = files("ursa.export.container") / "templates"
    written = {
        target.format(name=name): Template((room / source).read_text("utf-8")).substitute(values).encode()
        for target, source in FILES.items()
    }
    lines = [*map(str, requirements), f"./{wheel}"]
    return {**written, "requirements.txt": "\n".join([*lines, ""]).encode()}
