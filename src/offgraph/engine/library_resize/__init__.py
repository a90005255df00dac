"""The resizes of Pillow, OpenCV, TensorFlow and PyTorch, each by the definition of its library, in NumPy.

A file per library, with its kernels under our names, the types it takes, and `resize`. `sums` has what they share. None of
the libraries is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from offgraph.engine.library_resize import opencv, pillow, tf, torch

__all__ = ["LIBRARIES", "Library", "LibraryKernel", "LibraryResize", "refusal", "refuse_image", "resize_like"]

Library = Literal["pillow", "pillow12", "opencv", "tf", "torch"]
"""Libraries whose resize there is."""

LibraryKernel = Literal[
    "box", "triangle", "cubic", "lanczos3", "nearest", "area", "cubic75", "lanczos4", "lanczos5",
    "hamming", "gaussian", "mitchell", "nearest-exact",
]  # fmt: skip
"""Kernels of `offgraph.engine.resize`, then those that only a library has."""

_MOST_WEIGHTS = 1 << 24
_WIDEST = 12
"""Pixels that the widest kernel reaches over, where nothing shrinks."""


class LibraryResize(NamedTuple):
    """What is known of a library.

    Parameters
    ----------
    title : str
    kernels : mapping of str to str
        Our names, and its own.
    dtypes : tuple of str
        Those that it takes.
    antialias : bool
        What it does unless it is told.
    chooses : bool
        Whether antialiasing is an option there.
    resize : callable
        ``resize(array, size, kernel, antialias)``, on the first two axes.
    """

    title: str
    kernels: Mapping[str, str]
    dtypes: tuple[str, ...]
    antialias: bool
    chooses: bool
    resize: Callable[[np.ndarray, tuple[int, int], str, bool], np.ndarray]


LIBRARIES: dict[str, LibraryResize] = {
    "pillow": LibraryResize("Pillow", pillow.KERNELS, pillow.DTYPES, True, False, pillow.resize),
    "pillow12": LibraryResize(
        "Pillow before 13", pillow.KERNELS, pillow.DTYPES, True, False, pillow.resize12
    ),
    "opencv": LibraryResize("OpenCV", opencv.KERNELS, opencv.DTYPES, False, False, opencv.resize),
    "tf": LibraryResize("TensorFlow", tf.KERNELS, tf.DTYPES, False, True, tf.resize),
    "torch": LibraryResize("PyTorch", torch.KERNELS, torch.DTYPES, True, True, torch.resize),
}
"""Each library by the name that recipes have for it."""


def refusal(like: str, kernel: str, antialias: bool) -> str:
    """Return why a library has no such resize, and what to write; or nothing."""
    known = LIBRARIES[like]
    if kernel not in known.kernels:
        listed = ", ".join(f"{ours!r} ({its})" for ours, its in known.kernels.items())
        return f"like={like!r}: {known.title} has no kernel {kernel!r}; it has {listed}"
    if antialias != known.antialias and not known.chooses:
        if antialias:
            return f"like={like!r}: {known.title} widens no kernel; leave antialias out, or write kernel='area', which averages"
        return f"like={like!r}: {known.title} always averages when it shrinks; leave antialias out"
    if like == "torch" and kernel == "lanczos3" and not antialias:
        return "like='torch': PyTorch has kernel='lanczos3' with antialias=True alone"
    return ""


def refuse_image(like: str, dtype: str, dimensions: int) -> None:
    """Raise a ValueError for an image that a library does not take.

    Parameters
    ----------
    like : str
    dtype : str
    dimensions : int
        Number of spatial axes.
    """
    known = LIBRARIES[like]
    if dimensions != 2:
        raise ValueError(f"like={like!r}: {known.title} resizes images of two spatial axes, not {dimensions}")
    if dtype not in known.dtypes:
        raise ValueError(
            f"like={like!r}: {known.title} takes {', '.join(known.dtypes)}, not {dtype}; cast the image before"
        )


def resize_like(
    array: np.ndarray,
    size: Sequence[int],
    *,
    axes: Sequence[int],
    like: Library,
    kernel: str,
    antialias: bool,
) -> np.ndarray:
    """Resize as a library does.

    Parameters
    ----------
    array : ndarray
        Of a dtype that the library takes, any further axes beside the two.
    size : sequence of int
        Lengths of the two axes afterwards, at least 1.
    axes : sequence of int
        The rows' and the columns' axis.
    like : str
        The library.
    kernel : str
    antialias : bool

    Returns
    -------
    ndarray
        A new array, C-contiguous; of the same dtype, of 'tf' but for kernel 'nearest' float32.

    Raises
    ------
    ValueError
        For an array or a kernel that the library does not take.

    Examples
    --------
    >>> row = np.array([[0, 10, 20, 30]], np.uint8)
    >>> resize_like(row, (1, 2), axes=(0, 1), like="pillow", kernel="triangle", antialias=True)
    array([[ 7, 23]], dtype=uint8)
    >>> resize_like(row, (1, 2), axes=(0, 1), like="tf", kernel="triangle", antialias=False)
    array([[ 5., 25.]], dtype=float32)
    """
    known = LIBRARIES[like]
    if text := refusal(like, kernel, antialias):
        raise ValueError(text)
    refuse_image(like, array.dtype.name, len(axes))
    for axis, length in zip(axes, size):
        n = array.shape[axis]
        if length < 1 or n < 1:
            raise ValueError(f"cannot resize axis {axis} from {n} to {length} pixels: at least 1 each")
        if (weights := (_WIDEST * max(n, length)) + length) > _MOST_WEIGHTS:
            raise ValueError(
                f"resizing an axis from {n:,} to {length:,} pixels takes up to {weights:,} weights, more than the limit of "
                f"{_MOST_WEIGHTS:,}"
            )
    plain = np.moveaxis(array, axes, (0, 1)).astype(array.dtype.newbyteorder("="), copy=False)
    if 0 in array.shape:
        dtype = plain.dtype if like != "tf" or kernel == "nearest" else np.dtype(np.float32)
        made = np.empty((*size, *plain.shape[2:]), dtype)
    else:
        made = known.resize(plain, (int(size[0]), int(size[1])), kernel, antialias)
    made = np.moveaxis(made, (0, 1), axes)
    return made.copy() if np.may_share_memory(made, array) else np.ascontiguousarray(made)
