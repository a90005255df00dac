"""AVIF, in a worker process: 8 bits by Pillow, more by imagecodecs, both of them libavif and dav1d."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from offgraph.formats import isolated, with_pillow
from offgraph.formats.base import Limits, StoredImage

__all__ = ["decode", "decode_here"]

_CONFIGURATION = b"av1C"
_HIGH_DEPTH, _TWELVE = 0x40, 0x20  # of the third byte of a configuration
_SEARCHED = 1 << 16


def decode(data: bytes, limits: Limits) -> StoredImage:
    """Decode the first frame of an AVIF file; of 10 and 12 bits the numbers stay as they are."""
    return isolated.decode(decode_here, data, limits)


def decode_here(data: bytes, limits: Limits) -> StoredImage:
    """Do so in this process."""
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # of this worker: their stacks would count as its memory
    stored = with_pillow.decode_avif(data, limits)
    bits = _bits(data)
    if bits == 8:
        return stored
    if stored.frames > 1:  # imagecodecs does not survive these
        return replace(stored, notes=(*stored.notes, f"an AVIF of {bits} bits, read as 8"))
    import imagecodecs

    array = imagecodecs.avif_decode(data, 0, numthreads=1)
    axes = "YX" if array.ndim == 2 else "YXC"
    channels = 1 if array.ndim == 2 else array.shape[-1]
    layout = {1: "grey", 2: "grey+alpha", 3: "rgb", 4: "rgba"}[channels]
    return replace(
        stored,
        array=np.ascontiguousarray(array),
        axes=axes,
        layout=layout,
        alpha=channels in (2, 4),
        notes=(*stored.notes, f"an AVIF of {bits} bits"),
    )


def _bits(data: bytes) -> int:
    at = data.find(_CONFIGURATION, 0, _SEARCHED)
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return (12 if flags & _TWELVE else 10) if flags & _HIGH_DEPTH else 8
