"""A small folder, predictions of it with mistakes, and pages made of both."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.data.sources.folder_source import from_folder
from ursa.diagnose.judged import Judged
from ursa.diagnose.report import check_page
from ursa.embed.store import Embeddings

VOID = ("meta", "img", "br", "link", "input")


class Page(HTMLParser):
    """Every element that is opened is closed, in order; ids, links and images are remembered."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.links, self.images, self.words = [], [], [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs["href"]] if tag == "a" and "href" in attrs else []
        self.images += [attrs] if tag == "img" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        """What a reader sees, spaces as one."""
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture
def parsed():
    return Page


@pytest.fixture(scope="package")
def catalog(tmp_path_factory, picture_folder):
    """Eight cats and six dogs; only read."""
    return from_folder(picture_folder(tmp_path_factory.mktemp("report") / "pets", {"cat": 8, "dog": 6}))


@pytest.fixture(scope="package")
def judged(catalog):
    """Three mistakes: two cats taken for dogs, one of them surely, and a dog taken for a cat."""
    targets = catalog.targets()
    after = np.where(np.eye(2)[targets] == 1, 0.8, 0.2).astype(np.float32)
    after[1], after[2], after[9] = (0.4, 0.6), (0.05, 0.95), (0.7, 0.3)
    return Judged(catalog, catalog.labels, np.eye(2, dtype=np.float32)[targets], after, "held-out pictures")


@pytest.fixture(scope="package")
def embeddings(catalog):
    vectors = np.random.default_rng(0).normal(size=(len(catalog), 16)).astype(np.float32)
    vectors[catalog.targets() == 1] += 2
    return Embeddings(tuple(catalog.ids), vectors, "print")


@pytest.fixture(scope="package")
def page_of(catalog, judged):
    """page_of(findings, **keywords of check_page) -> HTML."""

    def make(findings=(), *, catalog=catalog, **more):
        accuracy = statistics.proportion(11, 14, "cross-validated linear probe")
        confusion = more.pop("confusion", judged.confusion)
        return check_page(catalog, more.pop("labels", catalog.labels), findings, accuracy, confusion, **more)

    return make


@pytest.fixture
def copies():
    return Finding("exact-duplicate", ("cat/cat_000.jpg", "cat/cat_002.jpg"), 0.5, "Twice there.", "Keep one.")
