"""NIfTI from arrays: as one file, on the grid of another NIfTI where its header is given."""

from __future__ import annotations

import gzip
import io
from typing import Any

import numpy as np

from offgraph.core.axes import name_axes
from offgraph.formats.nifti import nibabel

__all__ = ["encode_nifti"]

_LETTERS = "XYZTC"
_LONGEST = (1 << 15) - 1  # an axis of NIfTI-1
_VECTOR = 1007


def encode_nifti(
    array: np.ndarray, axes: str | None = None, *, header: bytes | None = None, packed: bool = True
) -> bytes:
    """Encode an array as NIfTI-1, or as NIfTI-2 where an axis is too long for that: lossless, the same bytes each time.

    Parameters
    ----------
    array : ndarray
        bool (written as uint8), integers or floats of up to 64 bits.
    axes : str, optional
        One letter per axis of T, Z, Y, X, C. Three axes are a volume, ``"ZYX"``, unless given. Channels become the
        fifth axis of the file, as the standard has it.
    header : bytes, optional
        Of the NIfTI on whose grid the array lies: voxel sizes, orientation and origin are taken from it.
    packed : bool
        Whether it is compressed by gzip, as a ``.nii.gz``.

    Raises
    ------
    ValueError
        For other dtypes, empty arrays, and a header of another grid.
    FormatError
        Where nibabel is not installed.
    """
    library = nibabel()
    array = np.asarray(array)
    if (
        array.dtype.kind not in "biuf"
        or array.dtype.itemsize > 8
        or array.dtype == np.float16
        or not array.size
    ):
        raise ValueError(f"NIfTI cannot hold {array.dtype} of shape {array.shape}")
    named = name_axes(array.shape, "ZYX" if axes is None and array.ndim == 3 else axes)
    values = array.astype(np.uint8) if array.dtype == bool else array
    order = [named.index(letter) for letter in _LETTERS if letter in named]
    values = values.transpose(order)
    if "C" in named or "T" in named:
        kept = [letter for letter in _LETTERS if letter in named]
        last = _LETTERS.index(kept[-1])
        sizes = dict(zip(kept, values.shape, strict=True))
        values = values.reshape([sizes.get(letter, 1) for letter in _LETTERS[: last + 1]])
    given = None if header is None else _read(library, header)
    if given is not None and _grid(given.get_data_shape()) != _grid(values.shape):
        raise ValueError(
            f"an array of {array.shape}, axes {named}, does not lie on the grid of a NIfTI of "
            f"{tuple(reversed(given.get_data_shape()))}, slowest axis first"
        )
    second = max(values.shape) > _LONGEST or isinstance(given, library.Nifti2Header)
    kind = library.Nifti2Image if second else library.Nifti1Image
    stored = values.astype(values.dtype.newbyteorder("<"), copy=False)
    image = kind(stored, *_placed(library, given), dtype=stored.dtype)
    if "C" in named:
        image.header.set_intent(_VECTOR)
    data: bytes = image.to_bytes()
    if not packed:
        return data
    out = io.BytesIO()
    with gzip.GzipFile("", "wb", 6, out, mtime=0) as file:
        file.write(data)
    return out.getvalue()


def _placed(library: Any, given: Any) -> tuple[Any, Any]:
    """Affine and header of the new file: what they say of the grid, and nothing of the old numbers."""
    if given is None:
        return None, None  # where the voxels lie is not known, and not declared
    kept = type(given)(endianness="<")
    for name in ("qform_code", "sform_code", "xyzt_units"):
        kept[name] = int(given[name])
    for name in ("pixdim", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"):
        kept[name] = np.asarray(given[name], float)
    for name in ("srow_x", "srow_y", "srow_z"):
        kept[name] = np.asarray(given[name], float)
    return None, kept


def _read(library: Any, header: bytes) -> Any:
    kind = library.Nifti2Header if header.startswith(b"n+2\0", 4) else library.Nifti1Header
    return kind(header, check=False)


def _grid(shape: Any) -> tuple[int, ...]:
    """Lengths along X, Y and Z."""
    lengths = [int(n) for n in shape[:3]]
    return (*lengths, *[1] * (3 - len(lengths)))
