"""What detectors say of all views of an image, whole or in tiles, brought to the original."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offgraph.geometry.frame import Frame
from offgraph.inference.answer import Answer
from offgraph.inference.detection_merging import boxes_of, refined_rows
from offgraph.inference.detections import Detections, on_original, read_detections
from offgraph.inference.model_run import ModelRun, Views
from offgraph.inference.tiling.seams import joined_tiles
from offgraph.recipe.compose import Compose

__all__ = ["found_in_views", "kept_in_tile"]


def found_in_views(
    model: ModelRun, views: Views, answers: Sequence[Answer], steps: Compose, index: int
) -> list[Detections]:
    """Read what a detector says of each view, and bring it to the original image.

    Parameters
    ----------
    model : ModelRun
    views : Views
    answers : sequence of Answer
        One for each view.
    steps : Compose
        The result steps. Boxes of a tile go through them before tiles are joined.
    index : int
        Of the image, for messages.

    Raises
    ------
    StepError
        For outputs that make no sense.
    """
    declared, spatial = model.saved.detection, model.saved.input_spec.spatial
    assert declared is not None, "a detector says what its outputs are"
    found: list[Detections] = []
    for view, answer in zip(views.views, answers):
        size = tuple(view.array.shape[axis] for axis in spatial)
        frame = views.frame if view.frame is None else views.frame.then(view.frame)
        if answer.tiles is None:
            read = read_detections(answer.raw, declared, size, model.classes, str(model.saved.path))
        else:
            kept = [kept_in_tile(one, size, frame, steps, index) for one in answer.tiles]
            read = joined_tiles(kept, model.tiles().grid(size))
        found.append(on_original(read, size, frame, declared.pairs))
    return found


def kept_in_tile(
    found: Detections, size: tuple[int, ...], frame: Frame, steps: Compose, index: int
) -> Detections:
    """Leave out of a tile's boxes what the result steps would leave out, which see them on the original.

    Parameters
    ----------
    found : Detections
        In the coordinates of the view, of `size`.
    """
    if not steps.steps or not len(found.scores):
        return found
    boxes = boxes_of(found, size).restored(frame)
    return found.rows(np.sort(refined_rows(boxes, steps, frame.input_size, index)))
