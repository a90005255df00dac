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
from offgraph.targets.box_formats import BoxFormat, boxes_of_edges

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
    boxes : float32, (B, N, 4)
        In the loader's `box_format`.
    classes : int64, (B, N)
        Class numbers.
    index : int64, (B, N)
        Number of each box among the objects of its item, from 0: its label in an instance mask, minus 1.
    valid : bool, (B, N), or None
        Which rows are boxes; None where ragged.
    format : str
        What the four numbers of a box are.
    points : float32, (B, N, K, 2), or None
        x and y of the keypoints of each box, in pixels from the image's edge, as the boxes of the format xyxy.
    visible : int64, (B, N, K), or None
        0: not labelled, or outside; 1: hidden; 2: visible.
    """

    boxes: Rows
    classes: Rows
    index: Rows
    valid: np.ndarray | None
    format: BoxFormat
    points: Rows | None = None
    visible: Rows | None = None

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
    """

    layout: BoxLayout
    most: int
    format: BoxFormat
    keypoints: int | None = None

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

    def stack(self, targets: Sequence[Targets]) -> BatchObjects:
        """Put the boxes and keypoints of a batch together.

        Parameters
        ----------
        targets : sequence of Targets
            Of each image, with ``boxes``, whose labels are class numbers, and ``points``, where there are keypoints: those
            of the objects that there were at first.
        """
        boxes = [one.of(Boxes)["boxes"] for one in targets]
        rows = [
            self._rows(one, other.of(Points).get("points")) for one, other in zip(boxes, targets, strict=True)
        ]
        if self.layout == "ragged":
            columns: list[Any] = [tuple(column) for column in zip(*rows, strict=True)]
            return BatchObjects(columns[0], columns[1], columns[2], None, self.format, *columns[3:])
        columns = [self._padded(column) for column in zip(*rows, strict=True)]
        lengths = np.array([[len(one)] for one in boxes])
        valid = np.arange(self.most) < lengths
        return BatchObjects(columns[0], columns[1], columns[2], valid, self.format, *columns[3:])

    def _rows(self, boxes: Boxes, points: Points | None) -> list[np.ndarray]:
        array = boxes_of_edges(boxes.edges, self.format, boxes.size)
        labels = np.zeros(0, np.int64) if boxes.labels is None else boxes.labels
        rows = [array.astype(np.float32), labels.astype(np.int64), boxes.extra.get(OBJECT, boxes.ids)]
        if self.keypoints is not None and points is not None:
            kept = points.places[boxes.ids]
            known = np.all(np.isfinite(kept), axis=-1)
            places = np.where(known[..., np.newaxis], kept[..., ::-1] + 0.5, -1)
            rows += [
                places.astype(np.float32),
                np.where(known, points.visible[boxes.ids], 0).astype(np.int64),
            ]
        return rows

    def _padded(self, column: Sequence[np.ndarray]) -> np.ndarray:
        made = np.full((len(column), self.most, *column[0].shape[1:]), -1, column[0].dtype)
        for place, rows in zip(made, column, strict=True):
            place[: len(rows)] = rows
        return made


def parse_layout(
    boxes: Any, max_boxes: Any, box_format: Any, *, most: int | None, keypoints: int | None
) -> ObjectLayout | None:
    """Return the layout that a loader's arguments ask for; None for a source without boxes.

    Parameters
    ----------
    boxes, max_boxes, box_format
        As they were given; None where they were not.
    most : int or None
        The largest number of boxes that an image of the source has; None for a source without boxes.
    keypoints : int or None

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
    rows = max(1, most) if max_boxes is None else whole_number("max_boxes", max_boxes)
    return ObjectLayout(layout, max(1, most) if layout == "ragged" else rows, form, keypoints)
