"""The application among strangers: who may ask, what comes out, and what no parameter reaches."""

import io
import json

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.review_page.conftest import PORT, TOKEN
from ursa.review_page.access import Ticket
from ursa.review_page.review_app import MOST_BYTES, MOST_WISHES
from ursa.review_page.thumbnail_pack import ThumbnailPack


def sha(reviewed, id):
    return reviewed.table.sha256(reviewed.row(id))


def test_nothing_is_answered_without_the_token(reviewed):
    key = sha(reviewed, "black/black_000.jpg")
    for path in (
        "/",
        "/x",
        f"/{TOKEN}x/",
        f"/{TOKEN[:-1]}/api/start",
        "/api/start",
        f"/x/pictures/{key}/small",
        "/\udcff/",
    ):
        answer = reviewed.client.get(path.encode("utf-8", "surrogateescape").decode("latin-1"))
        assert answer.status_code == 404 and "folder" not in answer.text, path
    assert reviewed.get("").status_code == 200


def test_a_ticket_leads_to_the_page_once(reviewed):
    ticket = Ticket()
    client = reviewed.again(ticket=ticket).client
    assert client.get(f"/{ticket.path}/", follow_redirects=False).headers["location"] == f"/{TOKEN}/"
    assert client.get(f"/{ticket.path}/", follow_redirects=False).status_code == 404


