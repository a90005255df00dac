"""Frames over maps of every kind, and reading an array through a map."""

from __future__ import annotations

import doctest
import importlib
import json

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from offgraph.core.errors import OffgraphError
from offgraph.geometry import (
    AffineMap,
    CoordinateMap,
    DisplacementMap,
    Frame,
    GridMap,
    ProjectiveMap,
    Resampling,
    compose,
    orientation_map,
    read,
    read_labels,
)

SIZE = (48, 56)


def discs() -> np.ndarray:
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    mask = np.zeros(SIZE, np.uint8)
    for label, (row, column, radius) in enumerate([(14, 14, 9), (30, 36, 12), (40, 12, 6), (10, 44, 7)], 1):
        mask[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = label
    return mask


def near_a_boundary(mask: np.ndarray, width: int) -> np.ndarray:
    edge = scipy.ndimage.maximum_filter(mask, 3) != scipy.ndimage.minimum_filter(mask, 3)
    return scipy.ndimage.binary_dilation(edge, iterations=width)


def elastic(seed: int, size: tuple[int, int], strength: float) -> DisplacementMap:
    field = np.random.default_rng(seed).normal(0, 1, (2, 5, 5))
    step = DisplacementMap(field, size, size)
    return DisplacementMap(field * strength / step.steepness, size, size)


def a_turn(angle: float, size: tuple[int, int]) -> AffineMap:
    c, s = np.cos(angle), np.sin(angle)
    matrix, centre = np.array([[c, -s], [s, c]]), (np.array(size) - 1) / 2
    return AffineMap(matrix, centre - matrix @ centre, size, size)


def perspective(seed: int, size: tuple[int, int]) -> ProjectiveMap:
    h, w = size[0] - 1.0, size[1] - 1.0
    corners = np.array([(0, 0), (0, w), (h, 0), (h, w)])
    moved = corners + np.random.default_rng(seed).uniform(-4, 4, (4, 2))
    return ProjectiveMap.from_points(corners, moved, size, size)


@st.composite
def chains(draw: st.DrawFn) -> list[CoordinateMap]:
    size, maps = SIZE, []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["elastic", "turn", "perspective", "flip", "crop", "transpose"]))
        seed = draw(st.integers(0, 2**32))
        match kind:
            case "elastic":
                step = elastic(seed, size, draw(st.sampled_from([0.3, 0.6, 1.5])))
            case "turn":
                step = a_turn(draw(st.floats(-0.5, 0.5)), size)
            case "perspective":
                step = perspective(seed, size)
            case "flip":
                step = GridMap.flip((draw(st.integers(0, 1)),), size)
            case "crop":
                step = GridMap.crop((-2, 5), (size[0] - 3, size[1] - 4), size)
            case _:
                step = GridMap.transpose((1, 0), size)
        maps.append(step)
        size = step.output_size
    return maps


@given(chains())
@settings(deadline=None, max_examples=60)
def test_a_mask_comes_back_wherever_it_is_valid(maps):
    mask = discs()
    frame = Frame.from_json(json.loads(json.dumps(Frame(tuple(maps)).to_json())))
    moved = read_labels(mask, frame.map, Resampling(mode="nearest"), (0, 1))
    back, valid = frame.undo(mask=moved, fill=77), frame.valid()
    assert back.dtype == mask.dtype and valid.shape == SIZE
    assert (back[~valid] == 77).all()
    assert set(np.unique(back[valid])) <= set(range(5))
    wrong = valid & (back != mask)
    if all(isinstance(step, GridMap) for step in maps):
        assert not wrong.any()
    assert not wrong[~near_a_boundary(mask, 3)].any()
    wide = mask.astype(np.int64) + (2**62)
    moved = read_labels(wide, frame.map, Resampling(mode="nearest"), (0, 1))
    np.testing.assert_array_equal(frame.undo(mask=moved)[valid], back[valid] + np.int64(2**62))


@given(chains())
@settings(deadline=None, max_examples=30)
def test_values_and_points_come_back(maps):
    """A ramp is linear, so that order 1 reads it without error but at its borders."""
    frame = Frame(tuple(maps))
    rows, columns = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]), indexing="ij")
    ramps = np.stack([rows, columns], axis=-1).astype(np.float64)
    moved = read(ramps, frame.map, Resampling(order=1, mode="nearest"), (0, 1))
    back = frame.undo(heatmap=moved, fill=-1)
    inner = frame.valid()
    inner = scipy.ndimage.binary_erosion(inner, iterations=4)
    np.testing.assert_allclose(back[inner], ramps[inner], atol=0.6)
    places = np.random.default_rng(0).uniform(3, 25, (10, 2))
    np.testing.assert_array_equal(frame.undo(points=places), frame.map(places))


def test_what_a_fold_hides_is_not_valid():
    field = np.zeros((2, 9, 9))
    field[0, 3:6, 3:6] = 12
    frame = Frame((DisplacementMap(field, (33, 33), (33, 33)),))
    valid = frame.valid()
    assert 0.05 < (~valid).mean() < 0.6
    rows = np.broadcast_to(np.arange(33.0)[:, None], (33, 33)).copy()
    back = frame.undo(image=read(rows, frame.map, Resampling(mode="nearest"), (0, 1)), fill=-5)
    assert (back[~valid] == -5).all()
    inner = scipy.ndimage.binary_erosion(valid, iterations=2)
    assert np.abs(back - rows)[inner].max() < 1


