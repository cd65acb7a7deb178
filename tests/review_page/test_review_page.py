"""The page in a real browser, against a real server: keys, mouse, touch, two windows, a restart, a hostile neighbor."""

import http.server
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.review_page.conftest import TOKEN, of, reviewed_folder
from ursa.review_page.review_app import LabelRows
from ursa.review_page.review_server import ReviewServer, local_socket

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

EVIL = "<img src=x onerror=document.title='owned'>"

pytestmark = pytest.mark.browser


@pytest.fixture
def shown(browser, tmp_path, picture_folder):
    """open(**context) -> a page that has to stay free of errors and of requests to other hosts."""
    folder, space, table = reviewed_folder(tmp_path / "bears", picture_folder)
    contexts, complaints, hosts = [], [], set()
    state = SimpleNamespace(folder=folder, space=space)

    def start(port=0):
        state.review = of(folder, space, table)
        state.server = ReviewServer(state.review.app, TOKEN, local_socket(port))

    def open_page(**options):
        contexts.append(browser.new_context(viewport={"width": 1024, "height": 768}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda problem: complaints.append(str(problem)))
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        page.goto(state.server.url)
        expect(page.locator(".tile img").first).to_be_visible()
        return page

    start()
    state.start, state.open = start, open_page
    yield state
    for context in contexts:
        context.close()
    state.server.stop()
    assert [each for each in complaints if "Failed to load resource" not in each] == []
    assert len(hosts) <= 1


def decided(page, count):
    expect(page.locator("#decided")).to_have_text(f"{count} of 10 decided")
    expect(page.locator("#saving")).to_have_text("all saved" if count else "")


def test_by_the_keyboard_alone_and_a_reload_in_the_middle(shown):
    page = shown.open()
    page.keyboard.press("Enter")
    expect(page.locator("#single h2")).to_have_text("Label that may be wrong")
    expect(page.locator(".likely")).to_have_text("brown")
    page.keyboard.press("a")  # as suggested, and on to the next one
    expect(page.locator(".place")).to_have_text("2 of 10")
    decided(page, 1)
    page.keyboard.press("k")
    expect(page.locator("#single h2")).to_have_text("Picture under two classes")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("a")  # keeps the one that was chosen, and deletes the other
    decided(page, 3)
    page.reload()
    expect(page.locator(".place")).to_have_text("4 of 10")
    decided(page, 3)
    page.keyboard.press("l")
    page.keyboard.type(EVIL)
    expect(page.locator("#choices li")).to_have_text(f"New class {EVIL}")
    page.keyboard.press("Enter")
    page.keyboard.press("u")  # while it may still be on its way
    decided(page, 3)
    expect(page.locator(".place")).to_have_text("4 of 10")
    page.keyboard.press("2")  # its class is brown already: the label is kept
    decided(page, 4)
    page.keyboard.press("Escape")
    kinds = [(entry.kind, entry.label) for entry in shown.review.journal()]
    assert kinds == [
        ("label", "brown"),
        ("keep", None),
        ("delete", None),
        ("new-label", EVIL),
        ("undo", None),
        ("keep", None),
    ]
    expect(page.locator("#bar .classes")).to_contain_text(EVIL)  # it was begun, and stays a text
    assert page.title() == "bears: review"


def test_several_are_selected_by_mouse_and_keys_and_labelled_at_once(shown):
    page = shown.open()
    tiles = page.locator(".tile")
    tiles.nth(0).click()
    tiles.nth(1).click(modifiers=["Shift"])
    tiles.nth(3).click(modifiers=["Control"])
    expect(page.locator(".several")).to_have_text("3 selected")
    page.keyboard.press("1")
    decided(page, 3)
    labels = {entry.id: (entry.kind, entry.label) for entry in shown.review.journal()}
    assert labels["black/black_001.png"] == ("keep", None)
    assert labels["brown/brown_003.png"] == labels["brown/brown_000.jpg"] == ("label", "black")
    page.keyboard.press("u")  # all three
    decided(page, 0)
    first, last = tiles.nth(0).bounding_box(), tiles.nth(2).bounding_box()
    page.mouse.move(first["x"] + 30, first["y"] + 30)
    page.mouse.down()
    page.mouse.move(last["x"] + 60, last["y"] + 90, steps=6)
    page.mouse.up()
    expect(page.locator(".several")).to_have_text("3 selected")
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".several")).to_have_text("2 selected")
    page.select_option("[name=kind]", "tiny")
    expect(page.locator(".tile")).to_have_count(2)
    page.keyboard.press("Control+a")
    page.locator("#bar >> text=Delete").click()
    decided(page, 2)


