"""What crops share that resize their window: a copy of whole pixels, then `Resize`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.resize import resize_reference
from offgraph.geometry.base import CoordinateMap
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.resampling import Resampling
from offgraph.steps import ops
from offgraph.steps.kinds import GeometricStep, resampling_rule
from offgraph.transforms.geometric.resize import Resize

__all__ = ["ResizedWindowStep", "resize_step"]


class ResizedWindowStep(GeometricStep):
    """A step whose drawn values are a window, `start` and `window`, which is resized as `resize` says, or kept as it is."""

    def resize(self) -> Resize | None:
        """Return what is done to the window; None for nothing."""
        raise NotImplementedError

    @property
    def averages(self) -> bool:
        """Where it resizes, as `Resize`."""
        return self.resize() is not None

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """The given size, or the window's."""
        resize, window = self.resize(), tuple(params["window"])
        return window if resize is None else resize.output_size(window, {})

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The given size; a length that the window decides is not known."""
        resize, unknown = self.resize(), (None,) * len(size)
        return unknown if resize is None else resize.open_size(unknown)

    def map(self, params: dict[str, Any], spec: ArraySpec) -> CoordinateMap:
        """The window's pixels, then a half-pixel grid on them."""
        crop, resize = self._crop(params, spec), self.resize()
        return crop if resize is None else crop.then(resize.map({}, spec.resized(crop.output_size)))

    def _crop(self, params: dict[str, Any], spec: ArraySpec) -> GridMap:
        if 0 in spec.size:
            raise ValueError(f"an image of {spec.size} has no pixels to resize")
        return GridMap.crop(params["start"], params["window"], spec.size)

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """No output pixel reads beyond the border."""
        return resampling_rule(int(self.averages), "nearest", 0.0, 0)

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[ops.Op, ...]:
        """Two operations: a crop, of which a file's decoder can make use, and a resize."""
        crop, resize = self._crop(params, spec), self.resize()
        grid = ops.Grid(crop, self.resampling(params))
        return (grid,) if resize is None else (grid, *resize.lower({}, spec.resized(crop.output_size)))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """A slice, then a weight matrix for each axis."""
        start, window = params["start"], params["window"]
        kept = image[tuple(slice(first, first + length) for first, length in zip(start, window))]
        resize = self.resize()
        if resize is None:
            return kept
        size = self.output_size(image.shape, params)
        axes = tuple(range(image.ndim))
        return resize_reference(kept, size, axes=axes, kernel=resize.kernel, antialias=resize.averaging)


@functools.lru_cache(maxsize=64)
def resize_step(size: Any, kernel: Any, antialias: bool) -> Resize:
    """Return the step of these parameters, made once."""
    return Resize(size, kernel=kernel, antialias=antialias)
