"""What the filters share that make one value of a square window."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from pydantic.dataclasses import dataclass as pydantic_dataclass

from offgraph import ndimage
from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec
from offgraph.engine.filter_passes import FilterPass
from offgraph.ndimage.filters.passes import extremum_passes
from offgraph.steps.base import CONFIG
from offgraph.steps.compiled import CompiledStep
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import AxisCount, Mode, Number, along_axes

__all__ = ["ExtremeFilter", "PlannedWindowFilter", "WindowFilter"]


@pydantic_dataclass(frozen=True, repr=False, config=CONFIG)
class WindowFilter(FilterStep):
    """A filter by a square (in volumes cubic) window; a class of it gives `windowed`.

    Parameters
    ----------
    size : int, or one for each axis by name
        Edge of the window, in pixels, at least 1. ``{"Z": 1, "YX": 3}`` gives each axis its own size; the window is 1 pixel
        along axes that are not named.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.
    """

    size: AxisCount
    mode: Mode = "reflect"
    cval: Number = 0.0

    def windowed(self, ndi: Any, array: np.ndarray, size: list[int], axes: tuple[int, ...]) -> np.ndarray:
        """Return what the function of SciPy, or of our module, gives along these axes."""
        raise NotImplementedError

    def sizes(self, axes: str) -> list[int]:
        """Return the window's edge along each of these axes."""
        return along_axes("size", self.size, axes, 1)

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """The square, in volumes the cube."""
        return math.prod(self.sizes(spec.spatial_names))

    def filter(self, array: np.ndarray, axes: str, params: dict[str, Any]) -> np.ndarray:
        """Filter all channels in one call."""
        spec = ArraySpec.of(array, axes)
        return self.windowed(ndimage, array, self.sizes(spec.spatial_names), spec.spatial)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """SciPy's function, along all axes of a channel."""
        return self.windowed(ndi, image, self.sizes(SPATIAL[-image.ndim :]), tuple(range(image.ndim)))


class PlannedWindowFilter(WindowFilter):
    """A filter by a window that stands in native plans; a class of it gives `windowed` and `passes`."""

    def compiled(self) -> CompiledStep | None:
        """The operation depends on dtype and axes alone."""
        return None if self.varies else ("values", True, False)


class ExtremeFilter(PlannedWindowFilter):
    """The largest or the smallest value of a window."""

    largest: ClassVar[bool]

    def windowed(self, ndi: Any, array: np.ndarray, size: list[int], axes: tuple[int, ...]) -> np.ndarray:
        """`ndimage.maximum_filter` or `ndimage.minimum_filter`."""
        extreme = ndi.maximum_filter if self.largest else ndi.minimum_filter
        return extreme(array, size, axes=axes, mode=self.mode, cval=self.cval)

    def passes(self, params: dict[str, Any], spec: ArraySpec) -> tuple[FilterPass, ...]:
        """One extreme over the window."""
        sizes = self.sizes(spec.spatial_names)
        return extremum_passes(sizes, dtype=spec.dtype, mode=self.mode, cval=self.cval, largest=self.largest)
