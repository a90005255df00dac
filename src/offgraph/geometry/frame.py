"""The way back: where every output pixel came from, and how a prediction returns to the original grid.

For each original pixel, and each map of the chain in the order in which the images were made:

    place ← where the map takes it (`push`)
    outside that map's output, or without a place: hidden

Then the array is read once at the last places. Where all maps are affine the places are never held: they are rows of
one affine resampling.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from offgraph.core.arguments import plain_array
from offgraph.core.axes import SPATIAL
from offgraph.core.errors import OffgraphError
from offgraph.core.specs import held_by
from offgraph.engine.resample import affine_planes
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import CoordinateMap, compose, map_from_json, pixel_grid
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.reading import read_at
from offgraph.geometry.resampling import Resampling

__all__ = ["Frame"]

_EDGE = 1e-6
"""Slack in pixels at an image's border: coordinates carry the rounding of a few float64 products."""

_TIE = 1e-9
"""Added to coordinates at which labels are looked up: more than their rounding, less than one over the product of the
lengths that two resizes have, so that a tie between two pixels goes to the later one and no other label changes."""

MAX_MAPS = 1024
"""Most maps of a frame that is read from JSON."""


@dataclass(frozen=True, eq=False)
class Frame:
    """The chain of maps from the original grid to the output, and the way back.

    Parameters
    ----------
    maps : sequence of CoordinateMap
        In the order in which the images were made. At least one; `Frame.start` begins with the identity.

    Examples
    --------
    >>> frame = Frame.start((4, 6)).then(AffineMap.window((1, 1), (2, 2), (4, 6)))
    >>> frame.undo(mask=np.array([[1, 2], [3, 4]], np.uint8))
    array([[0, 0, 0, 0, 0, 0],
           [0, 1, 2, 0, 0, 0],
           [0, 3, 4, 0, 0, 0],
           [0, 0, 0, 0, 0, 0]], dtype=uint8)
    >>> frame.undo(points=[(0, 1)])
    array([[1., 2.]])
    """

    maps: tuple[CoordinateMap, ...]

    def __post_init__(self) -> None:
        maps = tuple(self.maps)
        if not maps:
            raise OffgraphError("a frame needs at least one map; begin with Frame.start(size)")
        for before, after in pairwise(maps):
            before.check_before(after)
        object.__setattr__(self, "maps", maps)

    @classmethod
    def start(cls, size: tuple[int, ...]) -> Frame:
        """Return the frame of an image that nothing has moved yet."""
        return cls((AffineMap.identity(size),))

    @property
    def input_size(self) -> tuple[int, ...]:
        """Spatial lengths of the original grid."""
        return self.maps[0].input_size

    @property
    def output_size(self) -> tuple[int, ...]:
        """Spatial lengths of the output grid."""
        return self.maps[-1].output_size

    @functools.cached_property
    def map(self) -> CoordinateMap:
        """The chain as one map, output pixel → original pixel."""
        return compose(self.maps)

    def then(self, after: CoordinateMap | Frame) -> Frame:
        """Return the frame with one more map, or another frame, after it."""
        return Frame(self.maps + (after.maps if isinstance(after, Frame) else (after,)))

    def valid(self) -> np.ndarray:
        """Return which original pixels the output shows.

        Returns
        -------
        ndarray of bool, shape input_size
            False where a step cut the pixel off, or where a map folds, so that nothing comes back.

        Examples
        --------
        >>> Frame((GridMap.crop((1, 0), (1, 2), (2, 3)),)).valid()
        array([[False, False, False],
               [ True,  True, False]])
        """
        if 0 in self.output_size:
            return np.zeros(self.input_size, bool)
        hidden = self._hidden()
        return np.ones(self.input_size, bool) if hidden is None else ~hidden

    def undo(
        self,
        *,
        mask: Any = None,
        heatmap: Any = None,
        image: Any = None,
        boxes: Any = None,
        points: Any = None,
        axes: str | None = None,
        fill: float = 0,
    ) -> Any:
        """Bring one target from the output grid back to the original grid.

        Each original pixel looks up where it went, in one resampling by the inverse of the whole chain. Flips, quarter
        turns, crops and pads come back in equal bytes.

        Parameters
        ----------
        mask : ndarray, optional
            Labels: nearest neighbour (order 0), of two equally near pixels the later one; whole numbers of any width
            untouched.
        heatmap, image : ndarray, optional
            Measured values such as probabilities: linear (order 1), in their own dtype.
        boxes : offgraph.Boxes, optional
            Boxes on the output grid.
        points : array_like of float64, shape (..., n), or offgraph.Points, optional
            Points in output pixels, (row, column) or (slice, row, column), pixel centres at integers.
        axes : str, optional
            Axes of the array. By default its first axes are the spatial ones and the rest is carried along.
        fill : float
            Value of original pixels that the output does not show; `valid` says which.

        Returns
        -------
        ndarray or target
            Arrays: same dtype (float32 for float16), axes in the order as given, spatial lengths of the original.
            Points: float64, NaN where nothing maps; they may lie outside the original, as those of a padded border do.
            A target such as `Boxes` or `Mask` comes back as one.

        Raises
        ------
        OffgraphError
            Where not exactly one target is given, its size is not the frame's output size, a mask does not hold
            whole numbers, or a dtype cannot hold `fill`.
        """
        named = {"mask": mask, "heatmap": heatmap, "image": image, "boxes": boxes, "points": points}
        given = [(name, value) for name, value in named.items() if value is not None]
        if len(given) != 1:
            raise OffgraphError("undo takes one of mask=, heatmap=, image=, boxes= or points=")
        name, value = given[0]
        if hasattr(value, "restored"):
            return value.restored(self)
        if name == "boxes":
            raise OffgraphError(
                f"boxes= takes Boxes, which know their format: write Boxes(array, format=…, size={self.output_size})"
            )
        if name == "points":
            return self.map(value)
        return self._undo_array(plain_array(f"{name}=", value), mask is not None, axes, fill)

    def _undo_array(self, array: np.ndarray, is_mask: bool, axes: str | None, fill: float) -> np.ndarray:
        n = len(self.output_size)
        spatial = tuple(range(n)) if axes is None else tuple(i for i, a in enumerate(axes) if a in SPATIAL)
        if len(spatial) != n or array.ndim < n or tuple(array.shape[i] for i in spatial) != self.output_size:
            raise OffgraphError(
                f"an array of shape {array.shape} does not lie on this frame's output grid of size {self.output_size}"
            )
        if is_mask and array.dtype.kind not in "biu":
            raise OffgraphError(
                f"mask of dtype {array.dtype}: a mask holds whole-number labels; "
                "pass probabilities as heatmap=, or write mask.astype('uint8') for labels"
            )
        if array.dtype == np.float16:
            array = array.astype(np.float32)
        try:
            held_by(array.dtype, fill=fill)
        except ValueError as error:
            raise OffgraphError(str(error)) from None
        return self._resample(array, spatial, order=0 if is_mask else 1, fill=fill)

    def _resample(self, array: np.ndarray, spatial: tuple[int, ...], order: int, fill: float) -> np.ndarray:
        size = self.input_size
        if 0 in size or 0 in self.output_size:
            return np.full(_with_size(array.shape, spatial, size), fill, array.dtype)
        if order == 0 and array.dtype.kind in "biu" and array.dtype.itemsize == 8:
            # Resampling goes through float64, which holds whole numbers to 2**53 only: move indices instead.
            index = np.arange(np.prod(self.output_size), dtype=np.float64).reshape(self.output_size)
            moved = self._read(index, tuple(range(len(size))), 0).astype(np.int64)
            lined = np.moveaxis(array, spatial, range(len(size))).reshape(-1, *_others(array.shape, spatial))
            out = np.moveaxis(lined[moved], range(len(size)), spatial)
        else:
            out = self._read(array, spatial, order)
        hidden = self._hidden()
        if hidden is not None:
            np.moveaxis(out, spatial, range(len(size)))[hidden] = fill
        return np.ascontiguousarray(out)

    def _read(self, array: np.ndarray, spatial: tuple[int, ...], order: int) -> np.ndarray:
        """Each original pixel's value; anything where it is hidden."""
        tie = _TIE if order == 0 else 0.0
        if self._affine is None:
            places, _ = self._places
            return read_at(array, places + tie, Resampling(order=order, mode="nearest"), spatial)
        back = self._affine[-1].inverse()
        return affine_planes(
            array,
            back.matrix,
            back.offset + tie,
            self.input_size,
            axes=spatial,
            order=order,
            mode="nearest",
            cval=0.0,
        )

    @functools.cached_property
    def _affine(self) -> list[AffineMap] | None:
        """For each step the affine map of the chain up to it; None where a step is not affine."""
        chain: list[AffineMap] = []
        for step in self.maps:
            step = step.affine() if isinstance(step, GridMap) else step
            if not isinstance(step, AffineMap):
                return None
            chain.append(chain[-1].times(step) if chain else step)
        return chain

    @functools.cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each original pixel lies in the output, shape (n, *input_size), and which are hidden: those are NaN."""
        places, hidden = pixel_grid(self.input_size), np.zeros(self.input_size, bool)
        for step in self.maps:
            places = step.push(places)
            for along, n in zip(places, step.output_size):
                hidden |= ~((along >= -0.5 - _EDGE) & (along < n - 0.5 + _EDGE))
            places[:, hidden] = np.nan
        return places, hidden

    def _hidden(self) -> np.ndarray | None:
        """Original pixels that some step of the chain cut off, or None where all are there."""
        if self._affine is None:
            return self._places[1]
        hidden = None
        for way in self._affine:
            back = way.inverse()
            for outside in _outside(back):
                hidden = outside if hidden is None else hidden | outside
        return hidden

    def to_json(self) -> list[dict[str, Any]]:
        """Return the chain as plain JSON values."""
        return [step.to_json() for step in self.maps]

    @classmethod
    def from_json(cls, data: list[dict[str, Any]]) -> Frame:
        """Read what `to_json` wrote.

        Raises
        ------
        OffgraphError
            For anything else.
        """
        if not isinstance(data, list) or len(data) > MAX_MAPS:
            raise OffgraphError(f"a frame is a list of maps, as to_json wrote it; got {data!r:.80}")
        return cls(tuple(map_from_json(entry) for entry in data))


def _outside(back: AffineMap) -> Iterator[np.ndarray]:
    """Pixels that an affine map takes outside its input, for each axis on which there are some."""
    low, high = back.bounds()
    upper = np.array(back.input_size) - 0.5 + _EDGE
    # One axis of coordinates at a time, the sum broadcast: no (pixels, axes) array is ever made.
    for axis in np.flatnonzero((low < -0.5 - _EDGE) | (high >= upper)):
        place: Any = back.offset[axis]
        for other, length in enumerate(back.output_size):
            shape = [1] * len(back.output_size)
            shape[other] = length
            place = place + back.matrix[axis, other] * np.arange(length, dtype=np.float64).reshape(shape)
        yield (place < -0.5 - _EDGE) | (place >= upper[axis])


def _others(shape: tuple[int, ...], spatial: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(shape) if i not in spatial)


def _with_size(shape: tuple[int, ...], spatial: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    lengths = list(shape)
    for axis, n in zip(spatial, size):
        lengths[axis] = n
    return tuple(lengths)
