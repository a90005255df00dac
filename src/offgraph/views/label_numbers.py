"""The number of each label, written where it hides no other object."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image as PILImage
from PIL import ImageDraw

from offgraph.targets.regions import regions
from offgraph.views.colours import INK, PAPER
from offgraph.views.fonts import font

__all__ = ["write_numbers"]

_STROKE = 2
_MOST_HIDDEN = 0.2  # share of an object that its number may hide
_Box = tuple[int, int, int, int]  # first row and column, end row and column


def write_numbers(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Write each label's number in white with a dark rim, so that it reads on any image.

    A number is written on its object where it covers little of it and nothing of another, otherwise beside it. Without
    room beside it either, it is left out.
    """
    canvas = PILImage.fromarray(rgb)
    draw = ImageDraw.Draw(canvas)
    face = font(max(10, min(rgb.shape[:2]) // 28))
    # Summed-area table: the object pixels within a box are four look-ups.
    counts = np.pad((mask != 0).cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    written = np.zeros(mask.shape, bool)
    for label, box, inside in regions(mask):
        left, top, right, bottom = face.getbbox(str(label), anchor="mm", stroke_width=_STROKE)
        size = (math.ceil(bottom - top), math.ceil(right - left))
        for place in _places(box, inside, size):
            within = (
                place[0] >= 0 and place[1] >= 0 and place[2] <= mask.shape[0] and place[3] <= mask.shape[1]
            )
            here = np.s_[place[0] : place[2], place[1] : place[3]]
            if not within or written[here].any():
                continue
            hidden = int(
                counts[place[2], place[3]] - counts[place[0], place[3]]
                - counts[place[2], place[1]] + counts[place[0], place[1]]
            )  # fmt: skip
            own = _covered(inside, box, place)
            if hidden > own or own > _MOST_HIDDEN * inside.sum():
                continue
            written[here] = True
            draw.text(
                ((place[1] + place[3]) / 2, (place[0] + place[2]) / 2),
                str(label),
                font=face,
                fill=PAPER,
                anchor="mm",
                stroke_width=_STROKE,
                stroke_fill=INK,
            )
            break
    return np.array(canvas)


def _places(box: tuple[slice, ...], inside: np.ndarray, size: tuple[int, int]) -> Iterator[_Box]:
    """Where a number of this size may stand: on the object's middle, then to its right, left, below and above."""
    height, width = size
    rows, columns = (part.start for part in box)
    middle = [float(n @ np.arange(len(n))) / n.sum() for n in (inside.sum(1), inside.sum(0))]
    row, column = round(rows + middle[0] - height / 2), round(columns + middle[1] - width / 2)
    for top, left in (
        (row, column),
        (row, box[1].stop + 1),
        (row, columns - width - 1),
        (box[0].stop + 1, column),
        (rows - height - 1, column),
    ):
        yield top, left, top + height, left + width


def _covered(inside: np.ndarray, box: tuple[slice, ...], place: _Box) -> int:
    """How many of an object's pixels a place covers."""
    row, column = (part.start for part in box)
    return int(
        inside[
            max(0, place[0] - row) : max(0, place[2] - row),
            max(0, place[1] - column) : max(0, place[3] - column),
        ].sum()
    )
