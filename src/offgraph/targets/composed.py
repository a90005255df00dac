"""Coordinates through a chain of geometric steps, taken at once.

Backward, from the pixels of the output to those of the first input, for targets that are read there once:

    for each step, last to first:
        coordinates ← its map(coordinates)
        outside its input, its border rule decides: a constant mode fills, another folds the coordinate back,
        and no further out than the centre of the border pixel, as the image has no neighbour beyond it

Forward, from the first input to the output, for points: a point is lost where a step's map has no place for it, or
where its place lies outside that step's output.

The border rules are SciPy's at order 0: in mode 'constant' an image ends at the centres of its border pixels, in all
others at their edges. A grid map is a copy of whole pixels and has no centres: its constant mode ends at the edges too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offgraph.core.errors import StepError
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import SLACK, CoordinateMap, on_border, pixel_grid
from offgraph.geometry.chain_map import ChainMap
from offgraph.geometry.displacement_map import DisplacementMap
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.resampling import Leg

__all__ = [
    "SLACK",
    "Positions",
    "border_rule",
    "check_grid",
    "check_size",
    "compose_affine",
    "fill_bounds",
    "fill_outside",
    "forward_through",
    "is_mirrored",
    "output_slabs",
    "pull_through",
    "reads_inside",
    "returning_legs",
]

_EDGE = 1e-6
"""Slack in pixels at the border of an image for points that are moved forward."""


@dataclass(frozen=True, eq=False)
class Positions:
    """Where output pixels are read.

    Parameters
    ----------
    coordinates : ndarray of float64, shape (n, ...)
        In pixels of the first input, before the first step's border rule.
    filled_by : ndarray of int, shape (...)
        Number of the step whose border fills the pixel instead, counted from 0; -1 for none. Never 0: the first
        step's rule is for the one who reads.
    """

    coordinates: np.ndarray
    filled_by: np.ndarray


def check_grid(kind: str, size: tuple[int, ...], legs: Sequence[Leg]) -> None:
    """Refuse a chain that does not begin on a target's grid, or whose steps do not meet."""
    at = size
    for leg in legs:
        if leg.map.input_size != at:
            raise StepError(
                f"a map from size {leg.map.input_size} cannot move {kind} that lies on a grid of {at}"
            )
        at = leg.map.output_size


def check_size(kind: str, size: tuple[int, ...], frame_size: tuple[int, ...]) -> None:
    """Refuse a target that does not lie on a frame's output grid."""
    if size != frame_size:
        raise StepError(
            f"{kind} on a grid of {size} does not lie on this frame's output grid of size {frame_size}"
        )


def returning_legs(maps: Sequence[CoordinateMap]) -> tuple[Leg, ...]:
    """Return the steps of the way back: the inverse maps in reversed order, nothing beyond their borders."""
    return tuple(Leg(step.inverse()) for step in reversed(maps))


