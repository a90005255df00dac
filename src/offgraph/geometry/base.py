"""What a coordinate map is: from output pixels back to input pixels, and how maps join, invert and travel as JSON.

Pixel centres lie at integers, coordinates are (row, column) or (slice, row, column), and an image of n pixels reaches
from -0.5 to n - 0.5 along an axis. A map pulls: it takes output coordinates to input coordinates, as
`scipy.ndimage.affine_transform` does.

Each map computes on components first, shape (n, ...), the layout of `scipy.ndimage.map_coordinates`, in which the
coordinates of one axis lie side by side in memory. Points with their coordinates last, shape (..., n), are for callers.
A coordinate that does not exist (behind the horizon of a projection, in a fold of a displacement) is NaN.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import OffgraphError

__all__ = [
    "MAX_AXES",
    "SLACK",
    "CoordinateMap",
    "box_of",
    "compose",
    "dot",
    "finite_array",
    "inverse_matrix",
    "map_from_json",
    "numbers",
    "on_border",
    "pixel_axes",
    "pixel_grid",
    "whole_size",
]

MAX_AXES = 3
"""Most spatial axes that a map read from JSON may have."""

SLACK = 1e-9
"""Slack in pixels where a coordinate decides between two pixels, or between a pixel and the fill value.

More than the rounding of a product of maps, so that rounding decides nothing: of two equally near pixels the later one
is taken, and a coordinate that rounding has carried over a border lies on it. Less than one over the product of the
lengths that two resizes have, so that no other label changes."""

KINDS: dict[str, type[CoordinateMap]] = {}
"""Every kind of map by the name it has in JSON; each class enters itself."""


class CoordinateMap(ABC):
    """A map from output pixels to input pixels; abstract base of all maps.

    Attributes
    ----------
    input_size, output_size : tuple of int
        Spatial lengths of the image before and after.

    Notes
    -----
    A new map is a frozen dataclass in a file of its own: `pull` and `push` on components, `jacobian_components`,
    `inverse`, `bounds`, and its JSON.
    """

    input_size: tuple[int, ...]
    output_size: tuple[int, ...]

    kind: ClassVar[str] = ""
    """The map's name in JSON."""
    generality: ClassVar[int | None] = None
    """Maps with a number join into one map of the larger number; the others are kept in a `ChainMap`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.kind:
            KINDS[cls.kind] = cls

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return len(self.output_size)

    @property
    def is_exact(self) -> bool:
        """Whether the map only moves whole pixels, so that nothing is resampled."""
        return False

    @property
    def is_identity(self) -> bool:
        """Whether every pixel stays where it is, known without a computation."""
        return False

    @property
    def preserves_lines(self) -> bool:
        """Whether straight lines stay straight, so that the corners of a box bound all of it."""
        return False

    # What each kind of map defines.

    @abstractmethod
    def pull(self, components: np.ndarray) -> np.ndarray:
        """Return input coordinates of output coordinates, both of shape (n, ...) and float64."""

    @abstractmethod
    def push(self, components: np.ndarray) -> np.ndarray:
        """Return output coordinates of input coordinates, shape (n, ...); NaN where no output place exists."""

    @abstractmethod
    def jacobian_components(self, components: np.ndarray) -> np.ndarray:
        """Return the derivative of `pull`, shape (n, n, ...): entry [i, j] is d input[i] / d output[j]."""

    @abstractmethod
    def inverse(self) -> CoordinateMap:
        """Return the map from input pixels to output pixels.

        Raises
        ------
        OffgraphError
            Where the map flattens the image, so that there is no way back.
        """

    @abstractmethod
    def bounds(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return input coordinates between which a box of output coordinates certainly lies.

        Parameters
        ----------
        low, high : sequence of float, length n, optional
            The box; by default from the first to the last pixel centre of the output.

        Returns
        -------
        low, high : ndarray of float64, shape (n,)
            Exact for grid and affine maps, else a sound bound; infinite where the horizon crosses the box.
        """

    def reads_inside(self, slack: float) -> bool:
        """Return whether every output pixel lies between the first and the last pixel centre of the input.

        Parameters
        ----------
        slack : float
            Pixels by which rounding may carry a coordinate over the border that it lies on.
        """
        low, high = self.bounds()
        return all(
            first >= -slack and last <= n - 1 + slack
            for first, last, n in zip(low.tolist(), high.tolist(), self.input_size)
        )

    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """Return the map's own numbers as plain JSON values, without the sizes."""

    @classmethod
    @abstractmethod
    def from_fields(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` wrote; a key that is missing raises KeyError, a value of another type TypeError."""

    # What follows from it.

    def __call__(self, points: Any) -> np.ndarray:
        """Map points from output to input coordinates.

        Parameters
        ----------
        points : array_like, shape (..., n)

        Returns
        -------
        ndarray of float64, shape (..., n)
            NaN where nothing maps.
        """
        return np.moveaxis(self.pull(self._components(points)), 0, -1)

    def forward(self, points: Any) -> tuple[np.ndarray, np.ndarray]:
        """Map points from input to output coordinates: where a pixel of the input went.

        Parameters
        ----------
        points : array_like, shape (..., n)

        Returns
        -------
        places : ndarray of float64, shape (..., n)
            NaN where there is none.
        has_place : ndarray of bool, shape (...)
            Whether exactly one place exists. It may lie outside the output's rectangle.
        """
        places = self.push(self._components(points))
        return np.moveaxis(places, 0, -1), np.asarray(np.isfinite(places).all(axis=0))

    def jacobian(self, points: Any) -> np.ndarray:
        """Return the derivative at output points: entry [..., i, j] is d input[i] / d output[j].

        Parameters
        ----------
        points : array_like, shape (..., n)

        Returns
        -------
        ndarray of float64, shape (..., n, n)
        """
        return np.moveaxis(self.jacobian_components(self._components(points)), (0, 1), (-2, -1))

    def coordinates(self) -> np.ndarray:
        """Return the input coordinates of every output pixel, as `scipy.ndimage.map_coordinates` takes them.

        Those that rounding has carried over the centre of a border pixel, by 1e-9 at most, lie on it: mode 'constant'
        would fill these pixels.

        Returns
        -------
        ndarray of float64, shape (n, *output_size)
            C-contiguous; NaN where nothing maps.
        """
        return on_border(self.pull_pixels(), self.input_size)

    def pull_pixels(self) -> np.ndarray:
        """Return `pull` of every output pixel, shape (n, *output_size): a new array in C order.

        Kinds of maps whose pixels share work have their own.
        """
        return np.array(self.pull(pixel_grid(self.output_size)), order="C")

    def then(self, after: CoordinateMap) -> CoordinateMap:
        """Return the map of this step followed by `after`.

        Grid maps join into a grid map, grid, affine and projective maps into the most general of them; anything else
        is kept as a chain, in which a map that moves nothing is left out.

        Parameters
        ----------
        after : CoordinateMap
            The later step; its input size is this map's output size.

        Returns
        -------
        CoordinateMap
            Output pixels of `after` → input pixels of this map: ``self(after(points))``.

        Raises
        ------
        OffgraphError
            Where the sizes do not meet.
        """
        self.check_before(after)
        first, second = self, after
        if first.generality is None or second.generality is None:
            return KINDS["chain"].of((first, second))  # type: ignore[attr-defined]  # ChainMap has it
        while first.generality < second.generality:  # type: ignore[operator]
            first = first.generalized()
        while second.generality < first.generality:  # type: ignore[operator]
            second = second.generalized()
        return first.times(second)

    def generalized(self) -> CoordinateMap:
        """Return the same map as the next more general kind, for those with a `generality`."""
        raise NotImplementedError

    def times(self, after: Any) -> CoordinateMap:
        """Return this map followed by one of its own kind as one map, for kinds with a `generality`."""
        raise NotImplementedError

    def check_before(self, after: CoordinateMap) -> None:
        """Refuse a map that begins with another size than this one ends with."""
        if self.output_size != after.input_size:
            raise OffgraphError(
                f"a map from size {after.input_size} cannot follow one to size {self.output_size}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the map as plain JSON values."""
        return {
            "map": self.kind,
            **self.fields(),
            "input_size": list(self.input_size),
            "output_size": list(self.output_size),
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read a map of this class from what `to_json` wrote.

        Raises
        ------
        OffgraphError
            For anything else.
        """
        found = map_from_json(data)
        if not isinstance(found, cls):
            raise OffgraphError(
                f"this is a {type(found).__name__}, not the {cls.__name__} that is needed here"
            )
        return found

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._identity() == other._identity()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self._identity()))

    def _identity(self) -> tuple[Any, ...]:
        """Sizes and numbers, by value."""
        return (self.input_size, self.output_size, *map(_by_value, self.fields().values()))

    def _components(self, points: Any) -> np.ndarray:
        points = np.asarray(points, np.float64)
        if points.ndim < 1 or points.shape[-1] != self.ndim:
            raise OffgraphError(
                f"points of shape {points.shape}: a map of {self.ndim} spatial axes takes shape (..., {self.ndim})"
            )
        return np.moveaxis(points, -1, 0)


def compose(maps: Sequence[CoordinateMap]) -> CoordinateMap:
    """Return the maps, in the order in which the images are made, as one map.

    Raises
    ------
    OffgraphError
        Where there is none, or where sizes do not meet.
    """
    if not maps:
        raise OffgraphError("there is no map to compose; begin with AffineMap.identity(size)")
    whole = maps[0]
    for after in maps[1:]:
        whole = whole.then(after)
    return whole


def map_from_json(data: Any) -> CoordinateMap:
    """Read a coordinate map that `CoordinateMap.to_json` wrote; a map without a kind is affine.

    Raises
    ------
    OffgraphError
        For anything else: unknown kinds, wrong types, numbers that are not finite, more values than a map may hold.

    Examples
    --------
    >>> from offgraph.geometry import GridMap
    >>> map_from_json(GridMap.crop((1, 2), (2, 2), (4, 6)).to_json()).start
    (1, 2)
    """
    if not isinstance(data, dict):
        raise OffgraphError(f"this is not a map that to_json wrote: {data!r:.80}")
    kind = data.get("map", "affine")
    if not isinstance(kind, str) or kind not in KINDS:
        raise OffgraphError(
            f"this is not a map that to_json wrote: its kind is {kind!r:.80}; known are {', '.join(KINDS)}"
        )
    try:
        found = KINDS[kind].from_fields(data)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise OffgraphError(f"this is not a map that to_json wrote: {error!r:.200}") from None
    if not 1 <= found.ndim <= MAX_AXES:
        raise OffgraphError(f"this is not a map that to_json wrote: it has {found.ndim} axes")
    return found


def on_border(coordinates: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Move coordinates, shape (n, ...), that lie less than `SLACK` outside an image onto its border, in place."""
    for along, n in zip(coordinates, size):
        if not along.size:
            break
        if not along.min() >= 0:  # NaN asks, too
            along[(along < 0) & (along >= -SLACK)] = 0.0
        if not along.max() <= n - 1:
            along[(along > n - 1) & (along <= n - 1 + SLACK)] = n - 1
    return coordinates


def pixel_grid(size: Sequence[int]) -> np.ndarray:
    """Return the coordinates of all pixel centres of an image, shape (n, *size), float64."""
    grid = np.empty((len(size), *size))
    for axis, along in enumerate(pixel_axes(size)):
        grid[axis] = along
    return grid


def pixel_axes(size: Sequence[int]) -> list[np.ndarray]:
    """Return the coordinates of pixel centres along each axis, float64, which broadcast to `size`."""
    n = len(size)
    return [
        np.arange(length, dtype=np.float64).reshape([-1 if other == axis else 1 for other in range(n)])
        for axis, length in enumerate(size)
    ]


def box_of(
    step: CoordinateMap, low: Sequence[float] | None, high: Sequence[float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a box of output coordinates: the one that is given, or from the first to the last pixel centre."""
    start = np.zeros(step.ndim) if low is None else np.asarray(low, np.float64)
    stop = np.array(step.output_size, np.float64) - 1 if high is None else np.asarray(high, np.float64)
    return start, np.maximum(start, stop)


def inverse_matrix(matrix: np.ndarray) -> np.ndarray:
    """Return the inverse of a map's matrix.

    Raises
    ------
    OffgraphError
        Where there is none.
    """
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        raise OffgraphError(f"the matrix {matrix.tolist()} has no inverse: there is no way back") from None


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """The sum of products in their order. `sum` would compensate for rounding from Python 3.12 on, and give other bits."""
    total = 0.0
    for a, b in zip(one, other):
        total += a * b
    return total


def whole_size(size: Any) -> tuple[int, ...]:
    """Return spatial lengths as a tuple of int.

    Raises
    ------
    OffgraphError
        Where one is negative or not a whole number.
    """
    if type(size) is tuple and all(type(n) is int and 0 <= n < 2**48 for n in size):
        return size
    try:
        lengths = tuple(operator.index(n) for n in size)
    except TypeError:
        raise OffgraphError(
            f"a size is a whole number of pixels for each spatial axis, got {size!r:.80}"
        ) from None
    if any(n < 0 or n >= 2**48 for n in lengths):
        raise OffgraphError(f"a size counts pixels, from 0, got {lengths}")
    return lengths


def finite_array(value: Any, what: str) -> np.ndarray:
    """Return a read-only float64 copy of numbers that are all finite.

    Raises
    ------
    OffgraphError
        Where one is not.
    """
    try:
        array = np.array(value, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError):
        raise OffgraphError(f"{what} must be an array of numbers, got {value!r:.80}") from None
    is_finite = (
        all(map(math.isfinite, array.ravel().tolist())) if array.size <= 16 else np.isfinite(array).all()
    )
    if not is_finite:
        raise OffgraphError(f"{what} needs finite numbers; got {value!r:.200}")
    array.flags.writeable = False
    return array


def numbers(value: Any, most: int) -> Any:
    """Return nested lists of numbers from JSON as they are, after counting them.

    Raises
    ------
    ValueError, TypeError
        For more than `most` numbers, or anything but lists and numbers.
    """
    count = 0
    waiting = [(value, 0)]
    while waiting:
        entry, depth = waiting.pop()
        if isinstance(entry, list) and depth <= MAX_AXES + 1:
            count += len(entry)
            waiting.extend((part, depth + 1) for part in entry)
        elif isinstance(entry, bool) or not isinstance(entry, int | float) or not math.isfinite(entry):
            raise TypeError(f"{entry!r:.80} is not a finite number")
        if count > 2 * most:
            raise ValueError(f"more than {most} numbers")
    return value


def _by_value(value: Any) -> Any:
    """JSON values as something that compares and hashes by value."""
    if isinstance(value, dict):
        value = list(value.values())
    return tuple(map(_by_value, value)) if isinstance(value, list) else value
