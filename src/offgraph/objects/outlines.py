"""Outlines of the objects of a label image: polygons along the edges of pixels, which hold exactly the object's pixels.

Every side of a pixel whose neighbour has another label is an edge, walked so that its pixel lies to the right on the screen.
At its end the two pixels ahead say where the outline goes on:

    right one is another label   turn right, round the same pixel
    both are the same label      turn left, round the pixel ahead to the left
    only the right one is        straight on

Where only the left one is, two pixels meet at a corner: with `connectivity` 1 they are apart (turn right), with 2 joined (left).
So each edge has one successor, all of which are found at once; only the walk from edge to edge is a loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from offgraph import ndimage
from offgraph.core.errors import ArgumentError
from offgraph.objects.table import label_image, measure
from offgraph.sources.rle import encode_runs

__all__ = ["coco_annotations", "contours", "geojson"]

_EAST, _SOUTH, _WEST, _NORTH = range(4)
_OUTWARDS = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""From a pixel over the side that is walked in each direction."""
_AHEAD_LEFT = ((-1, 1), (1, 1), (1, -1), (-1, -1))
_AHEAD_RIGHT = ((0, 1), (1, 0), (0, -1), (-1, 0))
_END = ((0, 1), (1, 1), (1, 0), (0, 0))
"""The corner of the pixel at which the edge ends, counted in corners."""


