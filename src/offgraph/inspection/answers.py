"""What a model says of each image of a source, in a form that can be compared and scored."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.inference.measures import Overlaps
from offgraph.inference.prediction import DRAWN_FROM, Prediction
from offgraph.inference.predictor import Predictor
from offgraph.inspection.box_answers import estimated_precision, score_change, shared_boxes
from offgraph.inspection.errors.box_scores import JudgedBoxes, judged_boxes
from offgraph.inspection.skew_report import Estimate, estimate
from offgraph.sources import Source
from offgraph.targets import Boxes, Mask
from offgraph.targets.box_formats import boxes_of_edges

__all__ = [
    "SCORES",
    "Answers",
    "Said",
    "answers_of",
    "change_of",
    "drawable",
    "largest_change",
    "score_of",
    "share_alike",
]

SCORES = {
    "classify": "accuracy",
    "multilabel": "exact labels",
    "segment": "mean IoU per image",
    "detect": "mean AP",
}
"""What answers are scored by, for each task that there are scores of."""


class Said(NamedTuple):
    """An answer in a form that can be compared: a class, labels, a compressed mask with its shape and dtype, or `SaidBoxes`."""

    answer: Any
    text: str
    truth: str
    probabilities: np.ndarray | None


class SaidBoxes(NamedTuple):
    """The boxes of an answer that are drawn, too: those with a score of 0.3 or more."""

    edges: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    size: tuple[int, ...]


@dataclass
class Answers:
    """What a model says of a source, by the images' numbers.

    The score of an image is 1 or 0, or the IoU of its mask; of boxes the share of the found ones among found, missed and false.
    """

    said: dict[int, Said] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    judged: dict[int, JudgedBoxes] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    numbered: bool = False


def answers_of(predictor: Predictor, source: Source) -> Answers:
    """Predict all images, and score those of which the truth is known."""
    found = Answers()
    predictions = predictor(source)
    names = predictions.class_names
    if len(names) == predictions.outputs - 1:
        names = ("background", *names)
    found.numbered = predictions.numbered
    overlaps = Overlaps(names or ("0", "1"), numbered=predictions.numbered)
    for one in predictions:
        found.names[one.index] = one.item.name
        if one.boxes is not None:
            _take_boxes(one, found)
            continue
        found.said[one.index], found.scores[one.index] = _read(one, overlaps)
    found.set_aside = dict(predictions.quarantined)
    return found


def _read(one: Prediction, overlaps: Overlaps) -> tuple[Said, float]:
    """An answer, and its score: NaN where no truth is known."""
    if one.mask is not None:
        packed = (zlib.compress(np.ascontiguousarray(one.mask).tobytes(), 1), one.mask.shape, one.mask.dtype)
        score = math.nan
        if one.run.source.has_masks:
            truth = one.sample().mask
            if truth is not None:
                score = overlaps.add(truth.array, one.mask)[0]
        foreground = np.count_nonzero(one.mask) / max(one.mask.size, 1)
        return Said(packed, f"{foreground:.1%} foreground", "", None), score
    true = one.true_labels
    answer = one.labels if one.labels is not None else (one.label,)
    score = math.nan if true is None else float(tuple(answer) == tuple(true))
    text = "" if true is None else ", ".join(one.class_names[number] for number in true)
    return Said(tuple(answer), one.summary, text, one.probabilities), score


def _take_boxes(one: Prediction, found: Answers) -> None:
    """Add the boxes of an image: those that are drawn as its answer, and all of them as judged by the true ones."""
    boxes, true = one.boxes, one.true_boxes
    assert boxes is not None and boxes.labels is not None, "a detector's boxes have classes"
    scores = boxes.extra["score"]
    likely = scores >= DRAWN_FROM
    said = SaidBoxes(boxes.edges[likely], boxes.labels[likely], scores[likely], boxes.size)
    text = "" if true is None else f"{len(true):,} boxes"
    found.said[one.index] = Said(said, f"{len(said.scores):,} boxes", text, None)
    found.scores[one.index] = math.nan
    if true is None:
        return
    labels = np.zeros(len(true), np.int64) if true.labels is None else true.labels
    judged = judged_boxes(true.edges, labels, boxes.edges, boxes.labels, scores)
    right = int((judged.right & likely).sum())
    wrong = len(true) - right + int((~judged.right & likely).sum())
    found.scores[one.index] = right / (right + wrong) if right + wrong else 1.0
    found.judged[one.index] = judged


def share_alike(a: Said, b: Said, numbered: bool) -> float:
    """How much of an answer is the same, from 0 to 1; of boxes twice the shared ones by all of both answers."""
    if isinstance(a.answer, SaidBoxes):
        count = len(a.answer.scores) + len(b.answer.scores)
        return 2 * len(_shared(a, b)) / count if count else 1.0
    if a.probabilities is not None:
        return float(a.answer == b.answer)
    one, other = (_mask(said.answer) for said in (a, b))
    if one.shape != other.shape:
        return 0.0
    if numbered:  # which number an object has says nothing
        one, other = one != 0, other != 0
    return float(np.mean(one == other)) if one.size else 1.0


def drawable(said: Said) -> Boxes | Mask | None:
    """Return what can be drawn of an answer: its boxes, with class numbers as labels, or its mask; None of classes."""
    found = said.answer
    if isinstance(found, SaidBoxes):
        boxes = boxes_of_edges(found.edges, "xyxy", found.size)
        return Boxes(boxes, size=found.size, labels=found.labels, extra={"score": found.scores})
    if said.probabilities is not None:
        return None
    mask = _mask(found)
    return Mask(mask, SPATIAL[-mask.ndim :])


def _mask(packed: tuple[bytes, tuple[int, ...], np.dtype[Any]]) -> np.ndarray:
    data, shape, dtype = packed
    return np.frombuffer(zlib.decompress(data), dtype).reshape(shape)


def _shared(a: Said, b: Said) -> list[tuple[int, int]]:
    one, other = a.answer, b.answer
    return shared_boxes(one.edges, one.labels, other.edges, other.labels)


def score_of(
    found: Answers, images: Sequence[int], seed: int, resamples: int, coverage: float = 0.95
) -> Estimate | None:
    """Return the score of the answers to some images of which the truth is known, with its interval; None without one."""
    if found.judged:
        return estimated_precision([found.judged[i] for i in images], None, seed, resamples, coverage)
    return estimate(np.array([found.scores[i] for i in images]), seed, resamples, coverage)


def change_of(
    before: Answers,
    after: Answers,
    images: Sequence[int],
    seed: int,
    resamples: int,
    coverage: float = 0.95,
) -> Estimate | None:
    """Return the score of `after` less that of `before`, on the same images, with its interval."""
    if before.judged:
        one, other = ([found.judged[i] for i in images] for found in (before, after))
        return estimated_precision(one, other, seed, resamples, coverage)
    values = np.array([after.scores[i] - before.scores[i] for i in images])
    return estimate(values, seed, resamples, coverage)


def largest_change(a: Said, b: Said) -> float | None:
    """The largest change of a probability; of boxes, of those that both answers have."""
    if isinstance(a.answer, SaidBoxes):
        return score_change(a.answer.scores, b.answer.scores, _shared(a, b))
    if a.probabilities is None or b.probabilities is None:
        return None
    return float(np.abs(a.probabilities.astype(np.float64) - b.probabilities).max(initial=0.0))
