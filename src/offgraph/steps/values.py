"""What steps share that change values: the range that they are in, casts that round, channels that are colours."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from offgraph.core.specs import OpenSpec, SpecT
from offgraph.steps.base import Step
from offgraph.steps.kinds import value_range

__all__ = [
    "KnownRange",
    "as_dtype",
    "channel_count",
    "check_levels",
    "check_rgb",
    "held_range",
    "limited",
    "working_dtype",
]


class KnownRange(Step):
    """A step, of any kind, with a parameter `range`: the value of white, which must be known and fit the dtype."""

    needs_rgb: ClassVar[bool] = False
    """Whether the image has to be red, green and blue."""

    if TYPE_CHECKING:  # each class declares it, in its place among its parameters
        range: float | None

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same, once the range is known."""
        if self.needs_rgb:
            check_rgb(spec, "it")
        held_range(spec.dtype, self.range)
        return spec


@functools.lru_cache(maxsize=256)
def held_range(dtype: str, declared: float | None) -> float:
    """Return the value that counts as white, which the dtype has to hold: see `value_range`.

    Raises
    ------
    ValueError
        For a float or signed image whose range nobody declared, and for more than an integer dtype holds.
    """
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return 1.0
    top = value_range(dtype, declared)
    if kind.kind in "ui" and top > np.iinfo(kind).max:
        raise ValueError(f"range={top:g} is more than an image of dtype {kind} holds")
    return top


def as_dtype(values: np.ndarray, dtype: np.dtype[Any], top: float | None) -> np.ndarray:
    """Limit values to 0 to `top` where it is given, round them for integers half to even, and cast them.

    Parameters
    ----------
    values : ndarray of float
        Overwritten: nobody else may need them.
    dtype : dtype
    top : float or None
        At most what the dtype holds.
    """
    if top is not None:
        values = np.clip(values, 0, top, out=values)
    if dtype.kind in "ui" and np.iinfo(dtype).max > 2**53:
        return limited(values, dtype)  # float64 rounds the largest values up, beyond the dtype
    if dtype.kind in "uib":
        values = np.rint(values, out=values)
    return values.astype(dtype)


def limited(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Round values for integers half to even, limit them to what the dtype holds, and cast them."""
    if dtype.kind not in "ui":
        return values.astype(dtype)
    kind = np.iinfo(dtype)
    below, above = values <= kind.min, values >= kind.max
    with np.errstate(invalid="ignore"):  # values beyond the dtype are replaced
        cast = np.rint(values).astype(dtype)
    return np.where(below, kind.min, np.where(above, kind.max, cast)).astype(dtype)


def working_dtype(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """Return float32 for images of up to 16 bits and of float32, float64 for all others."""
    return np.float32 if dtype.itemsize <= 2 or dtype == np.float32 else np.float64


def channel_count(spec: OpenSpec) -> int | None:
    """Return how many channels an image has, 1 without a channel axis; None where it is not known."""
    return spec.shape[spec.axes.index("C")] if "C" in spec.axes else 1


def check_rgb(spec: OpenSpec, why: str) -> None:
    """Refuse an image that is not red, green and blue.

    Parameters
    ----------
    spec : OpenSpec
    why : str
        What needs them, for the error.
    """
    count = channel_count(spec)
    if count not in (3, None):
        raise ValueError(
            f"{why} needs red, green and blue, the image has {count} channel{'s' * (count != 1)} (axes {spec.axes}); "
            "read it with color='rgb', or put ToRGB before this step"
        )


def check_levels(spec: OpenSpec, declared: float | None) -> None:
    """Refuse an image whose grey levels cannot be counted, and a value of white between two of them."""
    if spec.dtype not in ("uint8", "uint16"):
        raise ValueError(
            f"takes uint8 or uint16, whose levels can be counted, the image is {spec.dtype}; put it before steps that "
            "make floats, or write image.astype('uint16') on purpose"
        )
    if held_range(spec.dtype, declared) % 1:
        raise ValueError(f"range={declared}: levels are whole numbers")