def test_grid_frames_are_exact_and_join():
    stored = np.random.default_rng(1).integers(0, 255, (5, 7)).astype(np.uint8)
    for orientation in range(1, 9):
        upright = orientation_map(orientation, (5, 7))
        assert isinstance(upright, GridMap)
        frame = Frame((upright,)).then(GridMap.crop((-1, -2), (9, 11), upright.output_size))
        moved = frame.map.take(stored, (0, 1))
        np.testing.assert_array_equal(frame.undo(mask=moved), stored)
        assert frame.valid().all()


def test_old_frames_still_load():
    old = [
        {
            "matrix": [[1.0, 0.0], [0.0, 1.0]],
            "offset": [0.0, 0.0],
            "input_size": [4, 6],
            "output_size": [4, 6],
        },
        {
            "matrix": [[1.0, 0.0], [0.0, 1.0]],
            "offset": [1.0, 1.0],
            "input_size": [4, 6],
            "output_size": [2, 2],
        },
    ]
    frame = Frame.from_json(old)
    np.testing.assert_array_equal(np.argwhere(frame.valid()), [[1, 1], [1, 2], [2, 1], [2, 2]])
    with pytest.raises(OffgraphError, match="list of maps"):
        Frame.from_json(old * 2000)


def test_targets_bring_themselves_back():
    class Given:
        def restored(self, frame: Frame) -> tuple[str, Frame]:
            return "restored", frame

    frame = Frame.start((4, 4))
    for name in ("mask", "heatmap", "image", "boxes", "points"):
        assert frame.undo(**{name: Given()}) == ("restored", frame)
    with pytest.raises(OffgraphError, match=r"write Boxes\(array"):
        frame.undo(boxes=np.zeros((1, 4)))
    with pytest.raises(OffgraphError, match="takes one of"):
        frame.undo(points=[(0, 0)], mask=np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("mode", ["constant", "nearest", "mirror", "grid-wrap"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_reading_is_scipys(order, mode, dtype):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 250, (*SIZE, 3)).astype(dtype)
    rule = Resampling(order, mode, cval=7)
    for step in (elastic(1, SIZE, 0.7), perspective(2, SIZE), elastic(1, SIZE, 0.7).then(a_turn(0.3, SIZE))):
        found = read(image, step, rule, (0, 1))
        for channel in range(3):
            expected = scipy.ndimage.map_coordinates(
                image[..., channel], step.coordinates(), order=order, mode=mode, cval=7
            )
            np.testing.assert_array_equal(found[..., channel], expected)
    step = a_turn(0.3, SIZE)
    expected = scipy.ndimage.affine_transform(
        image[..., 1], step.matrix, step.offset, order=order, mode=mode, cval=7
    )
    np.testing.assert_array_equal(read(image, step, rule, (0, 1))[..., 1], expected)
    np.testing.assert_array_equal(read(image.transpose(2, 0, 1), step, rule, (1, 2))[1], expected)


def test_where_nothing_maps_the_value_outside_is_read():
    step = ProjectiveMap(np.array([[1, 0, 0], [0, 1, 0], [0, -0.2, 1]]), (10, 10), (10, 10))
    for mode in ("constant", "nearest", "mirror", "grid-constant"):
        out = read(np.ones((10, 10)), step, Resampling(mode=mode, cval=-3), (0, 1))
        assert (out[:, 5:] == -3).all() and (out[0, :2] == 1).all()
    labels = read_labels(np.ones((10, 10), np.uint64), step, Resampling(mode="nearest", mask_cval=9), (0, 1))
    assert (labels[:, 5:] == 9).all()


def test_what_cannot_be_read():
    with pytest.raises(OffgraphError, match="does not lie on this map's input grid"):
        read(np.zeros((3, 3)), AffineMap.identity((4, 4)), Resampling(), (0, 1))
    with pytest.raises(ValueError, match="mask_cval=-1 cannot be held"):
        read_labels(np.zeros((3, 3), np.uint8), a_turn(0.1, (3, 3)), Resampling(mask_cval=-1), (0, 1))
    for wrong in ({"order": 6}, {"order": True}, {"mode": "edge"}, {"cval": np.nan}):
        with pytest.raises(OffgraphError):
            Resampling(**wrong)


@pytest.mark.parametrize(
    "name",
    [
        "base",
        "affine_map",
        "chain_map",
        "displacement_map",
        "frame",
        "grid_map",
        "inverse_map",
        "orientation",
        "projective_map",
        "radial_map",
        "reading",
        "resampling",
    ],
)
def test_examples(name: str):
    module = importlib.import_module(f"offgraph.geometry.{name}")
    assert doctest.testmod(module, extraglobs={"np": np}).failed == 0


def test_composing_many_is_one_map():
    maps = [a_turn(0.1, SIZE)] * 50
    assert isinstance(compose(maps), AffineMap)
