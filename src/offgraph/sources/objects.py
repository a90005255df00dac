"""The annotated objects of an image, as a file states them: parsed, judged, and kept in that file's own convention."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from offgraph.core.choices import BadBoxes, ObjectFormat
from offgraph.core.errors import SourceError
from offgraph.sources.names import printable, warn_caller
from offgraph.sources.polygons import Region, RunLengths
from offgraph.sources.walk import LeftOut, refused
from offgraph.targets.box_formats import edges_of_boxes, points_of_format

__all__ = [
    "Keypoints",
    "ObjectRow",
    "Objects",
    "ObjectsKept",
    "bad_boxes",
    "number_of",
    "parse_bad_boxes",
    "read_annotation",
]

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LARGEST = 1e9
_ROUNDING = 1e-6  # YOLO's numbers are written with six decimals


@dataclass(frozen=True)
class Keypoints:
    """The keypoints that each object of a source has.

    Parameters
    ----------
    names : tuple of str
    skeleton : tuple of (int, int)
        Numbers, from 0, of keypoints that are joined by a line.
    """

    names: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...] = ()

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Numbers of the keypoints that a mirror image exchanges: those whose names say left and right."""
        numbers = {name.lower(): number for number, name in enumerate(self.names)}
        found = []
        for name, number in numbers.items():
            words = re.split(r"(left|right)", name)
            other = "".join({"left": "right", "right": "left"}.get(word, word) for word in words)
            if "left" in words and other in numbers:
                found.append((number, numbers[other]))
        return tuple(found)


@dataclass(slots=True)
class ObjectRow:
    """One object while its file is read.

    Parameters
    ----------
    place : str
        Where it stands in its file, for messages: ``"object 3 (RBC)"``, ``"line 7"``.
    category : str or int
        Class name, or class number.
    box : tuple of float
        Four finite numbers in the file's convention, in volumes six.
    columns : dict
        What else the file says: flags, an id.
    region : Region or None
        Polygons, (x, y) in the file's convention, or run lengths.
    keypoints : ndarray or None
        (K, 3): x, y, visibility, in the file's convention.
    """

    place: str
    category: str | int
    box: tuple[float, ...]
    columns: dict[str, Any] = field(default_factory=dict)
    region: Region | None = None
    keypoints: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Objects:
    """The annotated objects of one image.

    Parameters
    ----------
    file : Path
        The annotation file.
    format : {"voc", "coco", "yolo", "xyxy"}
        Convention of `boxes`, of polygons and of keypoints.
    boxes : ndarray of float64, shape (n, 4), or (n, 6) in volumes
    labels : ndarray of int64, shape (n,)
        Class numbers.
    places : tuple of str
        Where each object stands in its file.
    size : tuple of int or None
        (height, width) of the image as the annotation states it.
    columns : mapping of str to ndarray, shape (n,)
        What else the file says of each object: ``difficult``, ``truncated``, ``iscrowd``, ``area``, ``id``.
    regions : tuple of Region or None, or None
        Polygons or run lengths of each object; None where the file has none.
    keypoints : ndarray of float64, shape (n, K, 3), or None
        x, y and visibility: 0 is not labelled, 1 is hidden, 2 is visible.
    image_id : int, str or None
        Of a COCO file: the id of the image there.
    """

    file: Path
    format: ObjectFormat
    boxes: np.ndarray
    labels: np.ndarray
    places: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    regions: tuple[Region | None, ...] | None = None
    keypoints: np.ndarray | None = None
    image_id: int | str | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"<Objects of {printable(self.file)}: {len(self)} in the format {self.format}>"

    def subset(self, indices: Sequence[int]) -> Objects:
        """Return some of the objects, in the order given."""
        chosen = np.asarray(indices, np.int64)
        return replace(
            self,
            boxes=self.boxes[chosen],
            labels=self.labels[chosen],
            places=tuple(self.places[i] for i in chosen),
            columns={name: values[chosen] for name, values in self.columns.items()},
            regions=None if self.regions is None else tuple(self.regions[i] for i in chosen),
            keypoints=None if self.keypoints is None else self.keypoints[chosen],
        )

    @property
    def axes(self) -> int:
        """Spatial axes of the image."""
        return self.boxes.shape[1] // 2

    @property
    def lacks_regions(self) -> bool:
        """Whether there are objects without polygons and run lengths."""
        return bool(len(self)) and (self.regions is None or None in self.regions)

    def renumbered(self, numbers: Mapping[int, int]) -> Objects:
        """Return the objects with other class numbers."""
        labels = np.array([numbers[int(label)] for label in self.labels], np.int64)
        return replace(self, labels=labels)

    def digest_into(self, digest: Any) -> None:
        """Update a hash with everything that boxes, masks and keypoints are made of."""
        parts = [self.boxes, self.labels, np.zeros(0) if self.keypoints is None else self.keypoints]
        for region in self.regions or ():
            parts += [region.runs] if isinstance(region, RunLengths) else [*(region or ())]
        described = [self.format, str(self.size), *(str(part.shape) for part in parts)]
        digest.update("\0".join(described).encode())
        for part in parts:
            digest.update(np.ascontiguousarray(part).tobytes())

    def regions_on(self, size: tuple[int, int]) -> tuple[Region | None, ...] | None:
        """Return the regions in (row, column) with pixel centres at integers, for an image of a size."""
        if self.regions is None:
            return None

        def on_grid(region: Region | None) -> Region | None:
            if region is None or isinstance(region, RunLengths):
                return region
            return tuple(points_of_format(polygon, self.format, size) for polygon in region)

        return tuple(map(on_grid, self.regions))

    def keypoints_on(self, size: tuple[int, int]) -> np.ndarray | None:
        """Return the keypoints as (n, K, 3): row, column, visibility, for an image of a size.

        COCO numbers the pixels that its keypoints lie in from 0: these numbers are the pixels' centres. YOLO's are
        shares of the image, from its edge.
        """
        if self.keypoints is None:
            return None
        found = self.keypoints[..., [1, 0, 2]]
        if self.format == "yolo":
            found[..., :2] = points_of_format(self.keypoints[..., :2], "yolo", size)
        return found


