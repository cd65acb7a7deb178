"""The contract of the command line: documents on stdout, people's text on stderr or alone, exit codes, errors."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMANDS = ("demo", "check", "train", "evaluate", "predict", "serve")


@pytest.fixture(scope="module")
def home(tmp_path_factory, picture_folder, ursa):
    """A folder with pictures and a model trained from the command line."""
    place = tmp_path_factory.mktemp("home")
    picture_folder(place / "pets", {"cat": 12, "dog": 12})
    done = ursa("train", "pets", "--backbone", "pixels", "--set", "epochs=1", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["bundle"] == "pets.ursa"
    assert (place / "pets.ursa").is_file()
    return place


def test_help_lists_the_commands_and_each_has_an_example(ursa):
    text = ursa("--help").stdout
    assert all(command in text for command in COMMANDS)
    for command in COMMANDS:
        said = ursa(command, "--help").stdout
        assert f"Example: ursa {command}" in said
        assert "--json" in said


def test_version_and_nothing_at_all(ursa):
    import ursa as package

    assert ursa("--version").stdout == f"ursa {package.__version__}\n"
    assert "Usage" in ursa().stdout


def test_check_says_it_for_people_and_for_programs(home, ursa):
    people = ursa("check", "pets", "--backbone", "pixels", cwd=home)
    assert people.returncode == 0
    assert "24 pictures in 2 classes" in people.stdout
    assert "ursa train pets\n" in people.stdout
    programs = ursa("check", "pets", "--backbone", "pixels", "--json", cwd=home)
    assert json.loads(programs.stdout)["pictures"] == 24


def test_predict_one_and_many(home, ursa):
    done = ursa("predict", "pets.ursa", "pets/cat/cat_000.jpg", "pets/dog/dog_001.png", "--json", cwd=home)
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    assert [row["label"] for row in rows] == ["cat", "dog"]
    assert rows[0].keys() == {"picture", "label", "probability", "probabilities"}
    assert "cat" in ursa("predict", "pets.ursa", "pets/cat/cat_000.jpg", cwd=home).stdout


def test_predict_exits_1_when_a_picture_cannot_be_read_and_still_answers_the_others(home, ursa):
    done = ursa("predict", "pets.ursa", "pets/cat/cat_000.jpg", "missing.jpg", "pets.ursa", "--json", cwd=home)
    assert done.returncode == 1
    first, missing, archive = json.loads(done.stdout)
    assert first["label"] == "cat"
    assert missing == {"picture": "missing.jpg", "problem": "cannot be opened: No such file or directory"}
    assert archive["problem"] == "not a picture: a zip archive"


def test_evaluate(home, ursa):
    done = ursa("evaluate", "pets.ursa", "pets", "--json", cwd=home)
    document = json.loads(done.stdout)
    assert document["pictures"] == 24
    assert document.keys() >= {"pictures", "accuracy", "per_class", "confusion"}
    learned, others = document["learned_from"], 24 - document["learned_from"]
    shown = " ".join(ursa("evaluate", "pets.ursa", "pets", cwd=home).stdout.split())
    assert f"on the {others} pictures that it did not learn from" in shown
    assert f"{learned} of these 24 pictures were learned from; of the other {others}" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "nowhere"), "there is no folder nowhere"),
        (("check", "pets", "--backbone", "resnet34x"), "did you mean 'resnet34'"),
        (("check", "pets", "--weights", "nothing.pt"), "there is no file of weights"),
        (("check", "pets", "--precision", "fp8"), "one of auto, fp32, bf16"),
        (("check", "pets", "--device", "gpu"), "one of auto, cpu, cuda, mps"),
        (("train", "pets", "--set", "epoch=3"), "did you mean 'epochs'?"),
        (("predict", "none.ursa", "a.jpg"), "there is no bundle none.ursa"),
        (("predict", "pets/cat/cat_000.jpg", "a.jpg"), "not a bundle"),
        (("serve", "pets.ursa", "--port", "99999"), "ports are 0 to 65535"),
        (("serve", "pets.ursa", "--port", "0", "--log", "jsno"), "no such log"),
        (("serve", "pets.ursa", "--port", "0", "--rate", "0"), "a number of pictures a minute"),
        (("serve", "pets.ursa", "--port", "0", "--max-mb", "nan"), "needs some bytes"),
        (("serve", "pets.ursa", "--port", "0", "--cors-origin", "pets.example"), "no origin of a page"),
        (("serve", "pets.ursa", "--port", "0", "--api-key-file", "none"), "file of API keys none cannot be read"),
        (("serve", "pets.ursa", "pets.ursa", "--port", "0"), "two bundles have the name"),
        (("evaluate", "pets.ursa", "nowhere"), "there is no folder"),
        (("evaluate", "pets", "pets.ursa"), "the bundle comes first: ursa evaluate BUNDLE FOLDER"),
        (("predict", "pets/cat/cat_000.jpg", "pets.ursa"), "the bundle comes first: ursa predict BUNDLE PICTURE"),
        (("check", "pets.ursa"), "is a bundle, a model"),
        (("check", "http://127.0.0.1/pets"), "not from an address"),
        (("check", "pets", "--table", "label=x"), "only a table is read by label"),
        (("download", "http://127.0.0.1/1.jpg", "--to", "there"), "an address is not a list"),
        (("demo", "--to", "pets.ursa"), "ursa demo --to DIR"),
    ],
)
def test_misuse_exits_2_with_one_readable_block(home, ursa, arguments, said):
    done = ursa(*arguments, cwd=home)
    assert done.returncode == 2
    assert said in done.stderr
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_device_that_is_not_there_is_said_before_the_pictures_are_looked_at(home, ursa):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = ursa("check", "nowhere", "--backbone", "pixels", "--device", "cuda", cwd=home)
    assert done.returncode == 2
    assert "there is no device cuda" in done.stderr
    assert "Traceback" not in done.stderr
    assert ursa("check", "pets", "--backbone", "pixels", "--device", "auto", cwd=home).returncode == 0


def test_the_heading_counts_what_its_table_adds_up_to(tmp_path, picture_folder, ursa):
    """Files that cannot be read, and pictures outside of any class, are left out of both, and said to be."""
    folder = picture_folder(tmp_path / "pets", {"cat": 6, "dog": 5})
    (folder / "cat" / "cut.jpg").write_bytes((folder / "cat" / "cat_000.jpg").read_bytes()[:500])
    head = ursa("check", folder, "--backbone", "pixels").stdout.splitlines()[0]
    assert head == "11 pictures in 2 classes, 1 file left out: cannot be read"
    (folder / "cat" / "cat_000.jpg").rename(folder / "loose.jpg")
    head = ursa("check", folder, "--backbone", "pixels").stdout.splitlines()[0]
    assert head == "10 pictures in 2 classes, 2 files left out: 1 cannot be read, 1 without a label"


def test_misspelt_options_are_told_as_every_error_is(ursa):
    done = ursa("check", "x", "--jsno")
    assert done.stderr.startswith("Error: No such option")
    assert done.stderr.endswith("fix:   ursa check --help\n")
    assert json.loads(ursa("chekc", "--json").stdout).keys() == {"error", "found", "fix"}


def test_names_that_look_like_options_are_passed_on_as_files(tmp_path, picture_folder, ursa):
    picture_folder(tmp_path / "-x y", {"cat": 6, "dog": 6})
    said = ursa("check", "--backbone", "pixels", "--", "-x y", cwd=tmp_path).stdout
    assert "ursa train './-x y'\n" in said


def test_an_error_is_a_document_too_and_a_traceback_on_demand(home, ursa):
    done = ursa("check", "nowhere", "--json", cwd=home)
    assert done.returncode == 2
    assert json.loads(done.stdout).keys() == {"error", "found", "fix"}
    assert "Traceback" in ursa("check", "nowhere", "--debug", cwd=home).stderr


def test_unknown_options_and_missing_arguments_exit_2(ursa):
    assert ursa("check").returncode == 2
    assert ursa("chekc").returncode == 2
    assert ursa("check", "x", "--jsno").returncode == 2


def test_no_weights_and_no_network_names_both_ways_out(home, ursa, tmp_path):
    import os

    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
    offline |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    name = "resnet18.a1_in1k"
    done = ursa("check", "pets", "--backbone", name, "--workspace", tmp_path / "space", cwd=home, env=offline)
    assert done.returncode == 2, done.stderr
    assert "--weights FILE" in done.stderr
    assert "--backbone pixels" in done.stderr


def test_serve_starts_says_where_and_ends_on_ctrl_c(home, ursa_command):
    import urllib.request

    command = [ursa_command, "serve", "pets.ursa", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = "".join(process.stdout.readline() for _ in range(3))
            with urllib.request.urlopen(f"{json.loads(lines)['address']}health", timeout=20) as answer:
                assert json.load(answer)["classes"] == ["cat", "dog"]
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Stopped." in said


def test_one_ctrl_c_is_enough_for_a_server_that_takes_its_time_to_end(home, ursa_command):
    """Somebody is in the middle of an upload when it is asked to stop."""
    command = [ursa_command, "serve", "pets.ursa", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = "".join(process.stdout.readline() for _ in range(3))
            port = int(json.loads(lines)["address"].rstrip("/").rsplit(":", 1)[1])
            with socket.create_connection(("127.0.0.1", port)) as client:
                head = (
                    b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\ncontent-length: 3\r\n\r\n"
                )
                client.sendall(head + b"a")
                time.sleep(0.3)
                process.send_signal(signal.SIGINT)
                time.sleep(0.8)
                client.sendall(b"bc")
                assert b" 422 " in client.recv(4096)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Stopped." in said


@pytest.fixture(scope="module")
def many(tmp_path_factory, picture_folder):
    """So many pictures that a command is at work on them when it is interrupted."""
    return picture_folder(tmp_path_factory.mktemp("many") / "pictures", {"red": 300, "green": 300}, side=160)


@pytest.mark.parametrize(("command", "moment"), [("check", "backbones.json"), ("train", "probes"), ("train", None)])
def test_ctrl_c_keeps_what_was_finished_and_the_next_run_goes_on(tmp_path, many, ursa, ursa_command, command, moment):
    """Interrupted before anything is computed, while embedding, and while training."""
    space = tmp_path / "space"
    said_alike = [many, "--backbone", "pixels", "--precision", "fp32", "--workspace", space]
    arguments = [ursa_command, command, *map(str, said_alike)]
    arguments += ["--set", "epochs=200", "--out", str(tmp_path / "model.ursa")] if command == "train" else []
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while moment and not (space / moment).exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.1 if moment else 0.5)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not (tmp_path / "model.ursa").exists()
    assert not list(space.rglob("*.part")) if space.exists() else True
    again = ursa("check", *said_alike, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["pictures"] == 600


def test_the_commonest_settings_have_short_ways(home, ursa):
    done = ursa(
        "train", "pets", "--epochs", "1", "--lr", "2e-3", "--batch-size", "4", "--out", "s.ursa", "--json", cwd=home
    )
    assert done.returncode == 0, done.stderr
    recipe = json.loads((home / json.loads(done.stdout)["history"]).read_text("utf-8"))["recipe"]["optim"]
    assert (recipe["epochs"], recipe["batch_size"], recipe["head_lr"]) == (1, 4, 2e-3)
    assert recipe["body_lr"] == pytest.approx(6e-4)
    twice = ursa("train", "pets", "--epochs", "1", "--set", "epochs=2", cwd=home)
    assert twice.returncode == 2
    assert "given twice, with two values" in twice.stderr


def test_all_settings_are_listed(ursa):
    done = ursa("train", "--set", "help")
    assert done.returncode == 0
    assert "augment.rotate=0; small_cnn: 10  (0 to 180)\n    largest rotation either way" in done.stdout


def test_a_run_that_was_stopped_is_offered_to_be_resumed(tmp_path, picture_folder, ursa):
    folder = picture_folder(tmp_path / "some pets", {"red": 8, "green": 8})
    code = """
