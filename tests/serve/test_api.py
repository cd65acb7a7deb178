"""The API beside its answers: what may be asked, by whom, how often, and what operators see of it."""

import asyncio
import functools
import json
import logging
import shutil
import time

import pytest
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from ursa.errors import BundleError, DataError
from ursa.serve import trial
from ursa.serve.api import reload
from ursa.serve.api.api_keys import api_keys
from ursa.serve.api.model_paths import ModelPaths
from ursa.serve.api.rate_limit import RateLimiter
from ursa.serve.api.request_log import RequestLog
from ursa.serve.api.served_models import ServedModel, served_models, stamp_of
from ursa.serve.api.server_metrics import ServerMetrics
from ursa.serve.app import ApiOptions, app
from ursa.serve.http.fair_queue import FairQueue
from ursa.serve.http.refusals import RefusedError
from ursa.serve.limits import ServerLimits
from ursa.serve.predictor import Predictor

KEY = "k" * 32


@pytest.fixture(scope="module")
def client(predictor):
    with TestClient(app(predictor), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def guarded(predictor):
    return TestClient(app(predictor, options=ApiOptions(api_keys=(KEY, "z" * 16))))


@pytest.fixture(scope="module")
def red(paint):
    return paint("red")


def send(client, data, path="/v1/predict", **headers):
    return client.post(path, content=data, headers={"content-type": "image/jpeg", **headers})


def asynchronous(test):
    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


def metric(client, line, **headers):
    """The value of a line of /metrics; 0 where there is none yet."""
    for each in client.get("/metrics", headers=headers).text.splitlines():
        if each.startswith(f"{line} "):
            return float(each.rpartition(" ")[2])
    return 0.0


# v1


def test_both_paths_answer_alike(client, red):
    assert send(client, red).json() == send(client, red, "/predict").json()
    files = [("picture", ("a", red)), ("file", ("b", red))]
    assert client.post("/v1/predict", files=files).json() == client.post("/predict", files=files).json()


def test_top_leaves_the_most_probable_classes_the_first_first(client, paint):
    whole = send(client, paint("#c04020")).json()
    ranked = sorted(whole["probabilities"], key=whole["probabilities"].get, reverse=True)
    for count in (1, 2, 3):
        few = send(client, paint("#c04020"), f"/v1/predict?top={count}").json()
        assert list(few["probabilities"]) == ranked[:count]
        assert few | {"probabilities": None} == whole | {"probabilities": None}


@pytest.mark.parametrize(
    "query", ["top=0", "top=4", "top=-1", "top=x", "top=", "top=1&top=2", "top=1e0", "top=²", "tpo=1"]
)
def test_what_top_cannot_mean_is_refused_and_not_ignored(client, red, query):
    answer = send(client, red, f"/v1/predict?{query}")
    assert answer.status_code == 400
    assert "top" in json.dumps(answer.json())


def test_the_old_path_passes_over_parameters_as_ever(client, red):
    assert send(client, red, "/predict?top=1&x=2").json() == send(client, red, "/predict").json()


# OpenAPI


@pytest.mark.parametrize("keys", [(), (KEY,)])
def test_the_document_is_valid_and_holds_classes_and_limits(predictor, keys):
    headers = {"x-api-key": KEY}
    client = TestClient(app(predictor, options=ApiOptions(api_keys=keys)))
    document = client.get("/openapi.json", headers=headers).json()
    validate(document)
    prediction = document["components"]["schemas"]["Prediction"]["properties"]
    assert prediction["label"]["enum"] == ["blue", "green", "red"]
    assert ("security" in document) is bool(keys)
    assert {"/v1/predict", "/predict", "/health", "/ready", "/metrics"} == set(document["paths"])
    for path in document["paths"]:  # what is promised is there
        assert client.request("HEAD", path, headers=headers).status_code != 404


def test_answers_and_refusals_keep_to_the_document(client, red):
    from jsonschema import Draft202012Validator

    document = client.get("/openapi.json").json()

    def require(answer, path="/v1/predict", method="post"):
        told = document["paths"][path][method]["responses"][str(answer.status_code)]
        schema = told["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())

    require(send(client, red))
    require(send(client, red, "/v1/predict?top=1"))
    require(client.post("/v1/predict", files=[("picture", ("a", red)), ("picture", ("b", b"words"))]))
    for refused in (send(client, b"words"), send(client, b""), client.post("/v1/predict", json={})):
        require(refused)
    require(client.get("/health"), "/health", "get")


# Readiness, request IDs, log, metrics


def test_ready_after_the_first_run_and_until_the_end_begins(predictor):
    application = app(predictor)
    assert TestClient(application).get("/ready").status_code == 503  # its lifespan has not begun
    with TestClient(application) as client:
        for _ in range(500):
            if (answer := client.get("/ready")).status_code == 200:
                break
        assert answer.json() == {"status": "ready"}
    answer = TestClient(application).get("/ready")
    assert (answer.status_code, answer.json()["error"]) == (503, "busy: shutting down")
    assert answer.headers["retry-after"] and answer.headers["connection"] == "close"


@pytest.mark.parametrize("sent", ["abc-1_2.3", "x" * 64])
def test_a_sane_request_id_is_taken_over(client, sent):
    assert client.get("/health", headers={"x-request-id": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", 'a"b', "<script>", "ä"])
def test_any_other_is_replaced(client, sent):
    made = [client.get("/health", headers={"x-request-id": sent.encode("latin-1")}) for _ in range(2)]
    found = [answer.headers["x-request-id"] for answer in made]
    assert found[0] != found[1] and sent not in found and all(each.isalnum() for each in found)


@pytest.mark.parametrize("kind", ["json", "text", "none"])
def test_a_line_a_request_without_names_queries_hosts_or_keys(predictor, red, capsys, kind):
    client = TestClient(app(predictor, options=ApiOptions(log=kind)))
    files = {"picture": ("secret name.jpg", red)}
    client.post(
        "/v1/predict?top=1", files=files, headers={"x-api-key": KEY, "host": "secret.example", "x-request-id": "i"}
    )
    client.get("/%1b%5b2J%0ax")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (0 if kind == "none" else 2)
    assert not any(word in "".join(lines) for word in ("secret", KEY, "top", "\x1b"))
    if kind == "json":
        first, second = map(json.loads, lines)
        assert list(first) == ["time", "id", "client", "method", "path", "status", "ms", "bytes"]
        assert (first["id"], first["method"], first["path"], first["status"]) == ("i", "POST", "/v1/predict", 200)
        assert first["ms"] > 0 and first["bytes"] > 50
        assert second["status"] == 404


def test_an_unknown_log_is_refused(predictor):
    with pytest.raises(DataError, match="no such log") as caught:
        app(predictor, options=ApiOptions(log="jsno"))
    assert "json" in caught.value.fix


def test_requests_pictures_and_refusals_are_counted(predictor, red):
    client = TestClient(app(predictor), raise_server_exceptions=False)
    send(client, red)
    client.post("/v1/predict", files=[("picture", ("a", red)), ("picture", ("b", b"words"))])
    send(client, b"words")
    client.get("/nowhere/1")
    client.get("/nowhere/2")
    assert metric(client, 'ursa_http_requests_total{model="model",path="/v1/predict",status="200"}') == 2
    assert metric(client, 'ursa_http_requests_total{model="model",path="/v1/predict",status="422"}') == 1
    assert metric(client, 'ursa_http_requests_total{model="model",path="other",status="404"}') == 2
    assert metric(client, 'ursa_http_request_duration_seconds_count{model="model",path="/v1/predict"}') == 3
    assert metric(client, 'ursa_pictures_total{model="model",outcome="predicted"}') == 2
    assert metric(client, 'ursa_pictures_total{model="model",outcome="problem"}') == 2
    assert metric(client, 'ursa_refused_requests_total{reason="picture"}') == 1
    assert metric(client, "ursa_queue_length") == metric(client, "ursa_pictures_in_progress") == 0
    text = client.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain")
    assert f'sha256="{predictor.bundle.document["sha256"]}"' in text.text


@asynchronous
async def test_queue_and_work_are_counted():
    queue = FairQueue(1, 4, ahead=0)
    with queue.place("a") as place:
        async with queue.turn(place):
            assert (queue.length(), queue.in_progress()) == (0, 1)
    assert (queue.length(), queue.in_progress()) == (0, 0)


@asynchronous
async def test_a_request_that_breaks_is_counted_too():
    async def broken(scope, receive, send):
        raise OSError("gone")

    metrics = ServerMetrics()
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "client": None}
    with pytest.raises(OSError, match="gone"):
        await RequestLog(broken, metrics)(scope, None, None)
    assert b'ursa_http_requests_total{model="",path="other",status="0"} 1.0' in metrics.text()[0]


# Keys


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}, {"x-api-key": "z" * 16}])
def test_each_key_opens_in_either_header(guarded, red, headers):
    assert send(guarded, red, **headers).json()["label"] == "red"


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-api-key": KEY[:-1]}, {"authorization": KEY}, {"authorization": f"Basic {KEY}"}, {"x-api-key": ""}],
)
@pytest.mark.parametrize("path", ["/", "/v1/predict", "/predict", "/metrics", "/openapi.json", "/nowhere"])
def test_nothing_else_does(guarded, red, headers, path):
    answer = send(guarded, red, path, **headers) if "predict" in path else guarded.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert KEY not in answer.text


