"""Steps on a volume of 96 × 96 × 96 `float32`, one thread, beside what a user writes with SciPy and NumPy.

Answers are compared in bytes before they are timed; those of `Elastic`, whose displacements are drawn, with what SciPy makes
of the coordinates that the step used.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.ndimage

import offgraph as og
from benches.timing import in_turn, ratio
from offgraph.core.threads import num_threads

KEY = og.Key(seed=1)
ndi: Any = scipy.ndimage
TURN = np.array([[0.9, 0.1, 0.0], [-0.1, 0.9, 0.05], [0.0, 0.02, 1.1]])


def volume() -> np.ndarray:
    """Soft blobs between 0 and 1."""
    found = ndi.gaussian_filter(np.random.default_rng(0).normal(size=(96, 96, 96)), 2)
    return ((found - found.min()) / np.ptp(found)).astype(np.float32)


def _affine(image: np.ndarray, order: int) -> np.ndarray:
    middle = (np.array(image.shape) - 1) / 2
    return ndi.affine_transform(image, TURN, middle - TURN @ middle, order=order)


def _zscore(image: np.ndarray) -> np.ndarray:
    values = image.astype(np.float64)
    return ((values - values.mean()) / values.std()).astype(np.float32)


def _percentiles(image: np.ndarray) -> np.ndarray:
    values = image.astype(np.float64)
    low, high = np.percentile(values, (1, 99))
    return ((values - low) / (high - low)).astype(np.float32)


def _elastic(image: np.ndarray) -> np.ndarray:
    draw = np.random.default_rng(1)
    grid = np.indices(image.shape, np.float64)
    for along in grid:
        along += ndi.zoom(draw.uniform(-6, 6, (6, 6, 6)), 16, order=3, mode="mirror")
    return ndi.map_coordinates(image, grid, order=1)


CASES: dict[str, tuple[og.Step, Callable[[np.ndarray], np.ndarray]]] = {
    "Affine": (og.Affine(matrix=TURN.tolist()), lambda image: _affine(image, 1)),
    "Affine, order 3": (og.Affine(matrix=TURN.tolist(), order=3), lambda image: _affine(image, 3)),
    "Elastic": (og.Elastic(magnitude=6.0, nodes=6), _elastic),
    "Zoom 1.3": (og.Zoom(1.3), lambda image: ndi.zoom(image, 1.3, order=3)),
    "GaussianFilter 1": (og.GaussianFilter(1.0), lambda image: ndi.gaussian_filter(image, 1.0)),
    "MedianFilter 3": (og.MedianFilter(3), lambda image: ndi.median_filter(image, 3)),
    "Pad 8, mirror": (og.Pad(8, mode="mirror"), lambda image: np.pad(image, 8, mode="reflect")),
    "Flip": (og.Flip("X"), lambda image: image[:, :, ::-1].copy()),
    "Rescale": (og.Rescale(0.5), lambda image: (image.astype(np.float64) * 0.5).astype(np.float32)),
    "ZScore": (og.ZScore(), _zscore),
    "PercentileNormalize": (og.PercentileNormalize(), _percentiles),
}


def check(
    name: str, recipe: og.Compose, image: np.ndarray, definition: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Stop where an answer is not SciPy's."""
    result = recipe(image=image, axes="ZYX", key=KEY)
    if name == "Elastic":
        where = result.frame.map.coordinates()
        is_same = np.array_equal(result.image, ndi.map_coordinates(image, where, order=1))
    else:
        is_same = np.array_equal(result.image, definition(image))
    if not is_same:
        raise SystemExit(f"{name}: not the values of SciPy or NumPy")


def run(only: str = "", rounds: int = 5) -> list[dict]:
    """Time all cases whose name holds `only`."""
    image, rows = volume(), []
    with num_threads(1):
        for name, (step, definition) in CASES.items():
            if only not in name:
                continue
            recipe = og.Compose([step])
            check(name, recipe, image, definition)
            calls: dict[str, Callable[[], object]] = {
                "offgraph": partial(recipe, image=image, axes="ZYX", key=KEY),
                "SciPy": partial(definition, image),
            }
            seconds = in_turn(calls, rounds=rounds)
            row = {"case": name, "median_ms": round(statistics.median(seconds["offgraph"]) * 1e3, 3)}
            row["SciPy / offgraph"] = round(ratio(seconds, "SciPy") or 0, 2)
            print(f"{name:24} {row['median_ms']:9.3f} ms   SciPy {row['SciPy / offgraph']:7.2f} x")
            rows.append(row)
    return rows
