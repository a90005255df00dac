"""Measure every object of a label image, all in one pass over its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from offgraph.core.arguments import plain_array
from offgraph.core.errors import ArgumentError
from offgraph.engine.segmentation import pixel_sides

__all__ = ["label_image", "measure"]

_COUNTED = 1 << 24
"""Labels below this are found by counting, which takes memory in proportion to the largest."""


def measure(
    labels: ArrayLike, image: ArrayLike | None = None, *, sampling: float | Sequence[float] = 1.0
) -> dict[str, np.ndarray]:
    """Measure the objects of a label image, and the values of an image in them.

    Parameters
    ----------
    labels : array_like of int or bool, shape (H, W) or (D, H, W)
        Each label but 0 is an object, wherever its pixels are; 0 is background.
    image : array_like, shape of the labels, or with channels as the last axis
        Numbers whose statistics in each object are wanted.
    sampling : float or sequence of float
        Size of a pixel, as `scipy.ndimage.distance_transform_edt` takes it: one for all axes, or one for each, such as
        ``(2.5, 0.4, 0.4)`` micrometres of a stack. Lengths, areas and centroids are in these units; boxes stay in pixels.

    Returns
    -------
    dict of str to ndarray
        A column for each measure, a row for each object, in the order of the labels; ``pandas.DataFrame`` takes it. The
        names are those of scikit-image's `regionprops_table`:

        - ``label``; ``area`` in pixels, of volumes their volume; ``bbox-0``, …: first row, first column, and one past the last ones;
        - ``centroid-0``, …: mean row and column, in pixels; ``extent``: area per area of the box;
          ``equivalent_diameter_area``: diameter of the disc, or the ball, of this area, in pixels;
        - of images ``perimeter`` in pixels, unless these are no squares, and ``axis_major_length``, ``axis_minor_length`` and
          ``eccentricity`` (0 for a disc, towards 1 for a line) of the ellipse with the same second moments;
        - with ``image`` ``intensity_mean``, ``intensity_min``, ``intensity_max`` and ``intensity_std``; with channels, each
          followed by ``-0``, ``-1``, ….

    Raises
    ------
    ArgumentError
        For labels that are not whole numbers of 2 or 3 axes, an image of another shape, or a sampling that is not one positive
        number, or one for each axis.

    Notes
    -----
    Exactness: counts, boxes, centroids in pixels and extremes are scikit-image's; other numbers agree with it to 1e-9 of their size,
    of images of float64: sums are float64 always, and scikit-image has those of float32 in float32.
    A NaN in the image makes the statistics of its object NaN, and of no other.

    Examples
    --------
    >>> table = measure([[0, 7, 7], [0, 0, 7]], image=[[0, 10, 20], [0, 0, 60]])
    >>> {name: column.tolist() for name, column in table.items() if name in ("label", "area", "intensity_mean")}
    {'label': [7], 'area': [3.0], 'intensity_mean': [30.0]}
    """
    array = label_image(labels)
    sides = pixel_sides(sampling, array.ndim)
    pixels = np.nonzero(array)
    values, number = _numbered(array[pixels])
    count = len(values)
    counts = np.bincount(number, minlength=count).astype(float)
    area = counts * np.prod(sides)
    table: dict[str, np.ndarray] = {"label": values, "area": area}
    low = [_extreme(np.minimum, place, number, count) for place in pixels]
    high = [_extreme(np.maximum, place, number, count) + 1 for place in pixels]
    table |= {f"bbox-{axis}": column for axis, column in enumerate([*low, *high])}
    centre = [np.bincount(number, place, count) / counts for place in pixels]
    table |= {f"centroid-{axis}": column * side for axis, (column, side) in enumerate(zip(centre, sides))}
    table["extent"] = counts / np.prod([b - a for a, b in zip(low, high)], axis=0)
    table["equivalent_diameter_area"] = (2 * array.ndim * area / np.pi) ** (1 / array.ndim)
    if array.ndim == 2:
        if sides[0] == sides[1]:
            table["perimeter"] = _perimeter(array, pixels, number, count) * sides[0]
        away = [(place - c[number]) * side for place, c, side in zip(pixels, centre, sides)]
        table |= _ellipse(away, number, counts)
    if image is not None:
        table |= _intensity(plain_array("image=", image), array, pixels, number, counts)
    return table


def label_image(labels: ArrayLike) -> np.ndarray:
    """Return labels as an array of whole numbers with 2 or 3 axes.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    array = plain_array("labels=", labels)
    if array.dtype.kind not in "bui" or array.ndim not in (2, 3):
        raise ArgumentError(
            f"labels: expected whole numbers of shape (H, W) or (D, H, W), got {array.dtype} of shape {array.shape}"
        )
    return array


