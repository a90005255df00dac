"""Masks are read once, through the composed map of a chain: brute force, SciPy and discs known as formulas."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from offgraph.core.errors import StepError
from offgraph.geometry import AffineMap, GridMap, Leg, Resampling
from offgraph.geometry.frame import Frame
from offgraph.targets import Mask
from support.chains import chains, grid_maps, resized, turned

_NEAR = 1e-6
"""Pixels whose reading is decided by less than this are left out where another order of sums is compared."""


def _read_by_hand(mask: np.ndarray, legs: list[Leg]) -> tuple[np.ndarray, np.ndarray]:
    """Each output pixel by itself, the border rules by SciPy's own interpolation of 0, 1, 2, ...; and what is sure."""
    size = legs[-1].map.output_size
    out, sure = np.zeros(size, mask.dtype), np.ones(size, bool)
    for pixel in np.ndindex(*size):
        place, label = np.array(pixel, float), None
        for number, leg in reversed(list(enumerate(legs))):
            place = leg.map(place)
            if np.isnan(place).any():
                label = leg.resampling.mask_cval
                break
            read = []
            for x, n in zip(place, leg.map.input_size):
                x, filled, margin = _along(x, n, leg, last=number == 0)
                sure[pixel] &= margin > _NEAR
                if filled:
                    label = leg.resampling.mask_cval
                read.append(x)
            if label is not None:
                break
            place = np.array(read)
        out[pixel] = mask[tuple(place.astype(int))] if label is None else label
    return out, sure


def _along(x: float, n: int, leg: Leg, *, last: bool) -> tuple[float, bool, float]:
    """Where one coordinate is read, whether it is filled, and how near the nearest decision is."""
    mode = leg.resampling.mode
    tie = abs((x - 0.5) - round(x - 0.5))
    if leg.map.is_exact and mode == "constant":
        filled = not -0.5 <= x < n - 0.5
        margin = min(abs(x + 0.5), abs(x - n + 0.5))
    elif mode == "constant":
        filled = not 0 <= x <= n - 1
        margin = min(abs(x), abs(x - n + 1))
    else:
        filled, margin = False, 1.0
        if mode == "grid-wrap":
            margin = abs((x + 0.5) / n - round((x + 0.5) / n)) * n
            x = (x + 0.5) % n - 0.5
        elif not (leg.map.is_exact and mode != "mirror" and -0.5 <= x < n - 0.5):
            # Between the border pixel's edge and its centre SciPy's line from it to its copy is flat.
            folded = scipy.ndimage.map_coordinates(np.arange(n, dtype=float), [[x]], order=1, mode=mode)[0]
            if leg.map.is_exact and n > 1:
                folded = _mirrored(x, n, mode)
            x = folded
        if not leg.map.is_exact:
            x = min(max(x, 0.0), n - 1.0)
    if last:
        return float(np.clip(np.floor(x + 0.5), 0, n - 1)), filled, min(margin, tie)
    return x, filled, margin