def test_probes_need_no_key_and_learn_nothing(guarded):
    assert guarded.get("/health").json() == {"status": "ok"}
    assert guarded.get("/health", headers={"x-api-key": KEY}).json()["classes"] == ["blue", "green", "red"]
    assert guarded.get("/ready").status_code == 503


def test_keys_come_from_a_file_and_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("URSA_API_KEY", raising=False)
    file = tmp_path / "keys"
    file.write_text(f"# ours\n\n{KEY}\n  {'b' * 20}  \n")
    assert api_keys(file, "c" * 16) == ("c" * 16, KEY, "b" * 20)
    assert api_keys(file) == (KEY, "b" * 20)
    assert api_keys(None) == ()


@pytest.mark.parametrize("text", ["", "# nothing\n", "short\n", "x" * 513, "has space inside it\n", "ä" * 20])
def test_a_file_without_a_good_key_is_refused(tmp_path, text):
    (tmp_path / "keys").write_text(text)
    with pytest.raises(DataError) as caught:
        api_keys(tmp_path / "keys")
    assert "secrets" in caught.value.fix
    assert text.strip() == "" or text.strip() not in str(caught.value)


def test_an_empty_environment_variable_is_no_open_door(monkeypatch):
    monkeypatch.setenv("URSA_API_KEY", "")
    with pytest.raises(DataError, match="16 to 512"):
        api_keys(None)


