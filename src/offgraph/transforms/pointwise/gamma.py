"""Change brightness by a power."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.declaration import step
from offgraph.steps.kinds import PointwiseStep, value_range
from offgraph.steps.parameters import PositiveNumber, PositiveRange
from offgraph.steps.values import KnownRange

__all__ = ["Gamma"]


@step
class Gamma(KnownRange, PointwiseStep):
    """Raise values, scaled to 0 to 1, to a power; the dtype stays.

    A pointwise step: ``range * (value / range) ** gamma``. Values outside 0 to `range` are clipped first. Exactness:
    the bytes of this expression in float64 by NumPy, for integers rounded half to even.

    Parameters
    ----------
    gamma : float or (low, high)
        Above 0. Below 1 brightens, above 1 darkens.
    range : float, optional
        The value that stays as it is, white. By default the largest of the dtype, 255 for uint8 and 65535 for
        uint16; a 12-bit image stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Gamma(0.5)])(image=np.array([[0, 64, 255]], np.uint8)).image
    array([[  0, 128, 255]], dtype=uint8)
    """

    same_in_all_channels = True

    gamma: PositiveRange
    range: PositiveNumber | None = None

    def compiled(self) -> CompiledStep | None:
        """One setting; without a draw the operation depends on dtype and axes alone."""
        if not self.varies:
            return ("values", False, False)
        return compiled_values("gamma", self.gamma, range=self.range, pointwise=True)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One NumPy expression."""
        top = value_range(image.dtype.name, self.range)
        scaled = top * (np.clip(image.astype(np.float64), 0, top) / top) ** params["gamma"]
        return (np.rint(scaled) if image.dtype.kind in "uib" else scaled).astype(image.dtype)
