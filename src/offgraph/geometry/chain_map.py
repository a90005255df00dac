"""Maps one after another, where they do not join into one of their own kind."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.geometry.base import CoordinateMap, map_from_json

__all__ = ["ChainMap"]

MAX_MAPS = 256
"""Most maps of a chain that is read from JSON."""


@dataclass(frozen=True, eq=False)
class ChainMap(CoordinateMap):
    """Maps in the order in which the images are made: ``input = maps[0](maps[1](output))``.

    Neighbours that join are joined, chains inside are unpacked.

    Parameters
    ----------
    maps : sequence of CoordinateMap
        At least one.

    Raises
    ------
    OffgraphError
        Where there is none, or where sizes do not meet.

    Examples
    --------
    >>> from offgraph.geometry import AffineMap, DisplacementMap
    >>> bent = DisplacementMap(np.zeros((2, 3, 3)), (8, 8), (8, 8))
    >>> half = AffineMap(np.diag([2, 2]), (0.5, 0.5), (8, 8), (4, 4))
    >>> bent.then(half).then(half.inverse())([1, 2])
    array([1., 2.])
    """

    maps: tuple[CoordinateMap, ...]

    kind: ClassVar[str] = "chain"

    def __post_init__(self) -> None:
        joined: list[CoordinateMap] = []
        for given in self.maps:
            for step in given.maps if isinstance(given, ChainMap) else (given,):
                if joined and joined[-1].generality is not None and step.generality is not None:
                    joined[-1] = joined[-1].then(step)
                    continue
                if joined:
                    joined[-1].check_before(step)
                joined.append(step)
        if not joined:
            raise OffgraphError("a chain needs at least one map; begin with AffineMap.identity(size)")
        object.__setattr__(self, "maps", tuple(joined))

    @classmethod
    def of(cls, maps: Sequence[CoordinateMap]) -> CoordinateMap:
        """Return the chain of maps without those that move nothing, or the one that is left; `then` makes it so."""
        joined = cls(tuple(maps)).maps
        moving = tuple(step for step in joined if not step.is_identity) or joined[:1]
        return moving[0] if len(moving) == 1 else cls(moving)

    @property
    def input_size(self) -> tuple[int, ...]:  # type: ignore[override]
        """Spatial lengths of the first map's input."""
        return self.maps[0].input_size

    @property
    def output_size(self) -> tuple[int, ...]:  # type: ignore[override]
        """Spatial lengths of the last map's output."""
        return self.maps[-1].output_size

    @property
    def preserves_lines(self) -> bool:
        """Where all its maps do."""
        return all(step.preserves_lines for step in self.maps)

    def inverse(self) -> ChainMap:
        """Return the inverses in reverse order."""
        return ChainMap(tuple(step.inverse() for step in reversed(self.maps)))

    def pull(self, components: np.ndarray) -> np.ndarray:
        """Through the maps from the last to the first."""
        return functools.reduce(lambda places, step: step.pull(places), reversed(self.maps), components)

    def push(self, components: np.ndarray) -> np.ndarray:
        """Through the maps from the first to the last."""
        return functools.reduce(lambda places, step: step.push(places), self.maps, components)

    def pull_pixels(self) -> np.ndarray:
        """Those of the last map, through the others."""
        dense = self.maps[-1].pull_pixels()
        others = self.maps[-2::-1] if len(self.maps) > 1 else ()
        return np.ascontiguousarray(functools.reduce(lambda places, step: step.pull(places), others, dense))

    def jacobian_components(self, components: np.ndarray) -> np.ndarray:
        """The chain rule."""
        result: np.ndarray | None = None
        for step in reversed(self.maps):
            own = step.jacobian_components(components)
            result = own if result is None else np.einsum("ij...,jk...->ik...", own, result)
            components = step.pull(components)
        assert result is not None
        return result

    def bounds(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The bounds of each map within those of the map after it."""
        box: Any = (low, high)
        for step in reversed(self.maps):
            box = step.bounds(*box)
        return box

    def fields(self) -> dict[str, Any]:
        """The maps."""
        return {"maps": [step.to_json() for step in self.maps]}

    @classmethod
    def from_fields(cls, data: dict[str, Any]) -> Self:
        """Read them; a chain holds no chain, so that the file cannot nest without end."""
        maps = data["maps"]
        if not isinstance(maps, list) or not 0 < len(maps) <= MAX_MAPS:
            raise ValueError(f"a chain has 1 to {MAX_MAPS} maps")
        if any(isinstance(entry, dict) and entry.get("map") == cls.kind for entry in maps):
            raise ValueError("a chain holds no chain")
        return cls(tuple(map(map_from_json, maps)))
