"""What a file says of the world around its pixels: how far apart they are, and where their axes point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["OPPOSITE", "Calibration", "shortest"]

OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "S": "I", "I": "S"}
"""Where the other end of an axis points."""


@dataclass(frozen=True)
class Calibration:
    """Pixel sizes and orientation as a file declares them.

    Parameters
    ----------
    spacing : mapping of str to float
        Distance of neighbouring pixels along the axes of which it is known, each above 0, by its letter.
    unit : str
        Of those numbers: ``"mm"`` of NIfTI, ``"µm"`` of TIFF; other units are converted to these.
    codes : str or None
        Where the axes of a volume point, slices first, as `Orientation` has it; None where the file does not say.
    header : bytes or None
        The header of a NIfTI file, from which a file on the same grid is written.
    """

    spacing: Mapping[str, float]
    unit: str
    codes: str | None = None
    header: bytes | None = field(default=None, repr=False)

    def turned(self, orientation: int) -> Calibration:
        """Return it after an EXIF orientation was applied: from 5 on rows become columns."""
        if orientation < 5:
            return self
        swapped = {"Y": "X", "X": "Y"}
        spacing = {swapped.get(axis, axis): side for axis, side in self.spacing.items()}
        return Calibration(spacing, self.unit)


def shortest(value: float) -> float:
    """Return the shortest decimal that is the same in 32 bits: files hold 0.7 as 0.699999988."""
    return float(str(np.float32(value)))