def test_random_pictures_come_one_after_the_other_until_one_may_stop(shown, monkeypatch):
    session = shown.review.session
    told = session._told
    monkeypatch.setattr(session, "_told", lambda: {**told(), "proving": True, "stop": len(session.decided.rows()) > 1})
    page = shown.open()
    page.get_by_role("button", name="Look at random ones").click()
    expect(page.locator("#single h2")).to_have_text("Picture drawn at random")
    first = page.locator("#single .id").text_content()
    page.keyboard.press("k")
    page.keyboard.press("k")  # too early: it waits for the next picture, and does not meet this one again
    expect(page.locator("#single .id")).not_to_have_text(first)
    expect(page.locator("#single h2")).to_have_text("Picture drawn at random")
    expect(page.locator("#random")).to_be_hidden()
    page.keyboard.press("k")
    expect(page.locator("body")).to_have_attribute("data-mode", "grid")  # one may stop, and it says so
    expect(page.locator("#notice")).to_contain_text(told()["left"])
    assert all(entry.drawn_from > 0 for entry in shown.review.journal())
    assert len(shown.review.journal()) == 2


def test_a_row_of_pictures_without_labels_gets_one_but_for_those_taken_out(shown):
    table, app = shown.review.table, shown.review.app
    labels, ids = table.columns["label"], ("black/black_001.png", "brown/brown_001.png", "brown/brown_003.png")
    rows = [[(ids, "alike", None)], [(ids[1:2], "teach", None)], []]
    for route in app.routes:
        if (service := getattr(route.endpoint, "__self__", None)) is not None:
            service.actions = replace(service.actions, rows=lambda *_: LabelRows(rows.pop(0), "3 to go."))
    labels[:] = [None] * len(labels)
    shown.review.session.unlabeled = lambda: 3
    page = shown.open()
    page.get_by_role("button", name="Label rows").click()
    expect(page.locator(".alike .copy")).to_have_count(3)
    page.locator(".alike .copy").nth(1).click()
    expect(page.locator(".alike .copy").nth(1)).to_have_text("taken out")
    page.keyboard.press("l")
    page.keyboard.type("bear")
    page.keyboard.press("Enter")
    expect(page.locator("#single .evidence")).to_contain_text("least sure")  # the next row came by itself
    page.keyboard.press("n")
    expect(page.locator("#notice")).to_contain_text("Every picture was looked at. 3 to go.")
    said = [(entry.id, entry.kind, entry.label) for entry in shown.review.journal()]
    assert said == [(ids[0], "new-label", "bear"), (ids[2], "new-label", "bear"), (ids[1], "not-sure", None)]


def test_by_touch_a_tap_opens_and_a_long_press_selects(shown):
    page = shown.open(has_touch=True, is_mobile=True)
    page.locator("#select").tap()
    page.locator(".tile").nth(0).tap()
    page.locator(".tile").nth(1).tap()
    expect(page.locator(".several")).to_have_text("2 selected")
    page.locator("#select").tap()
    page.locator(".tile").nth(1).tap()
    expect(page.locator(".place")).to_have_text("2 of 10")
    page.locator("#bar >> text=Not sure").tap()
    decided(page, 1)


def test_two_windows_hear_of_each_other(shown):
    one, other = shown.open(), shown.open()
    one.keyboard.press("d")
    decided(other, 1)
    expect(other.locator(".tile .badge").first).to_have_text("×")


def test_what_was_not_saved_is_never_shown_as_saved_and_is_saved_after_a_restart(shown):
    page = shown.open()
    port = shown.server.port
    shown.server.stop()
    page.keyboard.press("k")
    expect(page.locator("#notice")).to_contain_text("The server does not answer. 1 decision is not saved yet.")
    expect(page.locator("#saving")).to_have_text("saving 1 …")
    assert shown.review.journal() == ()
    shown.start(port)
    decided(page, 1)
    expect(page.locator("#notice")).to_be_hidden()
    assert [entry.kind for entry in shown.review.journal()] == ["keep"]


def test_a_page_of_another_origin_reaches_nothing_even_with_the_address(shown, browser):
    """127.0.0.1 under another port: the same site, another origin."""
    address = shown.server.url
    key = shown.review.table.sha256(0)
    script = f"""<title>evil</title><iframe src="{address}"></iframe><script>
      const body = JSON.stringify({{decisions: [{{row: 0, kind: "delete"}}]}});
      const tried = [
        fetch("{address}api/decide", {{method: "POST", mode: "no-cors", body}}),
        fetch("{address}api/decide", {{method: "POST", headers: {{"content-type": "application/json"}}, body}}),
        fetch("{address}api/start").then((answer) => answer.text()),
        new Promise((yes, no) => {{ const image = new Image(); image.onload = yes; image.onerror = () => no();
          image.src = "{address}pictures/{key}/small"; }}),
      ];
      Promise.allSettled(tried).then((all) => {{ document.title = all.map((one) => one.status).join(" "); }});
    </script>"""

    class Evil(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(script.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil) as evil:
        threading.Thread(target=evil.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{evil.server_address[1]}/")
        expect(page).to_have_title("rejected rejected rejected rejected")
        assert page.frames[-1].evaluate("document.body ? document.body.innerText : ''").find("decided") < 0
        page.close()
        evil.shutdown()
    assert shown.review.journal() == ()
