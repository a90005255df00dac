"""Minimum and maximum of the samples in a window.

NaN, of either sign, counts as larger than every number, as in `numpy.sort`: a minimum is NaN only where there is
nothing else, a maximum wherever there is one. (SciPy leaves it undefined.)
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from offgraph.engine.calls import (
    as_double,
    check_output,
    mode_code,
    native_input,
    output_array,
    same_elements,
)
from offgraph.engine.native import core
from offgraph.ndimage.arguments import check_axes, normalize_sequence
from offgraph.ndimage.filters.lines import along_axes, call_in_c_order, unsupported, window_along
from offgraph.ndimage.filters.windows import (
    check_window,
    expand_entries,
    expand_footprint,
    rank_as_double,
    warn_of_two_windows,
)

__all__ = [
    "compares_alike",
    "extremum",
    "maximum_filter",
    "maximum_filter1d",
    "minimum_filter",
    "minimum_filter1d",
]

_PART = 1 << 16
"""Samples per part, where an image is filtered in parts because the whole would take too much memory."""


def minimum_filter1d(
    input: ArrayLike,
    size: int,
    axis: int = -1,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> np.ndarray:
    """The smallest sample of a window that slides along an axis.

    Parameters
    ----------
    input : array_like
        Real, any number of axes but 0.
    size : int
        Samples in the window, which begins ``size // 2 + origin`` ahead of the pixel.
    axis : int
        The axis of the lines.
    output : ndarray or dtype, optional
        Where the result goes, or its dtype; the input's dtype if left out.
    mode : str
        The border mode; see `correlate1d`.
    cval : float
        The value outside the array, for the constant modes.
    origin : int
        Moves the window towards lower indices; it must still hold the pixel.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array. 64-bit integers above 2^53 are rounded.

    Raises
    ------
    RuntimeError
        For a size below 1, an unknown mode, or an output of another shape.
    ValueError
        For an origin out of range, or a read-only output.
    TypeError
        For complex arrays.

    Examples
    --------
    >>> minimum_filter1d([2, 8, 0, 4, 1, 9, 9, 0], size=3)
    array([2, 0, 0, 0, 1, 1, 0, 0])
    """
    return _extremum1d(input, size, axis, output, mode, cval, origin, minimum=True)


def maximum_filter1d(
    input: ArrayLike,
    size: int,
    axis: int = -1,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> np.ndarray:
    """The largest sample of a window that slides along an axis.

    Parameters
    ----------
    input, size, axis, output, mode, cval, origin
        As for `minimum_filter1d`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array. 64-bit integers above 2^53 are rounded.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `minimum_filter1d` does.

    Examples
    --------
    >>> maximum_filter1d([2, 8, 0, 4, 1, 9, 9, 0], size=3)
    array([8, 8, 8, 4, 9, 9, 9, 9])
    """
    return _extremum1d(input, size, axis, output, mode, cval, origin, minimum=False)


def _extremum1d(
    input: Any, size: Any, axis: Any, output: Any, mode: Any, cval: Any, origin: Any, *, minimum: bool
) -> np.ndarray:
    input = np.asarray(input)
    if np.iscomplexobj(input):
        raise TypeError("Complex type not supported")
    axis, output, code = window_along(input, size, axis, output, mode, origin)
    passes = [(operator.index(axis), operator.index(size), origin, code)]
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    box = _Box.of(passes, input.ndim, cval, minimum=minimum)
    input = native_input(input, unsupported(input))
    check_output(output, unsupported(output))
    _filter_parts(box, input, output)
    return output


@dataclass(frozen=True)
class _Box:
    """The arguments of the native filter for a full box; one entry for each axis of the image."""

    lengths: list[int]
    modes: list[int]
    cval: float
    origins: list[int]
    largest: bool

    @classmethod
    def of(cls, passes: Iterable[tuple[int, int, Any, int]], ndim: int, cval: Any, *, minimum: bool) -> _Box:
        """From axis, size, origin and mode of each long axis."""
        box = cls([1] * ndim, [0] * ndim, as_double(cval), [0] * ndim, not minimum)
        for axis, size, origin, mode in passes:
            box.lengths[axis], box.origins[axis], box.modes[axis] = size, operator.index(origin), mode
        return box

    def filter(self, input: np.ndarray, output: np.ndarray) -> None:
        """Raise MemoryError where that takes too much memory at once."""
        call_in_c_order(
            core.box_extremum,
            input,
            output,
            self.lengths,
            self.modes,
            self.cval,
            self.origins,
            self.largest,
            window=(self.lengths, self.origins, self.modes),
        )


def _filter_parts(box: _Box, input: np.ndarray, output: np.ndarray) -> None:
    """Filter the image, or parts of it cut along an axis on which the box is not long, which need little memory."""
    free = [axis for axis, length in enumerate(box.lengths) if length == 1 and output.shape[axis] > 1]
    in_place = same_elements(input, output)
    if not free or not in_place or output.size <= _PART:
        if free and np.may_share_memory(input, output):
            input = input.copy()  # A call that runs out of memory midway has written already.
        try:
            return box.filter(input, output)
        except MemoryError:
            if not free:
                raise
    if not in_place and np.may_share_memory(input, output):
        input = input.copy()
    axis = max(free, key=lambda axis: output.shape[axis])
    count = output.shape[axis]
    step = max(1, min(_PART * count // max(1, output.size), count // 2))
    for start in range(0, count, step):
        part = (slice(None),) * axis + (slice(start, start + step),)
        _filter_parts(box, input[part], output[part])


def minimum_filter(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The smallest sample in a window around each pixel.

    Parameters
    ----------
    input : array_like
        Real, any number of axes. A channel axis is an axis like any other: leave it out of `axes`.
    size : int or sequence of int, optional
        Samples in the window along all axes, or along each.
    footprint : array_like of bool, optional
        The samples that count, in place of `size`; one axis for each filtered axis of `input`.
    output : ndarray or dtype, optional
        Where the result goes, or its dtype; the input's dtype if left out.
    mode : str or sequence of str
        The border mode (see `correlate1d`), for all axes or, if the window is a full box, for each.
    cval : float
        The value outside the array, for the constant modes.
    origin : int or sequence of int
        Moves the window towards lower indices; it must still hold the pixel.
    axes : int or sequence of int, optional
        The axes to filter; all if left out. Sequences above have one entry for each of them.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array. 64-bit integers above 2^53 are rounded.

    Raises
    ------
    RuntimeError
        Without a window, for one that does not fit the axes, an unknown mode, or an output of another shape.
    ValueError
        For a footprint without samples, an origin out of range, or a read-only output.
    TypeError
        For complex arrays.

    Examples
    --------
    >>> minimum_filter([[5, 1, 7], [8, 9, 6]], size=(1, 2))
    array([[5, 1, 1],
           [8, 8, 6]])
    """
    return extremum(input, size, footprint, output, mode, cval, origin, axes, minimum=True)


