"""The way back through a map whose inverse has no formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.geometry.base import CoordinateMap, box_of, map_from_json

__all__ = ["InverseMap", "NumericMap"]


class NumericMap(CoordinateMap):
    """A map whose `push` is worked out numerically; base of displacement and lens maps."""

    def inverse(self) -> CoordinateMap:
        """Return the map that works out `push` for each point."""
        return InverseMap(self)

    def bounds_back(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return output coordinates between which all places of a box of input coordinates lie."""
        return np.full(self.ndim, -np.inf), np.full(self.ndim, np.inf)


@dataclass(frozen=True, eq=False)
class InverseMap(CoordinateMap):
    """The inverse of a map, worked out point by point; NaN where the map folds and so gives no one place.

    Parameters
    ----------
    of : NumericMap
        The map that is inverted.

    Examples
    --------
    >>> from offgraph.geometry import DisplacementMap
    >>> field = np.zeros((2, 3, 3))
    >>> field[0, 1, 1] = 2
    >>> bent = DisplacementMap(field, (9, 9), (9, 9))
    >>> bool(np.abs(bent.inverse()(bent([3, 4])) - [3, 4]).max() < 1e-6)
    True
    """

    of: NumericMap

    kind: ClassVar[str] = "inverse"

    @property
    def input_size(self) -> tuple[int, ...]:  # type: ignore[override]
        """The output size of the map that is inverted."""
        return self.of.output_size

    @property
    def output_size(self) -> tuple[int, ...]:  # type: ignore[override]
        """The input size of the map that is inverted."""
        return self.of.input_size

    def inverse(self) -> NumericMap:
        """Return the map that was inverted."""
        return self.of

    def pull(self, components: np.ndarray) -> np.ndarray:
        """The other map's `push`."""
        return self.of.push(components)

    def push(self, components: np.ndarray) -> np.ndarray:
        """The other map's `pull`, where that is its one place."""
        places = self.of.pull(components)
        lost = ~np.isfinite(self.of.push(places)).all(axis=0)
        places[:, lost] = np.nan
        return places

    def jacobian_components(self, components: np.ndarray) -> np.ndarray:
        """The inverse of the other map's derivative."""
        there = self.of.jacobian_components(self.of.push(components))
        lined = np.moveaxis(there, (0, 1), (-2, -1))
        result = np.full(lined.shape, np.nan)
        known = np.isfinite(lined).all(axis=(-2, -1))
        result[known] = np.linalg.inv(lined[known])
        return np.moveaxis(result, (-2, -1), (0, 1))

    def bounds(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Those of the other map, backwards."""
        start, stop = box_of(self, low, high)
        return self.of.bounds_back(start.tolist(), stop.tolist())

    def fields(self) -> dict[str, Any]:
        """The map that is inverted."""
        return {"of": self.of.to_json()}

    @classmethod
    def from_fields(cls, data: dict[str, Any]) -> Self:
        """Read it."""
        of = data["of"]
        if isinstance(of, dict) and of.get("map") in (cls.kind, "chain"):
            raise ValueError("an inverse is that of a displacement or a lens")
        found = map_from_json(of)
        if not isinstance(found, NumericMap):
            raise ValueError("an inverse is that of a displacement or a lens")
        return cls(found)
