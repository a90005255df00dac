import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.Zoom(1.5),
        og.Zoom(0.5, order=1),
        og.Zoom(1),
        og.Zoom(1.01),  # the same size, and yet SciPy resamples
        og.Zoom(1.01, order=1, grid="pixels", mode="grid-wrap"),
        og.Zoom((0.7, 1.4), order=1, grid="pixels", mode="nearest"),
        og.Zoom(2, order=0, grid="pixels", mode="grid-constant", cval=4),
    ],
    3: [og.Zoom(1.3, order=1, mode="mirror"), og.Zoom(0.6)],
}


def test_nothing_left():
    with pytest.raises(og.StepError, match=r"Zoom: factor=0.01 leaves no pixels of a picture of \(10, 10\)"):
        og.Compose([og.Zoom(0.01)])(image=np.zeros((10, 10), np.uint8))


def test_the_default_order_is_scipys():
    assert og.Zoom(2).order == 3