def maximum_filter(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The largest sample in a window around each pixel.

    Parameters
    ----------
    input, size, footprint, output, mode, cval, origin, axes
        As for `minimum_filter`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array. 64-bit integers above 2^53 are rounded.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `minimum_filter` does.

    Examples
    --------
    >>> maximum_filter([[5, 1, 7], [8, 9, 6]], size=(1, 2))
    array([[5, 5, 7],
           [8, 9, 9]])
    """
    return extremum(input, size, footprint, output, mode, cval, origin, axes, minimum=False)


def extremum(
    input: Any,
    size: Any,
    footprint: Any,
    output: Any,
    mode: Any,
    cval: Any,
    origin: Any,
    axes: Any,
    *,
    minimum: bool,
) -> np.ndarray:
    warn_of_two_windows(size, footprint)
    if footprint is None:
        if size is None:
            raise RuntimeError("no footprint provided")
    else:
        footprint = np.asarray(footprint, dtype=bool)
        if not footprint.any():
            raise ValueError("All-zero footprint is not supported.")
        if footprint.all():
            size, footprint = footprint.shape, None
    input = np.asarray(input)
    if np.iscomplexobj(input):
        raise TypeError("Complex type not supported")
    output = output_array(output, input)
    axes = check_axes(axes, input.ndim)
    if footprint is None:
        count = len(axes)
        origins = normalize_sequence(origin, count)
        sizes = normalize_sequence(size, count)
        modes = normalize_sequence(mode, count)

        if _in_one_pass(input, output, axes, sizes, origins, modes, cval, minimum=minimum):
            return output

        def along(source: np.ndarray, target: np.ndarray, axis: int, size: Any, origin: Any, mode: str):
            _extremum1d(source, int(size), axis, target, mode, cval, origin, minimum=minimum)

        along_axes(
            along,
            [each for each in zip(axes, sizes, origins, modes) if each[1] > 1],
            input,
            output,
            in_place=True,
        )
        return output
    footprint = expand_footprint(footprint, axes, input.ndim)
    origins = expand_entries(origin, axes, input.ndim)
    check_window(footprint, origins, axes, input.ndim)
    if not isinstance(mode, str) and isinstance(mode, Iterable):
        raise RuntimeError("A sequence of modes is not supported for non-separable footprints")
    rank = 0 if minimum else int(np.count_nonzero(footprint)) - 1
    rank_as_double(input, rank, footprint, output, mode_code(mode), cval, origins)
    return output


def _in_one_pass(
    input: np.ndarray,
    output: np.ndarray,
    axes: Sequence[int],
    sizes: Sequence[Any],
    origins: Sequence[Any],
    modes: Sequence[Any],
    cval: Any,
    *,
    minimum: bool,
) -> bool:
    """The extremes of a full box by the rank filter, where that equals filtering one axis after the other.

    SciPy stores each axis's result in the output, compares the next axis in double with `cval` as it is, and
    looks at an axis's arguments when its turn has come. So this is for outputs of the input's type, values outside
    that it has, and arguments in order; all else is left to be done axis by axis.
    """
    dtype = input.dtype
    if dtype != output.dtype:
        return False
    passes = []
    for axis, size, origin, mode in zip(axes, sizes, origins, modes):
        if size > 1:
            if not isinstance(origin, int) or not 0 <= int(size) // 2 + origin < int(size) <= sys.maxsize:
                return False
            passes.append((axis, int(size), origin, mode))
            if not compares_alike(dtype, mode, cval):
                return False
    if len(passes) < 2 or not output.flags.writeable:
        return False
    passes = [(axis, size, origin, mode_code(mode)) for axis, size, origin, mode in passes]
    source = native_input(input)
    if shared := np.may_share_memory(source, output):
        source = source.copy()
    try:
        _Box.of(passes, input.ndim, cval, minimum=minimum).filter(source, output)
    except MemoryError:
        if shared:  # A call that runs out of memory midway has written already.
            input[...] = source
        return False
    return True


def compares_alike(dtype: np.dtype, mode: Any, cval: Any) -> bool:
    """Whether samples, and the fill value if the mode has one, compare in their dtype as they do in double."""
    whole = dtype.kind in "iu" and dtype.itemsize < 8
    if not (whole or dtype in (np.float32, np.float64)):
        return False
    return mode not in ("constant", "grid-constant") or _is_sample(cval, dtype)


def _is_sample(value: Any, dtype: np.dtype) -> bool:
    """Whether a fill value compares with samples of a type in the same way before and after the cast to it."""
    if dtype.kind == "f":
        return isinstance(value, int | float)
    limits = np.iinfo(dtype)
    return isinstance(value, int | float) and limits.min <= value <= limits.max and value == int(value)
