"""Shift and scale to the statistics a network was trained with."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from offgraph.core.specs import SpecT
from offgraph.steps.compiled import CompiledStep
from offgraph.steps.declaration import step
from offgraph.steps.kinds import Arithmetic, PointwiseStep, value_range
from offgraph.steps.parameters import PerChannel, PositiveNumber

__all__ = ["Normalize"]

_STATS = {"imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))}
"""Mean and standard deviation of red, green and blue, of values scaled to 0 to 1."""


@step
class Normalize(PointwiseStep):
    """Scale values to 0 to 1, subtract a mean, divide by a standard deviation; gives float32.

    A pointwise step: ``(value / range - mean) / std``. Exactness: the bytes of this expression in float64,
    rounded once to float32.

    Parameters
    ----------
    stats : str, optional
        'imagenet' for the mean and standard deviation of its red, green and blue. Either this or `mean` and `std`.
    mean, std : float or one float per channel, optional
        Of values scaled to 0 to 1; `std` is above 0.
    range : float, optional
        The value that counts as 1. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a
        12-bit image stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> white = np.full((2, 2, 3), 255, np.uint8)
    >>> og.Compose([og.Normalize(mean=0.5, std=0.25)])(image=white).image.max()
    np.float32(2.0)
    """

    stats: Literal["imagenet"] | None = None
    mean: PerChannel | None = None
    std: PerChannel | None = None
    range: PositiveNumber | None = None

    def __post_init__(self) -> None:
        if (self.stats is None) == (self.mean is None) or (self.mean is None) != (self.std is None):
            raise ValueError("expected stats='imagenet', or both mean= and std=")
        if min(self._std) <= 0:
            raise ValueError(f"expected std above 0, got {self.std}")

    @property
    def _mean(self) -> tuple[float, ...]:
        given = _STATS[self.stats][0] if self.stats is not None else self.mean
        return given if isinstance(given, tuple) else (given or 0.0,)

    @property
    def _std(self) -> tuple[float, ...]:
        given = _STATS[self.stats][1] if self.stats is not None else self.std
        return given if isinstance(given, tuple) else (given or 0.0,)

    def hints(self) -> list[str]:
        """Statistics of values from 0 to 255."""
        if max(map(abs, self._mean)) > 2 or max(self._std) > 2:
            return [
                f"mean={self.mean}, std={self.std} look like those of values up to 255; they are of values scaled to "
                "0 to 1: divide them by 255, or write range=1 if the values are not to be scaled"
            ] if self.range != 1 else []  # fmt: skip
        return []

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """float32; needs one mean and one standard deviation per channel, or one for all."""
        counts = {len(self._mean), len(self._std)} - {1}
        if counts and counts != {channels := spec.shape[spec.axes.index("C")] if "C" in spec.axes else 1}:
            raise ValueError(
                f"statistics of {'/'.join(map(str, sorted(counts)))} channels do not fit an image of "
                f"{channels} (axes {spec.axes}); read it with color='rgb', or give mean and std of one value"
            )
        value_range(spec.dtype, self.range)
        return spec.cast("float32")

    def arithmetic(self, params: dict[str, Any], dtype: str) -> Arithmetic:
        """The three operations of the definition."""
        top = value_range(dtype, self.range)
        return (("divide", (top,)), ("subtract", self._mean), ("divide", self._std))

    def compiled(self) -> CompiledStep | None:
        """The operation depends on dtype and axes alone."""
        return None if self.varies else ("values", False, False)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One NumPy expression."""
        mean, std = self._mean[channel % len(self._mean)], self._std[channel % len(self._std)]
        top = value_range(image.dtype.name, self.range)
        return ((image.astype(np.float64) / top - mean) / std).astype(np.float32)
