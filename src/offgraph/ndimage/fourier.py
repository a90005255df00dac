"""Filters in the Fourier domain: spectra multiplied by the transform of a filter.

The tables of exponentials and sines are made here by C's functions, as SciPy makes them; NumPy's own may differ in the last bit.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from offgraph.engine.calls import even_strides, is_native, native_input
from offgraph.engine.native import core
from offgraph.ndimage.arguments import normalize_axis, normalize_sequence

__all__ = [
    "fourier_ellipsoid",
    "fourier_gaussian",
    "fourier_shift",
    "fourier_uniform",
]

NATIVE: tuple[str, ...] = tuple(__all__)

_COMPLEX = (np.complex64, np.complex128)

# Exponentials of less are 0.
_LEAST_EXPONENT = 50.0


def fourier_gaussian(input: Any, sigma: Any, n: Any = -1, axis: Any = -1, output: Any = None) -> np.ndarray:
    """Multiply a spectrum by that of a Gaussian; `scipy.ndimage.fourier_gaussian`.

    Exact: SciPy's order of multiplications, in ``float64``.

    Parameters
    ----------
    input : array_like
        The spectrum, of any real or complex numbers.
    sigma : float or sequence of float
        Standard deviation in pixels, for all axes or one per axis.
    n : int, optional
        Length of `axis` before a real transform; negative if the transform was complex.
    axis : int, optional
        The axis of the real transform.
    output : type or ndarray, optional
        Type of the result, or the array to write it into. By default that of `input` for ``float32`` and complex numbers,
        else ``float64``.

    Returns
    -------
    ndarray
        The product.

    Raises
    ------
    RuntimeError
        For types that are not supported, an `output` of another shape, or a `sigma` that is not one number per axis.
    AxisError
        If there is no such axis.

    Examples
    --------
    >>> fourier_gaussian(np.ones(4), 1).round(3)
    array([1.   , 0.291, 0.007, 0.291])
    """
    input = np.asarray(input)
    output = _output(output, input)

    def table(sigma: Any, length: int, frequencies: np.ndarray, *_: Any) -> list[float]:
        scale = sigma * np.pi / length
        exponents = -2.0 * scale * scale * frequencies * frequencies
        return [0.0 if abs(each) > _LEAST_EXPONENT else math.exp(each) for each in exponents.tolist()]

    tables, _ = _tables(input, sigma, n, axis, table, 1.0)
    return _multiplied(output, input, tables)


def fourier_uniform(input: Any, size: Any, n: Any = -1, axis: Any = -1, output: Any = None) -> np.ndarray:
    """Multiply a spectrum by that of a box; `scipy.ndimage.fourier_uniform`.

    Exact: SciPy's order of multiplications, in ``float64``.

    Parameters
    ----------
    input : array_like
        The spectrum, of any real or complex numbers.
    size : float or sequence of float
        Length of the box in pixels, for all axes or one per axis.
    n, axis, output
        As of `fourier_gaussian`.

    Returns
    -------
    ndarray
        The product.

    Examples
    --------
    >>> fourier_uniform(np.ones(4), 2).round(3)
    array([1.   , 0.637, 0.   , 0.637])
    """
    input = np.asarray(input)
    output = _output(output, input)

    def table(size: Any, _: int, frequencies: np.ndarray, length: int) -> list[float]:
        scale = np.pi * size / length
        if not scale > 0:
            return [1.0, *(0.0 for _ in frequencies[1:])]
        angles = (scale * frequencies[1:]).tolist()
        return [1.0, *(_sine(angle) / angle for angle in angles)]

    tables, _ = _tables(input, size, n, axis, table, 1.0)
    return _multiplied(output, input, tables)


def fourier_ellipsoid(input: Any, size: Any, n: Any = -1, axis: Any = -1, output: Any = None) -> np.ndarray:
    """Multiply a spectrum by that of an ellipsoid; `scipy.ndimage.fourier_ellipsoid`.

    Exact: SciPy's formula for each number of axes, in ``float64``. The Bessel function of two axes is `scipy.special.j1`.

    Parameters
    ----------
    input : array_like
        The spectrum, of any real or complex numbers, with at most three axes.
    size : float or sequence of float
        Diameter in pixels, for all axes or one per axis.
    n, axis, output
        As of `fourier_gaussian`.

    Returns
    -------
    ndarray
        The product.

    Raises
    ------
    NotImplementedError
        For more than three axes.

    Examples
    --------
    >>> fourier_ellipsoid(np.ones(4), 2).round(3)
    array([1.   , 0.637, 0.   , 0.637])
    """
    input = np.asarray(input)
    if input.ndim > 3:
        raise NotImplementedError("Only 1d, 2d and 3d inputs are supported")
    output = _output(output, input)
    if output.size == 0:
        return output

    def table(size: Any, _: int, frequencies: np.ndarray, length: int) -> list[float]:
        return (frequencies * (np.pi * size / length)).tolist()

    tables, _ = _tables(input, size, n, axis, table, None)
    grids = np.ix_(*(np.array(each) for each in tables))
    if input.ndim == 1:
        factors = grids[0].copy()
    else:
        with np.errstate(all="ignore"):
            squared = np.zeros(input.shape)
            for grid in grids:
                squared += grid * grid
            factors = np.sqrt(squared)
    if input.ndim == 2:
        from scipy.special import j1

        with np.errstate(all="ignore"):
            factors = np.where(factors > 0.0, 2.0 * j1(factors) / factors, 1.0)
    else:
        core.ball_spectrum(factors, input.ndim)
    return _multiplied(output, input, factors)


def fourier_shift(input: Any, shift: Any, n: Any = -1, axis: Any = -1, output: Any = None) -> np.ndarray:
    """Multiply a spectrum by the phases of a shift; `scipy.ndimage.fourier_shift`.

    Exact: SciPy's order of operations, in ``float64``.

    Parameters
    ----------
    input : array_like
        The spectrum, of any real or complex numbers.
    shift : float or sequence of float
        Shift in pixels, for all axes or one per axis.
    n, axis
        As of `fourier_gaussian`.
    output : type or ndarray, optional
        Complex type of the result, or the array to write it into. By default that of a complex `input`, else ``complex128``.

    Returns
    -------
    ndarray
        The product.

    Examples
    --------
    >>> fourier_shift(np.ones(4), 2).real.round(3) + 0.0
    array([ 1., -1.,  1., -1.])
    """
    input = np.asarray(input)
    output = _output(output, input, _COMPLEX)

    def table(shift: Any, length: int, frequencies: np.ndarray, *_: Any) -> list[float]:
        return (-2.0 * np.pi * shift / length * frequencies).tolist()

    tables, _ = _tables(input, shift, n, axis, table, 0.0)
    return _multiplied(output, input, tables, is_phase=True)


def _output(output: Any, input: np.ndarray, kinds: tuple[type, ...] = ()) -> np.ndarray:
    """The array to write into: of complex numbers only, if `kinds` are given."""
    if output is None:
        kept = kinds or (*_COMPLEX, np.float32)
        other = np.complex128 if kinds else np.float64
        return np.zeros(input.shape, input.dtype if input.dtype.type in kept else other)
    if type(output) is type:
        if output not in (kinds or (*_COMPLEX, np.float32, np.float64)):
            raise RuntimeError("output type not supported")
        return np.zeros(input.shape, output)
    if output.shape != input.shape:
        raise RuntimeError("output shape not correct")
    return output


def _tables(
    input: np.ndarray,
    parameter: Any,
    n: Any,
    axis: Any,
    table: Callable[..., list[float]],
    neutral: float | None,
) -> tuple[list[list[float]], int]:
    """A table per axis, of its parameter, its length (as a C int), its frequencies, and its length.

    An axis of one element gets the neutral number, if there is one.
    """
    axis = normalize_axis(axis, input.ndim)
    parameters = np.asarray(normalize_sequence(parameter, input.ndim), np.float64)
    n, axis = operator.index(n), operator.index(axis)
    tables = []
    with np.errstate(all="ignore"):
        for each, length in enumerate(input.shape):
            if length == 0 or (length == 1 and neutral is not None):
                tables.append([1.0 if neutral is None else neutral] * length)
                continue
            given = n if each == axis and n >= 0 else length
            if each == axis and n >= 0:
                frequencies = np.arange(length, dtype=np.float64)
            else:
                frequencies = np.arange(length, dtype=np.float64)
                frequencies[(length + 1) // 2 :] -= length
            as_int = (given + 2**31) % 2**32 - 2**31
            tables.append(table(parameters.flat[each], np.float64(as_int), frequencies, np.float64(given)))
    return tables, axis


def _sine(angle: float) -> float:
    return math.sin(angle) if math.isfinite(angle) else math.nan


def _multiplied(output: np.ndarray, input: np.ndarray, factors: Any, is_phase: bool = False) -> np.ndarray:
    """Write the product with a table per axis, or with a number per element, into `output`."""
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    if input.size == 0:
        return output
    source, source_parts = _with_parts(input)
    plain = output
    flags = output.flags
    direct = flags.c_contiguous and flags.aligned and output.dtype.isnative and even_strides(output)
    if not direct or np.may_share_memory(input, output):
        plain = np.empty(output.shape, output.dtype.newbyteorder("="))
    target, parts = _with_parts(plain)
    fits = parts >= source_parts and (parts == 2 or not is_phase)
    if not fits or output.dtype.char not in "fdFD":
        raise RuntimeError("data type not supported")
    if isinstance(factors, np.ndarray):
        core.multiply_spectrum_by(target, source, (parts, source_parts), factors)
    else:
        core.multiply_spectrum(target, source, (parts, source_parts), factors, is_phase)
    if plain is not output:
        output[...] = plain
    return output


def _with_parts(array: np.ndarray) -> tuple[np.ndarray, int]:
    """A C-contiguous array for the native module, with the parts of complex numbers along a further axis; and how many."""
    dtype = array.dtype
    if dtype.char in "FD":
        plain = np.ascontiguousarray(array, dtype.newbyteorder("="))
        return plain.view(np.float32 if dtype.char == "F" else np.float64).reshape((*plain.shape, 2)), 2
    if not is_native(dtype):
        raise RuntimeError("data type not supported")
    return np.ascontiguousarray(native_input(array)), 1