class ObjectsKept:
    """Decides which objects are passed on, and counts the others by reason.

    Parameters
    ----------
    where : str
        The source, for messages.
    bad_boxes : {"skip", "error"} or None
        None: as ``"skip"``, with a warning.
    crowds : bool
        Whether COCO's ``iscrowd`` objects are kept.
    """

    def __init__(self, where: str, bad_boxes: BadBoxes | None, crowds: bool = False) -> None:
        self.where, self.bad_boxes, self.crowds = where, bad_boxes, crowds
        self.left_out = LeftOut()
        self._bad: list[str] = []

    def gather(
        self,
        file: Path,
        name: str,
        convention: ObjectFormat,
        rows: Iterable[ObjectRow],
        numbers: Callable[[str | int], int],
        size: tuple[int, int] | None,
        *,
        axes: int = 2,
    ) -> Objects:
        """Put the objects of an image together; bad boxes and crowds are left out.

        Parameters
        ----------
        file : Path
        name : str
            Of the file, for the report.
        convention : {"voc", "coco", "yolo", "xyxy"}
        rows : iterable of ObjectRow
        numbers : callable
            Class number of a category.
        size : tuple of int or None
            (height, width) of the image, if it is known.
        axes : int
            Spatial axes of the image.

        Raises
        ------
        SourceError
            With ``bad_boxes="error"``, for the first bad box.
        """
        listed = [row for row in rows if self._takes(name, row)]
        bad = bad_boxes(np.array([row.box for row in listed]), convention, size) if listed else {}
        for index, why in bad.items():
            self._leave_out(file, name, listed[index], why)
        kept = [row for index, row in enumerate(listed) if index not in bad]
        count = len(kept)
        boxes = np.array([row.box for row in kept], np.float64).reshape(count, 2 * axes)
        labels = np.array([numbers(row.category) for row in kept], np.int64)
        columns = {
            key: np.array([row.columns[key] for row in kept]) for key in (kept[0].columns if kept else ())
        }
        regions = tuple(row.region for row in kept) if any(row.region is not None for row in kept) else None
        points = next((row.keypoints for row in kept if row.keypoints is not None), None)
        keypoints = None
        if points is not None:
            nothing = np.zeros_like(points)
            keypoints = np.stack([nothing if row.keypoints is None else row.keypoints for row in kept])
        places = tuple(row.place for row in kept)
        return Objects(file, convention, boxes, labels, places, size, columns, regions, keypoints)

    def _takes(self, name: str, row: ObjectRow) -> bool:
        if not row.columns.get("iscrowd") or self.crowds:
            return True
        self.left_out.add("a crowd (iscrowd)", f"{name}, {row.place}")
        return False

    def _leave_out(self, file: Path, name: str, row: ObjectRow, why: str) -> None:
        if self.bad_boxes == "error":
            raise SourceError(
                f"{printable(file)}, {row.place}: {why}; correct the file, or write bad_boxes='skip' to leave such "
                "boxes out"
            )
        self.left_out.add(why.partition(":")[0], f"{name}, {row.place}")
        self._bad.append(f"{printable(name)}, {row.place}: {why}")

    def warn(self) -> None:
        """Warn of bad boxes, unless the caller has said that they are skipped.

        Warns
        -----
        OffgraphWarning
        """
        if self._bad and self.bad_boxes is None:
            count = len(self._bad)
            warn_caller(
                f"{self.where}: {count:,} bad {'box is' if count == 1 else 'boxes are'} not passed on, such as "
                f"{self._bad[0]}; Source.left_out_boxes names them; write bad_boxes='skip' if this is meant, or "
                "bad_boxes='error' to refuse them"
            )


