"""Boxes and keypoints of an example, as the JSON of its line, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from offgraph.core.errors import ArgumentError
from offgraph.sources.objects import Keypoints
from offgraph.targets import Boxes, Points, Targets
from offgraph.targets.box_formats import boxes_of_edges

__all__ = [
    "OBJECT",
    "corners_of_line",
    "describe_objects",
    "label_of_line",
    "objects_trouble",
    "stored_objects",
]

OBJECT = "object"
"""Column of stored boxes: the number of each among the objects of its source item, from 0."""


def describe_objects(targets: Targets) -> dict[str, Any] | None:
    """Return the boxes and keypoints among targets as plain JSON; None where there are no boxes.

    Numbers are read back equal. Keypoints are those of the boxes that are left, in their order.
    """
    boxes = targets.of(Boxes).get("boxes")
    if boxes is None:
        return None
    labels = np.zeros(0, np.int64) if boxes.labels is None else boxes.labels
    described: dict[str, Any] = {
        "edges": boxes.edges.tolist(),
        "labels": labels.tolist(),
        "objects": boxes.ids.tolist(),
    }
    points = targets.of(Points).get("points")
    if points is not None:
        places = points.places[boxes.ids]
        numbers = places.astype(object)
        numbers[~np.isfinite(places)] = None  # JSON knows no NaN
        described["points"] = numbers.tolist()
        described["visible"] = points.visible[boxes.ids].astype(np.int64).tolist()
    return described


def label_of_line(line: dict[str, Any]) -> Any:
    """What an example teaches of classes: its label, or the classes of its boxes."""
    return line["objects"]["labels"] if "objects" in line else line["label"]


def objects_trouble(entry: dict[str, Any], classes: int, keypoints: int | None) -> str | None:
    """Say what is wrong with stored objects, or None."""
    count = len(entry["edges"])
    if len(entry["labels"]) != count or len(entry["objects"]) != count:
        return f"{count} boxes with {len(entry['labels'])} classes and {len(entry['objects'])} numbers"
    if any(label >= classes for label in entry["labels"]):
        return f"class {max(entry['labels'])} in a dataset of {classes} classes"
    if len(set(map(len, entry["edges"]))) > 1:
        return "boxes of two axes and of three"
    if any(
        low >= high for box in entry["edges"] for low, high in zip(box[: len(box) // 2], box[len(box) // 2 :])
    ):
        return "a box without area"
    points, visible = entry.get("points"), entry.get("visible")
    if (points is None) != (keypoints is None) or (visible is None) != (keypoints is None):
        return (
            "keypoints where the others have none"
            if keypoints is None
            else "no keypoints, and others have some"
        )
    if points is None or visible is None or keypoints is None:
        return None
    shapes = {(len(rows), len(flags)) for rows, flags in zip(points, visible)}
    if len(points) != count or len(visible) != count or not shapes <= {(keypoints, keypoints)}:
        return f"keypoints of another number than {count} objects with {keypoints} each"
    return None


def corners_of_line(entry: dict[str, Any] | None, axes: int = 2) -> np.ndarray:
    """Return the boxes of a line in the format xyxy, for other programs: (n, 4), or (n, 6) in volumes."""
    edges = [] if entry is None else entry["edges"]
    axes = len(edges[0]) // 2 if edges else axes
    return boxes_of_edges(np.array(edges, np.float64).reshape(-1, 2 * axes), "xyxy", (1,) * axes)


def stored_objects(
    entry: dict[str, Any], size: tuple[int, ...], keypoints: Sequence[str] | None
) -> tuple[Boxes, Points | None]:
    """Return the boxes and keypoints of a line, on the grid of its image.

    Parameters
    ----------
    entry : dict
        What `describe_objects` gave, without trouble.
    size : tuple of int
        Spatial lengths of the stored image.
    keypoints : sequence of str, optional
        Names of the keypoints.

    Raises
    ------
    ArgumentError
        For boxes outside the image.
    """
    if any(len(box) != 2 * len(size) for box in entry["edges"]):
        raise ArgumentError(
            f"boxes of {len(entry['edges'][0])} numbers in an image of {len(size)} spatial axes"
        )
    edges = np.array(entry["edges"], np.float64).reshape(-1, 2 * len(size))
    labels = np.array(entry["labels"], np.int64)
    boxes = Boxes(
        boxes_of_edges(edges, "xyxy", size),
        size=size,
        labels=labels,
        extra={OBJECT: np.array(entry["objects"], np.int64)},
    )
    if keypoints is None:
        return boxes, None
    shape = (len(edges), len(keypoints))
    places = np.array(entry["points"], np.float64).reshape(*shape, 2)  # None becomes NaN
    visible = np.array(entry["visible"], np.int64).reshape(shape)
    pairs = Keypoints(tuple(keypoints)).pairs
    return boxes, Points(places, size=size, visible=visible, pairs=pairs, labels=labels)
