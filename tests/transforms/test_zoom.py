import warnings

import numpy as np
import pytest
from scipy import ndimage as scipy_ndimage

import offgraph as og
from offgraph.steps import declaration as step_module

CASES = {
    2: [
        og.Zoom(1.5),
        og.Zoom(0.5, order=1),
        og.Zoom(1),
        og.Zoom(1.01),  # the same size, and yet SciPy resamples
        og.Zoom(1.01, order=1, grid="pixels", mode="grid-wrap"),
        og.Zoom((0.7, 1.4), order=1, grid="pixels", mode="nearest"),
        og.Zoom({"Y": 1.3, "X": 1}, order=1, mode="reflect"),
        og.Zoom(2, order=0, grid="pixels", mode="grid-constant", cval=4),
    ],
    3: [
        og.Zoom(1.3, order=1, mode="mirror"),
        og.Zoom(0.6),
        og.Zoom({"Z": 2, "YX": (0.5, 1.2)}, order=1, mode="mirror"),
        og.Zoom({"Z": 1.5}, grid="pixels", mode="nearest"),
    ],
}


def test_nothing_left():
    with pytest.raises(og.StepError, match=r"Zoom: factor=0.01 leaves no pixels of an image of \(10, 10\)"):
        og.Compose([og.Zoom(0.01)])(image=np.zeros((10, 10), np.uint8))


def test_the_default_order_is_scipys():
    assert og.Zoom(2).order == 3


@pytest.fixture
def not_yet_hinted(monkeypatch):
    monkeypatch.setattr(step_module, "_HINTED", set())


def test_a_black_edge_is_hinted_at_once(not_yet_hinted):
    """From 768 to 96 rows, rounding puts the last one beyond the border: SciPy's answer, and no one's wish."""
    grey = np.full((768, 1024), 200, np.uint8)
    recipe = og.Compose([og.Zoom(0.125, order=1)])
    with pytest.warns(og.OffgraphWarning, match=r"from 768 to 96 pixels, .* write mode='mirror'") as said:
        outs = [recipe(image=grey).image for _ in range(2)]
    assert len(said) == 1 and outs[0][95].max() == 0
    assert og.Compose([og.Zoom(0.125, order=1, mode="mirror")])(image=grey).image.min() == 200


def test_a_rim_on_the_grid_of_pixels_is_hinted_at_once(not_yet_hinted):
    recipe = og.Compose([og.Zoom(2, order=1, grid="pixels")])
    with pytest.warns(og.OffgraphWarning, match="write mode='grid-constant'"):
        assert recipe(image=np.full((9, 9), 200, np.uint8)).image[0].max() == 0


def test_no_hint_where_no_edge_turns_black(not_yet_hinted):
    """The hint comes exactly where the image has black pixels; warnings are errors in these tests."""
    for n in range(2, 40):
        grey = np.full((n, n), 200, np.uint8)
        for m in range(2, 40):
            for grid in ("corners", "pixels"):
                step_module._HINTED.clear()
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    out = og.Compose([og.Zoom(m / n, order=1, grid=grid)])(image=grey).image
                assert bool([s for s in said if s.category is og.OffgraphWarning]) == (out.min() < 199), (
                    n,
                    m,
                    grid,
                )


@pytest.mark.parametrize("order", range(6))
def test_mirror_gives_the_same_values_without_the_edge(order):
    image = np.random.default_rng(0).random((13, 13))
    for m in range(2, 40):
        black = scipy_ndimage.zoom(image, m / 13, order=order)
        whole = og.Zoom(m / 13, order=order, mode="mirror").apply(og.Image(image), {"factor": m / 13}).array
        edge = -1 if not black[-1].any() else None
        np.testing.assert_array_equal(black[:edge, :edge], whole[:edge, :edge])
