"""The page in a real browser, against a real server."""

import base64
import csv
import io
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ursa.serve.predictor import Predictor

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

ODD = ("<img src=x onerror=document.title='owned'>", "'><script>document.title='owned'</script>", 'a & b "c"')
FAILED_LOAD = "Failed to load resource"  # what Chromium itself notes of any answer that is 4xx or 5xx
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(browser, serving, shared_server):
    """visit(predictor=None, **context) -> a page that has to stay free of console errors and of other hosts' files.

    Without a predictor it is asked on the server that the tests of this file share.
    """
    contexts, complaints, hosts = [], [], set()

    def go(predictor=None, options=None, model=None, answers=None, **context):
        """model: changes of what `v1/model` says; answers: what `v1/predict` says, one after the other."""
        url = serving(predictor, **(options or {})) if predictor or options else shared_server
        contexts.append(browser.new_context(**{"locale": "en-US", **context}))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda problem: complaints.append(str(problem)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        if model is not None:
            page.route("**/v1/model", lambda route: route.fulfill(json={**route.fetch().json(), **model}))
        if answers is not None:
            left = iter(answers)
            page.route("**/v1/predict", lambda route: route.fulfill(json=next(left)))
        page.goto(url)
        expect(page.locator("#classes")).not_to_be_empty()
        hosts.add(urlsplit(url).netloc)
        return page

    yield go
    for context in contexts:
        context.close()
    assert [each for each in complaints if FAILED_LOAD not in each] == []
    assert len({host for host in hosts if host}) == 1  # blob: has none


def file(name, data, kind="image/jpeg"):
    return {"name": name, "mimeType": kind, "buffer": data}


def choose(page, *files):
    page.locator("#choose").set_input_files(list(files))


def give(page, event, *files):
    """A drop or a paste, with real File objects made in the page."""
    sent = [[name, base64.b64encode(data).decode(), kind] for name, data, kind in files]
    page.evaluate(
        """([event, files]) => {
            const transfer = new DataTransfer();
            for (const [name, data, type] of files)
                transfer.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name, { type }));
            const options = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(event === "paste"
                ? new ClipboardEvent(event, { ...options, clipboardData: transfer })
                : new DragEvent(event, { ...options, dataTransfer: transfer }));
        }""",
        [event, sent],
    )


def names(page):
    """Of the cards that are shown, in their order."""
    return page.locator("#list > li:not([hidden]) .name").all_inner_texts()


def tops(page):
    return page.locator("#list > li:not([hidden]) b").all_inner_texts()


def of_module(page, name, body, given):
    """What this body of a function of `it`, one of the page's scripts, and `given` returns."""
    return page.evaluate(f"async given => {{ const it = await import('./assets/{name}'); {body} }}", given)


def test_a_chosen_picture_is_named_among_the_kinds_it_knows(visit, paint):
    page = visit()
    assert page.locator("#classes").inner_text().startswith("It tells apart blue, green, and red. Anything else")
    assert page.locator("#accuracy").inner_text() == (
        "Of 100 pictures it had not seen, it got 95 right (likely between 93 and 96)."
    )
    choose(page, file("berry.jpg", paint("red")))
    expect(page.locator(".top")).to_have_text("red")
    expect(page.locator(".said, .note")).to_have_text("> 99%: best match of the 3 kinds it knows")
    expect(page.get_by_role("status")).to_have_text("berry.jpg: red. > 99%: best match of the 3 kinds it knows")
    assert page.locator(".bars li").first.inner_text().split() == ["red", ">", "99%"]
    widths = page.locator(".fill").evaluate_all("all => all.map(each => each.getBoundingClientRect().width)")
    assert widths[0] > 100 > 10 > widths[1]
    overrun = "all => all.filter(each => each.scrollWidth > each.clientWidth).length"
    assert page.locator(".percent").evaluate_all(overrun) == 0
    # the whole picture, and what the model sees of it: 16 x 16 with gray bars above and below
    assert page.locator(".picture img").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [64, 48]
    page.get_by_text("What the model sees").click()
    seen = "each => [...each.getContext('2d').getImageData(8, 0, 1, 16).data].filter((v, i) => i % 4 === 0)"
    page.wait_for_timeout(100)
    column = page.locator("canvas").evaluate(seen)
    assert column[:2] == [114, 114] and column[-2:] == [114, 114] and all(value > 240 for value in column[2:-2])
    expect(page.get_by_role("region", name="Results")).to_be_visible()
    assert page.locator("#choose").input_value() == ""  # else a browser sees no change when the same file is chosen
    choose(page, file("berry.jpg", paint("red")))
    expect(page.locator(".tile b")).to_have_text(["red", "red"])


def test_what_the_model_does_not_see_is_darkened(visit, paint):
    page = visit(model={"preparation": {"size": 16, "fit": "crop"}})
    choose(page, file("wide.jpg", paint("red", (300, 100))), file("tall.jpg", paint("red", (100, 200))))
    expect(page.locator(".cropped")).to_have_count(2)
    cuts = page.locator(".cropped").evaluate_all(
        "all => all.map(e => ['--x', '--y'].map(name => Math.round(parseFloat(e.style.getPropertyValue(name)))))"
    )
    assert cuts == [[33, 0], [0, 25]]


def test_an_answer_below_the_threshold_is_not_sure(visit, bundle_files, pack, paint, tmp_path):
    thresholds = {"costs": {"green": {"miss": 1e6, "false_alarm": 1e-6}}, "abstain": {"value": 1.0}}
    page = visit(Predictor(pack(bundle_files(thresholds=thresholds), tmp_path / "careful.ursa")))
    choose(page, file("berry.jpg", paint("orange")))
    expect(page.locator(".top")).to_have_text("Not sure")
    expect(page.locator(".note")).to_contain_text("Perhaps green (")  # the class that was answered comes first
    expect(page.get_by_role("status")).to_contain_text("berry.jpg: Not sure. Perhaps green")
    assert page.locator(".bars li").first.inner_text().split()[0] == "green"


def test_a_class_that_is_costly_to_miss_is_answered_though_another_is_likelier(visit, paint):
    shares = {"blue": 0.1, "green": 0.2, "red": 0.7}
    page = visit(answers=[{"picture": "x", "label": "green", "probability": 0.2, "probabilities": shares}])
    choose(page, file("berry.jpg", paint("orange")))
    expect(page.locator(".top")).to_have_text("green")
    expect(page.locator(".note")).to_have_text("20%: not the likeliest, but to miss it would cost more")
    assert [row.split()[0] for row in page.locator(".bars li").all_inner_texts()] == ["green", "red", "blue"]


def test_many_pictures_are_a_grid_to_filter_order_and_save(visit, paint):
    def answer(label, probability, unsure):
        rest = [name for name in ("blue", "green", "red") if name != label]
        shares = {label: probability, **dict.fromkeys(rest, (1 - probability) / 2)}
        return {"picture": "x", "label": label, "probability": probability, "probabilities": shares, "unsure": unsure}

    said = [
        answer("red", 0.99, False),
        answer("blue", 0.6, True),
        answer("red", 0.97, False),
        answer("green", 0.9, False),
    ]
    page = visit(answers=[*said, answer("blue", 0.95, False)])
    calls = [file(f"{letter}.jpg", paint("red")) for letter in "abc"]
    choose(page, *calls, file("=d.jpg", paint("lime")))
    expect(page.locator("#list > li.done")).to_have_count(4)
    expect(page.locator("#progress")).to_have_text("4 pictures")
    expect(page.get_by_role("status")).to_have_text("4 pictures, Not sure: 1, red: 2, green: 1")
    assert names(page) == ["b.jpg", "=d.jpg", "c.jpg", "a.jpg"]  # the least sure first
    page.locator("#order").select_option("added")
    expect(page.locator("#list > li").first).to_contain_text("a.jpg")
    assert names(page) == ["a.jpg", "b.jpg", "c.jpg", "=d.jpg"]
    page.locator("#order").select_option("class")
    expect(page.locator("#list > li").first).to_contain_text("=d.jpg")
    chips = page.get_by_role("group", name="Show only").get_by_role("button")
    assert chips.all_inner_texts() == ["All 4", "Not sure 1", "red 2", "green 1"]
    page.get_by_role("button", name="red 2").press("Enter")
    expect(page.get_by_role("button", name="red 2")).to_have_attribute("aria-pressed", "true")
    assert names(page) == ["a.jpg", "c.jpg"]
    assert page.evaluate("document.activeElement.textContent") == "red 2"  # the keyboard stays where it was
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    assert download.value.suggested_filename == "results.csv"
    rows = list(csv.reader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert rows[0] == ["picture", "label", "probability", "unsure", "blue", "green", "red", "problem"]
    assert [row[:4] for row in rows[1:]] == [["a.jpg", "red", "0.99", "false"], ["c.jpg", "red", "0.97", "false"]]
    page.get_by_role("button", name="All 4").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    assert "\n'=d.jpg,green,0.9," in download.value.path().read_text("utf-8-sig")  # no formula
    page.locator("#order").select_option("added")
    choose(page, file("e.jpg", paint("blue")))  # later ones come first, and everything that stands there is counted
    expect(page.locator("#progress")).to_have_text("5 pictures")
    expect(page.locator("#list .name")).to_have_text(["e.jpg", "a.jpg", "b.jpg", "c.jpg", "=d.jpg"])


def test_one_picture_of_many_is_opened_and_the_arrows_go_on(visit, paint):
    page = visit()
    choose(page, *(file(f"{color}.jpg", paint(color)) for color in ("red", "lime", "blue")))
    expect(page.locator(".tile b")).to_have_text(["red", "green", "blue"])
    page.locator("button.tile").nth(1).press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".top")).to_have_text("green")
    expect(dialog).to_contain_text("Picture 2 of 3")
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".top")).to_have_text("blue")
    expect(page.get_by_role("button", name="Next picture")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.evaluate("document.activeElement.innerText").startswith("green")  # back where the visitor was


def test_files_that_cannot_be_read_are_one_box_and_do_not_stop_the_others(visit, paint):
    page = visit()
    pictures = [file(f"{i}.jpg", paint(color)) for i, color in enumerate(["red", "lime", "blue"])]
    words = [file(f"notes {i}.txt", b"just words", "text/plain") for i in range(5)]
    half = file("half.jpg", paint("red", (640, 480))[:1000])
    choose(page, pictures[0], *words, pictures[1], half, file("none.jpg", b""), pictures[2])
    expect(page.locator("#failed h2")).to_have_text("7 files could not be looked at")
    expect(page.locator("#failed > ul > li")).to_have_count(2)
    shown = page.locator("#failed > ul > li").all_inner_texts()
    assert shown[0].startswith("Not a picture. Choose photos: JPEG, PNG or WebP.")
    assert "notes 0.txt · a text file" in shown[0] and "3 more" in shown[0]
    assert shown[1].startswith("Incomplete: a part of the file is missing. Send the original")
    expect(page.get_by_role("status")).to_contain_text("3 pictures, blue: 1, green: 1, red: 1, 7 files could not be")
    assert tops(page) == ["red", "green", "blue"]
    assert page.locator("#failed").bounding_box()["height"] < 330
    assert "remove the file" not in page.locator("body").inner_text()
    choose(page, file("late.txt", b"words", "text/plain"))
    expect(page.locator("#failed h2")).to_have_text("8 files could not be looked at")  # what stands there is counted
    expect(page.locator("#progress")).to_have_text("3 pictures")


def test_every_way_in(visit, paint):
    """Dropped, pasted as files, pasted from the clipboard; and what was neither is explained."""
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    leaf = ("leaf.png", paint("lime", kind="PNG"), "image/png")
    give(page, "drop")
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("not a file")
    give(page, "dragenter", leaf)
    assert "over" in page.locator("body").get_attribute("class")
    give(page, "drop", leaf)
    expect(page.locator(".top")).to_have_text("green")
    assert "over" not in page.locator("body").get_attribute("class")
    expect(page.get_by_role("alert").filter(visible=True)).to_have_count(0)
    give(page, "paste", ("1.jpg", paint("red"), "image/jpeg"), ("2.jpg", paint("blue"), "image/jpeg"))
    expect(page.locator(".tile b")).to_have_text(["red", "blue", "green"])
    page.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(40, 40), pen = canvas.getContext("2d");
            pen.fillStyle = "blue";
            pen.fillRect(0, 0, 40, 40);
            const blob = await canvas.convertToBlob({ type: "image/png" });
            await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }"""
    )
    page.keyboard.press("Control+V")
    expect(page.locator(".tile b")).to_have_text(["blue", "red", "blue", "green"])
    assert names(page) == ["pasted picture", "1.jpg", "2.jpg", "leaf.png"]


def test_examples_of_the_bundle_can_be_tried(visit, bundle_files, pack, paint, tmp_path):
    tried = Predictor(pack(bundle_files(examples=[paint(color) for color in ("blue", "red")]), tmp_path / "x.ursa"))
    page = visit(tried)
    expect(page.locator("#try img")).to_have_count(2)
    assert page.locator("#try img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    page.get_by_role("button", name="Example 2").click()
    expect(page.locator(".top")).to_have_text("red")
    expect(page.locator("#examples")).to_be_hidden()


def test_a_server_that_is_gone_busy_or_refuses(visit, predictor, paint):
    page = visit(options={"max_bytes": 10_000}, predictor=predictor)
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    choose(page, file("large.bmp", paint("red", (100, 100), "BMP"), "image/bmp"))
    expect(page.locator("#failed")).to_contain_text("Too large. Make it smaller")
    expect(page.locator("#failed")).to_contain_text("large.bmp · 31 kB, ≤ 10 kB")
    assert not [each for each in sent if each.endswith("predict")]  # it is not even sent
    page.get_by_role("button", name="Clear").click()
    page.route("**/v1/predict", lambda route: route.abort())
    choose(page, file("berry.jpg", paint("red")))
    expect(page.locator("#failed")).to_contain_text("The server could not be reached.")
    page.unroute("**/v1/predict")
    tries = []

    def busy_once(route):
        tries.append(route)
        if len(tries) == 1:
            route.fulfill(status=503, headers={"retry-after": "1"}, body='{"error": "busy"}')
        else:
            route.continue_()

    page.route("**/v1/predict", busy_once)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".state")).to_contain_text("busy, waiting")
    expect(page.locator(".top")).to_have_text("red")
    expect(page.locator("#failed")).to_be_hidden()


def test_names_of_classes_and_files_never_become_markup(visit, bundle_files, pack, paint, tmp_path):
    files = bundle_files(ODD)
    page = visit(Predictor(pack(files, tmp_path / "odd.ursa")), {"title": "<b>Odd</b>"})
    assert all(name in page.locator("#classes").inner_text() for name in ODD)
    assert page.locator("h1").first.inner_text() == page.title() == "<b>Odd</b>"
    choose(page, file("<img src=x onerror=alert(1)>.jpg", paint("lime")))
    expect(page.locator(".top")).to_have_text(ODD[1])
    assert page.locator(".says .name").inner_text() == "<img src=x onerror=alert(1)>.jpg"
    choose(page, file("<b>.txt", b"words", "text/plain"), file("x.jpg", paint("blue")))
    expect(page.locator("#failed")).to_contain_text("<b>.txt")
    assert page.locator("body script, #classes img, .bars img, b b, #failed b").count() == 0
    assert page.title() == "<b>Odd</b>"


def test_many_classes_show_five_and_the_rest_on_demand(visit, bundle_files, pack, paint, tmp_path):
    classes = [f"class {i:02}" for i in range(40)]
    page = visit(Predictor(pack(bundle_files(classes), tmp_path / "many.ursa")))
    expect(page.locator("#classes")).to_contain_text("class 07, and 32 more.")
    choose(page, file("berry.jpg", paint("red")))
    expect(page.locator(".bars li")).to_have_count(5)
    page.get_by_text("35 more").click()
    expect(page.locator(".bars li")).to_have_count(40)


def test_several_labels_and_numbers(visit, paint):
    def labels(*chosen):
        shares = {"beach": 0.91, "city": 0.1, "snow": 0.6}
        return {"picture": "x", "labels": list(chosen), "probabilities": shares}

    said = [labels("beach", "snow"), labels("beach"), labels()]
    page = visit(model={"task": "multi-label", "classes": ["beach", "city", "snow"], "accuracy": None}, answers=said)
    assert page.locator("#classes").inner_text() == "It looks for beach, city, and snow."
    expect(page.locator("#accuracy")).to_be_empty()
    choose(page, file("a.jpg", paint("red")))
    expect(page.locator(".top")).to_have_text("beach and snow")
    assert page.locator(".chosen").all_inner_texts() == ["beach\n91%", "snow\n60%"]
    choose(page, file("b.jpg", paint("red")))
    expect(page.locator(".tile b")).to_have_text(["beach", "beach and snow"])
    choose(page, file("c.jpg", paint("red")))
    expect(page.locator(".tile b").first).to_have_text("None of its labels")
    page.get_by_role("button", name="snow 1").click()
    expect(page.locator("#list > li:not([hidden]) b")).to_have_text(["beach and snow"])
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    rows = download.value.path().read_text("utf-8-sig").splitlines()
    assert rows == ["picture,labels,beach,city,snow,problem", "a.jpg,beach; snow,0.91,0.1,0.6,"]

    values = [{"picture": "x", "values": {"age": 3.14159, "weight": 12345.678}}] * 2
    page = visit(model={"task": "regression", "classes": ["age", "weight"]}, answers=values, locale="de-DE")
    assert page.locator("#classes").inner_text() == "Schätzt age und weight."
    choose(page, file("a.jpg", paint("red")))
    expect(page.locator(".numbers dd")).to_have_text(["3,142", "12.350"])
    choose(page, file("b.jpg", paint("red")))
    expect(page.locator(".tile").first).to_contain_text("12.350")
    with page.expect_download() as download:
        page.get_by_role("button", name="Als CSV speichern").click()
    rows = download.value.path().read_text("utf-8-sig").splitlines()
    assert rows == ["picture,age,weight,problem", "b.jpg,3.14159,12345.678,", "a.jpg,3.14159,12345.678,"]


@pytest.mark.parametrize(
    ("task", "knows", "says"),
    [
        ("multi-label", "It looks for blue, green, and red.", "berry.jpg: blue, green, and red. of the 3 labels"),
        ("regression", "It estimates blue, green, and red.", "berry.jpg: blue 0 · green 0 · red 11.95."),
    ],
)
def test_bundles_of_other_tasks(visit, bundle_files, pack, paint, tmp_path, task, knows, says):
    page = visit(Predictor(pack(bundle_files(task=task), tmp_path / "other.ursa")))
    assert page.locator("#classes").inner_text() == knows
    expect(page.locator("#accuracy")).to_be_empty()  # so many of 100 are right: said of one class a picture only
    choose(page, file("berry.jpg", paint("red", (64, 64))))
    expect(page.get_by_role("status")).to_contain_text(says)
    page.get_by_role("link", name="About this model").click()
    expect(page.locator("#facts")).not_to_contain_text("no others")


def test_the_page_speaks_the_visitors_language_and_remembers_a_choice(visit, paint):
    page = visit(locale="zh-TW")
    assert page.evaluate("document.documentElement.lang") == "zh"
    expect(page.locator("h1").first).to_have_text("图片里是什么？")
    page.locator("#language").select_option("es")
    expect(page.locator("h1").first).to_have_text("¿Qué hay en la foto?")
    choose(page, file("berry.jpg", paint("red")), file("notes.txt", b"words", "text/plain"))
    expect(page.locator(".note")).to_have_text(re.compile(r"> 99\s%: la que mejor encaja de las 3 clases que conoce"))
    expect(page.locator("#failed")).to_contain_text("No es una foto. Elija fotos")
    page.locator("#language").select_option("de")  # what stands there already, too
    expect(page.locator(".note")).to_contain_text("passt am besten von den 3")
    page.reload()
    expect(page.locator("h1").first).to_have_text("Was ist auf dem Bild?")
    page = visit(locale="fr-FR")
    expect(page.locator("h1").first).to_have_text("What is in the picture?")


CARD = """# A <b>card</b>

