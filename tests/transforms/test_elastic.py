import numpy as np
import pytest
import scipy.ndimage

import offgraph as og
from offgraph.steps import declaration

CASES = {
    2: [
        og.Elastic(2.5),
        og.Elastic(("2%", "6%"), nodes=4, order=3, mode="mirror"),
        og.Elastic({"Y": 2, "X": (0, 3)}, nodes={"Y": 3, "X": 6}, fixed_border=True, mode="nearest", p=0.7),
        og.Elastic(6, nodes=6, order=0, mode="grid-wrap"),
    ],
    3: [
        og.Elastic(1.0, nodes=3, mode="reflect"),
        og.Elastic({"YX": "8%"}, nodes={"Z": 2, "YX": 4}, order=2, cval=7, mask_cval=3),
    ],
}
pytestmark = pytest.mark.filterwarnings(
    "ignore::offgraph.core.errors.OffgraphWarning"
)  # case 4 may fold: it is meant to


def field_of(step: og.Elastic, key: og.Key, size: tuple[int, ...]) -> og.DisplacementMap:
    frame = og.Compose([step])(image=np.zeros(size, np.uint8), axes="ZYX"[-len(size) :], key=key).frame
    found = [
        part for part in (frame.map, *getattr(frame.map, "maps", ())) if isinstance(part, og.DisplacementMap)
    ]
    return found[0]


@pytest.mark.parametrize("index", range(5))
def test_no_pixel_moves_further_than_the_magnitude(index):
    step = field_of(og.Elastic({"Y": 3, "X": "5%"}, nodes=6), og.Key(index=index), (80, 120))
    far = np.abs(step.coordinates() - np.indices((80, 120))).reshape(2, -1).max(axis=1)
    assert far[0] <= 3.00001 and far[1] <= 6.00001 and (far > 0.8).all()
    still = field_of(og.Elastic({"YX": 2}), og.Key(index=index), (9, 20, 20))
    assert (still.coordinates()[0] == np.indices((9, 20, 20))[0]).all()


@pytest.mark.parametrize("nodes", [2, 3, 4, 7])
def test_a_fixed_border_stays(nodes):
    step = field_of(og.Elastic(3, nodes=nodes, fixed_border=True), og.Key(3), (50, 60))
    moved = step.coordinates() - np.indices((50, 60))
    for edge in (moved[:, 0], moved[:, -1], moved[:, :, 0], moved[:, :, -1]):
        assert np.abs(edge).max() < 1e-6
    assert (np.abs(moved).max() > 0.3) == (nodes > 2)
    assert np.abs(moved).max() <= 3.00001


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("index", range(6))
def test_below_the_limit_of_the_docstring_nothing_folds(n, index):
    size = (33, 33) if n == 2 else (17, 17, 17)
    apart, share = (size[0] - 1) / 4, {2: 0.48, 3: 0.40}[n]
    step = field_of(og.Elastic(share * apart), og.Key(index=index), size)
    lattice = np.stack(
        np.meshgrid(*[np.linspace(0, m - 1, 40 if n == 2 else 24) for m in size], indexing="ij"), -1
    )
    assert (np.linalg.det(step.jacobian(lattice)) > 0).all()
    assert not step.may_fold


def test_what_may_fold_is_said_once(monkeypatch):
    monkeypatch.setattr(declaration, "_HINTED", set())
    with pytest.warns(
        og.OffgraphWarning, match="may fold over itself; give a smaller magnitude, or fewer nodes"
    ):
        og.Compose([og.Elastic(9.5, nodes=9)])(image=np.zeros((32, 32), np.uint8), key=og.Key())


@pytest.mark.parametrize("index", range(4))
def test_labels_go_where_the_image_goes(index):
    mask = np.zeros((64, 64), np.uint8)
    mask[20:44, 16:40] = 200
    out = og.Compose([og.Elastic(4, nodes=6, order=1)])(image=mask, mask=mask, key=og.Key(index=index))
    assert set(np.unique(out.mask)) == {0, 200}
    assert (
        (out.mask == 200) != (out.image > 99.5)
    ).sum() <= 8  # at the corners, where order 1 takes both sides off
    back = out.frame.undo(mask=out.mask)
    edge = scipy.ndimage.maximum_filter(mask, 5) != scipy.ndimage.minimum_filter(mask, 5)
    assert not (back != mask)[~edge & out.frame.valid()].any()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 2), (3, 3)])
def test_images_smaller_than_the_grid(size):
    image = np.arange(np.prod(size), dtype=np.float32).reshape(size)
    out = og.Compose([og.Elastic("5%", mode="nearest")])(image=image, key=og.Key(1))
    assert out.image.shape == size and np.isfinite(out.image).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"magnitude": -1}, "magnitude: expected pixels or a share of at least 0, got -1"),
        ({"magnitude": ("-5%", "5%")}, "magnitude: expected pixels or a share of at least 0"),
        ({"magnitude": "5"}, "expected pixels, a share such as"),
        ({"magnitude": 3, "nodes": 0}, "nodes: expected a whole number of at least 1, got 0"),
        ({"magnitude": 3, "nodes": 32}, "nodes=32 makes more than 1,000 nodes"),
        ({}, "magnitude: is needed"),
    ],
)
def test_what_is_refused(arguments, says):
    with pytest.raises(og.StepError, match=says):
        og.Elastic(**arguments)


def test_what_does_not_fit_the_image_is_refused():
    with pytest.raises(og.StepError, match="makes 3,375 nodes of 3 axes, more than 1,000"):
        og.Compose([og.Elastic(1, nodes=15)])(image=np.zeros((8, 8, 8), np.uint8), axes="ZYX", key=og.Key())
    with pytest.raises(og.StepError, match="the image has the spatial axes YX"):
        og.Compose([og.Elastic({"Z": 1})])(image=np.zeros((8, 8), np.uint8), key=og.Key())


def test_nothing_moved_is_nothing_drawn():
    assert not og.Elastic(0).varies and og.Elastic((0, 1)).varies and not og.Elastic({"Y": 0}).varies
    image = np.random.default_rng(0).random((20, 20))
    np.testing.assert_array_equal(og.Compose([og.Elastic(0)])(image=image).image, image)
