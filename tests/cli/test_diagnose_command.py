"""`ursa diagnose`: exits, one document, and what a newcomer gets for the obvious mistakes; all in this process."""

import json

import pytest
from typer.testing import CliRunner

import ursa
from ursa.cli.commands import app
from ursa.errors import DataError

OVERFITTING = "epoch,train_loss,valid_loss,accuracy\n" + "".join(
    f"{e},{0.9 * 0.6**e:.3f},{0.3 + 0.03 * (e - 2) ** 2:.3f},{0.9 - 0.02 * abs(e - 2):.3f}\n" for e in range(9)
)
FINE = "epoch,loss,val_loss,val_accuracy\n" + "".join(
    f"{e},{1.1 * 0.2**e + 0.05:.3f},{0.9 * 0.2**e + 0.1:.3f},{0.97 - 0.4 * 0.2**e:.3f}\n" for e in range(9)
)


@pytest.fixture
def run(tmp_path):
    """run(content, *options) -> the finished command."""

    def command(content, *options):
        log = tmp_path / "log.csv"
        log.write_text(content)
        return CliRunner().invoke(app, ["diagnose", str(log), *options])

    return command


def test_a_fault_exits_1_and_nothing_wrong_0(run):
    known = ("--classes", "3", "--valid-count", "400")
    done = run(OVERFITTING, *known)
    assert (done.exit_code, "Training that overfits" in done.output) == (1, True)
    assert "on 400 examples" in " ".join(done.output.split())
    assert "valid_loss, accuracy as metric" in done.output
    done = run(FINE, *known)
    assert (done.exit_code, "Training without a fault" in done.output) == (0, True)
    assert "val_loss as valid_loss" in done.output
    done = run("epoch,loss\n1,2.0\n2,1.5\n3,1.2\n")
    assert (done.exit_code, "no validation part" in " ".join(done.output.split())) == (0, True)


def test_the_document_has_the_verdict_and_the_columns(run):
    done = run(OVERFITTING.replace("0.900", "90", 1), "--json", "--valid-count", "400")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["fault"], document["epochs"]) == (1, True, 9)
    assert document["verdict"]["kind"] == "overfitting"
    assert document["verdict"].keys() >= {"kind", "where", "score", "evidence", "advice", "numbers"}
    assert document["columns"] == {"train_loss": "train_loss", "valid_loss": "valid_loss", "metric": "accuracy"}


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("a,b\n1,2\n", (), "no column of the log is a loss"),
        (FINE, ("--metric", "val_acuracy"), "val_accuracy"),
        (FINE, ("--classes", "1"), "2 or more"),
        (FINE, ("--valid-count", "0"), "1 or more"),
    ],
)
def test_misuse_exits_2_with_a_way_out(run, content, options, words):
    done = run(content, *options)
    assert (done.exit_code, words in done.output) == (2, True)
    assert json.loads(run(content, *options, "--json").stdout)["error"]


def test_python_gives_the_same(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text(FINE)
    result = ursa.diagnose_history(log, classes=3, valid_count=400)
    assert (result.verdict.kind, result.fault) == ("training-fine", False)
    assert "training-fine" in repr(result)
    with pytest.raises(DataError, match="classes"):
        ursa.diagnose_history(log, classes=True)
