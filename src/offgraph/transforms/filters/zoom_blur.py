"""Blur as a lens that zooms while the shutter is open."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import zoom_blur_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.declaration import step
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import NumberOrRange, WholeNumber
from offgraph.steps.values import limited

__all__ = ["ZoomBlur"]

MOST_CHANNELS = 4


@step
class ZoomBlur(FilterStep):
    """Blur outwards from the middle: the mean of the image enlarged more and more; the dtype stays.

    A filter step: `parts` images are averaged, enlarged about the middle by factors spread evenly from 1 to `factor`, read
    linearly; channels never mix. Exactness: the mean of `scipy.ndimage.affine_transform` with order 1 on each channel in float64; integers
    are rounded half to even.

    Parameters
    ----------
    factor : float or (low, high)
        Largest enlargement, from 1 to 10.
    parts : int
        How many images are averaged, from 2 to 100.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> dots = np.zeros((1, 9))
    >>> dots[0, [4, 6]] = 12
    >>> og.Compose([og.ZoomBlur(2.0, parts=3)])(image=dots).image[0].round(2).tolist()
    [0.0, 0.0, 0.0, 3.33, 12.0, 3.33, 5.33, 6.0, 5.33]
    """

    factor: Annotated[float | tuple[float, float], NumberOrRange(at_least=1, at_most=10)] = (1.05, 1.3)
    parts: Annotated[int, WholeNumber(2, 100)] = 12

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """None is kept in memory."""
        return 1

    def work(self, params: dict[str, Any], spec: ArraySpec) -> NativeOp | None:
        """All zooms of a row at once, of images of 8 or 16 bits."""
        channels = spec.shape[-1] if spec.axes == "YXC" else 1
        if (
            spec.dtype not in ("uint8", "uint16")
            or spec.axes not in ("YX", "YXC")
            or channels > MOST_CHANNELS
        ):
            return None
        zooms = []
        for factor in np.linspace(1, params["factor"], self.parts).tolist():
            scale, middles = 1 / factor, [(n - 1) / 2 for n in spec.size]
            rows, columns = ((scale, (middle - middle / factor) / scale) for middle in middles)
            zooms.append((rows, columns))
        return zoom_blur_op(zooms)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """The mean of `ndimage.affine_transform` at each factor."""
        values, middle = image.astype(np.float64), (np.array(image.shape) - 1) / 2
        total = np.zeros(image.shape)
        for factor in np.linspace(1, params["factor"], self.parts):
            scale = np.full(image.ndim, 1 / factor)
            total += ndi.affine_transform(values, scale, middle - middle / factor, order=1, mode="nearest")
        return limited(total / self.parts, image.dtype)
