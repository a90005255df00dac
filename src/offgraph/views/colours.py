"""The colours of labels, frames and text."""

from __future__ import annotations

import numpy as np

__all__ = ["INK", "PALETTE", "PAPER", "QUIET", "WRONG"]

PALETTE = np.array(
    [
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (204, 121, 167),
    ],
    np.uint8,
)
"""The palette of Okabe and Ito, which is safe for colour blindness; label n has colour (n - 1) mod 7."""

INK, PAPER, QUIET, WRONG = (28, 30, 33), (255, 255, 255), (176, 180, 186), (213, 94, 0)
