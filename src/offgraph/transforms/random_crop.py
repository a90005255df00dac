"""Crop somewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.parameters import Size
from offgraph.random import Draw
from offgraph.spec import ArraySpec
from offgraph.step import step
from offgraph.transforms._window import WindowStep, crop_start, reference_window

__all__ = ["RandomCrop"]


@step
class RandomCrop(WindowStep):
    """Keep a window at a place that every picture draws for itself.

    A geometric step that always draws. Exactness: whole pixels, equal to slicing.

    Parameters
    ----------
    size : tuple of int
        (height, width), or (depth, height, width) for a volume, in pixels.
    pad : bool
        Add pixels evenly around a picture that is smaller, as `mode` says. Left out, that is an error.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> out = og.Compose([og.RandomCrop((2, 2))])(image=np.zeros((5, 5), np.uint8), key=og.Key(seed=7))
    >>> out.image.shape
    (2, 2)
    """

    size: Size
    pad: bool = False

    @property
    def varies(self) -> bool:
        """Always."""
        return True

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the window's first pixel; an axis that is too short is centred."""
        centred = crop_start(self.size, spec, pad=self.pad)
        lengths = zip(self.size, spec.size, centred)
        return {
            "start": [
                draw.integer(0, (n or 0) - want) if middle >= 0 else middle for want, n, middle in lengths
            ]
        }

    def output_size(
        self, size: tuple[int | None, ...], params: dict[str, Any] | None
    ) -> tuple[int | None, ...]:
        """The given size."""
        return self.size

    def start(self, params: dict[str, Any], spec: ArraySpec) -> tuple[int, ...]:
        """What was drawn."""
        crop_start(self.size, spec, pad=self.pad)
        return tuple(params["start"])

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """A slice, after `numpy.pad` where the picture is smaller."""
        return reference_window(image, params["start"], self.size, self.mode, self.cval)
