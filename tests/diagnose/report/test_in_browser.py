"""The page in a real browser: it fits a phone, keys reach what a mouse does, tags stay."""

import csv
import dataclasses
from pathlib import Path

import pytest

from ursa.diagnose.report import ReportInfo

playwright = pytest.importorskip("playwright.sync_api")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}

pytestmark = pytest.mark.browser

# Texts whose contrast is below that of WCAG 2.2, level AA.
CONTRASTS = """() => {
  const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = (color) => color.slice(0, 3).reduce((sum, v, i) => sum + linear(v / 255) * [.2126, .7152, .0722][i], 0);
  const over = (under, c) => c.length < 4 ? c : under.map((u, i) => c[i] * c[3] + u * (1 - c[3]));
  const names = "p, li, td, th, dt, dd, h1, h2, h3, code, small, span, b, button, summary, label";
  return [...document.querySelectorAll(names)].filter((node) => node.innerText && node.offsetParent).flatMap((node) => {
    const layers = [];
    for (let up = node; up; up = up.parentElement) layers.unshift(rgb(getComputedStyle(up).backgroundColor));
    const back = layers.reduce(over, [255, 255, 255]);
    const [dim, bright] = [light(rgb(getComputedStyle(node).color)), light(back)].sort((a, b) => a - b);
    const ratio = (bright + .05) / (dim + .05);
    return ratio < 4.5 ? [`${node.tagName} ${node.className} ${node.innerText.slice(0, 30)}: ${ratio}`] : [];
  });
}"""


@pytest.fixture(scope="module")
def address(page_of, judged, embeddings, tmp_path_factory, catalog):
    from ursa.core.finding import Finding

    finding = Finding("near-duplicate", tuple(catalog.ids[:2]), 0.5, "Two pictures look alike.", "Keep the best one.")
    place = tmp_path_factory.mktemp("page") / "report.html"
    info = dataclasses.replace(ReportInfo("ursa check pets", ("pets",)), page=place)
    place.write_text(page_of([finding], judged=judged, embeddings=embeddings, info=info), "utf-8")
    return place.as_uri()


@pytest.fixture
def visit(browser, address):
    """visit(**context) -> the page, which has to stay free of complaints and requests."""
    contexts, complaints, requests = [], [], []

    def go(where="", **context):
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda problem: complaints.append(str(problem)))
        page.on("request", lambda asked: requests.append(asked.url))
        page.goto(address + where)
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []
    assert [
        url for url in requests if not url.startswith(("data:", "blob:")) and url.partition("#")[0] != address
    ] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_wider_than_the_screen_and_text_stands_out(visit, size, scheme):
    page = visit(viewport=size, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.evaluate(CONTRASTS) == []
    small = "[...document.querySelectorAll('svg text')].filter(t => t.getBoundingClientRect().height < 9).length"
    assert page.evaluate(small) == 0


def test_the_first_screen_of_a_phone_shows_verdict_accuracy_and_the_first_step(visit):
    page = visit(viewport=PHONE)
    for part in (".verdict", ".figure", ".steps li:first-child .do"):
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] <= PHONE["height"]


def test_keys_enlarge_a_picture_go_on_and_come_back(visit):
    page = visit(viewport=DESK)
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "zoom":
            break
    page.keyboard.press("Enter")
    viewer = page.locator("#viewer")
    assert viewer.is_visible() and "predicted dog" in page.locator("#viewer-caption").inner_text()
    first = page.locator("#viewer img").get_attribute("alt")
    second = "dog/dog_001.png"
    page.keyboard.press("ArrowRight")
    playwright.expect(page.locator("#viewer img")).to_have_attribute("alt", second)
    assert first == "cat/cat_002.jpg"
    assert page.locator("#viewer a").get_attribute("href").endswith("dog/dog_001.png")
    page.keyboard.press("Escape")
    assert not viewer.is_visible()
    assert page.evaluate("document.activeElement.dataset.name") == second


def test_the_map_shows_pictures_by_pointer_and_by_keys(visit):
    page = visit("#map", viewport=DESK)
    tip = page.locator("#map-tip")
    page.locator("#map-place").focus()
    page.keyboard.press("n")
    assert tip.is_visible() and "predicted as" in tip.inner_text() + page.locator("#map-said").inner_text()
    before = tip.inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert tip.inner_text() != before and tip.inner_text() in page.locator("#map-said").inner_text().replace(", ", "\n")
    page.evaluate("document.activeElement.blur()")
    ring = page.locator(".suspect").first.bounding_box()
    page.mouse.move(ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2)
    assert "predicted as" in tip.inner_text() or "near duplicate" in tip.inner_text()


def test_tags_are_counted_kept_and_saved(visit):
    page = visit(viewport=DESK)
    card = page.locator("[data-tag='0']")
    card.locator("[data-wrong]").check()
    card.locator("input[type=text]").fill("Two  Animals; dark;dark")
    card.locator("input[type=text]").press("Tab")
    page.locator("[data-tag='1'] input[type=text]").fill("dark")
    page.locator("[data-tag='1'] input[type=text]").press("Tab")
    assert page.locator("#tagged").inner_text() == "2 of 3 tagged"
    assert "dark: 2 of 2; if all were right, accuracy would be at most 100.0 %" in page.locator("#causes").inner_text()
    page.reload()
    assert card.locator("[data-wrong]").is_checked()
    assert card.locator("input[type=text]").input_value() == "two animals; dark"
    with page.expect_download() as saved:
        page.locator("#save-tags").click()
    with Path(saved.value.path()).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["tags"] == "label is wrong; two animals; dark" and rows[2]["tags"] == ""
    assert {(row["mistakes"], row["pictures"]) for row in rows} == {("3", "14")}


def test_without_a_script_everything_is_there_to_be_read(visit):
    page = visit(viewport=PHONE, java_script_enabled=False)
    text = page.locator("main").inner_text()
    for words in ("What to do next", "predicted dog 95", "mistakes.csv", "Map of the pictures"):
        assert words in text
    assert not page.locator(".tagging").first.is_visible() and not page.locator("#viewer").is_visible()
