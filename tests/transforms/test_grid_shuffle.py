import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og

CASES = {
    2: [og.GridShuffle(), og.GridShuffle({"Y": 2, "X": 5})],
    3: [og.GridShuffle(2), og.GridShuffle({"X": 4})],
}


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 6), st.integers(1, 6), st.integers(0, 999))
def test_the_same_pixels_in_blocks(height, width, rows, columns, seed):
    image = np.arange(height * width).reshape(height, width)
    recipe = og.Compose([og.GridShuffle({"Y": rows, "X": columns})])
    out = recipe(image=image, mask=image.astype(np.int32), key=og.Key(seed=seed))
    np.testing.assert_array_equal(np.sort(out.image, axis=None), image.ravel())
    np.testing.assert_array_equal(out.mask, out.image)
    # Neighbours stay neighbours but at the cuts.
    down, across = (
        np.array([n * i // k for i in range(1, k)], int) for n, k in ((height, rows), (width, columns))
    )
    torn = np.flatnonzero((np.diff(out.image, axis=1) != 1).any(axis=0)) + 1
    assert set(torn) <= set(across)
    torn = np.flatnonzero((np.diff(out.image, axis=0) != width).any(axis=1)) + 1
    assert set(torn) <= set(down)
    np.testing.assert_array_equal(out.frame.undo(mask=out.mask), image)


def test_every_order_is_as_likely():
    image = np.arange(3, dtype=np.uint8)[np.newaxis]
    recipe = og.Compose([og.GridShuffle({"X": 3})])
    found = [tuple(recipe(image=image, key=og.Key(index=i)).image[0].tolist()) for i in range(1200)]
    counts = [found.count(order) for order in set(found)]
    assert len(counts) == 6 and max(abs(n - 200) for n in counts) < 4 * np.sqrt(200 * 5 / 6)


def test_points_move_with_their_cells_and_boxes_hold_their_pieces():
    size = (40, 60)
    labels = np.zeros(size, np.uint8)
    labels[15:25, 25:45] = 1  # over a cut of both axes
    boxes = og.Boxes([[25, 15, 45, 25]], size=size)
    points = og.Points(np.argwhere(labels).astype(float), size=size)
    recipe = og.Compose([og.GridShuffle({"Y": 2, "X": 3})])
    for index in range(12):
        out = recipe(image=labels, mask=labels, boxes=boxes, points=points, key=og.Key(index=index))
        where = np.argwhere(out.mask)
        places = out.points.places
        assert {tuple(place) for place in places} == {tuple(place) for place in where.astype(float)}
        low, high = out.boxes.edges[0, :2], out.boxes.edges[0, 2:]
        np.testing.assert_allclose(low, where.min(0) - 0.5)
        np.testing.assert_allclose(high, where.max(0) + 0.5)


def test_a_box_in_one_cell_stays_as_it_is():
    size = (40, 60)
    boxes = og.Boxes([[22, 3, 36, 17]], size=size)
    recipe = og.Compose([og.GridShuffle({"Y": 2, "X": 3})])
    for index in range(6):
        out = recipe(image=np.zeros(size, np.uint8), boxes=boxes, key=og.Key(index=index))
        edges = out.boxes.edges[0]
        np.testing.assert_allclose(edges[2:] - edges[:2], [14, 14])
        np.testing.assert_allclose(edges[:2] % 20, boxes.edges[0, :2] % 20)


def test_a_rotation_after_it_does_not_read_across_cuts():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    steps = [og.GridShuffle(4), og.Rotate(20)]
    fused = og.Compose(steps)(image=image, key=og.Key(seed=3)).image
    chain = og.Compose(steps, fuse=False)(image=image, key=og.Key(seed=3)).image
    np.testing.assert_array_equal(fused, chain)


def test_a_record_holds_no_endless_order():
    with pytest.raises(og.StepError, match="more than 1,000 cells"):
        og.GridShuffle(32)
