"""A footprint or a structure that is the output, too: read before anything is written, as SciPy does."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from offgraph import ndimage

IMAGE = np.random.default_rng(1).random((3, 3)) > 0.5
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
HEIGHTS = np.arange(9.0).reshape(3, 3) % 4

CASES = [
    *((name, "footprint", CROSS, {}) for name in ("minimum_filter", "median_filter", "grey_dilation")),
    *((name, "footprint", CROSS, {"structure": HEIGHTS}) for name in ("grey_dilation", "grey_erosion")),
    *((name, "structure", CROSS, {}) for name in ("binary_erosion", "binary_dilation", "binary_propagation")),
    *(
        (name, "structure", HEIGHTS, {})
        for name in ("grey_opening", "white_tophat", "morphological_gradient")
    ),
    ("correlate", "weights", HEIGHTS, {}),
]


@pytest.mark.parametrize(("name", "argument", "window", "others"), CASES)
def test_the_result_is_scipys(name, argument, window, others):
    results = []
    for module in (scipy.ndimage, ndimage):
        memory = window.copy()
        arguments = {argument: memory, "output": memory, **others}
        results.append(getattr(module, name)(IMAGE.astype(window.dtype), **arguments).copy())
    np.testing.assert_array_equal(results[1], results[0])
