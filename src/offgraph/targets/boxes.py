"""Boxes around objects: their corners or outlines are moved, and the bounds taken again."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

import numpy as np

from offgraph.core.arguments import refuse_masked
from offgraph.core.choices import BadBoxes
from offgraph.core.errors import ArgumentError
from offgraph.targets.base import Target
from offgraph.targets.box_formats import (
    BoxFormat,
    boxes_of_edges,
    check_format,
    edges_of_boxes,
    points_of_format,
    points_to_format,
)
from offgraph.targets.columns import Columns, parse_size
from offgraph.targets.composed import check_grid, check_size, returning_legs
from offgraph.targets.covering import uncovered_boxes, uncovered_polygons
from offgraph.targets.instances import Instances
from offgraph.targets.mask import Mask
from offgraph.targets.outlines import NOTHING, carry_boxes, carry_polygons, uncut_bounds
from offgraph.targets.polygons import corners_of

if TYPE_CHECKING:
    from offgraph.geometry.frame import Frame
    from offgraph.geometry.resampling import Leg

__all__ = ["BoxRules", "Boxes", "Dropped"]


@dataclass(frozen=True)
class Dropped:
    """A box that was dropped.

    Parameters
    ----------
    id : int
        Which box of those given at first, counted from 0.
    reason : str
    """

    id: int
    reason: str


@dataclass(frozen=True)
class BoxRules:
    """Which moved boxes are kept.

    Parameters
    ----------
    min_area : float
        Least area of the final box, in output pixels (volume, in space).
    min_visibility : float
        Least share of the object's area, 0 to 1, that all steps since the first have left.
    clip : bool
        Whether boxes end at the image's border. If not, a box reaches around what was cut off as well; a box of which
        nothing is left is dropped all the same.

    Raises
    ------
    ArgumentError
        For a negative area, or a share outside 0 to 1.
    """

    min_area: float = 0.0
    min_visibility: float = 0.0
    clip: bool = True

    def __post_init__(self) -> None:
        if not self.min_area >= 0:
            raise ArgumentError(f"min_area={self.min_area!r:.80}: give an area in pixels, from 0")
        if not 0 <= self.min_visibility <= 1:
            raise ArgumentError(f"min_visibility={self.min_visibility!r:.80}: give a share from 0 to 1")


class Boxes(Target):
    """Boxes around objects of an image or a volume.

    Parameters
    ----------
    array : array_like, shape (n, 4) or (n, 6)
        One box per row, in `format`. In space x, y, z come before the second three numbers.
    format : {"xyxy", "xywh", "cxcywh", "yolo", "coco", "voc"}
        What the numbers mean; see `offgraph.targets.box_formats`. xyxy are the left, upper, right and lower edge,
        0 at the image's own edge, so that pixels 2 to 5 are 2 and 6; VOC counts pixels from 1 and includes the last,
        so that they are 3 and 6.
    size : tuple of int
        (H, W) or (D, H, W) of the image.
    labels : array_like, shape (n,), optional
        Class of each box: numbers or names.
    extra : mapping of str to array_like of n rows, optional
        Further columns, carried along.
    polygons : sequence of sequence of array_like, shape (m, 2), optional
        For each box the outline of its object, one polygon or more, as points (x, y) in the format's units; None for
        a box without. A moved box is drawn tight around its moved outline.
    min_area, min_visibility, clip
        Which moved boxes are kept; see `BoxRules`.
    bad_boxes : {"error", "skip"}
        How a box is handled that is not finite, has no area or lies outside the image: refused, or left out and
        listed in `dropped`.
    on_bad : {"error", "drop"}, optional
        Earlier name of `bad_boxes`; "drop" means "skip".

    Attributes
    ----------
    edges : ndarray of float64, shape (n, 4) or (n, 6)
        Lower edges, then upper edges, in the order of the image's axes, pixel centres at integers.
    array : ndarray of float64, shape (n, 4) or (n, 6)
        The boxes in `format`.
    labels : ndarray or None
    extra : dict of str to ndarray
    ids : ndarray of int64, shape (n,)
        For each box its number among those given at first.
    visibility : ndarray of float64, shape (n,)
        Share of each object's area that is left.
    dropped : tuple of Dropped
        Boxes that were dropped, and why.

    Raises
    ------
    ArgumentError
        Naming the box, for an invalid one; for another shape, format or number of labels.

    Notes
    -----
    A box is moved by its corners (or its outline) through all maps, cut at each step's output, and its bounds are
    taken at the end: exact for flips, crops and scales, tight about the turned box for other affine and projective
    maps. Where maps bend edges the bounds hold every output pixel that comes from inside the box. What a border mode
    repeats outside the image has no box.

    Examples
    --------
    >>> boxes = Boxes([[2, 1, 4, 1]], format="coco", size=(8, 10), labels=["cell"])
    >>> boxes.edges.tolist(), boxes.to("voc").tolist()
    ([[0.5, 1.5, 1.5, 5.5]], [[3.0, 2.0, 6.0, 2.0]])
    """

    kind: ClassVar[str] = "boxes"

    def __init__(
        self,
        array: Any,
        format: BoxFormat = "xyxy",
        *,
        size: Sequence[int],
        labels: Any = None,
        extra: Mapping[str, Any] | None = None,
        polygons: Sequence[Sequence[Any] | None] | None = None,
        min_area: float = 0.0,
        min_visibility: float = 0.0,
        clip: bool = True,
        bad_boxes: BadBoxes = "error",
        on_bad: Literal["error", "drop"] | None = None,
    ) -> None:
        bad_boxes = _parse_bad_boxes(bad_boxes, on_bad)
        self._size = parse_size(size)
        check_format(format, len(self._size))
        self.format: BoxFormat = format
        self.rules = BoxRules(min_area, min_visibility, clip)
        numbers = _parse_boxes(array, len(self._size))
        self.edges = edges_of_boxes(numbers, format, self._size)
        self.ids = np.arange(len(numbers))
        self.visibility = np.ones(len(numbers))
        self._columns = Columns.parse("box", len(numbers), labels, extra)
        self._polygons = _parse_polygons(polygons, len(numbers), format, self._size)
        self._instances: Instances | None = None
        self.dropped: tuple[Dropped, ...] = ()
        bad = _bad_boxes(self.edges, self._size)
        if bad and bad_boxes == "error":
            number, reason = next(iter(bad.items()))
            row = ", ".join(f"{value:g}" for value in numbers[number])
            raise ArgumentError(
                f"box {number} of {len(numbers)}, ({row}) in format {format!r}, {reason}; "
                "bad_boxes='skip' leaves such boxes out"
            )
        if bad:
            self._keep(np.array([i not in bad for i in range(len(numbers))]), bad)

    @classmethod
    def of_labels(
        cls,
        mask: Mask,
        format: BoxFormat = "xyxy",
        *,
        labels: Mapping[int, Any] | None = None,
        min_area: float = 0.0,
        min_visibility: float = 0.0,
        clip: bool = True,
    ) -> Self:
        """Return the boxes of the objects of an instance mask; they stay those of its labels when moved.

        Parameters
        ----------
        mask : Mask
            One label per object, 0 for none; only spatial axes.
        format : str
        labels : mapping of int to class, optional
            The class of each object; by default its label.
        min_area, min_visibility, clip
            See `BoxRules`.

        Returns
        -------
        Boxes
            In the order of the labels, with the column ``extra["instance"]``.

        Raises
        ------
        ArgumentError
            For a mask with further axes, or an object without a class.

        Examples
        --------
        >>> Boxes.of_labels(Mask(np.array([[0, 7, 7], [0, 7, 0]], np.uint8))).array.tolist()
        [[1.0, 0.0, 3.0, 2.0]]
        """
        instances, edges = Instances.of(mask)
        objects = [int(label) for label in instances.labels]
        if labels is not None and (missing := [label for label in objects if label not in labels]):
            raise ArgumentError(f"labels= has no class for object {missing[0]}")
        boxes = cls(
            boxes_of_edges(edges, format, mask.size), format, size=mask.size,
            labels=instances.labels if labels is None else [labels[label] for label in objects],
            extra={"instance": instances.labels},
            min_area=min_area, min_visibility=min_visibility, clip=clip,
        )  # fmt: skip
        boxes.edges, boxes._instances = edges, instances
        return boxes

    @classmethod
    def given(cls, value: Any, size: tuple[int, ...], axes: str) -> Self:
        """Boxes in format xyxy on the image's grid."""
        return cls(value, size=size)

    def __len__(self) -> int:
        return len(self.edges)

    def __repr__(self) -> str:
        gone = f", {len(self.dropped)} dropped" if self.dropped else ""
        return f"<Boxes: {len(self)} on a grid of {self._size}, {self.format}{gone}>"

    @property
    def size(self) -> tuple[int, ...]:
        """Spatial lengths of the image."""
        return self._size

    @property
    def array(self) -> np.ndarray:
        """The boxes in their own format."""
        return self.to(self.format)

    @property
    def labels(self) -> np.ndarray | None:
        """Class of each box."""
        return self._columns.labels

    @property
    def extra(self) -> dict[str, np.ndarray]:
        """Further columns."""
        return self._columns.extra

    @property
    def mask(self) -> Mask | None:
        """The instance mask that the boxes are taken from, or None."""
        return None if self._instances is None else self._instances.mask

    @property
    def polygons(self) -> list[list[np.ndarray] | None] | None:
        """Outlines of the objects as points (x, y) in the format's units, as they were given and moved."""
        if self._polygons is None:
            return None
        return [
            None if parts is None else [points_to_format(part, self.format, self._size) for part in parts]
            for parts in self._polygons
        ]

    @property
    def outlines(self) -> list[list[np.ndarray] | None] | None:
        """Outlines of the objects as points (row, column), pixel centres at integers."""
        return self._polygons

    def to(self, format: BoxFormat) -> np.ndarray:
        """Return the boxes in a format, shape (n, 4) or (n, 6), float64."""
        check_format(format, len(self._size))
        return boxes_of_edges(self.edges, format, self._size)

    def moved(self, legs: Sequence[Leg], mask: Mask | None = None) -> Self:
        """Return the boxes after a chain, without those that its rules drop.

        Parameters
        ----------
        legs : sequence of Leg
            The first begins on this grid.
        mask : Mask, optional
            For boxes of an instance mask: that mask after the chain, if the caller has it already. It serves where
            nothing lies outside an image but background: what a border mode shows again is no part of an object.

        Returns
        -------
        Boxes
            Same format, labels and further columns of the boxes that are left; `dropped` lists the others.

        Raises
        ------
        StepError
            For a chain from another size.
        """
        check_grid("boxes", self._size, legs)
        if not legs:
            return self
        result = copy.copy(self)
        result._size = legs[-1].map.output_size
        if self._instances is not None:
            result._instances, edges, share = self._instances.moved(legs, mask)
        else:
            edges, share, result._polygons = self._carried(legs)
        return result._left(edges, share)

    def covered(self, start: Sequence[int], stop: Sequence[int]) -> Self:
        """Return the boxes of what is left where something else is pasted over a window of the image.

        A box is drawn around what is left of its object: it is shorter where the window takes an end off, and as before
        where what is left lies on both sides.

        Parameters
        ----------
        start, stop : sequence of int
            First pixel of the window on each axis, and the one after its last.

        Returns
        -------
        Boxes
            Those that the rules keep; `dropped` lists the others.

        Examples
        --------
        >>> boxes = Boxes([[0, 0, 4, 4], [5, 0, 7, 2]], size=(4, 8))
        >>> left = boxes.covered((0, 3), (4, 8))
        >>> left.array.tolist(), left.visibility.tolist(), [gone.id for gone in left.dropped]
        ([[0.0, 0.0, 3.0, 4.0]], [0.75], [1])
        """
        result = copy.copy(self)
        low, high = np.asarray(start) - 0.5, np.asarray(stop) - 0.5
        if self._instances is not None:
            window = tuple(slice(first, after) for first, after in zip(start, stop))
            result._instances, edges, share = self._instances.covered(window)
            return result._left(edges, share)
        edges, share = uncovered_boxes(self.edges, low, high)
        if self._polygons is not None:
            drawn = [number for number, parts in enumerate(self._polygons) if parts is not None]
            left = uncovered_polygons([self._polygons[number] or [] for number in drawn], low, high)
            edges[drawn], share[drawn] = left.edges, left.share
            outlines = dict(zip(drawn, left.outlines))
            result._polygons = [outlines.get(number) for number in range(len(self))]
        if not self.rules.clip:
            edges = np.where(np.isfinite(edges), self.edges, edges)
        return result._left(edges, share)

    def under(self, rules: BoxRules) -> Self:
        """Return the boxes under other rules, which hold from the next step on."""
        result = copy.copy(self)
        result.rules = rules
        return result

    def _left(self, edges: np.ndarray, share: np.ndarray) -> Self:
        """Set what is left of each box, in place, and keep those that the rules keep."""
        self.edges, self.visibility = edges, self.visibility * share
        gone = _gone(edges, self.visibility, self.rules)
        names = {i: reason for i, reason in enumerate(gone) if reason}
        self._keep(np.array([reason is None for reason in gone], bool), names)
        return self

    def restored(self, frame: Frame) -> Self:
        """Return the boxes on the frame's original grid; a box that nothing is left of is dropped."""
        check_size("boxes", self._size, frame.output_size)
        return self.moved(returning_legs(frame.maps))

    def taken(self, rows: np.ndarray, reason: str) -> Self:
        """Return some of the boxes, in the order of `rows`; the others are listed in `dropped` with a reason.

        Parameters
        ----------
        rows : ndarray of int
            Places among these boxes, none twice.
        reason : str
        """
        result = copy.copy(self)
        gone = np.setdiff1d(np.arange(len(self)), rows)
        result.dropped = (*self.dropped, *(Dropped(int(self.ids[row]), reason) for row in gone))
        result._take(rows)
        return result

    def _carried(self, legs: Sequence[Leg]) -> tuple[np.ndarray, np.ndarray, Any]:
        """Edges and shares after a chain, and the outlines."""
        polygons: Any = self._polygons
        drawn = np.array([parts is not None for parts in polygons or ()], bool)
        if not drawn.any():
            carried = carry_boxes(self.edges, legs)
            edges, share = carried.edges, carried.share
        else:
            edges, share = np.full(self.edges.shape, np.nan), np.zeros(len(self))
            plain = carry_boxes(self.edges[~drawn], legs)
            edges[~drawn], share[~drawn] = plain.edges, plain.share
            outlined = carry_polygons([parts for parts in polygons if parts is not None], legs)
            edges[drawn], share[drawn] = outlined.edges, outlined.share
            left = iter(outlined.outlines)
            polygons = [None if parts is None else next(left) for parts in polygons]
        if not self.rules.clip:
            self._uncut(edges, share, legs)
        return edges, share, polygons

    def _uncut(self, edges: np.ndarray, share: np.ndarray, legs: Sequence[Leg]) -> None:
        """Widen the edges of boxes that were cut to what they would be uncut, where the maps have places for it."""
        d = len(self._size)
        for number in np.flatnonzero((share < 1) & np.isfinite(edges).all(axis=1)):
            parts = None if self._polygons is None else self._polygons[number]
            bounds = uncut_bounds(parts or list(corners_of(self.edges[number : number + 1])), legs)
            if bounds is not None:
                edges[number, :d] = np.minimum(edges[number, :d], bounds[:d])
                edges[number, d:] = np.maximum(edges[number, d:], bounds[d:])

    def _keep(self, kept: np.ndarray, reasons: Mapping[int, str]) -> None:
        """Leave out boxes in place; only for objects that nobody else has yet."""
        self.dropped = (*self.dropped, *(Dropped(int(self.ids[i]), reason) for i, reason in reasons.items()))
        if not kept.all():
            self._take(np.flatnonzero(kept))

    def _take(self, rows: np.ndarray) -> None:
        """Keep some boxes, in a new order, in place."""
        self.edges, self.ids, self.visibility = self.edges[rows], self.ids[rows], self.visibility[rows]
        self._columns = self._columns.rows(rows)
        if self._polygons is not None:
            self._polygons = [self._polygons[row] for row in rows]
        if self._instances is not None:
            self._instances = self._instances.rows(rows)


