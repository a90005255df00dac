"""What is bright and small."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.declaration import step
from offgraph.transforms.filters._window import WindowFilter

__all__ = ["WhiteTopHat"]


@step
class WhiteTopHat(WindowFilter):
    """Keep what is bright and smaller than a window, and take the background away; the dtype stays.

    A filter step: the image minus its grey opening; channels never mix. Exactness: the bytes of `scipy.ndimage.white_tophat`
    on each channel.

    Parameters
    ----------
    size : int, or one for each axis by name
        Edge of the square (in volumes cubic) window, in pixels, at least 1: larger than what is to stay. The window is 1 pixel
        along axes that are not named.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> image = np.full((9, 9), 100, np.uint8)
    >>> image[4, 4] = 130
    >>> out = og.Compose([og.WhiteTopHat(3)])(image=image).image
    >>> int(out[4, 4]), int(out.sum())
    (30, 30)
    """

    def windowed(self, ndi: Any, array: np.ndarray, size: list[int], axes: tuple[int, ...]) -> np.ndarray:
        """`ndimage.white_tophat`."""
        return ndi.white_tophat(array, size, axes=axes, mode=self.mode, cval=self.cval)
