"""NIfTI-1 and NIfTI-2 in one file, as it is or compressed by gzip: the header by nibabel, the voxels by their place.

A NIfTI stores X fastest; its array is read with the axes reversed, (Z, Y, X), which is the order of its bytes. Nothing in
it is unpickled, and extensions after the header are not read.
"""

from __future__ import annotations

import importlib
import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.axes import SPATIAL, name_axes
from offgraph.core.calibration import Calibration, shortest
from offgraph.core.errors import DecodeError, StepError
from offgraph.core.machine import read_error
from offgraph.formats.base import FormatError, Limits, StoredImage, no_such_page

__all__ = ["MAGICS", "Header", "decode", "header_of", "holds_nifti", "nibabel", "read_header", "scaled"]

MAGICS = ((344, b"n+1\0"), (4, b"n+2\0"))
"""Where NIfTI-1 and NIfTI-2 say that header and voxels are one file."""

_GZIP = b"\x1f\x8b"
_LONGEST = 540  # bytes of a header of NIfTI-2; one of NIfTI-1 has 348
_PART = 1 << 22
_PIXELS_PER_BYTE = 1032  # of deflate, at the best
_METRES = {1: 1000.0, 2: 1.0, 3: 0.001}  # codes of xyzt_units: m, mm and µm in mm
_SLAB = 1 << 20


def nibabel() -> Any:
    """Return the library.

    Raises
    ------
    FormatError
        Where it is not installed; says how it is.
    """
    try:
        return importlib.import_module("nibabel")
    except ImportError as error:
        raise FormatError(
            "a NIfTI volume, whose header nibabel reads, which is not installed: pip install 'offgraph[nifti]'"
        ) from error


@dataclass(frozen=True, eq=False)
class Header:
    """What the header of a NIfTI says.

    Parameters
    ----------
    shape : tuple of int
        In our order: slowest axis first.
    axes : str
        One letter per axis.
    dtype : numpy.dtype
        As stored, in the file's byte order; of three or four bytes of colour ``uint8``, the last axis being ``C``.
    at : int
        Where the voxels begin.
    slope, inter : float or None
        By which stored numbers become values; None where they are the values.
    calibration : Calibration
    notes : tuple of str
    """

    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype[Any]
    at: int
    slope: float | None
    inter: float | None
    calibration: Calibration
    notes: tuple[str, ...]

    @property
    def made(self) -> np.dtype[Any]:
        """The dtype of the values, in native byte order."""
        if self.slope is None:
            return self.dtype.newbyteorder("=")
        few = self.dtype.itemsize <= 2 or self.dtype == np.float32
        return np.dtype(np.float32 if few else np.float64)

    @property
    def needed(self) -> int:
        """Bytes of a file that holds all voxels."""
        return self.at + math.prod(self.shape) * self.dtype.itemsize


def holds_nifti(data: bytes) -> bool:
    """Whether a file compressed by gzip begins as a NIfTI."""
    if not data.startswith(_GZIP):
        return False
    try:
        start = zlib.decompressobj(31).decompress(data[: 1 << 16], _LONGEST)
    except zlib.error:
        return False
    return any(start.startswith(magic, at) for at, magic in MAGICS)