def contours(labels: ArrayLike, connectivity: Literal[1, 2] = 1) -> dict[int, list[list[np.ndarray]]]:
    """Return the outlines of the objects of a label image, along the edges of their pixels.

    Parameters
    ----------
    labels : array_like of int or bool, shape (H, W)
        0 is background.
    connectivity : {1, 2}
        Whether pixels of a label that have only a corner in common are parts of one polygon (2) or of two (1).

    Returns
    -------
    dict of int to list
        For each label, in increasing order, its polygons, one for each connected part. A polygon is a list of rings: the outer
        one, then one for each hole. A ring is an array of float64, shape (m, 2): (row, column) of its corners with pixel
        centres at integers, so that all end in .5; the last one is joined to the first. Outer rings run clockwise
        on the screen, holes the other way.

    Raises
    ------
    ArgumentError
        For labels that are not whole numbers of 2 axes, or another connectivity.

    Notes
    -----
    Exactness: filled, the outer rings less the holes are the label's pixels, no more and no less.

    Examples
    --------
    >>> found = contours([[0, 0, 0], [0, 5, 5]])
    >>> found[5][0][0].tolist()
    [[0.5, 2.5], [1.5, 2.5], [1.5, 0.5], [0.5, 0.5]]
    """
    array = label_image(labels)
    if array.ndim != 2 or connectivity not in (1, 2):
        raise ArgumentError(
            f"contours takes labels of shape (H, W) and connectivity 1 or 2, got shape {array.shape}, {connectivity!r}"
        )
    found: dict[int, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for label, ring, outer in _rings(array, connectivity):
        found.setdefault(label, ([], []))[not outer].append(ring)
    return {label: _grouped(array, label, *found[label], connectivity) for label in sorted(found)}


def _rings(array: np.ndarray, connectivity: int) -> list[tuple[int, np.ndarray, bool]]:
    """Each closed outline: its label, its corners, and whether the object lies inside."""
    around = np.pad(array, 1)
    height, width = array.shape

    def moved(step: tuple[int, int]) -> np.ndarray:
        return around[1 + step[0] : 1 + step[0] + height, 1 + step[1] : 1 + step[1] + width]

    edge = np.stack([(array != 0) & (moved(step) != array) for step in _OUTWARDS])
    way, row, column = np.nonzero(edge)
    if not len(way):
        return []
    numbers = np.full(edge.shape, -1, np.int64)
    numbers[way, row, column] = np.arange(len(way))
    own = array[row, column]
    left, right = (np.array(steps)[way] for steps in (_AHEAD_LEFT, _AHEAD_RIGHT))
    same_left, same_right = (
        around[1 + row + step[:, 0], 1 + column + step[:, 1]] == own for step in (left, right)
    )
    turns_left = same_left & (same_right | (connectivity == 2))
    turns_right = ~same_right & ~turns_left
    step = np.where(turns_left[:, None], left, np.where(turns_right[:, None], 0, right))
    after = (way - turns_left + turns_right) % 4
    follow: list[int] = numbers[after, row + step[:, 0], column + step[:, 1]].tolist()

    order: list[int] = []
    starts: list[int] = []
    seen = bytearray(len(way))
    for first in range(len(way)):
        if not seen[first]:
            starts.append(len(order))
            at = first
            while not seen[at]:
                seen[at] = 1
                order.append(at)
                at = follow[at]
    walked = np.array(order)
    ring = np.repeat(np.arange(len(starts)), np.diff([*starts, len(order)]))
    way, row, column = way[walked], row[walked], column[walked]
    area = np.bincount(ring, np.where(way == _WEST, row + 1, np.where(way == _EAST, -row, 0)), len(starts))
    corner = (turns_left | turns_right)[walked]
    ends = np.stack([row, column], -1)[corner] + np.array(_END)[way[corner]] - 0.5
    parts = np.split(ends, np.cumsum(np.bincount(ring[corner], minlength=len(starts)))[:-1])
    known = own[walked[starts]].tolist()
    return [(int(label), part, bool(size > 0)) for label, part, size in zip(known, parts, area)]


def _grouped(
    array: np.ndarray, label: int, outer: list[np.ndarray], holes: list[np.ndarray], connectivity: int
) -> list[list[np.ndarray]]:
    """Give each hole to the polygon whose pixels lie around it."""
    polygons = [[ring] for ring in outer]
    if len(outer) == 1:
        polygons[0] += holes
    elif holes:
        corners = np.concatenate(outer)
        low, high = (corners.min(axis=0) + 0.5).astype(int), (corners.max(axis=0) + 0.5).astype(int)
        inside = array[low[0] : high[0], low[1] : high[1]] == label
        numbered: Any = ndimage.label(inside, ndimage.generate_binary_structure(2, connectivity))[0]
        polygon = {int(numbered[_pixel(ring, low)]): rings for ring, rings in zip(outer, polygons)}
        for ring in holes:
            polygon[int(numbered[_pixel(ring, low)])].append(ring)
    return polygons


def _pixel(ring: np.ndarray, low: np.ndarray) -> tuple[int, int]:
    """The pixel to the right of a ring's first edge."""
    here, there = ring[0], ring[1]
    along = np.sign(there - here)
    pixel = here + along / 2 + np.array([along[1], -along[0]]) / 2
    return int(pixel[0]) - int(low[0]), int(pixel[1]) - int(low[1])


def geojson(
    labels: ArrayLike,
    properties: Mapping[str, Sequence[Any] | np.ndarray] | None = None,
    connectivity: Literal[1, 2] = 1,
) -> dict[str, Any]:
    """Return the outlines of the objects as GeoJSON, which QuPath, napari and geographic programs read.

    Parameters
    ----------
    labels : array_like of int or bool, shape (H, W)
        0 is background.
    properties : mapping of str to sequence, optional
        Columns with a value for each object in the order of the labels, such as `measure` gives; numbers or strings. NaN
        becomes null.
    connectivity : {1, 2}
        As for `contours`.

    Returns
    -------
    dict
        A FeatureCollection for ``json.dump``: a Polygon or MultiPolygon per object, points (x, y) in pixels from the image's
        upper left edge, y downwards; ``properties`` hold ``label`` and the columns.

    Raises
    ------
    ArgumentError
        As `contours`; for a column of another length.

    Examples
    --------
    >>> [feature] = geojson([[0, 5, 5]])["features"]
    >>> feature["geometry"]
    {'type': 'Polygon', 'coordinates': [[[3.0, 0.0], [3.0, 1.0], [1.0, 1.0], [1.0, 0.0], [3.0, 0.0]]]}
    """
    found = contours(labels, connectivity)
    columns = {name: np.asarray(column).tolist() for name, column in (properties or {}).items()}
    for name, column in columns.items():
        if len(column) != len(found):
            raise ArgumentError(f"properties[{name!r}] has {len(column)} values for {len(found)} objects")
    features = []
    for number, (label, polygons) in enumerate(found.items()):
        told = {name: column[number] for name, column in columns.items()}
        told = {name: None if value != value else value for name, value in told.items()}
        rings = [[[*_xy(ring), _xy(ring)[0]] for ring in polygon] for polygon in polygons]
        one = len(rings) == 1
        geometry = {"type": "Polygon" if one else "MultiPolygon", "coordinates": rings[0] if one else rings}
        features.append({"type": "Feature", "geometry": geometry, "properties": {"label": label} | told})
    return {"type": "FeatureCollection", "features": features}


def _xy(ring: np.ndarray) -> list[list[float]]:
    return (ring[:, ::-1] + 0.5).tolist()


def coco_annotations(labels: ArrayLike, image_id: int = 1, first_id: int = 1) -> list[dict[str, Any]]:
    """Return the objects of a label image as COCO's annotations.

    Parameters
    ----------
    labels : array_like of int or bool, shape (H, W)
        0 is background.
    image_id : int
        Of the image, in each annotation.
    first_id : int
        The ``id`` of the first annotation; the others count on.

    Returns
    -------
    list of dict
        In the order of the labels, for ``json.dump``: ``id``, ``image_id``, ``area`` in pixels, ``bbox`` as x, y, width and
        height, ``iscrowd`` 0 and ``segmentation``: polygons along the pixels' edges, or run lengths for an object with
        holes, which COCO's polygons cannot say; ``label`` is the label. ``category_id`` is the caller's.

    Raises
    ------
    ArgumentError
        As `contours`.

    Examples
    --------
    >>> [one] = coco_annotations([[0, 5, 5]])
    >>> one["bbox"], one["segmentation"]
    ([1, 0, 2, 1], [[3.0, 0.0, 3.0, 1.0, 1.0, 1.0, 1.0, 0.0]])
    """
    array, found, listed = label_image(labels), contours(labels), []
    table = measure(array)
    for number, (label, polygons) in enumerate(found.items()):
        low_y, low_x, high_y, high_x = (int(table[f"bbox-{at}"][number]) for at in range(4))
        segmentation: Any = [np.ravel(_xy(polygon[0])).tolist() for polygon in polygons]
        if any(len(polygon) > 1 for polygon in polygons):
            segmentation = {"size": list(array.shape), "counts": encode_runs(array == label).tolist()}
        listed.append(
            {
                "id": first_id + number,
                "image_id": image_id,
                "label": label,
                "area": int(table["area"][number]),
                "bbox": [low_x, low_y, high_x - low_x, high_y - low_y],
                "iscrowd": 0,
                "segmentation": segmentation,
            }
        )
    return listed
