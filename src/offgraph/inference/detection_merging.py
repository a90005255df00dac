"""What a detector, or several, say of variants of one image, brought together on the original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from offgraph.core.random import Key
from offgraph.inference.detections import Detections
from offgraph.objects.fusion import fuse_boxes
from offgraph.recipe.compose import Compose
from offgraph.targets import Boxes, Image, Points, Targets
from offgraph.targets.box_formats import boxes_of_edges

__all__ = ["FUSED_ABOVE", "boxes_of", "merged_detections", "points_of", "refined", "refined_rows"]

FUSED_ABOVE = 0.55
"""IoU above which boxes of different answers are one object."""


def merged_detections(
    answers: Sequence[Detections], refine: Callable[[Detections], Detections]
) -> Detections:
    """Make one of several answers.

    Boxes are merged by `offgraph.fuse_boxes`: each edge is the mean over the object's boxes, weighted by their scores, and so
    are its keypoints. Keypoints without boxes are the mean of all answers that have them in the image.

    Parameters
    ----------
    answers : sequence of Detections
        On the original grid; at least one.
    refine : callable
        The result steps: each answer goes through them, and what is made of all.
    """
    if len(answers) == 1:
        return refine(answers[0])
    if answers[0].edges is None:
        return _mean_points(answers)
    given = [refine(one) for one in answers]
    edges = np.concatenate([one.edges for one in given if one.edges is not None])
    scores = np.concatenate([one.scores for one in given])
    labels = np.concatenate([one.labels for one in given])
    fused, made, members = fuse_boxes(edges, scores, FUSED_ABOVE, classes=labels, answers=len(answers))
    kinds = np.zeros(len(fused), np.int64)
    kinds[members] = labels
    points = point_scores = None
    if answers[0].points is not None:
        points, point_scores = _points_of_objects(given, members, len(fused))
    return refine(Detections(fused, made, kinds, points, point_scores))


def _mean_points(answers: Sequence[Detections]) -> Detections:
    """Points of the image as a whole: the mean of the answers in which they lie in the image."""
    places = np.stack([one.points for one in answers if one.points is not None])
    scores = np.stack([one.point_scores for one in answers if one.point_scores is not None])
    mean, score = _weighted(places, scores, np.where(scores > 0, 1.0, 0.0))
    return Detections(None, answers[0].scores, answers[0].labels, mean, score)


def _points_of_objects(
    answers: Sequence[Detections], members: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points of fused objects: the mean over their boxes, weighted by the boxes' scores."""
    places = np.concatenate([one.points for one in answers if one.points is not None])
    seen = np.concatenate([one.point_scores for one in answers if one.point_scores is not None])
    weights = np.concatenate([one.scores for one in answers])
    out = np.empty((count, *places.shape[1:]))
    scores = np.empty((count, places.shape[1]))
    order = np.argsort(members, kind="stable")
    ends = np.searchsorted(members[order], np.arange(count + 1))
    for number in range(count):
        rows = order[ends[number] : ends[number + 1]]
        weight = np.where(seen[rows] > 0, weights[rows, np.newaxis], 0.0)
        out[number], scores[number] = _weighted(places[rows], seen[rows], weight)
    return out, scores


def _weighted(places: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first axis of places (m, P, 2) with weights (m, P), and of scores; the first place where none has weight."""
    finite: Any = np.isfinite(places).all(axis=-1)
    weights = np.where(finite, weights, 0.0)
    total = weights.sum(axis=0)
    summed = (np.where(finite[..., np.newaxis], places, 0.0) * weights[..., np.newaxis]).sum(axis=0)
    safe = np.where(total > 0, total, 1.0)[..., np.newaxis]
    return np.where(total[..., np.newaxis] > 0, summed / safe, places[0]), scores.mean(axis=0)


def refined(found: Detections, steps: Compose, size: tuple[int, ...], index: int) -> Detections:
    """Apply result steps to the boxes of an image of a size.

    Raises
    ------
    StepError
        What a step refuses.
    """
    if found.edges is None or not steps.steps:
        return found
    return found.rows(refined_rows(boxes_of(found, size), steps, size, index))


def refined_rows(boxes: Boxes, steps: Compose, size: tuple[int, ...], index: int) -> np.ndarray:
    """Return the numbers, `Boxes.ids`, of the boxes that result steps keep of those of an image of a size, in their order.

    Raises
    ------
    StepError
        What a step refuses.
    """
    blank = Image(np.zeros(size, np.uint8), "YX")
    made = steps.run(Targets({"image": blank, "boxes": boxes}), Key(0, 0, index)).targets["boxes"]
    assert isinstance(made, Boxes)
    return made.ids


def boxes_of(found: Detections, size: tuple[int, ...]) -> Boxes:
    """Return boxes as a target, with their scores as the column ``"score"``."""
    assert found.edges is not None
    boxes = Boxes(
        boxes_of_edges(found.edges, "xyxy", size),
        size=size,
        labels=found.labels,
        extra={"score": found.scores},
    )
    boxes.edges = found.edges  # without the rounding of a format
    return boxes


def points_of(found: Detections, size: tuple[int, ...], pairs: tuple[tuple[int, int], ...]) -> Points | None:
    """Return keypoints as a target, with their scores as the column ``"score"``; None where there are none."""
    if found.points is None or found.point_scores is None:
        return None
    return Points(
        found.points,
        size=size,
        pairs=pairs,
        visible=found.point_scores > 0,
        extra={"score": found.point_scores},
    )
