"""Targets are types: what a step does with an array follows from what the array is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offgraph.core.axes import name_axes
from offgraph.core.errors import StepError
from offgraph.core.specs import ArraySpec

__all__ = ["Image"]


def _parse(kind: str, array: object, axes: str | None) -> tuple[np.ndarray, str]:
    parsed = np.asarray(array)
    if parsed.dtype.kind not in "buif" or parsed.dtype.itemsize > 8 or parsed.dtype == np.float16:
        raise StepError(
            f"{kind} of dtype {parsed.dtype}: bool, integers up to 64 bits, float32 and float64 are understood; "
            "convert it first, for example with array.astype('float32')"
        )
    if not parsed.dtype.isnative:
        parsed = parsed.astype(parsed.dtype.newbyteorder("="))
    return parsed, name_axes(parsed.shape, axes)


@dataclass(frozen=True, eq=False)
class Image:
    """Measured values on a grid: they may be interpolated, filtered and scaled.

    Parameters
    ----------
    array : array_like
        bool, integer, float32 or float64. Never modified, and not copied.
    axes : str, optional
        One letter an axis, ``"YXC"`` for height, width, channels; see `offgraph.core.axes.name_axes`. Needed where the
        shape leaves a doubt.

    Raises
    ------
    StepError
        For a dtype that is no image (complex, float16, objects) and for axes that are missing or do not fit.

    Examples
    --------
    >>> Image(np.zeros((4, 5, 3), np.uint8)).axes
    'YXC'
    """

    array: np.ndarray
    axes: str = None  # type: ignore[assignment]  # named in __post_init__

    def __post_init__(self) -> None:
        array, axes = _parse("an image", self.array, self.axes)
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "axes", axes)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.array.dtype} {self.array.shape} {self.axes}>"

    @property
    def spec(self) -> ArraySpec:
        """Shape, dtype and axes."""
        return ArraySpec.of(self.array, self.axes)
