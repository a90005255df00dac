"""EXIF orientations as coordinate maps."""

from __future__ import annotations

from offgraph.core.errors import OffgraphError
from offgraph.geometry.grid_map import GridMap

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


def orientation_map(orientation: int, stored_size: tuple[int, int]) -> GridMap:
    """Return the map from an upright image to the pixels as the file stores them.

    Parameters
    ----------
    orientation : int
        The EXIF value, 1 to 8; 1 is "stored upright".
    stored_size : tuple of int
        (H, W) in the file, before any turning.

    Raises
    ------
    OffgraphError
        For another value.

    Examples
    --------
    A phone held upright stores 3 rows of 4 and says 6, "turn clockwise":

    >>> orientation_map(6, (3, 4)).output_size
    (4, 3)
    """
    if orientation not in _ORIENTATIONS:
        raise OffgraphError(f"EXIF orientation {orientation!r}: known are 1 to 8")
    swapped, row_back, column_back = _ORIENTATIONS[orientation]
    backwards = [axis for axis, back in enumerate((row_back, column_back)) if back]
    unflipped = GridMap.flip(backwards, stored_size)
    if not swapped:
        return unflipped
    turned = unflipped.then(GridMap.transpose((1, 0), stored_size))
    assert isinstance(turned, GridMap)  # two grid maps join into one
    return turned
