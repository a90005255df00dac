"""NumPy's ``.npy``: one array, as ``np.save`` writes it. Nothing in it is unpickled."""

from __future__ import annotations

import io
import math

import numpy as np

from offgraph.core.axes import name_axes
from offgraph.core.errors import StepError
from offgraph.formats.base import FormatError, Limits, StoredImage, no_such_page

__all__ = ["decode", "read_header"]

_LONGEST_HEADER = 10_000  # NumPy's own limit; it is parsed as Python literals


def decode(data: bytes, limits: Limits, axes: str | None = None, page: int | None = None) -> StoredImage:
    """Decode an array of bool, integers or floats, in C or Fortran order, of either byte order.

    Parameters
    ----------
    data : bytes
        The whole file.
    limits : Limits
        Checked before the array is made.
    axes : str, optional
        Names of the axes; needed for all but (H, W) and (H, W, C) of at most four channels.
    page : int, optional
        0; an array has no pages.
    """
    if page:
        raise FormatError(no_such_page(page, 1))
    shape, fortran, dtype, at = read_header(data)
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        what = "Python objects, which would be unpickled" if dtype.hasobject else f"dtype {dtype}"
        raise FormatError(
            f"holds {what}; bool, integers and floats of up to 64 bits are read: convert it with "
            "array.astype('float32'), and np.save it again"
        )
    named = _name(shape, axes)
    height, width = shape[named.index("Y")], shape[named.index("X")]
    samples = shape[named.index("C")] if "C" in named else 1
    frames = math.prod(n for n, name in zip(shape, named, strict=True) if name in "TZ")
    limits.check(height, width, frames=frames, pixel_bytes=max(1, samples) * dtype.itemsize)
    count = math.prod(shape)
    if len(data) - at < count * dtype.itemsize:
        raise FormatError(f"truncated: {len(data) - at:,} of {count * dtype.itemsize:,} bytes of numbers")
    array = np.frombuffer(data, dtype, count, at).reshape(shape, order="F" if fortran else "C")
    if array.dtype == bool:  # a byte of another value would be neither true nor false
        array = array.view(np.uint8) != 0
    array = np.array(array, dtype.newbyteorder("="), order="C")
    layout = "channels" if "C" in named else "bilevel" if array.dtype == bool else "grey"
    return StoredImage(array, named, "rgb" if named == "YXC" and samples == 3 else layout)


def read_header(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise FormatError(f"version {version[0]}.{version[1]} of .npy is not read: np.save it again")
        shape, fortran, dtype = read(file, max_header_size=_LONGEST_HEADER)
    except FormatError:
        raise
    except Exception as error:  # a Python literal can be wrong in many ways
        raise FormatError(f"damaged: its header cannot be read ({error})") from error
    if any(n < 0 for n in shape):
        raise FormatError(f"damaged: its header says shape {shape}")
    return tuple(int(n) for n in shape), bool(fortran), dtype, file.tell()


def _name(shape: tuple[int, ...], axes: str | None) -> str:
    if len(shape) < 2:
        raise FormatError(f"an array of shape {shape} is not an image: it has {len(shape)} axes")
    try:
        return name_axes(shape, axes)
    except StepError as error:
        if axes is not None:
            raise FormatError(str(error)) from error
        example = "ZYX" if len(shape) == 3 else "".join("TZYXC"[-len(shape) :])
        raise FormatError(
            f"an array of shape {shape} does not say what its axes are; name them, such as axes={example!r}"
        ) from error
