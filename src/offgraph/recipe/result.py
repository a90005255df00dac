"""What a recipe made of one image."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.display import NotebookView
from offgraph.geometry.frame import Frame
from offgraph.plan.run import TransformHistory
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = ["Result", "Targets"]


class Targets(NamedTuple):
    """What came out, typed: for rooms that go on with it."""

    image: Image
    mask: Mask | None


@dataclass(frozen=True)
class Result(NotebookView):
    """What a recipe made of one image.

    Parameters
    ----------
    targets : Targets
        The typed image and mask.
    record : dict
        What was drawn, as plain JSON; `Compose.replay` applies it again.
    way : TransformHistory
        The steps that moved the image.
    """

    targets: Targets
    record: dict[str, Any]
    history: TransformHistory = field(repr=False)

    def __repr__(self) -> str:
        image, mask = self.targets
        masked = "none" if mask is None else f"{mask.array.dtype} {mask.array.shape}"
        return f"<Result: image {image.array.dtype} {image.array.shape} {image.axes}, mask {masked}>"

    @functools.cached_property
    def frame(self) -> Frame:
        """The way back to the grid of the given image."""
        return self.history.frame()

    @property
    def image(self) -> np.ndarray:
        """The image, contiguous, axes as given."""
        return self.targets.image.array

    @property
    def mask(self) -> np.ndarray | None:
        """The mask of labels, contiguous, in the dtype as given; None where none was given."""
        return None if self.targets.mask is None else self.targets.mask.array
