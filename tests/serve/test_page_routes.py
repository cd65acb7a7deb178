"""The page's files, headers, words, and what it is told of the model: in process, without a browser."""

import gzip
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from ursa.errors import DataError
from ursa.serve.api.served_models import served_models
from ursa.serve.app import app
from ursa.serve.limits import ServerLimits
from ursa.serve.page.model_document import model_document
from ursa.serve.page.page_assets import SECURITY_HEADERS, TITLE, page_files
from ursa.serve.page.page_routes import MOST_CARD, page_routes
from ursa.serve.predictor import Predictor

LANGUAGES = {
    name.rpartition("/")[2].removesuffix(".json"): json.loads(data)
    for name, data in page_files().items()
    if name.startswith("assets/languages/")
}
SCRIPTS = {name: data.decode() for name, data in page_files().items() if name.endswith(".js")}


def client(predictor, **options):
    return TestClient(app(predictor, **options), base_url="http://localhost")


def changed(predictor, document=None, **parts):
    """A predictor whose bundle says something else."""
    bundle = predictor.bundle
    bundle = replace(bundle, document=document or bundle.document, parts={**bundle.parts, **parts})
    return SimpleNamespace(bundle=bundle, labels=predictor.labels, task=bundle.task)


# ---- files ----


def test_all_that_the_page_asks_for_is_there_and_nothing_lies_elsewhere(predictor):
    html = page_files()["index.html"].decode()
    with client(predictor) as ask:
        assert ask.get("/").headers["content-type"] == "text/html; charset=utf-8"
        for path in re.findall(r'(?:href|src)="(assets/[^"]+)"', html):
            assert ask.get("/" + path).status_code == 200, path
    for name, text in {**SCRIPTS, "index.html": html, "css": page_files()["assets/page.css"].decode()}.items():
        for imported in re.findall(r'from "\./([^"]+)"', text):
            assert f"assets/{imported}" in page_files(), (name, imported)
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), name
        assert not re.search(r"@import|url\(", text), name
    assert not re.search(r"<script(?! type=\"module\" src=)|<style|\son\w+=|\sstyle=", html)  # nothing inline
    modules = {f"assets/{name}" for name in re.findall(r'modulepreload" href="assets/([^"]+)"', html)}
    assert modules | {"assets/main.js"} == set(SCRIPTS)  # all are fetched at once, none twice


def test_the_whole_page_is_small(predictor):
    """What a first visit fetches, in one language: 25 kB packed, when this was written."""
    words = [name for name in page_files() if name.startswith("assets/languages/") and not name.endswith("/en.json")]
    packed = {name: len(gzip.compress(data)) for name, data in page_files().items() if name not in words}
    assert sum(packed.values()) < 30_000, packed


def test_scripts_never_make_markup_or_code_of_text():
    banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|srcdoc"
    assert {name: re.findall(banned, text) for name, text in SCRIPTS.items() if re.search(banned, text)} == {}


def test_only_the_model_module_knows_where_answers_come_from():
    """The seam: another `model.js` makes the same page ask another model."""
    asking = {name for name, text in SCRIPTS.items() if re.search(r"XMLHttpRequest|v1/|\bfetch\(", text)}
    # words.js fetches its own languages; adding.js an example, from the address that the model module gave
    assert asking == {"assets/model.js", "assets/words.js", "assets/adding.js"}
    exported = set(re.findall(r"export (?:async function|const|function) (\w+)", SCRIPTS["assets/model.js"]))
    assert exported == {"load", "predict", "example", "card", "address"}


def test_what_has_not_changed_is_not_sent_again(predictor):
    with client(predictor) as ask:
        for path in ("/", "/assets/main.js", "/assets/languages/de.json", "/v1/model", "/card"):
            for encoding in ("gzip", "identity"):
                headers = {"accept-encoding": encoding}
                first = ask.get(path, headers=headers)
                again = ask.get(path, headers={**headers, "if-none-match": first.headers["etag"]})
                assert (first.status_code, again.status_code, again.content) == (200, 304, b""), path
                assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
            packed, plain = (ask.get(path, headers={"accept-encoding": one}) for one in ("gzip", "identity"))
            assert packed.content == plain.content
            if len(plain.content) > 400:  # shorter when packed; another body is another tag
                assert packed.headers["content-encoding"] == "gzip"
                assert plain.headers["etag"] != packed.headers["etag"]
        other = ask.get("/", headers={"if-none-match": '"something else"'})
        assert other.status_code == 200


