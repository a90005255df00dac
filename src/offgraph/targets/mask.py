"""Masks: labels on a grid, moved and never mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import StepError
from offgraph.core.specs import held_by
from offgraph.engine.resample import affine_planes
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.resampling import Leg
from offgraph.targets.composed import (
    SLACK,
    border_rule,
    check_grid,
    check_size,
    compose_affine,
    fill_outside,
    is_mirrored,
    output_slabs,
    pull_through,
    reads_inside,
)
from offgraph.targets.gridded import GriddedTarget

if TYPE_CHECKING:
    from offgraph.geometry.frame import Frame

__all__ = ["Mask"]


@dataclass(frozen=True, eq=False, repr=False)
class Mask(GriddedTarget):
    """Labels on a grid: whole numbers that are moved and never mixed, blurred or cast through float.

    Parameters
    ----------
    array : array_like
        bool or integer of any width.
    axes : str, optional
        One letter per axis.
    swap : sequence of (int, int), optional
        Pairs of labels that a mirror image exchanges, such as those of the left and the right kidney.

    Raises
    ------
    StepError
        For a float array, whose values are measurements or probabilities and not labels, and for a label in two pairs.

    Examples
    --------
    >>> Mask(np.array([[0, 1], [2, 2]], np.uint8), swap=[(1, 2)]).exchanged().array
    array([[0, 2],
           [1, 1]], dtype=uint8)
    """

    swap: tuple[tuple[int, int], ...] = ()

    kind: ClassVar[str] = "mask"
    what: ClassVar[str] = "a mask"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.array.dtype.kind == "f":
            raise StepError(
                f"a mask of dtype {self.array.dtype}: a mask holds whole-number labels; "
                "write mask.astype('uint8') for labels, or pass probabilities as heatmap="
            )
        object.__setattr__(self, "swap", _parse_swap(self.swap, self.array.dtype))

    def exchanged(self) -> Self:
        """Return the mask with the labels of each pair of `swap` exchanged, as its mirror image shows them."""
        if not self.swap:
            return self
        array = self.array.copy()
        for left, right in self.swap:
            array[self.array == left] = right
            array[self.array == right] = left
        return self.with_array(array)

    def mirrored_by(self, legs: Sequence[Leg]) -> Self:
        """Return the mask with the labels of each pair exchanged if a chain mirrors as a whole."""
        return self.exchanged() if self.swap and is_mirrored(legs) else self

    def moved(self, legs: Sequence[Leg]) -> Self:
        """Return the labels after a chain: each output pixel reads one label, through the composed map of all steps.

        An output pixel whose centre falls on x takes pixel floor(x + 1/2): of two equally near the later one, where
        coordinates nearer than 1e-9 count as equal. Border rules are SciPy's at order 0, step by step, with each
        step's `mask_cval`; a chain of grid maps copies pixels.

        Parameters
        ----------
        legs : sequence of Leg
            The first begins on this mask's grid.

        Returns
        -------
        Mask
            Same dtype and axes; labels of `swap` exchanged where the chain mirrors.

        Raises
        ------
        StepError
            For a chain from another size, or a `mask_cval` that the dtype cannot hold.
        """
        check_grid("a mask", self.size, legs)
        if not legs:
            return self
        spatial = self.spec.spatial
        try:
            if all(leg.map.is_exact for leg in legs):
                array = _copied(self.array, spatial, legs)
            else:
                array = _read_once(self.array, spatial, legs)
        except ValueError as error:
            raise StepError(str(error)) from None
        return self.with_array(array).mirrored_by(legs)

    def restored(self, frame: Frame) -> Self:
        """Return the labels on the original grid: `Frame.undo`, with 0 where nothing maps."""
        check_size("a mask", self.size, frame.output_size)
        result = self.with_array(frame.undo(mask=self.array, axes=self.axes))
        return result.mirrored_by([Leg(step) for step in frame.maps])


def _parse_swap(swap: Any, dtype: np.dtype[Any]) -> tuple[tuple[int, int], ...]:
    try:
        pairs = tuple((int(left), int(right)) for left, right in swap)
    except (TypeError, ValueError):
        raise StepError(f"swap={swap!r:.80}: give pairs of labels, such as swap=[(1, 2)]") from None
    labels = [label for pair in pairs for label in pair]
    if len(set(labels)) != len(labels):
        raise StepError(f"swap={swap!r:.80}: a label stands in one pair only")
    for label in labels:
        _check_held(dtype, swap=label)
    return pairs


def _check_held(dtype: np.dtype[Any], **value: int) -> None:
    try:
        held_by(dtype, **value)
    except ValueError as error:
        raise StepError(str(error)) from None


def _copied(array: np.ndarray, spatial: Sequence[int], legs: Sequence[Leg]) -> np.ndarray:
    """Move whole pixels, one grid map after another."""
    for leg in legs:
        rule = leg.resampling
        array = leg.map.take(array, spatial, rule.mode, rule.mask_cval)  # type: ignore[attr-defined]  # exact: GridMap
    return array


def _read_once(array: np.ndarray, spatial: Sequence[int], legs: Sequence[Leg]) -> np.ndarray:
    """Look up one label per output pixel."""
    size = legs[-1].map.output_size
    shape = list(array.shape)
    for axis, length in zip(spatial, size):
        shape[axis] = length
    labels = [leg.resampling.mask_cval for leg in legs]
    for leg, label in zip(legs, labels):
        if leg.resampling.is_constant:
            held_by(array.dtype, mask_cval=label)
    if any(0 in leg.map.input_size for leg in legs) or 0 in size:
        return np.full(shape, labels[-1], array.dtype)
    maps = compose_affine(legs)
    if maps is not None and reads_inside(maps[0], legs[0]):
        out = _nearest(array, spatial, maps[0])
        fill_outside(out, spatial, legs, maps, labels)
        return np.ascontiguousarray(out)
    out = np.empty(shape, array.dtype)
    planes = np.moveaxis(out, spatial, range(len(size)))
    lined = np.moveaxis(array, spatial, range(len(size)))
    for rows, _, pulled in output_slabs(legs[-1].map):
        found = pull_through(legs, pulled)
        index, filled_by = [], found.filled_by
        for along, n in zip(found.coordinates, legs[0].map.input_size):
            read, filled = border_rule(along, n, legs[0].resampling.mode, whole_pixels=legs[0].map.is_exact)
            if filled is not None:
                filled_by[filled & (filled_by < 0)] = 0
                read = np.where(filled, 0.0, read)
            index.append(np.clip(np.floor(read + (0.5 + SLACK)), 0, n - 1).astype(np.intp))
        slab = lined[tuple(index)]
        for number in np.unique(filled_by[filled_by >= 0]):
            slab[filled_by == number] = labels[number]
        planes[rows] = slab
    return out


def _nearest(array: np.ndarray, spatial: Sequence[int], affine: AffineMap) -> np.ndarray:
    """Read the nearest pixel, a border pixel where the coordinate lies outside."""
    offset = affine.offset + SLACK
    if array.dtype.itemsize < 8:
        return affine_planes(
            array, affine.matrix, offset, affine.output_size, axes=spatial, order=0, mode="nearest", cval=0.0
        )
    # SciPy reads through float64, which holds whole numbers to 2**53 only: move indices, then look up.
    n = len(affine.input_size)
    index = np.arange(np.prod(affine.input_size), dtype=np.float64).reshape(affine.input_size)
    moved = affine_planes(
        index,
        affine.matrix,
        offset,
        affine.output_size,
        axes=tuple(range(n)),
        order=0,
        mode="nearest",
        cval=0.0,
    ).astype(np.intp)
    lined = np.moveaxis(array, spatial, range(n))
    lined = lined.reshape(-1, *lined.shape[n:])
    return np.moveaxis(lined[moved], range(n), spatial)