It *knows* **three\\*** classes &amp; `no others`. [here](javascript:alert(1)) <script>document.title = "owned"</script>
<!-- for the maker --><img src=x onerror=alert(1)>

| class | pictures |
|---|---|
| red \\| pink | 3 |

- one
- two
  goes on

1. first

> quoted

```
<b>code</b> **not bold**
```
## Limits ##
"""


def test_the_card_is_shown_as_text_whatever_a_stranger_wrote(visit, paint):
    page = visit()
    page.route("**/card", lambda route: route.fulfill(body=CARD, content_type="text/markdown"))
    page.get_by_role("link", name="About this model").click()
    card = page.locator("#card")
    expect(card.locator("h2")).to_have_text(["A <b>card</b>"])
    assert page.evaluate("document.activeElement.id") == "about-title"
    expect(page.locator("#page")).to_be_hidden()
    expect(page.locator("#facts")).to_contain_text("It knows 3 kinds and no others")
    expect(page.locator("#facts code")).to_contain_text("/v1/predict")
    assert card.locator("h3").all_inner_texts() == ["Limits"]
    assert card.locator("p").first.inner_text() == (
        "It knows three* classes & no others. [here](javascript:alert(1)) "
        '<script>document.title = "owned"</script> <img src=x onerror=alert(1)>'
    )
    assert card.locator("strong").all_inner_texts() == ["three*"]
    assert card.locator("em").all_inner_texts() == ["knows"]
    assert card.locator("td").all_inner_texts() == ["red | pink", "3"]
    assert card.locator("ul li").all_inner_texts() == ["one", "two goes on"]
    assert card.locator("ol li").all_inner_texts() == ["first"]
    assert card.locator("pre").inner_text() == "<b>code</b> **not bold**"
    assert card.locator("a, img, script, b, iframe, [href], [src], [onerror]").count() == 0
    give(page, "paste", ("1.jpg", paint("red"), "image/jpeg"))  # pasted here, it is shown there
    expect(page.locator(".top")).to_have_text("red")
    page.get_by_role("link", name="About this model").click()
    expect(card).to_be_visible()
    page.go_back()
    expect(page.locator(".top")).to_be_visible()
    # hostile ones end quickly: marks without end, nested ones, a table of nothing but cells, comments
    hostile = [
        "*" * 200_000,
        "**a *b " * 28_000,
        "`" * 199_999,
        "|" * 100_000 + "\n|-|\n" + "|||\n" * 30_000,
        "- \n" * 60_000,
    ]
    hostile += [
        "<!--" * 50_000,
        "_a" * 100_000,
        "\\" * 200_000,
        "\\\\*" * 66_000,
        "# a\n" * 50_000,
        "&amp;" * 40_000,
        "> a\n" * 50_000,
    ]
    timed = """const from = performance.now(), made = it.markdown(given);
        return [performance.now() - from, made.querySelectorAll('*').length]"""
    for text in hostile:
        milliseconds, elements = of_module(page, "markdown.js", timed, text)
        assert milliseconds < 3000 and elements < 100_000, text[:20]


def test_a_phone_shows_everything_without_scrolling_sideways(visit, bundle_files, pack, paint, tmp_path):
    classes = ["an extraordinarily-long-name-without-a-break-" + "x" * 60, "b", "c", "d", "e", "f", "g"]
    page = visit(Predictor(pack(bundle_files(classes), tmp_path / "long.ursa")), **PHONE)
    expect(page.get_by_text("Take a photo")).to_be_visible()
    assert page.locator("#photo").get_attribute("capture") == "environment"
    page.locator("#photo").set_input_files([file("holiday-" * 20 + ".jpg", paint("blue"))])
    expect(page.locator(".top")).to_contain_text("an extra")
    widths = "[document.documentElement.scrollWidth, innerWidth]"
    assert page.evaluate(widths) == [360, 360]
    choose(page, file("image.jpg", paint("red")), file("notes-" * 30 + ".txt", b"words", "text/plain"))
    expect(page.locator(".tile b")).to_have_count(2)
    expect(page.locator("#failed")).to_be_visible()
    assert page.evaluate(widths) == [360, 360]
    page.locator("button.tile").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.locator("dialog").evaluate("each => each.scrollWidth <= each.clientWidth")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="About this model").click()
    expect(page.locator("#card h2")).to_be_visible()
    assert page.evaluate(widths) == [360, 360]


def test_the_keyboard_is_enough(visit, paint):
    page = visit()
    expect(page.get_by_text("Take a photo")).to_be_hidden()  # a desktop has no camera to point
    choosers = []
    # subscribed before the first round trip, so that the browser knows of it when Enter comes
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "choose"
    outline = page.locator("label[for=choose]").evaluate("each => getComputedStyle(each).outlineStyle")
    assert outline == "solid"  # the hidden input's focus is shown on its label
    page.keyboard.press("Enter")
    while not choosers:
        page.wait_for_timeout(20)  # the test's own time limit ends it
    choosers[0].set_files([file("berry.jpg", paint("red"))])
    expect(page.get_by_role("heading", level=2, name="red")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "clear"
    page.keyboard.press("Enter")
    expect(page.locator("#list > li")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "choose"
    expect(page.get_by_role("status")).to_have_text("")


AXE = Path(os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js"))
CONTRAST = """() => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const layers = element => element
        ? [...layers(element.parentElement), getComputedStyle(element).backgroundColor] : [];
    const paint = colours => {
        pen.fillStyle = "white";
        pen.fillRect(0, 0, 1, 1);
        for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
        return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = rgb => rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const low = [];
    for (const element of document.body.querySelectorAll("*")) {
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!own || !element.checkVisibility() || element.matches(":disabled")) continue;
        const ground = layers(element);
        const [a, b] = [light(paint(ground)), light(paint([...ground, getComputedStyle(element).color]))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) low.push(element.textContent + ": " + contrast.toFixed(2));
    }
    return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_read_it(visit, paint, scheme):
    """WCAG 2.2 AA: 4.5 to 1 for every text, all that can be used has a name; and axe-core, if it is there."""
    unsure = {
        "picture": "x",
        "label": "red",
        "probability": 0.4,
        "probabilities": {"red": 0.4, "blue": 0.35, "green": 0.25},
    }
    page = visit(
        color_scheme=scheme,
        answers=[unsure, unsure, {**unsure, "probability": 0.9}, {"picture": "x", "problem": "truncated: x"}],
    )

    def check(place):
        assert page.evaluate(CONTRAST) == [], place
        unnamed = page.locator("button, input, a, summary, progress, select").evaluate_all(
            "all => all.filter(e => !(e.innerText || e.labels?.length || e.ariaLabel)).map(e => e.outerHTML)"
        )
        assert unnamed == [], place
        if AXE.is_file():
            page.evaluate(AXE.read_text("utf-8"))
            found = page.evaluate("async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])")
            assert found == [], place

    check("empty")
    choose(page, file("berry.jpg", paint("red")))
    expect(page.locator(".top")).to_have_text("Not sure")
    check("one")
    choose(page, *(file(f"{i}.jpg", paint("red")) for i in range(3)))
    expect(page.locator("#list > li.done")).to_have_count(3)
    expect(page.locator("#failed")).to_be_visible()
    check("many")
    page.locator("button.tile").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check("opened")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="About this model").click()
    expect(page.locator("#card h2")).to_be_visible()
    check("about")
