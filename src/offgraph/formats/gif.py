"""GIF, by Pillow: it is handed the first frame alone, so that comments and later frames cost nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from offgraph.formats.base import Limits, StoredImage
from offgraph.formats.with_pillow import open_image, said_first, stored_of

__all__ = ["decode"]

_EXTENSION, _FRAME, _END = 0x21, 0x2C, 0x3B
_GRAPHIC_CONTROL = 0xF9  # which index is transparent
_HEADER = 13
_MOST_BLOCKS = 4_000_000  # of 255 bytes: a gigabyte
_PIXELS_PER_BYTE = 1 << 20  # a small first frame on a large canvas is legal


@dataclass
class _Blocks:
    first: bytes
    frames: int = 0
    whole: bool = True


def decode(data: bytes, limits: Limits) -> StoredImage:
    """Decode the first frame of a GIF."""
    blocks = _read_blocks(data)
    with open_image(blocks.first, "GIF") as image:
        limits.check_plausible(image.height * image.width, len(data), _PIXELS_PER_BYTE)
        limits.check(image.height, image.width, pixel_bytes=4)
        image.load()
        stored = stored_of(image)
        hidden = image.info.get("transparency")
    if stored.layout == "grey" and isinstance(hidden, int):  # Pillow drops a palette of plain grey
        stored = replace(stored, key=(hidden,), layout="grey+alpha")
    if not blocks.whole:  # a damaged later frame does not take the first one away
        return replace(
            stored, frames=max(2, blocks.frames), notes=(*stored.notes, "later frames are damaged")
        )
    return said_first(stored, blocks.frames)


def _read_blocks(data: bytes) -> _Blocks:
    """Keep what makes the first frame, and count the frames; Pillow would read each of them for that."""
    at = _HEADER + _colours(data, 10)
    kept, blocks, left = [data[:at]], _Blocks(data), _MOST_BLOCKS
    while at < len(data) and data[at] != _END:
        begin, kind = at, data[at]
        if kind == _FRAME:
            at += 10 + _colours(data, at + 9) + 1
        elif kind == _EXTENSION:
            at += 2
        else:
            blocks.whole = False
            break
        while at < len(data) and data[at] and left:
            at += 1 + data[at]
            left -= 1
        if blocks.frames == 0 and (
            kind == _FRAME or data[begin + 1 : begin + 2] == bytes([_GRAPHIC_CONTROL])
        ):
            kept.append(data[begin : at + 1])
        blocks.frames += kind == _FRAME
        if at >= len(data) or not left:
            blocks.whole = False
            break
        at += 1
    blocks.first = b"".join((*kept, *([bytes([_END])] if blocks.whole or blocks.frames > 1 else ())))
    return blocks


def _colours(data: bytes, at: int) -> int:
    """Bytes of the colour table that the flags at `at` announce."""
    flags = data[at] if at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
