"""JPEG files decoded by the native core, without the GIL."""

from __future__ import annotations

import numpy as np

from offgraph.engine.native import core

__all__ = ["decode_into", "shape"]


def shape(data: bytes) -> tuple[int, int, int] | None:
    """The shape that a JPEG is decoded to, from its header alone.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    tuple of int or None
        (height, width, channels), with 1 channel for grey and 3 for RGB; None if the core does not decode such files:
        those that are progressive, CMYK, of 12 bits, damaged, or odd in some other way.
    """
    return core.jpeg_shape(data)


def decode_into(
    output: np.ndarray, data: bytes, window: tuple[tuple[int, int], tuple[int, int]] | None = None
) -> str | None:
    """Decode a JPEG, or a part of it, into an array.

    Exactness: the bytes of libjpeg-turbo, with its accurate integer DCT and smooth chroma upsampling. A window has the
    bytes of the same part of the full image.

    Parameters
    ----------
    output : ndarray of uint8, shape (height, width, channels)
        C-contiguous; its size is that of the window if there is one, otherwise that of `shape`.
    data : bytes
        The file.
    window : pair of pairs of int, optional
        First row and the one after the last, then columns alike. The file is not decoded below the window: if it ends
        early it is refused, but other damage there may go unnoticed.

    Returns
    -------
    str or None
        None, or why the core does not decode the file, such as ``"its coded data ends early"``: it may be sound, but
        is another decoder's to read. `output` may have been written to.

    Raises
    ------
    TypeError
        If `output` is not uint8 or not C-contiguous.

    Examples
    --------
    >>> import numpy as np
    >>> from offgraph.engine import jpeg
    >>> from offgraph.formats.encoding import encode_jpeg
    >>> data = encode_jpeg(np.full((40, 60), 77, np.uint8))
    >>> jpeg.shape(data)
    (40, 60, 1)
    >>> image = np.empty((8, 16, 1), np.uint8)
    >>> jpeg.decode_into(image, data, ((10, 18), (30, 46)))
    >>> int(image.min()), int(image.max())
    (77, 77)
    """
    return core.decode_jpeg(output, data, None if window is None else (*window[0], *window[1]))