def _parse_boxes(array: Any, dimensions: int) -> np.ndarray:
    refuse_masked("boxes=", array)
    try:
        numbers = np.asarray(array, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"boxes={array!r:.80}: give an array of numbers, one box per row") from None
    if numbers.size == 0:
        numbers = numbers.reshape(0, 2 * dimensions)
    if numbers.ndim != 2 or numbers.shape[1] != 2 * dimensions:
        raise ArgumentError(
            f"boxes of shape {numbers.shape}: an image of {dimensions} spatial axes takes shape (n, {2 * dimensions})"
        )
    return numbers


def _parse_polygons(
    polygons: Any, count: int, format: BoxFormat, size: tuple[int, ...]
) -> list[list[np.ndarray] | None] | None:
    if polygons is None:
        return None
    if len(size) != 2:
        raise ArgumentError("polygons= are for boxes in the plane")
    if not isinstance(polygons, Sequence) or len(polygons) != count:
        raise ArgumentError(f"polygons= has not one entry for each of {count} boxes")
    result: list[list[np.ndarray] | None] = []
    for number, parts in enumerate(polygons):
        if parts is None or not len(parts):
            result.append(None)
            continue
        outlines = []
        for part in parts:
            try:
                points = np.asarray(part, np.float64)
            except (TypeError, ValueError):
                points = np.empty(0)
            if points.ndim != 2 or points.shape[-1] != 2 or len(points) < 3 or not np.isfinite(points).all():
                raise ArgumentError(
                    f"polygons= of box {number}: give a list of outlines, each of three points (x, y) or more"
                )
            outlines.append(points_of_format(points, format, size))
        result.append(outlines)
    return result


