"""Spline coefficients by the native core."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from offgraph.engine.calls import (
    call_native,
    check_output,
    mode_code,
    native_input,
    same_elements,
)
from offgraph.engine.native import core

__all__ = ["check_filter_order", "filter_axis", "prefiltered", "to_prefilter"]


_PAD = 12
"""Samples added on each side for border modes without their own spline filter; SciPy's results depend on the number."""


def filter_axis(input: np.ndarray, order: int, axis: int, output: np.ndarray, mode: int) -> None:
    """Spline coefficients of the lines along `axis`; `input` and `output` may be one array."""
    order, axis = operator.index(order), operator.index(axis)
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    if output.shape[axis] < 1:
        return
    source = native_input(input, f"array type {input.dtype.newbyteorder('=')!r} not supported")
    check_output(output, f"array type {output.dtype.newbyteorder('=')!r} not supported")
    if same_elements(input, output):
        call_native(core.spline_filter1d, output, None, order, axis, mode)
        return
    if np.may_share_memory(source, output):
        source = source.copy()
    call_native(core.spline_filter1d, output, source, order, axis, mode)


def _padded(image: np.ndarray, axes: Sequence[int], mode: str, cval: Any) -> tuple[np.ndarray, int]:
    """Pad the image as modes without their own spline filter need it; return it and the number of samples added."""
    if mode not in ("nearest", "grid-constant"):
        return image, 0
    widths = [(_PAD, _PAD) if axis in axes else (0, 0) for axis in range(image.ndim)]
    if mode == "nearest":
        return np.pad(image, widths, mode="edge"), _PAD
    return np.pad(image, widths, mode="constant", constant_values=cval), _PAD


def prefiltered(
    image: np.ndarray,
    axes: Sequence[int],
    order: int,
    mode: str,
    cval: Any,
    workspace: np.ndarray | None = None,
) -> tuple[np.ndarray, int]:
    """Spline coefficients over `axes` as float64, and the number of samples that they begin before the image.

    They lie one plane after the other in memory. `workspace` is what an earlier call for an image of this shape returned.
    """
    image, pad = _padded(image, axes, mode, cval)
    check_filter_order(order)
    code = mode_code(mode)
    others = [axis for axis in range(image.ndim) if axis not in axes]
    to_planes = (*others, *axes)
    planes = image.transpose(to_planes)
    coefficients = np.empty(planes.shape) if workspace is None else workspace.transpose(to_planes)
    for axis in range(len(others), image.ndim):
        filter_axis(planes, order, axis, coefficients, code)
        planes = coefficients
    back = sorted(range(image.ndim), key=to_planes.__getitem__)
    return coefficients.transpose(back), pad


def check_filter_order(order: Any) -> None:
    """Refuse an order whose samples are their own coefficients, or that there is no filter for."""
    if order < 2 or order > 5:
        raise RuntimeError("spline order not supported")


def to_prefilter(
    image: np.ndarray, axes: Sequence[int], order: int, mode: str, cval: Any
) -> tuple[np.ndarray, int]:
    """What :func:`zoom_into` makes coefficients of, after the checks of :func:`prefiltered`, and its `pad`."""
    image, pad = _padded(image, axes, mode, cval)
    check_filter_order(order)
    mode_code(mode)
    operator.index(order)
    if image.size:
        native_input(image, f"array type {image.dtype.newbyteorder('=')!r} not supported")
        return image, pad
    # Without samples, any type will do.
    return np.empty(image.shape), pad
