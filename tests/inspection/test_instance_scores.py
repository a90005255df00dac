"""Average precision and panoptic quality of objects, against a second implementation with sets of pixels and fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offgraph.inspection.errors import instances
from offgraph.inspection.errors.instances import THRESHOLDS, InstanceScores, match_objects


def labels(shape):
    """Small label images, with numbers that are far apart, too."""
    kinds = st.sampled_from([(np.uint8, 200), (np.int32, -7), (np.int64, 2**40), (np.uint64, 2**63)])
    return kinds.flatmap(
        lambda kind: hnp.arrays(kind[0], shape, elements=st.sampled_from([0, 0, 1, 2, 3, kind[1]]))
    )


@st.composite
def images(draw):
    """Pairs of true and predicted labels of one shape, in the plane or in space."""
    shape = draw(st.sampled_from([(0, 3), (1, 1), (3, 4), (5, 5), (2, 3, 3)]))
    true = draw(labels(shape))
    return true, draw(st.one_of(labels(shape), st.just(true)))


def pixels(mask):
    """Sets of pixels, by label."""
    return {
        value: {tuple(at) for at in np.argwhere(mask == value)} for value in set(mask.ravel().tolist()) - {0}
    }


def pairs_above(true, predicted, threshold):
    """IoU of the objects that match: the largest assignment, found by trying all."""
    ious = {
        (a, b): Fraction(len(one & other), len(one | other))
        for a, one in pixels(true).items()
        for b, other in pixels(predicted).items()
    }
    above = {pair: iou for pair, iou in ious.items() if iou > threshold}

    def best(taken, rest):
        if not rest:
            return taken
        first, *others = rest
        without = best(taken, others)
        if any(first[0] == a or first[1] == b for a, b in taken):
            return without
        with_it = best([*taken, first], others)
        return max(with_it, without, key=len)

    return [above[pair] for pair in best([], list(above))]


@given(st.lists(images(), min_size=1, max_size=4))
def test_equals_sets_of_pixels(examples):
    scores = InstanceScores()
    own = [scores.add(match_objects(*example)) for example in examples]
    numbers = [(len(pixels(true)), len(pixels(predicted))) for true, predicted in examples]
    for hundredths, score in zip(THRESHOLDS, scores.scores()):
        threshold = Fraction(hundredths, 100)
        matched = [len(pairs_above(true, predicted, threshold)) for true, predicted in examples]
        every = [sum(both) - n for both, n in zip(numbers, matched)]
        assert score.matched == sum(matched)
        assert score.matched + score.missed == sum(a for a, _ in numbers)
        assert score.matched + score.false == sum(b for _, b in numbers)
        expected = sum(matched) / sum(every) if sum(every) else None
        assert score.average_precision == (None if expected is None else pytest.approx(expected))
        each = [n / of if of else 1.0 for n, of in zip(matched, every)]
        assert score.by_image == pytest.approx(np.mean(each))
        if hundredths == 50:
            assert own == pytest.approx(each)
    overlap = [iou for example in examples for iou in pairs_above(*example, Fraction(1, 2))]
    halves = Fraction(sum(a + b for a, b in numbers), 2)
    found = scores.panoptic()
    if not halves:
        assert (found.quality, found.segmentation, found.recognition, scores.mean()) == (None,) * 4
        return
    assert found.quality == pytest.approx(float(sum(overlap) / halves))
    assert found.recognition == pytest.approx(float(len(overlap) / halves))
    assert found.segmentation == (pytest.approx(float(sum(overlap) / len(overlap))) if overlap else None)
    if overlap:
        assert found.quality == pytest.approx(found.segmentation * found.recognition)
    aps = [score.average_precision for score in scores.scores()]
    assert scores.mean() == pytest.approx(np.mean(aps))


@given(images())
def test_the_best_partner_of_each_object(example):
    true, predicted = example
    found = match_objects(true, predicted)
    ours, theirs = pixels(true), pixels(predicted)
    assert found.true.tolist() == sorted(ours) and found.predicted.tolist() == sorted(theirs)
    for label, best in zip(found.true.tolist(), found.best()):
        expected = [len(ours[label] & other) / len(ours[label] | other) for other in theirs.values()]
        assert best == max(expected, default=0)
    for label, best in zip(found.predicted.tolist(), found.unfounded()):
        expected = [len(theirs[label] & other) / len(theirs[label] | other) for other in ours.values()]
        assert best == max(expected, default=0)


def test_an_iou_of_exactly_the_threshold_does_not_match():
    """11 of 20 pixels: 0.55, which no float is."""
    true, predicted = np.zeros((2, 20), np.uint8)
    true[:11], predicted[:] = 1, 1
    scores = InstanceScores()
    scores.add(match_objects(true, predicted))
    assert [scores.at(at).matched for at in (0.5, 0.55, 0.6)] == [1, 0, 0]


def test_a_million_objects():
    true = np.arange(1, 1_000_001, dtype=np.int32).reshape(1000, 1000)
    predicted = true[::-1]
    scores = InstanceScores()
    assert scores.add(match_objects(true, predicted)) == 1.0
    assert scores.panoptic().quality == 1.0


def test_runs_of_pixels_are_counted_as_pixels_are(monkeypatch):
    """Images of many objects take another way to the same pairs."""
    rng = np.random.default_rng(2)
    true = np.kron(rng.integers(0, 9, (6, 5)), np.ones((4, 7), np.int32))
    predicted = np.roll(true, 2, axis=1)
    counted = match_objects(true, predicted)
    monkeypatch.setattr(instances, "_COUNTED", 1)
    sorted_runs = match_objects(true, predicted)
    assert np.array_equal(counted.pairs, sorted_runs.pairs) and np.array_equal(
        counted.common, sorted_runs.common
    )
    assert np.array_equal(counted.true_area, sorted_runs.true_area) and len(counted.pairs) > 20


def test_one_object_that_fills_the_image_and_none():
    whole, nothing = np.ones((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    for true, predicted, ap in ((whole, whole, 1.0), (whole, nothing, 0.0), (nothing, whole, 0.0)):
        scores = InstanceScores()
        scores.add(match_objects(true, predicted))
        assert scores.at(0.5).average_precision == scores.mean() == scores.panoptic().quality == ap
    scores = InstanceScores()
    assert scores.add(match_objects(nothing, nothing)) == 1.0
    assert scores.at(0.5).average_precision is None


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        match_objects(np.zeros((2, 3), int), np.zeros((3, 2), int))
