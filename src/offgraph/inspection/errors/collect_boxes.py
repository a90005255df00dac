"""Takes a detector's predictions one by one, and keeps what an error report says of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.inference.prediction import DRAWN_FROM, Prediction, Predictions, draw_objects
from offgraph.inspection.errors.box_scores import BoxScores
from offgraph.inspection.errors.collect import Collector
from offgraph.inspection.errors.results import BoxErrors, Mistake
from offgraph.views.draw import fit

__all__ = ["BoxCollector"]

_SIDE = 420
_GAP = 6


class BoxCollector(Collector):
    """Of a model that gives each image boxes.

    Of each box a score and ten bits are kept, for average precision is one of all images.
    """

    truth = "annotation"

    def __init__(self, run: Predictions, shown: int) -> None:
        super().__init__(run, shown)
        self.scores = BoxScores(run.class_names)

    def compared(self, prediction: Prediction) -> bool:
        boxes, true = prediction.boxes, prediction.true_boxes
        if boxes is None or true is None or boxes.labels is None:
            return False
        labels = np.zeros(len(true), np.int64) if true.labels is None else true.labels
        score = boxes.extra["score"]
        right = self.scores.add(true.edges, labels, boxes.edges, boxes.labels, score)
        likely = score >= DRAWN_FROM
        found, false = int((right & likely).sum()), int((~right & likely).sum())
        missed = len(true) - found
        rank = 0.0 if not missed + false else 1 - found / (found + missed + false)
        if rank > 0 and self.wrong.takes(rank):
            known = f"{len(true):,} true boxes"
            text = f"{found:,} of {len(true):,} found, {false:,} false"
            drawn = self._drawn(prediction, true)
            self.wrong.add(rank, Mistake(prediction.item.name, prediction.index, text, known, rank, drawn))
        return True

    def _drawn(self, prediction: Prediction, true: Any) -> np.ndarray:
        """The true boxes and the predicted ones over the image, side by side."""
        image = prediction.image
        parts = [
            fit(draw_objects(image, prediction.axes, given, prediction.class_names), _SIDE)
            for given in ((true, None), (prediction.boxes, prediction.points))
        ]
        gap = np.full((parts[0].shape[0], _GAP, 3), 255, np.uint8)
        return np.concatenate([parts[0], gap, parts[1]], axis=1)

    def results(self) -> dict[str, Any]:
        return {"boxes": BoxErrors(self.scores.scores())}
