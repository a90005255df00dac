"""Cast shadows."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import darken_op, has_levels
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.counts import CountOrRange, CountRange, drawn_count
from offgraph.steps.declaration import step
from offgraph.steps.kinds import NoiseStep
from offgraph.steps.parameters import ShareRange
from offgraph.steps.values import as_dtype, working_dtype
from offgraph.targets.polygons import contains
from offgraph.transforms.noise._light import inside

__all__ = ["Shadow"]

MAX_SHADOWS = 100
"""Most shadows of an image: a record holds their corners."""


@step
class Shadow(NoiseStep):
    """Darken polygons, as shadows of things outside the image do; the dtype stays.

    A noise step for images: ``value * (1 - strength)`` at each pixel whose centre lies in a polygon, by the even-odd rule; shadows
    that overlap darken one after the other. Exactness: this product by NumPy in float32, in float64 for images of float64 and of
    more than 16 bits, integers rounded half to even; all other values are copied. A record holds the polygons.

    Parameters
    ----------
    shadows : int or (low, high)
        How many, from 1 to 100.
    strength : float or (low, high)
        By how much values are darkened, from 0 to 1; of a pair each shadow draws its own.
    corners : int or (low, high)
        Of each polygon, from 3 to 50.
    rows, columns : (low, high)
        Between which shares of the height and the width each corner is drawn, evenly: ``rows=(0.5, 1)`` is the lower half.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Shadow(1, strength=0.4)])
    >>> out = recipe(image=np.full((40, 60), 100, np.uint8), key=og.Key(seed=1)).image
    >>> np.unique(out[:20]).tolist(), np.unique(out[20:]).tolist()
    ([100], [60, 100])
    """

    dimensions = (2,)

    shadows: CountOrRange = (1, 2)
    strength: ShareRange = (0.3, 0.6)
    corners: Annotated[int | tuple[int, int], CountRange(3, 50)] = 5
    rows: ShareRange = (0.5, 1.0)
    columns: ShareRange = (0.0, 1.0)

    def __post_init__(self) -> None:
        if np.max(self.shadows) > MAX_SHADOWS:
            raise ValueError(
                f"shadows={self.shadows}: expected at most {MAX_SHADOWS}; a record holds them all"
            )

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw `shadows`: of each its strength, and its corners, (row, column) in shares of the height and the width."""
        found = []
        for _ in range(drawn_count(draw, self.shadows)):
            strength, count = draw.value(self.strength), drawn_count(draw, self.corners)
            corners = [[draw.value(self.rows), draw.value(self.columns)] for _ in range(count)]
            found.append({"strength": strength, "corners": corners})
        return {"shadows": found}

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """All polygons, row by row."""
        if not has_levels(spec.dtype) or spec.axes not in ("YX", "YXC"):
            return None
        one = np.float32(1)
        return darken_op(
            (float(one - np.float32(shadow["strength"])), _polygon(shadow, spec.size))
            for shadow in params["shadows"]
        )

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One product for each shadow, of the pixels in its polygon."""
        number, size = working_dtype(image.dtype), image.shape[:2]
        values, dark = image.astype(number), np.zeros(size, bool)
        for shadow in params["shadows"]:
            polygon = _polygon(shadow, size)
            low = np.maximum(np.ceil(polygon.min(axis=0)), 0).astype(int)
            high = np.minimum(np.floor(polygon.max(axis=0)) + 1, size).astype(int)
            if (low >= high).any():
                continue
            window = tuple(map(slice, low, high))
            centres = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), -1).reshape(-1, 2)
            shaded = contains(polygon, centres).reshape(high - low)
            values[window][shaded] *= number(1) - number(shadow["strength"])
            dark[window] |= shaded
        out = image.copy()
        out[dark] = as_dtype(values[dark], image.dtype, None)
        return out


def _polygon(shadow: dict[str, Any], size: tuple[int, ...]) -> np.ndarray:
    """Corners (row, column) in pixels."""
    return np.array([[inside(share, n) for share, n in zip(corner, size)] for corner in shadow["corners"]])
