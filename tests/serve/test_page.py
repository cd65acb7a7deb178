"""The page in a real browser, against a real server."""

import base64
import re
from urllib.parse import urlsplit

import pytest

from ursa.serve.predictor import Predictor

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

ODD = ("<img src=x onerror=document.title='owned'>", "'><script>document.title='owned'</script>", 'a & b "c"')
FAILED_LOAD = "Failed to load resource"  # what Chromium itself notes of any answer that is 4xx or 5xx

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(browser, serving):
    """visit(predictor, **context) -> a page that has to stay free of console errors and of requests to other hosts."""
    contexts, complaints, hosts = [], [], set()

    def go(predictor, options=None, **context):
        url = serving(predictor, **(options or {}))
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda problem: complaints.append(str(problem)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.goto(url)
        expect(page.locator("#classes")).to_contain_text("Tells apart")
        hosts.add(urlsplit(url).netloc)
        return page

    yield go
    for context in contexts:
        context.close()
    assert [each for each in complaints if FAILED_LOAD not in each] == []
    assert len({host for host in hosts if host}) == 1  # blob: and data: have none


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


def tops(page):
    return page.locator(".card .top").all_inner_texts()


def test_a_chosen_picture_is_named_with_all_its_probabilities(visit, predictor, paint):
    page = visit(predictor)
    assert page.locator("#classes").inner_text() == "Tells apart blue, green and red."
    choose(page, file("berry.jpg", paint("red")))
    expect(page.locator(".card .top")).to_have_text("red")
    expect(page.get_by_role("status")).to_have_text("1 picture: berry.jpg: red, > 99.9 %")
    assert page.locator(".card .name").inner_text() == "berry.jpg"
    assert page.locator(".rows li").count() == 3
    assert page.locator(".rows li").first.inner_text().split() == ["red", ">", "99.9", "%"]
    widths = page.locator(".fill").evaluate_all("all => all.map(each => each.getBoundingClientRect().width)")
    assert widths[0] > 100 > 10 > widths[1]
    assert page.locator(".thumb img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64


def test_an_unsure_answer_is_a_question_and_the_answered_class_stands_first(visit, bundle_files, pack, paint, tmp_path):
    thresholds = {"costs": {"green": {"miss": 1e6, "false_alarm": 1e-6}}, "abstain": {"value": 1.0}}
    page = visit(Predictor(pack(bundle_files(thresholds=thresholds), tmp_path / "careful.ursa")))
    choose(page, file("berry.jpg", paint("orange")))
    expect(page.locator(".card .top")).to_have_text("green?")
    expect(page.locator(".card .sure")).to_contain_text("Unsure")
    expect(page.get_by_role("status")).to_contain_text("berry.jpg: unsure, green")
    assert page.locator(".rows li").first.inner_text().split()[0] == "green"


def test_the_same_file_can_be_chosen_again(visit, predictor, paint):
    page = visit(predictor)
    for count in (1, 2):
        choose(page, file("berry.jpg", paint("red")))
        expect(page.locator(".card .top")).to_have_count(count)
        assert page.locator("#choose").input_value() == ""  # else a browser sees no change the next time


def test_dropping_works_anywhere_and_shows_where(visit, predictor, paint):
    page = visit(predictor)
    give(page, "dragenter", ("leaf.png", paint("lime", kind="PNG"), "image/png"))
    assert "over" in page.locator("body").get_attribute("class")
    give(page, "drop", ("leaf.png", paint("lime", kind="PNG"), "image/png"))
    expect(page.locator(".card .top")).to_have_text("green")
    assert "over" not in page.locator("body").get_attribute("class")


def test_a_drop_without_a_file_is_explained(visit, predictor):
    page = visit(predictor)
    give(page, "drop")
    expect(page.get_by_role("status")).to_contain_text("not a file")


def test_the_clipboard_is_pasted(visit, predictor):
    page = visit(predictor, permissions=["clipboard-read", "clipboard-write"])
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
    expect(page.locator(".card .top")).to_have_text("blue")
    expect(page.locator(".card .name")).to_have_text("pasted picture")


def test_several_pasted_files_keep_their_names(visit, predictor, paint):
    page = visit(predictor)
    give(page, "paste", ("1.jpg", paint("red"), "image/jpeg"), ("2.jpg", paint("blue"), "image/jpeg"))
    expect(page.locator(".card .top")).to_have_text(["red", "blue"])
    assert page.locator(".card .name").all_inner_texts() == ["1.jpg", "2.jpg"]


def test_several_pictures_are_counted_and_the_broken_one_does_not_stop_them(visit, predictor, paint):
    page = visit(predictor)
    colors = ["red", "lime", "blue", "red", "red", "blue"]
    files = [file(f"{i}.jpg", paint(color)) for i, color in enumerate(colors)]
    choose(page, *files[:3], file("notes.txt", b"just words", "text/plain"), *files[3:])
    expect(page.get_by_role("status")).to_have_text("7 pictures: 3 × red, 2 × blue, 1 × green, 1 not read")
    assert tops(page) == ["red", "green", "blue", "Not a picture: a text file.", "red", "red", "blue"]
    choose(page, file("last.jpg", paint("blue")))
    expect(page.get_by_role("status")).to_contain_text("last.jpg: blue")
    assert tops(page)[0] == "blue"  # the newest comes first


@pytest.mark.parametrize("cut", [0, 1000])
def test_an_error_is_shown_with_what_helps(visit, predictor, paint, cut):
    page = visit(predictor)
    choose(page, file("half.jpg", paint("red", (640, 480))[:cut]))
    card = page.locator(".card.bad")
    expect(card.locator(".top")).to_have_text(re.compile("Truncated: the JPEG|Not a picture: an empty file"))
    expect(card.locator(".says")).to_contain_text("What helps:")
    expect(page.get_by_role("status")).to_contain_text("half.jpg: ")


def test_too_large_a_picture_is_not_even_sent(visit, predictor, paint):
    page = visit(predictor, {"max_bytes": 10_000})
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    choose(page, file("large.bmp", paint("red", (100, 100), "BMP"), "image/bmp"))
    expect(page.locator(".card.bad .top")).to_have_text("Too large: 31 kB, the limit is 10 kB.")
    assert not [each for each in sent if each.endswith("predict")]


def test_a_server_that_has_gone_is_said_and_tried_again(visit, predictor, paint):
    page = visit(predictor)
    page.route("**/predict", lambda route: route.abort())
    choose(page, file("berry.jpg", paint("red")))
    expect(page.locator(".card.bad .top")).to_have_text("The server could not be reached.")
    page.unroute("**/predict")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".card .top")).to_have_text("red")
    expect(page.locator(".card")).to_have_count(1)


