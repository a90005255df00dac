"""What a model says of each image of a source, in a form that can be compared and scored."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from offgraph.inference.measures import Overlaps
from offgraph.inference.prediction import Prediction
from offgraph.inference.predictor import Predictor
from offgraph.sources import Source

__all__ = ["SCORES", "Answers", "Said", "answers_of", "known_scores", "largest_change", "share_alike"]

SCORES = {"classify": "accuracy", "multilabel": "exact labels", "segment": "mean IoU"}
"""What answers are scored by, for each task that there are scores of."""


class Said(NamedTuple):
    """An answer in a form that can be compared: a class, labels, or a compressed mask with its shape and dtype."""

    answer: Any
    text: str
    truth: str
    probabilities: np.ndarray | None


@dataclass
class Answers:
    """What a model says of a source, by the images' numbers."""

    said: dict[int, Said] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
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


def share_alike(a: Said, b: Said, numbered: bool) -> float:
    """How much of an answer is the same, from 0 to 1."""
    if a.probabilities is not None:
        return float(a.answer == b.answer)
    one, other = (_mask(said.answer) for said in (a, b))
    if one.shape != other.shape:
        return 0.0
    if numbered:  # which number an object has says nothing
        one, other = one != 0, other != 0
    return float(np.mean(one == other)) if one.size else 1.0


def _mask(packed: tuple[bytes, tuple[int, ...], np.dtype[Any]]) -> np.ndarray:
    data, shape, dtype = packed
    return np.frombuffer(zlib.decompress(data), dtype).reshape(shape)


def known_scores(scores: Any) -> np.ndarray:
    """The scores of images of which the truth is known."""
    values = np.array(list(scores), np.float64)
    return values[~np.isnan(values)]


def largest_change(a: Said, b: Said) -> float | None:
    """The largest change of a probability."""
    if a.probabilities is None or b.probabilities is None:
        return None
    return float(np.abs(a.probabilities.astype(np.float64) - b.probabilities).max(initial=0.0))
