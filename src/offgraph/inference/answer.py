"""What a model says of one array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from offgraph.inference.detections import Detections

__all__ = ["Answer"]


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model says of one view.

    Parameters
    ----------
    values : ndarray of float32
        Its main output as probabilities, or as numbers.
    raw : mapping of str to ndarray
        All outputs as it gives them.
    tiles : tuple of Detections, optional
        Of a detector that is run on tiles: what it says of each, in C order, on the grid of the view.
    """

    values: np.ndarray
    raw: Mapping[str, np.ndarray]
    tiles: tuple[Detections, ...] | None = None
