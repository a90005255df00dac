"""Contact sheets: images side by side, each with a caption."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image as PILImage
from PIL import ImageDraw

from offgraph.core.errors import StepError
from offgraph.views.colours import INK, PAPER, QUIET, WRONG
from offgraph.views.draw import fit, to_rgb
from offgraph.views.fonts import font, wrapped
from offgraph.views.text import clean

__all__ = ["grid", "sheet"]

_CAPTION_SIZE = 13


def sheet(rows: Sequence[Sequence[tuple[np.ndarray, str]]], *, side: int = 192) -> np.ndarray:
    """Lay images out in rows with a caption under each, as for *before* and *after*.

    Parameters
    ----------
    rows : sequence of rows; a row is a sequence of (image, caption)
        Images as for `to_rgb` with unnamed axes. Captions are cut to the width of their image.
    side : int
        Longest side of each image, in pixels.

    Examples
    --------
    >>> before, after = np.zeros((8, 8), np.uint8), np.ones((8, 8), np.uint8)
    >>> sheet([[(before, "before"), (after, "after")]], side=64).ndim
    3
    """
    tiles = [[_tile(fit(to_rgb(image), side), caption, side) for image, caption in row] for row in rows]
    return _lay_out(tiles, side)


def grid(
    images: Sequence[np.ndarray],
    true: Sequence[int | None],
    predicted: Sequence[int],
    names: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    side: int = 96,
) -> np.ndarray:
    """Lay images out with their predicted class; a wrong one has a cross, a thick frame and its true class.

    Parameters
    ----------
    images : sequence of ndarray
        As for `to_rgb` with unnamed axes.
    true, predicted : sequence of int
        Class numbers; a true class of None is unknown, and then nothing is marked.
    names : sequence of str, optional
        Names of the classes; without them the numbers are written.

    Examples
    --------
    >>> grid([np.zeros((8, 8), np.uint8)] * 3, [0, 1, None], [0, 0, 1], ["cat", "dog"]).ndim
    3
    """
    if not len(images) == len(true) == len(predicted):
        raise StepError(f"{len(images)} images, {len(true)} true and {len(predicted)} predicted classes")

    def name(label: int) -> str:
        return str(label) if names is None else names[label]

    tiles = []
    for image, truth, guess in zip(images, true, predicted):
        rgb = fit(to_rgb(image), side)
        if truth is None:
            tiles.append(_tile(rgb, name(guess), side))
        elif truth == guess:
            tiles.append(_tile(rgb, f"✓ {name(guess)}", side))
        else:
            tiles.append(_tile(rgb, f"✗ {name(guess)}, is {name(truth)}", side, wrong=True))
    columns = columns or max(1, math.ceil(math.sqrt(len(tiles) * 1.6)))
    return _lay_out([tiles[at : at + columns] for at in range(0, len(tiles), columns)], side)


def _lay_out(rows: Sequence[Sequence[PILImage.Image]], side: int) -> np.ndarray:
    """Tiles of one size on a white sheet."""
    gap = max(6, side // 16)
    columns = max((len(row) for row in rows), default=0)
    width, height = _tile_size(side)
    canvas = PILImage.new("RGB", (gap + columns * (width + gap), gap + len(rows) * (height + gap)), PAPER)
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            canvas.paste(tile, (gap + j * (width + gap), gap + i * (height + gap)))
    return np.array(canvas)


def _tile_size(side: int) -> tuple[int, int]:
    """(width, height) of a tile: the image, its frame, and two lines of caption."""
    return side + 8, side + 8 + 2 * _CAPTION_SIZE + 8


def _tile(rgb: np.ndarray, caption: str, side: int, *, wrong: bool = False) -> PILImage.Image:
    """One captioned image."""
    width, height = _tile_size(side)
    tile = PILImage.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(tile)
    left, top = (width - rgb.shape[1]) // 2, (side + 8 - rgb.shape[0]) // 2
    right, bottom = left + rgb.shape[1] - 1, top + rgb.shape[0] - 1
    line = 4 if wrong else 1
    draw.rectangle(
        (left - line, top - line, right + line, bottom + line), fill=WRONG if wrong else QUIET, width=0
    )
    tile.paste(PILImage.fromarray(rgb), (left, top))
    face = font(_CAPTION_SIZE)
    for number, line_text in enumerate(wrapped(clean(caption), face, width, 2)):
        where = (width / 2, side + 10 + number * (_CAPTION_SIZE + 3))
        draw.text(where, line_text, font=face, fill=INK, anchor="mt")
    return tile
