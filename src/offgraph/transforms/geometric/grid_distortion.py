"""Stretch and squeeze the rows and columns of an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.base import drawn
from offgraph.steps.declaration import step
from offgraph.steps.parameters import AxisCount, NaturalAxisRange, PerAxis, along_axes
from offgraph.transforms.geometric._field import LinearFieldStep

__all__ = ["GridDistortion"]

MAX_CELLS = 64
"""Most cells along an axis."""


@step
class GridDistortion(LinearFieldStep):
    """Stretch some rows and columns of cells and squeeze the others.

    A geometric step; the size stays, and so does the image's border. A grid of equal cells is laid over the image; each
    row and each column of cells draws how much wider or narrower the strip is that it shows. Nothing ever folds.
    Exactness: the bytes of `scipy.ndimage.map_coordinates` on each channel, at the pixels plus the field enlarged
    linearly by `scipy.ndimage.zoom`.

    Parameters
    ----------
    distortion : float or (low, high), or one of them for each axis by name
        By which share the strips vary, from 0 to below 1: 0.3 shows strips between 0.7 and 1.3 cells wide, before all
        are fitted into the image. Of a pair each image draws its own. ``{"X": 0.4}`` leaves the rows as they are.
    cells : int, or one for each axis by name
        Cells along each axis, 1 to 64.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.GridDistortion(0.4, cells=4)])
    >>> image = np.add.outer(np.arange(9.0), np.arange(9.0))
    >>> out = recipe(image=image, key=og.Key(seed=3)).image
    >>> out[0, 0], out[8, 8], bool((np.diff(out, axis=1) > 0).all())
    (np.float64(0.0), np.float64(16.0), True)
    """

    distortion: NaturalAxisRange = 0.3
    cells: AxisCount = 5

    def __post_init__(self) -> None:
        given = self.distortion.values() if isinstance(self.distortion, PerAxis) else [self.distortion]
        if any(high >= 1 for entry in given for high in np.atleast_1d(entry).tolist()):
            raise ValueError(f"distortion={self.distortion} must be below 1: a strip has some width")
        counts = dict(self.cells).values() if isinstance(self.cells, PerAxis) else [self.cells]
        if max(counts) > MAX_CELLS:
            raise ValueError(f"cells={self.cells}: an axis has 1 to {MAX_CELLS} cells")

    @property
    def varies(self) -> bool:
        """Unless no strip varies."""
        given = self.distortion.values() if isinstance(self.distortion, PerAxis) else [self.distortion]
        return any(high > 0 for entry in given for high in np.atleast_1d(entry).tolist())

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw `lines`: for each axis where the lines between cells are read from, 0 to 1 from border to border."""
        names = spec.spatial_names
        shares = along_axes("distortion", drawn(draw, self.distortion), names, 0.0)
        lines = []
        for share, count in zip(shares, along_axes("cells", self.cells, names, 1)):
            ends = [0.0]
            for _ in range(count):
                ends.append(ends[-1] + 1 + (draw.uniform(-share, share) if share else 0.0))
            lines.append([end / ends[-1] for end in ends])
        return {"lines": lines}

    def field(self, params: dict[str, Any], size: tuple[int, ...]) -> np.ndarray:
        """How far each crossing of lines is read from where it stands, in pixels: n x lines."""
        lines = [np.array(along, np.float64) for along in params["lines"]]
        field = np.zeros((len(size), *map(len, lines)))
        for axis, (along, n) in enumerate(zip(lines, size)):
            moved = (along - np.linspace(0, 1, len(along))) * max(n - 1, 0)
            field[axis] = moved.reshape([-1 if other == axis else 1 for other in range(len(size))])
        return field
