"""Say that the outlines of a prediction's objects are written, and how."""

from __future__ import annotations

from typing import Literal

from offgraph.postprocess._describing import DescribingStep
from offgraph.steps.declaration import step

__all__ = ["Contours"]


@step
class Contours(DescribingStep):
    """Write the outlines of objects with saved predictions: polygons that hold exactly their pixels.

    A result step on a label image, which leaves it as it is; it stands after the steps that change labels. Exactness:
    :func:`offgraph.geojson` and :func:`offgraph.coco_annotations` of the finished mask, on the original's grid.

    Parameters
    ----------
    format : {"geojson", "coco"}
        ``"geojson"``: ``contours/`` holds a FeatureCollection for each image, which QuPath and napari read; its properties are the
        columns of `Measure`, where that stands beside this step. ``"coco"``: ``contours.json`` holds COCO's annotations of
        all images.
    connectivity : {1, 2}
        Whether pixels of a label that have only a corner in common are parts of one polygon (2) or of two (1); of GeoJSON.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> steps = og.Compose([og.Label(), og.Contours("coco")])
    >>> steps(image=np.array([[1, 0, 1, 1]], np.uint8)).image
    array([[1, 0, 2, 2]], dtype=int32)
    """

    dimensions = (2,)

    format: Literal["geojson", "coco"] = "geojson"
    connectivity: Literal[1, 2] = 1