# Other origins


def test_other_origins_are_told_nothing_unless_they_are_allowed(predictor, red):
    asks = {"origin": "https://a.example"}
    assert "access-control-allow-origin" not in send(TestClient(app(predictor)), red, **asks).headers
    client = TestClient(app(predictor, options=ApiOptions((KEY,), ("https://a.example",))))
    preflight = {**asks, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    answer = client.options("/v1/predict", headers=preflight)  # without a key, as browsers do
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    refused = send(client, red, **asks)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://a.example")
    other = client.options("/v1/predict", headers={**preflight, "origin": "https://b.example"})
    assert other.status_code == 400 and "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    "origin", ["a.example", "https://a.example/", "https://A.example", "https://*.example", "null", ""]
)
def test_what_is_no_origin_is_refused(predictor, origin):
    with pytest.raises(DataError, match="no origin"):
        app(predictor, options=ApiOptions(cors_origins=(origin,)))


# Rates


def test_so_many_pictures_a_minute_and_then_as_they_come_back():
    now = [0.0]
    rates = RateLimiter(6, clock=lambda: now[0])
    for _ in range(6):
        rates.take("a", 1)
    with pytest.raises(RefusedError) as caught:
        rates.take("a", 1)
    assert (caught.value.status, caught.value.headers, caught.value.reason) == (429, {"retry-after": "10"}, "rate")
    rates.take("b", 1)  # others are not concerned
    now[0] = 9.9
    with pytest.raises(RefusedError):
        rates.require("a")
    now[0] = 10.1
    rates.take("a", 1)
    now[0] = 1000.0
    rates.take("a", 8)  # more than there are: counted when they have come
    with pytest.raises(RefusedError) as caught:
        rates.require("a")
    assert caught.value.headers == {"retry-after": "30"}


