"""Heatmaps: probabilities and densities on a grid, which may be interpolated but are not an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from offgraph.core.arguments import plain_array
from offgraph.core.errors import StepError
from offgraph.engine.resample import affine_planes
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.reading import read_at
from offgraph.geometry.resampling import Leg, Resampling
from offgraph.targets.composed import (
    border_rule,
    check_grid,
    check_size,
    compose_affine,
    fill_outside,
    output_slabs,
    pull_through,
)
from offgraph.targets.gridded import GriddedTarget

if TYPE_CHECKING:
    from offgraph.geometry.frame import Frame

__all__ = ["Heatmap"]


@dataclass(frozen=True, eq=False, repr=False)
class Heatmap(GriddedTarget):
    """Probabilities, scores or densities on a grid: moved with the image, never filtered, coloured or normalised.

    Parameters
    ----------
    array : array_like of float
        float32 or float64; float16 becomes float32.
    axes : str, optional
        One letter per axis.
    fill : float
        Value outside in the constant border modes.
    density : bool
        Whether the values are amounts per pixel, such as cells per pixel, so that a step that makes the image larger
        makes them smaller, and their sum stays up to interpolation and what is cut off.

    Raises
    ------
    StepError
        For whole numbers, which are labels or measured values.

    Examples
    --------
    >>> Heatmap(np.zeros((4, 5), np.float32)).axes
    'YX'
    """

    fill: float = 0.0
    density: bool = False

    kind: ClassVar[str] = "heatmap"
    what: ClassVar[str] = "a heatmap"

    def __post_init__(self) -> None:
        given = plain_array(self.what, self.array, error=StepError)
        if given.dtype == np.float16:
            object.__setattr__(self, "array", given.astype(np.float32))
        super().__post_init__()
        if self.array.dtype.kind != "f":
            raise StepError(
                f"a heatmap of dtype {self.array.dtype}: a heatmap holds probabilities or densities; "
                "write array.astype('float32'), or pass labels as a mask"
            )

    def moved(self, legs: Sequence[Leg]) -> Self:
        """Return the values after a chain: interpolated linearly once, at the coordinates of all steps together.

        Border rules are those of the steps, with `fill` in the constant modes; a chain of grid maps copies pixels.

        Parameters
        ----------
        legs : sequence of Leg
            The first begins on this heatmap's grid.

        Returns
        -------
        Heatmap
            Same dtype and axes.

        Raises
        ------
        StepError
            For a chain from another size.
        """
        check_grid("a heatmap", self.size, legs)
        if not legs:
            return self
        spatial = self.spec.spatial
        if all(leg.map.is_exact for leg in legs):
            array = self.array
            for leg in legs:
                array = leg.map.take(array, spatial, leg.resampling.mode, self.fill)  # type: ignore[attr-defined]
            return self.with_array(array)
        found = self.with_array(_interpolated(self.array, spatial, legs, self.fill))
        return found.scaled(legs) if self.density else found

    def scaled(self, legs: Sequence[Leg]) -> Self:
        """Return densities after a chain times the input pixels that an output pixel covers; in place."""
        spatial = self.spec.spatial
        planes = np.moveaxis(self.array, spatial, range(len(spatial)))
        scale = _area_scale(legs)
        planes *= scale.reshape(scale.shape + (1,) * (planes.ndim - scale.ndim)).astype(self.array.dtype)
        return self

    def restored(self, frame: Frame) -> Self:
        """Return the values on the original grid: `Frame.undo`, with `fill` where nothing maps."""
        check_size("a heatmap", self.size, frame.output_size)
        if self.density:
            return self.moved([Leg(step.inverse()) for step in reversed(frame.maps)])
        return self.with_array(frame.undo(heatmap=self.array, axes=self.axes, fill=self.fill))


def _interpolated(array: np.ndarray, spatial: Sequence[int], legs: Sequence[Leg], fill: float) -> np.ndarray:
    size = legs[-1].map.output_size
    shape = list(array.shape)
    for axis, length in zip(spatial, size):
        shape[axis] = length
    if any(0 in leg.map.input_size for leg in legs) or 0 in size:
        return np.full(shape, fill, array.dtype)
    first = legs[0]
    # A pad blends its fill value with the border pixels; in mode 'constant' an image ends at their centres.
    mode = "grid-constant" if first.map.is_exact and first.resampling.is_constant else first.resampling.mode
    maps = compose_affine(legs)
    if maps is not None:
        out = affine_planes(
            array, maps[0].matrix, maps[0].offset, size, axes=spatial, order=1,
            mode="nearest" if mode == "constant" else mode, cval=fill,
        )  # fmt: skip
        later = 0 if mode == "constant" else 1
        fill_outside(out, spatial, legs[later:], maps[later:], [fill] * len(legs))
        return np.ascontiguousarray(out)
    out = np.empty(shape, array.dtype)
    rule = Resampling(order=1, mode="nearest" if mode == "constant" else mode, cval=fill)
    planes = np.moveaxis(out, spatial, range(len(size)))
    for rows, _, pulled in output_slabs(legs[-1].map):
        found = pull_through(legs, pulled)
        coordinates, filled = found.coordinates, found.filled_by >= 0
        if mode == "constant":
            coordinates = coordinates.copy()
            for axis, n in enumerate(first.map.input_size):
                coordinates[axis], outside = border_rule(coordinates[axis], n, mode, whole_pixels=False)
                if outside is not None:
                    filled |= outside
        slab = read_at(array, coordinates, rule, spatial)
        slab = np.moveaxis(slab, spatial, range(len(size)))
        slab[filled] = fill
        planes[rows] = slab
    return out


def _area_scale(legs: Sequence[Leg]) -> np.ndarray:
    """Input pixels per output pixel, at every output pixel; one number where all maps are affine."""
    size = legs[-1].map.output_size
    if all(leg.map.is_exact or isinstance(leg.map, AffineMap) for leg in legs):
        centre = np.zeros(len(size))
        return np.array(np.prod([abs(np.linalg.det(leg.map.jacobian(centre))) for leg in legs]))
    scale = np.ones(size)
    for rows, points, _ in output_slabs(legs[-1].map):
        for leg in reversed(legs):
            derivative = np.moveaxis(leg.map.jacobian_components(points), (0, 1), (-2, -1))
            scale[rows] *= np.abs(np.linalg.det(derivative))
            points = leg.map.pull(points)
    return np.nan_to_num(scale)