def test_a_busy_server_is_waited_for(visit, predictor, paint):
    page = visit(predictor)
    tries = []

    def busy_once(route):
        tries.append(route)
        if len(tries) == 1:
            route.fulfill(status=503, headers={"retry-after": "1"}, body='{"error": "busy"}')
        else:
            route.continue_()

    page.route("**/predict", busy_once)
    choose(page, file("berry.jpg", paint("red")))
    expect(page.locator(".card")).to_contain_text("busy, waiting")
    expect(page.locator(".card .top")).to_have_text("red")


def test_names_of_classes_and_files_never_become_markup(visit, bundle_files, pack, paint, tmp_path):
    page = visit(Predictor(pack(bundle_files(ODD), tmp_path / "odd.ursa")), {"title": "<b>Odd</b>"})
    assert all(name in page.locator("#classes").inner_text() for name in ODD)
    assert page.locator("h1").inner_text() == "<b>Odd</b>"
    choose(page, file("<img src=x onerror=alert(1)>.jpg", paint("lime")))
    expect(page.locator(".card .top")).to_have_text(ODD[1])
    assert page.locator(".card .name").inner_text() == "<img src=x onerror=alert(1)>.jpg"
    assert page.title() == "<b>Odd</b>"
    assert page.locator(".card script, #classes img, .rows img").count() == 0


def test_many_classes_show_five_and_the_rest_on_demand(visit, bundle_files, pack, paint, tmp_path):
    names = [f"class {i:02}" for i in range(40)]
    page = visit(Predictor(pack(bundle_files(names), tmp_path / "many.ursa")))
    expect(page.locator("#classes")).to_contain_text("class 07 and 32 more.")
    choose(page, file("berry.jpg", paint("red")))
    expect(page.locator(".rows li")).to_have_count(5)
    page.locator(".card summary").click()
    expect(page.locator(".rows li")).to_have_count(40)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(visit, bundle_files, pack, paint, tmp_path, scheme):
    names = ["an extraordinarily-long-name-without-a-break-" + "x" * 60, "b", "c", "d", "e", "f", "g"]
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "color_scheme": scheme}
    page = visit(Predictor(pack(bundle_files(names), tmp_path / "long.ursa")), **phone)
    expect(page.get_by_text("Take a photo")).to_be_visible()
    assert page.locator("#photo").get_attribute("capture") == "environment"
    choose(page, file("holiday-" * 20 + ".jpg", paint("blue")), file("notes.txt", b"words", "text/plain"))
    expect(page.locator(".card .top")).to_have_count(2)
    page.locator(".card summary").click()
    for summary in page.locator("footer summary").all():
        summary.click()
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= 360 == widths[1]
    page.locator("#photo").set_input_files([file("image.jpg", paint("blue"))])
    expect(page.get_by_role("status")).to_contain_text("image.jpg: an extra")


def test_a_desktop_does_not_offer_a_camera(visit, predictor):
    page = visit(predictor)
    expect(page.get_by_text("Take a photo")).to_be_hidden()
    expect(page.get_by_text("Drop pictures here")).to_be_visible()


def test_the_keyboard_is_enough(visit, predictor, paint):
    page = visit(predictor)
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
    expect(page.locator(".card .top")).to_have_text("red")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "clear"
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "choose"
    assert page.get_by_role("status").inner_text() == ""


def test_a_screen_reader_finds_its_way(visit, predictor, paint):
    page = visit(predictor)
    choose(page, file("berry.jpg", paint("red")))
    expect(page.get_by_role("status")).to_contain_text("berry.jpg: red")
    expect(page.get_by_role("heading", level=2, name="red")).to_be_visible()
    expect(page.get_by_role("list")).not_to_have_count(0)
    expect(page.get_by_label("Choose pictures")).to_be_attached()
    expect(page.get_by_role("region", name="Results")).to_be_visible()
    unnamed = page.locator("button, input, a, summary, progress").evaluate_all(
        "all => all.filter(e => !(e.innerText || e.labels?.length || e.ariaLabel)).map(e => e.outerHTML)"
    )
    assert unnamed == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(visit, predictor, paint, scheme):
    """WCAG 2.2 AA: 4.5 to 1 for every text that is shown."""
    page = visit(predictor, color_scheme=scheme)
    choose(page, file("berry.jpg", paint("red")), file("notes.txt", b"words", "text/plain"))
    expect(page.locator(".card .top")).to_have_count(2)
    low = page.evaluate(
        """() => {
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
                if (!own || !element.checkVisibility() || element.closest("script")) continue;
                const ground = layers(element);
                const [a, b] = [light(paint(ground)), light(paint([...ground, getComputedStyle(element).color]))];
                const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                if (contrast < 4.5) low.push(element.textContent + ": " + contrast.toFixed(2));
            }
            return low;
        }"""
    )
    assert low == []