def decode(data: bytes, limits: Limits, axes: str | None = None, page: int | None = None) -> StoredImage:
    """Decode a volume of integers or floats, or of three or four bytes of colour.

    Numbers with a slope and an intercept become ``stored * slope + inter``, added up in float64: what nibabel's
    ``get_fdata`` gives, rounded to float32 where the file holds no more than 16 bits, or float32. Where slope and intercept
    are 1 and 0, or the slope is 0, the numbers stay what they are.

    Parameters
    ----------
    data : bytes
        The whole file.
    limits : Limits
        Checked before the array is made, or anything but the header is unpacked.
    axes : str, optional
        Names of the axes, slowest first. Needed to make channels of a fourth axis, which is time otherwise: ``"CZYX"``.
    page : int, optional
        0; a volume has no pages.
    """
    if page:
        raise FormatError(no_such_page(page, 1))
    stored_bytes, packed = len(data), data.startswith(_GZIP)
    header = read_header(_unpacked(data, _LONGEST) if packed else data[:_LONGEST], axes)
    size = dict(zip(header.axes, header.shape, strict=True))
    limits.check(
        size["Y"],
        size["X"],
        frames=size.get("Z", 1) * size.get("T", 1),
        pixel_bytes=size.get("C", 1) * max(header.dtype.itemsize, header.made.itemsize),
    )
    if packed:
        if header.at > _PART:
            raise FormatError(f"damaged: its voxels begin at byte {header.at:,}")
        limits.check_plausible(header.needed, stored_bytes, _PIXELS_PER_BYTE)
        data = _unpacked(data, header.needed)
    if len(data) < header.needed:
        raise FormatError(f"truncated: {len(data):,} of {header.needed:,} bytes")
    stored = np.frombuffer(data, header.dtype, math.prod(header.shape), header.at).reshape(header.shape)
    array = scaled(stored, header)
    colours = header.axes.endswith("YXC") and array.dtype == np.uint8 and array.shape[-1] in (3, 4)
    layout = ("rgb" if array.shape[-1] == 3 else "rgba") if colours else "channels" if "C" in size else "grey"
    return StoredImage(
        array,
        header.axes,
        layout,
        alpha=layout == "rgba",
        notes=header.notes,
        calibration=header.calibration,
    )


def scaled(stored: np.ndarray, header: Header) -> np.ndarray:
    """Return the values of stored numbers, as a new array in C order."""
    made = np.empty(stored.shape, header.made)
    if header.slope is None or header.inter is None:
        made[...] = stored
        return made
    flat, into = stored.reshape(-1), made.reshape(-1)
    with np.errstate(all="ignore"):  # a slope may lead beyond the largest number, which is infinite then
        for at in range(0, flat.size, _SLAB):
            into[at : at + _SLAB] = flat[at : at + _SLAB].astype(np.float64) * header.slope + header.inter
    return made


def _unpacked(data: bytes, count: int) -> bytes:
    """The first bytes of a file in gzip, and not one more; members follow one another."""
    parts: list[bytes] = []
    have, rest = 0, data
    try:
        while have < count and rest.startswith(_GZIP):
            member = zlib.decompressobj(31)
            while have < count and not member.eof:
                part = member.decompress(rest, min(count - have, _PART))
                if not part and not member.unconsumed_tail and not member.eof:
                    break
                parts.append(part)
                have += len(part)
                rest = member.unconsumed_tail
            if not member.eof:
                break
            rest = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise FormatError(f"damaged: it cannot be unpacked ({error})") from error
    return b"".join(parts)


def read_header(data: bytes, axes: str | None = None) -> Header:
    """Read the header of a NIfTI, and name its axes.

    Parameters
    ----------
    data : bytes
        At least the first 540 bytes of the file, or all of it.
    axes : str, optional
        As for `decode`.

    Raises
    ------
    FormatError
        Where it is damaged, or says what is not read.
    """
    library = nibabel()
    second = data.startswith(b"n+2\0", 4)
    kind = library.Nifti2Header if second else library.Nifti1Header
    length = 540 if second else 348
    if len(data) < length:
        raise FormatError(f"truncated: {len(data):,} bytes, its header has {length}")
    try:
        header = kind(data[:length], check=False)
        dtype = header.get_data_dtype()
        begin = float(header["vox_offset"])
        scale: Any = header.get_slope_inter()
        slope, inter = scale
    except Exception as error:  # whatever nibabel raises of a header that is none
        raise FormatError(f"damaged: its header cannot be read ({error!s:.200})") from error
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise FormatError(f"damaged: its header declares {count} axes")
    lengths = [int(n) for n in header["dim"][1 : count + 1]]
    if min(lengths) < 1:
        raise FormatError(f"damaged or empty: its header says shape {tuple(lengths)}")
    if not math.isfinite(begin) or begin < 0 or begin != int(begin):
        raise FormatError(f"damaged: its voxels begin at byte {begin:g}")
    colours = len(dtype.names or ())
    if colours:
        dtype = np.dtype(np.uint8)
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or dtype.itemsize < 1:
        raise FormatError(f"holds {dtype}; integers and floats of up to 64 bits, and RGB, are read")
    if slope is not None and (colours or (slope, inter) == (1, 0)):
        slope = inter = None
    if slope is not None:
        slope, inter = float(scale[0]), float(scale[1])
    shape, named, notes = _named(lengths, colours, axes)
    return Header(
        shape,
        named,
        dtype,
        max(int(begin), length + 4),
        slope,
        inter,
        _calibration(header, named, data[:length]),
        notes,
    )


