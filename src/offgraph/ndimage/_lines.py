"""Running the native filters: arrays in C order, lines along one axis, one axis after another."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from offgraph import _native
from offgraph.ndimage._support import (
    as_double,
    check_output,
    even_strides,
    mode_code,
    native_input,
    normalize_axis,
    output_array,
    parts,
    same_elements,
)

__all__ = [
    "along_axes",
    "call_in_c_order",
    "correlate_axes",
    "filter_lines",
    "filter_windows",
    "unsupported",
    "window_along",
]


def call_in_c_order(
    kernel: Callable[..., None],
    input: np.ndarray,
    output: np.ndarray,
    *arguments: Any,
    in_place: bool = False,
) -> None:
    """Call ``kernel(output, input, *arguments)`` with arrays in C order and native bytes that share no memory.

    With `in_place`, a kernel that can filter an array itself gets ``None`` for an input that is the output.
    """
    if output.size == 0:
        return
    shared = np.may_share_memory(input, output)
    if shared and in_place and same_elements(input, output) and _direct(output):
        kernel(output, None, *arguments)
        return
    contiguous = np.ascontiguousarray(input)
    if not even_strides(contiguous) or (shared and np.may_share_memory(contiguous, output)):
        contiguous = contiguous.copy()
    if _direct(output):
        kernel(output, contiguous, *arguments)
        return
    target = np.empty(output.shape, output.dtype.newbyteorder("="))
    kernel(target, contiguous, *arguments)
    output[...] = target


def _direct(output: np.ndarray) -> bool:
    """Whether a kernel can write straight into the array."""
    return output.flags.carray and output.dtype.isnative and even_strides(output)


def filter_lines(
    kernel: Callable[..., None],
    input: np.ndarray,
    output: np.ndarray,
    window: Any,
    axis: int,
    mode: int,
    cval: Any,
    origin: Any,
) -> None:
    """Call a native filter along `axis`, with the last checks that SciPy makes in C."""
    axis = operator.index(axis)
    source, cval, origin = _checked(input, output, cval, origin)

    def along_lines(output: np.ndarray, input: np.ndarray | None) -> None:
        kernel((output, input, axis, mode, cval, origin), window)

    call_in_c_order(along_lines, source, output, in_place=True)


def filter_windows(
    kernel: Callable[..., None],
    input: Any,
    size: Any,
    axis: Any,
    output: Any,
    mode: Any,
    cval: Any,
    origin: Any,
) -> np.ndarray:
    """The whole of a public function: a native filter of windows of `size` samples along `axis`, after SciPy's checks."""
    input = np.asarray(input)
    axis, output, code = window_along(input, size, axis, output, mode, origin)
    for source, target, fill in parts(input, output, cval):
        filter_lines(kernel, source, target, operator.index(size), axis, code, fill, origin)
    return output


def window_along(
    input: np.ndarray, size: Any, axis: Any, output: Any, mode: Any, origin: Any
) -> tuple[Any, np.ndarray, int]:
    """The axis, the array to write and the code of the mode, for a window of `size` samples along one axis."""
    axis = normalize_axis(axis, input.ndim)
    if size < 1:
        raise RuntimeError("incorrect filter size")
    # The warning points at the caller of the public function, which is two functions above this one.
    output = output_array(output, input, complex_output=input.dtype.kind == "c", above=2)
    if size // 2 + origin < 0 or size // 2 + origin >= size:
        raise ValueError("invalid origin")
    return axis, output, mode_code(mode)


def _checked(input: np.ndarray, output: np.ndarray, cval: Any, origin: Any) -> tuple[np.ndarray, float, int]:
    """The input, fill value and origin as the native module takes them."""
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    cval, origin = as_double(cval), operator.index(origin)
    # The texts of the refusals take longer than the checks: they are made where they are needed.
    try:
        source = native_input(input)
    except RuntimeError:
        raise RuntimeError(unsupported(input)) from None
    try:
        check_output(output)
    except RuntimeError:
        raise RuntimeError(unsupported(output)) from None
    return source, cval, origin


def correlate_axes(
    passes: Iterable[tuple[Any, list[float], Any]], input: np.ndarray, output: np.ndarray, cval: Any
) -> None:
    """Correlate a real array along an axis, the result along the next one, and so on, in one native call.

    Results in between have the output's dtype. Without a pass the input is copied.

    Parameters
    ----------
    passes : iterable
        Axis, weights (one at least) and border mode of each, checked one after the other, as SciPy does.
    input, output : ndarray
        The input may be the output.
    cval : float
        The value outside the array, for the constant modes.
    """
    native: list[tuple[int, list[float], int, float, int]] = []
    source, fill = input, 0.0
    for axis, weights, mode in passes:
        axis = operator.index(normalize_axis(axis, input.ndim))
        code = mode_code(mode)
        if not native:
            source, fill, _ = _checked(input, output, cval, 0)
        native.append((axis, weights, code, fill, 0))
    if native:
        call_in_c_order(_native.correlate_axes, source, output, native, in_place=True)
    else:
        output[...] = input[...]


def unsupported(array: np.ndarray) -> str:
    """SciPy's complaint about the type of an array."""
    return f"array type {array.dtype.newbyteorder('=')!r} not supported"


def along_axes(
    filter_: Callable[..., Any],
    passes: Sequence[tuple[Any, ...]],
    input: np.ndarray,
    output: np.ndarray,
    *,
    in_place: bool = False,
) -> None:
    """Call ``filter_(source, target, *arguments)`` for each of `passes`, the next one on the result of the last.

    Results in between have the output's dtype. Without a pass the input is copied.
    With `in_place`, a pass may have the output for its source as well; else none has.
    """
    if not passes:
        output[...] = input[...]
        return
    spare = output
    if len(passes) > 1 and not in_place:
        spare = np.empty(output.shape, output.dtype)
        # An output that cannot be written is to be refused by the first pass, wherever that one writes.
        spare.flags.writeable = output.flags.writeable
    for left, arguments in zip(range(len(passes), 0, -1), passes):
        # Taking turns, so that the last one ends in the output and none works in place.
        target = output if left % 2 else spare
        filter_(input, target, *arguments)
        input = target
