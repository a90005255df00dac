"""Of boxes that say the same object several times, their weighted mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError
from offgraph.objects.suppression import parsed_boxes
from offgraph.targets.boxes import Boxes

__all__ = ["fuse_boxes"]


def fuse_boxes(
    boxes: Boxes | ArrayLike,
    scores: ArrayLike,
    iou: float = 0.55,
    *,
    classes: ArrayLike | None = None,
    answers: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge the boxes of several models, or of several variants of an image, by weighted boxes fusion.

    Where `non_maximum_suppression` keeps one box of each object, this averages all: each edge is the mean over the object's
    boxes, weighted by their scores.

    Parameters
    ----------
    boxes : Boxes, or array_like of shape (n, 4) or (n, 6)
        The boxes of all answers, one after the other, on the same image. An array holds the lower edges of each box, then
        its upper ones, such as xyxy; all axes in one order.
    scores : array_like of float, shape (n,)
        Not negative: the weight of each box.
    iou : float
        A box joins the object with whose mean it shares the largest part, if that is more than this, from 0 to 1, of what both cover
        together.
    classes : array_like, shape (n,), optional
        Boxes of different classes are different objects.
    answers : int, optional
        How many models or variants were asked, at least 1. An object that fewer boxes say loses score in proportion. By default scores
        are the plain mean.

    Returns
    -------
    edges : ndarray of float64, shape (k, 4) or (k, 6)
        The mean box of each object, by falling score.
    scores : ndarray of float64, shape (k,)
        Mean score of the object's boxes; with `answers` times min(boxes, answers) / answers.
    members : ndarray of int64, shape (n,)
        For each box given, the row of its object.

    Raises
    ------
    ArgumentError
        For another shape, an upper edge below its lower one, negative scores, or values that are not finite.

    Notes
    -----
    Boxes are taken by falling score, of equal ones the first one first. Each joins the object that it fits best so far, of
    equal ones the older, or begins one. R. Solovyev, W. Wang, T. Gabruseva, *Weighted boxes fusion*, 2021 (arXiv:1910.13302). Boxes whose
    scores are all 0 are averaged without weights. Exactness: that procedure in float64.

    Examples
    --------
    >>> edges, scores, members = fuse_boxes([[0, 0, 4, 4], [0, 0, 4, 5], [6, 6, 9, 9]], [0.75, 0.25, 0.5], answers=2)
    >>> edges.tolist(), scores.tolist(), members.tolist()
    ([[0.0, 0.0, 4.0, 4.25], [6.0, 6.0, 9.0, 9.0]], [0.5, 0.25], [0, 0, 1])
    """
    edges, score, kind = parsed_boxes(boxes, scores, iou, classes)
    if (score < 0).any():
        at = int((score < 0).argmax())
        raise ArgumentError(
            f"scores: box {at} has the score {score[at]}: expected weights that are not negative"
        )
    asked = None if answers is None else whole_number("answers", answers)
    count, axes = len(edges), edges.shape[1] // 2
    mean = np.zeros_like(edges)
    weighted, plain = np.zeros_like(edges), np.zeros_like(edges)
    weight, total = np.zeros(count), np.zeros(count, np.int64)
    whose = np.empty(count, kind.dtype)
    member = np.zeros(count, np.int64)
    found = 0
    for at in np.argsort(-score, kind="stable"):
        share = _shares(mean[:found], edges[at], axes)
        share[whose[:found] != kind[at]] = -1
        to = int(share.argmax()) if found else 0
        if not found or not share[to] > iou:
            to = found
            whose[to] = kind[at]
            found += 1
        member[at] = to
        weighted[to] += score[at] * edges[at]
        plain[to] += edges[at]
        weight[to] += score[at]
        total[to] += 1
        mean[to] = weighted[to] / weight[to] if weight[to] > 0 else plain[to] / total[to]
    fused = weight[:found] / total[:found]
    if asked is not None:
        fused = fused * np.minimum(total[:found], asked) / asked
    order = np.argsort(-fused, kind="stable")
    row = np.empty(found, np.int64)
    row[order] = np.arange(found)
    return mean[order], fused[order], row[member]


def _shares(means: np.ndarray, box: np.ndarray, axes: int) -> np.ndarray:
    """Intersection over union of a box with each of others; 0 where neither covers anything."""
    sides = np.minimum(means[:, axes:], box[axes:]) - np.maximum(means[:, :axes], box[:axes])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    together = np.prod(means[:, axes:] - means[:, :axes], axis=1) + np.prod(box[axes:] - box[:axes]) - shared
    return np.divide(shared, together, out=np.zeros_like(shared), where=together > 0)
