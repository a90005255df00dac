"""Of boxes that say the same object several times, the likeliest."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from offgraph.core.errors import ArgumentError
from offgraph.targets.boxes import Boxes
from offgraph.targets.suppression import kept_boxes

__all__ = ["non_maximum_suppression", "parsed_boxes"]


def non_maximum_suppression(
    boxes: Boxes | ArrayLike,
    scores: ArrayLike,
    iou: float = 0.5,
    *,
    classes: ArrayLike | None = None,
    min_score: float | None = None,
    max_boxes: int | None = None,
) -> np.ndarray:
    """Return which boxes stay: the likeliest first, and none that overlaps one before it too much.

    Parameters
    ----------
    boxes : Boxes, or array_like of shape (n, 4) or (n, 6)
        An array holds the lower edges of each box, then its upper ones, such as xyxy; all axes in one order.
    scores : array_like of float, shape (n,)
        The higher, the likelier; of equal ones the first box comes first.
    iou : float
        Boxes that share more than this, from 0 to 1, of what both cover together are one object.
    classes : array_like, shape (n,), optional
        Boxes of different classes never suppress one another.
    min_score : float, optional
        Boxes with a lower score are left out.
    max_boxes : int, optional
        At most so many stay.

    Returns
    -------
    ndarray of int64
        Indices of the boxes that stay, by falling score.

    Raises
    ------
    ArgumentError
        For another shape, an upper edge below its lower one, or values that are not finite.

    Notes
    -----
    Exactness: TensorFlow's `tf.image.non_max_suppression`, in float64.

    Examples
    --------
    >>> non_maximum_suppression([[0, 0, 4, 4], [0, 0, 4, 5], [6, 6, 9, 9]], [0.8, 0.9, 0.5])
    array([1, 2])
    """
    edges, score, kind = parsed_boxes(boxes, scores, iou, classes)
    return kept_boxes(edges, score, kind, iou, min_score, max_boxes)


def parsed_boxes(
    boxes: Boxes | ArrayLike, scores: ArrayLike, iou: float, classes: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return edges and scores as float64, and classes, all 0 where none are given.

    Raises
    ------
    ArgumentError
        For another shape, an upper edge below its lower one, values that are not finite, or an `iou` beyond 0 to 1.
    """
    edges = np.asarray(boxes.edges if isinstance(boxes, Boxes) else boxes, np.float64)
    if not edges.size:
        edges = edges.reshape(0, 4)
    score = np.asarray(scores, np.float64)
    if edges.ndim != 2 or edges.shape[1] not in (4, 6) or score.shape != edges.shape[:1]:
        raise ArgumentError(
            f"expected boxes of shape (n, 4) or (n, 6) and n scores, got {edges.shape} and {score.shape}"
        )
    kind = np.zeros(len(edges), np.int64) if classes is None else np.asarray(classes)
    if kind.shape != score.shape:
        raise ArgumentError(f"classes: expected one for each of {len(edges)} boxes, got shape {kind.shape}")
    if not 0 <= iou <= 1:
        raise ArgumentError(f"iou={iou!r}: expected a number from 0 to 1")
    low, high = np.split(edges, 2, axis=1)
    wrong = ~(np.isfinite(edges).all(axis=1) & np.isfinite(score) & (low <= high).all(axis=1))
    if wrong.any():
        at = int(wrong.argmax())
        raise ArgumentError(
            f"box {at} is {edges[at].tolist()} with score {score[at]}: expected finite, low <= high"
        )
    return edges, score, kind
