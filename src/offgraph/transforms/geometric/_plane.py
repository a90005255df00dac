"""What steps share that turn and mirror whole pixels in a plane: the eight symmetries of a square."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic.dataclasses import dataclass as pydantic_dataclass

from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec, SpecT
from offgraph.geometry.grid_map import GridMap
from offgraph.steps.base import CONFIG
from offgraph.steps.kinds import GeometricStep

__all__ = ["SYMMETRIES", "TURNS", "PlaneStep", "Symmetry"]

Symmetry = Literal["e", "r90", "r180", "r270", "v", "h", "t", "hvt"]

SYMMETRIES: dict[str, tuple[bool, tuple[bool, bool]]] = {
    "e": (False, (False, False)),
    "r90": (True, (True, False)),
    "r180": (False, (True, True)),
    "r270": (True, (False, True)),
    "v": (False, (True, False)),
    "h": (False, (False, True)),
    "t": (True, (False, False)),
    "hvt": (True, (True, True)),
}
"""For each symmetry of a square: whether the two axes swap, and along which of them pixels then run backwards."""

TURNS: tuple[Symmetry, ...] = ("e", "r90", "r180", "r270")
"""By 0, 1, 2 and 3 quarters, counter-clockwise on the screen, as `numpy.rot90`."""


@pydantic_dataclass(frozen=True, kw_only=True, repr=False, config=CONFIG)
class PlaneStep(GeometricStep):
    """A geometric step that turns or mirrors whole pixels in a plane, exact in bytes.

    Parameters
    ----------
    plane : str
        Two spatial axes of a volume in which the step works, 'YX', 'ZX' or 'ZY'; images have only 'YX'.
    """

    plane: Literal["YX", "ZX", "ZY"] = "YX"

    def symmetry(self, params: dict[str, Any]) -> str:
        """Return which of `SYMMETRIES` was drawn."""
        raise NotImplementedError

    def possible(self) -> tuple[str, ...]:
        """Return which of them may be drawn."""
        raise NotImplementedError

    def _places(self, n: int) -> tuple[int, int]:
        """The two axes of the plane among the spatial ones."""
        names = SPATIAL[-n:]
        if not set(self.plane) <= set(names):
            raise ValueError(f"plane={self.plane!r} needs a volume, the image has the spatial axes {names}")
        return names.index(self.plane[0]), names.index(self.plane[1])

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same, lengths of the plane perhaps swapped."""
        self._places(len(spec.spatial))
        return super().output_spec(spec, params)

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """Both lengths of the plane, swapped by quarter turns and transpositions."""
        return self._swapped(size) if SYMMETRIES[self.symmetry(params)][0] else size

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The lengths that no symmetry that may be drawn changes."""
        swapped, swaps = self._swapped(size), {SYMMETRIES[name][0] for name in self.possible()}
        if len(swaps) == 1:
            return swapped if True in swaps else size
        return tuple(n if n == other else None for n, other in zip(size, swapped))

    def _swapped(self, size: tuple[Any, ...]) -> tuple[Any, ...]:
        first, second = self._places(len(size))
        lengths = list(size)
        lengths[first], lengths[second] = size[second], size[first]
        return tuple(lengths)

    def map(self, params: dict[str, Any], spec: ArraySpec) -> GridMap:
        """Swap the two axes or not, then mirror along them or not."""
        size = spec.size
        swaps, flips = SYMMETRIES[self.symmetry(params)]
        places = self._places(len(size))
        axes = self._swapped(tuple(range(len(size)))) if swaps else range(len(size))
        turned = GridMap.transpose(tuple(axes), size)
        backwards = [place for place, flip in zip(places, flips) if flip]
        return turned.then(GridMap.flip(backwards, turned.output_size))  # type: ignore[return-value]  # two grid maps make one

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.swapaxes`, then `numpy.flip`."""
        swaps, flips = SYMMETRIES[self.symmetry(params)]
        places = self._places(image.ndim)
        turned = np.swapaxes(image, *places) if swaps else image
        return np.flip(turned, tuple(place for place, flip in zip(places, flips) if flip))
