"""Grid maps: the symmetries of square and cube as groups, and crops, pads, flips and transposes, all in equal bytes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from offgraph.core.errors import OffgraphError
from offgraph.geometry import AffineMap, GridMap, compose

RNG = np.random.default_rng(11)
MODES = ["constant", "nearest", "reflect", "mirror", "wrap", "grid-wrap", "grid-constant", "grid-mirror"]


def symmetries(n: int, length: int) -> list[GridMap]:
    """All symmetries of a square (n = 2) or a cube (n = 3): each order of axes with each set of flips."""
    size = (length,) * n
    return [
        GridMap.transpose(axes, size).then(GridMap.flip(flipped, size))
        for axes in itertools.permutations(range(n))
        for count in range(n + 1)
        for flipped in itertools.combinations(range(n), count)
    ]


def moved_by_numpy(step: GridMap, array: np.ndarray) -> np.ndarray:
    """A symmetry by NumPy's own operations."""
    flipped = [axis for axis, flip in enumerate(step.flips) if flip]
    return np.flip(array.transpose(step.axes), flipped)


@pytest.mark.parametrize(("n", "length", "count"), [(2, 5, 8), (3, 4, 48)])
def test_symmetries_are_a_group(n: int, length: int, count: int):
    group = symmetries(n, length)
    array = RNG.integers(0, 2**63, (length,) * n, dtype=np.int64)
    axes = tuple(range(n))
    moved = [moved_by_numpy(step, array).tobytes() for step in group]
    assert len(set(group)) == len(set(moved)) == count
    for step, expected in zip(group, moved):
        assert step.take(array, axes).tobytes() == expected
        assert step.then(step.inverse()).is_identity
        assert step.inverse() in group
    for first, second in itertools.product(group, group):
        joined = first.then(second)
        assert joined in group
        assert (
            joined.take(array, axes).tobytes()
            == moved_by_numpy(second, moved_by_numpy(first, array)).tobytes()
        )


def test_quarter_turns_are_numpys():
    array = RNG.integers(0, 255, (4, 7, 3)).astype(np.uint8)
    turn = GridMap.transpose((1, 0), (4, 7)).then(GridMap.flip((0,), (7, 4)))
    np.testing.assert_array_equal(turn.take(array, (0, 1)), np.rot90(array))


@st.composite
def chains(draw: st.DrawFn) -> tuple[tuple[int, ...], list[GridMap]]:
    n = draw(st.integers(1, 3))
    size = tuple(draw(st.lists(st.integers(1, 6), min_size=n, max_size=n)))
    start, steps = size, []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["flip", "transpose", "window"]))
        if kind == "flip":
            step = GridMap.flip(draw(st.sets(st.integers(0, n - 1))), size)
        elif kind == "transpose":
            step = GridMap.transpose(draw(st.permutations(range(n))), size)
        else:
            first = [draw(st.integers(-3, length + 2)) for length in size]
            step = GridMap.crop(first, [draw(st.integers(0, 7)) for _ in size], size)
        steps.append(step)
        size = step.output_size
    return start, steps


@given(chains(), st.sampled_from(["uint8", "float32", "int64", "bool"]))
def test_a_chain_is_its_steps(chain, dtype):
    """Where every pixel of the chain stays inside, the joined map takes the pixels that the steps take."""
    size, steps = chain
    array = RNG.integers(1, 100, (*size, 2)).astype(dtype)
    axes = tuple(range(len(size)))
    by_steps, seen = array, np.ones((*size, 2), bool)
    for step in steps:
        by_steps, seen = step.take(by_steps, axes), step.take(seen, axes)
    joined = compose(steps)
    at_once = joined.take(array, axes)
    assert at_once.dtype == array.dtype and at_once.flags.c_contiguous
    np.testing.assert_array_equal(at_once[seen], by_steps[seen])
    assert not by_steps[~seen].any()


