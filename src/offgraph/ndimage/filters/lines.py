"""Run the native filters: on arrays in C order, on lines along one axis, on one axis after another."""

from __future__ import annotations

import itertools
import math
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from offgraph.engine.calls import (
    as_double,
    check_output,
    even_strides,
    mode_code,
    native_input,
    output_array,
    parts,
    same_elements,
)
from offgraph.engine.native import core
from offgraph.ndimage.arguments import normalize_axis

__all__ = [
    "along_axes",
    "call_in_c_order",
    "correlate_axes",
    "filter_lines",
    "filter_windows",
    "unsupported",
    "window_along",
]


_PART_BYTES = 2 << 20
"""Memory for samples and results that are copied, where a kernel cannot read or write the arrays directly."""

_SMALL_BYTES = 4 << 20
"""Copies of inputs up to this size are made whole, which is faster where several filters follow each other."""

_HELD_BYTES = 4 << 20
"""Memory that a kernel may hold of arrays that it reads and writes directly."""

_WRAPPING = (mode_code("wrap"), mode_code("grid-wrap"))

Window = tuple[Sequence[int], Sequence[int], int | Sequence[int]]
"""Lengths and origins along every axis; the mode of all or of each."""


def call_in_c_order(
    kernel: Callable[..., None],
    input: np.ndarray,
    output: np.ndarray,
    *arguments: Any,
    window: Window | None = None,
    held: int = 0,
    axis: int | None = None,
) -> None:
    """Call ``kernel(output, input, *arguments)`` with arrays in C order and native bytes that share no memory.

    The kernel filters with a `window`, or line by line along an `axis`; in that case it gets ``None`` for an input
    that is the output. With a window it may hold as many rows of the first axis as the window has, in `held` bytes per
    sample. Arrays that are not in C order, or would take much memory, are filtered part by part.
    """
    if output.size == 0:
        return
    shared = np.may_share_memory(input, output)
    in_place = shared and axis is not None and same_elements(input, output)
    if not _at_once(input, output) or (held and _rows_held(window, output.shape) * held > _HELD_BYTES):
        if shared and not in_place:
            input = input.copy()
        _filter_parts(kernel, input, output, arguments, window, held, axis)
        return
    if in_place:
        kernel(output, None, *arguments)
        return
    kernel(output, _in_c_order(input, output if shared else None), *arguments)


def _in_c_order(array: np.ndarray, apart_from: np.ndarray | None) -> np.ndarray:
    """The same samples in C order and native bytes; copied if they share memory with another array."""
    samples = np.ascontiguousarray(array)
    shared = apart_from is not None and np.may_share_memory(samples, apart_from)
    if shared or not samples.dtype.isnative or not even_strides(samples):
        return np.array(samples, samples.dtype.newbyteorder("="))
    return samples


def _at_once(input: np.ndarray, output: np.ndarray) -> bool:
    """Whether a kernel can write straight into the output, and read the input itself or a small copy."""
    return _is_written_directly(output) and (input.flags.c_contiguous or input.nbytes <= _SMALL_BYTES)


def _is_written_directly(output: np.ndarray) -> bool:
    return output.flags.carray and output.dtype.isnative and even_strides(output)


def _rows_held(window: Window | None, shape: tuple[int, ...]) -> int:
    """Samples of the rows of the first axis that a window covers, or of one line if that is more."""
    if window is None:
        return 0
    lengths, _, _ = window
    return max(lengths[0] * math.prod(shape[1:]), math.prod(shape[-1:]))


