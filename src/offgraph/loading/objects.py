"""The boxes and keypoints of a batch: padded to one number, or one array per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError, StepError
from offgraph.dataset.objects import OBJECT
from offgraph.targets import Boxes, Points, Targets
from offgraph.targets.box_formats import BoxFormat, boxes_of_edges, check_format

__all__ = ["BatchObjects", "BoxLayout", "ObjectLayout", "parse_layout"]

BoxLayout = Literal["padded", "ragged"]
"""Whether all images of a batch have the same number of rows, padded with -1, or each its own array."""

Rows = np.ndarray | tuple[np.ndarray, ...]
"""One array (B, N, …) for a batch, or a tuple of B arrays (n, …)."""


@dataclass(frozen=True, eq=False)
class BatchObjects:
    """The annotated objects of a batch: boxes with their classes, and keypoints.

    Padded, each is one array (B, N, …), with -1 where there is no box; ragged, a tuple of B arrays (n, …).

    Parameters
    ----------
    boxes : float32, (B, N, 4), or (B, N, 6) in volumes
        In the loader's `box_format`; the edges of a volume are x0, y0, z0, x1, y1, z1.
    classes : int64, (B, N)
        Class numbers.
    index : int64, (B, N)
        Number of each box among the objects of its item, from 0: its label in an instance mask, minus 1. Those of a mixed
        image are numbered on, image after image.
    valid : bool, (B, N), or None
        Which rows are boxes; None where ragged.
    format : str
        What the numbers of a box are.
    points : float32, (B, N, K, 2), or None
        x and y of the keypoints of each box, in pixels from the image's edge, as the boxes of the format xyxy.
    visible : int64, (B, N, K), or None
        0: not labelled, or outside; 1: hidden; 2: visible.
    weights : float32, (B, N), or None
        With ``mix=``: the share of its image that each object has of a mixed one, `lam` or ``1 - lam`` of MixUp; else 1.
    origin : int64, (B, N, 2), or None
        With ``mix=``: ``Batch.index`` of the image that each object is from, and its number among the objects of that
        item, from 0.
    """

    boxes: Rows
    classes: Rows
    index: Rows
    valid: np.ndarray | None
    format: BoxFormat
    points: Rows | None = None
    visible: Rows | None = None
    weights: Rows | None = None
    origin: Rows | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def of_image(self, number: int, size: tuple[int, ...]) -> Boxes:
        """Return the boxes of one image of a size, without padding rows."""
        rows = slice(None) if self.valid is None else self.valid[number]
        labels = self.classes[number][rows]
        return Boxes(self.boxes[number][rows], self.format, size=size, labels=labels, bad_boxes="skip")

    def __repr__(self) -> str:
        if isinstance(self.boxes, tuple):
            return f"<BatchObjects of {len(self)}: {sum(map(len, self.boxes))} boxes, ragged>"
        count = 0 if self.valid is None else int(self.valid.sum())
        return f"<BatchObjects of {len(self)}: {count} boxes, padded to {self.boxes.shape[1]} per image>"


@dataclass(frozen=True)
class ObjectLayout:
    """How the boxes of a batch are collated.

    Parameters
    ----------
    layout : {"padded", "ragged"}
    most : int
        Boxes of an image, at most; padded, the number of rows.
    format : BoxFormat
    keypoints : int or None
        Keypoints of each object; None where there are none.
    mixed : bool
        Whether images are mixed, so that objects have weights and an origin.
    axes : int
        Spatial axes of the images.
    """

    layout: BoxLayout
    most: int
    format: BoxFormat
    keypoints: int | None = None
    mixed: bool = False
    axes: int = 2

    def check(self, targets: Targets) -> None:
        """Refuse an image with more boxes than there are rows for.

        Raises
        ------
        StepError
        """
        boxes = targets.of(Boxes)["boxes"]
        if len(boxes) > self.most:
            raise StepError(
                f"has {len(boxes)} boxes, and max_boxes={self.most}: raise max_boxes, or leave it out to have a row for "
                "each box of the source"
            )

    def stack(self, targets: Sequence[Targets], numbers: Sequence[int]) -> BatchObjects:
        """Put the boxes and keypoints of a batch together.

        Parameters
        ----------
        targets : sequence of Targets
            Of each image, with ``boxes``, whose labels are class numbers, and ``points``, where there are keypoints: those
            of the objects that there were at first.
        numbers : sequence of int
            Of each image in its source.
        """
        return self.stacked(
            [
                self.rows(one.of(Boxes)["boxes"], one.of(Points).get("points"), number)
                for one, number in zip(targets, numbers, strict=True)
            ]
        )

    def stacked(self, rows: Sequence[dict[str, np.ndarray]]) -> BatchObjects:
        """Put the objects of images together, of which `rows` gave the columns."""
        columns = {name: [one[name] for one in rows] for name in rows[0]}
        if self.layout == "ragged":
            made: dict[str, Any] = {name: tuple(column) for name, column in columns.items()}
            return BatchObjects(**made, valid=None, format=self.format)
        made = {name: self._padded(column) for name, column in columns.items()}
        lengths = np.array([[len(one)] for one in columns["boxes"]])
        return BatchObjects(**made, valid=np.arange(self.most) < lengths, format=self.format)

    def rows(
        self, boxes: Boxes, points: Points | None, image: int, *, weight: float = 1.0, first: int = 0
    ) -> dict[str, np.ndarray]:
        """Return the columns of one image's objects.

        Parameters
        ----------
        boxes : Boxes
        points : Points or None
            Of the objects that there were at first.
        image : int
            Its number in the source.
        weight : float
            Of each object.
        first : int
            Added to the number of each.
        """
        array = boxes_of_edges(boxes.edges, self.format, boxes.size)
        labels = np.zeros(0, np.int64) if boxes.labels is None else boxes.labels
        numbers = boxes.extra.get(OBJECT, boxes.ids)
        rows = {
            "boxes": array.astype(np.float32),
            "classes": labels.astype(np.int64),
            "index": numbers + first,
        }
        if self.keypoints is not None and points is not None:
            kept = points.places[boxes.ids]
            known = np.all(np.isfinite(kept), axis=-1)
            places = np.where(known[..., np.newaxis], kept[..., ::-1] + 0.5, -1)
            rows["points"] = places.astype(np.float32)
            rows["visible"] = np.where(known, points.visible[boxes.ids], 0).astype(np.int64)
        if self.mixed:
            rows["weights"] = np.full(len(boxes), weight, np.float32)
            rows["origin"] = np.stack([np.full(len(boxes), image, np.int64), numbers], axis=1)
        return rows

    def _padded(self, column: Sequence[np.ndarray]) -> np.ndarray:
        made = np.full((len(column), self.most, *column[0].shape[1:]), -1, column[0].dtype)
        for place, rows in zip(made, column, strict=True):
            place[: len(rows)] = rows
        return made


def parse_layout(
    boxes: Any,
    max_boxes: Any,
    box_format: Any,
    *,
    most: int | None,
    keypoints: int | None,
    axes: int = 2,
    mixed_of: int = 1,
) -> ObjectLayout | None:
    """Return the layout that a loader's arguments ask for; None for a source without boxes.

    Parameters
    ----------
    boxes, max_boxes, box_format
        As they were given; None where they were not.
    most : int or None
        The largest number of boxes that an image of the source has; None for a source without boxes.
    keypoints : int or None
    axes : int
        Spatial axes of the images.
    mixed_of : int
        Images that one is mixed of, at most; 1 where they are not mixed.

    Raises
    ------
    ArgumentError
    """
    given = {"boxes": boxes, "max_boxes": max_boxes, "box_format": box_format}
    named = [name for name, value in given.items() if value is not None]
    if most is None:
        if named:
            raise ArgumentError(f"{named[0]}={given[named[0]]!r:.80}: the source has no boxes; leave it out")
        return None
    layout = "padded" if boxes is None else boxes
    if layout not in get_args(BoxLayout):
        raise ArgumentError(f"boxes={layout!r:.80}: choose 'padded' or 'ragged'")
    if layout == "ragged" and max_boxes is not None:
        raise ArgumentError("max_boxes= is for boxes='padded'; leave it out")
    form = "xyxy" if box_format is None else box_format
    if form not in get_args(BoxFormat):
        raise ArgumentError(
            f"box_format={form!r:.80}: choose one of {', '.join(map(repr, get_args(BoxFormat)))}"
        )
    try:
        check_format(form, axes)
    except ArgumentError as error:
        raise ArgumentError(f"box_{error}".replace("write format=", "write box_format=")) from None
    rows = max(1, most * mixed_of) if max_boxes is None else whole_number("max_boxes", max_boxes)
    return ObjectLayout(layout, rows, form, keypoints, mixed_of > 1, axes)