def test_every_answer_carries_the_headers(predictor):
    with client(predictor) as ask:
        for path in ("/", "/assets/main.js", "/v1/model", "/card", "/assets/nothing.js", "/nowhere"):
            headers = ask.get(path).headers
            for name in set(SECURITY_HEADERS) - {"cache-control"}:
                assert headers[name] == SECURITY_HEADERS[name], (path, name)
    policy = SECURITY_HEADERS["content-security-policy"]
    assert "unsafe" not in policy and "http" not in policy and "default-src 'none'" in policy


@pytest.mark.parametrize(
    "path", ["../app.py", "..%2f..%2fapp.py", "__init__.py", "", "languages", "main.js/", "MAIN.JS"]
)
def test_nothing_else_is_served(predictor, path):
    with client(predictor) as ask:
        assert ask.get(f"/assets/{path}").status_code == 404


def test_the_operator_gives_the_title(predictor):
    with client(predictor, title='<b>Odd</b> & "Sons"') as ask:
        page = ask.get("/").text
        assert "&lt;b&gt;Odd&lt;/b&gt; &amp; &quot;Sons&quot;" in page and "<b>Odd" not in page
        assert page.count("&lt;b&gt;Odd") == 2 and TITLE not in page
        assert ask.get("/v1/model").json()["title"] == '<b>Odd</b> & "Sons"'
    with client(predictor) as ask:
        assert ask.get("/").text.count(TITLE) == 2  # of the window and at the top
        assert ask.get("/v1/model").json()["title"] is None


def test_a_title_of_nothing_is_refused(predictor):
    for title in ("", "  "):
        with pytest.raises(DataError, match="title is empty"):
            page_routes(predictor, title)


def test_the_command_gives_the_title(packed, monkeypatch):
    from ursa.cli.subcommands.serve_command import serve
    from ursa.serve import run

    given = []
    monkeypatch.setattr(run, "run", lambda *_, **options: given.append(options["title"]))
    serve([packed])
    serve([packed], title="Which bear is it?")
    assert given == [None, "Which bear is it?"]


def test_the_page_works_below_another_path(predictor):
    with TestClient(Starlette(routes=[Mount("/bears", routes=page_routes(predictor, "Bears"))])) as ask:
        for path in ("", "assets/main.js", "v1/model", "card"):
            assert ask.get(f"/bears/{path}").status_code == 200
    for name, text in {**SCRIPTS, "index.html": page_files()["index.html"].decode()}.items():
        assert not re.search(r"""(?:href|src|fetch\(|get\(|open\("POST", )=?["'`]/""", text), name


# ---- words ----


def test_every_language_has_every_word_with_the_same_values():
    def values(word):
        texts = word.values() if isinstance(word, dict) else [word]
        return [set(re.findall(r"\{(\w+)\}", text)) for text in texts]

    english = LANGUAGES["en"]
    for name, words in LANGUAGES.items():
        assert list(words) == list(english), name  # in the same order, for who translates
        for key, word in words.items():
            assert isinstance(word, dict) == isinstance(english[key], dict), (name, key)
            *one, other = values(word)
            assert other == values(english[key])[-1], (name, key)
            assert all(found | {"count"} == other | {"count"} for found in one), (name, key)  # one: may need no number
            if isinstance(word, dict):
                assert set(word) == {"one", "other"}, (name, key)
            assert all(text.strip() == text and text for text in (word.values() if isinstance(word, dict) else [word]))
    listed = re.search(r"LANGUAGES = \{([^}]*)\}", SCRIPTS["assets/words.js"]).group(1)
    assert set(re.findall(r"(\w+):", listed)) == set(LANGUAGES) == {"en", "es", "de", "zh"}


def test_every_word_is_used_and_every_used_word_is_there():
    html = page_files()["index.html"].decode()
    everything = "".join([*SCRIPTS.values(), html])
    begun = re.findall(r"say\(`([\w-]+-)\$\{", everything)  # such as `state-${state}`
    for key in LANGUAGES["en"]:
        assert f'"{key}"' in everything or any(key.startswith(start) for start in begun), key
    said = re.findall(r'say\("([\w-]+)"', everything) + re.findall(r'data-(?:say|label)="([\w-]+)"', html)
    assert set(said) <= set(LANGUAGES["en"])


def test_the_page_stands_in_english_before_any_script_ran():
    html = page_files()["index.html"].decode()
    for key, text in re.findall(r'data-say="([\w-]+)"[^>]*>([^<]*)<', html):
        assert text == LANGUAGES["en"][key], key