def test_another_host_is_another_site(reviewed):
    strange = TestClient(reviewed.app, base_url="http://bears.example.com")
    assert strange.get(f"/{TOKEN}/api/start").status_code == 421  # DNS rebinding


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://127.0.0.1:{PORT + 1}"},
        {"origin": f"http://127.0.0.1:{PORT}.evil.example"},
        {"origin": "http://[::1"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_a_page_of_another_site_decides_nothing(reviewed, headers):
    wish = {"decisions": [{"row": 0, "kind": "delete"}]}
    assert reviewed.post("api/decide", json=wish, headers=headers).status_code == 403
    assert reviewed.post("api/apply", json={"dry_run": False}, headers=headers).status_code == 403
    assert reviewed.post("api/revert", json={}, headers=headers).status_code == 403
    assert reviewed.journal() == ()


def test_the_page_itself_may(reviewed):
    origin = {"origin": f"http://127.0.0.1:{PORT}", "sec-fetch-site": "same-origin"}
    assert (
        reviewed.post("api/decide", json={"decisions": [{"row": 0, "kind": "keep"}]}, headers=origin).status_code == 200
    )


def test_a_form_of_another_site_is_no_json(reviewed):
    form = reviewed.post("api/decide", content='{"decisions": []}', headers={"content-type": "text/plain"})
    assert form.status_code == 415


def test_a_proxy_of_a_notebook_may_be_allowed(reviewed):
    framed = reviewed.again(framed=True, allowed_hosts=("*.colab.dev",))
    client = TestClient(framed.app, base_url="https://x-8080.colab.dev")
    wish = {"decisions": [{"row": 0, "kind": "keep"}]}
    headers = {"origin": "https://x-8080.colab.dev"}
    assert client.post(f"/{TOKEN}/api/decide", json=wish, headers=headers).status_code == 200
    assert "frame-ancestors *" in client.get(f"/{TOKEN}/").headers["content-security-policy"]


TRICKS = [
    "../../etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cwindows",
    "/etc/passwd",
    "a" * 5000,
    "%00",
    "0" * 64,
]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_parameter_reaches_a_file(reviewed, trick):
    key = sha(reviewed, "black/black_000.jpg")
    for path in (f"app/{trick}", f"pictures/{trick}/small", f"pictures/{key}/{trick}", trick, f"api/{trick}"):
        answer = reviewed.get(path)
        assert answer.status_code in (404, 405) and "root:" not in answer.text
    for path in (f"api/items?numbers={trick}", f"api/changes?since={trick}"):
        assert reviewed.get(path).status_code in (400, 404) or trick == "0" * 64
    assert reviewed.view(f"kind={trick}&class={trick}&split={trick}") == []


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"row": "0", "kind": "keep"},
        {"row": 0.5, "kind": "keep"},
        {"row": True, "kind": "keep"},
        {"row": 0, "kind": "explode"},
        {"row": 0, "kind": "label"},
        {"row": 0, "kind": "keep", "label": "brown"},
        {"row": 0, "kind": "new-label", "label": "  "},
        {"row": 0, "kind": "new-label", "label": "a\0b"},
        {"row": 0, "kind": "new-label", "label": "\ud800"},
        {"row": 0, "kind": "new-label", "label": "x" * 1001},
        {"row": 0, "kind": "keep", "path": "/etc/passwd"},
        ["row", 0],
        None,
    ],
)
def test_a_decision_of_another_form_is_refused(reviewed, wish):
    body = json.dumps({"decisions": [wish]})
    answer = reviewed.post("api/decide", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and set(answer.json()) == {"error", "found", "fix"}
    assert reviewed.journal() == ()


def test_bodies_are_bounded_and_have_to_be_documents(reviewed):
    kind = {"content-type": "application/json"}
    assert reviewed.post("api/decide", content=b" " * (MOST_BYTES + 1), headers=kind).status_code == 413
    for body in (b"", b"[1]", b"{", b"[" * 100_000, b'{"decisions": {}}', b'{"decisions": []}'):
        assert reviewed.post("api/decide", content=body, headers=kind).status_code == 400
    assert reviewed.decide(*[{"row": 0, "kind": "keep"}] * (MOST_WISHES + 1)).status_code == 400
    assert reviewed.post("api/apply", json={"dry_run": "no"}).status_code == 400
    assert reviewed.get("api/items?numbers=" + ",".join(["0"] * 201)).status_code == 400
    assert reviewed.get("api/items?numbers=99999").status_code == 404
    assert reviewed.get("api/decide").status_code == 405


def test_every_answer_carries_the_policy_and_nothing_is_loaded_from_elsewhere(reviewed):
    page = reviewed.get("")
    names = [word.split('"')[1] for word in page.text.split() if word.startswith(("src=", "href="))]
    assert names and all(name.startswith("app/") for name in names)
    for name in names:
        assert reviewed.get(name).status_code == 200
    for answer in (page, reviewed.get("api/start"), reviewed.client.get("/nowhere"), reviewed.get("api/decide")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_pictures_are_made_by_us_and_kept_by_the_browser(reviewed):
    key = sha(reviewed, "black/black_000.jpg")
    for size, kind in (("small", "WEBP"), ("large", "JPEG")):
        answer = reviewed.get(f"pictures/{key}/{size}")
        image = Image.open(io.BytesIO(answer.content))
        assert image.format == kind and image.size == (48, 48) and not image.getexif()
        assert "immutable" in answer.headers["cache-control"]
        tag = {"if-none-match": answer.headers["etag"]}
        assert reviewed.get(f"pictures/{key}/{size}", headers=tag).status_code == 304
    assert reviewed.get(f"pictures/{sha(reviewed, 'black/broken.jpg')}/small").status_code == 404


def test_a_small_picture_is_made_once_and_shrinks(reviewed, photo, encode, monkeypatch):
    big = reviewed.folder / "black/big.jpg"
    big.write_bytes(encode(photo(7, 1000, 500), "JPEG"))
    after = reviewed.again()
    key = sha(after, "black/big.jpg")
    answer = after.get(f"pictures/{key}/small")
    assert Image.open(io.BytesIO(answer.content)).size == (320, 160)
    big.unlink()  # the next server needs no file for it
    pack = ThumbnailPack(after.space.root / "review_thumbnails.bin")
    assert pack.get(key) == answer.content


def test_a_picture_that_is_gone_or_changed_is_said_so(reviewed):
    gone, changed = sha(reviewed, "black/black_001.png"), sha(reviewed, "brown/brown_001.png")
    (reviewed.folder / "black/black_001.png").unlink()
    (reviewed.folder / "brown/brown_001.png").write_bytes((reviewed.folder / "brown/brown_003.png").read_bytes())
    for key, words in ((gone, "cannot be opened"), (changed, "changed since the check")):
        answer = reviewed.get(f"pictures/{key}/small")
        assert answer.status_code == 404 and words in answer.json()["error"]
        assert answer.headers["cache-control"] == "no-store"
    row = reviewed.row("black/black_001.png")  # what it was can still be decided on
    assert reviewed.decide({"row": row, "kind": "delete"}).status_code == 200


def test_names_that_are_no_text_and_three_hundred_classes_pass(reviewed, picture_folder):
    picture_folder(reviewed.folder, {f"class {number:03}": 1 for number in range(300)}, side=8)
    odd = reviewed.folder / "<img src=x onerror=alert('x')>"
    odd.mkdir()
    data = (reviewed.folder / "black/black_000.jpg").read_bytes()
    (odd / "quote'\".jpg").write_bytes(data)
    try:
        (odd / b"\xff.jpg".decode("utf-8", "surrogateescape")).write_bytes(data)
    except OSError:
        pytest.skip("this file system takes no such name")
    after = reviewed.again()
    start = after.get("api/start").json()
    assert len(start["classes"]) == 303 and odd.name in start["classes"]
    numbers = ",".join(str(number) for number in range(min(200, len(after.session.items))))
    assert after.get(f"api/items?numbers={numbers}").status_code == 200
    assert after.get(f"pictures/{sha(after, 'black/black_000.jpg')}/small").status_code == 200


# ---- thumbnails in the workspace ----


def test_a_pack_is_found_again_cut_short_and_mended(tmp_path):
    place, key = tmp_path / "pack.bin", "ab" * 32
    first = ThumbnailPack(place)
    first.put(key, b"one")
    first.put("cd" * 32, b"two")
    place.write_bytes(place.read_bytes()[:-1])  # a kill in the middle
    second = ThumbnailPack(place)
    assert second.get(key) == b"one" and second.get("cd" * 32) is None
    second.put("cd" * 32, b"two again")
    assert ThumbnailPack(place).get("cd" * 32) == b"two again" and first.get(key) == b"one"


def test_a_pack_of_another_user_shows_nothing(tmp_path, monkeypatch):
    place, key = tmp_path / "pack.bin", "ab" * 32
    ThumbnailPack(place).put(key, b"theirs")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    pack = ThumbnailPack(place)
    assert pack.get(key) is None
    pack.put(key, b"mine")
    assert pack.get(key) == b"mine"


def test_what_is_written_appears_nowhere_else(tmp_path):
    victim, place = tmp_path / "victim", tmp_path / "pack.bin"
    victim.write_bytes(b"precious")
    for link in (place.hardlink_to, place.symlink_to):
        link(victim)
        pack = ThumbnailPack(place)
        pack.put("ab" * 32, b"image")
        assert pack.problem and victim.read_bytes() == b"precious"
        place.unlink()


def test_a_full_disk_costs_the_copy_and_not_the_picture(reviewed, disk):
    place = disk("16k")
    (place / "filler").write_bytes(bytes(12_000))
    reviewed.pictures.pack = ThumbnailPack(place / "pack.bin")
    keys = [
        key for key, bad in zip(*map(reviewed.table.columns.get, ("sha256", "problem")), strict=True) if bad is None
    ]
    assert all(reviewed.get(f"pictures/{key}/small").status_code == 200 for key in keys * 3)
    for number in range(64):
        reviewed.pictures.pack.put(f"{number:064x}", bytes(1000))
    assert reviewed.pictures.pack.problem
    assert reviewed.get(f"pictures/{keys[0]}/small").status_code == 200
