"""Swap two axes."""

from __future__ import annotations

from typing import Any

from offgraph.steps.declaration import step
from offgraph.transforms.geometric._plane import PlaneStep

__all__ = ["Transpose"]


@step
class Transpose(PlaneStep):
    """Swap rows and columns: mirror along the diagonal.

    A geometric step. The two lengths of the plane change places. Exactness: whole pixels, equal to `numpy.swapaxes`.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Transpose()])(image=np.array([[1, 2, 3], [4, 5, 6]], np.uint8)).image
    array([[1, 4],
           [2, 5],
           [3, 6]], dtype=uint8)
    """

    def symmetry(self, params: dict[str, Any]) -> str:
        """The transposition."""
        return "t"

    def possible(self) -> tuple[str, ...]:
        """That alone."""
        return ("t",)
