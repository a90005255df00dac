"""Mirror along an axis."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator

from offgraph.core.specs import ArraySpec, SpecT
from offgraph.geometry.grid_map import GridMap
from offgraph.steps.compiled import CompiledStep
from offgraph.steps.declaration import step
from offgraph.steps.kinds import GeometricStep

__all__ = ["Flip"]


def _known(axis: Any) -> Any:
    if not isinstance(axis, str) or axis not in ("X", "Y", "Z"):
        raise ValueError(
            "input should be 'X', 'Y' or 'Z': left and right, top and bottom, or slices change places"
        )
    return axis


@step
class Flip(GeometricStep):
    """Reverse the order of pixels along one axis.

    A geometric step. Exactness: whole pixels, equal to slicing backwards.

    Parameters
    ----------
    axis : str
        'X' swaps left and right, 'Y' top and bottom, 'Z' (volumes) first and last slice.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Flip("X")])(image=np.array([[1, 2, 3]], np.uint8)).image
    array([[3, 2, 1]], dtype=uint8)
    """

    axis: Annotated[Literal["X", "Y", "Z"], BeforeValidator(_known)] = "X"

    def _index(self, axes: str) -> int:
        if self.axis not in axes:
            raise ValueError(f"axis={self.axis!r}: the image has axes {axes}")
        return axes.index(self.axis)

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same."""
        self._index(spec.axes)
        return spec

    def map(self, params: dict[str, Any], spec: ArraySpec) -> GridMap:
        """``input = n - 1 - output`` along the axis."""
        place = spec.spatial.index(self._index(spec.axes))
        return GridMap.flip((place,), spec.size)

    def compiled(self) -> CompiledStep | None:
        """Whether it is the second axis."""
        return None if self.axis == "Z" else ("flip", self.axis == "X")

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.flip`."""
        return np.flip(image, "ZYX"[-image.ndim :].index(self.axis))
