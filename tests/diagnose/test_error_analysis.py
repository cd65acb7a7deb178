"""Error analysis: the sample that stays, the sheet that comes back as it went, shares and ceilings that hold."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.core.labels import Labels
from ursa.data.catalog import Catalog
from ursa.diagnose import error_causes as error_causes_module
from ursa.diagnose.error_causes import WRONG_LABEL, error_causes
from ursa.diagnose.judged import Judged
from ursa.diagnose.mistake_sample import Mistake, MistakeSample, mistake_sample
from ursa.diagnose.tag_sheet import COLUMNS, read_sheet, sheet_text
from ursa.errors import DataError

NAMES = ("ant", "bee", "cat")


def judged(count, wrong=0.3, seed=0):
    draw = np.random.default_rng(seed)
    targets = draw.integers(0, 3, count)
    after = draw.dirichlet(np.ones(3) * 0.3, count).astype(np.float32)
    right = draw.random(count) > wrong
    after[right] = np.eye(3, dtype=np.float32)[targets[right]]
    ids = [f"{number}.jpg" for number in range(count)]
    columns = {"id": ids, "path": ids, "sha256": [f"key {n}" for n in ids], "label": [NAMES[t] for t in targets]}
    return Judged(Catalog.of(Path(), columns), Labels(NAMES), after, after, "held out")


def without(result, row):
    catalog = result.catalog.without([result.catalog.ids[row]])
    return replace(
        result, catalog=catalog, before=np.delete(result.before, row, 0), after=np.delete(result.after, row, 0)
    )


def test_the_sample_is_of_mistakes_by_loss_and_says_how_many_there_are():
    result = judged(1000)
    sample = mistake_sample(result)
    losses = {id: place for place, (id, *_) in enumerate(result.top_losses(1000))}
    assert len(sample.sample) == 100 and sample.mistakes == len(losses) and sample.pictures == 1000
    assert [each.id for each in sample.top] == [id for id, *_ in result.top_losses(12)]
    places = [losses[each.id] for each in sample.sample]
    assert places == sorted(places) and not sample.whole and mistake_sample(judged(90)).whole


def test_it_is_the_same_next_time_and_a_picture_more_or_less_changes_one_at_most():
    result = judged(800)
    before = {each.id for each in mistake_sample(result).sample}
    assert before == {each.id for each in mistake_sample(judged(800)).sample}
    for row in (0, 17, 400):
        assert len(before - {each.id for each in mistake_sample(without(result, row)).sample}) <= 1
    renamed = replace(result, catalog=result.catalog.with_columns(id="dir/" + result.catalog.rows["id"]))
    assert {each.id.removeprefix("dir/") for each in mistake_sample(renamed).sample} == before


def test_it_favours_no_mistake():
    """Of the sure and the unsure half of all mistakes about as many are in it."""
    sure = [each.id for each in mistake_sample(judged(1000), top=150).top]
    chosen = {each.id for each in mistake_sample(judged(1000)).sample}
    assert 35 <= len(chosen & set(sure)) <= 85


IDS = st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1), unique=True)


def sheet_of(ids, tags=None, mistakes=None, pictures=1000):
    sample = tuple(Mistake(id, "=cat", "dog", 0.9) for id in ids)
    return sheet_text(MistakeSample(sample, sample, mistakes or len(ids), pictures), tags or {})


@settings(max_examples=60)
@given(IDS.filter(lambda ids: ids and all(id.strip() for id in ids)), st.data())
def test_what_was_written_is_read(tmp_path_factory, ids, data):
    words = st.sampled_from(["blurry", "two animals", "-5 lux", "=cut off", WRONG_LABEL])
    tags = {id: tuple(dict.fromkeys(data.draw(st.lists(words, max_size=3)))) for id in ids}
    path = tmp_path_factory.mktemp("sheet") / "mistakes.csv"
    path.write_bytes(sheet_of(ids, tags).encode("utf-8"))
    sheet = read_sheet(path)
    assert dict(sheet.tags) == {id: some for id, some in tags.items() if some}
    assert (sheet.mistakes, sheet.pictures) == (len(ids), 1000)


@pytest.mark.parametrize("name", ["=1+1.jpg", "+x", "-x", "@x", "'=x", "'x"])
def test_no_cell_is_a_formula_to_a_spreadsheet(name, tmp_path):
    text = sheet_of([name])
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    (tmp_path / "s.csv").write_text(text, "utf-8")
    assert read_sheet(tmp_path / "s.csv").untagged == (name,)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";").replace("blurry", '"Blurry ; two animals"'),
        lambda text: text.replace(",", "\t").replace("blurry", "blurry|two  animals"),
        lambda text: "\ufeff" + text.replace("blurry", "BLURRY; Two Animals;").replace("\n", "\r\n"),
        lambda text: text.replace("blurry", "blurry; two animals; blurry") + ",,,,,,\n\n",
    ],
)
def test_what_spreadsheets_make_of_it_is_read(tmp_path, change):
    path = tmp_path / "mistakes.csv"
    path.write_bytes(change(sheet_of(["a.jpg", "b.jpg"], {"a.jpg": ("blurry",)}, 20)).encode("utf-8"))
    sheet = read_sheet(path)
    assert dict(sheet.tags) == {"a.jpg": ("blurry", "two animals")} and sheet.untagged == ("b.jpg",)


def test_a_letter_of_windows_is_no_harm_and_wrong_label_has_many_words(tmp_path):
    (tmp_path / "s.csv").write_bytes(
        sheet_of(["a", "b"], {"a": ("unscharf ü",), "b": ("mislabeled",)}).encode("cp1252")
    )
    assert dict(read_sheet(tmp_path / "s.csv").tags) == {"a": ("unscharf ü",), "b": (WRONG_LABEL,)}


HEAD = ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "has no column 'picture'"),
        ("picture,label\na,b\n", "has no column 'tags'"),
        ("picture,tag,mistakes,pictures\na,x,1,2\n", "has no column 'tags'"),
        (f"{HEAD}\n", "holds no mistakes"),
        (f"{HEAD}\na,,,,x,many,9\n", "not a number of pictures"),
        (f"{HEAD}\na,,,,x,-1,9\n", "not a number of pictures"),
        (f"{HEAD}\na,,,,x,9,1\n", "these numbers cannot be"),
        (f"{HEAD}\na,,,,x,1,9\nb,,,,x,1,9\n", "these numbers cannot be"),
        (f"{HEAD}\na,,,,x,2,9\na,,,,y,2,9\n", "holds a picture twice"),
        (f"{HEAD}\na,,,,x,2,9\nb,,,,y,3,9\n", "put together from several sheets"),
        (f"{HEAD}\na,,,,{'x' * 100},2,9\n", "too long a cell"),
        (f"{HEAD}\na,,,,{';'.join(map(str, range(30)))},2,9\n", "too long a cell"),
        (f"{HEAD}\n" + "".join(f"{n},,,,x,20000,90000\n" for n in range(10_001)), "more than 10,000 rows"),
        (f'{HEAD}\n"{"x" * 200_000}",,,,x,1,9\n', "not a CSV file"),
    ],
)
def test_what_is_no_such_sheet_says_what_is_wrong(tmp_path, text, what):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(DataError) as refused:
        read_sheet(tmp_path / "s.csv")
    assert what in refused.value.what and refused.value.fix


def test_no_file_a_folder_and_a_huge_one_are_refused(tmp_path):
    (tmp_path / "huge.csv").write_bytes(b"x" * 5_000_000)
    for place in ("none.csv", ".", "huge.csv"):
        with pytest.raises(DataError):
            read_sheet(tmp_path / place)


def test_shares_and_ceilings_by_hand():
    tags = {"a": ("blurry",), "b": ("blurry", "dark"), "c": (WRONG_LABEL,), "d": ("dark",), "e": ("blurry",)}
    causes = {cause.name: cause for cause in error_causes(tags, mistakes=50, pictures=500)}
    assert list(causes) == ["blurry", "dark", WRONG_LABEL]
    assert causes["blurry"].share.value == 0.6 and causes["blurry"].examples == ("a", "b", "e")
    assert causes["blurry"].ceiling.value == pytest.approx(1 - 0.1 * 0.4)
    assert str(causes["dark"]).startswith("if all 'dark' were right, accuracy would be at most 94.0 % (")
    assert error_causes({}, 5, 10) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 100), st.integers(0, 100), st.integers(0, 900), st.integers(0, 5000))
def test_a_ceiling_lies_in_its_interval_and_above_the_accuracy(tagged, count, others, right):
    count = max(1, min(count, tagged))
    tags = {str(n): ("x",) if n < count else ("y",) for n in range(tagged)}
    mistakes, pictures = tagged + others, tagged + others + right
    cause = next(each for each in error_causes(tags, mistakes, pictures) if each.name == "x")
    assert cause.ceiling.low <= cause.ceiling.value <= cause.ceiling.high
    assert 1 - mistakes / pictures <= cause.ceiling.value <= 1


def test_the_interval_of_the_ceiling_covers_it(monkeypatch):
    """400 worlds: 12 % of pictures wrong, 30 % of those blurry; 100 of the mistakes of 1,000 pictures are tagged."""
    monkeypatch.setattr(error_causes_module, "DRAWS", 2000)
    draw, covered = np.random.default_rng(0), 0
    for _ in range(300):
        mistakes = int(draw.binomial(1000, 0.12))
        blurry = draw.random(mistakes) < 0.3
        tags = {str(n): ("blurry",) if blurry[n] else ("other",) for n in range(min(100, mistakes))}
        (cause,) = [each for each in error_causes(tags, mistakes, 1000) if each.name == "blurry"]
        covered += cause.ceiling.low <= 1 - 0.12 * 0.7 <= cause.ceiling.high
    assert 0.92 <= covered / 300 <= 0.985
