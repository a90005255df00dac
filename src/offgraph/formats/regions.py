"""Images that are read part by part: TIFF by its tiles or strips, NPY, NIfTI and other arrays on disk by their places.

What is read is what the file holds: numbers as they are stored. A file whose pixels need more than that, a palette, ink, a
turn by its orientation or a decoder that runs in a process of its own, is read as a whole.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.arguments import path_of, refuse_masked
from offgraph.core.axes import SPATIAL, name_axes
from offgraph.core.errors import ArgumentError, DecodeError, OffgraphError, StepError
from offgraph.core.machine import is_machine, machine_error, read_error
from offgraph.formats import nifti
from offgraph.formats.base import FormatError, cause_of
from offgraph.formats.npy import read_header

__all__ = ["RegionReader", "open_regions"]

_SAMPLES = 4096
"""Values of an array without a file by which it is known again."""


@dataclass(frozen=True, eq=False)
class RegionReader:
    """An image of which any part can be read.

    Parameters
    ----------
    name : str
        For errors.
    shape : tuple of int
        Spatial axes in order, channels last.
    axes : str
        ``"YX"``, ``"YXC"``, ``"ZYX"`` or ``"ZYXC"``.
    dtype : numpy.dtype
        In native byte order.
    identity : mapping of str to JSON
        By which the same image is known again: where it is, its size and when it was written.
    fetch : callable
        Takes a slice for each spatial axis, inside the image, and returns the array.
    close : callable
        Gives back what is open.
    """

    name: str
    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype[Any]
    identity: Mapping[str, Any]
    fetch: Callable[[tuple[slice, ...]], np.ndarray] = field(repr=False)
    close: Callable[[], None] = field(repr=False, default=lambda: None)

    @property
    def size(self) -> tuple[int, ...]:
        """Spatial lengths."""
        return self.shape[: len(self.axes.replace("C", ""))]

    def read(self, window: tuple[slice, ...]) -> np.ndarray:
        """Return a part of the image, C-contiguous, in native byte order.

        Raises
        ------
        DecodeError
            Where the file is damaged there; names it.
        MachineError
            Where the drive or the memory failed.
        """
        try:
            found = np.ascontiguousarray(self.fetch(window), self.dtype)
        except OSError as error:
            raise read_error(self.name, error) from error
        except OffgraphError:
            raise
        except Exception as error:  # whatever a library raises for damaged bytes
            if is_machine(error):
                raise machine_error(self.name, error) from error
            raise DecodeError(f"{self.name}: {cause_of(error)}") from error
        wanted = tuple(one.stop - one.start for one in window)
        if found.shape[: len(wanted)] != wanted:
            raise DecodeError(f"{self.name}: gave {found.shape} for a part of {wanted}")
        return found


def open_regions(image: Any, axes: str | None = None) -> RegionReader:
    """Open an image to be read part by part.

    Parameters
    ----------
    image : path or array
        A TIFF, ``.npy`` or ``.nii`` file, a Zarr array (needs the library ``zarr``), or anything with ``shape``, ``dtype`` and slices: a NumPy
        memory map, a dataset of h5py or Zarr.
    axes : str, optional
        One letter per stored axis, of Z, Y, X and C; needed where the shape or the file leaves a doubt.

    Raises
    ------
    ArgumentError
        For what is neither.
    DecodeError
        For files that cannot be read, or not by parts; says what to do.
    """
    if not isinstance(image, str | os.PathLike):
        return _of_array(image, axes)
    path = path_of("image", image)
    if path.is_dir():
        return _of_zarr(path, axes)
    try:
        with path.open("rb") as file:
            start = file.read(540)
        if start[:6] == b"\x93NUMPY":
            return _of_npy(path, axes)
        if any(start.startswith(magic, at) for at, magic in nifti.MAGICS):
            return _of_nifti(path, start, axes)
        if start[:2] == b"\x1f\x8b":
            raise FormatError("a file in gzip has no parts that could be read: unpack it, gunzip scan.nii.gz")
        if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            from offgraph.formats.tiff_regions import TiffRegions

            tiff = TiffRegions(path, axes)
            return _reader(
                str(path), tiff.shape, tiff.axes, tiff.dtype, _identity(path), tiff.read, tiff.close
            )
    except OSError as error:
        raise read_error(str(path), error) from error
    except FormatError as error:
        raise DecodeError(f"{path}: {error}") from error
    raise DecodeError(
        f"{path}: parts are read of TIFF, NPY, NIfTI and Zarr; read this file as a whole, or convert it: og.imwrite('image.tif', "
        "og.imread(path))"
    )


def _identity(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {"path": str(path.resolve()), "bytes": found.st_size, "written": found.st_mtime_ns}


def _reader(
    name: str,
    shape: tuple[int, ...],
    axes: str,
    dtype: Any,
    identity: Mapping[str, Any],
    read: Callable[[tuple[slice, ...]], np.ndarray],
    close: Callable[[], None] = lambda: None,
) -> RegionReader:
    """A reader of an array whose axes are in any order: they come out in order, channels last."""
    stored = np.dtype(dtype)
    if stored.kind not in "biuf" or stored.itemsize > 8:
        raise DecodeError(f"{name}: holds {stored}; bool, integers and floats of up to 64 bits are read")
    if len(axes) != len(shape) or not {"Y", "X"} <= set(axes) <= {"Z", "Y", "X", "C"}:
        raise DecodeError(
            f"{name}: an image or volume has the axes Y and X, Z or not, C or not; this one has {axes!r}"
        )
    order = "".join(sorted(axes, key=(SPATIAL + "C").index))
    if 0 in shape:
        raise DecodeError(f"{name}: an image of shape {shape} has no pixels")
    turn = [axes.index(letter) for letter in order]

    def fetch(window: tuple[slice, ...]) -> np.ndarray:
        by_name = dict(zip(order, window))
        return np.asarray(
            read(tuple(by_name.get(letter, slice(0, n)) for letter, n in zip(axes, shape)))
        ).transpose(turn)

    return RegionReader(
        name,
        tuple(shape[i] for i in turn),
        order,
        stored.newbyteorder("="),
        {**identity, "shape": list(shape), "dtype": stored.name, "axes": axes},
        fetch,
        close,
    )


def _named(name: str, shape: tuple[int, ...], axes: str | None) -> str:
    try:
        return name_axes(shape, axes)
    except StepError as error:
        example = "ZYX" if len(shape) == 3 else "ZYXC"
        raise DecodeError(f"{name}: {error}; name its axes, such as axes={example!r}") from error


def _of_array(image: Any, axes: str | None) -> RegionReader:
    refuse_masked("image=", image)
    shape, dtype = getattr(image, "shape", None), getattr(image, "dtype", None)
    if not isinstance(shape, tuple) or dtype is None or not hasattr(image, "__getitem__"):
        raise ArgumentError(
            f"image={image!r:.80}: give the path of a TIFF, NPY or Zarr, or an array with shape, dtype and slices"
        )
    shape = tuple(int(n) for n in shape)
    name = str(getattr(image, "filename", None) or type(image).__name__)
    try:
        np.dtype(dtype)
    except TypeError as error:
        raise ArgumentError(f"{name}: dtype {dtype!r:.80} is none of NumPy's") from error
    reader = _reader(name, shape, _named(name, shape, axes), dtype, {}, image.__getitem__)
    return RegionReader(
        name,
        reader.shape,
        reader.axes,
        reader.dtype,
        {**reader.identity, "values": _digest(reader)},
        reader.fetch,
    )


def _digest(reader: RegionReader) -> str:
    """Of lines spread over an image that has no file by whose date it is known."""
    digest = hashlib.sha256()
    lines = int(np.prod(reader.size[:-1]))
    count = max(1, min(lines, _SAMPLES * 8 // max(reader.size[-1], 1)))
    for line in np.linspace(0, lines - 1, count).astype(int):
        place = np.unravel_index(line, reader.size[:-1])
        window = (*(slice(int(i), int(i) + 1) for i in place), slice(0, reader.size[-1]))
        digest.update(reader.read(window).tobytes())
    return digest.hexdigest()


def _of_npy(path: Path, axes: str | None) -> RegionReader:
    with path.open("rb") as file:
        shape, fortran, dtype, at = read_header(file.read(1 << 16))
    needed = at + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if path.stat().st_size < needed:
        raise FormatError(f"truncated: {path.stat().st_size:,} of {needed:,} bytes")
    if dtype.hasobject:
        raise FormatError(
            "holds Python objects, which would be unpickled; convert it to numbers, and np.save it again"
        )
    options: Any = {"mode": "r", "offset": at, "shape": shape, "order": "F" if fortran else "C"}

    def read(window: tuple[slice, ...]) -> np.ndarray:
        # Mapped for one part at a time, so that what was read does not stay in memory.
        found = np.array(np.memmap(path, dtype, **options)[window])
        return found.view(np.uint8) != 0 if dtype.kind == "b" else found

    return _reader(str(path), shape, _named(str(path), shape, axes), dtype, _identity(path), read)


def _of_nifti(path: Path, start: bytes, axes: str | None) -> RegionReader:
    header = nifti.read_header(start, axes)
    if (have := path.stat().st_size) < header.needed:
        raise FormatError(f"truncated: {have:,} of {header.needed:,} bytes")

    def read(window: tuple[slice, ...]) -> np.ndarray:
        # Mapped for one part at a time, so that what was read does not stay in memory.
        stored = np.memmap(path, header.dtype, mode="r", offset=header.at, shape=header.shape)
        return nifti.scaled(np.ascontiguousarray(stored[window]), header)

    return _reader(str(path), header.shape, header.axes, header.made, _identity(path), read)


def _of_zarr(path: Path, axes: str | None) -> RegionReader:
    try:
        import zarr
    except ImportError as error:
        raise DecodeError(
            f"{path}: is a folder; a Zarr array is opened by zarr, which is not installed: pip install zarr"
        ) from error
    try:
        array: Any = zarr.open_array(str(path), mode="r")
    except Exception as error:  # whatever zarr raises for a folder that is none
        raise DecodeError(f"{path}: is no Zarr array: {error!s:.200}") from error
    shape = tuple(int(n) for n in array.shape)
    identity = _identity_of_folder(path)
    return _reader(str(path), shape, _named(str(path), shape, axes), array.dtype, identity, array.__getitem__)


def _identity_of_folder(path: Path) -> dict[str, Any]:
    """Of all files below: a chunk that is written again leaves the date of the folder itself as it was."""
    files = bytes_ = written = 0
    for folder, _, names in os.walk(path):
        for name in names:
            found = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118  # there may be a million chunks
            files, bytes_, written = files + 1, bytes_ + found.st_size, max(written, found.st_mtime_ns)
    return {"path": str(path.resolve()), "files": files, "bytes": bytes_, "written": written}
