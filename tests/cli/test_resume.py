"""`ursa train --resume` as users run it: after Ctrl-C and after a kill it ends as a run that was never stopped."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

ARGUMENTS = ["--backbone", "pixels", "--precision", "fp32", "--set", "batch_size=4"]
EPOCHS = ["--set", "epochs=30"]


@pytest.fixture(scope="module")
def straight(tmp_path_factory, picture_folder, ursa):
    """(folder of pictures, losses and bundle of a run that was never stopped)."""
    place = tmp_path_factory.mktemp("resume")
    folder = picture_folder(place / "pictures", {"red": 16, "green": 16})
    done = ursa(
        "train", folder, *ARGUMENTS, *EPOCHS, "--workspace", place / "space", "--out", place / "m.ursa", "--json"
    )
    assert done.returncode == 0, done.stderr
    return folder, outcome(json.loads(done.stdout))


def outcome(document):
    history = json.loads(Path(document["history"]).read_text("utf-8"))
    return history["steps"], document["accuracy"], document["kept"], document["verdict"]


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_stopped_is_gone_on_with(tmp_path, straight, ursa, ursa_command, by):
    folder, expected = straight
    where = ["--workspace", str(tmp_path / "space"), "--out", str(tmp_path / "model.ursa")]
    command = [ursa_command, "train", str(folder), *ARGUMENTS, *EPOCHS, *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not [*tmp_path.glob("space/runs/*/checkpoints/step-*.safetensors")] and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(0.1)
            process.send_signal(by)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    if by == signal.SIGINT:
        assert process.returncode == 130, said
        assert "Stopped at step" in said and " of 210; to resume: ursa train" in said
        assert said.rstrip().endswith("--resume")
        assert "Traceback" not in said
    assert not (tmp_path / "model.ursa").exists()

    other = ursa("train", folder, *ARGUMENTS, "--set", "epochs=3", *where, "--resume")
    assert other.returncode == 2
    assert "epochs 30, now 3" in other.stderr

    other = ursa("train", folder, *ARGUMENTS, *EPOCHS, *where, "--run", "20200101-000000")
    assert other.returncode == 2
    (name,) = [path.name for path in tmp_path.glob("space/runs/*")]
    assert f"unfinished, the newest first: {name}" in other.stderr

    # The run knows its backbone, its precision, its settings and where its bundle goes.
    done = ursa("train", folder, "--workspace", tmp_path / "space", "--run", name, "--json")
    assert done.returncode == 0, done.stderr
    assert outcome(json.loads(done.stdout)) == expected
    assert (tmp_path / "model.ursa").is_file()
    assert not [*tmp_path.glob("space/runs/*/checkpoints")]
    assert len([*tmp_path.glob("space/runs/*/history.json")]) == 1

    again = ursa("train", folder, *ARGUMENTS, *EPOCHS, *where, "--resume")
    assert again.returncode == 2
    assert "no unfinished run" in again.stderr
