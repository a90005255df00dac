"""Subtract the image's mean and divide by its standard deviation."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from offgraph.core.specs import ArraySpec, SpecT
from offgraph.engine.image_ops import moments_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.declaration import step
from offgraph.steps.kinds import StatisticsStep

__all__ = ["ZScore"]


@step
class ZScore(StatisticsStep):
    """Subtract the mean of the image and divide by its standard deviation; gives float32.

    A statistics step: ``(value - mean) / std``, or ``value - mean`` alone, with the image's own statistics; `Normalize` takes those of a data set.
    Where all values are equal they become 0. Exactness: the bytes of this expression in float64 by NumPy, rounded once to
    float32.

    Parameters
    ----------
    per_channel : bool
        Whether each channel has statistics of its own, or all share them.
    nonzero : bool
        Whether zeros, such as the air around a scanned head, are left out of the statistics and stay 0.
    divide : bool
        Whether values are divided by the standard deviation; without it they are centred only.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.ZScore()])(image=np.array([[10, 20], [10, 20]], np.uint8)).image
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    later: ClassVar[tuple[str, ...]] = ("divide",)

    per_channel: bool = True
    nonzero: bool = False
    divide: bool = True

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """float32."""
        return spec.cast("float32")

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """Sums in NumPy's order."""
        return moments_op(nonzero=self.nonzero, divide=self.divide, per_channel=self.per_channel)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.mean` and `numpy.std` of each group of values."""
        out = np.zeros(image.shape, np.float32)
        groups = [np.s_[..., place] for place in range(image.shape[-1])] if self.per_channel else [np.s_[...]]
        for group in groups:
            values = image[group].astype(np.float64)
            taken = values[values != 0] if self.nonzero else values
            if not taken.size:
                continue
            made = values - taken.mean()
            if self.divide:
                made /= taken.std() or 1.0
            out[group] = np.where(values != 0, made, 0) if self.nonzero else made
        return out
