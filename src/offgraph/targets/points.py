"""Points such as landmarks and keypoints, with whether they can be seen."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from offgraph.core.arguments import refuse_masked
from offgraph.core.errors import ArgumentError
from offgraph.targets.base import Target
from offgraph.targets.columns import Columns, parse_size
from offgraph.targets.composed import check_grid, check_size, forward_through, is_mirrored, returning_legs

if TYPE_CHECKING:
    from offgraph.geometry.frame import Frame
    from offgraph.geometry.resampling import Leg

__all__ = ["Points"]


class Points(Target):
    """Points of an image or a volume.

    Parameters
    ----------
    array : array_like, shape (n, d) or (objects, n, d)
        One point per row, d the number of spatial axes; with an axis more, the same n points of several objects.
    size : tuple of int
        (H, W) or (D, H, W) of the image.
    order : {"yx", "xy"}
        Whether a row is (row, column), as the array's axes, or (x, y), as annotation files have it; in space
        (slice, row, column) or (x, y, z).
    origin : {"centre", "edge"}
        Where 0 is: at the centre of pixel 0, so that coordinates are array indices, or at the image's edge, half a
        pixel before it, as box formats count.
    visible : array_like of bool or int, shape (n,) or (objects, n), optional
        Flags of each point, 0 or False for one that cannot be seen; COCO's 0, 1 and 2 are kept. By default all True.
    pairs : sequence of (int, int), optional
        Numbers of points that a mirror image exchanges, such as those of the left and the right eye.
    labels : array_like, shape (n,), optional
        Class or name of each point (of each object, where there are several).
    extra : mapping of str to array_like, optional
        Further columns, carried along.
    outside : {"keep", "drop"}
        Whether a point that leaves the image stays, as one that cannot be seen, or is left out. Of several objects,
        and with `pairs`, all stay.

    Attributes
    ----------
    places : ndarray of float64, shape (..., n, d)
        In the order of the image's axes, pixel centres at integers; NaN where a map has no place for a point.
    array : ndarray of float64
        The points in their own order and origin.
    visible : ndarray of bool or int, shape (..., n)
    ids : ndarray of int64, shape (n,)
        Which of the points (objects) given at first each one is.

    Raises
    ------
    ArgumentError
        For another shape, or pairs that name no points.

    Examples
    --------
    >>> eyes = Points([[2, 1], [6, 1]], size=(4, 8), order="xy", pairs=[(0, 1)])
    >>> eyes.places.tolist()
    [[1.0, 2.0], [1.0, 6.0]]
    """

    kind: ClassVar[str] = "points"

    def __init__(
        self,
        array: Any,
        *,
        size: Sequence[int],
        order: Literal["yx", "xy"] = "yx",
        origin: Literal["centre", "edge"] = "centre",
        visible: Any = None,
        pairs: Sequence[tuple[int, int]] = (),
        labels: Any = None,
        extra: Mapping[str, Any] | None = None,
        outside: Literal["keep", "drop"] = "keep",
    ) -> None:
        for name, value, known in (
            ("order", order, ("yx", "xy")),
            ("origin", origin, ("centre", "edge")),
            ("outside", outside, ("keep", "drop")),
        ):
            if value not in known:
                raise ArgumentError(f"{name}={value!r:.80}: write {known[0]!r} or {known[1]!r}")
        self._size = parse_size(size)
        self.order, self.origin, self.outside = order, origin, outside
        given = _parse_points(array, len(self._size))
        self.places = (given[..., ::-1] if order == "xy" else given) - (0.5 if origin == "edge" else 0.0)
        self.visible = _parse_visible(visible, given.shape[:-1])
        self.pairs = _parse_pairs(pairs, given.shape[-2])
        if outside == "drop" and (self.pairs or given.ndim > 2):
            raise ArgumentError(
                "outside='drop' would renumber points of pairs or of several objects: write 'keep'"
            )
        kind = "point" if given.ndim == 2 else "object"
        self._columns = Columns.parse(kind, len(given), labels, extra)
        self.ids = np.arange(len(given))

    @classmethod
    def given(cls, value: Any, size: tuple[int, ...], axes: str) -> Self:
        """Points in array order on the image's grid."""
        return cls(value, size=size)

    def __len__(self) -> int:
        return len(self.places)

    def __repr__(self) -> str:
        return f"<Points: {self.places.shape[:-1]} on a grid of {self._size}, {int((self.visible != 0).sum())} visible>"

    @property
    def size(self) -> tuple[int, ...]:
        """Spatial lengths of the image."""
        return self._size

    @property
    def array(self) -> np.ndarray:
        """The points in their own order and origin."""
        places = self.places + (0.5 if self.origin == "edge" else 0.0)
        return places[..., ::-1] if self.order == "xy" else places

    @property
    def labels(self) -> np.ndarray | None:
        """Class or name of each point or object."""
        return self._columns.labels

    @property
    def extra(self) -> dict[str, np.ndarray]:
        """Further columns."""
        return self._columns.extra

    def moved(self, legs: Sequence[Leg]) -> Self:
        """Return the points after a chain.

        A point that leaves a step's output cannot be seen any more, also where a later step would bring its place
        back. Where the chain mirrors, the points of each pair change places.

        Parameters
        ----------
        legs : sequence of Leg
            The first begins on this grid.

        Raises
        ------
        StepError
            For a chain from another size.
        """
        check_grid("points", self._size, legs)
        if not legs:
            return self
        result = copy.copy(self)
        result._size = legs[-1].map.output_size
        result.places, seen = forward_through(legs, self.places)
        result.visible = np.where(seen, self.visible, np.zeros_like(self.visible))
        if self.pairs and is_mirrored(legs):
            exchanged = np.arange(self.places.shape[-2])
            for left, right in self.pairs:
                exchanged[[left, right]] = right, left
            result.places = result.places[..., exchanged, :]
            result.visible = result.visible[..., exchanged]
        if self.outside == "drop" and not seen.all():
            result.places, result.visible, result.ids = (
                result.places[seen],
                result.visible[seen],
                self.ids[seen],
            )
            result._columns = self._columns.rows(seen)
        return result

    def covered(self, start: Sequence[int], stop: Sequence[int]) -> Self:
        """Return the points where something else is pasted over a window of the image: those in it cannot be seen.

        Parameters
        ----------
        start, stop : sequence of int
            First pixel of the window on each axis, and the one after its last.

        Examples
        --------
        >>> Points([[1, 1], [1, 6]], size=(4, 8)).covered((0, 3), (4, 8)).visible.tolist()
        [True, False]
        """
        result = copy.copy(self)
        low, high = np.asarray(start) - 0.5, np.asarray(stop) - 0.5
        with np.errstate(invalid="ignore"):
            inside = ((self.places >= low) & (self.places < high)).all(axis=-1)
        result.visible = np.where(inside, np.zeros_like(self.visible), self.visible)
        return result

    def restored(self, frame: Frame) -> Self:
        """Return the points on the frame's original grid; those that nothing maps cannot be seen."""
        check_size("points", self._size, frame.output_size)
        return self.moved(returning_legs(frame.maps))


