"""From the probe on: training starts where the probe stands, and has to beat it to be kept."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from ursa.core import statistics
from ursa.core.prepare import Preparation
from ursa.data.sources.folder_source import from_folder
from ursa.embed import probe
from ursa.embed.backbone import Backbone
from ursa.errors import TrainingError
from ursa.recipe import Recipe
from ursa.training import fine_tuning
from ursa.training.batches.picture_batches import PictureBatches as Batches
from ursa.training.batches.picture_batches import Views
from ursa.training.classifier import Classifier
from ursa.training.history import History

PREPARATION = Preparation(size=64)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory, picture_folder):
    return from_folder(picture_folder(tmp_path_factory.mktemp("transfer"), {"red": 12, "green": 12}))


@pytest.fixture
def extractor():
    return Backbone("pixels").load()


@pytest.fixture
def head(catalog, extractor):
    views = np.stack([*Views(catalog, PREPARATION)])
    with torch.inference_mode():
        vectors = extractor(torch.from_numpy(views)).numpy()
    fitted = probe.fit(vectors, catalog.targets(), 2).head
    return fitted, fitted.probabilities(vectors)


def tuned(catalog, model, recipe, targets=None):
    targets = catalog.targets() if targets is None else targets
    views = Views(catalog, PREPARATION)
    return fine_tuning.fine_tune(
        model,
        Batches(catalog, catalog.targets(), PREPARATION, batch_size=recipe.optim.batch_size),
        views,
        targets,
        recipe.optim,
    )


def test_training_starts_from_the_probe(catalog, extractor, head):
    model = Classifier.from_probe(extractor, head[0])
    said = fine_tuning.predict(model, Views(catalog, PREPARATION))
    np.testing.assert_allclose(said, head[1], atol=1e-5)


def test_the_probe_is_kept_where_nothing_beats_it(catalog, extractor, head):
    model = Classifier.from_probe(extractor, head[0])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    outcome = tuned(catalog, model, Recipe.of(epochs=2, batch_size=8, prune_below=0.0))
    assert statistics.accuracy(head[1], catalog.targets(), "").value == 1.0  # so a tie is the best there can be
    assert (outcome.kept, outcome.verdict.kind) == ("probe", "probe-kept")
    assert all(torch.equal(before[name], value) for name, value in outcome.model.state_dict().items())
    assert [row["epoch"] for row in outcome.epochs] == [0, 1, 2]
    assert len(outcome.steps) == 6


def knows_nothing(extractor):
    model = Classifier(extractor, 960, 2)
    torch.nn.init.zeros_(model.head.weight)
    return model


@pytest.mark.parametrize("patience", [0, 3])
def test_fine_tuning_is_kept_where_it_beats_the_probe(catalog, extractor, patience):
    """With the weights of the last epoch, which no picture chose; with patience with those of the best."""
    recipe = Recipe.of(epochs=4, batch_size=4, head_lr=1e-2, patience=patience, prune_below=0.0)
    outcome = tuned(catalog, knows_nothing(extractor), recipe)
    accuracies = [row["accuracy"] for row in outcome.epochs]
    kept = int(np.argmax(accuracies)) if patience else 4
    assert (outcome.kept, outcome.verdict.kind) == ("fine-tuned", "fine-tuning-kept")
    assert outcome.verdict.numbers["epoch"] == kept
    said = fine_tuning.predict(outcome.model, Views(catalog, PREPARATION))
    np.testing.assert_array_equal(said, outcome.after)
    assert statistics.accuracy(said, catalog.targets(), "").value == accuracies[kept]
    won, lost = (outcome.verdict.numbers[name] for name in ("won", "lost"))
    assert won - lost == round(24 * (accuracies[kept] - accuracies[0]))
    assert outcome.comparison.tried == (len(accuracies) - 1 if patience else 1)


def test_what_may_be_chance_goes_to_the_probe_and_says_how_many_pictures_would_tell(catalog, extractor, head):
    """One picture more of eight is right: today's rule of "more right" would keep it."""
    model = Classifier.from_probe(extractor, head[0])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rows = np.r_[0:4, 12:16]
    some, targets = replace(catalog, rows=catalog.rows[rows]), catalog.targets()[rows]
    start = head[1][rows].copy()
    start[0] = np.where(np.arange(2) == targets[0], 0.45, 0.55)  # as if the probe had one of them just wrong
    recipe = Recipe.of(epochs=1, batch_size=8, prune_below=0.0, head_lr=1e-6, body_lr=1e-6)
    made = Batches(catalog, catalog.targets(), PREPARATION, batch_size=8)
    outcome = fine_tuning.fine_tune(model, made, Views(some, PREPARATION), targets, recipe.optim, before=start)
    assert (outcome.comparison.won, outcome.comparison.lost, outcome.kept) == (1, 0, "probe")
    assert all(torch.equal(before[name], value) for name, value in outcome.model.state_dict().items())
    np.testing.assert_array_equal(outcome.after, start)
    assert outcome.verdict.numbers["enough"] > 8
    assert (
        "may be chance" in outcome.verdict.evidence and f"{outcome.verdict.numbers['enough']}" in outcome.verdict.advice
    )


