"""Running the native filters: arrays in C order, lines along one axis, one axis after another."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from offgraph.ndimage._support import as_double, check_output, native_input, same_elements

__all__ = ["along_axes", "call_in_c_order", "filter_lines", "unsupported"]


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
    if in_place and same_elements(input, output) and _direct(output):
        kernel(output, None, *arguments)
        return
    input = np.ascontiguousarray(input)
    if not _even_strides(input) or np.may_share_memory(input, output):
        input = input.copy()
    if _direct(output):
        kernel(output, input, *arguments)
        return
    target = np.empty(output.shape, output.dtype.newbyteorder("="))
    kernel(target, input, *arguments)
    output[...] = target


def _direct(output: np.ndarray) -> bool:
    """Whether a kernel can write straight into the array."""
    return output.flags.carray and output.dtype.isnative and _even_strides(output)


def _even_strides(array: np.ndarray) -> bool:
    """False for a step that is no whole number of elements: NumPy lets an axis of length 1 have any."""
    return all(stride % array.itemsize == 0 for stride in array.strides)


def filter_lines(
    kernel: Callable[..., None],
    input: np.ndarray,
    output: np.ndarray,
    weights: Any,
    axis: int,
    mode: int,
    cval: Any,
    origin: Any,
    *more: Any,
    in_place: bool = False,
) -> None:
    """Call a native filter along `axis`, with the last checks that SciPy makes in C."""
    axis = operator.index(axis)
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    cval, origin = as_double(cval), operator.index(origin)
    input = native_input(input, unsupported(input))
    check_output(output, unsupported(output))
    call_in_c_order(kernel, input, output, weights, axis, mode, cval, origin, *more, in_place=in_place)


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
    spare = np.empty(output.shape, output.dtype) if len(passes) > 1 and not in_place else output
    # An output that cannot be written is to be refused by the first pass, wherever that one writes.
    spare.flags.writeable = output.flags.writeable
    for left, arguments in zip(range(len(passes), 0, -1), passes):
        # Taking turns, so that the last one ends in the output and none works in place.
        target = output if left % 2 else spare
        filter_(input, target, *arguments)
        input = target
