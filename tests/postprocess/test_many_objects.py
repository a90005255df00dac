"""A million objects, and labels that 32 bits do not hold: result steps take seconds and lose nothing."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph import ndimage

COUNT = 1000


@pytest.fixture(scope="module")
def dots() -> np.ndarray:
    """A million single pixels."""
    mask = np.zeros((2 * COUNT, 2 * COUNT), np.uint8)
    mask[::2, ::2] = 1
    return mask


def made(step: Any, labels: np.ndarray) -> np.ndarray:
    return og.Compose([step])(image=labels).image


def test_a_million_objects_are_numbered_and_measured(dots: np.ndarray) -> None:
    began = time.process_time()
    labels = made(og.Label(), dots)
    table = og.measure(labels, dots)
    spent = time.process_time() - began
    assert np.array_equal(labels[::2, ::2].ravel(), np.arange(1, COUNT**2 + 1))
    assert np.array_equal(labels > 0, dots > 0)
    assert np.array_equal(table["label"], np.arange(1, COUNT**2 + 1))
    assert (table["area"] == 1).all() and (table["intensity_mean"] == 1).all()
    assert np.array_equal(table["centroid-1"][:COUNT], np.arange(0, 2 * COUNT, 2))
    assert spent < 10  # 0.2 s; a pass per label would take minutes


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize(
    ("step", "left"),
    [
        (og.Label(), COUNT**2),
        (og.RemoveSmall(1), COUNT**2),
        (og.RemoveSmall(2), 0),
        (og.ClearBorder(), (COUNT - 1) ** 2),  # the last row and column hold none
        (og.FillHoles(), COUNT**2),
        (og.KeepLargest(), None),
        (og.Erode(), 0),
    ],
)
def test_steps_on_a_million_objects(step: Any, left: int | None, numbered: bool, dots: np.ndarray) -> None:
    labels = made(og.Label(), dots) if numbered else dots
    began = time.process_time()
    found = made(step, labels)
    spent = time.process_time() - began
    if left is None:  # one of each label
        left = COUNT**2 if numbered else 1
    assert np.count_nonzero(found) == left
    if not isinstance(step, og.Label):
        assert np.array_equal(found[found > 0], labels[found > 0])
    assert spent < 10  # less than half a second each


LARGE = [
    (np.int32, [-(2**31), -1, 2**31 - 1, 2**31 - 2]),
    (np.uint32, [2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1]),
    (np.int64, [2**31, 2**31 + 1, 2**53 + 1, -(2**63), 2**63 - 1]),
    (np.uint64, [2**31, 2**53, 2**53 + 1, 2**64 - 1, 2**64 - 2]),
]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 12), width=st.integers(1, 12))
@pytest.mark.parametrize(("dtype", "labels"), LARGE)
@pytest.mark.parametrize(
    "step",
    [
        og.Label(), og.Label(2), og.RemoveSmall(3), og.KeepLargest(2), og.ClearBorder(1), og.FillHoles(),
        og.Open(), og.Close(), og.Erode(), og.Dilate(), og.DistanceWatershed(h=0),
    ],
)  # fmt: skip
def test_labels_near_and_above_two_to_the_31(
    step: Any, dtype: Any, labels: list[int], seed: int, height: int, width: int
) -> None:
    random = np.random.default_rng(seed)
    chosen = np.array([0, *labels], dtype)
    image = chosen[random.integers(0, len(chosen), (height, width))]
    found = made(step, image)
    expected = step.reference(ndimage, image, {})
    assert found.dtype == (np.int32 if step.numbers_objects else dtype)
    assert np.array_equal(found, expected)
    # Small labels in the same order are the same objects.
    order = np.sort(chosen[chosen != 0])
    small = np.where(image == 0, 0, np.searchsorted(order, image) + 1).astype(np.uint8)
    again = made(step, small)
    kept = again if step.numbers_objects else np.concatenate([np.zeros(1, dtype), order])[again]
    assert np.array_equal(found, kept)


@pytest.mark.parametrize(("dtype", "labels"), LARGE)
def test_tables_of_labels_near_and_above_two_to_the_31(dtype: Any, labels: list[int]) -> None:
    image = np.repeat(np.array([0, *labels], dtype), 3).reshape(-1, 3)
    table = og.measure(image, np.ones(image.shape))
    assert table["label"].dtype == dtype
    assert table["label"].tolist() == sorted(labels)
    assert (table["area"] == 3).all()
    assert sorted(table["bbox-0"].tolist()) == list(range(1, len(labels) + 1))
