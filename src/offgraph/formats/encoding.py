"""Encode arrays to files: lossless for the dtype, or refused with a reason; never half a file."""

from __future__ import annotations

import errno
import io
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.arguments import path_of, plain_array
from offgraph.core.axes import name_axes
from offgraph.core.errors import ArgumentError, WriteError
from offgraph.core.file_names import split_suffix
from offgraph.formats.base import FormatError
from offgraph.formats.nifti import header_of
from offgraph.formats.nifti_writing import encode_nifti
from offgraph.formats.png_writing import encode_png_fast

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

__all__ = [
    "encode_jpeg",
    "encode_npy",
    "encode_png",
    "encode_tiff",
    "imwrite",
    "show",
    "write",
    "write_bytes",
]


def encode_png(array: np.ndarray) -> bytes:
    """Encode an image as PNG: lossless, and the same bytes for the same array.

    Parameters
    ----------
    array : ndarray
        (H, W) or (H, W, C) with C of 1 to 4 (grey, grey and alpha, RGB, RGBA); uint8, uint16, or bool with
        two axes.

    Returns
    -------
    bytes
        `offgraph.formats.decoding.read` decodes them to the same array; (H, W, 1) becomes (H, W).

    Raises
    ------
    ValueError
        Where PNG cannot hold the array without loss.

    Examples
    --------
    >>> import numpy as np
    >>> from offgraph.formats.decoding import read
    >>> array = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    >>> bool((read(encode_png(array)).array == array).all())
    True
    """
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    channels = 1 if array.ndim == 2 else array.shape[-1]
    if array.ndim not in (2, 3) or not 1 <= channels <= 4 or not array.size:
        raise ValueError(
            f"an array of shape {array.shape} is not a PNG: give (H, W) or (H, W, C) with 1 to 4 channels; "
            "write stacks as TIFF"
        )
    if array.dtype in (np.uint8, np.uint16):
        return encode_png_fast(array)
    if not (array.dtype == bool and array.ndim == 2):
        raise ValueError(
            f"PNG holds uint8, uint16 or (H, W) bool, not {array.dtype} of shape {array.shape}; "
            "write it as TIFF, or rescale it on purpose"
        )
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(out, "PNG", compress_level=6)
    return out.getvalue()


def encode_jpeg(array: np.ndarray, quality: int = 95) -> bytes:
    """Encode a uint8 image, (H, W) or (H, W, 3), as JPEG with full colour resolution (4:4:4). Lossy.

    Raises
    ------
    ValueError
        For any other dtype or shape, or a quality outside 1 to 100.
    """
    from imagecodecs import (
        jpeg8_encode,
    )  # simplejpeg encodes with a fast transform below 96, 5 % further off at 95

    array = np.asarray(array)
    grey = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1)
    if array.dtype != np.uint8 or not array.size or not (grey or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(
            f"JPEG holds uint8 of (H, W) or (H, W, 3), not {array.dtype} of shape {array.shape}; "
            "write it as PNG or TIFF"
        )
    if not 1 <= quality <= 100:
        raise ValueError(f"quality={quality}: use 1 to 100")
    if max(array.shape[:2]) > 65500:
        raise ValueError(
            f"JPEG holds at most 65500 pixels per side, not {array.shape[:2]}; write it as PNG or TIFF"
        )
    pixels = np.ascontiguousarray(array.reshape(array.shape[:2]) if grey else array)
    return bytes(jpeg8_encode(pixels, quality, subsampling=None if grey else "444"))


def encode_tiff(array: np.ndarray, axes: str | None = None) -> bytes:
    """Encode an array of any real dtype and any axes as TIFF: lossless (deflate), its axes written into it.

    Parameters
    ----------
    array : ndarray
        bool (without channels), integers or floats.
    axes : str, optional
        One letter per axis of T, Z, Y, X, C; needed where the shape leaves a doubt.

    Raises
    ------
    ValueError
        For complex and other dtypes, bool with channels, empty arrays, or axes that do not fit.
    """
    import tifffile

    array = np.asarray(array)
    axes = name_axes(array.shape, axes)
    if array.dtype.kind not in "biuf" or not array.size:
        raise ValueError(f"TIFF cannot hold {array.dtype} of shape {array.shape}")
    if array.dtype == bool and "C" in axes:  # the bits of a row would be packed across its channels
        raise ValueError(f"TIFF cannot hold bool with channels, shape {array.shape}; write it as uint8")
    planes = array.shape[axes.index("C")] if axes.endswith("YXC") else 0
    colour = planes in (3, 4) and array.dtype.kind == "u"
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))),
        photometric="rgb" if colour else "minisblack",
        extrasamples=["unassalpha"] if colour and planes == 4 else None,
        planarconfig="contig" if axes.endswith("YXC") else None,
        compression=None if array.dtype == bool else "zlib",
        metadata={"axes": axes.replace("YXC", "YXS") if axes.endswith("YXC") else axes},
        software="",
    )
    return out.getvalue()


