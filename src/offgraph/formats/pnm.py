"""PBM, PGM and PPM, plain and raw: a header and the numbers, parsed here without a library.

Pillow scales the numbers to the full range of 8 or 16 bits; here they stay what the file says.
"""

from __future__ import annotations

import re

import numpy as np

from offgraph.formats.base import FormatError, Limits, StoredImage

__all__ = ["decode"]

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_SIZE = re.compile(rb"P[1-6]" + _GAP + rb"(\d{1,10})" + _GAP + rb"(\d{1,10})")
_MAXVAL = re.compile(_GAP + rb"(\d{1,5})")
_COMMENT = re.compile(rb"#[^\r\n]*")
_LONGEST_HEADER = 1 << 16
_MOST_COMMENTS = 100_000
_SPACE = b" \t\r\n\v\f"


def decode(data: bytes, limits: Limits) -> StoredImage:
    """Decode the first image of a PNM file: bits as bool, up to 8 bits as uint8, more as uint16."""
    kind = data[1] - ord("0")
    plain, bits, channels = kind <= 3, kind in (1, 4), 3 if kind in (3, 6) else 1
    found = _SIZE.match(data, 0, _LONGEST_HEADER)
    if found is None:
        raise FormatError("truncated or damaged: no height and width in the header")
    width, height = int(found[1]), int(found[2])
    top, at = 1, found.end()
    if not bits:
        found = _MAXVAL.match(data, at, at + _LONGEST_HEADER)
        if found is None or not 1 <= int(found[1]) <= 65535:
            raise FormatError("truncated or damaged: the header does not say the largest value, 1 to 65535")
        top, at = int(found[1]), found.end()
    limits.check(height, width, pixel_bytes=channels * (1 if top < 256 else 2))
    limits.check_plausible(height * width, len(data), 8 if kind == 4 else 1)
    shape = (height, width, channels)[: 2 if channels == 1 else 3]
    array, rest = (_read_plain if plain else _read_raw)(data[at:], shape, top, bits)
    if array.max(initial=0) > top:
        raise FormatError(f"damaged: a value of {array.max()} where the header says at most {top}")
    layout = "bilevel" if bits else "rgb" if channels == 3 else "grey"
    notes = ("a bitmap in which 1 is black: so are its labels",) if bits else ()
    if re.match(rb"\s*P[1-6]\s", rest):
        notes += ("more images follow: the first is read",)
    return StoredImage(
        array,
        "YX" if channels == 1 else "YXC",
        layout,
        white_is_zero=bits,
        top=top if not bits and top < 255 else None,
        notes=notes,
    )


def _read_raw(body: bytes, shape: tuple[int, ...], top: int, bits: bool) -> tuple[np.ndarray, bytes]:
    body = body[1:]  # one white space ends the header
    row = -(-shape[1] // 8) if bits else int(np.prod(shape[1:])) * (1 if top < 256 else 2)
    needed = shape[0] * row
    if len(body) < needed:
        raise FormatError(f"truncated: {len(body):,} of {needed:,} bytes of pixels")
    if bits:
        packed = np.frombuffer(body, np.uint8, needed).reshape(shape[0], row)
        return np.unpackbits(packed, axis=1, count=shape[1]).astype(bool), body[needed : needed + 8]
    if top < 256:
        return np.frombuffer(body, np.uint8, needed).reshape(shape).copy(), body[needed : needed + 8]
    deep = np.frombuffer(body, ">u2", needed // 2).reshape(shape)
    return deep.astype(np.uint16), body[needed : needed + 8]


def _read_plain(body: bytes, shape: tuple[int, ...], top: int, bits: bool) -> tuple[np.ndarray, bytes]:
    if comments := body.count(b"#"):
        if comments > _MOST_COMMENTS:
            raise FormatError(f"damaged: more than {_MOST_COMMENTS:,} comments among the pixels")
        body = _COMMENT.sub(b" ", body)
    needed = int(np.prod(shape))
    if bits:  # digits may stand side by side
        digits = np.frombuffer(body.translate(None, _SPACE)[:needed], np.uint8)
        if (digits & 0xFE != ord("0")).any():
            raise FormatError("damaged: something other than 0 and 1 among the pixels")
        values: np.ndarray = digits == ord("1")
    else:
        try:  # without a count: given one, NumPy fills missing values from uninitialised memory
            values = np.fromstring(body.decode("ascii").strip(), np.int64, sep=" ")[:needed]
        except ValueError as error:
            raise FormatError("damaged: something other than numbers among the pixels") from error
    if len(values) < needed:
        raise FormatError(f"truncated: {len(values):,} of {needed:,} values")
    if not bits:
        if values.min(initial=0) < 0 or values.max(initial=0) > top:
            raise FormatError(f"damaged: a value outside 0 to {top}, the range that the header says")
        values = values.astype(np.uint8 if top < 256 else np.uint16)
    return values.reshape(shape), b""
