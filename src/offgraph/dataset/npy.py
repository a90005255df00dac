"""Arrays of datasets as ``.npy`` files, whose headers are trusted no more than the records."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np

from offgraph.core.errors import BuildError
from offgraph.dataset.example import Encoded, decode_array

__all__ = ["npy_file", "npy_values"]


def npy_file(array: Encoded) -> bytes:
    """Make a file of an array."""
    file = io.BytesIO()
    values = decode_array(array.data, array.describe(), sys.maxsize)
    np.lib.format.write_array(file, values, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def npy_values(data: bytes, described: dict[str, Any]) -> bytes:
    """Return the values in a file whose header says what the record says, so that it cannot claim any memory.

    Raises
    ------
    BuildError
        Where it says otherwise.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"version {version}")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception as error:  # NumPy's parser lets out what Python's own raises on odd text
        raise BuildError(f"a damaged .npy file ({error})") from error
    if shape != tuple(described["shape"]) or fortran or dtype.newbyteorder("=").name != described["dtype"]:
        raise BuildError(
            f"stored as {described['dtype']} of shape {described['shape']}, but its header says otherwise"
        )
    return data[file.tell() :]