def test_a_hopeless_run_ends_after_a_third_and_says_so(catalog, extractor, head):
    """It learns the wrong classes: nothing can come of it."""
    model = Classifier.from_probe(extractor, head[0])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    views, wrong = Counted(Views(catalog, PREPARATION)), 1 - catalog.targets()
    made, recipe = Batches(catalog, wrong, PREPARATION, batch_size=4), Recipe.of(epochs=3, batch_size=4, head_lr=1e-2)
    history = History()
    known = {"before": head[1], "history": history}
    outcome = fine_tuning.fine_tune(model, made, views, catalog.targets(), recipe.optim, **known)
    assert len(outcome.steps) == 6  # of 18
    assert views.times == 1  # what it was stopped by is what the epoch is judged by
    assert history.stopped.startswith("a chance of ") and history.stopped in outcome.verdict.evidence
    assert (outcome.kept, outcome.verdict.numbers["pruned_after"]) == ("probe", pytest.approx(1 / 3))
    assert "prune_below=0" in outcome.verdict.advice
    assert "That says little: on 24 validation pictures a gain of 2 points does not show" in outcome.verdict.advice
    assert f"on about {outcome.verdict.numbers['enough']:,} it would" in outcome.verdict.advice
    assert all(torch.equal(before[name], value) for name, value in outcome.model.state_dict().items())
    never = Recipe.of(epochs=3, batch_size=4, head_lr=1e-2, prune_below=0.0)
    outcome = fine_tuning.fine_tune(model, made, views, catalog.targets(), never.optim, before=head[1])
    assert (len(outcome.steps), outcome.kept) == (18, "probe")


def test_what_is_kept_lies_between_where_it_began_and_where_it_went(catalog, extractor):
    """After t steps the average is still the start by ema_decay ** t; 0 is the last weights. Here t is 1."""
    ends = {}
    for decay, alpha in ((0.0, 1.0), (0.25, 1.0), (0.0, 0.75)):
        torch.manual_seed(0)
        model = Classifier(copy.deepcopy(extractor), 960, 2)
        torch.nn.init.zeros_(model.head.weight)
        torch.nn.init.zeros_(model.head.bias)
        recipe = Recipe.of(epochs=1, batch_size=24, head_lr=1e-2, ema_decay=decay, wise_ft_alpha=alpha)
        outcome = tuned(catalog, model, recipe)
        assert outcome.kept == "fine-tuned"
        ends[decay, alpha] = {name: value.clone() for name, value in outcome.model.named_parameters()}
    start = {"head.weight": 0.0, "head.bias": 0.0, "extractor.body.edges": extractor.body.edges.detach()}
    last = ends[0.0, 1.0]
    assert last.keys() == start.keys()
    for name, began in start.items():
        for both in ((0.25, 1.0), (0.0, 0.75)):
            torch.testing.assert_close(ends[both][name], 0.25 * began + 0.75 * last[name])
            assert not torch.equal(ends[both][name], last[name])


def test_no_epochs_means_the_probe_alone(catalog, extractor, head):
    outcome = tuned(catalog, Classifier.from_probe(extractor, head[0]), Recipe.of(epochs=0))
    assert outcome.kept == "probe"
    assert outcome.steps == []
    assert outcome.verdict.evidence == "No fine-tuning was asked for."


def test_a_run_that_diverges_says_so(catalog, extractor, head):
    model = Classifier.from_probe(extractor, head[0])
    with torch.no_grad():
        model.head.weight[0, 0] = float("nan")
    with pytest.raises(TrainingError, match="diverged") as problem:
        tuned(catalog, model, Recipe.of(epochs=1))
    assert "from the start" in str(problem.value)


class Counted:
    """Views, and how often somebody went through them."""

    def __init__(self, views):
        self.views, self.times = views, 0

    def __iter__(self):
        self.times += 1
        return iter(self.views)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("epochs", [0, 3])
def test_validation_is_run_once_an_epoch_and_the_probe_s_answers_may_be_known(catalog, extractor, head, epochs, known):
    """The answers of the last epoch are remembered: it is not run again to say what was kept."""
    views = Counted(Views(catalog, PREPARATION))
    recipe = Recipe.of(epochs=epochs, batch_size=8, head_lr=1e-2, prune_below=0.0, ema_decay=0.5)
    wrong = np.roll(catalog.targets(), 5)  # so that there is something to gain on the probe
    model = Classifier.from_probe(extractor, head[0])
    before = fine_tuning.predict(model, Views(catalog, PREPARATION)) if known else None
    batches = Batches(catalog, wrong, PREPARATION, batch_size=8)
    outcome = fine_tuning.fine_tune(model.train(), batches, views, wrong, recipe.optim, before=before)
    assert views.times == epochs + (not known)
    assert outcome.kept == ("fine-tuned" if epochs else "probe")
    np.testing.assert_allclose(outcome.before, head[1], atol=1e-5)
    np.testing.assert_allclose(
        fine_tuning.predict(outcome.model, Views(catalog, PREPARATION)), outcome.after, atol=1e-6
    )
    assert (outcome.after.argmax(1) == wrong).mean() == pytest.approx(outcome.epochs[-1]["accuracy"])


def test_a_third_of_the_way_on_validation_is_run_once_more(catalog, extractor):
    """Of 3 epochs of 4 steps the 4th ends the first; of 4 epochs the 6th of 16 is one more; of 1 there is none."""
    for epochs, times in ((3, 3), (4, 5), (1, 1)):
        views, recipe = Counted(Views(catalog, PREPARATION)), Recipe.of(epochs=epochs, head_lr=1e-2)
        batches = Batches(catalog, catalog.targets(), PREPARATION, batch_size=6)
        known = np.full((24, 2), 0.5, np.float32)
        fine_tuning.fine_tune(knows_nothing(extractor), batches, views, catalog.targets(), recipe.optim, before=known)
        assert views.times == times
