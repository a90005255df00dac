"""Annotated objects as targets on their image's grid: boxes, keypoints and a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.choices import ObjectMasks
from offgraph.core.errors import DecodeError
from offgraph.formats.decoding import DecodedImage
from offgraph.sources.names import printable
from offgraph.sources.objects import Keypoints, Objects, bad_boxes
from offgraph.sources.polygons import instance_mask, semantic_mask
from offgraph.targets import Boxes, Image, Mask, Points, Target

__all__ = ["object_targets"]


def object_targets(
    path: Path,
    objects: Objects,
    image: Image,
    decoded: DecodedImage,
    mask: ObjectMasks | None,
    keypoints: Keypoints | None,
) -> dict[str, Target]:
    """Return the targets that the objects of an image are.

    Parameters
    ----------
    path : Path
        The image file, for messages.
    objects : Objects
    image : Image
    decoded : DecodedImage
        The image as it was read, for its orientation.
    mask : {"instances", "semantic"} or None
    keypoints : Keypoints or None

    Returns
    -------
    dict of str to Target
        ``boxes``; ``points`` where there are keypoints; ``mask`` where it is asked for.

    Raises
    ------
    DecodeError
        Where the image is not of the size that the annotation states, or an object does not fit it; names the object.
    """
    size = _checked_size(path, objects, image, decoded)
    where = printable(objects.file)
    for index, why in bad_boxes(objects.boxes, objects.format, size).items():
        raise DecodeError(f"{path}: {where}, {objects.places[index]}: {why}")
    made: dict[str, Target] = {
        "boxes": Boxes(
            objects.boxes,
            format=objects.format,
            size=size,
            labels=objects.labels,
            extra=objects.columns,
            polygons=_outlines(objects),
        )
    }
    if mask is not None and len(size) == 2:
        regions = objects.regions_on(size) or (None,) * len(objects)
        try:
            if mask == "instances":
                drawn = instance_mask(regions, size)
            else:
                drawn = semantic_mask(regions, objects.labels, size)
        except ValueError as error:
            place = objects.places[error.object_index]  # type: ignore[attr-defined]
            raise DecodeError(f"{path}: {where}, {place}: {error}") from error
        made["mask"] = Mask(drawn, "YX")
    if keypoints is not None and len(size) == 2:
        found = objects.keypoints_on(size)
        if found is None:
            found = np.zeros((len(objects), len(keypoints.names), 3))
        made["points"] = Points(
            found[..., :2],
            size=size,
            visible=found[..., 2].astype(np.int64),
            pairs=keypoints.pairs,
            labels=objects.labels,
        )
    return made


def _checked_size(path: Path, objects: Objects, image: Image, decoded: DecodedImage) -> tuple[int, ...]:
    if image.axes.replace("C", "") != SPATIAL[-objects.axes :]:
        count = {2: "two", 3: "three"}[objects.axes]
        raise DecodeError(
            f"{path}: an image with axes {image.axes}, and its boxes are for images of {count} spatial axes"
        )
    if objects.axes == 3:
        return image.size
    height, width = image.size
    stated = objects.size
    if stated is None or stated == (height, width):
        return height, width
    hint = (
        "; it fits the image before its EXIF orientation was applied" if stated == decoded.stored_size else ""
    )
    raise DecodeError(
        f"{path}: the image is {width} wide and {height} high, and {printable(objects.file)} says {stated[1]} and "
        f"{stated[0]}, so its boxes lie elsewhere{hint}: annotate the image as it is shown"
    )


def _outlines(objects: Objects) -> list[list[np.ndarray] | None] | None:
    """Polygons of at least three corners, in the file's convention."""
    if objects.regions is None:
        return None
    return [
        [polygon for polygon in region if len(polygon) >= 3] if isinstance(region, tuple) else None
        for region in objects.regions
    ]
