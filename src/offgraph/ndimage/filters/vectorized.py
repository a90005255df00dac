"""A filter whose function takes many windows at once: NumPy's views of windows, with SciPy's checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["vectorized_filter"]

# What NumPy calls the border modes.
_PADDING = {
    "reflect": "symmetric",
    "constant": "constant",
    "nearest": "edge",
    "mirror": "reflect",
    "wrap": "wrap",
    # As SciPy has it: not that of its other filters, which take it for "reflect".
    "grid-mirror": "reflect",
    "grid-constant": "constant",
    "grid-wrap": "wrap",
    "valid": "valid",
}


def vectorized_filter(
    input: ArrayLike,
    function: Callable[..., Any],
    *,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    output: np.ndarray | None = None,
    mode: str = "reflect",
    cval: Any = None,
    origin: int | Sequence[int] | None = None,
    axes: int | Sequence[int] | None = None,
    batch_memory: float = 2**30,
) -> np.ndarray:
    """Call a function with the windows of many pixels at once; `scipy.ndimage.vectorized_filter`.

    Exact: the function gets SciPy's windows, in its chunks.

    Parameters
    ----------
    input : array_like
        An array of any numbers.
    function : callable
        Takes an array of windows, and as `axis` a tuple of the last axes, which it reduces.
    size : int or sequence of int, optional
        Lengths of the window; this or `footprint` is given.
    footprint : array_like, optional
        Elements of the window that count. The function then gets windows with one axis.
    output : ndarray, optional
        Where the result goes. By default a new array of the type that the function gives.
    mode : str
        The border mode, as of `correlate1d`, or ``"valid"``: only windows inside the array.
    cval : number, optional
        The value outside the array, for ``"constant"``; 0 if not given.
    origin : int or sequence of int, optional
        Moves the window towards lower indices.
    axes : int or sequence of int, optional
        The axes to filter along; all if not given.
    batch_memory : float
        Bytes of windows, at most, that the function gets at once.

    Returns
    -------
    ndarray
        What the function gives, in the shape of `input`; shorter along filtered axes for ``"valid"``.

    Raises
    ------
    ValueError
        For arguments that do not fit each other, or too little memory for a line of windows.

    Examples
    --------
    >>> vectorized_filter([1, 5, 2, 8], np.ptp, size=3)
    array([4, 4, 6, 6])
    """
    input = np.asarray(input)
    if not callable(function):
        raise ValueError("`function` must be a callable.")
    if size is None and footprint is None:
        raise ValueError("Either `size` or `footprint` must be provided.")
    if size is not None and footprint is not None:
        raise ValueError("Either `size` or `footprint` may be provided, not both.")
    chosen: Any = tuple(range(-input.ndim, 0)) if axes is None else (axes,) if np.isscalar(axes) else axes
    count = len(chosen)
    if count > input.ndim:
        raise ValueError("The length of `axes` may not exceed the dimensionality of `input`(`input.ndim`).")
    window = None if footprint is None else np.asarray(footprint, dtype=bool)
    lengths = _lengths(size, window, count)
    shifts = _origins(origin, count)
    padding = _mode(mode, shifts, cval)
    value = 0.0 if cval is None else cval
    if np.asarray(value).dtype.kind not in "iufc":
        raise ValueError("`cval` must include only numbers.")
    memory = np.asarray(batch_memory)
    if memory.ndim != 0 or memory.dtype.kind not in "iufc" or memory <= 0:
        raise ValueError("`batch_memory` must be positive number.")
    last = tuple(range(-count, 0))
    moved = np.moveaxis(input, chosen, last)
    to = None if output is None else np.moveaxis(output, chosen, last)
    if moved.size == 0:
        return moved

    def reduced(windows: np.ndarray) -> Any:
        return function(windows, axis=last) if window is None else function(windows[..., window], axis=-1)

    if moved.ndim == 0 and lengths == ():
        return np.asarray(reduced(moved if window is None else moved[window]))
    if padding != "valid":
        filled = {"constant_values": np.asarray(value)[()]} if padding == "constant" else {}
        sides = [(n // 2 + shift, (n - 1) // 2 - shift) for n, shift in zip(lengths, shifts)]
        moved = np.pad(moved, [(0, 0)] * (moved.ndim - count) + sides, mode=padding, **filled)  # type: ignore[call-overload]  # its modes
    windows = np.lib.stride_tricks.sliding_window_view(moved, lengths, last)

    return np.moveaxis(_in_chunks(reduced, windows, to, batch_memory, count), last, chosen)


def _lengths(size: Any, window: np.ndarray | None, count: int) -> tuple[int, ...]:
    if window is None:
        lengths: tuple[Any, ...] = (size,) * count if np.isscalar(size) else tuple(size)
        if not all(np.asarray(length).dtype.kind in "iu" and length > 0 for length in lengths):
            raise ValueError("All elements of `size` must be positive integers.")
    else:
        lengths = window.shape
    if len(lengths) != count:
        raise ValueError(
            "`axes` must be compatible with the dimensionality of the window specified by `size` or `footprint`."
        )
    return lengths


def _origins(origin: Any, count: int) -> tuple[int, ...]:
    if origin is None:
        return (0,) * count
    shifts = (origin,) * count if np.isscalar(origin) else tuple(origin)
    if not all(np.asarray(shift).dtype.kind in "iu" for shift in shifts):
        raise ValueError("All elements of `origin` must be integers.")
    if len(shifts) != count:
        raise ValueError(
            "`origin` must be an integer or tuple of integers with length equal to the number of axes."
        )
    return shifts  # type: ignore[return-value]  # integers of any type


def _mode(mode: Any, shifts: tuple[int, ...], cval: Any) -> str:
    """NumPy's name of a mode."""
    if mode not in _PADDING:
        raise ValueError(f"`mode` must be one of {set(_PADDING)}.")
    padding = _PADDING[mode]
    if padding == "valid" and any(shifts):
        raise ValueError("`mode='valid'` is incompatible with use of `origin`.")
    if cval is not None and padding != "constant":
        raise ValueError("Use of `cval` is compatible only with `mode='constant'`.")
    return padding


def _in_chunks(
    reduced: Callable[[np.ndarray], Any], windows: np.ndarray, output: Any, memory: float, count: int
) -> Any:
    """What the function gives for all windows, as many at once as the memory allows."""
    if count == 0:
        return reduced(windows)
    total = windows.shape[0]
    step: Any = min(total, memory // (math.prod(windows.shape[1:]) * windows.dtype.itemsize))
    if step < 1:
        raise ValueError("`batch_memory` is insufficient for minimum chunk size.")
    if step == total:
        if output is None:
            return reduced(windows)
        output[...] = reduced(windows)
        return output
    for start in range(0, total, step):
        found = reduced(windows[start : start + step])
        if output is None:
            output = np.empty(windows.shape[:-count], dtype=found.dtype)
        output[start : start + step] = found
    return output
