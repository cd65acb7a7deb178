"""From a check over a tagged sheet to causes: in-process, by the command line's own app, with the usual mistakes."""

import csv
import json

import pytest
from typer.testing import CliRunner

import ursa
from ursa.cli.commands import app
from ursa.errors import DataError
from ursa.workflow.check import check

SURE_OF = "red"


@pytest.fixture(scope="module")
def checked(tmp_path_factory, picture_folder):
    """Pictures of which a quarter lies in the wrong folder, checked."""
    folder = picture_folder(tmp_path_factory.mktemp("errors") / "pets", {"red": 16, "green": 16})
    for number, file in enumerate(sorted((folder / "red").iterdir())[:4]):
        file.rename(folder / "green" / f"moved_{number}{file.suffix}")
    return folder, check(folder, backbone="pixels", precision="fp32")


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def tagged(source, path, tags):
    rows = rows_of(source)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, "tags": tags.get(row["picture"], row["tags"])} for row in rows)
    return path


def test_a_check_writes_its_mistakes_beside_its_report(checked):
    folder, result = checked
    rows = rows_of(folder / ".ursa/mistakes.csv")
    wrong = int(result.confusion.sum() - result.confusion.trace())
    assert len(rows) == wrong >= 4
    assert {f"green/moved_{n}" for n in range(4)} <= {row["picture"].rpartition(".")[0] for row in rows}
    assert {(row["mistakes"], row["pictures"]) for row in rows} == {(str(wrong), "32")}
    page = result.report.read_text()
    assert "ursa error-analysis" in page and all(row["picture"] in page for row in rows)


def test_tags_become_causes_and_survive_the_next_check(checked):
    folder, _ = checked
    sheet = folder / ".ursa/mistakes.csv"
    ids = [row["picture"] for row in rows_of(sheet)]
    tagged(sheet, sheet, {ids[0]: "label is wrong", ids[1]: "label is wrong; blurry"})
    check(folder, backbone="pixels", precision="fp32")
    found = ursa.error_analysis(folder)
    assert [(cause.name, cause.count) for cause in found.causes] == [("label is wrong", 2), ("blurry", 1)]
    assert found.tagged == 2 and found.untagged == len(ids) - 2 and found.gone == []
    assert found.causes[0].ceiling.value == 1.0 > found.accuracy.value


def test_pictures_that_are_gone_are_left_out_and_named(checked, tmp_path):
    folder, _ = checked
    ids = [row["picture"] for row in rows_of(folder / ".ursa/mistakes.csv")]
    sheet = tagged(folder / ".ursa/mistakes.csv", tmp_path / "t.csv", dict.fromkeys(ids, "x"))
    text = sheet.read_text().replace(ids[0], "green/gone.jpg")
    sheet.write_text(text)
    found = ursa.error_analysis(folder, tags=sheet)
    assert found.gone == ["green/gone.jpg"] and found.tagged == len(ids) - 1
    sheet.write_text(text.replace("green/", "elsewhere/").replace("red/", "elsewhere/"))
    with pytest.raises(DataError, match="none of the pictures"):
        ursa.error_analysis(folder, tags=sheet)


def test_a_sheet_that_is_not_understood_is_kept_under_another_name(checked):
    folder, _ = checked
    sheet = folder / ".ursa/mistakes.csv"
    before = sheet.read_text()
    sheet.write_text("my own notes")
    check(folder, backbone="pixels", precision="fp32")
    assert (folder / ".ursa/mistakes-before.csv").read_text() == "my own notes"
    assert len(rows_of(sheet)) == before.count("\n") - 1


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_exits_1_where_nothing_is_tagged_and_prints_one_document(checked, tmp_path):
    folder, _ = checked
    ids = [row["picture"] for row in rows_of(folder / ".ursa/mistakes.csv")]
    bare = tagged(folder / ".ursa/mistakes.csv", tmp_path / "bare.csv", dict.fromkeys(ids, ""))
    nothing = run("error-analysis", folder, "--tags", bare, "--json")
    assert nothing.exit_code == 1 and json.loads(nothing.stdout)["causes"] == []
    full = tagged(bare, tmp_path / "full.csv", dict.fromkeys(ids, "dark [bold]"))
    told = run("error-analysis", folder, "--tags", full)
    assert told.exit_code == 0 and "dark [bold]" in told.output and "at most" in told.output
    document = json.loads(run("error-analysis", folder, "--tags", full, "--json").stdout)
    assert document["causes"][0]["cause"] == "dark [bold]" and document["tagged"] == len(ids)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{folder}/nowhere"], "there is no folder"),
        (["{sheet}"], "is a sheet of tags"),
        (["{folder}", "--tags", "{folder}/none.csv"], "there are no tags"),
        (["{folder}", "--tags", "{folder}/green/green_000.jpg"], "has no column"),
    ],
)
def test_the_usual_mistakes_are_answered(checked, words, said):
    folder, _ = checked
    names = {"folder": folder, "sheet": folder / ".ursa/mistakes.csv"}
    answer = run("error-analysis", *(word.format(**names) for word in words))
    assert answer.exit_code == 2 and said in answer.output and "fix:" in answer.output


def test_an_evaluation_writes_a_page_and_a_sheet_where_asked(trained, tmp_path, picture_folder):
    folder = picture_folder(tmp_path / "other", {"red": 4, "green": 4}, seed=3)
    next((folder / "red").iterdir()).rename(folder / "green" / "moved.jpg")
    page = tmp_path / "out" / "report.html"
    result = ursa.evaluate(trained[1].bundle, folder, report=page)
    text = page.read_text()
    assert result.report == page and result.to_json()["report"] == str(page)
    assert (
        "green/moved.jpg" in text
        and "about 88 of 100" in text
        and f"ursa evaluate {trained[1].bundle} {folder} --report" in text
    )
    assert [row["picture"] for row in rows_of(tmp_path / "out/report-mistakes.csv")] == ["green/moved.jpg"]
    assert not (folder / ".ursa").exists()
    assert ursa.evaluate(trained[1].bundle, folder).report is None


@pytest.mark.parametrize("name", ["report.txt", ".", "report"])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_predicted(trained, tmp_path, name):
    with pytest.raises(DataError, match=r"HTML file|cannot write"):
        ursa.evaluate(trained[1].bundle, trained[0], report=tmp_path / name)


def test_a_training_writes_its_mistakes_too_and_says_how_it_was_called(trained):
    folder, result = trained
    page = result.report.read_text()
    assert f"ursa train {folder} --backbone pixels --set optim.epochs=1" in page and "model.ursa" in page