@given(chains())
def test_maps_join_and_invert_exactly(chain):
    size, steps = chain
    joined = compose(steps)
    assert isinstance(joined, GridMap)
    points = RNG.integers(-50, 50, (20, len(size))).astype(float)
    there = points
    for step in reversed(steps):
        there = step(there)
    np.testing.assert_array_equal(joined(points), there)
    np.testing.assert_array_equal(joined.inverse()(there), points)
    places, ok = joined.forward(there)
    np.testing.assert_array_equal(places, points)
    assert ok.all()
    assert GridMap.from_affine(joined.affine()) == joined
    np.testing.assert_array_equal(joined.affine()(points), there)
    assert compose(steps[::-1][:0] or [joined.inverse()]) == compose([step.inverse() for step in steps[::-1]])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_borders_are_scipys(mode: str, length: int):
    line = RNG.random(length)
    step = GridMap.crop((-25,), (50,), (length,))
    expected = scipy.ndimage.affine_transform(line, [[1.0]], [-25.0], (50,), order=0, mode=mode, cval=7)
    np.testing.assert_array_equal(step.take(line, (0,), mode, 7), expected)
    back = step.then(GridMap.flip((0,), (50,)))
    np.testing.assert_array_equal(back.take(line, (0,), mode, 7), expected[::-1])


@pytest.mark.parametrize("mode", ["nearest", "reflect", "mirror", "grid-wrap"])
def test_pads_are_numpys(mode: str):
    array = RNG.integers(0, 255, (3, 4, 5, 2)).astype(np.uint8)
    name = {"nearest": "edge", "reflect": "symmetric", "mirror": "reflect", "grid-wrap": "wrap"}[mode]
    step = GridMap.crop((-4, -1, 0), (9, 6, 12), (3, 4, 5))
    expected = np.pad(array, ((4, 2), (1, 1), (0, 7), (0, 0)), name)
    np.testing.assert_array_equal(step.take(array, (0, 1, 2), mode), expected)


def test_channels_first_and_between():
    array = RNG.integers(0, 255, (2, 3, 4, 5)).astype(np.uint8)
    step = GridMap.transpose((1, 0), (3, 5)).then(GridMap.flip((1,), (5, 3)))
    expected = np.flip(array.transpose(0, 3, 2, 1), 3)
    np.testing.assert_array_equal(step.take(array, (1, 3)), expected)


def test_what_cannot_be_filled_is_refused():
    array = np.zeros((3, 3), np.uint8)
    with pytest.raises(ValueError, match="cval=-1 cannot be held by dtype uint8"):
        GridMap.crop((-1, 0), (3, 3), (3, 3)).take(array, (0, 1), cval=-1)
    GridMap.crop((1, 0), (2, 3), (3, 3)).take(array, (0, 1), cval=-1)  # nothing to fill
    with pytest.raises(ValueError, match="without pixels"):
        GridMap.crop((0, 0), (3, 3), (0, 3)).take(np.zeros((0, 3)), (0, 1), "nearest")
    with pytest.raises(OffgraphError, match="does not lie on this map's input grid"):
        GridMap.identity((3, 4)).take(array, (0, 1))


@pytest.mark.parametrize(
    "arguments",
    [
        ((0, 0), (False, False), (0, 0), (3, 3), (3, 3)),
        ((0, 1), (False,), (0, 0), (3, 3), (3, 3)),
        ((0, 1), (False, False), (0.5, 0), (3, 3), (3, 3)),
        ((0, 1), (False, False), (0, 0), (3, -3), (3, 3)),
        ((0, 1), (False, False), (0, 2**60), (3, 3), (3, 3)),
        ((0, 1), (False, False), (0, 0), (3, 3), (3,)),
    ],
)
def test_what_is_no_grid_map(arguments):
    with pytest.raises(OffgraphError):
        GridMap(*arguments)


def test_affine_maps_that_move_whole_pixels():
    assert GridMap.from_affine(AffineMap.identity((3, 4))) == GridMap.identity((3, 4))
    assert GridMap.from_affine(AffineMap(np.eye(2), (0.5, 0), (3, 4), (3, 4))) is None
    assert GridMap.from_affine(AffineMap(np.array([[1, 1], [0, 1]]), (0, 0), (3, 4), (3, 4))) is None
    assert GridMap.from_affine(AffineMap(np.array([[1, 0], [1, 0]]), (0, 0), (3, 4), (3, 4))) is None
    assert GridMap.from_affine(AffineMap(np.array([[2, 0], [0, 1]]), (0, 0), (3, 4), (3, 4))) is None