def test_less_than_one_a_minute_still_answers():
    now = [0.0]
    rates = RateLimiter(0.5, clock=lambda: now[0])
    rates.take("a", 1)
    with pytest.raises(RefusedError) as caught:
        rates.require("a")
    now[0] += float(caught.value.headers["retry-after"])
    rates.take("a", 1)


def test_over_the_rate_is_429_with_the_time_to_wait(predictor, red):
    client = TestClient(app(predictor, limits=ServerLimits(rate=2)))
    assert [send(client, red).status_code for _ in range(3)] == [200, 200, 429]
    answer = send(client, red)
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert client.get("/health").status_code == 200
    assert metric(client, 'ursa_refused_requests_total{reason="rate"}') == 2


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"rate": float("nan")}, {"rate": -1}, {"max_bytes": 0}, {"waiting": -1}]
)
def test_limits_that_no_server_can_keep_are_refused(wrong):
    with pytest.raises(DataError):
        ServerLimits(**wrong)


# Several models


@pytest.fixture
def two(packed, bundle_files, pack, tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "require_works", lambda *_: None)  # costs a second; `test_session` has it
    first = shutil.copy(packed, tmp_path / "colours.ursa")
    second = pack(bundle_files(("bleu", "rouge", "vert")), tmp_path / "couleurs.ursa")
    models = served_models([tmp_path / "colours.ursa", tmp_path / "couleurs.ursa"])
    yield models, first, second
    for model in models:
        model.predictor.close()


def test_the_first_stands_at_the_root_and_each_below_its_name(two, red):
    client = TestClient(app(two[0]))
    labels = [send(client, red, f"{at}/v1/predict").json()["label"] for at in ("", "/colours", "/couleurs")]
    assert labels == ["red", "red", "vert"]
    assert client.get("/couleurs/health").json()["classes"] == ["bleu", "rouge", "vert"]
    document = client.get("/couleurs/openapi.json").json()
    assert document["servers"] == [{"url": "/couleurs"}] and document["info"]["title"] == "couleurs"
    answer = client.get("/couleurs", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "couleurs/")  # repeats no Host
    assert "couleurs" in client.get("/couleurs/").text
    assert metric(client, 'ursa_pictures_total{model="couleurs",outcome="predicted"}') == 1
    for path in ("/nowhere/v1/predict", "/colours/colours/v1/predict", "/couleurs/nowhere"):
        assert send(client, red, path).status_code == 404


def test_a_single_model_has_no_second_place(predictor, red):
    client = TestClient(app(ServedModel("colours", predictor)))
    assert send(client, red, "/colours/v1/predict").status_code == 404


@pytest.mark.parametrize("names", [("health", "b"), ("a", "a"), ("a b", "c"), ("{x}", "y"), ("..", "z")])
def test_names_that_are_no_places_are_refused(packed, tmp_path, names):
    paths = []
    for i, name in enumerate(names):
        (tmp_path / str(i)).mkdir()
        paths.append(shutil.copy(packed, tmp_path / str(i) / f"{name}.ursa"))
    with pytest.raises(DataError, match="name") as caught:
        served_models(paths)
    assert "copy" in caught.value.fix


def test_nothing_to_serve_is_refused_and_so_is_one_title_for_two(two):
    for wrong in (lambda: served_models([]), lambda: app(()), lambda: app(two[0], title="x")):
        with pytest.raises(DataError):
            wrong()


# New versions


async def taken_over(model, change, until, load=Predictor, rounds=400):
    """What became of a change while the server looks each hundredth of a second."""
    seen = []
    task = asyncio.create_task(
        reload.take_over_new_versions([model], lambda _, outcome: seen.append(outcome), every=0.01, load=load)
    )
    await asyncio.sleep(0.05)
    change()
    for _ in range(rounds):
        await asyncio.sleep(0.01)
        if until(seen):
            break
    task.cancel()
    return seen


