"""Parameters of steps in the plain form in which the native core draws from them, on images of two spatial axes.

A setting is a number or a pair (low, high). Settings of axes are those that are drawn, in order, and for rows and columns
the position of their own. A length is pixels, or a share of the axis as numerator and denominator.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

import numpy as np

from offgraph.engine.native import core
from offgraph.engine.resize import KERNELS
from offgraph.steps.parameters import PerAxis

__all__ = [
    "CompiledStep",
    "compiled_axes",
    "compiled_extent",
    "compiled_lengths",
    "compiled_resize",
    "compiled_shifts",
    "compiled_values",
    "has_known_roundings",
    "kernel_code",
    "kernel_name",
    "product_roundings",
]

CompiledStep = tuple[Any, ...]
"""Name and numbers of a step, as `native/python/src/recipe.rs` reads them."""

_NAMES = "YX"
_LARGEST = (1 << 62) - 1
_KERNELS = tuple(KERNELS)

AxisSettings = tuple[tuple[Any, ...], tuple[int | None, int | None]]


def compiled_axes(setting: Any, plain: tuple[int | None, int | None] = (0, 0)) -> AxisSettings | None:
    """Return settings, and whose they are; None where an axis is named that images lack.

    Parameters
    ----------
    setting : number, pair or PerAxis
    plain : tuple of int or None
        Which axes a setting without names is for.
    """
    if not isinstance(setting, PerAxis):
        return (setting,), plain
    keys = list(setting)
    if not set("".join(keys)) <= set(_NAMES):
        return None
    rows, columns = (next((i for i, key in enumerate(keys) if name in key), None) for name in _NAMES)
    return tuple(setting.values()), (rows, columns)


def compiled_shifts(translate: Any) -> tuple[Any, ...] | None:
    """Return (setting, whether it is a share in percent, whether it moves rows and columns) of every shift."""
    if translate is None:
        return ()
    if isinstance(translate, PerAxis):
        if not set("".join(translate)) <= set(_NAMES):
            return None
        return tuple(_shift(entry, "Y" in key, "X" in key) for key, entry in translate.items())
    if len(translate) != 2:
        return None
    return (_shift(translate[0], True, False), _shift(translate[1], False, True))


def _shift(entry: Any, rows: bool, columns: bool) -> tuple[Any, bool, tuple[bool, bool]]:
    parts = entry if isinstance(entry, tuple) else (entry,)
    is_share = isinstance(parts[0], str)
    numbers = tuple(float(part[:-1]) if is_share else part for part in parts)
    return numbers if isinstance(entry, tuple) else numbers[0], is_share, (rows, columns)


def compiled_lengths(size: int | str | tuple[int | str, ...]) -> tuple[Any, Any] | None:
    """Return lengths of rows and columns; None where those of a volume are given."""
    lengths = (size, size) if isinstance(size, int | str) else size
    if len(lengths) != 2:
        return None
    rows, columns = map(_length, lengths)
    return None if rows is None or columns is None else (rows, columns)


def _length(length: int | str) -> int | tuple[int, int] | None:
    if isinstance(length, int):
        return length
    share = Fraction(length[:-1]) / 100
    return share.as_integer_ratio() if max(share.as_integer_ratio()) <= _LARGEST else None


def compiled_resize(size: Any, scale: Any, kernel: str, antialias: bool) -> CompiledStep | None:
    """Return the step `Resize` with these parameters."""
    if scale is not None:
        scales = compiled_axes(scale)
        return None if scales is None else ("resize", None, scales, kernel_code(kernel), antialias)
    lengths = (size, size) if isinstance(size, int) else size
    return ("resize", lengths, None, kernel_code(kernel), antialias) if len(lengths) == 2 else None


def compiled_values(
    name: str, *numbers: Any, range: float | None = None, pointwise: bool = False
) -> CompiledStep:
    """Return a step that draws and moves nothing.

    Parameters
    ----------
    name : str
        Of its work, as `ValueWork` of ``native/plan/src/recipe/values.rs`` has it; ``"asked"`` where Python draws it.
    *numbers
        What that work reads.
    range : float, optional
        The value of white, where the step says it.
    pointwise : bool
        Whether it changes each value by itself.
    """
    return ("drawn", pointwise, range, name, *numbers)


def compiled_extent(setting: Any) -> tuple[Any, Any] | None:
    """Return a length of pixels or a share such as ``"10%"``, or the two ends of a range; None for a whole axis."""
    if setting is None:
        return None
    low, high = setting if isinstance(setting, tuple) else (setting, None)
    return _extent(low), None if high is None else _extent(high)


def _extent(length: float | str) -> tuple[float, bool]:
    return (float(length[:-1]), True) if isinstance(length, str) else (float(length), False)


def kernel_code(kernel: str) -> int:
    """Return the number of a kernel of `Resize`."""
    return _KERNELS.index(kernel)


def kernel_name(code: int) -> str:
    """Return the kernel with this number."""
    return _KERNELS[code]


def has_known_roundings() -> bool:
    """Whether products of matrices, sines and cosines have known bits on this machine."""
    return product_roundings() is not None


@functools.cache
def product_roundings() -> tuple[int, int] | None:
    """Find out how NumPy rounds a 2 x 2 matrix times a vector, and times a matrix.

    NumPy leaves the products to a BLAS, which may round a product and a sum once or twice. What this machine's does is
    tried with random numbers; so is whether sines and cosines of degrees are those of SciPy.

    Returns
    -------
    tuple of (int, int), or None
        Numbers of `Rounding` in ``native/plan/src/recipe/products.rs``; None where one is not known.
    """
    from scipy.special import cosdg, sindg  # takes a quarter of a second to import

    random = np.random.default_rng(0)
    angles = [*random.uniform(-720, 720, 500).tolist(), *range(-720, 721, 15)]
    if core.cos_sin_degrees(angles) != [(float(cosdg(angle)), float(sindg(angle))) for angle in angles]:
        return None
    vector, matrix, wide = _rounding((2,)), _rounding((2, 2)), _rounding((2, 4))
    return None if vector is None or matrix is None or wide != matrix else (vector, matrix)


def _rounding(shape: tuple[int, ...]) -> int | None:
    """The one way to round that gives all products of some random matrices with arrays of a shape."""
    random = np.random.default_rng(1)
    signs = np.array([0.0, -0.0, 1.0, -1.0])
    known = [0, 1, 2]
    for number in range(60):
        if number % 3:
            one, other = random.uniform(-2, 2, (2, 2)), random.uniform(-999, 999, shape)
        else:
            one, other = random.choice(signs, (2, 2)), random.choice(signs, shape)
        made, columns = (one @ other).reshape(2, -1).tolist(), other.reshape(2, -1).tolist()
        for (a, b), sums in zip(one.tolist(), made):
            for x, y, found in zip(*columns, sums):
                known = [code for code in known if repr(core.rounded_dot(code, a, b, x, y)) == repr(found)]
    return known[0] if len(known) == 1 else None
