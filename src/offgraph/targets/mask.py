"""Labels on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offgraph.core.errors import StepError
from offgraph.core.specs import ArraySpec
from offgraph.targets.image import _parse

__all__ = ["Mask"]


@dataclass(frozen=True, eq=False)
class Mask:
    """Labels on a grid: whole numbers that are moved and never mixed, blurred or cast through float.

    Parameters
    ----------
    array : array_like
        bool or integer of any width.
    axes : str, optional
        One letter an axis.

    Raises
    ------
    StepError
        For a float array, whose values are measurements or probabilities and not labels.
    """

    array: np.ndarray
    axes: str = None  # type: ignore[assignment]  # named in __post_init__

    def __post_init__(self) -> None:
        array, axes = _parse("a mask", self.array, self.axes)
        if array.dtype.kind == "f":
            raise StepError(
                f"a mask of dtype {array.dtype}: a mask holds whole-number labels; "
                "write mask.astype('uint8') for labels, or pass probabilities as the image"
            )
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "axes", axes)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.array.dtype} {self.array.shape} {self.axes}>"

    @property
    def spec(self) -> ArraySpec:
        """Shape, dtype and axes."""
        return ArraySpec.of(self.array, self.axes)
