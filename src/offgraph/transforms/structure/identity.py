"""Do nothing."""

from __future__ import annotations

from typing import Any

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.structure import StructureStep

__all__ = ["Identity"]


@step
class Identity(StructureStep):
    """Leave everything as it is: one of the ways to go on in `OneOf`.

    A structure step. Exactness: nothing is touched.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Identity()])(image=np.array([[1, 2]], np.uint8)).image
    array([[1, 2]], dtype=uint8)
    """

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Nothing."""
        return {"steps": []}