def _parse_points(array: Any, dimensions: int) -> np.ndarray:
    refuse_masked("points=", array)
    try:
        points = np.asarray(array, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"points={array!r:.80}: give an array of numbers, one point per row") from None
    if points.size == 0 and points.ndim < 2:
        points = points.reshape(0, dimensions)
    if points.ndim not in (2, 3) or points.shape[-1] != dimensions:
        raise ArgumentError(
            f"points of shape {points.shape}: an image of {dimensions} spatial axes takes shape (n, {dimensions}), "
            f"or (objects, n, {dimensions})"
        )
    return points


def _parse_visible(visible: Any, shape: tuple[int, ...]) -> np.ndarray:
    if visible is None:
        return np.ones(shape, bool)
    flags = np.asarray(visible)
    if flags.shape != shape or flags.dtype.kind not in "biu":
        raise ArgumentError(
            f"visible of shape {flags.shape} and dtype {flags.dtype}: give one flag, bool or a whole number, for each "
            f"point, shape {shape}"
        )
    return flags


def _parse_pairs(pairs: Any, count: int) -> tuple[tuple[int, int], ...]:
    try:
        parsed = tuple((int(left), int(right)) for left, right in pairs)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"pairs={pairs!r:.80}: give pairs of point numbers, such as pairs=[(0, 1)]"
        ) from None
    numbers = [number for pair in parsed for number in pair]
    if len(set(numbers)) != len(numbers) or any(not 0 <= number < count for number in numbers):
        raise ArgumentError(
            f"pairs={pairs!r:.80}: each of the points 0 to {count - 1} stands in one pair at most"
        )
    return parsed
