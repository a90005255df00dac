"""Arguments that are refused: by the exception that SciPy raises, with its text; or taken, with its result."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

from offgraph import ndimage

LINE = np.arange(6.0)
IMAGE = np.arange(12.0).reshape(3, 4)
HUGE = 2**63

CASES: list[tuple[str, dict[str, Any]]] = [
    *(
        ("gaussian_filter", {"sigma": 1, **odd})
        for odd in (
            {"order": 3.0},
            {"order": None},
            {"order": "a"},
            {"order": [0]},
            {"sigma": "a"},
            {"truncate": None},
            {"radius": -1},
            {"radius": 1.5},
            {"radius": "x"},
        )
    ),
    ("gaussian_filter1d", {"sigma": 1, "order": 3.0}),
    ("gaussian_filter1d", {"sigma": 1, "order": -1}),
    *(("gaussian_laplace", {"sigma": 1, "axes": axes}) for axes in (1, 5, HUGE, (0, 0), "a")),
    *(("gaussian_gradient_magnitude", {"sigma": 1, "axes": axes}) for axes in (5, (0, 0))),
    *(
        ("correlate", {"weights": [1, 2, 3], "axes": axes})
        for axes in (5, True, 1.0, "a", (), np.array([1]), HUGE)
    ),
    ("correlate", {"weights": [[1, 2]], "axes": (0, 0)}),
    ("correlate", {"weights": np.ones((3, 3)), "origin": HUGE}),
    ("correlate1d", {"weights": [1, 2, 3], "origin": HUGE}),
    *(("maximum_filter", {"size": size}) for size in (HUGE, 0, -1, 2.5, "a")),
    ("maximum_filter", {"size": 3, "axes": 5, "mode": "bogus"}),
    ("maximum_filter", {"size": 3, "mode": "bogus"}),
    ("maximum_filter", {"size": 3, "axes": True}),
    ("maximum_filter", {"size": 3, "origin": HUGE}),
    ("maximum_filter1d", {"size": HUGE}),
    *(("uniform_filter", {"size": size}) for size in (HUGE, 0, "a")),
    ("uniform_filter1d", {"size": HUGE}),
    ("uniform_filter1d", {"size": 3, "origin": HUGE}),
    ("median_filter", {"size": HUGE}),
    ("median_filter", {"size": 0}),
    ("median_filter", {"size": 3, "axes": 5}),
    ("rank_filter", {"rank": HUGE, "size": 3}),
    ("percentile_filter", {"percentile": 101, "size": 3}),
    ("sobel", {"axis": 5}),
    ("sobel", {"axis": 1.0}),
    ("laplace", {"mode": "q"}),
    ("laplace", {"axes": 5}),
    ("grey_erosion", {}),
    ("grey_erosion", {"size": 3, "axes": 5}),
    ("binary_erosion", {"iterations": 1.5}),
    ("binary_erosion", {"iterations": "a"}),
    *(("zoom", {"zoom": 2, "order": order}) for order in (6, -1, 1.5, 2.5, "1", None)),
    *(("zoom", {"zoom": 2, "grid_mode": grid}) for grid in (None, "a", 1.5, 2)),
    ("zoom", {"zoom": 2, "output": "x"}),
    ("zoom", {"zoom": 1e30}),
    *(("shift", {"shift": 1, "order": order}) for order in (1.5, 2.5)),
    ("shift", {"shift": "a"}),
    *(("rotate", {"angle": 3, "order": order}) for order in (1.5, 2.5)),
    ("rotate", {"angle": 3, "axes": (0, 0)}),
    ("affine_transform", {"matrix": np.eye(5)}),
    ("spline_filter", {"order": 1.5}),
    ("spline_filter1d", {"order": 3.0}),
    ("spline_filter1d", {"axis": 5}),
    ("map_coordinates", {"coordinates": [[1, 2]]}),
    ("map_coordinates", {"coordinates": "ab"}),
    ("map_coordinates", {"coordinates": np.ones((2, 3), complex)}),
    *(("map_coordinates", {"coordinates": np.ones((2, 3)), "order": order}) for order in (1.5, 2.5)),
]


def outcome(module: Any, name: str, image: np.ndarray, arguments: dict[str, Any]) -> tuple:
    """What a call gives: the result's type, shape and bytes, or the exception's type and text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = getattr(module, name)(image, **arguments)
        except Exception as error:
            return type(error), str(error)
    return result.dtype, result.shape, result.tobytes()


@pytest.mark.parametrize("image", [LINE, IMAGE], ids=["line", "image"])
@pytest.mark.parametrize(("name", "arguments"), CASES, ids=lambda value: str(value).replace("\n", ""))
def test_the_outcome_is_scipys(name, arguments, image):
    assert outcome(ndimage, name, image, arguments) == outcome(scipy.ndimage, name, image, arguments)


@pytest.mark.parametrize("dtype", ["e", "g"])
@pytest.mark.parametrize("name", ["grey_erosion", "grey_dilation", "white_tophat"])
def test_the_type_of_an_array_is_refused_before_a_footprint_without_pixels(name, dtype):
    # Of a type that it takes, SciPy reads foreign memory.
    arguments = {"footprint": np.zeros(3, bool), "structure": np.zeros(3)}
    image = LINE.astype(dtype)
    assert outcome(ndimage, name, image, arguments) == outcome(scipy.ndimage, name, image, arguments)
