"""Zoom as SciPy does."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec, scaled
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.grid_map import GridMap
from offgraph.steps import ops
from offgraph.steps.compiled import CompiledStep, compiled_axes
from offgraph.steps.declaration import hint_once, step
from offgraph.steps.kinds import ResampledStep
from offgraph.steps.parameters import Order, PositiveAxisRange, along_axes

__all__ = ["Zoom"]


@step
class Zoom(ResampledStep):
    """Enlarge or shrink by a factor, exactly as `scipy.ndimage.zoom` does on the spatial axes.

    A geometric step. It reads between pixels and never widens its kernel: shrinking aliases. `Resize` is the step
    for making images smaller. Exactness: the bytes of `scipy.ndimage.zoom` on each channel.
    Masks take the nearest pixel of the same grid, found in integer arithmetic; with SciPy's order 0, ties and whether the
    last row lies beyond the border depend on the rounding of its coordinates.

    Parameters
    ----------
    factor : float or (low, high), or one of them for each axis by name
        Above 0, on every spatial axis; lengths are rounded to whole pixels, half to even. ``{"Z": 2, "YX": 1}`` gives
        the axes of a volume their own; axes that are not named keep their length.
    grid : str
        'corners': the centres of the corner pixels stay corners, SciPy's default, by which the image's scale is not
        quite the factor. With mode 'constant', rounding may put the last row or column beyond the border, where it
        becomes `cval`; 'mirror' gives the same values without that. 'pixels': the image's edges stay edges, SciPy's
        ``grid_mode=True``; with mode 'constant', enlarging gives it a rim of `cval`.
    order : int
        Spline order, 0 to 5; 3 as in SciPy. Masks always use 0.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Zoom(2, order=1)])(image=np.array([[0, 30], [0, 30]], np.uint8)).image[0]
    array([ 0, 10, 20, 30], dtype=uint8)
    """

    version: ClassVar[int] = 2
    """2: masks are looked up in integer arithmetic."""

    factor: PositiveAxisRange
    grid: Literal["corners", "pixels"] = "corners"
    order: Order = Field(default=3, kw_only=True)

    def hints(self) -> list[str]:
        """None for the border: the grid of corners never leaves the image, and SciPy warns for the other."""
        return []

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """Each length times the factor, rounded half to even."""
        factors = self._factors(params, len(size))
        return tuple(_scaled(n, factor, size) for n, factor in zip(size, factors))

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Each known length times its factor, where that is one number."""
        factors = along_axes("factor", self.factor, SPATIAL[-len(size) :], 1.0)
        return tuple(
            None if n is None or isinstance(factor, tuple) else _scaled(n, factor, size)
            for n, factor in zip(size, factors)
        )

    def _factors(self, params: dict[str, Any], dimensions: int) -> list[float]:
        return along_axes("factor", params["factor"], SPATIAL[-dimensions:], 1.0)

    def map(self, params: dict[str, Any], spec: ArraySpec) -> AffineMap:
        """Corner centres on corner centres, or edges on edges."""
        size = spec.size
        output = self.output_size(size, params)
        if self.grid == "pixels":
            ratio = np.array(size) / np.array(output)
            return AffineMap(np.diag(ratio), 0.5 * ratio - 0.5, size, output)
        ratio = np.array([(n - 1) / (m - 1) if m > 1 else 1.0 for n, m in zip(size, output)])
        return AffineMap(np.diag(ratio), np.zeros(len(size)), size, output)

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[ops.Op, ...]:
        """`ndimage.zoom` over the spatial axes; says once where SciPy's rule for the border blackens an edge."""
        rule = self.resampling(params)
        if all(factor == 1 for factor in self._factors(params, len(spec.size))):
            # SciPy copies then; a factor near 1 that keeps the size is resampled.
            return (ops.Grid(GridMap.identity(spec.size), rule),)
        self._hint(spec, params)
        return (ops.Zoom(self.map(params, spec), rule, grid_mode=self.grid == "pixels"),)

    def _hint(self, spec: ArraySpec, params: dict[str, Any]) -> None:
        """SciPy takes a coordinate for one beyond the border where its rounding is, or half a pixel is enough for it."""
        if self.mode != "constant":
            return
        sizes = list(zip(spec.size, self.output_size(spec.size, params)))
        if self.grid == "pixels":
            if any(m > n for n, m in sizes):
                hint_once(
                    self, "pixels",
                    f"with grid='pixels' and mode='constant', pixels at the border become cval={self.cval:g}: their "
                    "centres lie outside those of the given ones; write mode='grid-constant' or mode='nearest'",
                )  # fmt: skip
            return
        for n, m in sizes:
            if m > 1 and (n - 1) / (m - 1) * (m - 1) > n - 1:
                hint_once(
                    self, "corners",
                    f"with mode='constant', the last row or column may become cval={self.cval:g}, as in SciPy: from "
                    f"{n} to {m} pixels, rounding puts its coordinate beyond the border; write mode='mirror' for the "
                    "same values without that, or use Resize",
                )  # fmt: skip
                return

    def compiled(self) -> CompiledStep | None:
        """Factor and grid."""
        factor = compiled_axes(self.factor)
        return None if factor is None else ("zoom", factor, self.grid == "pixels")

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.zoom`."""
        return ndi.zoom(
            image, self._factors(params, image.ndim), order=self.order, mode=self.mode, cval=self.cval,
            grid_mode=self.grid == "pixels",
        )  # fmt: skip


def _scaled(n: int, factor: float, size: tuple[int | None, ...]) -> int:
    """Return a length of an image of `size` times a factor, at least 1."""
    length = scaled(n, factor)
    if length == 0:
        raise ValueError(f"factor={factor:g} leaves no pixels of an image of {size}")
    return length
