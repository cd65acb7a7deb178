"""Decoders that crash, never end or take all memory, in real commands: named; all else is as without them."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="faults are planted by what POSIX offers")

MAIN = "from ursa.cli import main; main()"
FAULTS = {
    "abort": ("crashes-its-decoder", "crashes its decoder: ended by SIGABRT"),
    "loop": ("takes-too-long", "takes too long: "),
    "memory": ("too-large", "too large: it does not fit into memory"),
}


@pytest.fixture(scope="module")
def ursa(plant):
    """ursa("check", ..., "--json") -> exit status and document, by a process whose decoders have the faults."""

    def run(*words: object) -> tuple[int, object]:
        command = [sys.executable, "-c", MAIN, *map(str, words), "--json"]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment(plant), timeout=200, cwd=plant.parent
        )
        assert done.returncode in (0, 1), done.stderr[-2000:]
        return done.returncode, json.loads(done.stdout)

    return run


def environment(plant):
    return {**os.environ, "PYTHONPATH": str(plant), "OMP_NUM_THREADS": "2"}


def add_faults(folder, planted, faults):
    for place, fault in zip(sorted(path for path in folder.iterdir() if path.is_dir()), faults, strict=False):
        (place / f"planted_{fault}.jpg").write_bytes(planted(fault))


def test_check_names_the_pictures_and_says_of_all_others_what_it_would_without_them(
    tmp_path, picture_folder, planted, ursa
):
    clean = picture_folder(tmp_path / "clean", {"blue": 12, "green": 12, "red": 12})
    hostile = picture_folder(tmp_path / "hostile", {"blue": 12, "green": 12, "red": 12})
    add_faults(hostile, planted, FAULTS)
    status, seen = ursa("check", hostile, "--backbone", "pixels")
    assert status == 0
    assert {(f["kind"], f["where"][0].rsplit("_")[-1]) for f in seen["findings"]} == {
        (kind, f"{fault}.jpg") for fault, (kind, _) in FAULTS.items()
    }
    for finding in seen["findings"]:
        said = FAULTS[finding["where"][0].rsplit("_")[-1].removesuffix(".jpg")][1]
        assert finding["evidence"].lower().startswith(said.lower())
    _, wanted = ursa("check", clean, "--backbone", "pixels")
    assert seen["accuracy"] == wanted["accuracy"]
    assert seen["confusion"] == wanted["confusion"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, picture_folder, planted, ursa):
    """A bundle trained on a folder that holds a picture on which the decoder dies."""
    place = tmp_path_factory.mktemp("trained")
    folder = picture_folder(place / "pictures", {"green": 12, "red": 12})
    add_faults(folder, planted, ["abort"])
    settings = ("--backbone", "pixels", "--set", "epochs=1")
    status, trained = ursa("train", folder, "--out", place / "m.ursa", *settings)
    assert status == 0
    assert sum(trained["pictures"].values()) == 24
    return place / "m.ursa"


def test_predict_answers_all_other_pictures(bundle, tmp_path, planted, ursa):
    names = ["one", "abort", "two", "memory"]
    files = [tmp_path / f"{name}.jpg" for name in names]
    for name, file in zip(names, files, strict=True):
        file.write_bytes(planted(name))
    status, answers = ursa("predict", bundle, *files)
    assert status == 1
    assert ["problem" in answer for answer in answers] == [False, True, False, True]
    assert answers[1]["problem"] == FAULTS["abort"][1]


def test_a_server_answers_422_and_goes_on(bundle, plant, planted):
    command = [sys.executable, "-c", MAIN, "serve", str(bundle), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(plant)) as server:
        try:
            text = ""
            while not text.rstrip().endswith("}"):
                text += server.stdout.readline()
            address = json.loads(text)["address"]
            assert post(address, planted("one"))[0] == 200
            for fault in ("abort", "abort", "memory"):
                status, answer = post(address, planted(fault))
                assert status == 422
                assert answer["error"].startswith(FAULTS[fault][1])
                assert post(address, planted("two"))[0] == 200
            assert server.poll() is None
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0


def post(address, data):
    request = urllib.request.Request(f"{address}predict", data, {"content-type": "image/jpeg"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as problem:
        return problem.code, json.load(problem)
