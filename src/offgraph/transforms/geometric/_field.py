"""What steps share that displace pixels by a field on a coarse grid of nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.geometry.base import on_border
from offgraph.geometry.displacement_map import DisplacementMap
from offgraph.geometry.spline_field import ROUNDING
from offgraph.steps.kinds import ResampledStep
from offgraph.steps.parameters import PerAxis, along_axes, in_pixels

__all__ = ["LinearFieldStep", "drawn_reach", "reaches", "read_displaced"]


class LinearFieldStep(ResampledStep):
    """A step that displaces pixels by a field that is linear between its nodes."""

    keeps_size = True

    def field(self, params: dict[str, Any], size: tuple[int, ...]) -> np.ndarray:
        """Return the displacement in pixels at each node, float64 of shape (n, *nodes)."""
        raise NotImplementedError

    def map(self, params: dict[str, Any], spec: ArraySpec) -> DisplacementMap:
        """The field, linear between its nodes."""
        size = spec.size
        return DisplacementMap(self.field(params, size), size, size, order=1)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.map_coordinates` at the pixels plus the field, enlarged by `ndimage.zoom`."""
        field = self.field(params, image.shape)
        return read_displaced(ndi, image, field, 1, self.order, self.mode, self.cval)


def read_displaced(
    ndi: Any, image: np.ndarray, field: np.ndarray, field_order: int, order: int, mode: str, cval: float
) -> np.ndarray:
    """`ndimage.map_coordinates` at the pixels plus the field, which `ndimage.zoom` enlarges to one value per pixel.

    The field is enlarged in single precision: a ten-millionth of a displacement. Where it is 0 but for rounding a pixel
    stays exactly, and rounding carries no coordinate over the image's border.

    Parameters
    ----------
    ndi : module
        `scipy.ndimage` or `offgraph.ndimage`.
    image : ndarray
        One channel, spatial axes only.
    field : ndarray of float64, shape (n, *nodes)
        Displacement in pixels along each axis; the outermost nodes lie on the centres of the outermost pixels.
    field_order, order : int
        Spline orders of the field and of the image.
    mode, cval
        Border of the image.
    """
    dense = field
    if field.shape[1:] != image.shape:
        factors = np.divide(image.shape, field.shape[1:])
        dense = np.stack(
            [ndi.zoom(f, factors, order=field_order, mode="mirror") for f in field.astype(np.float32)]
        )
        dense[np.abs(dense) < np.float32(ROUNDING * np.abs(field).max())] = 0
    places = on_border(np.indices(image.shape) + dense, image.shape)
    return ndi.map_coordinates(image, places, order=order, mode=mode, cval=cval)


def reaches(magnitude: Any) -> bool:
    """Whether a magnitude moves anything."""
    given = magnitude.values() if isinstance(magnitude, PerAxis) else [magnitude]
    return any(high > 0 for entry in given for high in np.atleast_1d(in_pixels(entry, 100)).tolist())


def drawn_reach(magnitude: Any, draw: Draw, spec: ArraySpec) -> list[float]:
    """Draw the largest displacement along each axis, in pixels; axes under one name share what they draw.

    Parameters
    ----------
    magnitude : Extent
    draw : Draw
    spec : ArraySpec
        Of the image.
    """
    size, names = spec.size, spec.spatial_names
    given = magnitude if isinstance(magnitude, PerAxis) else PerAxis({names: magnitude})
    along_axes("magnitude", given, names, 0.0)
    reach = dict.fromkeys(names, 0.0)
    for axes, entry in given.items():
        value = draw.value(in_pixels(entry, 100))
        is_share = isinstance(entry[0] if isinstance(entry, tuple) else entry, str)
        for axis in axes:
            reach[axis] = value * size[names.index(axis)] / 100 if is_share else value
    return list(reach.values())
