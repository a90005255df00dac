"""Exchange the cells of a grid."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

from offgraph.core.counting import number_text
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.geometry.resampling import Resampling
from offgraph.geometry.tile_map import MAX_TILES, TileMap
from offgraph.steps.declaration import step
from offgraph.steps.kinds import GeometricStep
from offgraph.steps.parameters import AxisCount, PerAxis, along_axes
from offgraph.targets.image import Image

__all__ = ["GridShuffle"]


@step
class GridShuffle(GeometricStep):
    """Cut the image into a grid of cells and put them together in another order.

    A geometric step; the size stays. Cells are exchanged with cells of the same shape only: where the lengths do not divide, cells
    of one pixel more or less stay among themselves. Masks, heatmaps and points move with their cells. A box becomes the smallest
    that holds all its pieces, so of objects that reach over several cells only masks say where they are. Exactness: whole pixels are copied.

    Parameters
    ----------
    cells : int, or one for each axis by name
        Along each axis, at least 1; at most 1,000 in all: a record holds their order. An axis that is not named is not cut.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.GridShuffle({"X": 3})])
    >>> recipe(image=np.array([[1, 2, 3, 4, 5, 6]], np.uint8), key=og.Key(seed=2)).image.tolist()
    [[3, 4, 1, 2, 5, 6]]
    """

    keeps_size = True

    cells: AxisCount = 3

    def __post_init__(self) -> None:
        counts = dict(self.cells).values() if isinstance(self.cells, PerAxis) else [self.cells] * 2
        if math.prod(counts) > MAX_TILES:
            raise ValueError(
                f"cells={self.cells} makes more than {MAX_TILES:,} cells; a record holds the place of each"
            )

    def _edges(self, size: tuple[int, ...], names: str) -> tuple[tuple[int, ...], ...]:
        counts = along_axes("cells", self.cells, names, 1)
        if math.prod(counts) > MAX_TILES:
            raise ValueError(
                f"cells={self.cells} makes {number_text(math.prod(counts))} cells of {len(size)} axes, more than {MAX_TILES:,}"
            )
        return tuple(
            tuple(n * number // count for number in range(count + 1)) for n, count in zip(size, counts)
        )

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw `order`: for each cell which one it shows, every order of the cells of one shape as likely."""
        groups = _alike(self._edges(spec.size, spec.spatial_names))
        order = list(range(sum(map(len, groups))))
        for alike in groups:
            for last in range(len(alike) - 1, 0, -1):
                one, other = alike[last], alike[draw.integer(0, last)]
                order[one], order[other] = order[other], order[one]
        return {"order": order}

    def map(self, params: dict[str, Any], spec: ArraySpec) -> TileMap:
        """The cells in their order."""
        edges = self._edges(spec.size, spec.spatial_names)
        return TileMap(edges, tuple(params["order"]), spec.size, spec.size)

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """Whole pixels."""
        return Resampling(order=0)

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Copy each cell: an operation of its own, since a resampling joined to it would read across the cuts."""
        spec = image.spec
        cells = _cells(self._edges(spec.size, spec.spatial_names))
        out = np.empty_like(image.array, order="C")
        planes, target = image.array, out
        if spec.spatial != tuple(range(len(spec.size))):
            planes, target = (
                np.moveaxis(array, spec.spatial, range(len(spec.size))) for array in (planes, out)
            )
        for here, of in zip(cells, params["order"], strict=True):
            target[here] = planes[cells[of]]
        return image.with_array(out)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """An index for every pixel."""
        places = self.map(params, ArraySpec.of(image, "ZYX"[-image.ndim :])).coordinates()
        return image[tuple(places.astype(np.intp))]


@functools.lru_cache(maxsize=64)
def _cells(edges: tuple[tuple[int, ...], ...]) -> list[tuple[slice, ...]]:
    """The pixels of each cell, the last axis running fastest."""
    return list(itertools.product(*([slice(*ends) for ends in itertools.pairwise(along)] for along in edges)))


@functools.lru_cache(maxsize=64)
def _alike(edges: tuple[tuple[int, ...], ...]) -> list[list[int]]:
    """The numbers of the cells of each shape, in the order of their first ones."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, cell in enumerate(_cells(edges)):
        groups.setdefault(tuple(along.stop - along.start for along in cell), []).append(number)
    return list(groups.values())