def test_every_kind_of_problem_has_words():
    kinds = set(re.findall(r'", "([\w-]+)"\]', SCRIPTS["assets/problems.js"])) | {"offline", "server", "refused"}
    assert kinds == {key.removeprefix("problem-") for key in LANGUAGES["en"] if key.startswith("problem-")}
    assert kinds == {key.removeprefix("help-") for key in LANGUAGES["en"] if key.startswith("help-")}


# ---- what the page is told ----


def test_the_model_document(predictor):
    with client(predictor, limits=ServerLimits(max_bytes=12_345)) as ask:
        told = ask.get("/v1/model").json()
    assert told == {
        "title": None,
        "task": "single-label",
        "classes": ["blue", "green", "red"],
        "accuracy": {"value": 0.948, "low": 0.93, "high": 0.961},
        "unsure": False,
        "preparation": {"size": 16, "fit": "pad"},
        "model": {"name": "colours", "version": "0.1.0", "created": None, "sha256": told["model"]["sha256"]},
        "limits": {"max_bytes": 12_345, "max_pictures": 64},
        "examples": 0,
    }
    assert re.fullmatch("[0-9a-f]{64}", told["model"]["sha256"])


def test_a_bundle_that_may_abstain_says_so(bundle_files, pack, tmp_path):
    careful = Predictor(pack(bundle_files(thresholds={"abstain": {"value": 0.9}}), tmp_path / "careful.ursa"))
    assert model_document(careful, None, ServerLimits(), 0)["unsure"] is True


@pytest.mark.parametrize(
    "accuracy",
    [None, [], "95 %", {}, {"value": 0.9}, {"value": True, "low": 0, "high": 1}, {"value": 9, "low": 8, "high": 10},
     {"value": 0.9, "low": 0.95, "high": 1.0}, {"value": float("nan"), "low": 0.1, "high": 0.9},
     {"value": "<b>", "low": 0, "high": 1}],
)  # fmt: skip
def test_an_accuracy_that_is_none_is_not_shown(predictor, accuracy):
    document = {**predictor.bundle.document, "metrics": {"accuracy": accuracy}}
    assert model_document(changed(predictor, document), None, ServerLimits(), 0)["accuracy"] is None


def test_odd_facts_of_a_strangers_bundle_are_left_out(predictor):
    document = {**predictor.bundle.document, "training": ["x"], "versions": {"ursa": {"a": 1}}, "created": "9" * 1000}
    told = model_document(changed(predictor, document), None, ServerLimits(), 0)
    assert (told["model"]["name"], told["model"]["version"], len(told["model"]["created"])) == (None, None, 200)


def test_examples_come_from_the_bundle(bundle_files, pack, paint, predictor, tmp_path):
    shown = [paint(color, (200, 200)) for color in ("red", "green", "blue")]
    path = pack(bundle_files(examples=shown), tmp_path / "shown.ursa")
    with client(Predictor(path)) as ask:
        assert ask.get("/v1/model").json()["examples"] == 3
        answer = ask.get("/examples/1.jpg")
        assert (answer.content, answer.headers["content-type"]) == (shown[1], "image/jpeg")
        assert ask.get("/examples/3.jpg").status_code == 404
        assert ask.get("/examples/-1.jpg").status_code == 404
    with client(predictor) as ask:
        assert ask.get("/examples/0.jpg").status_code == 404


def test_the_card_is_text_however_it_was_written(predictor):
    def card(data):
        with TestClient(Starlette(routes=page_routes(changed(predictor, **{"card.md": data})))) as ask:
            answer = ask.get("/card")
        assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
        return answer.text

    assert card("# Café\n".encode()) == "# Café\n"
    assert card(b"\xff<script>") == "�<script>"
    assert len(card(b"x" * (3 * MOST_CARD))) == MOST_CARD


def test_several_bundles_have_a_page_each(bundle_files, pack, tmp_path):
    paths = [pack(bundle_files(("a", "b", name)), tmp_path / f"{name}.ursa") for name in ("bears", "dogs")]
    with TestClient(app(served_models(paths)), base_url="http://localhost") as ask:
        for at, name in (("", "bears"), ("/bears", "bears"), ("/dogs", "dogs")):
            assert f"<title>{name}</title>" in ask.get(f"{at}/").text
            assert ask.get(f"{at}/v1/model").json()["classes"] == ["a", "b", name]
            assert ask.get(f"{at}/assets/main.js").status_code == ask.get(f"{at}/card").status_code == 200