def header_of(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a NIfTI's header.

    Raises
    ------
    DecodeError
        Where the file cannot be read, or is no NIfTI.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(1 << 16)
        start = _unpacked(data, _LONGEST) if data.startswith(_GZIP) else data[:_LONGEST]
        if not any(start.startswith(magic, at) for at, magic in MAGICS):
            raise FormatError("not a NIfTI, whose grid could be taken over")
        found = read_header(start).calibration.header
        assert found is not None
        return found
    except OSError as error:
        raise read_error(os.fspath(path), error) from error
    except FormatError as error:
        raise DecodeError(f"{os.fspath(path)}: {error}") from error


def _named(
    lengths: list[int], colours: int, axes: str | None
) -> tuple[tuple[int, ...], str, tuple[str, ...]]:
    """Shape and axes in our order; the standard's fourth axis is time, its fifth the components of each voxel."""
    while len(lengths) > 3 and lengths[-1] == 1:
        lengths = lengths[:-1]
    if len(lengths) == 1:
        lengths = [*lengths, 1]
    letters = "XYZTC"
    if len(lengths) > len(letters):
        raise FormatError(f"has {len(lengths)} axes, {tuple(lengths)}: X, Y, Z, time and components are read")
    kept = [(n, name) for n, name in zip(lengths, letters) if name in "XYZ" or n > 1]
    shape = tuple(n for n, _ in reversed(kept))
    named = "".join(name for _, name in reversed(kept))
    if colours:
        if "C" in named:
            raise FormatError("holds colours with components; one of them is read")
        shape, named = (*shape, colours), named + "C"
    if axes is None:
        said = f"the {shape[0]} volumes are read as times; axes='CZYX' makes channels of them"
        return shape, named, (said,) if named == "TZYX" else ()
    if colours and len(axes) == len(shape) and axes[-1] != "C":
        raise FormatError(f"axes={axes!r}: the last axis holds its colours, C")
    try:
        return shape, name_axes(shape, axes), ()
    except StepError as error:
        raise FormatError(f"{error}; its axes are {named}, of {shape}") from error


def _calibration(header: Any, named: str, data: bytes) -> Calibration:
    """Voxel sizes in millimetres, and where the axes point, of the affine that the file declares."""
    library = nibabel()
    declared = bool(int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0)
    sides, codes = np.asarray(header["pixdim"][1:4], np.float64), None
    try:
        affine = np.asarray(header.get_best_affine(), np.float64) if declared else None
    except Exception:  # a quaternion that is none: the sizes are known all the same
        affine = None
    with np.errstate(all="ignore"):
        if affine is not None and np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 0:
            found = library.orientations.aff2axcodes(affine)
            codes = None if None in found else "".join(found[::-1])
            sides = np.sqrt((affine[:3, :3] ** 2).sum(0))
    sides = np.abs(sides) * _METRES.get(int(header["xyzt_units"]) & 7, 1.0)
    grid = named[:-1] if header.get_data_dtype().names else named
    known = {
        axis: shortest(float(side))
        for axis, side in zip(reversed(grid), sides)
        if axis in SPATIAL and math.isfinite(side) and 1e-30 < side < 1e30
    }
    return Calibration(known, "mm", codes if grid.endswith(SPATIAL) else None, data)
