"""Filters as plain numbers: passes along single axes or over windows, as plans hand them to the native core.

A filter is a sequence of passes, each on the result of the one before it, stored in the image's dtype; without any the
image is copied. Axes, sizes, weights and origins are those of the spatial axes, in order: the other axes are never
filtered. `native/plan/src/filter.rs` is the mirror of this file.

    Correlate1d  correlate1d                   Correlate  correlate
    Uniform1d    uniform_filter1d              Rank       rank_filter, of arrays of more than one axis
    Extremum     minimum_filter and maximum_filter of a full box, compared in the image's own dtype
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

from offgraph.engine.calls import mode_code
from offgraph.engine.native import core

__all__ = [
    "Correlate",
    "Correlate1d",
    "Extremum",
    "FilterPass",
    "Rank",
    "Uniform1d",
    "native_passes",
]

_MOST_KEPT = 4096
"""Numbers of a filter that is kept for the images to come."""


@dataclass(frozen=True)
class FilterPass:
    """What all passes have.

    Parameters
    ----------
    mode : str
        SciPy's name of the border mode.
    cval : float
        Value beyond the border in the constant modes.
    """

    mode: str
    cval: float

    @property
    def numbers(self) -> int:
        """How many numbers it holds, about."""
        return 1

    def coded(self) -> tuple[Any, ...]:
        """As the native core reads it; each kind of pass says how."""
        raise NotImplementedError(f"{type(self).__name__} has no `coded`")


@dataclass(frozen=True)
class Correlate1d(FilterPass):
    """Weights along one axis.

    Parameters
    ----------
    axis : int
    weights : tuple of float
    origin : int
    """

    axis: int
    weights: tuple[float, ...]
    origin: int = 0

    @property
    def numbers(self) -> int:
        """Its weights."""
        return len(self.weights)

    def coded(self) -> tuple[Any, ...]:
        """As the native core reads it."""
        return (0, mode_code(self.mode), self.cval, self.axis, self.origin, self.weights)


@dataclass(frozen=True)
class Uniform1d(FilterPass):
    """The mean along one axis.

    Parameters
    ----------
    axis, size, origin : int
    """

    axis: int
    size: int
    origin: int = 0

    def coded(self) -> tuple[Any, ...]:
        """As the native core reads it."""
        return (1, mode_code(self.mode), self.cval, self.axis, self.origin, self.size)


@dataclass(frozen=True)
class _Window(FilterPass):
    """A window with a length and an origin for each spatial axis."""

    lengths: tuple[int, ...]
    origins: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """Its samples."""
        return math.prod(self.lengths)


@dataclass(frozen=True)
class Correlate(_Window):
    """Weights over all spatial axes.

    Parameters
    ----------
    lengths, origins : tuple of int
    weights : tuple of float
        In C order.
    """

    weights: tuple[float, ...]

    def coded(self) -> tuple[Any, ...]:
        """As the native core reads it."""
        return (2, mode_code(self.mode), self.cval, self.lengths, self.origins, self.weights)


@dataclass(frozen=True)
class Rank(_Window):
    """The sample of a rank.

    Parameters
    ----------
    lengths, origins : tuple of int
    rank : int
        Counted from the smallest.
    footprint : tuple of bool, optional
        Which samples count, in C order; left out, all do.
    """

    rank: int
    footprint: tuple[bool, ...] | None = None

    def coded(self) -> tuple[Any, ...]:
        """As the native core reads it."""
        mode = mode_code(self.mode, is_filter=True)
        return (3, mode, self.cval, self.lengths, self.origins, self.rank, self.footprint)


@dataclass(frozen=True)
class Extremum(_Window):
    """The smallest or the largest sample of a full box.

    Parameters
    ----------
    lengths, origins : tuple of int
        One length above 1; more only for a dtype that holds the fill value and whose values float64 holds.
    largest : bool
    """

    largest: bool

    def coded(self) -> tuple[Any, ...]:
        """As the native core reads it."""
        return (4, mode_code(self.mode), self.cval, self.lengths, self.origins, self.largest)


def native_passes(passes: tuple[FilterPass, ...]) -> Any:
    """Return passes held by the native core; those of the last filters are kept."""
    if sum(each.numbers for each in passes) > _MOST_KEPT:
        return _made(passes)
    return _kept(passes)


def _made(passes: tuple[FilterPass, ...]) -> Any:
    return core.FilterPasses(tuple(each.coded() for each in passes))


_kept = functools.lru_cache(maxsize=64)(_made)
