"""Make bright dark and dark bright."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.declaration import step
from offgraph.steps.kinds import PointwiseStep
from offgraph.steps.parameters import PositiveNumber
from offgraph.steps.values import KnownRange, as_dtype, held_range

__all__ = ["Invert"]


@step
class Invert(KnownRange, PointwiseStep):
    """Subtract values from white: a negative; the dtype stays.

    A pointwise step: ``range - value``, limited to 0 to `range`; true and false change places in a bool image. Exactness:
    the bytes of this expression in float64 by NumPy, for uint8 those of Pillow's `ImageOps.invert`.

    Parameters
    ----------
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Invert()])(image=np.array([[0, 100, 255]], np.uint8)).image
    array([[255, 155,   0]], dtype=uint8)
    """

    same_in_all_channels = True

    range: PositiveNumber | None = None

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One NumPy expression."""
        top = held_range(image.dtype.name, self.range)
        return as_dtype(top - image.astype(np.float64), image.dtype, top)
