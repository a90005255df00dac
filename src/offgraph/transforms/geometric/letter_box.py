"""Fit an image into a fixed size, with bars where its aspect is another."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.resize import resize_reference
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.resampling import Resampling
from offgraph.steps import ops
from offgraph.steps.declaration import step
from offgraph.steps.kinds import resampling_rule
from offgraph.steps.parameters import Number, Size, Whole
from offgraph.transforms.geometric._aspect import KernelStep, resize_to, scaled_sides
from offgraph.transforms.geometric._window import Position, placed, reference_window

__all__ = ["LetterBox"]


@step
class LetterBox(KernelStep):
    """Resize an image as large as fits into a fixed size, keep its aspect, and fill what is left with bars.

    A geometric step: what detectors of the YOLO family are fed, Albumentations' `LetterBox`. The way back takes bars
    off again. Exactness: the bytes of `Resize` to the largest size that fits, its lengths rounded half to even, then whole
    pixels of `cval` around it.

    Parameters
    ----------
    size : int or tuple of int
        (height, width) after the step, or (depth, height, width) for a volume, in pixels; one number is the length of
        every side.
    position : str
        Where the image lies in it: 'centre', 'start' (the bars come after it: below and right), 'end', or 'random', drawn
        evenly. Of an odd number of pixels the smaller half comes first.
    enlarge : bool
        Whether a smaller image is enlarged; otherwise it only gets bars.
    cval : float
        Value of the bars, in the image's own units; YOLO takes 114 of 255.
    mask_cval : int
        Label of the bars.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> out = og.Compose([og.LetterBox((4, 4), cval=9)])(image=np.ones((10, 20), np.uint8))
    >>> out.image
    array([[9, 9, 9, 9],
           [1, 1, 1, 1],
           [1, 1, 1, 1],
           [9, 9, 9, 9]], dtype=uint8)
    """

    size: Size
    position: Position = "centre"
    enlarge: bool = True
    cval: Number = 0.0
    mask_cval: Whole = 0

    def __post_init__(self) -> None:
        if isinstance(self.size, tuple) and None in self.size:
            raise ValueError(
                f"size={self.size}: expected every length; Resize keeps the aspect of one that is None"
            )

    @property
    def varies(self) -> bool:
        """Where the position is drawn."""
        return self.position == "random"

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the pixels of the bars before the image, on each axis."""
        fitted, wanted = self._fitted(spec.size), self._wanted(spec.size)
        return {"before": [placed(self.position, want - n, draw) for n, want in zip(fitted, wanted)]}

    def _wanted(self, size: tuple[Any, ...]) -> tuple[int, ...]:
        wanted = (self.size,) * len(size) if isinstance(self.size, int) else self.size
        if len(wanted) != len(size):
            raise ValueError(f"size={wanted} has {len(wanted)} lengths, the image {len(size)} spatial axes")
        return cast("tuple[int, ...]", wanted)

    def _fitted(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The largest size of the same aspect that fits."""
        if 0 in size:
            raise ValueError(f"an image of {size} has no pixels to resize")
        wanted = self._wanted(size)
        if not self.enlarge and all(n <= want for n, want in zip(size, wanted)):
            return size
        want, n = next(
            (want, n)
            for want, n in zip(wanted, size)
            if all(want * other <= more * n for more, other in zip(wanted, size))
        )
        return scaled_sides(size, want, n)

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """The given size."""
        return self._wanted(size)

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The given size."""
        return self._wanted(size)

    def map(self, params: dict[str, Any], spec: ArraySpec) -> AffineMap:
        """A half-pixel grid, then whole pixels around it."""
        resize, bars = self._parts(params, spec)
        return cast("AffineMap", resize.map.then(bars))

    def _parts(self, params: dict[str, Any], spec: ArraySpec) -> tuple[ops.GeometricOp, GridMap]:
        fitted = self._fitted(spec.size)
        (resize,) = resize_to(fitted, self.kernel, self.antialias).lower({}, spec)
        start = [-before for before in params["before"]]
        return cast("ops.GeometricOp", resize), GridMap.crop(start, self._wanted(spec.size), fitted)

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """Linear, and the value of the bars."""
        return resampling_rule(1, "constant", self.cval, self.mask_cval)

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[ops.Op, ...]:
        """Two operations: a resize, and a pad."""
        resize, bars = self._parts(params, spec)
        return (resize, ops.Grid(bars, resampling_rule(0, "constant", self.cval, self.mask_cval)))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Two weight matrices, then `numpy.pad`."""
        fitted, axes = self._fitted(image.shape), tuple(range(image.ndim))
        made = resize_reference(image, fitted, axes=axes, kernel=self.kernel, antialias=self.antialias)
        start = [-before for before in params["before"]]
        return reference_window(made, start, self._wanted(image.shape), "constant", self.cval)
