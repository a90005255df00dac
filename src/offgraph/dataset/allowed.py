"""How many bad images a build tolerates: a share or a number."""

from __future__ import annotations

import math
import numbers
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from offgraph.core.errors import BuildError

__all__ = ["DEFAULT_MAX_BAD", "MaxBad"]

DEFAULT_MAX_BAD = 0.5
"""If more than half of the images cannot be used, the options are probably wrong, not the files."""


@dataclass(frozen=True)
class MaxBad:
    """A limit on bad images.

    Parameters
    ----------
    share : float or None
        Of all images, 0 to 1.
    count : int or None
        A number of images, where no share was given.
    """

    share: float | None
    count: int | None = None

    @classmethod
    def of(cls, value: Any) -> MaxBad:
        """Read ``0.05`` or ``"5%"`` as a share, ``12`` or ``"12"`` as a number of images.

        Raises
        ------
        BuildError
            For anything else.
        """
        given = value
        if isinstance(value, str):
            percent = re.fullmatch(r"\s*([0-9.]+)\s*%\s*", value)
            try:
                value = (
                    float(Fraction(percent[1]) / 100)
                    if percent
                    else float(value)
                    if "." in value
                    else int(value)
                )
            except ValueError:
                value = None
        if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 0:
            return cls(None, int(value))
        if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
            share = float(value)
            if math.isfinite(share) and 0 <= share <= 1:
                return cls(share)
        raise BuildError(
            f"max_bad={given!r:.80}: give a share of the images such as 0.05 or '5%', or a whole number of images"
        )

    @property
    def text(self) -> str:
        """The limit in words."""
        return f"{self.share * 100:.4g} %" if self.share is not None else f"{self.count}"

    def exceeded(self, bad: int, total: int) -> bool:
        """Whether this number of bad images is over the limit."""
        if self.share is None:
            return bad > (self.count or 0)
        return bad > Fraction(str(self.share)) * total  # as floats, 29 of 100 are more than 29 %