def border_rule(
    along: np.ndarray, n: int, mode: str, *, whole_pixels: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return where coordinates along an axis of `n` pixels are read, and which are filled.

    Parameters
    ----------
    along : ndarray of float64
        NaN, for no place, is filled whatever the mode.
    n : int
    mode : str
        SciPy's name.
    whole_pixels : bool
        Whether the step is a grid map.
    """
    if mode == "constant" and not whole_pixels:
        inside = (along >= -SLACK) & (along <= n - 1 + SLACK)
    elif mode in ("constant", "grid-constant"):
        inside = (along >= -0.5 - SLACK) & (along < n - 0.5 - SLACK)
    else:
        inside = np.isfinite(along)
        # Two modes begin to repeat at the centres of the border pixels.
        reach = 0.5 if mode not in ("mirror", "wrap") else 2 * SLACK
        reached = (along >= -reach - SLACK) & (along < n - 1 + reach - SLACK)
        if not reached.all():
            with np.errstate(invalid="ignore"):
                along = np.where(reached, along, _folded(along, n, mode))
        if not whole_pixels:
            along = np.clip(along, 0.0, n - 1.0)
    return along, None if inside.all() else ~inside


def _folded(along: np.ndarray, n: int, mode: str) -> np.ndarray:
    """Coordinates outside, folded back by a mode that continues the image."""
    match mode:
        case "nearest":
            return np.clip(along, 0.0, n - 1.0)
        case "grid-wrap":
            return np.mod(along + 0.5 + SLACK, n) - 0.5 - SLACK
        case "reflect" | "grid-mirror":
            phase = np.mod(along + 0.5, 2 * n)
            return np.where(phase > n, 2 * n - phase, phase) - 0.5
        case "mirror" if n > 1:
            phase = np.mod(along, 2 * n - 2)
            return np.where(phase > n - 1, 2 * n - 2 - phase, phase)
        case "wrap" if n > 1:  # SciPy's: the last pixel is the first one again
            below = along + (n - 1) * (np.trunc(-along / (n - 1)) + 1)
            above = along - (n - 1) * np.trunc(along / (n - 1))
            return np.where(along < 0, below, np.where(along > n - 1, above, along))
    return np.zeros_like(along)


def pull_through(legs: Sequence[Leg], pulled: np.ndarray) -> Positions:
    """Return where output pixels are read in the input of the first of `legs`.

    Parameters
    ----------
    legs : sequence of Leg
    pulled : ndarray of float64, shape (n, ...)
        The pixels' coordinates in the input of the last of them, as `output_slabs` yields them.
    """
    filled_by = np.full(pulled.shape[1:], -1)
    for number in range(len(legs) - 1, 0, -1):
        leg = legs[number]
        read = np.empty(pulled.shape)
        for axis, n in enumerate(leg.map.input_size):
            read[axis], filled = border_rule(
                pulled[axis], n, leg.resampling.mode, whole_pixels=leg.map.is_exact
            )
            if filled is not None:
                filled_by[filled & (filled_by < 0)] = number
        pulled = legs[number - 1].map.pull(read)
    return Positions(pulled, filled_by)


def compose_affine(legs: Sequence[Leg]) -> list[AffineMap] | None:
    """Return for each step the affine map from the last output to that step's input; None where one is not affine.

    None also where a coordinate is folded back by a step after the first: then no affine map tells where it is read.
    """
    maps: list[AffineMap] = []
    whole: AffineMap | None = None
    for number in range(len(legs) - 1, -1, -1):
        leg = legs[number]
        step = leg.map.affine() if isinstance(leg.map, GridMap) else leg.map
        if not isinstance(step, AffineMap):
            return None
        joined = step if whole is None else step.then(whole)
        assert isinstance(joined, AffineMap)  # two affine maps join into one
        whole = joined
        maps.append(whole)
        if number and not leg.resampling.is_constant and not _within(whole):
            return None
    return maps[::-1]


def _within(affine: AffineMap) -> bool:
    """Whether the whole output is read between the centres of the input's border pixels."""
    low, high = affine.bounds()
    return bool((low >= -SLACK).all() and (high <= np.array(affine.input_size) - 1 + SLACK).all())


def reads_inside(affine: AffineMap, first: Leg) -> bool:
    """Return whether reading at the nearest pixel, and filling afterwards, gives the first step's border rule."""
    if first.resampling.is_constant or first.resampling.mode == "nearest":
        return True
    low, high = affine.bounds()
    reach = 0.5 if first.resampling.mode != "wrap" else 2 * SLACK
    return bool(
        (low >= -reach - SLACK).all() and (high < np.array(affine.input_size) - 1 + reach - SLACK).all()
    )


def fill_outside(
    array: np.ndarray,
    spatial: Sequence[int],
    legs: Sequence[Leg],
    maps: Sequence[AffineMap],
    values: Sequence[float],
) -> None:
    """Write each step's fill value to the output pixels that lie outside its input, if its mode is constant.

    Where several steps fill a pixel the last one shows.
    """
    planes = np.moveaxis(array, spatial, range(len(spatial)))
    for leg, affine, value in zip(legs, maps, values):
        if leg.resampling.is_constant and (outside := _outside(affine, leg)) is not None:
            planes[outside] = value


def fill_bounds(affine: AffineMap, leg: Leg) -> tuple[list[int], float, np.ndarray]:
    """Return where a step of constant mode does not fill.

    Parameters
    ----------
    affine : AffineMap
        From output pixels to the step's input.
    leg : Leg

    Returns
    -------
    axes : list of int
        Those along which an output pixel may lie outside.
    first : float
        The least coordinate inside, of every axis.
    after : ndarray of float64, shape (n,)
        The least coordinate after the last inside, for each axis.
    """
    low, high = affine.bounds()
    last = np.array(affine.input_size) - 1.0
    if leg.resampling.mode == "constant" and not leg.map.is_exact:
        first, after = -SLACK, np.nextafter(last + SLACK, np.inf)
    else:
        first, after = -0.5 - SLACK, last + 0.5 - SLACK
    return np.flatnonzero((low < first) | (high >= after)).tolist(), first, after


def _outside(affine: AffineMap, leg: Leg) -> np.ndarray | None:
    """Output pixels that an affine map takes outside the input of a step of constant mode, or None.

    One axis of coordinates at a time, the sum broadcast: no array of all coordinates is made.
    """
    axes, first, after = fill_bounds(affine, leg)
    outside = None
    size = affine.output_size
    for axis in axes:
        place: np.ndarray | float = affine.offset[axis]
        for other, length in enumerate(size):
            shape = [1] * len(size)
            shape[other] = length
            place = place + affine.matrix[axis, other] * np.arange(length, dtype=np.float64).reshape(shape)
        beyond = (place < first) | (place >= after[axis])
        outside = beyond if outside is None else outside | beyond
    return outside


def output_slabs(last: CoordinateMap, most: int = 1 << 18) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield an output some rows at a time: a slice of its first axis, its pixels, and where `last` takes them.

    Both arrays are coordinates of shape (n, rows, ...). A slab holds about `most` pixels, so that a large volume is
    never held as coordinates as a whole. A displacement is enlarged as a whole all the same, as images read it.
    """
    size = last.output_size
    if math.prod(size) <= most:
        yield slice(0, size[0]), pixel_grid(size), last.coordinates()
        return
    first_map = last.maps[-1] if isinstance(last, ChainMap) else last
    dense = last.coordinates() if isinstance(first_map, DisplacementMap) else None
    rows = max(1, most // max(1, math.prod(size[1:])))
    for first in range(0, size[0], rows):
        after = min(first + rows, size[0])
        grid = pixel_grid((after - first, *size[1:]))
        grid[0] += first
        rows_of = (
            dense[:, first:after]
            if dense is not None
            else on_border(np.array(last.pull(grid)), last.input_size)
        )
        yield slice(first, after), grid, rows_of


def forward_through(legs: Sequence[Leg], points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where points of the first input, shape (..., n), go, and which of them every step's output shows.

    A point that is lost is still moved as long as the maps have a place for it; its coordinates are NaN where one has none.
    """
    seen: Any = np.isfinite(points).all(axis=-1)
    for leg in legs:
        points, has_place = leg.map.forward(points)
        with np.errstate(invalid="ignore"):
            inside = (points >= -0.5 - _EDGE) & (points <= np.array(leg.map.output_size) - 0.5 + _EDGE)
        seen &= has_place & inside.all(axis=-1)
    return points, seen


def is_mirrored(legs: Sequence[Leg]) -> bool:
    """Whether the chain as a whole mirrors: the sign of its derivative's determinant, at the centre of each output."""
    sign = 1.0
    for leg in legs:
        centre = (np.array(leg.map.output_size, np.float64) - 1) / 2
        determinant = np.linalg.det(leg.map.jacobian(centre))
        if determinant < 0:
            sign = -sign
    return sign < 0