import sys, ursa
from ursa.training.fit import Observer
from ursa.workflow import runs
class Presses(Observer):
    def epoch(self, record):
        raise KeyboardInterrupt
runs.observers = lambda *_: [Presses()]
try:
    ursa.train(sys.argv[1], backbone="pixels", epochs=3, recipe={"prune_below": 0}, out=sys.argv[2])
except KeyboardInterrupt:
    pass
"""
    subprocess.run([sys.executable, "-c", code, folder, tmp_path / "m.ursa"], check=True)
    done = ursa("train", folder, "--epochs", "1", "--out", tmp_path / "n.ursa", "--json")
    assert done.returncode == 0, done.stderr
    assert f"To resume it: ursa train '{folder}' --resume" in done.stderr
    resumed = ursa("train", folder, "--resume", "--epochs", "4", "--json")
    assert resumed.returncode == 0, resumed.stderr
    document = json.loads(resumed.stdout)
    assert document["bundle"] == str(tmp_path / "m.ursa")  # where the run was begun for
    epochs = json.loads(Path(document["history"]).read_text("utf-8"))["epochs"]
    assert [record["epoch"] for record in epochs] == [0, 1, 2, 3, 4]


def test_a_terminal_sees_at_once_that_something_is_under_way(home, ursa_command, in_terminal):
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    code, seen = in_terminal(
        [ursa_command, "train", "pets", "--epochs", "2", "--out", "t.ursa"], cwd=home, env=environment
    )
    text = seen.decode()
    assert code == 0
    assert text.index("Loading") < text.index("accuracy") < text.index("Writing the bundle")  # epochs with accuracy
