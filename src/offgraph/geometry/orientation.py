"""EXIF orientations as coordinate maps."""

from __future__ import annotations

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.geometry.affine_map import AffineMap

__all__ = ["orientation_map"]


# EXIF orientation: does the upright image swap axes, then: does its row or column run backwards in the stored one.
_ORIENTATIONS: dict[int, tuple[bool, bool, bool]] = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


def orientation_map(orientation: int, stored_size: tuple[int, int]) -> AffineMap:
    """Return the map from an upright image to the pixels as the file stores them.

    Parameters
    ----------
    orientation : int
        The EXIF value, 1 to 8; 1 is "stored upright".
    stored_size : tuple of int
        (H, W) in the file, before any turning.

    Examples
    --------
    A phone held upright stores 3 rows of 4 and says 6, "turn clockwise":

    >>> orientation_map(6, (3, 4)).output_size
    (4, 3)
    """
    if orientation not in _ORIENTATIONS:
        raise OffgraphError(f"EXIF orientation {orientation!r}: known are 1 to 8")
    swapped, row_back, column_back = _ORIENTATIONS[orientation]
    matrix = np.diag([-1.0 if row_back else 1.0, -1.0 if column_back else 1.0])
    if swapped:
        matrix = matrix[:, ::-1]
    offset = np.array([(n - 1.0) * back for n, back in zip(stored_size, (row_back, column_back))])
    size = (stored_size[1], stored_size[0]) if swapped else (stored_size[0], stored_size[1])
    return AffineMap(matrix, offset, stored_size, size)
