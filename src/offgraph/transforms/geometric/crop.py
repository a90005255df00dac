"""Crop a given window."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.steps.counts import Corner
from offgraph.steps.declaration import step
from offgraph.steps.parameters import CropSize
from offgraph.transforms.geometric._window import WindowStep, crop_size, open_crop_size, reference_window

__all__ = ["Crop"]


@step
class Crop(WindowStep):
    """Keep a given window: the same part of every image, such as a scan without its frame.

    A geometric step. Exactness: whole pixels, equal to slicing.

    Parameters
    ----------
    size : int, str or tuple of them
        (height, width), or (depth, height, width) for a volume, in pixels; one number is the length of every side. ``"80%"`` is a
        share of that side of the image, rounded to whole pixels, half up.
    corner : int or tuple of int
        First pixel of the window on each axis, from 0; one number is that of every axis.
    pad : bool
        Add pixels, as `mode` says, where the window reaches beyond the image. By default that is an error.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Crop((1, 2), (2, 1))])(image=np.arange(12, dtype=np.uint8).reshape(3, 4)).image
    array([[ 9, 10]], dtype=uint8)
    """

    size: CropSize
    corner: Corner = 0
    pad: bool = False

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """The given size; refused where the window reaches beyond the image."""
        wanted, corner = crop_size(self.size, size, pad=True), self._corner(len(size))
        if not self.pad and any(first + want > n for first, want, n in zip(corner, wanted, size)):
            raise ValueError(
                f"size={self.size} from corner={self.corner} reaches beyond the image of {size}; write pad=True to add what is "
                "missing"
            )
        return wanted

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The given size, as far as shares of the image are known."""
        known = [n for n in size if n is not None]
        if len(known) == len(size):
            return self.output_size(tuple(known), {})
        self._corner(len(size))
        return open_crop_size(self.size, size, pad=True)

    def _corner(self, axes: int) -> tuple[int, ...]:
        corner = self.corner if isinstance(self.corner, tuple) else (self.corner,) * axes
        if len(corner) != axes:
            raise ValueError(f"corner={corner} has {len(corner)} numbers, the image has {axes} spatial axes")
        return corner

    def start(self, params: dict[str, Any], spec: ArraySpec) -> tuple[int, ...]:
        """The corner."""
        return self._corner(len(spec.size))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """A slice, after `numpy.pad` where the window reaches beyond the image."""
        size = self.output_size(image.shape, {})
        return reference_window(image, self._corner(image.ndim), size, self.mode, self.cval)