def bad_boxes(boxes: np.ndarray, convention: ObjectFormat, size: tuple[int, ...] | None) -> dict[int, str]:
    """Say which boxes are not passed on, and why: they have no area, or no part of them lies in the image.

    A VOC box with ``xmax == xmin`` is one pixel wide by VOC's own counting, but it is written by mistake only: it counts
    as without area.

    Parameters
    ----------
    boxes : ndarray of float64, shape (n, 4), or (n, 6) in volumes
        Finite.
    convention : {"voc", "coco", "yolo", "xyxy"}
    size : tuple of int or None
        Spatial lengths of the image; None where it is not known, and nothing is known to be outside.
    """
    axes = boxes.shape[1] // 2
    least = boxes[:, :axes] if convention in ("voc", "xyxy") else np.zeros((len(boxes), axes))
    flat = np.any(boxes[:, axes:] <= least, axis=1)
    not_shares = np.zeros(len(boxes), bool)
    if convention == "yolo":
        not_shares = ~np.all((boxes >= -_ROUNDING) & (boxes <= 1 + _ROUNDING), axis=1)
        size = (1, 1)
    outside = np.zeros(len(boxes), bool)
    if size is not None:
        edges = edges_of_boxes(boxes, convention, size)
        outside = np.any(edges[:, axes:] <= -0.5, axis=1) | np.any(
            edges[:, :axes] >= np.subtract(size, 0.5), axis=1
        )
    names = {
        "voc": "xmin, ymin, xmax, ymax",
        "coco": "x, y, width, height",
        "yolo": "x, y, width, height",
        "xyxy": "x0, y0, x1, y1" if axes == 2 else "x0, y0, z0, x1, y1, z1",
    }[convention]
    reasons = {}
    for index in np.flatnonzero(flat | not_shares | outside).tolist():
        shown = ", ".join(f"{value:g}" for value in boxes[index])
        if flat[index]:
            reasons[index] = f"box without area: {names} are {shown}"
        elif not_shares[index]:
            reasons[index] = f"numbers outside 0 to 1: {names} are {shown}, and must be shares of the image"
        else:
            where = (
                ""
                if size is None or convention == "yolo"
                else f", in an image {size[1]} wide and {size[0]} high"
                if axes == 2
                else f", in a volume of {' x '.join(map(str, size))}"
            )
            reasons[index] = f"box outside the image: {names} are {shown}{where}"
    return reasons


def parse_bad_boxes(value: Any) -> BadBoxes | None:
    """Return the option, or refuse what it does not take.

    Raises
    ------
    SourceError
    """
    if value is not None and value not in get_args(BadBoxes):
        raise SourceError(f"bad_boxes={value!r:.80}: choose 'skip' or 'error'")
    return value


def number_of(text: Any) -> float | None:
    """Return the finite number that a text or a JSON value says; None where it says none, or one beyond 10**9."""
    if isinstance(text, str):
        text = text.strip()
        if len(text) > 64 or not _NUMBER.fullmatch(text):
            return None
    elif isinstance(text, bool) or not isinstance(text, int | float):
        return None
    try:
        number = float(text)
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) <= _LARGEST else None


def read_annotation(file: Path, most: int) -> bytes:
    """Return the bytes of an annotation file.

    Raises
    ------
    SourceError
        Where it cannot be read, or holds more than `most` bytes.
    MachineError
        Where the machine fails.
    """
    try:
        size = file.stat().st_size
        if size > most:
            raise SourceError(
                f"{printable(file)}: {size:,} bytes, and annotation files of up to {most:,} are read"
            )
        with file.open("rb") as opened:
            data = opened.read(most + 1)
    except OSError as error:
        raise refused(file, error) from error
    if len(data) > most:
        raise SourceError(f"{printable(file)}: annotation files of up to {most:,} bytes are read")
    return data
