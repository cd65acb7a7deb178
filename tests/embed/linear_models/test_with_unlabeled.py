"""A probe that learns from pictures without a label, too: better where they help, honest, as before without them."""

import numpy as np
import pytest

from ursa.embed import probe
from ursa.embed.linear_models import with_unlabeled as room
from ursa.embed.linear_models.head import Head
from ursa.embed.linear_models.with_unlabeled import MOST, some_unlabeled, with_unlabeled


def clouds(count, seed=0, classes=3, width=30, apart=2.8):
    """Classes that overlap a little: what a few pictures hardly show, and many without a label do."""
    draw = np.random.default_rng(seed)
    centers = draw.normal(size=(classes, width))
    centers *= apart / np.linalg.norm(centers, axis=1, keepdims=True)
    targets = draw.permutation(np.arange(count) % classes)
    return (centers[targets] + draw.normal(size=(count, width))).astype(np.float32), targets


def right(head, vectors, targets):
    return (head.probabilities(vectors).argmax(1) == targets).mean()


@pytest.fixture(scope="module")
def fitted():
    """45 labels, 600 pictures without, and 600 that took no part."""
    vectors, targets = clouds(1245)
    known, rest, new = vectors[:45], vectors[45:645], (vectors[645:], targets[645:])
    plain = probe.fit(known, targets[:45], 3)
    return plain, probe.fit(known, targets[:45], 3, unlabeled=rest), new, (known, targets[:45], rest)


def test_pictures_without_a_label_show_how_classes_lie(fitted):
    plain, found, _, _ = fitted
    assert found.unlabeled == 600 and "also of 600 pictures without labels" in found.kind
    assert (found.strength, found.shrinkage) == (plain.strength, plain.shrinkage)
    shares = []
    for seed in range(3):
        vectors, targets = clouds(915, seed, apart=2.2)
        rest, new = vectors[15:615], (vectors[615:], targets[615:])
        heads = [probe.fit(vectors[:15], targets[:15], 3, unlabeled=some).head for some in (None, rest)]
        shares.append([right(head, *new) for head in heads])
    before, after = np.mean(shares, axis=0)
    assert after > before + 0.06


def test_what_it_says_out_of_sample_is_calibrated_and_honest(fitted):
    """Labels that mean nothing: who had seen a picture's label would know it."""
    _, found, _, (known, targets, rest) = fitted
    assert np.allclose(found.probabilities.sum(1), 1, atol=1e-5)
    said = found.probabilities[np.arange(45), targets]
    assert abs(said.mean() - (found.probabilities.argmax(1) == targets).mean()) < 0.12
    hits = []
    for seed in range(6):
        dealt = np.random.default_rng(seed).permutation(targets)
        found = [probe.fit(known, dealt, 3, unlabeled=some).probabilities for some in (None, rest)]
        hits.append([(some.argmax(1) == dealt).mean() for some in found])
    before, after = np.mean(hits, axis=0)
    assert after < before + 0.05 and after < 0.42


def test_without_others_nothing_changes_and_useless_ones_do_little_harm(fitted):
    plain, _, new, (known, targets, rest) = fitted
    for none in (None, rest[:0]):
        same = probe.fit(known, targets, 3, unlabeled=none)
        assert np.array_equal(same.head.weight, plain.head.weight) and same.unlabeled == 0
    noise = np.random.default_rng(0).normal(0, 300, rest.shape).astype(np.float32)
    assert right(probe.fit(known, targets, 3, unlabeled=noise).head, *new) > right(plain.head, *new) - 0.05


def test_one_head_adds_both_logits(fitted):
    plain, _, (new, _), (known, targets, rest) = fitted
    learned = with_unlabeled([plain.head], known, targets, np.full(45, -1), rest)
    both = learned.added_to(plain.head, np.array([0.7, 0.2]))
    alone, other = (learned.added_to(plain.head, np.array(weights)) for weights in ([1.0, 0.0], [0.0, 1.0]))
    logits = [(new - head.mean) * head.scale @ head.weight + head.bias for head in (alone, other, both)]
    parts = learned.components
    turned = (new - parts.mean) * parts.scale @ parts.basis @ learned.weights[:-1] + learned.weights[-1]
    assert np.allclose(logits[1], turned, rtol=1e-3, atol=1e-3)
    assert np.allclose(0.7 * logits[0] + 0.2 * logits[1], logits[2], rtol=1e-3, atol=1e-3)
    assert np.allclose(alone.probabilities(new), plain.head.probabilities(new), atol=1e-4)


def test_a_head_says_the_same_on_features_standardized_otherwise():
    draw = np.random.default_rng(0)
    head = Head(*(draw.normal(size=shape).astype(np.float32) for shape in ((4, 3), 3, 4)), np.float32([1, 2, 0, 3]))
    other = head.in_terms_of(np.float32([5, -1, 2, 0]), np.float32([0.5, 1, 1, 4]))
    vectors = draw.normal(size=(50, 4)).astype(np.float32)
    assert np.allclose(other.probabilities(vectors), head.probabilities(vectors), atol=1e-5)


def test_a_class_of_one_picture_is_held_out_once_and_unknown_then(fitted):
    _, _, _, (known, targets, rest) = fitted
    rare = np.append(targets[:-1], 3)
    found = probe.fit(known, rare, 5, unlabeled=rest)  # one more class has no picture at all
    assert np.isfinite(found.probabilities).all() and np.isfinite(found.head.weight).all()
    assert found.probabilities[-1, 3] < 0.1 and found.head.probabilities(known).argmax(1).max() <= 3


def test_of_many_some_are_taken_evenly():
    many = np.arange(3 * MOST + 5, dtype=np.float32)[:, None]
    some = some_unlabeled(many)[:, 0]
    assert len(some) == MOST and some[0] == 0 and some[-1] == len(many) - 1
    assert set(np.diff(some)) <= {3, 4} and some_unlabeled(many[:9]) is not many
    assert np.array_equal(some_unlabeled(many[:9]), many[:9])


def test_rounds_raise_what_all_pictures_together_are_likely_of(fitted, monkeypatch):
    """Expectation maximization: pictures without a label lie closer to the classes, round for round."""
    plain, _, _, (known, targets, rest) = fitted
    entropies = []
    for rounds in (1, 2, 4, 10):
        monkeypatch.setattr(room, "ROUNDS", rounds)
        learned = with_unlabeled([plain.head], known, targets, np.full(45, -1), rest)
        said = learned.added_to(plain.head, np.array([0.0, 1.0])).probabilities(rest)
        entropies.append(-(said * np.log(said + 1e-9)).sum(1).mean())
    assert entropies == sorted(entropies, reverse=True)
