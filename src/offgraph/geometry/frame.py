"""Coordinate maps, and the way back: where every output pixel came from, and how a prediction returns there.

Pixel centres lie at integers, coordinates are (row, column) or (slice, row, column), and an image of n pixels
reaches from -0.5 to n - 0.5 along an axis.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.errors import OffgraphError
from offgraph.core.specs import held_by
from offgraph.engine.resample import affine_planes
from offgraph.geometry.affine_map import AffineMap

__all__ = ["Frame"]


_EDGE = 1e-6
"""Slack in pixels at an image's border: coordinates carry the rounding of a few float64 products."""

_TIE = 1e-9
"""Added to coordinates at which labels are looked up: more than their rounding, less than one over the product of the
lengths that two resizes have, so that a tie between two pixels goes to the later one and no other label changes."""


@dataclass(frozen=True, eq=False)
class Frame:
    """The chain of maps from the original grid to the output, and the way back.

    Parameters
    ----------
    maps : sequence of AffineMap
        In the order in which the images were made. At least one; `Frame.start` begins with the identity.

    Examples
    --------
    >>> frame = Frame.start((4, 6)).then(AffineMap.window((1, 1), (2, 2), (4, 6)))
    >>> frame.undo(mask=np.array([[1, 2], [3, 4]], np.uint8))
    array([[0, 0, 0, 0, 0, 0],
           [0, 1, 2, 0, 0, 0],
           [0, 3, 4, 0, 0, 0],
           [0, 0, 0, 0, 0, 0]], dtype=uint8)
    """

    maps: tuple[AffineMap, ...]

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
    def map(self) -> AffineMap:
        """The chain as one map, output pixel → original pixel."""
        return functools.reduce(AffineMap.then, self.maps)

    def then(self, after: AffineMap | Frame) -> Frame:
        """Return the frame with one more map, or another frame, after it."""
        return Frame(self.maps + (after.maps if isinstance(after, Frame) else (after,)))

    def undo(
        self,
        *,
        mask: np.ndarray | None = None,
        heatmap: np.ndarray | None = None,
        image: np.ndarray | None = None,
        axes: str | None = None,
        fill: float = 0,
    ) -> np.ndarray:
        """Bring one array from the output grid back to the original grid.

        Each original pixel looks up where it went, in one resampling by the inverse of the whole chain. Flips, quarter
        turns, crops and pads come back in equal bytes.

        Parameters
        ----------
        mask : ndarray, optional
            Labels: nearest neighbour (order 0), of two equally near pixels the later one; whole numbers of any width
            untouched.
        heatmap, image : ndarray, optional
            Measured values such as probabilities: linear (order 1), in their own dtype.
        axes : str, optional
            Axes of the array. Left out, its first axes are the spatial ones and the rest is carried along.
        fill : float
            Value of original pixels that the output does not show, because a step cut them off.

        Returns
        -------
        ndarray
            Same dtype (float32 for float16), axes in the order as given, spatial lengths of the original.

        Raises
        ------
        OffgraphError
            Where not exactly one array is given, its size is not the frame's output size, a mask does not hold
            whole numbers, or a dtype cannot hold `fill`.
        """
        given = [array for array in (mask, heatmap, image) if array is not None]
        if len(given) != 1:
            raise OffgraphError("undo takes one of mask=, heatmap= or image=")
        array = np.asarray(given[0])
        n = len(self.output_size)
        spatial = tuple(range(n)) if axes is None else tuple(i for i, a in enumerate(axes) if a in SPATIAL)
        if len(spatial) != n or array.ndim < n or tuple(array.shape[i] for i in spatial) != self.output_size:
            raise OffgraphError(
                f"an array of shape {array.shape} does not lie on this frame's output grid of size {self.output_size}"
            )
        if mask is not None and array.dtype.kind not in "biu":
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
        return self._resample(array, spatial, order=0 if mask is not None else 1, fill=fill)

    def _resample(self, array: np.ndarray, spatial: tuple[int, ...], order: int, fill: float) -> np.ndarray:
        size = self.input_size
        if 0 in size or 0 in self.output_size:
            return np.full(_with_size(array.shape, spatial, size), fill, array.dtype)
        back = self.map.inverse()
        offset = back.offset + _TIE if order == 0 else back.offset
        if order == 0 and array.dtype.kind in "biu" and array.dtype.itemsize == 8:
            # Resampling goes through float64, which holds whole numbers to 2**53 only: move indices instead.
            index = np.arange(np.prod(self.output_size)).reshape(self.output_size)
            moved = affine_planes(
                index.astype(np.float64), back.matrix, offset, size, axes=tuple(range(len(size))),
                order=0, mode="nearest", cval=0.0,
            ).astype(np.int64)  # fmt: skip
            lined = np.moveaxis(array, spatial, range(len(size))).reshape(-1, *_others(array.shape, spatial))
            out = np.moveaxis(lined[moved], range(len(size)), spatial)
        else:
            out = affine_planes(
                array, back.matrix, offset, size, axes=spatial, order=order, mode="nearest", cval=0.0
            )
        hidden = self._hidden()
        if hidden is not None:
            np.moveaxis(out, spatial, range(len(size)))[hidden] = fill
        return np.ascontiguousarray(out)

    def _hidden(self) -> np.ndarray | None:
        """Original pixels that some step of the chain cut off, or None where all are there."""
        corners = np.stack(
            np.meshgrid(*[(0.0, n - 1.0) for n in self.input_size], indexing="ij"), axis=-1
        ).reshape(-1, len(self.input_size))
        hidden = None
        way: AffineMap | None = None
        for step in self.maps:
            way = step if way is None else way.then(step)
            back = way.inverse()
            upper = np.array(way.output_size) - 0.5 + _EDGE
            places = back(corners)
            if np.all((places >= -0.5 - _EDGE) & (places < upper)):
                continue  # an image is convex: where its corners are inside, all of it is
            if hidden is None:
                hidden = np.zeros(self.input_size, bool)
            # One axis of coordinates at a time, the sum broadcast: no (pixels, axes) array is ever made.
            for axis, limit in enumerate(upper):
                place: Any = back.offset[axis]
                for other, length in enumerate(self.input_size):
                    shape = [1] * len(self.input_size)
                    shape[other] = length
                    place = place + back.matrix[axis, other] * np.arange(length, dtype=np.float64).reshape(
                        shape
                    )
                hidden |= (place < -0.5 - _EDGE) | (place >= limit)
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
        if not isinstance(data, list):
            raise OffgraphError(f"a frame is a list of maps, as to_json wrote it; got {data!r:.80}")
        return cls(tuple(AffineMap.from_json(entry) for entry in data))


def _others(shape: tuple[int, ...], spatial: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(shape) if i not in spatial)


def _with_size(shape: tuple[int, ...], spatial: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    lengths = list(shape)
    for axis, n in zip(spatial, size):
        lengths[axis] = n
    return tuple(lengths)
