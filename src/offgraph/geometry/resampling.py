"""How pixels are read where a map leads between them or outside, and one geometric step of a chain."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from offgraph.core.errors import OffgraphError
from offgraph.geometry.base import CoordinateMap

__all__ = ["BorderMode", "Leg", "Resampling"]

BorderMode = Literal[
    "constant", "nearest", "reflect", "mirror", "wrap", "grid-wrap", "grid-constant", "grid-mirror"
]
"""SciPy's names for what lies outside an image."""


@dataclass(frozen=True)
class Resampling:
    """How an image is read at coordinates, in the words of `scipy.ndimage`.

    Parameters
    ----------
    order : int
        Spline order of measured values, 0 to 5: 0 nearest, 1 linear. Labels are always read at order 0.
    mode : str
        What lies outside: 'constant' (`cval`), 'nearest', 'reflect', 'mirror', 'wrap', 'grid-wrap', 'grid-constant'
        or 'grid-mirror'.
    cval : float
        Value outside in the constant modes, in the image's own units.
    mask_cval : int
        Label outside in the constant modes.

    Raises
    ------
    OffgraphError
        For another order or mode, or a value that is not finite.

    Examples
    --------
    >>> Resampling(order=3, mode="mirror").for_labels()
    Resampling(order=0, mode='mirror', cval=0, mask_cval=0)
    """

    order: int = 1
    mode: BorderMode = "constant"
    cval: float = 0.0
    mask_cval: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.order, bool) or self.order not in range(6):
            raise OffgraphError(f"order={self.order!r:.80}: a spline order is 0, 1, 2, 3, 4 or 5")
        if self.mode not in get_args(BorderMode):
            raise OffgraphError(f"mode={self.mode!r:.80}: known are {', '.join(get_args(BorderMode))}")
        if not math.isfinite(self.cval):
            raise OffgraphError(f"cval={self.cval!r:.80}: a value outside is a finite number")

    @property
    def is_constant(self) -> bool:
        """Whether one value lies outside, and not a repetition of the image."""
        return self.mode in ("constant", "grid-constant")

    def for_labels(self) -> Resampling:
        """Return how labels are read: at order 0, with `mask_cval` outside."""
        return replace(self, order=0, cval=self.mask_cval)


@dataclass(frozen=True)
class Leg:
    """One geometric step of a chain: where its pixels come from and how they are read.

    Parameters
    ----------
    map : CoordinateMap
        Output pixel → input pixel of this step.
    resampling : Resampling
    """

    map: CoordinateMap
    resampling: Resampling = Resampling()
