"""Maps that exchange the cells of a grid: each cell is moved whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.geometry.base import CoordinateMap, box_of, whole_size

__all__ = ["TileMap"]

MAX_TILES = 1000
"""Most cells: a map holds the place of each."""


@dataclass(frozen=True, eq=False)
class TileMap(CoordinateMap):
    """Output pixel → input pixel: what a cell of the grid shows is another cell of the same shape.

    Parameters
    ----------
    edges : sequence of sequence of int
        For each axis where its cells begin, in pixels, and where the last one ends: from 0 to the length.
    order : sequence of int
        For each cell of the output, the last axis running fastest, the number of the cell of the input that it shows.
    input_size, output_size : tuple of int
        Spatial lengths of the image, before and after the same.

    Raises
    ------
    OffgraphError
        Where the edges do not rise from 0 to the length, or `order` is not a permutation of cells of equal shapes.

    Notes
    -----
    A point belongs to the cell of the pixel that it lies in; beyond the image, to the nearest one. Between cells the map jumps.

    Examples
    --------
    >>> swapped = TileMap(((0, 2), (0, 3, 6)), (1, 0), (2, 6), (2, 6))
    >>> swapped([[0, 0], [1, 3.25]])
    array([[0.  , 3.  ],
           [1.  , 0.25]])
    """

    edges: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]

    kind: ClassVar[str] = "tiles"

    def __post_init__(self) -> None:
        sizes = whole_size(self.input_size), whole_size(self.output_size)
        edges = tuple(tuple(map(int, along)) for along in self.edges)
        order = tuple(map(int, self.order))
        good = sizes[0] == sizes[1] and len(edges) == len(sizes[0]) and all(
            len(along) >= 2 and along[0] == 0 and along[-1] == n and list(along) == sorted(along)
            for along, n in zip(edges, sizes[0])
        )  # fmt: skip
        count = math.prod(len(along) - 1 for along in edges)
        if not good or count > MAX_TILES or sorted(order) != list(range(count)):
            raise OffgraphError(
                f"a tile map of size {sizes[0]} needs edges from 0 to each length and the numbers of at most "
                f"{MAX_TILES:,} cells; got edges={edges!r:.80} order={order!r:.80}"
            )
        vars(self).update(edges=edges, order=order, input_size=sizes[0], output_size=sizes[1])
        if (self._lengths != self._lengths[:, list(order)]).any():
            raise OffgraphError("a tile map exchanges cells of equal shapes only")

    @property
    def cells(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return tuple(len(along) - 1 for along in self.edges)

    def _of_cells(self, along: Sequence[np.ndarray]) -> np.ndarray:
        """A number for each cell along each axis, for all cells: shape (n, cells)."""
        return np.stack(np.meshgrid(*along, indexing="ij")).reshape(len(along), -1)

    @property
    def starts(self) -> np.ndarray:
        """First pixels of the cells, shape (n, cells)."""
        return self._of_cells([np.array(along[:-1]) for along in self.edges])

    @property
    def stops(self) -> np.ndarray:
        """Pixels after the last of the cells, shape (n, cells)."""
        return self._of_cells([np.array(along[1:]) for along in self.edges])

    @property
    def _lengths(self) -> np.ndarray:
        return self.stops - self.starts

    @property
    def is_identity(self) -> bool:
        """Whether every cell stays where it is."""
        return self.order == tuple(range(len(self.order)))

    def pull(self, components: np.ndarray) -> np.ndarray:
        """Add what the cell is moved by."""
        components = np.asarray(components, np.float64)
        number = np.zeros(components.shape[1:], np.intp)
        for along, inner, count in zip(components, self.edges, self.cells):
            number = number * count + np.searchsorted(np.array(inner[1:-1]) - 0.5, along, side="right")
        moved = self.starts[:, list(self.order)] - self.starts
        return components + moved[:, number]

    def push(self, components: np.ndarray) -> np.ndarray:
        """Those of the inverse."""
        return self.inverse().pull(components)

    def jacobian_components(self, components: np.ndarray) -> np.ndarray:
        """The identity: cells are moved as they are."""
        n = self.ndim
        return np.broadcast_to(
            np.eye(n).reshape(n, n, *[1] * (components.ndim - 1)), (n, n, *components.shape[1:])
        )

    def inverse(self) -> TileMap:
        """Every cell back to its place."""
        return TileMap(self.edges, tuple(np.argsort(self.order).tolist()), self.output_size, self.input_size)

    def bounds(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the box cuts out of each cell, moved; cells at the border reach beyond it."""
        start, stop = box_of(self, low, high)
        ends = [
            (np.array([-np.inf, *along[1:-1]]) - 0.5, np.array([*along[1:-1], np.inf]) - 0.5)
            for along in self.edges
        ]
        first = np.maximum(self._of_cells([each[0] for each in ends]), start[:, np.newaxis])
        last = np.minimum(self._of_cells([each[1] for each in ends]), stop[:, np.newaxis])
        seen = (first <= last).all(axis=0)
        if not seen.any():
            return start, stop
        moved = (self.starts[:, list(self.order)] - self.starts)[:, seen]
        return (first[:, seen] + moved).min(axis=1), (last[:, seen] + moved).max(axis=1)

    def reads_inside(self, slack: float) -> bool:
        """Always: whole pixels change places."""
        return True

    def fields(self) -> dict[str, Any]:
        """Edges and order."""
        return {"edges": [list(along) for along in self.edges], "order": list(self.order)}

    @classmethod
    def from_fields(cls, data: dict[str, Any]) -> Self:
        """Read them."""
        if len(data["order"]) > MAX_TILES or any(len(along) > MAX_TILES + 1 for along in data["edges"]):
            raise ValueError(f"more than {MAX_TILES} cells")
        edges = tuple(tuple(along) for along in data["edges"])
        return cls(edges, tuple(data["order"]), tuple(data["input_size"]), tuple(data["output_size"]))
