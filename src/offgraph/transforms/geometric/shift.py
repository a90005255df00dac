"""Shift an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.compiled import CompiledStep, compiled_shifts, has_known_roundings
from offgraph.steps.declaration import step
from offgraph.steps.parameters import PerAxis
from offgraph.steps.parameters import Shift as ShiftSetting
from offgraph.transforms.geometric._matrix import MatrixStep, drawn_shift, pull_matrix, shift_varies

__all__ = ["Shift"]


@step
class Shift(MatrixStep):
    """Shift an image, by parts of pixels too.

    A geometric step; the size stays. Exactness: the bytes of `scipy.ndimage.affine_transform` on each channel, with a
    matrix of ones on its diagonal. By whole pixels nothing is resampled where steps are joined.

    Parameters
    ----------
    shift : one float or (low, high) for each spatial axis
        Pixels, (rows, columns), with the sign of `scipy.ndimage.shift`: positive moves the content down and to the right.
        ``(3, -2)`` is fixed, ``((-5, 5), (-5, 5))`` draws for both axes independently. ``"10%"`` is a share of that side
        of the image; ``{"X": ("-10%", "10%")}`` moves the axes that are named.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Shift((0, 1), mode="nearest")])(image=np.array([[10, 20, 30]], np.uint8)).image
    array([[10, 10, 20]], dtype=uint8)
    """

    shift: ShiftSetting

    def hints(self) -> list[str]:
        """A fixed shift that looks like a range."""
        match self.shift:
            case (float(low), float(high)) if low < 0 < high:
                return [
                    *super().hints(),
                    f"shift={self.shift} is a fixed shift by {low:g} rows and {high:g} columns; "
                    f"for a range write shift=({self.shift}, {self.shift})",
                ]
        return super().hints()

    @property
    def varies(self) -> bool:
        """Whether an axis has a range."""
        return shift_varies(self.shift)

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the shift in pixels, one for each axis."""
        return {"shift": drawn_shift("shift", self.shift, draw, spec)}

    def pull(self, params: dict[str, Any], size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """No matrix, and the shift."""
        return pull_matrix({"scale": 1.0, "shear": 0.0, "rotate": 0.0, "translate": params["shift"]}, size)

    def compiled(self) -> CompiledStep | None:
        """`Affine` without scale, shear and turn."""
        shifts = compiled_shifts(self.shift)
        if shifts is None or not has_known_roundings():
            return None
        plain = (1.0,), (0, 0)
        by_name = isinstance(self.shift, PerAxis)
        return ("affine", plain, ((0.0,), (0, None)), 0.0, shifts, by_name, True)
