"""Distance transforms: how far each nonzero element lies from the nearest zero, and where that zero lies."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.engine.calls import check_output, even_strides, is_native, native_input
from offgraph.engine.native import core
from offgraph.ndimage.arguments import normalize_sequence
from offgraph.ndimage.morphology.binary import binary_dilation, generate_binary_structure

__all__ = ["distance_transform_bf", "distance_transform_cdt", "distance_transform_edt"]

_CITY_BLOCK = ("taxicab", "cityblock", "manhattan")

# NumPy adds this many numbers in pairs if they lie side by side, fewer one after another.
_PAIRWISE = 8

# The square of this many times any length is finite.
_LARGE = 1e140


def distance_transform_edt(
    input: Any,
    sampling: Any = None,
    return_distances: Any = True,
    return_indices: Any = False,
    distances: Any = None,
    indices: Any = None,
) -> Any:
    """Return the Euclidean distance of each element from the nearest zero; `scipy.ndimage.distance_transform_edt`.

    Exact: SciPy's distances, and its choice among equally near zeros.

    Parameters
    ----------
    input : array_like
        Elements that are not zero get a distance; zeros are at distance 0.
    sampling : float or sequence of float, optional
        Distance between neighbours, for all axes or one per axis; 1 if not given.
    return_distances : bool, optional
        Whether distances are computed.
    return_indices : bool, optional
        Whether the indices of the nearest zeros are.
    distances : ndarray of float64, optional
        Array of the shape of `input` to write the distances into; they are not returned then.
    indices : ndarray of int32, optional
        Array of shape ``(input.ndim, *input.shape)`` to write the indices into; they are not returned then.

    Returns
    -------
    ndarray, tuple of ndarray, or None
        Distances (``float64``), then indices (``int32``): those that were asked for and have no array. Without any zero,
        they are those of an element one before the first along the first axis.

    Raises
    ------
    RuntimeError
        If nothing is asked for, an array is given for what is not, an array has another shape or type, or `sampling` is not
        one number per axis.
    ValueError
        If an array is read-only.

    Examples
    --------
    >>> distance_transform_edt([[0, 1, 1], [1, 1, 1]])
    array([[0.        , 1.        , 2.        ],
           [1.        , 1.41421356, 2.23606798]])
    >>> distance_transform_edt([0, 1, 1, 1, 0], return_distances=False, return_indices=True)
    array([[0, 0, 0, 4, 4]], dtype=int32)
    """
    _check_requests(distances, indices, return_distances, return_indices)
    input = np.atleast_1d(_nonzero(input))
    rank, shape = input.ndim, input.shape
    spacings = _spacings(sampling, rank)
    if isinstance(indices, np.ndarray):
        if indices.shape != (rank, *shape):
            raise RuntimeError("indices array has wrong shape")
        if indices.dtype.type != np.int32:
            raise RuntimeError("indices array must be int32")
        check_output(indices)
    # SciPy's NumPy expression, where its order of additions is not that of the axes, each element has spacings, or NumPy
    # may warn of what is not finite.
    by_numpy = spacings is not None and (
        spacings.ndim != 1 or rank >= _PAIRWISE or not (np.abs(spacings) < _LARGE).all()
    )
    features: Any = indices if isinstance(indices, np.ndarray) else None
    if features is None and (return_indices or by_numpy):
        features = np.zeros((rank, *shape), np.int32)
    found: Any = None
    if return_distances and not by_numpy:
        found = distances if _can_be_written(distances, shape, input, features) else np.empty(shape)
    if input.size:
        plain: Any = None if features is None else _plain(features)
        steps = None if spacings is None else spacings.ravel()[:rank].tolist()
        if not core.euclidean_distances(found, plain, input, steps):
            # Of the other axes, an array that is given keeps what it holds.
            if plain is None:
                plain = features = np.zeros((rank, *shape), np.int32)
            plain[0] = -1
            by_numpy = True
        if features is not None and plain is not features:
            features[...] = plain
    if return_distances and by_numpy:
        found = _distances_to(features, spacings)
    if return_distances and isinstance(distances, np.ndarray) and found is not distances:
        if distances.shape != shape:
            raise RuntimeError("distances array has wrong shape")
        if distances.dtype.type != np.float64:
            raise RuntimeError("distances array must be float64")
        np.positive(found, distances)
    return _asked_for(
        found if return_distances else None, distances, features if return_indices else None, indices
    )


def distance_transform_cdt(
    input: Any,
    metric: Any = "chessboard",
    return_distances: Any = True,
    return_indices: Any = False,
    distances: Any = None,
    indices: Any = None,
) -> Any:
    """Return how many steps each element is from the nearest zero; `scipy.ndimage.distance_transform_cdt`.

    Exact: SciPy's distances, and its choice among equally near zeros.

    Parameters
    ----------
    input : array_like
        Elements that are not zero get a distance; zeros are at distance 0.
    metric : {'chessboard', 'taxicab', 'cityblock', 'manhattan'} or array_like, optional
        What a step is: to any neighbour, along an axis, or as an array of three elements along each axis says. Only the
        elements before its centre count, each a byte of its memory: give an array of bool.
    return_distances, return_indices
        As of `distance_transform_edt`.
    distances : ndarray of int32, optional
        Array of the shape of `input` to write the distances into; they are not returned then.
    indices : ndarray of int32, optional
        Array of shape ``(input.ndim, *input.shape)``. It has to hold ``numpy.indices(input.shape)``: of each element, what
        it holds at the nearest zero is written.

    Returns
    -------
    ndarray, tuple of ndarray, or None
        Distances, then indices (both ``int32``): those that were asked for and have no array. Elements from which no
        steps lead to a zero have distance -1 and their own indices.

    Raises
    ------
    RuntimeError
        If nothing is asked for, or an array is given for what is not.
    ValueError
        For a metric that is not known, has another number of axes or lengths other than 3, and for arrays of another shape
        or type.
    TypeError
        For an array without axes.

    Examples
    --------
    >>> distance_transform_cdt([[0, 1, 1], [1, 1, 1]])
    array([[0, 1, 2],
           [1, 1, 2]], dtype=int32)
    >>> distance_transform_cdt([[0, 1, 1], [1, 1, 1]], "taxicab")
    array([[0, 1, 2],
           [1, 2, 3]], dtype=int32)
    """
    _check_requests(distances, indices, return_distances, return_indices)
    given = np.asarray(input)
    before = _elements_before_centre(metric, given.ndim)
    is_written = isinstance(distances, np.ndarray)
    if is_written:
        if distances.dtype.type != np.int32:
            raise ValueError("distances must be of int32 type")
        if distances.shape != given.shape:
            raise ValueError("distances has wrong shape")
        if not distances.flags.writeable:
            raise ValueError("assignment destination is read-only")
    if given.ndim == 0:
        raise TypeError("WRITEBACKIFCOPY used for non-array input.")
    marks = _nonzero(given)
    found = np.empty(given.shape, np.int32)
    positions = np.empty(given.shape, np.int32) if return_indices else None
    if found.size:
        core.chamfer_distances(found, positions, marks, before)
    if is_written:
        distances[...] = found
    features = None
    if positions is not None:
        if isinstance(indices, np.ndarray):
            if indices.dtype.type != np.int32:
                raise ValueError("indices array must be int32")
            if indices.shape != (given.ndim, *given.shape):
                raise ValueError("indices array has wrong shape")
        features = _indices_at(positions, indices)
    return _asked_for(found if return_distances else None, distances, features, indices)


def distance_transform_bf(
    input: Any,
    metric: Any = "euclidean",
    sampling: Any = None,
    return_distances: Any = True,
    return_indices: Any = False,
    distances: Any = None,
    indices: Any = None,
) -> Any:
    """Return the distance of each element from the nearest zero, by brute force; `scipy.ndimage.distance_transform_bf`.

    Exact: SciPy's distances, and its choice among equally near zeros, which is the last one in C order. With indices, or with
    spacings that are not small multiples of one power of two, the time grows with the number of zeros on the border.

    Parameters
    ----------
    input : array_like
        Elements that are not zero get a distance; zeros are at distance 0.
    metric : {'euclidean', 'taxicab', 'cityblock', 'manhattan', 'chessboard'}, optional
        What a distance is.
    sampling : float or sequence of float, optional
        Distance between neighbours, for all axes or one per axis; 1 if not given. Of the Euclidean metric only.
    return_distances, return_indices
        As of `distance_transform_edt`.
    distances : ndarray, optional
        Array of the shape of `input` to write the distances into, ``float64`` for the Euclidean metric, else ``uint32``; they
        are not returned then.
    indices : ndarray of int32, optional
        As of `distance_transform_cdt`.

    Returns
    -------
    ndarray, tuple of ndarray, or None
        Distances, then indices (``int32``): those that were asked for and have no array. Without any zero, distances are
        the root of the largest ``float64``, or the largest ``uint32``.

    Raises
    ------
    RuntimeError
        If nothing is asked for, an array is given for what is not, an array has another shape or type, the metric is not
        known, or `sampling` is not one number per axis.
    ValueError
        If an array is read-only.

    Examples
    --------
    >>> distance_transform_bf([[0, 1, 1], [1, 1, 1]], "taxicab")
    array([[0, 1, 2],
           [1, 2, 3]], dtype=uint32)
    """
    _check_requests(distances, indices, return_distances, return_indices)
    nonzero: Any = np.asarray(input) != 0
    grown = binary_dilation(nonzero, generate_binary_structure(nonzero.ndim, nonzero.ndim))
    marks = nonzero.astype(np.int8) - np.logical_xor(nonzero, grown).astype(np.int8)
    number = _metric_number(metric.lower())
    spacings = _spacings(sampling, nonzero.ndim)
    shape = nonzero.shape
    dtype: Any = np.float64 if number == 1 else np.uint32
    found: Any = np.zeros(shape, dtype) if return_distances else None
    positions = np.zeros(shape, np.int32) if return_indices else None
    written: Any = distances if return_distances else None
    if written is not None:
        if written.shape != shape:
            raise RuntimeError("distances array has wrong shape")
        if written.dtype.type != dtype:
            raise RuntimeError(f"distances array must be {np.dtype(dtype)}")
        check_output(written)
    if marks.size:
        steps = None if spacings is None or not shape else spacings.ravel()[: len(shape)].tolist()
        # The native module knows no array without axes.
        with_axes = shape or (1,)
        core.brute_force_distances(
            None if found is None else found.reshape(with_axes),
            None if positions is None else positions.reshape(with_axes),
            np.ascontiguousarray(marks).reshape(with_axes),
            number,
            steps,
        )
    if written is not None:
        written[...] = found
    features = None
    if positions is not None:
        if isinstance(indices, np.ndarray):
            if indices.dtype.type != np.int32:
                raise RuntimeError("indices array must be int32")
            if indices.shape != (nonzero.ndim, *shape):
                raise RuntimeError("indices array has wrong shape")
        features = _indices_at(positions, indices)
    return _asked_for(found, distances, features, indices)


def _check_requests(distances: Any, indices: Any, return_distances: Any, return_indices: Any) -> None:
    wrong = []
    if not return_distances and not return_indices:
        wrong.append("at least one of return_distances/return_indices must be True")
    if isinstance(distances, np.ndarray) and not return_distances:
        wrong.append("return_distances must be True if distances is supplied")
    if isinstance(indices, np.ndarray) and not return_indices:
        wrong.append("return_indices must be True if indices is supplied")
    if wrong:
        raise RuntimeError(", ".join(wrong))


def _nonzero(input: Any) -> np.ndarray:
    """An array for the native module that is zero where this one is false."""
    input = np.asarray(input)
    return native_input(input) if is_native(input.dtype) else np.where(input, np.True_, np.False_)


def _spacings(sampling: Any, rank: int) -> np.ndarray | None:
    if sampling is None:
        return None
    spacings = np.asarray(normalize_sequence(sampling, rank), dtype=np.float64)
    if spacings.size < rank:
        raise ValueError(f"sampling must hold a number per axis, not {sampling!r}")
    return spacings


def _can_be_written(distances: Any, shape: tuple[int, ...], input: np.ndarray, features: Any) -> bool:
    """Whether the native module can write distances into this array, and it shares no memory with the others."""
    return (
        isinstance(distances, np.ndarray)
        and distances.shape == shape
        and distances.dtype == np.float64
        and distances.flags.writeable
        and distances.flags.c_contiguous
        and distances.flags.aligned
        and even_strides(distances)
        and not np.may_share_memory(distances, input)
        and not (features is not None and np.may_share_memory(distances, features))
    )


def _plain(array: np.ndarray) -> np.ndarray:
    """The array itself if the native module can write it, else a copy."""
    if array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative and even_strides(array):
        return array
    return np.array(array, np.int32, order="C")


def _distances_to(features: Any, spacings: np.ndarray | None) -> np.ndarray:
    """Distances as SciPy computes them from the nearest elements."""
    offsets = (features - np.indices(features.shape[1:], dtype=features.dtype)).astype(np.float64)
    if spacings is not None:
        for axis, spacing in enumerate(spacings):
            offsets[axis, ...] *= spacing
    np.multiply(offsets, offsets, offsets)
    return np.sqrt(np.add.reduce(offsets, axis=0))


def _metric_number(metric: str) -> int:
    if metric == "euclidean":
        return 1
    if metric in _CITY_BLOCK:
        return 2
    if metric == "chessboard":
        return 3
    raise RuntimeError("distance metric not supported")


def _elements_before_centre(metric: Any, rank: int) -> list[bool]:
    """Which neighbours before an element are a step away, in C order."""
    if isinstance(metric, str):
        if metric not in (*_CITY_BLOCK, "chessboard"):
            raise ValueError("invalid metric provided")
        structure = generate_binary_structure(rank, rank if metric == "chessboard" else 1)
    else:
        try:
            structure = np.asarray(metric)
        except Exception as error:
            raise ValueError("invalid metric provided") from error
        if any(length != 3 for length in structure.shape):
            raise ValueError("metric sizes must be equal to 3")
        if structure.dtype.hasobject:
            raise ValueError("invalid metric provided")
        if structure.ndim != rank:
            raise ValueError(
                f"metric has {structure.ndim} axes, the input {rank}; give it three elements per axis"
            )
    # SciPy reads the memory of any type as bytes.
    native = np.ascontiguousarray(structure, structure.dtype.newbyteorder("="))
    cells = native.reshape(-1).view(np.uint8)[: structure.size // 2]
    return [bool(cell) for cell in cells.tolist()]


def _indices_at(positions: np.ndarray, indices: Any) -> np.ndarray:
    """What `indices` hold at these positions in C order, written into it; the indices themselves without an array."""
    if isinstance(indices, np.ndarray):
        for row in indices:
            row[...] = np.ravel(row)[positions]
        return indices
    found = np.empty((positions.ndim, *positions.shape), np.int32)
    if found.size:
        core.indices_of_positions(found, positions)
    return found


def _asked_for(found: Any, distances: Any, features: Any, indices: Any) -> Any:
    """Those of both results that have no array of the caller's."""
    results = []
    if found is not None and not isinstance(distances, np.ndarray):
        results.append(found)
    if features is not None and not isinstance(indices, np.ndarray):
        results.append(features)
    if len(results) == 2:
        return tuple(results)
    return results[0] if results else None
