"""A TIFF read part by part: only the tiles or strips that lie in a part are decoded."""

from __future__ import annotations

import math
import mmap
from collections import OrderedDict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.formats.base import FormatError
from offgraph.formats.tiff import check_directories, check_numbers, choose_series, name_series_axes
from offgraph.formats.tiff_strips import IN_PROCESS, bytes_decoder

__all__ = ["TiffRegions"]

_MIN_IS_BLACK, _RGB, _ORIENTATION = 1, 2, 274
_LARGEST = 1 << 30  # bytes that a tile or strip may declare
_KEPT = 1 << 27  # bytes of decoded tiles or strips: those of one line are needed again by the next part


class TiffRegions:
    """The first series of a TIFF, of which parts are read.

    Parameters
    ----------
    path : Path
    axes : str or None
        Names of the stored axes, where the file does not say them.

    Raises
    ------
    FormatError
        Where it is damaged, or can only be read as a whole.
    """

    def __init__(self, path: Path, axes: str | None) -> None:
        import tifffile

        self._file = path.open("rb")
        try:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            check_directories(self._map, None)  # type: ignore[arg-type]  # has a length and slices, as bytes do
            self._tiff = tifffile.TiffFile(self._file)
            series = choose_series(self._tiff, None)
            check_numbers(series)
            shape, self.axes, _ = name_series_axes(series, axes)
            self.shape = tuple(int(n) for n in shape)
            self.dtype = np.dtype(series.dtype)
            self._pages = list(series.pages)
            self._at = series.dataoffset if self._tiff.byteorder == "<" else None
            self._check()
        except FormatError:
            self.close()
            raise
        except Exception as error:  # tifffile's, for damaged directories
            self.close()
            raise FormatError(f"damaged: {error!s:.200}") from error
        self._decoders: dict[int, Any] = {}
        self._kept: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._path = path

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check(self) -> None:
        for page in {id(page.keyframe): page.keyframe for page in self._pages}.values():
            odd = None
            if page.photometric not in (_MIN_IS_BLACK, _RGB) or self.dtype == bool:
                odd = "its numbers are not shown as they are stored"
            elif page.compression not in IN_PROCESS:
                odd = f"its compression, {page.compression!s:.40}, is decoded as a whole"
            elif page.tags.valueof(_ORIENTATION) not in (None, 1):
                odd = "it is stored turned or mirrored"
            elif math.prod(page.shape) != math.prod(self._page_shape(page)):
                odd = "its pages hold more than an image each"
            if odd is not None:
                raise FormatError(
                    f"{odd}, so that it cannot be read by parts; convert it: og.imwrite('image.tif', og.imread(path))"
                )
            if math.prod(int(n) for n in page.chunks) * self.dtype.itemsize > _LARGEST:
                raise FormatError(f"a tile or strip declares more than {_LARGEST:,} bytes")
        inner = self._page_shape(self._pages[0].keyframe)
        if self._at is None and math.prod(self.shape) != len(self._pages) * math.prod(inner):
            raise FormatError("its pages differ in size; read one of them, such as page=0")

    def _page_shape(self, page: Any) -> tuple[int, ...]:
        """Planes, rows, columns, samples."""
        planes = int(page.samplesperpixel) if page.planarconfig == 2 else 1
        samples = int(page.samplesperpixel) if page.planarconfig == 1 else 1
        return planes, int(page.imagelength), int(page.imagewidth), samples

    def read(self, window: tuple[slice, ...]) -> np.ndarray:
        """Return a part, a slice for each stored axis."""
        if self._at is not None:
            stored = np.memmap(self._path, self.dtype.newbyteorder("<"), "r", self._at, self.shape)
            return np.array(stored[window])
        planes, _, _, samples = self._page_shape(self._pages[0].keyframe)
        # The axes that pages hold themselves are the last ones: (C) Y X, or Y X (C).
        count = 2 + (planes > 1) + (samples > 1)
        outer, inner = window[: len(window) - count], window[len(window) - count :]
        across = inner[0] if planes > 1 else slice(0, 1)
        rows, columns = inner[1:] if planes > 1 else inner[:2]
        parts = inner[2] if samples > 1 else slice(0, 1)
        lengths = [n.stop - n.start for n in (across, rows, columns, parts)]
        lens = [one.stop - one.start for one in outer]
        out = np.zeros((*lens, *lengths), self.dtype.newbyteorder("="))
        leading = self.shape[: len(outer)]
        for place in product(*(range(n) for n in lens)):
            number = 0
            for i, one, n in zip(place, outer, leading):
                number = number * n + one.start + i
            for i in range(lengths[0]):
                self._fill(out[place][i], number, across.start + i, rows, columns, parts)
        return out.reshape(tuple(one.stop - one.start for one in window))

    def _fill(
        self, out: np.ndarray, number: int, plane: int, rows: slice, columns: slice, samples: slice
    ) -> None:
        """Copy a part of one plane of one page: of each tile or strip what lies in it."""
        page = self._pages[number].keyframe
        _, height, width, _ = self._page_shape(page)
        tall, wide = (
            (int(page.tilelength), int(page.tilewidth))
            if page.is_tiled
            else (min(int(page.rowsperstrip), height), width)
        )
        down, along = -(-height // tall), -(-width // wide)
        for i in range(rows.start // tall, -(-rows.stop // tall)):
            for j in range(columns.start // wide, -(-columns.stop // wide)):
                values = self._segment(number, (plane * down + i) * along + j)
                top, left = i * tall, j * wide
                r = slice(max(rows.start, top), min(rows.stop, top + tall))
                c = slice(max(columns.start, left), min(columns.stop, left + wide))
                out[
                    r.start - rows.start : r.stop - rows.start,
                    c.start - columns.start : c.stop - columns.start,
                ] = values[r.start - top : r.stop - top, c.start - left : c.stop - left, samples]

    def _segment(self, number: int, index: int) -> np.ndarray:
        """One tile or strip, decoded: rows, columns, samples."""
        key = (number, index)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        page = self._pages[number]
        frame = page.keyframe
        if id(frame) not in self._decoders:
            self._decoders[id(frame)] = bytes_decoder(frame) if frame.compression != 1 else frame.decode
        try:
            offset, count = page.dataoffsets[index], page.databytecounts[index]
        except IndexError:
            raise FormatError(f"damaged: tile or strip {index} is missing") from None
        if offset + count > len(self._map):
            raise FormatError(f"truncated: tile or strip {index} lies beyond the end of the file")
        if count == 0:
            raise FormatError(f"damaged: tile or strip {index} is empty")
        decoded, _, shape = self._decoders[id(frame)](self._map[offset : offset + count], index)
        values = np.asarray(decoded).reshape(decoded.shape[-3:])
        rows, columns = shape[1:3]
        if values.shape[0] < rows or values.shape[1] < columns:
            raise FormatError(f"truncated: tile or strip {index} holds too few pixels")
        self._kept[key] = values
        held = values.nbytes
        while len(self._kept) > 1 and held * len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return values
