"""Interpolation over the spatial axes of an array, every other axis carried along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

__all__ = ["affine_planes", "zoom_planes"]


def _each(array: np.ndarray, axes: tuple[int, ...], one: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    lined = np.moveaxis(array, axes, range(-len(axes), 0))
    others = lined.shape[: lined.ndim - len(axes)]
    planes = [one(plane) for plane in lined.reshape(-1, *lined.shape[len(others) :])]
    joined = np.stack(planes).reshape(*others, *planes[0].shape)
    return np.ascontiguousarray(np.moveaxis(joined, range(-len(axes), 0), axes))


def affine_planes(
    image: np.ndarray, matrix: np.ndarray, offset: np.ndarray, output_size: tuple[int, ...], *,
    axes: tuple[int, ...], order: int, mode: str, cval: float, prefilter: bool = True,
) -> np.ndarray:  # fmt: skip
    """Return ``affine_transform`` of each plane."""
    arguments: dict[str, Any] = {"order": order, "mode": mode, "cval": cval, "prefilter": prefilter}
    return _each(
        image, axes, lambda p: ndimage.affine_transform(p, matrix, offset, tuple(output_size), **arguments)
    )


def zoom_planes(
    image: np.ndarray, zoom: tuple[float, ...], *, axes: tuple[int, ...], order: int, mode: str, cval: float,
    grid_mode: bool = False, prefilter: bool = True,
) -> np.ndarray:  # fmt: skip
    """Return ``zoom`` of each plane."""
    arguments: dict[str, Any] = {
        "order": order, "mode": mode, "cval": cval, "prefilter": prefilter, "grid_mode": grid_mode,
    }  # fmt: skip
    return _each(image, axes, lambda p: ndimage.zoom(p, zoom, **arguments))
