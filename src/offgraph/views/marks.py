"""Boxes, outlines and points drawn over an image, at whatever size it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image as PILImage
from PIL import ImageDraw

from offgraph.targets.base import Target
from offgraph.targets.boxes import Boxes
from offgraph.targets.points import Points
from offgraph.views import fonts
from offgraph.views.draw import PALETTE
from offgraph.views.text import clean, shorten

__all__ = ["mark"]

_INK, _PAPER = (28, 30, 33), (255, 255, 255)
_MOST_LETTERS = 24


def mark(rgb: np.ndarray, targets: Iterable[Target], *, class_names: Sequence[str] = ()) -> np.ndarray:
    """Draw boxes and points over an image; targets of other types are left out.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
        The image, also where it is shown larger or smaller than the targets' grid.
    targets : iterable of Target
        Of a plane; those in space are left out.
    class_names : sequence of str
        Names of boxes with whole numbers as labels.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        A new array. Boxes of one class have one colour; the name stands above a box where it has room. A point that
        can be seen is a dot, whose colour follows from its place in its object; others are not drawn.

    Examples
    --------
    >>> marked = mark(np.zeros((40, 60, 3), np.uint8), [Boxes([[1, 1, 5, 3]], size=(4, 6))])
    >>> int((marked[10] > 0).any(axis=1).sum()) > 20
    True
    """
    canvas = PILImage.fromarray(np.ascontiguousarray(rgb))
    pen = ImageDraw.Draw(canvas)
    for target in targets:
        if len(target.size) != 2 or 0 in target.size:
            continue
        scale = np.array(rgb.shape[:2]) / target.size
        if isinstance(target, Boxes):
            _draw_boxes(pen, target, scale, rgb.shape, class_names)
        elif isinstance(target, Points):
            _draw_points(pen, target, scale, rgb.shape)
    return np.array(canvas)


def _line(shape: tuple[int, ...]) -> int:
    return max(1, round(min(shape[:2]) / 200))


def _colours(labels: np.ndarray | None, count: int) -> list[tuple[int, int, int]]:
    """One colour per class, in the order of the classes; whole numbers have theirs whatever else is there."""
    if labels is None:
        numbers = np.zeros(count, int)
    elif labels.dtype.kind in "iu":
        numbers = labels.astype(int)
    else:
        numbers = np.unique(labels.astype(str), return_inverse=True)[1]
    return [tuple(int(part) for part in PALETTE[number % len(PALETTE)]) for number in numbers]  # type: ignore[misc]


def _draw_boxes(
    pen: ImageDraw.ImageDraw,
    boxes: Boxes,
    scale: np.ndarray,
    shape: tuple[int, ...],
    class_names: Sequence[str],
) -> None:
    width, height = shape[1], shape[0]
    line = _line(shape)
    font = fonts.font(max(10, min(shape[:2]) // 28))
    labels = boxes.labels
    colours = _colours(labels, len(boxes))
    outlines = boxes.outlines or [None] * len(boxes)
    for number, (edges, colour, outline) in enumerate(zip(boxes.edges, colours, outlines)):
        top, left, bottom, right = (edges + 0.5) * np.tile(scale, 2)
        # The last pixel inside: an edge at 4 bounds the pixels 0 to 3.
        corners = (left, top, max(left, right - 1), max(top, bottom - 1))
        pen.rectangle(corners, outline=colour, width=line)
        for part in outline or ():
            points = [tuple(place) for place in ((part + 0.5) * scale - 0.5)[:, ::-1].tolist()]
            pen.line([*points, points[0]], fill=colour, width=line)
        if labels is None:
            continue
        text = shorten(clean(_name(labels[number], class_names)), _MOST_LETTERS)
        _, _, across, down = font.getbbox(text)
        if across > width or down > height:
            continue
        x = float(np.clip(left, 0, width - across))
        y = top - down - 1 if top - down - 1 >= 0 else min(top + line, height - down)
        pen.rectangle((x, y, x + across, y + down), fill=colour)
        pen.text((x, y), text, font=font, fill=_INK if sum(colour) > 330 else _PAPER)


def _name(label: Any, class_names: Sequence[str]) -> str:
    if isinstance(label, int | np.integer) and 0 <= int(label) < len(class_names):
        return class_names[int(label)]
    return str(label)


def _draw_points(pen: ImageDraw.ImageDraw, points: Points, scale: np.ndarray, shape: tuple[int, ...]) -> None:
    radius = max(2, round(min(shape[:2]) / 100))
    places = (points.places + 0.5) * scale - 0.5
    groups = places[np.newaxis] if places.ndim == 2 else places
    seen = points.visible[np.newaxis] if places.ndim == 2 else points.visible
    for group, flags in zip(groups, seen):
        for number, ((y, x), flag) in enumerate(zip(group.tolist(), flags)):
            if not flag or not np.isfinite([y, x]).all():
                continue
            colour = tuple(int(part) for part in PALETTE[number % len(PALETTE)])
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=_INK)
