"""Tables looked up by the native core."""

from __future__ import annotations

import numpy as np

from offgraph.engine.calls import (
    call_native,
)
from offgraph.engine.native import core

__all__ = ["lookup"]


def lookup(array: np.ndarray, table: np.ndarray) -> np.ndarray:
    """``table[c, i]`` for every entry of `array`, where c is its channel and i its bits.

    Parameters
    ----------
    array : ndarray
        Of an integer type of 8 or 16 bits; channels on the last axis.
    table : ndarray, shape (channels, 256) or (channels, 65536)
        The answer for every value, in the order of the values' bits read as an unsigned number.

    Returns
    -------
    ndarray
        New, C-contiguous, of the table's type.
    """
    output = np.empty(array.shape, table.dtype)
    call_native(
        core.lookup,
        output.view(f"u{table.itemsize}"),
        np.ascontiguousarray(array).view(f"u{array.itemsize}"),
        np.ascontiguousarray(table).view(f"u{table.itemsize}"),
    )
    return output
