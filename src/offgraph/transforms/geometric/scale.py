"""Enlarge or shrink what an image shows."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.base import drawn, varies
from offgraph.steps.compiled import CompiledStep, compiled_axes, has_known_roundings
from offgraph.steps.declaration import step
from offgraph.steps.parameters import PositiveAxisRange, along_axes
from offgraph.transforms.geometric._matrix import MatrixStep, pull_matrix

__all__ = ["Scale"]


@step
class Scale(MatrixStep):
    """Enlarge or shrink what an image shows; its size stays.

    A geometric step. `Resize` and `Zoom` change the size instead, and only `Resize` averages where it shrinks: below
    about 0.5 this step skips pixels. Exactness: the bytes of `scipy.ndimage.affine_transform` on each channel.

    Parameters
    ----------
    scale : float or (low, high), or one of them for each axis by name
        Factor above 0; above 1 enlarges the content, on every spatial axis alike. ``{"Y": 1.2, "X": (0.8, 1)}`` gives
        each axis its own value, and leaves those that are not named.
    anchor : str
        The point that stays: 'centre' of the image, or 'origin', the centre of its first pixel.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Scale(2, anchor="origin")])(image=np.array([[0, 20, 40, 60]], np.uint8)).image
    array([[ 0, 10, 20, 30]], dtype=uint8)
    """

    scale: PositiveAxisRange
    anchor: Literal["centre", "origin"] = "centre"

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the factor, or one for each name."""
        along_axes("scale", self.scale, spec.spatial_names, 1.0)
        return {"scale": drawn(draw, self.scale)}

    @property
    def varies(self) -> bool:
        """Whether the scale is a range."""
        return varies(self.scale)

    def pull(self, params: dict[str, Any], size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """A diagonal matrix."""
        values = {"scale": params["scale"], "shear": 0.0, "rotate": 0.0, "translate": [0.0] * len(size)}
        return pull_matrix(values, size, anchor=self.anchor)

    def compiled(self) -> CompiledStep | None:
        """`Affine` without shear, turn and shift."""
        scale = compiled_axes(self.scale)
        if scale is None or not has_known_roundings():
            return None
        return ("affine", scale, ((0.0,), (0, None)), 0.0, (), False, self.anchor == "centre")