def encode_npy(array: np.ndarray) -> bytes:
    """Encode an array as NumPy's ``.npy``: lossless, of any shape; its axes are not in it.

    Raises
    ------
    ValueError
        For what is not bool, integers or floats of up to 64 bits, or empty.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8 or not array.size or array.ndim < 2:
        raise ValueError(f"an array of {array.dtype} and shape {array.shape} is not an image to write")
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ascontiguousarray(array), allow_pickle=False)
    return out.getvalue()


_BY_SUFFIX = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".npy": "npy",
    ".nii": "nifti",
    ".nii.gz": "nifti",
}


def write(
    path: str | os.PathLike[str],
    array: np.ndarray,
    *,
    axes: str | None = None,
    quality: int | None = None,
    like: str | os.PathLike[str] | None = None,
) -> None:
    """Write an array in the format that the path's suffix names: PNG, TIFF, JPEG, NPY or NIfTI.

    Values are never rescaled. What the format cannot hold is an error that names a format that can. The file
    appears whole or not at all: it is written under a temporary name beside it and renamed.

    Parameters
    ----------
    path : path
        Ends in .png (uint8, uint16, bool), .tif or .tiff (any real dtype and any axes, lossless), .jpg or
        .jpeg (uint8, lossy), .npy (any real dtype and any shape, without the names of the axes), or .nii or .nii.gz (any
        real dtype; needs ``offgraph[nifti]``).
    array : ndarray
        (H, W), (H, W, C) or, for TIFF and NIfTI, a stack.
    axes : str, optional
        One letter per axis; needed for a stack.
    quality : int, optional
        For JPEG, 1 to 100. Default: 95.
    like : path, optional
        For NIfTI, the file on whose grid the array lies, also a NIfTI: voxel sizes, orientation and origin are its own.
        Without it the file declares none.

    Raises
    ------
    ArgumentError
        Where the format cannot hold the array, naming file, dtype and shape.
    WriteError
        Where the file cannot be written.
    """
    path = path_of("path", path)
    array = plain_array(f"{path}: array=", array)
    suffix = split_suffix(path.name)[1]
    kind = _BY_SUFFIX.get(suffix.lower())
    header = None if like is None else header_of(like)
    try:
        if kind is None:
            raise ValueError(f"suffix {suffix!r} is not one of {', '.join(_BY_SUFFIX)}")
        if quality is not None and kind != "jpeg":
            raise ValueError(f"quality={quality} is for JPEG only")
        if like is not None and kind != "nifti":
            raise ValueError(f"like={os.fspath(like)!r:.80} is for NIfTI only")
        if kind == "npy":
            data = encode_npy(array)
        elif kind == "nifti":
            data = encode_nifti(array, axes, header=header, packed=suffix.lower().endswith(".gz"))
        elif kind == "tiff":
            data = encode_tiff(array, axes)
        else:
            named = name_axes(array.shape, axes)
            if named not in ("YX", "YXC"):
                raise ValueError(f"an array with axes {named} can only be written as TIFF or NIfTI")
            data = (
                encode_png(array) if kind == "png" else encode_jpeg(array, 95 if quality is None else quality)
            )
    except (ValueError, FormatError) as error:
        raise ArgumentError(f"{path}: {error}") from error
    write_bytes(path, data)


imwrite = write


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file whole or not at all: under a temporary name in the same folder, then renamed.

    Raises
    ------
    WriteError
        Where it cannot be written; the temporary file is removed.
    """
    path = Path(path)
    if not path.name:  # "", "." or "/"
        raise _unwritable(path, IsADirectoryError(errno.EISDIR, "it is a folder; give the name of a file"))
    if not path.parent.is_dir():
        raise _unwritable(
            path, FileNotFoundError(errno.ENOENT, f"there is no folder {path.parent}; make it first")
        )
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _unwritable(path: Path, error: OSError) -> WriteError:
    """Name the file that was asked for, not the temporary one beside it; the cause keeps its number."""
    return WriteError(f"{path}: cannot be written: {error.strerror or error}", error)


def show(image: str | os.PathLike[str] | np.ndarray) -> Any:
    """Show an image: in a notebook inline, elsewhere in the platform's viewer.

    Only what is shown is rescaled: anything but uint8 is stretched from its smallest to its largest finite
    value; of a stack the first image is shown, of more than four channels the first.

    Parameters
    ----------
    image : path or ndarray
        A file that `offgraph.imread` reads, or (H, W), (H, W, C) or a stack.

    Returns
    -------
    PIL.Image.Image or None
        In a notebook the image, which it displays; elsewhere None.
    """
    shown = _displayable(image)
    if _in_notebook():
        return shown
    shown.show()
    return None


def _displayable(image: str | os.PathLike[str] | np.ndarray) -> PillowImage:
    from PIL import Image

    if isinstance(image, np.ndarray):
        array = plain_array("image=", image)
    else:
        from offgraph.formats.decoding import imread

        array = imread(image)
    if array.ndim < 2 or not array.size:
        raise ArgumentError(f"an array of shape {array.shape} is not an image")
    while array.ndim > 3 or (array.ndim == 3 and array.shape[-1] > 4 and array.shape[0] <= array.shape[-1]):
        array = array[0]
    if array.ndim == 3 and array.shape[-1] > 4:
        array = array[..., 0]
    if array.dtype != np.uint8:
        array = _stretch(array)
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array))


def _stretch(array: np.ndarray) -> np.ndarray:
    values = array.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    span = (high - low) or 1.0
    return np.nan_to_num(np.clip((values - low) / span, 0, 1) * 255).round().astype(np.uint8)


def _in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel, without importing IPython where nobody else has."""
    import sys

    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"
