"""PNG files encoded and decoded by the native core, without the GIL."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offgraph.engine.native import core

__all__ = ["decode_many", "encode"]


def encode(image: np.ndarray) -> bytes | None:
    """Encode an image as PNG, fast.

    Exactness: lossless; the bytes follow from the array alone, on any machine.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width) or (height, width, channels)
        C-contiguous, with 1 to 4 channels.

    Returns
    -------
    bytes or None
        None for an image that a general encoder makes far smaller, such as text, noise, or grey stored as RGB; also
        for an empty one, one of more than 1 GB, and other numbers of channels.

    Raises
    ------
    TypeError
        If `image` is not uint8, not C-contiguous, or of other than 2 or 3 axes.

    Examples
    --------
    >>> import numpy as np
    >>> from offgraph.engine import png
    >>> from offgraph.formats.decoding import read
    >>> rows, columns = np.indices((60, 80))
    >>> image = (np.hypot(rows, columns) + np.random.default_rng(0).uniform(0, 4, (60, 80))).astype(np.uint8)
    >>> data = png.encode(image)
    >>> bool((read(data).array == image).all())
    True
    """
    return core.encode_png(image)


def decode_many(images: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[str | None]:
    """Decode PNGs whose shapes are known, each into its array.

    Exactness: lossless.

    Parameters
    ----------
    images : sequence of (ndarray, ndarray)
        The array to be filled, uint8 or uint16, (height, width) or (height, width, channels) in C order, and the
        contents of a file as uint8.

    Returns
    -------
    list of str or None
        None, or why the core does not decode that file, such as ``"it holds another image"`` where shape or depth
        differ. It may be sound: palettes, other depths, interlacing, a transparent colour, an orientation and animations
        are left to other decoders. Its array may have been written to.

    Raises
    ------
    TypeError
        If an array is not one of those above.

    Examples
    --------
    >>> import numpy as np
    >>> from offgraph.engine import png
    >>> from offgraph.formats.encoding import encode_png
    >>> image = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    >>> data = np.frombuffer(encode_png(image), np.uint8)
    >>> found, other = np.empty((3, 4), np.uint16), np.empty((3, 4), np.uint8)
    >>> png.decode_many([(found, data), (other, data)])
    [None, 'it holds another image']
    >>> bool((found == image).all())
    True
    """
    return core.decode_pngs(list(images))
