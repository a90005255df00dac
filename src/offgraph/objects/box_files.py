"""Boxes as other programs read them: GeoJSON, and COCO's results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from offgraph.core.errors import ArgumentError
from offgraph.targets.boxes import Boxes

__all__ = ["boxes_geojson", "coco_results"]


def boxes_geojson(boxes: Boxes, class_names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return boxes as GeoJSON, which QuPath, napari and geographic programs read.

    Parameters
    ----------
    boxes : Boxes
        Of an image, such as those of a `Prediction`.
    class_names : sequence of str, optional
        By class number; adds the property ``"class"``.

    Returns
    -------
    dict
        A FeatureCollection for ``json.dump``: a Polygon per box, points (x, y) in pixels from the image's upper left edge, y downwards;
        ``properties`` hold ``label`` and the columns of the boxes, such as ``score``. NaN becomes null.

    Raises
    ------
    ArgumentError
        For boxes in space, and labels without a name.

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
    features = []
    for row, (left, upper, right, lower) in enumerate(boxes.to("xyxy").tolist()):
        told: dict[str, Any] = {}
        if labels is not None:
            told["label"] = labels[row]
            if class_names is not None:
                told["class"] = class_names[labels[row]]
        told |= {name: _plain(values[row]) for name, values in boxes.extra.items()}
        ring = [[left, upper], [right, upper], [right, lower], [left, lower], [left, upper]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "geometry": geometry, "properties": told})
    return {"type": "FeatureCollection", "features": features}


def coco_results(
    boxes: Boxes, image_id: int | str = 1, categories: Sequence[int | str] | None = None
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

    Returns
    -------
    list of dict
        In the order of the boxes, for ``json.dump``: ``image_id``, ``category_id``, ``bbox`` as x, y, width and height, ``score``.

    Raises
    ------
    ArgumentError
        For boxes in space, without scores or labels, and labels without an id.

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
    return [
        {
            "image_id": image_id,
            "category_id": label + 1 if ids is None else ids[label],
            "bbox": box,
            "score": float(score),
        }
        for label, box, score in zip(labels, boxes.to("coco").tolist(), boxes.extra["score"])
    ]


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
