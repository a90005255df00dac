"""Which part of an image an answer depends on: hide one window after another, and see how far the answer moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["occluded", "occlusion_map", "windows"]


def windows(size: Sequence[int], cells: int) -> list[tuple[slice, ...]]:
    """Return windows that cover a grid of pixels, each side half as far apart as a window is long.

    Parameters
    ----------
    size : sequence of int
        Lengths of the spatial axes.
    cells : int
        Windows along each axis; fewer where the axis has fewer pixels.

    Examples
    --------
    >>> windows((4,), 2)
    [(slice(0, 3, None),), (slice(1, 4, None),)]
    """
    along = []
    for length in size:
        count = min(cells, length)
        edges = [length * number // (2 * count) for number in range(2 * count + 1)]
        last = len(edges) - 1
        along.append([slice(edges[max(0, 2 * n - 1)], edges[min(last, 2 * n + 3)]) for n in range(count)])
    grid = np.indices([len(parts) for parts in along]).reshape(len(along), -1).T
    return [tuple(parts[place] for parts, place in zip(along, places)) for places in grid.tolist()]


def occluded(image: np.ndarray, axes: str, window: Sequence[slice]) -> np.ndarray:
    """Return a copy of an image whose window has the image's own mean, of each channel by itself.

    Parameters
    ----------
    image : ndarray
    axes : str
        A letter for each axis; C is the channels'.
    window : sequence of slice
        Along the spatial axes, in their order.
    """
    spatial = [place for place, axis in enumerate(axes) if axis != "C"]
    mean = image.mean(axis=tuple(spatial), keepdims=True, dtype=np.float64)
    hidden = image.copy()
    at = [slice(None)] * image.ndim
    for place, part in zip(spatial, window):
        at[place] = part
    hidden[tuple(at)] = np.rint(mean).astype(image.dtype) if image.dtype.kind in "bui" else mean
    return hidden


def occlusion_map(
    image: np.ndarray,
    axes: str,
    answer: Callable[[list[np.ndarray]], Sequence[float]],
    *,
    cells: int = 8,
    batch: int = 32,
) -> np.ndarray:
    """Map how far an answer falls where a part of the image is hidden.

    Parameters
    ----------
    image : ndarray
    axes : str
        A letter for each axis.
    answer : callable
        Takes a list of images and gives a number for each, such as the probability of a class.
    cells : int
        Windows along each spatial axis.
    batch : int
        Images per call.

    Returns
    -------
    ndarray of float32, on the spatial axes
        The answer for the image less that for the image with a window hidden, for each pixel the mean over the windows that cover it. Positive
        where the answer needs what is there, negative where that speaks against it.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((4, 4)); image[0, 0] = 1
    >>> found = occlusion_map(image, "YX", lambda images: [one[0, 0] for one in images], cells=4)
    >>> bool(found[0, 0] > 0), float(found[3, 3])
    (True, 0.0)
    """
    size = [length for length, axis in zip(image.shape, axes) if axis != "C"]
    if 0 in size:
        return np.zeros(size, np.float32)
    parts = windows(size, cells)
    whole = float(answer([image])[0])
    total, count = np.zeros(size), np.zeros(size)
    for start in range(0, len(parts), batch):
        some = parts[start : start + batch]
        for part, value in zip(some, answer([occluded(image, axes, part) for part in some])):
            total[part] += whole - float(value)
            count[part] += 1
    return (total / count).astype(np.float32)