@asynchronous
async def test_a_new_version_answers_and_the_old_one_is_closed_after_its_last_answer(two, bundle_files, pack, caplog):
    model, closed = two[0][0], []
    old = model.predictor
    old.close = lambda: closed.append(old)
    with model.use() as held:
        seen = await taken_over(model, lambda: pack(bundle_files(("x", "y", "z")), model.path), bool)
        assert seen == ["taken_over"]
        assert model.predictor.labels.names == ("x", "y", "z")
        assert held is old and not closed  # a request is still at work with it
        with model.use() as fresh:
            assert fresh is model.predictor
    assert closed == [old]


@asynchronous
async def test_a_broken_version_is_refused_and_the_old_one_goes_on(two, caplog):
    model = two[0][0]
    old, whole = model.predictor, model.path.read_bytes()
    seen = await taken_over(model, lambda: model.path.write_bytes(whole[: len(whole) // 2]), bool)
    assert seen == ["refused"] and model.predictor is old
    assert "is not taken over" in caplog.text and "goes on answering" in caplog.text


@asynchronous
async def test_the_same_bytes_again_or_no_file_at_all_are_no_new_version(two):
    model = two[0][0]
    old, loads = model.predictor, []

    def load(path):
        loads.append(path)
        return Predictor(path)

    whole = model.path.read_bytes()
    assert await taken_over(model, lambda: model.path.write_bytes(whole), lambda _: loads, load) == []
    model.path.unlink()
    assert stamp_of(model.path) == ()
    assert await taken_over(model, lambda: None, lambda _: len(loads) > 1, load, rounds=10) == []
    assert model.predictor is old and len(loads) == 1


@asynchronous
async def test_a_copy_on_its_way_is_left_alone(two):
    """It changes with every look, so it is not read."""
    model, loads = two[0][0], []

    def load(path):
        loads.append(path)
        raise BundleError("half a file")

    task = asyncio.create_task(reload.take_over_new_versions([model], lambda *_: None, every=0.05, load=load))
    for i in range(30):
        await asyncio.sleep(0.01)
        model.path.write_bytes(b"x" * (i + 1))
    assert loads == []
    await asyncio.sleep(0.3)
    assert len(loads) == 1
    task.cancel()


def test_a_running_server_takes_over_page_classes_and_metrics(two, bundle_files, pack, red, monkeypatch, caplog):
    monkeypatch.setattr(reload.take_over_new_versions, "__kwdefaults__", {"every": 0.02, "load": Predictor})
    models = two[0]
    with caplog.at_level(logging.INFO, "ursa.serve"), TestClient(app(models)) as client:
        pack(bundle_files(("x", "y", "z")), models[0].path)
        for _ in range(1000):
            if client.get("/health").json()["classes"] == ["x", "y", "z"]:
                break
            time.sleep(0.01)
        assert send(client, red).json()["label"] == "z"
        assert send(client, red, "/couleurs/v1/predict").json()["label"] == "vert"
        assert (
            client.get("/openapi.json").json()["components"]["schemas"]["Prediction"]["properties"]["label"]["enum"][0]
            == "x"
        )
        assert metric(client, 'ursa_model_reloads_total{model="colours",outcome="taken_over"}') == 1
    assert "the new version answers" in caplog.text


def test_a_new_version_brings_its_own_routes(two):
    def routes(model):
        return [Route(f"/{model.predictor.labels.names[0]}", lambda _: PlainTextResponse("there"))]

    models = two[0]
    paths = ModelPaths(models, routes)
    client = TestClient(Starlette(routes=[Mount("/", paths)]))
    assert client.get("/couleurs/bleu").text == "there"
    models[1].predictor, other = models[0].predictor, models[1].predictor
    paths.changed(models[1])
    assert client.get("/couleurs/blue").text == "there"
    assert client.get("/couleurs/bleu").status_code == 404
    models[1].predictor = other
