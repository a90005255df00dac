"""Scale values by percentiles of the image."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec, SpecT
from offgraph.engine.image_ops import percentiles_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.declaration import step
from offgraph.steps.kinds import StatisticsStep
from offgraph.steps.parameters import Number

__all__ = ["PercentileNormalize"]


@step
class PercentileNormalize(StatisticsStep):
    """Scale values so that a low percentile of the image becomes 0 and a high one 1; gives float32.

    A statistics step: ``(value - a) / (b - a)`` with the percentiles a and b, as for microscopy, where a few pixels are much
    brighter than the rest. Where a and b are equal all values become 0. Exactness: the bytes of this expression with
    `numpy.percentile` in float64, rounded once to float32.

    Parameters
    ----------
    low, high : float
        Percentiles, from 0 to 100, `low` below `high`.
    per_channel : bool
        Whether each channel has percentiles of its own, or all share them.
    clip : bool
        Whether results are limited to 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.PercentileNormalize(0, 100)])(image=np.array([[10, 15, 30]], np.uint8)).image
    array([[0.  , 0.25, 1.  ]], dtype=float32)
    """

    low: Number = 1.0
    high: Number = 99.0
    per_channel: bool = True
    clip: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise ValueError(f"expected 0 <= low < high <= 100, got low={self.low:g}, high={self.high:g}")

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """float32."""
        return spec.cast("float32")

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """Percentiles by counting."""
        return percentiles_op(self.low, self.high, clip=self.clip, per_channel=self.per_channel)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.percentile` of each group of values."""
        out = np.zeros(image.shape, np.float32)
        groups = [np.s_[..., place] for place in range(image.shape[-1])] if self.per_channel else [np.s_[...]]
        for group in groups:
            values = image[group].astype(np.float64) + 0.0  # zero has one sign
            low, high = np.percentile(values, (self.low, self.high))
            if high > low:
                made = (values - low) / (high - low)
                out[group] = np.clip(made, 0, 1) if self.clip else made
        return out
