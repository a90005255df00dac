"""Draw one of the eight symmetries of a square."""

from __future__ import annotations

from typing import Any

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.transforms.geometric._plane import SYMMETRIES, PlaneStep, Symmetry

__all__ = ["D4"]


@step
class D4(PlaneStep):
    """Turn and mirror an image as a square can be: each of the eight ways is as likely.

    A geometric step, for images without an up and down: microscopy, satellites, pathology. It draws unless `element` is
    given. Four of the eight swap the two lengths of the plane. Exactness: whole pixels, equal to `numpy.swapaxes` and
    `numpy.flip`.

    Parameters
    ----------
    element : str, optional
        One of the eight, for every image: 'e' leaves the image as it is, 'r90', 'r180' and 'r270' turn it
        counter-clockwise, 'v' swaps top and bottom, 'h' left and right, 't' transposes, and 'hvt' mirrors along the
        other diagonal. By default each image draws one.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> image = np.array([[1, 2], [3, 4]], np.uint8)
    >>> og.Compose([og.D4("hvt")])(image=image).image
    array([[4, 2],
           [3, 1]], dtype=uint8)
    >>> og.Compose([og.D4()])(image=image, key=og.Key(seed=1)).record["steps"][0]["params"]
    {'element': 't'}
    """

    element: Symmetry | None = None

    @property
    def varies(self) -> bool:
        """Unless one is given."""
        return self.element is None

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw one of the eight."""
        return {"element": self.element or tuple(SYMMETRIES)[draw.integer(0, len(SYMMETRIES) - 1)]}

    def symmetry(self, params: dict[str, Any]) -> str:
        """What was drawn."""
        return params["element"]

    def possible(self) -> tuple[str, ...]:
        """All eight, or the one that is given."""
        return tuple(SYMMETRIES) if self.element is None else (self.element,)
