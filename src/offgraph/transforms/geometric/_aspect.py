"""What steps share that resize an image and keep its aspect."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass as pydantic_dataclass

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.resize import Kernel, resize_reference
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.resampling import Resampling
from offgraph.steps import ops
from offgraph.steps.base import CONFIG, varies
from offgraph.steps.counts import drawn_count
from offgraph.steps.kinds import GeometricStep
from offgraph.transforms.geometric.resize import Resize

__all__ = ["AspectStep", "KernelStep", "resize_to", "scaled_sides"]


@functools.lru_cache(maxsize=256)
def resize_to(size: tuple[int, ...], kernel: Kernel, antialias: bool) -> Resize:
    """Return the step that resizes to this size."""
    return Resize(size, kernel=kernel, antialias=antialias)


def scaled_sides(size: tuple[int, ...], to: int, of: int) -> tuple[int, ...]:
    """Return lengths times to / of, rounded half to even, at least 1; in integers, whatever floats would round to."""
    return tuple(max(1, round(Fraction(n * to, of))) for n in size)


@pydantic_dataclass(frozen=True, kw_only=True, repr=False, config=CONFIG)
class KernelStep(GeometricStep):
    """A geometric step that resizes as `Resize` does.

    Parameters
    ----------
    kernel : str
        'triangle' (linear), 'box', 'cubic' (Keys, a = -0.5), 'cubic75' (a = -0.75), 'lanczos3', 'lanczos4', 'lanczos5', 'area'
        (the mean of what a pixel covers) or 'nearest'; the last two are the same with and without `antialias`.
    antialias : bool
        Widen the kernel when shrinking. Without it pixels are skipped, and fine patterns alias into false coarse ones.
    """

    kernel: Kernel = "triangle"
    antialias: bool = True

    @property
    def averages(self) -> bool:
        """Always, as `Resize`."""
        return True


class AspectStep(KernelStep):
    """A step that gives one side of an image a length, and the others what keeps the aspect.

    A class has a field `size`, of `SideLengths`.
    """

    size: Any

    def resized(self, size: tuple[int, ...], length: int) -> tuple[int, ...]:
        """Return the lengths of an image of this size after the step."""
        raise NotImplementedError

    @property
    def varies(self) -> bool:
        """Where `size` is a range."""
        return varies(self.size)

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the length of the side."""
        return {"size": drawn_count(draw, self.size)}

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """The lengths that keep the aspect."""
        if 0 in size:
            raise ValueError(f"an image of {size} has no pixels to resize")
        return self.resized(size, params["size"])

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """All lengths where those of the image are known and nothing is drawn, else none."""
        known = tuple(n for n in size if n is not None)
        if self.varies or len(known) < len(size):
            return (None,) * len(size)
        return self.output_size(known, {"size": self.size if isinstance(self.size, int) else self.size[0]})

    def _resize(self, size: tuple[int, ...], params: dict[str, Any]) -> Resize:
        return resize_to(self.output_size(size, params), self.kernel, self.antialias)

    def map(self, params: dict[str, Any], spec: ArraySpec) -> AffineMap:
        """A half-pixel grid, as `Resize` has it."""
        return self._resize(spec.size, params).map({}, spec)

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """No output pixel reads beyond the border."""
        return resize_to((1, 1), self.kernel, self.antialias).resampling({})

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[ops.Op, ...]:
        """That of `Resize`."""
        return self._resize(spec.size, params).lower({}, spec)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Two weight matrices; no ndimage function antialiases."""
        size, axes = self.output_size(image.shape, params), tuple(range(image.ndim))
        return resize_reference(image, size, axes=axes, kernel=self.kernel, antialias=self.antialias)