def _filter_parts(
    kernel: Callable[..., None],
    input: np.ndarray,
    output: np.ndarray,
    arguments: tuple[Any, ...],
    window: Window | None,
    held: int,
    along: int | None,
) -> None:
    """Filter one part of the arrays after the other, so that copies of them take little memory.

    Each part is filtered together with the samples around it that the window reaches.
    """
    reaches = [_reach(window, axis) if axis != along else (0, False) for axis in range(output.ndim)]
    sample_bytes = input.itemsize + output.itemsize + held
    steps = _steps([reach for reach, _ in reaches], output.shape, sample_bytes, along)
    starts = [range(0, size, step) for size, step in zip(output.shape, steps)]
    for corner in itertools.product(*starts):
        taken, around, inner, outer = [], {}, [], []
        for axis, (start, step, (reach, wraps)) in enumerate(zip(corner, steps, reaches)):
            size = output.shape[axis]
            end = min(start + step, size)
            if step == size:
                reach = 0
            first, stop = start - reach, end + reach
            if wraps and (first < 0 or stop > size):
                around[axis] = np.arange(first, stop) % size
            else:
                first = max(first, 0)
            taken.append(slice(None) if axis in around else slice(first, stop))
            inner.append(slice(start - first, end - first))
            outer.append(slice(start, end))
        samples = input[tuple(taken)]
        for axis, rows in around.items():
            samples = samples.take(rows, axis)
        samples, target = _in_c_order(samples, output), output[tuple(outer)]
        if samples.shape == target.shape and _is_written_directly(target):
            kernel(target, samples, *arguments)
            continue
        results = np.empty(samples.shape, output.dtype.newbyteorder("="))
        kernel(results, samples, *arguments)
        target[...] = results[tuple(inner)]


def _steps(reaches: list[int], shape: tuple[int, ...], sample_bytes: int, along: int | None) -> list[int]:
    """The lengths of parts along every axis.

    The axis along which the window is shortest relative to the axis is cut first; if the parts are still too large, the
    next one too.
    """
    steps = list(shape)
    axes = (axis for axis in range(len(shape)) if axis != along)
    for axis in sorted(axes, key=lambda axis: (1 + reaches[axis]) / shape[axis]):
        lengths = [
            step if step == size else min(step + 2 * reach, size)
            for step, size, reach in zip(steps, shape, reaches)
        ]
        row_bytes = math.prod(lengths) // shape[axis] * sample_bytes
        steps[axis] = min(max(_PART_BYTES // row_bytes, 2 * reaches[axis], 1), shape[axis])
        if (steps[axis] + 2 * reaches[axis]) * row_bytes <= 2 * _PART_BYTES:
            break
    return steps


def _reach(window: Window | None, axis: int) -> tuple[int, bool]:
    """How far the window reaches from the pixel, and whether beyond an end it comes back at the other.

    As far to both sides: beyond an end of the array the samples may be those of the other side.
    """
    if window is None:
        return 0, False
    lengths, origins, modes = window
    before = lengths[axis] // 2 + origins[axis]
    mode = modes if isinstance(modes, int) else modes[axis]
    return max(before, lengths[axis] - 1 - before), mode in _WRAPPING


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

    call_in_c_order(along_lines, source, output, axis=axis)


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
    """The body of a public function: a native filter of `size` samples along `axis`, after SciPy's checks."""
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
    code = mode_code(mode)
    if size > sys.maxsize:
        raise OverflowError("Python int too large to convert to C ssize_t")
    return axis, output, code


def _checked(input: np.ndarray, output: np.ndarray, cval: Any, origin: Any) -> tuple[np.ndarray, float, int]:
    """The input, fill value and origin as the native module takes them."""
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    cval, origin = as_double(cval), operator.index(origin)
    # Building the error messages takes longer than the checks, so they are built on demand.
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
    if not native:
        output[...] = input[...]
        return
    while native:
        # A single pass where it is filtered in parts, which are cut across other axes than its own.
        count = len(native) if _at_once(source, output) else 1
        some, native = native[:count], native[count:]
        call_in_c_order(core.correlate_axes, source, output, some, axis=some[0][0])
        source = output


def unsupported(array: np.ndarray) -> str:
    """SciPy's error for an unsupported array type."""
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
        # Alternate between two arrays, so that the last pass ends in the output and none works in place.
        target = output if left % 2 else spare
        filter_(input, target, *arguments)
        input = target
