"""Limit values."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import SpecT, held_by
from offgraph.steps.declaration import step
from offgraph.steps.kinds import PointwiseStep
from offgraph.steps.parameters import Number

__all__ = ["Clip"]


@step
class Clip(PointwiseStep):
    """Limit values to a lowest and a highest; the dtype stays.

    A pointwise step: what is below `low` becomes `low`, what is above `high` becomes `high`, such as the Hounsfield units
    of a window. Exactness: the bytes of `numpy.clip`.

    Parameters
    ----------
    low, high : float, optional
        In the image's own units, `low` not above `high`; at least one of them. An integer image takes whole numbers that
        its dtype holds.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Clip(20, 200)])(image=np.array([[-1000, 40, 900]], np.int16)).image
    array([[ 20,  40, 200]], dtype=int16)
    """

    same_in_all_channels = True

    low: Number | None = None
    high: Number | None = None

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise ValueError("expected low=, high= or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"expected low <= high, got low={self.low:g}, high={self.high:g}")

    @property
    def averages(self) -> bool:
        """Always: a bool image has nothing to limit."""
        return True

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; the dtype must hold both values."""
        limits = {"low": self.low, "high": self.high}
        held_by(np.dtype(spec.dtype), **{name: value for name, value in limits.items() if value is not None})
        return spec

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.clip`."""
        low, high = (None if value is None else image.dtype.type(value) for value in (self.low, self.high))
        return np.clip(image, low, high)
