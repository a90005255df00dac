"""Resize to a number of pixels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec, scaled
from offgraph.engine.resize import Kernel, resize_reference
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.resampling import Resampling
from offgraph.steps import ops
from offgraph.steps.base import drawn, varies
from offgraph.steps.compiled import CompiledStep, compiled_resize
from offgraph.steps.declaration import step
from offgraph.steps.kinds import GeometricStep, resampling_rule
from offgraph.steps.parameters import PositiveAxisRange, Size, along_axes

__all__ = ["Resize"]


@step
class Resize(GeometricStep):
    """Resize to a size in pixels, or by a scale, without aliasing.

    A geometric step. Output pixel i covers the input from i to i + 1 times the ratio of the sizes (a half-pixel
    grid: the image's edges stay edges). When it shrinks, the kernel widens with the ratio, so that every input
    pixel counts. Exactness: the bytes of two float64 weight matrices, taps added left to right, axis 0 first,
    one rounding at the end. Masks take the nearest pixel on the same grid, of two equally near the later one:
    pixel ``floor((2 i + 1) n / (2 N))`` of n for pixel i of N, in integer arithmetic.

    Parameters
    ----------
    size : int or tuple of int, optional
        (height, width), or (depth, height, width) for a volume, in pixels; one number is the length of every side. With None in
        place of all lengths but one, such as ``(256, None)``, the aspect is kept, rounded to whole pixels, at least 1.
        Either this or `scale`.
    scale : float or (low, high), or one of them for each axis by name, optional
        Factor on every spatial axis, above 0; the size is rounded to whole pixels, at least 1. ``{"Z": 2, "YX": 0.5}``
        gives each axis of a volume its own factor; axes that are not named keep their length.
    kernel : str
        'triangle' (linear), 'box', 'cubic' (Keys, a = -0.5), 'cubic75' (a = -0.75), 'lanczos3', 'lanczos4', 'lanczos5', 'area'
        (the mean of what a pixel covers) or 'nearest'; the last two are the same with and without `antialias`.
    antialias : bool
        Widen the kernel when shrinking. Without it pixels are skipped, and fine patterns alias into false coarse ones.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Resize((1, 2))])(image=np.array([[0, 10, 20, 30]], np.uint8)).image
    array([[ 7, 23]], dtype=uint8)
    """

    version: ClassVar[int] = 2
    """2: nearest neighbour, of masks and by the box kernel without antialiasing, is decided in integer arithmetic."""

    size: Size | None = None
    scale: PositiveAxisRange | None = None
    kernel: Kernel = "triangle"
    antialias: bool = True

    def __post_init__(self) -> None:
        if (self.size is None) == (self.scale is None):
            raise ValueError("expected either size=(height, width) or scale=factor, got both or none of them")

    @property
    def averages(self) -> bool:
        """Always: a bool mask is looked up, a bool image has nothing between true and false."""
        return True

    @property
    def varies(self) -> bool:
        """Whether the scale is a range."""
        return varies(self.scale)

    def sample(self, draw: Any, spec: ArraySpec) -> dict[str, Any]:
        """The scale, where there is one."""
        return {} if self.scale is None else {"scale": drawn(draw, self.scale)}

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """The given size, or each length times the scale, rounded half to even, at least 1."""
        if self.size is not None:
            return tuple(length for length in self._given_size(size) if length is not None)
        scales = along_axes("scale", params["scale"], SPATIAL[-len(size) :], 1.0)
        return tuple(max(1, scaled(n, scale)) for n, scale in zip(size, scales))

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The lengths that are given, and those of known lengths whose scale is one number."""
        if self.size is not None:
            return self._given_size(size)
        scales = along_axes("scale", self.scale, SPATIAL[-len(size) :], 1.0)
        return tuple(
            None if n is None or isinstance(scale, tuple) else max(1, scaled(n, scale))
            for n, scale in zip(size, scales)
        )

    def _given_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if isinstance(self.size, int):
            return (self.size,) * len(size)
        given = self.size or ()
        if len(given) != len(size):
            raise ValueError(f"size={given} has {len(given)} lengths, the image {len(size)} spatial axes")
        if None not in given:
            return given
        side, now = next((length, n) for length, n in zip(given, size) if length is not None)
        if side is None or now is None:
            return given
        if now == 0:
            raise ValueError(f"an image of {size} has no pixels to resize")
        # In integers: n * side / now, rounded half to even, must not depend on floating-point rounding.
        return tuple(
            length if length is not None or n is None else max(1, round(Fraction(n * side, now)))
            for length, n in zip(given, size)
        )

    def map(self, params: dict[str, Any], spec: ArraySpec) -> AffineMap:
        """Half-pixel grid: ``input = (output + 0.5) * ratio - 0.5``."""
        size = spec.size
        if 0 in size:
            raise ValueError(f"an image of {size} has no pixels to resize")
        output = self.output_size(size, params)
        ratio = np.array(size) / np.array(output)
        return AffineMap(np.diag(ratio), 0.5 * ratio - 0.5, size, output)

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """No output pixel reads beyond the border."""
        return resampling_rule(1, "nearest", 0.0, 0)

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[ops.Op, ...]:
        """Weigh the pixels of an image; look up the nearest of a mask."""
        grid = self.map(params, spec)
        size, rule = grid.output_size, self.resampling(params)
        return (ops.Resize(grid, rule, size=size, kernel=self.kernel, antialias=self.antialias),)

    def compiled(self) -> CompiledStep | None:
        """Size or scale, and the kernel."""
        return compiled_resize(self.size, self.scale, self.kernel, self.antialias)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Two weight matrices; no ndimage function antialiases."""
        size = self.output_size(image.shape, params)
        return resize_reference(
            image, size, axes=tuple(range(image.ndim)), kernel=self.kernel, antialias=self.antialias
        )
