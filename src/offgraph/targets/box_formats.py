"""Formats of boxes: who counts from where, and in which order.

Inside Offgraph a box is its edges in continuous coordinates: lower edges, then upper edges, in the order of the
array's axes (row before column), with pixel centres at integers. A box around pixels 2 to 5 has the edges 1.5 and 5.5,
and an image of n pixels reaches from -0.5 to n - 0.5.

The formats below write x before y (and y before z), and differ in where zero is:

======  ==========================  =================================================================================
format  columns                     numbers
======  ==========================  =================================================================================
xyxy    x0, y0, x1, y1              edges; 0 is the left edge of pixel 0, so that pixels 2 to 5 are 2 and 6
xywh    x0, y0, width, height       the same edges
cxcywh  x, y, width, height         the box's centre, 0 at the left edge of pixel 0
coco    x0, y0, width, height       as xywh
yolo    x, y, width, height         as cxcywh, as shares of the image's width and height
voc     xmin, ymin, xmax, ymax      the first and last pixel inside, counted from 1: pixels 2 to 5 are 3 and 6
======  ==========================  =================================================================================

So our coordinate is the others' less 0.5, for the half pixel between an edge and a centre; and VOC's xmin is our lower
edge plus 1.5, its xmax our upper edge plus 0.5: in VOC a box of xmin = xmax is one pixel wide.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from offgraph.core.errors import ArgumentError

__all__ = [
    "BoxFormat",
    "boxes_of_edges",
    "check_format",
    "edges_of_boxes",
    "points_of_format",
    "points_to_format",
]

BoxFormat = Literal["xyxy", "xywh", "cxcywh", "yolo", "coco", "voc"]

_IN_THE_PLANE = ("yolo", "coco", "voc")
"""Formats of annotation files, which know two axes."""


def check_format(format: object, dimensions: int) -> None:
    """Refuse what is not a format of boxes, and the formats of files for boxes in space."""
    known = get_args(BoxFormat)
    if format not in known:
        raise ArgumentError(f"format={format!r:.80}: known are {', '.join(known)}")
    if dimensions != 2 and format in _IN_THE_PLANE:
        raise ArgumentError(
            f"format={format!r} is for two axes; write format='xyxy' for (x0, y0, z0, x1, y1, z1)"
        )


def edges_of_boxes(array: np.ndarray, format: BoxFormat, size: tuple[int, ...]) -> np.ndarray:
    """Return the edges of boxes in a format.

    Parameters
    ----------
    array : ndarray of float64, shape (n, 2 d)
    format : str
    size : tuple of int, length d
        The image's spatial lengths; only yolo asks for them.

    Returns
    -------
    ndarray of float64, shape (n, 2 d)
        Lower edges, then upper edges, in the order of the image's axes, pixel centres at integers.

    Examples
    --------
    >>> edges_of_boxes(np.array([[3.0, 1.0, 6.0, 1.0]]), "voc", (8, 10)).tolist()
    [[-0.5, 1.5, 0.5, 5.5]]
    """
    d = len(size)
    first, second = array[:, :d], array[:, d:]
    if format == "yolo":
        lengths = np.array(size[::-1], np.float64)
        first, second = first * lengths, second * lengths
    match format:
        case "xyxy":
            low, high = first, second
        case "voc":
            low, high = first - 1, second
        case "xywh" | "coco":
            low, high = first, first + second
        case "cxcywh" | "yolo":
            low, high = first - second / 2, first + second / 2
    return np.concatenate([low[:, ::-1], high[:, ::-1]], axis=1) - 0.5


def boxes_of_edges(edges: np.ndarray, format: BoxFormat, size: tuple[int, ...]) -> np.ndarray:
    """Return boxes in a format from their edges: the inverse of `edges_of_boxes`.

    Examples
    --------
    >>> boxes_of_edges(np.array([[-0.5, 1.5, 0.5, 5.5]]), "coco", (8, 10)).tolist()
    [[2.0, 0.0, 4.0, 1.0]]
    """
    d = len(size)
    low, high = edges[:, :d][:, ::-1] + 0.5, edges[:, d:][:, ::-1] + 0.5
    match format:
        case "xyxy":
            first, second = low, high
        case "voc":
            first, second = low + 1, high
        case "xywh" | "coco":
            first, second = low, high - low
        case "cxcywh" | "yolo":
            first, second = (low + high) / 2, high - low
    if format == "yolo":
        lengths = np.array(size[::-1], np.float64)
        first, second = first / lengths, second / lengths
    return np.concatenate([first, second], axis=1)


def points_of_format(points: np.ndarray, format: BoxFormat, size: tuple[int, ...]) -> np.ndarray:
    """Return points, such as a polygon's corners, in our coordinates: (x, y) with the zero that the format has.

    VOC counts pixels from 1, so its points are pixel centres; every other format measures from the image's edge.
    """
    if format == "yolo":
        points = points * np.array(size[::-1], np.float64)
    return points[..., ::-1] - (1.0 if format == "voc" else 0.5)


def points_to_format(points: np.ndarray, format: BoxFormat, size: tuple[int, ...]) -> np.ndarray:
    """Return points in a format from our coordinates: the inverse of `points_of_format`."""
    points = points[..., ::-1] + (1.0 if format == "voc" else 0.5)
    return points / np.array(size[::-1], np.float64) if format == "yolo" else points
