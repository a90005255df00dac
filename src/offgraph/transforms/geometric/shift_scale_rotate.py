"""Shift, scale and rotate in one resampling."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.base import drawn, varies
from offgraph.steps.compiled import CompiledStep, compiled_axes, compiled_shifts, has_known_roundings
from offgraph.steps.declaration import step
from offgraph.steps.parameters import PerAxis, PositiveAxisRange, Range, Shift, along_axes
from offgraph.transforms.geometric._matrix import MatrixStep, drawn_shift, pull_matrix, shift_varies
from offgraph.transforms.geometric.rotate import angle_hints

__all__ = ["ShiftScaleRotate"]


@step
class ShiftScaleRotate(MatrixStep):
    """Scale and rotate about the centre, then shift, in one resampling: the step of many published recipes.

    A geometric step; the size stays. Its defaults draw what Albumentations' step of this name draws. `Affine` can shear
    too. Exactness: the bytes of `scipy.ndimage.affine_transform` on each channel.

    Parameters
    ----------
    shift : one float or (low, high) for each spatial axis
        Pixels or shares such as ``"6.25%"``, (rows, columns); ``{"YX": …}`` by name. Positive moves the content down and
        to the right. Left out, from -6.25 % to 6.25 % of each side.
    scale : float or (low, high), or one of them for each axis by name
        Factor above 0; above 1 enlarges the content.
    rotate : float or (low, high)
        Degrees, with the sign of `Rotate`. In volumes in the plane of rows and columns.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.ShiftScaleRotate(scale=(0.9, 1.1), rotate=(-10, 10), mode="reflect")])
    >>> recipe(image=np.zeros((32, 32, 3), np.uint8), key=og.Key(seed=7)).image.shape
    (32, 32, 3)
    """

    shift: Shift | None = None
    scale: PositiveAxisRange = (0.9, 1.1)
    rotate: Range = (-45.0, 45.0)

    def hints(self) -> list[str]:
        """Angles that look like radians."""
        return [*super().hints(), *angle_hints("rotate", self.rotate)]

    def _shift(self, n: int) -> Any:
        return (("-6.25%", "6.25%"),) * n if self.shift is None else self.shift

    @property
    def varies(self) -> bool:
        """Whether one of the three is a range."""
        return varies(self.scale) or varies(self.rotate) or shift_varies(self._shift(2))

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw scale, angle, then the shift in pixels for each axis."""
        along_axes("scale", self.scale, spec.spatial_names, 1.0)
        return {
            "scale": drawn(draw, self.scale),
            "rotate": draw.value(self.rotate),
            "shift": drawn_shift("shift", self._shift(len(spec.size)), draw, spec),
        }

    def pull(self, params: dict[str, Any], size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """A turn over the scale, and the shift."""
        return pull_matrix(
            {
                "scale": params["scale"],
                "shear": 0.0,
                "rotate": params["rotate"],
                "translate": params["shift"],
            },
            size,
        )

    def compiled(self) -> CompiledStep | None:
        """`Affine` without shear."""
        scale, shifts = compiled_axes(self.scale), compiled_shifts(self._shift(2))
        if scale is None or shifts is None or not has_known_roundings():
            return None
        by_name = isinstance(self.shift, PerAxis)
        return ("affine", scale, ((0.0,), (0, None)), self.rotate, shifts, by_name, True)