def _parse_bad_boxes(bad_boxes: Any, on_bad: Any) -> BadBoxes:
    """The option under its name, or under the earlier one."""
    if on_bad is not None:
        if on_bad not in ("error", "drop"):
            raise ArgumentError(f"on_bad={on_bad!r:.80}: write bad_boxes='error' or bad_boxes='skip'")
        return "skip" if on_bad == "drop" else "error"
    if bad_boxes not in get_args(BadBoxes):
        raise ArgumentError(f"bad_boxes={bad_boxes!r:.80}: choose 'skip' or 'error'")
    return bad_boxes


def _bad_boxes(edges: np.ndarray, size: tuple[int, ...]) -> dict[int, str]:
    """What is wrong with invalid boxes, by number."""
    d = len(size)
    low, high = edges[:, :d], edges[:, d:]
    unknown: Any = ~np.isfinite(edges).all(axis=1)
    with np.errstate(invalid="ignore"):
        flat: Any = (high <= low).any(axis=1)
        outside = ((high <= -0.5) | (low >= np.array(size) - 0.5)).any(axis=1)
    reasons: dict[int, str] = {}
    for number in np.flatnonzero(unknown | flat | outside):
        if unknown[number]:
            reasons[int(number)] = "has a number that is not finite"
        elif flat[number]:
            names = "ZYX"[-d:]
            axis = int(np.argmax(high[number] <= low[number]))
            length = high[number, axis] - low[number, axis]
            reasons[int(number)] = f"has no area: it is {length:g} long along {names[axis]}"
        else:
            reasons[int(number)] = f"lies outside the image of size {size}"
    return reasons


def _gone(edges: np.ndarray, visibility: np.ndarray, rules: BoxRules) -> list[str | None]:
    """Why a moved box is dropped, or None, for each."""
    d = edges.shape[1] // 2
    lengths = edges[:, d:] - edges[:, :d]
    areas = np.prod(lengths, axis=1)
    with np.errstate(invalid="ignore"):
        nothing: Any = ~((lengths > NOTHING).all(axis=1) & (visibility > NOTHING))
        small: Any = (areas < rules.min_area) | (visibility < rules.min_visibility)
    result: list[str | None] = [None] * len(edges)
    for row in np.flatnonzero(nothing | small).tolist():
        if nothing[row]:
            result[row] = "nothing of it is left in the image"
        elif areas[row] < rules.min_area:
            result[row] = f"its area of {areas[row]:.6g} pixels is less than min_area={rules.min_area:g}"
        else:
            result[row] = (
                f"{visibility[row]:.1%} of it is left, less than min_visibility={rules.min_visibility:g}"
            )
    return result
