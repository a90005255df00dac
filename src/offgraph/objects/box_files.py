"""Boxes and their keypoints as other programs read them: GeoJSON, and COCO's results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from offgraph.core.errors import ArgumentError
from offgraph.targets.boxes import Boxes
from offgraph.targets.points import Points

__all__ = ["boxes_geojson", "coco_results", "keypoint_rows"]


def boxes_geojson(
    boxes: Boxes, class_names: Sequence[str] | None = None, points: Points | None = None
) -> dict[str, Any]:
    """Return boxes as GeoJSON, which QuPath, napari and geographic programs read.

    Parameters
    ----------
    boxes : Boxes
        Of an image, such as those of a `Prediction`.
    class_names : sequence of str, optional
        By class number; adds the property ``"class"``.
    points : Points, optional
        Keypoints of each box; adds the property ``"keypoints"``: for each [x, y, score], or null where it has no place.

    Returns
    -------
    dict
        A FeatureCollection for ``json.dump``: a Polygon per box, points (x, y) in pixels from the image's upper left edge, y downwards;
        ``properties`` hold ``label`` and the columns of the boxes, such as ``score``. NaN becomes null.

    Raises
    ------
    ArgumentError
        For boxes in space, labels without a name, and points of another number of boxes.

    Notes
    -----
    Exactness: the edges in float64; they are written so that they are read back equal.

    Examples
    --------
    >>> import offgraph as og
    >>> found = og.Boxes([[2, 1, 6, 4]], format="xyxy", size=(8, 10), labels=[1], extra={"score": [0.5]})
    >>> [feature] = boxes_geojson(found, ["cat", "dog"])["features"]
    >>> feature["geometry"]["coordinates"]
    [[[2.0, 1.0], [6.0, 1.0], [6.0, 4.0], [2.0, 4.0], [2.0, 1.0]]]
    >>> feature["properties"]
    {'label': 1, 'class': 'dog', 'score': 0.5}
    """
    labels = _labels(boxes, class_names)
    keypoints = keypoint_rows(boxes, points)
    features = []
    for row, (left, upper, right, lower) in enumerate(boxes.to("xyxy").tolist()):
        told: dict[str, Any] = {}
        if labels is not None:
            told["label"] = labels[row]
            if class_names is not None:
                told["class"] = class_names[labels[row]]
        told |= {name: _plain(values[row]) for name, values in boxes.extra.items()}
        if keypoints is not None:
            told["keypoints"] = [None if x is None else [x, y, score] for x, y, score in keypoints[row]]
        ring = [[left, upper], [right, upper], [right, lower], [left, lower], [left, upper]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "geometry": geometry, "properties": told})
    return {"type": "FeatureCollection", "features": features}


def coco_results(
    boxes: Boxes,
    image_id: int | str = 1,
    categories: Sequence[int | str] | None = None,
    points: Points | None = None,
) -> list[dict[str, Any]]:
    """Return predicted boxes as COCO's results, which its evaluation reads beside a file of annotations.

    Parameters
    ----------
    boxes : Boxes
        With the column ``"score"``, as those of a `Prediction` have it.
    image_id : int or str
        Of the image in the file of annotations: ``item.objects.image_id`` of a COCO source.
    categories : sequence of int or str, optional
        Ids of the classes there, by class number: those in ``source.category_ids``. By default they are counted from 1.
    points : Points, optional
        Keypoints of each box; adds ``keypoints``: x, y and score of each in one list, zeros where one has no place.

    Returns
    -------
    list of dict
        In the order of the boxes, for ``json.dump``: ``image_id``, ``category_id``, ``bbox`` as x, y, width and height, ``score``.

    Raises
    ------
    ArgumentError
        For boxes in space, without scores or labels, labels without an id, and points of another number of boxes.

    Examples
    --------
    >>> import offgraph as og
    >>> found = og.Boxes([[2, 1, 6, 4]], format="xyxy", size=(8, 10), labels=[1], extra={"score": [0.5]})
    >>> coco_results(found, image_id=7, categories=[3, 18])
    [{'image_id': 7, 'category_id': 18, 'bbox': [2.0, 1.0, 4.0, 3.0], 'score': 0.5}]
    """
    labels = _labels(boxes, categories)
    if labels is None or "score" not in boxes.extra:
        raise ArgumentError("boxes: results have a class and a score; give labels= and extra={'score': …}")
    ids = None if categories is None else list(categories)
    keypoints = keypoint_rows(boxes, points)
    found: list[dict[str, Any]] = [
        {
            "image_id": image_id,
            "category_id": label + 1 if ids is None else ids[label],
            "bbox": box,
            "score": float(score),
        }
        for label, box, score in zip(labels, boxes.to("coco").tolist(), boxes.extra["score"])
    ]
    for one, row in zip(found, keypoints or ()):
        one["keypoints"] = [0.0 if value is None else value for point in row for value in point]
    return found


def keypoint_rows(boxes: Boxes, points: Points | None) -> list[list[list[float | None]]] | None:
    """Return x, y and score of the keypoints of each box, 0 at the image's edge.

    Parameters
    ----------
    boxes : Boxes
    points : Points or None
        Their scores are the column ``"score"``, or whether they are seen.

    Returns
    -------
    list or None
        For each box and each of its points three numbers; None for x and y where a point has no place, with the score 0.

    Raises
    ------
    ArgumentError
        For points of another number of boxes.
    """
    if points is None:
        return None
    places = points.places
    if places.ndim != 3 or len(places) != len(boxes):
        raise ArgumentError(
            f"points: of shape {places.shape}, expected ({len(boxes)}, points, 2), those of each box"
        )
    scores = np.asarray(points.extra.get("score", points.visible), np.float64)
    known: Any = np.isfinite(places).all(axis=-1)
    rows = []
    for box, box_scores, box_known in zip(
        (places[..., ::-1] + 0.5).tolist(), scores.tolist(), known.tolist()
    ):
        rows.append(
            [
                [*place, score] if there else [None, None, 0.0]
                for place, score, there in zip(box, box_scores, box_known)
            ]
        )
    return rows


def _labels(boxes: Boxes, known: Sequence[Any] | None) -> list[int] | None:
    """The class numbers, each of which is known; None of boxes without."""
    if len(boxes.size) != 2:
        raise ArgumentError(f"boxes: of an image, got boxes of a volume of {boxes.size}")
    if boxes.labels is None:
        return None
    labels = [int(label) for label in np.asarray(boxes.labels)]
    if known is not None and labels and not 0 <= min(labels) <= max(labels) < len(known):
        raise ArgumentError(f"labels from {min(labels)} to {max(labels)}, and there are {len(known)} classes")
    return labels


def _plain(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return None if plain != plain else plain