def _mirrored(x: float, n: int, mode: str) -> float:
    """Step by step back into the image; a pad's coordinates may end in the half pixel at the border."""
    if mode == "nearest":
        return min(max(x, 0.0), n - 1.0)
    low, high = (-0.5, n - 0.5) if mode == "reflect" else (0.0, n - 1.0)
    while not low <= x <= high:
        x = 2 * low - x if x < low else 2 * high - x
    return x


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_read_once_equals_a_look_up_by_hand(data):
    size = (data.draw(st.integers(4, 12)), data.draw(st.integers(4, 12)))
    legs = data.draw(chains(size))
    mask = (
        np.random.default_rng(0)
        .integers(10, 250, size)
        .astype(data.draw(st.sampled_from(["u1", "i4", "u8"])))
    )
    moved = Mask(mask).moved(legs)
    expected, sure = _read_by_hand(mask, legs)
    assert moved.array.dtype == mask.dtype and moved.array.flags.c_contiguous
    if legs and all(leg.map.is_exact for leg in legs):
        sure[:] = True
        expected = functools.reduce(
            lambda a, leg: leg.map.take(a, (0, 1), leg.resampling.mode, leg.resampling.mask_cval), legs, mask
        )
    np.testing.assert_array_equal(moved.array[sure], expected[sure])


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_the_quick_way_reads_what_the_general_one_reads(data):
    """Affine chains are read by the native loops; a step that bends nothing makes the same chain a general one."""
    from offgraph.geometry import DisplacementMap

    size = (data.draw(st.integers(4, 16)), data.draw(st.integers(4, 16)))
    legs = data.draw(chains(size, kinds=("grid", "affine")))
    mask = np.random.default_rng(1).integers(0, 2**60, size)
    if all(leg.map.is_exact for leg in legs):
        return  # copied; another rule for ties at a seam would be compared
    out = legs[-1].map.output_size
    unbent = Leg(DisplacementMap(np.zeros((2, 2, 2)), out, out), Resampling(mode="constant"))
    np.testing.assert_array_equal(Mask(mask).moved(legs).array, Mask(mask).moved([*legs, unbent]).array)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_grid_chains_copy_bytes(data):
    size = (5, 7)
    mask = np.arange(35, dtype=np.uint64).reshape(size) + np.uint64(2**63)
    legs, expected, at = [], mask, size
    for _ in range(data.draw(st.integers(1, 6))):
        step = data.draw(grid_maps(at))
        legs.append(Leg(step, Resampling(mask_cval=9)))
        padded = np.pad(expected.transpose(step.axes), 40, constant_values=9)
        parts = []
        for first, length, flip in zip(step.start, step.output_size, step.flips):
            index = first - np.arange(length) if flip else first + np.arange(length)
            parts.append(index + 40)
        expected = padded[np.ix_(*parts)]
        at = step.output_size
    np.testing.assert_array_equal(Mask(mask).moved(legs).array, expected)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_values_stay_a_subset_of_the_input(data):
    size = (9, 11)
    legs = data.draw(chains(size, most=6))
    mask = np.random.default_rng(2).choice([3, 70, 2**62 + 1], size)
    allowed = {*np.unique(mask).tolist(), *(leg.resampling.mask_cval for leg in legs)}
    assert set(np.unique(Mask(mask).moved(legs).array).tolist()) <= allowed


def test_one_affine_step_reads_as_scipy():
    mask = np.random.default_rng(3).integers(0, 200, (40, 50)).astype(np.uint8)
    for mode in ("constant", "nearest", "reflect", "mirror", "grid-wrap", "wrap", "grid-constant"):
        step = turned(0.4321, (40, 50))
        expected = scipy.ndimage.affine_transform(
            mask, step.matrix, step.offset, step.output_size, order=0, mode=mode, cval=7
        )
        moved = Mask(mask).moved([Leg(step, Resampling(mode=mode, mask_cval=7))])
        np.testing.assert_array_equal(moved.array, expected, err_msg=mode)


def test_a_step_that_halves_takes_the_later_of_two_pixels():
    mask = np.arange(12).reshape(2, 6)
    moved = Mask(mask).moved([Leg(resized((2, 6), (1, 3)), Resampling(mode="nearest"))])
    assert moved.array.tolist() == [[7, 9, 11]]


def test_channels_and_time_are_carried_along():
    mask = np.random.default_rng(4).integers(0, 9, (3, 8, 6, 2)).astype(np.int64)
    legs = [
        Leg(turned(0.3, (8, 6))),
        Leg(GridMap.flip((1,), (8, 6))),
        Leg(resized((8, 6), (5, 9)), Resampling(mode="nearest")),
    ]
    moved = Mask(mask, "TYXC").moved(legs)
    assert moved.axes == "TYXC"
    for t in range(3):
        for c in range(2):
            np.testing.assert_array_equal(moved.array[t, ..., c], Mask(mask[t, ..., c]).moved(legs).array)


def _discs(size: tuple[int, int], places: np.ndarray) -> np.ndarray:
    """Labels of drawn discs at any coordinates, shape (..., 2); no pixel centre lies on a rim."""
    labels = np.zeros(places.shape[:-1], np.uint8)
    for number, (y, x, r) in enumerate(
        [(60, 70, 31), (130, 150, 42), (70, 190, 24), (165, 60, 27), (190, 205, 20)], 1
    ):
        labels[((places - (y, x)) ** 2).sum(-1) <= r * r + 0.5] = number
    return labels


