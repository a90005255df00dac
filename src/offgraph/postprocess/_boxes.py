"""Shared by the steps on the boxes that a detector gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.kinds import ResultStep
from offgraph.targets.boxes import Boxes
from offgraph.targets.image import Image

__all__ = ["BoxStep"]


class BoxStep(ResultStep):
    """A result step that changes which boxes there are, and no image."""

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """The image as it is."""
        return image

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """The image as it is; boxes have their definition in `apply_boxes`."""
        return image

    def apply_boxes(self, boxes: Boxes, params: dict[str, Any]) -> Boxes:
        """Refine boxes that have scores; others, such as annotated ones, stay."""
        return self.refined(boxes, _scores(boxes)) if "score" in boxes.extra else boxes

    def refined(self, boxes: Boxes, scores: np.ndarray) -> Boxes:
        """Return what the step makes of boxes with their scores, finite float64."""
        raise NotImplementedError(f"{self.name} has no `refined`")


def _scores(boxes: Boxes) -> np.ndarray:
    """Return the column ``"score"`` of boxes.

    Raises
    ------
    ValueError
        Where it is not one finite number for each box.
    """
    given = boxes.extra["score"]
    score = np.asarray(given, np.float64) if given.dtype.kind in "buif" else np.empty(0)
    if score.shape != (len(boxes),) or not np.isfinite(score).all():
        raise ValueError("the boxes' column 'score' is not one finite number for each of them")
    return score
