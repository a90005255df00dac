"""Whole plans for the native core: operations as plain numbers, and the call that runs them on all targets of a sample.

An operation is a tuple that begins with its number; `native/python/src/plan.rs` reads it. Each function here makes one,
with the words of :mod:`offgraph.engine`, and says which call of that package has the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from offgraph.core.choices import Decoding
from offgraph.engine.calls import mode_code, native_input
from offgraph.engine.filter_passes import FilterPass, native_passes
from offgraph.engine.native import core
from offgraph.engine.resample import arranged, zoom_factors
from offgraph.engine.resize import resize_tables

__all__ = [
    "IMAGE",
    "LookupTable",
    "NativeClip",
    "NativeOp",
    "NativeOps",
    "NativeStage",
    "NativeTarget",
    "affine_op",
    "affine_pull",
    "arithmetic_op",
    "border_stage",
    "clip_box",
    "displacement_pull",
    "field_pull",
    "filter_op",
    "grid_op",
    "lookup_op",
    "lookup_table",
    "native_file_target",
    "native_target",
    "on_border",
    "projective_pull",
    "radial_pull",
    "resize_op",
    "run_plan",
    "run_plans",
    "warp_op",
    "zoom_op",
]

LookupTable = core.LookupTable
"""Results for every value of 8 or 16 bits, held by the native core."""
ResizeTables = core.ResizeTables
"""Weights of a resize, held by the native core."""

NativeOp = tuple[Any, ...]
"""One operation."""
NativeOps = Sequence[NativeOp] | core.NativePlan
"""Operations one after another, or those of a compiled recipe."""
NativeClip = tuple[Any, ...]
"""A rectangle outside of which pixels get a value."""
NativeStage = tuple[Any, ...]
"""What happens to coordinates on their way from the output to the input: a map, or a rule about a border."""
NativeTarget = tuple[Any, ...]
"""Input, output, number of outer axes, number of spatial axes, operations."""

Numbers = np.ndarray | Sequence[float]
"""An array, or its values in C order."""

_GRID, _AFFINE, _ZOOM, _RESIZE, _LOOKUP, _ARITHMETIC, _WARP, _FILTER, IMAGE = range(9)
_OPERATIONS = {"add": 0, "subtract": 1, "multiply": 2, "divide": 3}


def grid_op(
    axes: Sequence[int],
    flips: Sequence[bool],
    start: Sequence[int],
    size: Sequence[int],
    mode: str,
    cval: float,
) -> NativeOp:
    """Copy whole pixels, as `offgraph.geometry.GridMap.take`."""
    return (_GRID, tuple(axes), tuple(flips), tuple(start), tuple(size), mode_code(mode), float(cval))


def affine_op(
    matrix: Numbers,
    offset: Numbers,
    size: Sequence[int],
    *,
    order: int,
    mode: str,
    cval: float,
    moved_axes: Sequence[int] = (),
    clips: Sequence[NativeClip] = (),
    labels: bool = False,
) -> NativeOp:
    """Resample through an affine map, as :func:`offgraph.engine.resample.affine_planes`.

    Parameters
    ----------
    matrix, offset : ndarray, shape (k, k) and (k,), or sequence of float
        On the axes that move; row after row.
    size : sequence of int
        Length of every spatial axis of the output.
    order, mode, cval
        As for `affine_planes`.
    moved_axes : sequence of int, optional
        Positions of the k axes among the spatial axes; left out, all of them move.
    clips : sequence of NativeClip, optional
        Their maps have all spatial axes.
    labels : bool, optional
        Whether the values are labels, which are never read through float64; order 0 and mode 'nearest' only.
    """
    return (
        _AFFINE, tuple(size), tuple(moved_axes), _flat(matrix), _flat(offset), order, mode_code(mode), float(cval), tuple(clips), labels,
    )  # fmt: skip


def warp_op(
    stages: Sequence[NativeStage],
    size: Sequence[int],
    *,
    order: int,
    mode: str,
    cval: float,
    clips: Sequence[NativeClip] = (),
    windows: Sequence[tuple[Sequence[NativeStage], Sequence[int]]] = (),
    labels: bool = False,
) -> NativeOp:
    """Resample at the coordinates of maps that are not affine; `cval` where they have none.

    Parameters
    ----------
    stages : sequence of NativeStage
        From the map that takes output pixels to the one that gives input coordinates.
    size, order, mode, cval, clips
        As for :func:`affine_op`.
    windows : sequence of (stages, size), optional
        Rectangles outside of which pixels get `cval`, and the way to them; without the displacement that `stages` may
        begin with, which is theirs, too.
    labels : bool, optional
        Whether the values are labels: the nearest pixel is looked up, whatever the order and the mode.
    """
    return (
        _WARP, tuple(size), tuple(stages), order, mode_code(mode), float(cval), tuple(clips),
        tuple((tuple(way), tuple(shape)) for way, shape in windows), labels,
    )  # fmt: skip


def affine_pull(matrix: Numbers, offset: Numbers) -> NativeStage:
    """``input = matrix @ output + offset``."""
    return (0, _flat(matrix), _flat(offset))


def projective_pull(matrix: np.ndarray) -> NativeStage:
    """``[w * input, w] = matrix @ [output, 1]``; nothing where w is not positive."""
    return (1, _flat(matrix))


def displacement_pull(field: np.ndarray, size: Sequence[int], order: int, nothing: float) -> NativeStage:
    """``input = output + field``, the field of shape (n, *grid) sampled by a spline of `order`; only as the first map.

    Where it is enlarged, displacements below `nothing`, a float32, count as none.
    """
    return (2, field, order, tuple(zoom_factors(field.shape[1:], size, False)), nothing)


def field_pull(coefficients: np.ndarray, scale: Sequence[float], order: int, nothing: float) -> NativeStage:
    """The same at any point: of spline coefficients with three more samples on each side, `scale` nodes per pixel."""
    return (3, coefficients, order, tuple(scale), nothing)


def radial_pull(coefficients: np.ndarray, centre: np.ndarray, radius: float) -> NativeStage:
    """``input = centre + (output - centre) * (1 + k1 * q + ...)``, q the squared distance from there, in radii."""
    return (4, tuple(coefficients.tolist()), tuple(centre.tolist()), radius * radius)


def on_border(size: Sequence[int]) -> NativeStage:
    """Coordinates that rounding has carried over the border of an image lie on it."""
    return (5, tuple(size))


def border_stage(size: Sequence[int], mode: str, whole_pixels: bool, value: float) -> NativeStage:
    """`offgraph.targets.composed.border_rule` of an image, which fills with `value`."""
    return (6, tuple(size), mode_code(mode), whole_pixels, float(value))


def clip_box(
    matrix: Numbers, offset: Numbers, low: Sequence[float], high: Sequence[float], value: float
) -> NativeClip:
    """Give `value` to output pixels o unless ``low <= matrix @ o + offset <= high`` on every axis."""
    return (_flat(matrix), _flat(offset), tuple(low), tuple(high), float(value))


def zoom_op(
    input_size: Sequence[int], size: Sequence[int], *, grid_mode: bool, order: int, mode: str, cval: float
) -> NativeOp:
    """Enlarge or shrink, as :func:`offgraph.engine.resample.zoom_planes`."""
    factors = tuple(zoom_factors(input_size, size, grid_mode))
    return (_ZOOM, tuple(size), factors, bool(grid_mode), order, mode_code(mode), float(cval))


def resize_op(
    input_size: Sequence[int],
    size: Sequence[int],
    *,
    kernel: str,
    antialias: bool,
    window: Sequence[tuple[int, int]] | None = None,
) -> NativeOp:
    """Weigh the pixels that an output pixel covers, as :func:`offgraph.engine.resize.resize`."""
    tables = resize_tables(tuple(zip(input_size, size)), kernel, antialias, window)
    made = tuple(size) if window is None else tuple(length for _, length in window)
    ratios = tuple(given // length if length else 0 for given, length in zip(input_size, size))
    return (_RESIZE, made, tables, ratios)


def lookup_table(
    entries: np.ndarray, linear: Sequence[tuple[float, float]] = (), *, signed: bool = False
) -> LookupTable:
    """Return a table for :func:`lookup_op`, to be kept where it is used again.

    Parameters
    ----------
    entries : ndarray, shape (channels, 256) or (channels, 65536)
        The answer for every value, in the order of the values' bits read as an unsigned number.
    linear : sequence of (scale, offset), optional
        For each channel; ``value * scale + offset`` takes the table's place if it gives all its bytes.
    signed : bool
        Whether values are signed.
    """
    return LookupTable(np.ascontiguousarray(entries), list(linear), signed)


def lookup_op(table: LookupTable, channel: int | None) -> NativeOp:
    """Look up every value, as :func:`offgraph.engine.lookup.lookup`.

    Parameters
    ----------
    table : LookupTable
    channel : int or None
        The axis of the channels, counted on the array as :func:`native_target` arranges it.
    """
    return (_LOOKUP, table, channel)


def arithmetic_op(steps: Sequence[tuple[str, Sequence[float]]], dtype: str, channel: int | None) -> NativeOp:
    """Change every value by operations in float64, each rounded, and round the result to `dtype`.

    Parameters
    ----------
    steps : sequence of (str, sequence of float)
        'add', 'subtract', 'multiply' or 'divide', with one number or one for each channel.
    dtype : {"float32", "float64"}
    channel : int or None
        As for :func:`lookup_op`.
    """
    coded = tuple((_OPERATIONS[name], tuple(numbers)) for name, numbers in steps)
    return (_ARITHMETIC, coded, dtype == "float64", channel)


def filter_op(passes: tuple[FilterPass, ...]) -> NativeOp:
    """Mix neighbours along the spatial axes, pass by pass, as the functions of :mod:`offgraph.ndimage.filters`."""
    return (_FILTER, native_passes(passes))


def native_target(input: np.ndarray, output: np.ndarray, axes: Sequence[int], ops: NativeOps) -> NativeTarget:
    """Return one target of a sample.

    Parameters
    ----------
    input, output : ndarray
        They share no memory.
    axes : sequence of int
        The spatial axes of both.
    ops : sequence of NativeOp, or NativePlan
        None is a copy.
    """
    source, outer = arranged(native_input(input), axes)
    return (source, arranged(output, axes)[0], outer, len(axes), _operations(ops))


def _operations(ops: NativeOps) -> tuple[NativeOp, ...] | core.NativePlan:
    return ops if isinstance(ops, core.NativePlan) else tuple(ops)


def native_file_target(
    file: core.EncodedImage,
    output: np.ndarray,
    ops: NativeOps,
    *,
    is_rgb: bool,
    decoding: Decoding = "window",
) -> NativeTarget:
    """Return a target that begins with a file: the call decodes what of it the first operations keep.

    Parameters
    ----------
    file : EncodedImage
        Its image has the axes YX, or YXC, and stands upright by its EXIF orientation.
    output : ndarray
    ops : sequence of NativeOp, or NativePlan
    is_rgb : bool
        Whether grey is repeated for red, green and blue.
    decoding : {"window", "full", "scaled"}
        What of it is decoded.
    """
    return ((file, is_rgb, decoding), arranged(output, (0, 1))[0], 0, 2, _operations(ops))


def run_plan(targets: Sequence[NativeTarget]) -> None:
    """Run the operations of all targets of a sample in one call, without the interpreter lock."""
    core.run_plan(tuple(targets))


def _flat(numbers: Numbers) -> tuple[float, ...]:
    return tuple(numbers.ravel().tolist() if isinstance(numbers, np.ndarray) else numbers)


def run_plans(
    samples: Sequence[Sequence[NativeTarget]],
) -> list[tuple[int | None, int | None, BaseException] | None]:
    """Run several samples in one call: threads share them, and one that fails leaves the others alone.

    Returns
    -------
    list of (target, operation, exception) or None
        What ended each sample, None for those that are done. Target and operation are None where the arrays were
        refused; the operation is the number of all where what they make does not fit the output.
    """
    return core.run_plans(tuple(map(tuple, samples)))