def _numbered(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values in increasing order, and for each pixel the place of its own among them."""
    if labels.size and labels.dtype.kind != "b" and labels.min() >= 0 and labels.max() < _COUNTED:
        whole = labels.astype(np.intp, copy=False)
        present = np.bincount(whole) > 0  # finds what sorting finds, many times as fast
        return np.flatnonzero(present).astype(labels.dtype), (np.cumsum(present) - 1)[whole]
    return np.unique(labels, return_inverse=True)


def _extreme(function: Any, values: np.ndarray, number: np.ndarray, count: int) -> np.ndarray:
    """The least or the greatest value of each object, each of which has pixels."""
    found = np.empty(count, values.dtype)
    found[number] = values  # any of its own to begin with
    with np.errstate(invalid="ignore"):  # NaN is passed on
        function.at(found, number, values)
    return found


def _perimeter(array: np.ndarray, pixels: Any, number: np.ndarray, count: int) -> np.ndarray:
    """Benkrid's and Crookes' estimate: a pixel of the outline counts 1, √2 or between, by where it goes on."""
    around = np.pad(array, 1)
    shape = array.shape

    def moved(source: np.ndarray, down: int, across: int) -> np.ndarray:
        return source[1 + down : 1 + down + shape[0], 1 + across : 1 + across + shape[1]]

    sides, corners = ((-1, 0), (1, 0), (0, -1), (0, 1)), ((-1, -1), (-1, 1), (1, -1), (1, 1))
    outline = (array != 0) & np.any([moved(around, *side) != array for side in sides], axis=0)
    wide = np.pad(outline, 1)
    code = outline.astype(np.uint8)
    for weight, steps in ((2, sides), (10, corners)):
        for each in steps:
            code += np.uint8(weight) * (outline & moved(wide, *each) & (moved(around, *each) == array))
    found = code[pixels]
    straight, diagonal, between = (
        np.bincount(number, np.isin(found, codes), count)
        for codes in ((5, 7, 15, 17, 25, 27), (21, 33), (13, 23))
    )
    return straight + np.sqrt(2) * diagonal + (1 + np.sqrt(2)) / 2 * between


def _ellipse(away: list[np.ndarray], number: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Axes from the second moments about the centroid."""
    rows, columns, both = (
        np.bincount(number, one * other, len(counts)) / counts
        for one, other in ((away[0], away[0]), (away[1], away[1]), (away[0], away[1]))
    )
    spread = np.sqrt((rows - columns) ** 2 + 4 * both**2)
    long, short = (rows + columns + spread) / 2, np.maximum((rows + columns - spread) / 2, 0)
    share = np.divide(short, long, out=np.ones_like(long), where=long > 0)
    return {
        "axis_major_length": 4 * np.sqrt(long),
        "axis_minor_length": 4 * np.sqrt(short),
        "eccentricity": np.sqrt(1 - share),
    }


def _intensity(
    image: np.ndarray, array: np.ndarray, pixels: Any, number: np.ndarray, counts: np.ndarray
) -> dict[str, np.ndarray]:
    if (
        image.shape[: array.ndim] != array.shape
        or image.ndim > array.ndim + 1
        or image.dtype.kind not in "buif"
    ):
        raise ArgumentError(
            f"image: expected numbers of shape {array.shape}, or with channels last, got {image.dtype} of shape {image.shape}"
        )
    found: dict[str, dict[str, np.ndarray]] = {"mean": {}, "min": {}, "max": {}, "std": {}}
    for channel in range(image.shape[-1]) if image.ndim > array.ndim else [None]:
        values = (image if channel is None else image[..., channel])[pixels]
        end, count = "" if channel is None else f"-{channel}", len(counts)
        mean = np.bincount(number, values, count) / counts
        found["mean"][end] = mean
        found["min"][end] = _extreme(np.minimum, values, number, count)
        found["max"][end] = _extreme(np.maximum, values, number, count)
        found["std"][end] = np.sqrt(np.bincount(number, (values - mean[number]) ** 2, count) / counts)
    return {
        f"intensity_{name}{end}": column for name, columns in found.items() for end, column in columns.items()
    }
