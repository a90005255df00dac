"""Scale, shear, rotate and translate in one resampling, or apply a matrix."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.base import drawn, varies
from offgraph.steps.compiled import CompiledStep, compiled_axes, compiled_shifts, has_known_roundings
from offgraph.steps.declaration import step
from offgraph.steps.parameters import (
    AxisRange,
    Matrix,
    PerAxis,
    PositiveAxisRange,
    Range,
    Shift,
    along_axes,
    in_pixels,
)
from offgraph.transforms.geometric._matrix import MatrixStep, centre_of, drawn_shift, pull_matrix
from offgraph.transforms.geometric.rotate import angle_hints

__all__ = ["Affine"]


@step
class Affine(MatrixStep):
    """Scale, shear, rotate and translate in one resampling, or apply a given matrix.

    A geometric step; the size stays. The image is scaled, sheared, turned, then shifted. Coordinates are
    (row, column), or (slice, row, column), in pixels, never (x, y). Exactness: the bytes of
    `scipy.ndimage.affine_transform` on each channel.

    Parameters
    ----------
    scale : float or (low, high), or one of them for each axis by name
        Above 1 enlarges the content, on every spatial axis alike; ``{"Y": 1.2, "X": (0.8, 1)}`` gives each axis its own
        value, and leaves those that are not named.
    shear : float or (low, high), or one of them for each axis of the plane by name
        In rows per column: an output pixel that lies s columns right of the anchor reads s times this many rows lower,
        as SciPy's matrix ``[[1, shear], [0, 1]]`` does. ``{"Y": a, "X": b}`` is the matrix ``[[1, a], [b, 1]]``: "Y"
        shears vertically, in rows per column, "X" horizontally, in columns per row. In volumes in the plane.
    translate : one float or (low, high) for each spatial axis, optional
        Pixels, (rows, columns): positive moves the content down and to the right. ``(3, -2)`` is a fixed shift,
        ``((-5, 5), (-5, 5))`` draws for both axes independently. ``"10%"`` is a share of that side of the image;
        ``{"X": ("-10%", "10%")}`` moves the axes that are named.
    rotate : float or (low, high)
        Degrees, with the sign of `Rotate`. In volumes in the plane.
    matrix : nested list of float, optional
        n x n, n x (n + 1) with an offset in pixels as its last column, or (n + 1) x (n + 1) with a last row of
        0, …, 0, 1; n is 2 for images, 3 for volumes. Instead of the four parameters above.
    direction : str
        What `matrix` maps: 'pull' from output to input pixels, as SciPy, 'push' from input to output pixels.
    anchor : str
        The point with coordinates zero: 'centre' of the image, or 'origin', the centre of its first pixel, as SciPy.
    plane : str
        Two spatial axes of a volume in which `shear` and `rotate` act, 'YX', 'ZX' or 'ZY'.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> shift = og.Compose([og.Affine(translate=(1, 0))])
    >>> shift(image=np.array([[1, 2], [3, 4]], np.uint8)).image
    array([[0, 0],
           [1, 2]], dtype=uint8)
    """

    scale: PositiveAxisRange = 1.0
    shear: AxisRange = 0.0
    translate: Shift | None = None
    rotate: Range = 0.0
    matrix: Matrix | None = None
    direction: Literal["pull", "push"] = "pull"
    anchor: Literal["centre", "origin"] = "centre"
    plane: Literal["YX", "ZX", "ZY"] = "YX"

    def __post_init__(self) -> None:
        if self.matrix is None:
            return
        if (self.scale, self.shear, self.translate, self.rotate) != (1, 0, None, 0):
            raise ValueError("matrix= replaces scale, shear, translate and rotate; give one or the other")
        rows = np.array(self.matrix)
        with np.errstate(all="ignore"):
            size = abs(np.linalg.det(rows[:, : len(rows)]))  # of the homogeneous form it is the same number
        if not np.isfinite(size):
            raise ValueError(f"matrix={self.matrix} has no determinant that a float64 holds")
        if size < 1e-12:
            raise ValueError(f"matrix={self.matrix} flattens the image: its determinant is 0")

    def hints(self) -> list[str]:
        """Angles that look like radians, a shear like degrees, a shift like a range; and a step that does nothing."""
        idle = (self.scale, self.shear, self.rotate) == (1, 0, 0) and not any(_values(self.translate))
        if self.matrix is None and idle:
            return ["changes nothing; give scale, shear, translate or rotate, or a matrix"]
        hints = [*super().hints(), *angle_hints("rotate", self.rotate)]
        if (
            max(map(abs, _values(self.shear))) > 3
        ):  # steeper than 71 degrees, where only stripes of an image are left
            hints.append(f"shear={self.shear} is in rows per column, not degrees; 10 degrees are shear=0.176")
        match self.translate:
            case (float(low), float(high)) if low < 0 < high:
                hints.append(
                    f"translate={self.translate} is a fixed shift by {low:g} rows and {high:g} columns; "
                    f"for a range write translate=({self.translate}, {self.translate})"
                )
        return hints

    @property
    def varies(self) -> bool:
        """Whether one of the four is a range."""
        shifts = self.translate.values() if isinstance(self.translate, PerAxis) else self.translate or ()
        return super().varies or any(varies(entry) for entry in shifts)

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Four values; the shift one for each axis. Nothing with a matrix."""
        if self.matrix is not None:
            return {}
        along_axes("scale", self.scale, spec.spatial_names, 1.0)
        return {
            "scale": drawn(draw, self.scale),
            "shear": drawn(draw, self.shear),
            "rotate": draw.value(self.rotate),
            "translate": drawn_shift("translate", self.translate, draw, spec),
        }

    def _given(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The given matrix as n x n, pull, and its offset."""
        rows = np.array(self.matrix, np.float64)
        if rows.shape not in ((n, n), (n, n + 1), (n + 1, n + 1)):
            raise ValueError(
                f"matrix of {rows.shape[0]} x {rows.shape[1]} does not fit an image of {n} spatial axes"
            )
        if len(rows) == n + 1 and rows[n].tolist() != [0.0] * n + [1.0]:
            raise ValueError(f"the matrix' last row must be 0, …, 0, 1, got {rows[n].tolist()}")
        matrix, offset = rows[:n, :n], (rows[:n, n] if rows.shape[1] > n else np.zeros(n))
        if self.direction == "push":
            matrix = np.linalg.inv(matrix)
            offset = -(matrix @ offset)
        return matrix, offset

    def pull(self, params: dict[str, Any], size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The given matrix about its anchor, or that of the four values."""
        if self.matrix is not None:
            centre = centre_of(size, self.anchor)
            matrix, offset = self._given(len(size))
            return matrix, offset + centre - matrix @ centre
        return pull_matrix(params, size, anchor=self.anchor, plane=self.plane)

    def compiled(self) -> CompiledStep | None:
        """The four settings, or the matrix."""
        if self.plane != "YX" or not has_known_roundings():
            return None
        is_centred = self.anchor == "centre"
        if self.matrix is not None:
            try:
                matrix, offset = self._given(2)
            except ValueError:
                return None
            return ("matrix", tuple(matrix.ravel().tolist()), tuple(offset.tolist()), is_centred)
        scale, shear = compiled_axes(self.scale), compiled_axes(self.shear, plain=(0, None))
        shifts = compiled_shifts(self.translate)
        if scale is None or shear is None or shifts is None:
            return None
        by_name = isinstance(self.translate, PerAxis)
        return ("affine", scale, shear, self.rotate, shifts, by_name, is_centred)


def _values(setting: Any) -> list[float]:
    """All numbers of a setting, shares in percent."""
    if isinstance(setting, PerAxis | tuple):
        parts = setting.values() if isinstance(setting, PerAxis) else setting
        return [value for part in parts for value in _values(part)]
    return [] if setting is None else [in_pixels(setting, 100)]