def _wrong(legs: list[Leg], size: tuple[int, int]) -> tuple[float, float]:
    """Share of the label pixels that are wrong: read once, and rounded at each step."""
    mask = _discs(size, np.stack(np.indices(size), -1).astype(float))
    once = Mask(mask).moved(legs).array
    chained = Mask(mask)
    for leg in legs:
        chained = chained.moved([leg])
    places = np.stack(np.indices(legs[-1].map.output_size), -1).astype(float)
    seen = np.ones(once.shape, bool)
    for leg in reversed(legs):
        places = leg.map(places)
        seen &= ((places >= 0) & (places <= np.array(leg.map.input_size) - 1)).all(-1)
    truth = _discs(size, places)
    counted = seen & ((truth > 0) | (once > 0) | (chained.array > 0))
    return float((once != truth)[counted].mean()), float((chained.array != truth)[counted].mean())


def test_discs_are_as_right_after_a_chain_as_after_one_step():
    size = (256, 256)
    shear = np.array([[1, 0.2], [0, 1]])
    legs = [
        Leg(resized(size, (224, 224)), Resampling(mode="nearest")),
        Leg(turned(np.deg2rad(17), (224, 224))),
        Leg(resized((224, 224), (200, 240)), Resampling(mode="nearest")),
        Leg(
            AffineMap(
                shear, (np.array([199, 239]) / 2) - shear @ (np.array([199, 239]) / 2), (200, 240), (200, 240)
            )
        ),
        Leg(GridMap.flip((1,), (200, 240))),
    ]
    once, chained = _wrong(legs, size)
    composed, _ = _wrong([Leg(functools.reduce(lambda a, b: a.then(b), [leg.map for leg in legs]))], size)
    assert once == pytest.approx(composed, rel=0.02)
    assert once < 0.6 * chained


def test_four_turns_that_cancel_change_nothing():
    size = (256, 256)
    turns = [Leg(turned(np.deg2rad(angle), size)) for angle in (31, -12, 23, -42)]
    once, chained = _wrong(turns, size)
    assert once == 0 and chained > 0.02


def test_labels_are_exchanged_where_the_chain_mirrors():
    mask = Mask(np.array([[1, 2, 3]], np.uint8), swap=[(1, 2)])
    flip = Leg(GridMap.flip((1,), (1, 3)))
    assert mask.moved([flip]).array.tolist() == [[3, 1, 2]]
    assert mask.moved([flip, flip]).array.tolist() == [[1, 2, 3]]
    half_turn = Leg(GridMap.flip((0, 1), (1, 3)))
    assert mask.moved([half_turn]).array.tolist() == [[3, 2, 1]]
    frame = Frame((flip.map,))
    assert mask.moved([flip]).restored(frame).array.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("array", "options", "says"),
    [
        (np.zeros((2, 2)), {}, "whole-number labels"),
        (np.zeros((2, 2), np.uint8), {"swap": [(1, 300)]}, "swap=300 cannot be held"),
        (np.zeros((2, 2), np.uint8), {"swap": [(1, 2), (2, 3)]}, "one pair only"),
        (np.zeros((2, 2), np.uint8), {"swap": 5}, "pairs of labels"),
    ],
)
def test_what_is_no_mask_is_refused(array, options, says):
    with pytest.raises(StepError, match=says):
        Mask(array, **options)


def test_chains_that_do_not_fit_are_refused():
    mask = Mask(np.zeros((4, 5), np.uint8))
    with pytest.raises(StepError, match=r"size \(5, 5\) cannot move a mask that lies on a grid of \(4, 5\)"):
        mask.moved([Leg(GridMap.identity((5, 5)))])
    with pytest.raises(StepError, match="mask_cval=300 cannot be held"):
        mask.moved([Leg(turned(0.1, (4, 5)), Resampling(mask_cval=300))])


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_volume_is_read_once(data):
    size = (4, 5, 3)
    legs = data.draw(chains(size, kinds=("grid", "affine"), modes=("constant", "nearest"), most=3))
    mask = np.random.default_rng(5).integers(0, 2**40, size)
    expected, sure = _read_by_hand(mask, legs)
    if all(leg.map.is_exact for leg in legs):
        return
    np.testing.assert_array_equal(Mask(mask, "ZYX").moved(legs).array[sure], expected[sure])
