"""Detectors whose every box is known, without training, and images for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

import offgraph as og

ROWS = 12


def finding(rows: int = ROWS) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Make a detector that gives a box around each bright component, whose score and class follow from its values.

    (B, H, W, C) from 0 to 1 → boxes (B, rows, 4) as xyxy in pixels from the image's edge, scores (B, rows), labels (B, rows), padded
    with -1. Turned with the image, its answer turns too.
    """

    def model(batch: np.ndarray) -> dict[str, np.ndarray]:
        boxes = np.full((len(batch), rows, 4), -1.0, np.float32)
        scores = np.zeros((len(batch), rows), np.float32)
        labels = np.full((len(batch), rows), -1, np.int32)
        for number, image in enumerate(batch):
            found: Any = ndimage.label(image[..., 0] > 0.3)[0]  # type: ignore[index]
            for row, place in enumerate(ndimage.find_objects(found)[:rows]):
                value = float(image[..., 0][place][found[place] == found[place].max()].max())
                boxes[number, row] = [place[1].start, place[0].start, place[1].stop, place[0].stop]
                scores[number, row] = value
                labels[number, row] = int(value > 0.7)
        return {"boxes": boxes, "scores": scores, "labels": labels}

    return model


blobs = finding()


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


def listed(result: Any) -> list[tuple[float, ...]]:
    """The boxes of a prediction with scores and labels, in an order of their own."""
    boxes = boxes_in(result)
    return sorted(zip(*boxes.edges.T.tolist(), result.scores.tolist(), result.labels))


def centres() -> Any:
    """A fully convolutional detector of bright squares of 7 pixels: boxes around the peaks of the mean over 7 × 7 pixels."""
    from tests.support.models import keras

    layers, ops = keras.layers, keras.ops
    image = keras.Input((None, None, 1))
    mean = layers.Conv2D(1, 7, padding="same", use_bias=False, kernel_initializer="ones")(image) / 49
    highest = layers.MaxPooling2D(5, 1, "same")(mean)
    score = mean * ops.cast(ops.equal(mean, highest), "float32")
    ones = ops.ones_like(score)
    places = ops.concatenate([ops.cumsum(ones, axis=2), ops.cumsum(ones, axis=1)], axis=-1) - 0.5
    boxes = ops.concatenate([places, 7 * ones, 7 * ones], axis=-1)
    return keras.Model(
        image, {"boxes": layers.Reshape((-1, 4))(boxes), "scores": layers.Reshape((-1, 1))(score)}
    )


def squares(seed: int, size: tuple[int, int], count: int = 60) -> tuple[np.ndarray, int]:
    """An image with bright squares of 7 pixels, apart from one another, and how many there are."""
    rng = np.random.default_rng(seed)
    image, taken, found = np.zeros(size, np.uint8), np.zeros(size, bool), 0
    for _ in range(count):
        top, left = rng.integers(0, size[0] - 7), rng.integers(0, size[1] - 7)
        if not taken[max(0, top - 7) : top + 14, max(0, left - 7) : left + 14].any():
            taken[top : top + 7, left : left + 7] = True
            image[top : top + 7, left : left + 7] = 255
            found += 1
    return image, found
