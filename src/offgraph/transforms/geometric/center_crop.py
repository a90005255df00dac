"""Crop the middle."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.steps.compiled import CompiledStep, compiled_lengths
from offgraph.steps.declaration import step
from offgraph.steps.parameters import CropSize
from offgraph.transforms.geometric._window import CropStep, crop_size, reference_window

__all__ = ["CenterCrop"]


@step
class CenterCrop(CropStep):
    """Keep a window in the middle; if an odd number of pixels is cut off, the smaller half is cut off at the start.

    A geometric step. Exactness: whole pixels, equal to slicing.

    Parameters
    ----------
    size : int, str or tuple of them
        (height, width), or (depth, height, width) for a volume, in pixels; one number is the length of every side. ``"80%"`` is a
        share of that side of the image, rounded to whole pixels, half up.
    pad : bool
        Add pixels around an image that is smaller, as `mode` says. By default that is an error.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.CenterCrop((1, 2))])(image=np.arange(12, dtype=np.uint8).reshape(3, 4)).image
    array([[5, 6]], dtype=uint8)
    """

    size: CropSize
    pad: bool = False

    def start(self, params: dict[str, Any], spec: ArraySpec) -> tuple[int, ...]:
        """Half of what is too much."""
        wanted = crop_size(self.size, spec.size, pad=self.pad)
        return tuple((n - want) // 2 for want, n in zip(wanted, spec.size))

    def compiled(self) -> CompiledStep | None:
        """The size."""
        lengths = compiled_lengths(self.size)
        return None if lengths is None else ("crop", lengths, self.pad, False)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """A slice, after `numpy.pad` where the image is smaller."""
        size = crop_size(self.size, image.shape, pad=self.pad)
        start = [(n - want) // 2 for n, want in zip(image.shape, size)]
        return reference_window(image, start, size, self.mode, self.cval)
