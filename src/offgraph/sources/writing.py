"""Annotations to files: VOC, COCO or YOLO, in the layout that `offgraph.open_source` finds again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import numpy as np
import yaml

from offgraph.core.arguments import path_of
from offgraph.core.choices import AnnotationFormat
from offgraph.core.errors import ArgumentError, SourceError, WriteError
from offgraph.formats.decoding import read
from offgraph.formats.encoding import write_bytes
from offgraph.sources.base import Source
from offgraph.sources.coco import category_ids, coco_json
from offgraph.sources.items import Item
from offgraph.sources.names import parse_class_names, printable
from offgraph.sources.objects import Keypoints, Objects
from offgraph.sources.polygons import RunLengths
from offgraph.sources.rle import text_of_runs
from offgraph.sources.voc import number_text, voc_text
from offgraph.sources.yolo import yolo_line
from offgraph.targets.box_formats import boxes_of_edges, edges_of_boxes, points_of_format, points_to_format
from offgraph.targets.boxes import Boxes

__all__ = ["write_annotations"]

_FOLDERS: dict[AnnotationFormat, tuple[str, str]] = {
    "voc": ("Annotations", "JPEGImages"),
    "coco": ("annotations", "images"),
    "yolo": ("labels", "images"),
}


def write_annotations(
    out: str | os.PathLike[str],
    source: Source | Mapping[str, Boxes],
    *,
    format: AnnotationFormat,
    class_names: Sequence[str] | None = None,
    images: Literal["copy"] | None = None,
) -> Path:
    r"""Write the annotations of a source, or boxes by the name of their image.

    Parameters
    ----------
    out : path
        A folder; made unless it is there. What is written must not be there yet.
    source : Source, or mapping of str to Boxes
        A source with boxes, or boxes by image name, with ``/``, such as those a model found.
    format : {"voc", "coco", "yolo"}
        ``"voc"``: ``Annotations/*.xml``. Boxes, classes, and the flags ``truncated``, ``difficult`` and ``occluded``.
        ``"coco"``: ``annotations/instances.json``. Boxes, classes, ``iscrowd``, ``area``, polygons, run lengths and
        keypoints; images and categories have the ids that they have in a COCO source. ``"yolo"``: ``labels/*.txt`` and ``data.yaml``. Boxes and classes; keypoints where the source has
        some, or else polygons, in place of boxes, where each object has exactly one.
    class_names : sequence of str, optional
        All classes, in the order of their numbers; needed for a mapping. Those of a source, unless given: its classes are
        renumbered then.
    images : {"copy"} or None
        Whether the image files of a source are copied beside the annotations: into ``JPEGImages`` or ``images``.

    Returns
    -------
    Path
        The folder, or COCO's JSON file.

    Raises
    ------
    ArgumentError, SourceError, WriteError
        Where an argument does not fit, the format cannot hold what is to be written, or a file cannot be written.

    Notes
    -----
    Numbers are written so that they are read back equal. In another format than the source's they are converted in
    float64: equal within rounding.

    Examples
    --------
    >>> import tempfile
    >>> from offgraph.targets.boxes import Boxes
    >>> boxes = Boxes([[2, 1, 6, 4]], format="xyxy", size=(8, 10), labels=[1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_annotations(folder, {"a.png": boxes}, format="yolo", class_names=["cat", "dog"])
    ...     (Path(folder) / "labels" / "a.txt").read_text()
    '1 0.4 0.3125 0.4 0.375\n'
    """
    if format not in get_args(AnnotationFormat):
        raise ArgumentError(f"format={format!r:.80}: choose 'voc', 'coco' or 'yolo'")
    if images not in (None, "copy"):
        raise ArgumentError(f"images={images!r:.80}: give 'copy', or None for the annotations alone")
    home = path_of("out", out)
    if isinstance(source, Source):
        source = source if class_names is None else source.with_class_names(class_names)
        names = source.class_names
    else:
        names = () if class_names is None else parse_class_names(class_names)
    listed = list(_listed(source, format, names))
    _check_names(listed, format)
    keypoints = source.keypoints if isinstance(source, Source) else None
    annotations, image_folder = _FOLDERS[format]
    folder = home / annotations
    if folder.is_dir() and any(folder.iterdir()):
        raise ArgumentError(f"out={str(home)!r}: {folder} is there and not empty; choose another folder")
    _made(folder)
    if images == "copy":
        if not isinstance(source, Source):
            raise ArgumentError("images='copy' is for a source: boxes by name have no files")
        for item in source:
            target = home / image_folder / item.name
            _made(target.parent)
            write_bytes(target, item.path.read_bytes())
    if format == "voc":
        for name, size, objects in listed:
            _write(folder / _with_suffix(name, ".xml"), _voc(name, size, objects, names))
        return home
    if format == "coco":
        file = folder / "instances.json"
        known = source.category_ids if isinstance(source, Source) else {}
        images_of = [objects.image_id for *_, objects in listed]
        made = coco_json(
            ((name, size, list(_coco(size, objects))) for name, size, objects in listed),
            names,
            keypoints,
            categories=category_ids(names, known),
            image_ids=None if None in images_of else images_of,  # type: ignore[arg-type]  # all of them are ids
        )
        _write(file, json.dumps(made, allow_nan=False))
        return file
    with_polygons = keypoints is None and all(_one_polygon(objects) for *_, objects in listed)
    for name, size, objects in listed:
        _write(folder / _with_suffix(name, ".txt"), _yolo(size, objects, with_polygons, keypoints))
    described: dict[str, Any] = {"path": ".", "train": image_folder, "names": dict(enumerate(names))}
    if keypoints is not None:
        described["kpt_shape"] = [len(keypoints.names), 3]
    _write(home / "data.yaml", yaml.safe_dump(described, sort_keys=False, allow_unicode=True))
    return home


def _listed(
    source: Source | Mapping[str, Boxes], format: AnnotationFormat, names: Sequence[str]
) -> Iterator[tuple[str, tuple[int, int], Objects]]:
    """Name, size and objects of each image."""
    if isinstance(source, Source):
        if source.task != "detect":
            raise ArgumentError(f"{source.where}: a source without boxes has no annotations to write")
        for item in source:
            objects = item.objects
            if objects is None:
                raise ArgumentError(f"{source.where}: {item.name} has no annotation to write")
            yield item.name, objects.size or _size_of(item, source), objects
        return
    if not isinstance(source, Mapping) or not all(isinstance(boxes, Boxes) for boxes in source.values()):
        raise ArgumentError("source: give a Source with boxes, or Boxes by the name of their image")
    if not names:
        raise ArgumentError("class_names: name the classes of the boxes, in the order of their numbers")
    for name, boxes in source.items():
        if len(boxes.size) != 2:
            raise ArgumentError(f"{name}: boxes in space, and annotation files hold boxes of the plane")
        labels = np.asarray(boxes.labels, np.int64)
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
            raise ArgumentError(
                f"{name}: labels of {labels.min()} to {labels.max()}, and there are {len(names)} class_names"
            )
        array = boxes.to(format)
        size = (boxes.size[0], boxes.size[1])
        yield name, size, Objects(Path(name), format, array, labels, ("",) * len(labels), size)


def _size_of(item: Item, source: Source) -> tuple[int, int]:
    """(height, width) of an image whose annotation does not state them."""
    height, width = read(item.path, max_pixels=source.reading.max_pixels).array.shape[:2]
    return height, width


def _check_names(listed: Sequence[tuple[str, tuple[int, int], Objects]], format: AnnotationFormat) -> None:
    seen: dict[str, str] = {}
    for name, *_ in listed:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name:
            raise ArgumentError(f"the image name {name!r:.200} is not a path inside a folder")
        other = seen.setdefault(name if format == "coco" else _with_suffix(name, ""), name)
        if other != name:
            raise SourceError(
                f"{printable(other)} and {printable(name)} would have one file of annotations: write format='coco'"
            )


def _with_suffix(name: str, suffix: str) -> str:
    path = PurePosixPath(name)
    return path.with_name(path.stem + suffix).as_posix()


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder}: {error.strerror or error}", error) from error


def _write(file: Path, text: str) -> None:
    _made(file.parent)
    write_bytes(file, text.encode())


def _converted(objects: Objects, format: AnnotationFormat, size: tuple[int, int]) -> np.ndarray:
    if objects.format == format:
        return objects.boxes
    return boxes_of_edges(edges_of_boxes(objects.boxes, objects.format, size), format, size)


def _columns(objects: Objects, index: int) -> dict[str, Any]:
    return {name: values[index].item() for name, values in objects.columns.items()}


def _voc(name: str, size: tuple[int, int], objects: Objects, names: Sequence[str]) -> str:
    boxes = _converted(objects, "voc", size)
    thin = np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(axis=1))
    if len(thin):
        shown = ", ".join(map(number_text, boxes[thin[0]]))
        raise SourceError(
            f"{printable(name)}, box {thin[0] + 1}: at most one pixel wide or high, which VOC writes as xmin = xmax "
            f"({shown}), and readers take for a box without area: write format='coco'"
        )
    labels = [names[int(label)] for label in objects.labels]
    columns = [_columns(objects, i) for i in range(len(objects))]
    return voc_text(PurePosixPath(name).name, size, 3, boxes.tolist(), labels, columns)


def _coco(size: tuple[int, int], objects: Objects) -> Iterator[dict[str, Any]]:
    boxes = _converted(objects, "coco", size)
    regions = objects.regions_on(size)
    for i, box in enumerate(boxes.tolist()):
        columns = _columns(objects, i)
        one: dict[str, Any] = {"bbox": box, "category": int(objects.labels[i])}
        one["iscrowd"] = int(columns.get("iscrowd", False))
        area = columns.get("area")
        one["area"] = None if area is None or np.isnan(area) else area
        region = None if regions is None or objects.regions is None else (objects.regions[i], regions[i])
        one["segmentation"] = (
            None if region is None or region[0] is None else _segmentation(*region, objects, size)
        )
        if objects.keypoints is not None and objects.keypoints[i][:, 2].any():
            points = objects.keypoints[i]
            if objects.format == "yolo":
                centres = points_of_format(points[:, :2], "yolo", size)[:, ::-1]
                points = np.concatenate([centres, points[:, 2:]], axis=1)
            one["keypoints"] = points.ravel().tolist()
            one["num_keypoints"] = int((points[:, 2] > 0).sum())
        yield one


def _segmentation(stated: Any, on_grid: Any, objects: Objects, size: tuple[int, int]) -> Any:
    if isinstance(stated, RunLengths):
        return {"size": list(stated.size), "counts": text_of_runs(stated.runs)}
    if objects.format == "coco":
        return [polygon.ravel().tolist() for polygon in stated]
    return [points_to_format(polygon, "coco", size).ravel().tolist() for polygon in on_grid]


def _one_polygon(objects: Objects) -> bool:
    if objects.regions is None:
        return not len(objects)
    return all(
        region is not None and not isinstance(region, RunLengths) and len(region) == 1 and len(region[0]) >= 3
        for region in objects.regions
    )


def _yolo(size: tuple[int, int], objects: Objects, with_polygons: bool, keypoints: Keypoints | None) -> str:
    boxes = _converted(objects, "yolo", size)
    regions = objects.regions_on(size) if with_polygons else None
    lines = []
    for i, label in enumerate(objects.labels.tolist()):
        numbers = boxes[i].tolist()
        if regions is not None and objects.regions is not None:
            stated, on_grid = objects.regions[i][0], regions[i][0]  # type: ignore[index]  # one polygon each
            numbers = (
                (stated if objects.format == "yolo" else points_to_format(on_grid, "yolo", size))
                .ravel()
                .tolist()
            )
        if keypoints is not None:
            points = (
                np.zeros((len(keypoints.names), 3)) if objects.keypoints is None else objects.keypoints[i]
            )
            if objects.format != "yolo":
                shares = points_to_format(points[:, 1::-1], "yolo", size) * (points[:, 2:] > 0)
                points = np.concatenate([shares, points[:, 2:]], axis=1)
            numbers += points.ravel().tolist()
        lines.append(yolo_line(label, numbers))
    return "".join(f"{line}\n" for line in lines)
