"""The entropy-coded part of a JPEG: how much work its scans make, and whether they hold every pixel.

libjpeg fills in what is missing at the end of a scan, and few of its interfaces report it. But all of them read on when
pixels are missing, and skip what is left over when none are. So the file is decoded a second time, with noise before
each marker that ends coded data: if the pixels change, the noise was read, and the file is truncated.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import numpy as np

from offgraph.formats.base import FormatError, Limits

__all__ = ["check_scans", "check_whole", "decode_whole", "disturb"]

_MARKER = re.compile(rb"\xff([\x01-\xfe])")
_SCAN = re.compile(rb"\xff\xda")
_START_OF_SCAN, _END = 0xDA, 0xD9
_RESTARTS = range(0xD0, 0xD8)
_MOST_SCANS = 500  # what libjpeg-turbo's own fuzzing allows; encoders write up to 14
_SCANS_OF_ALL_PIXELS = 28  # 0.6 ns for a pixel of an empty scan: 3 s at the default limit
_NOISE = (
    random.Random(1992).randbytes(2048).replace(b"\xff", b"\x5a")
)  # more than any MCU: a part of one is left out
_NOISE_OF_RESTART = _NOISE[:256]
_MOST_RESTARTS = 10_000  # for a file of nothing else, the noise would be many times its size
_ARITHMETIC_ZEROS = bytes(16)  # an arithmetic coder leaves out zeros at its end, the decoder puts them back


def check_scans(data: bytes, start: int, components: int, pixels: int, limits: Limits) -> bool:
    """Raise where the scans would take too much work, or leave out a component.

    Parameters
    ----------
    data : bytes
        A JPEG whose first scan begins at `start`.
    components, pixels : int
        Those of its frame header.

    Returns
    -------
    bool
        Whether each coefficient is there to its last bit: a progressive file that was cut between two scans and
        closed again is a coarse image.
    """
    bits_left: dict[int, bytearray] = {}
    for count, match in enumerate(_SCAN.finditer(data, start), 1):
        if count > _MOST_SCANS or count * pixels > _SCANS_OF_ALL_PIXELS * limits.max_pixels:
            raise FormatError(
                f"more than {count - 1} scans over {pixels:,} pixels: more work than any sound JPEG"
            )
        at = match.end() + 2
        if at + 4 > len(data):
            break
        end = at + 1 + 2 * data[at]
        for component in data[at + 1 : end : 2]:
            first, last, bits = (*data[end : end + 3], 0, 0, 0)[:3]
            left = bits_left.setdefault(component, bytearray(64))
            left[first : last + 1] = bytes([bits & 15]) * len(left[first : last + 1])
    if len(bits_left) < components:
        raise FormatError(f"truncated: scans of {len(bits_left)} of its {components} components are there")
    return not any(map(any, bits_left.values()))


def decode_whole(decode: Callable[[bytes], np.ndarray], data: bytes, start: int) -> np.ndarray:
    """Decode a JPEG, and raise `FormatError` where coded data ends before the last pixel.

    Parameters
    ----------
    decode : callable
        Called twice: with the file, and with noise in it.
    data : bytes
        A JPEG whose first scan begins at `start`.
    """
    array = decode(data)
    check_whole(array, decode, data, start)
    return array


def check_whole(
    array: np.ndarray,
    decode: Callable[[bytes], np.ndarray],
    data: bytes,
    start: int,
    *,
    arithmetic: bool = False,
) -> None:
    """Raise `FormatError` where the file with noise in it does not decode to `array` again.

    With `arithmetic` coding, missing zeros at the end are implied; a cut of a few bytes goes unnoticed.
    """
    noisy = disturb(data, start, _ARITHMETIC_ZEROS if arithmetic else b"")
    if not np.array_equal(array, decode(noisy)):
        raise FormatError("truncated or damaged: its coded data ends before its last pixels")


def disturb(data: bytes, start: int, before: bytes = b"") -> bytes:
    """Insert `before` and noise at every end of coded data, and one more interval; they are read only if data is cut."""
    kept: list[bytes] = []
    restarts, last, at = 0, 0, _after_header(data, start)
    coded = True  # `at` is in coded data, and not after a header of another kind
    while True:
        match = _MARKER.search(data, at)
        marker, end = (match[1][0], match.start()) if match else (_END, len(data))
        end = last + len(data[last:end].rstrip(b"\xff"))  # fill bytes belong to the marker
        if coded and marker in _RESTARTS:
            restarts += 1
            if restarts < _MOST_RESTARTS:
                kept += (data[last:end], before, _NOISE_OF_RESTART)
                last = end
        elif coded:
            kept += (data[last:end], before, _NOISE, bytes([0xFF, _RESTARTS[restarts % 8]]), _NOISE)
            last, restarts = end, 0
        if not match:
            return b"".join((*kept, b"\xff\xd9"))
        if marker == _END:
            return b"".join((*kept, data[last:]))
        at = match.end()
        if marker not in _RESTARTS:
            coded = marker == _START_OF_SCAN
            at = _after_header(data, at - 2)


def _after_header(data: bytes, at: int) -> int:
    return at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
