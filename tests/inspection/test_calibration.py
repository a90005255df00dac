"""Reliability and the expected calibration error, against sums over lists and scikit-learn's curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgraph.inspection.errors.calibration import Calibration

DECISIONS = st.lists(
    st.tuples(
        st.one_of(
            st.floats(0, 1),
            st.sampled_from([0.0, 1.0, 0.5, 1 / 3, 0.2, 0.6]),  # on the edges of ranges
        ),
        st.booleans(),
    ),
    max_size=60,
)


@given(st.integers(1, 20), DECISIONS, st.integers(1, 7))
def test_equals_sums_over_lists(bins, decisions, at_once):
    seen = Calibration(bins)
    for start in range(0, len(decisions), at_once):
        seen.add(*zip(*decisions[start : start + at_once]))
    edges = np.linspace(0, 1, bins + 1).tolist()
    gaps = []
    for number, found in enumerate(seen.bins()):
        low, high = edges[number], edges[number + 1]
        inside = [(p, c) for p, c in decisions if low < p <= high or (number == 0 and p == 0)]
        assert found.count == len(inside)
        if not inside:
            assert found.confidence is None and found.accuracy is None
            continue
        confidence, accuracy = (sum(column) / len(inside) for column in zip(*inside))
        assert found.confidence == pytest.approx(confidence) and found.accuracy == accuracy
        gaps.append((abs(accuracy - confidence), len(inside)))
    assert seen.count == len(decisions)
    if not decisions:
        assert seen.error() is None and seen.largest() is None
        return
    assert seen.error() == pytest.approx(sum(gap * n for gap, n in gaps) / len(decisions))
    assert seen.largest() == pytest.approx(max(gap for gap, _ in gaps))


def test_the_curve_is_scikit_learns():
    calibration = pytest.importorskip("sklearn.calibration", reason="scikit-learn is not installed")
    rng = np.random.default_rng(1)
    sure = rng.random(500)
    correct = rng.random(500) < sure**2
    seen = Calibration(15)
    seen.add(sure, correct)
    there = [one for one in seen.bins() if one.count]
    accuracy, confidence = calibration.calibration_curve(correct, sure, n_bins=15)
    assert np.allclose([one.accuracy for one in there], accuracy)
    assert np.allclose([one.confidence for one in there], confidence)


def test_what_rounding_carries_past_one_counts_in_the_last_range():
    seen = Calibration(4)
    seen.add([1.0000001, -1e-9], [True, False])
    assert [one.count for one in seen.bins()] == [1, 0, 0, 1]


def test_not_a_number_is_refused():
    with pytest.raises(ValueError, match="not a number"):
        Calibration().add([0.5, float("nan")], [True, True])
