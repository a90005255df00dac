"""Multiply and add."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import SpecT
from offgraph.steps.compiled import CompiledStep
from offgraph.steps.declaration import step
from offgraph.steps.kinds import Arithmetic, PointwiseStep
from offgraph.steps.parameters import Number

__all__ = ["Rescale"]


@step
class Rescale(PointwiseStep):
    """Multiply by a scale and add an offset, as Keras' Rescaling layer does; gives float32.

    A pointwise step: ``value * scale + offset``. Exactness: the bytes of this expression in float64, rounded once to
    float32.

    Parameters
    ----------
    scale : float
        Factor, such as 1/255.
    offset : float
        Added after scaling.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Rescale(0.25, offset=-1)])(image=np.array([[0, 8]], np.uint8)).image
    array([[-1.,  1.]], dtype=float32)
    """

    same_in_all_channels = True

    scale: Number
    offset: Number = 0.0

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """float32."""
        return spec.cast("float32")

    def arithmetic(self, params: dict[str, Any], dtype: str) -> Arithmetic:
        """The two operations of the definition."""
        return (("multiply", (self.scale,)), ("add", (self.offset,)))

    def compiled(self) -> CompiledStep | None:
        """The operation depends on dtype and axes alone."""
        return None if self.varies else ("values", False, False)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One NumPy expression."""
        return (image.astype(np.float64) * self.scale + self.offset).astype(np.float32)
