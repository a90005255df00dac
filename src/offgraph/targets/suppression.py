"""Which boxes stay where several say the same object: the likeliest, without those that overlap it.

    left = boxes by falling score
    while left:
        keep the first of left
        drop it, and every other one of its class whose IoU with it is above the limit

Many boxes are put into the cells of a grid by their lower corner. A cell is as long as the longest box, so that whatever
overlaps a box has its corner in the same cell or in one next to it, and only those are compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["kept_boxes"]

_FEW = 1024
"""Boxes that are compared all at once faster than they are looked up."""


def kept_boxes(
    edges: np.ndarray,
    scores: np.ndarray,
    kinds: np.ndarray,
    iou: float,
    min_score: float | None = None,
    max_boxes: int | None = None,
) -> np.ndarray:
    """Return the rows of the boxes that stay, by falling score, of equal ones the first one first.

    Parameters
    ----------
    edges : ndarray of float64, shape (n, 2 d)
        Lower edges, then upper edges; finite, no upper edge below its lower one.
    scores : ndarray of float64, shape (n,)
    kinds : ndarray, shape (n,)
        Boxes of different kinds do not suppress one another.
    iou : float
        Two boxes with a larger intersection over union are one object.
    min_score : float, optional
        Boxes of a lower score are left out.
    max_boxes : int, optional
        Most rows that are returned.

    Examples
    --------
    >>> edges = np.array([[0, 0, 4, 4], [0, 0, 4, 5], [6, 6, 9, 9.0]])
    >>> kept_boxes(edges, np.array([0.8, 0.9, 0.5]), np.zeros(3, int), 0.5).tolist()
    [1, 2]
    """
    order = np.argsort(-scores, kind="stable")
    order = order if min_score is None else order[scores[order] >= min_score]
    low, high = np.split(edges[order], 2, axis=1)
    kinds = kinds[order]
    size = np.prod(high - low, axis=1)
    left = np.ones(len(order), bool)
    cells = _Cells(low, high) if len(order) > _FEW else None
    kept: list[int] = []
    for at in range(len(order)):
        if max_boxes is not None and len(kept) >= max_boxes:
            break
        if not left[at]:
            continue
        kept.append(at)
        others: Any = np.arange(at + 1, len(order)) if cells is None else cells.near(at)
        others = others[left[others] & (others > at)]
        sides = np.minimum(high[others], high[at]) - np.maximum(low[others], low[at])
        shared = np.prod(np.maximum(sides, 0), axis=1)
        together = size[others] + size[at] - shared
        share = np.divide(shared, together, out=np.zeros_like(shared), where=together > 0)
        left[others[(share > iou) & (kinds[others] == kinds[at])]] = False
    return order[kept].astype(np.int64)


class _Cells:
    """Boxes by the cell of their lower corner, in the plane of the first two axes."""

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        corner, far = low[:, :2].min(axis=0), low[:, :2].max(axis=0)
        longest = (high - low)[:, :2].max(axis=0)
        # A little longer than the longest box, as differences are rounded; and no more than 1024 cells along an axis.
        length = np.maximum.reduce([longest * (1 + 1e-9), (far - corner) / 1024, np.full(2, 1e-9)])
        self.cell = np.floor((low[:, :2] - corner) / length).astype(np.int64)
        self.across = int(self.cell[:, 1].max()) + 1
        number = self.cell[:, 0] * self.across + self.cell[:, 1]
        self.rows = np.argsort(number, kind="stable")
        self.numbers = number[self.rows]

    def near(self, at: int) -> np.ndarray:
        """Boxes in the cell of one and in the eight around it."""
        down, along = self.cell[at].tolist()
        first, last = max(along - 1, 0), min(along + 1, self.across - 1)
        ends = [
            number
            for row in (down - 1, down, down + 1)
            for number in (row * self.across + first, row * self.across + last + 1)
        ]
        starts = np.searchsorted(self.numbers, ends).tolist()
        return np.concatenate([self.rows[a:b] for a, b in zip(starts[::2], starts[1::2])])
