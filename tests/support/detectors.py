"""Detectors whose every box is known, without training, and images for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

import offgraph as og

ROWS = 12


def blobs(batch: np.ndarray) -> dict[str, np.ndarray]:
    """A box around each bright component, whose score and class follow from its values: turned with the image, it turns too.

    (B, H, W, C) from 0 to 1 → boxes (B, 12, 4) as xyxy in pixels from the image's edge, scores (B, 12), labels (B, 12), padded with -1.
    """
    boxes = np.full((len(batch), ROWS, 4), -1.0, np.float32)
    scores = np.zeros((len(batch), ROWS), np.float32)
    labels = np.full((len(batch), ROWS), -1, np.int32)
    for number, image in enumerate(batch):
        found: Any = ndimage.label(image[..., 0] > 0.3)[0]  # type: ignore[index]
        for row, place in enumerate(ndimage.find_objects(found)[:ROWS]):
            value = float(image[..., 0][place][found[place] == found[place].max()].max())
            boxes[number, row] = [place[1].start, place[0].start, place[1].stop, place[0].stop]
            scores[number, row] = value
            labels[number, row] = int(value > 0.7)
    return {"boxes": boxes, "scores": scores, "labels": labels}


def bright(size: tuple[int, int], boxes: list[tuple[int, int, int, int]], values: list[int]) -> np.ndarray:
    """A black image with bright rectangles (top, left, bottom, right)."""
    image = np.zeros((*size, 3), np.uint8)
    for (top, left, bottom, right), value in zip(boxes, values):
        image[top:bottom, left:right] = value
    return image


def saying(*answers: Any, names: tuple[str, ...] = ()) -> Callable[[np.ndarray], Any]:
    """A model that says the same of every image: arrays for one image, without the batch axis."""

    def model(batch: np.ndarray) -> Any:
        made = [np.broadcast_to(one, (len(batch), *np.shape(one))) for one in map(np.asarray, answers)]
        return dict(zip(names, made)) if names else made[0] if len(made) == 1 else tuple(made)

    return model


def boxes_in(result: Any) -> og.Boxes:
    """The boxes of a prediction, which are there."""
    assert isinstance(result.boxes, og.Boxes)
    return result.boxes
