"""Add pixels until a size, a multiple or an aspect is reached."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.parameters import AxisCount, CropSize, PositiveNumber, along_axes
from offgraph.transforms.geometric._window import Position, WindowStep, crop_size, placed, reference_window

__all__ = ["PadTo"]


@step
class PadTo(WindowStep):
    """Add pixels around an image that is too small: up to a size, a multiple, or an aspect.

    A geometric step; an image that is large enough stays as it is. Exactness: the values of `numpy.pad`, whose names for
    the modes differ from SciPy's.

    Parameters
    ----------
    size : int, str or tuple of them, optional
        Least (height, width), or (depth, height, width) for a volume, in pixels; one number is the length of every side.
        A share such as ``"100%"`` is one of that side of the image: ``("100%", 512)`` leaves the height as it is.
        Albumentations' `PadIfNeeded`.
    multiple : int, or one for each axis by name, optional
        Lengths become the next multiple: ``multiple=32`` for a network that halves five times. ``{"YX": 16}`` leaves the
        slices of a volume as they are.
    aspect : float, optional
        Width divided by height, above 0; 1 makes squares. The length that is too short is rounded to whole pixels, half
        to even. In volumes of the last two axes. One of `size`, `multiple` and `aspect` is given.
    position : str
        Where the image lies in what it becomes: 'centre', 'start' (pixels are added after it: below and right), 'end',
        or 'random', drawn evenly. Of an odd number of pixels the smaller half comes first.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.PadTo(multiple=4, position="start")])(image=np.ones((3, 5), np.uint8)).image
    array([[1, 1, 1, 1, 1, 0, 0, 0],
           [1, 1, 1, 1, 1, 0, 0, 0],
           [1, 1, 1, 1, 1, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0]], dtype=uint8)
    """

    size: CropSize | None = None
    multiple: AxisCount | None = None
    aspect: PositiveNumber | None = None
    position: Position = "centre"

    def __post_init__(self) -> None:
        if [self.size, self.multiple, self.aspect].count(None) != 2:
            raise ValueError("expected one of size=, multiple= and aspect=")

    @property
    def varies(self) -> bool:
        """Where the position is drawn."""
        return self.position == "random"

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the pixels that are added before the image, on each axis."""
        wanted = self._wanted(spec.size)
        return {"before": [placed(self.position, want - n, draw) for n, want in zip(spec.size, wanted)]}

    def _wanted(self, size: tuple[int, ...]) -> tuple[int, ...]:
        if self.size is not None:
            return tuple(map(max, size, crop_size(self.size, size, pad=True)))
        if self.multiple is not None:
            multiples = along_axes("multiple", self.multiple, SPATIAL[-len(size) :], 1)
            return tuple(-(-n // each) * each for n, each in zip(size, multiples))
        aspect = Fraction(self.aspect or 1)
        *others, height, width = size
        return (*others, max(height, round(width / aspect)), max(width, round(height * aspect)))

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """Lengths that are enough."""
        return self._wanted(size)

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The lengths that those of the image decide."""
        known = tuple(1 if n is None else n for n in size)
        wanted = self._wanted(known)
        if self.aspect is not None and None in size[-2:]:
            return (*size[:-2], None, None)
        return tuple(None if n is None else want for n, want in zip(size, wanted))

    def start(self, params: dict[str, Any], spec: ArraySpec) -> tuple[int, ...]:
        """As many pixels before the first as are added there."""
        return tuple(-before for before in params["before"])

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.pad`."""
        start = [-before for before in params["before"]]
        return reference_window(image, start, self._wanted(image.shape), self.mode, self.cval)
