"""What steps share that scale, shear, turn and shift an image by one matrix; its size stays."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.geometry.affine_map import AffineMap
from offgraph.steps.base import varies
from offgraph.steps.kinds import ResampledStep
from offgraph.steps.parameters import PerAxis, along_axes, in_pixels
from offgraph.transforms.geometric.rotate import rotation

__all__ = ["MatrixStep", "centre_of", "drawn_shift", "pull_matrix", "shift_varies"]


class MatrixStep(ResampledStep):
    """A resampled step whose map is a matrix and an offset, on the same size."""

    keeps_size = True

    def pull(self, params: dict[str, Any], size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return matrix and offset as `scipy.ndimage.affine_transform` takes them: ``input = matrix @ output + offset``."""
        raise NotImplementedError

    def map(self, params: dict[str, Any], spec: ArraySpec) -> AffineMap:
        """The pull matrix, on the same size."""
        size = spec.size
        matrix, offset = self.pull(params, size)
        return AffineMap.of_rows(tuple(zip(map(tuple, matrix.tolist()), offset.tolist())), size, size)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.affine_transform` by the pull matrix."""
        matrix, offset = self.pull(params, image.shape)
        return ndi.affine_transform(image, matrix, offset, order=self.order, mode=self.mode, cval=self.cval)


def drawn_shift(name: str, setting: Any, draw: Draw, spec: ArraySpec) -> list[float]:
    """Draw a shift in pixels for each axis; axes under one name share the number that was drawn, and not the share.

    Parameters
    ----------
    name : str
        What messages call the parameter.
    setting : Shift or None
    draw : Draw
    spec : ArraySpec
    """
    size = spec.size
    if isinstance(setting, PerAxis):
        along_axes(name, setting, spec.spatial_names, 0.0)
        result = [0.0] * len(size)
        for axes, entry in setting.items():
            places = [spec.spatial_names.index(axis) for axis in axes]
            shared = draw.value(in_pixels(entry, 100))
            for place in places:
                result[place] = shared * size[place] / 100 if _is_share(entry) else shared
        return result
    shift = setting or (0.0,) * len(size)
    if len(shift) != len(size):
        raise ValueError(f"{name}={shift} is for {len(shift)} spatial axes, the image has {len(size)}")
    return [draw.value(in_pixels(entry, n)) for entry, n in zip(shift, size)]


def shift_varies(setting: Any) -> bool:
    """Whether a shift is drawn on some axis."""
    return any(
        varies(entry) for entry in (setting.values() if isinstance(setting, PerAxis) else setting or ())
    )


def centre_of(size: tuple[int, ...], anchor: str) -> np.ndarray:
    """Return the coordinates of the point that stays where it is."""
    return np.array([(length - 1) / 2 if anchor == "centre" else 0.0 for length in size])


def pull_matrix(
    params: dict[str, Any], size: tuple[int, ...], *, anchor: str = "centre", plane: str = "YX"
) -> tuple[np.ndarray, np.ndarray]:
    """Return matrix and offset, from output to input, of an image that is scaled, sheared, turned, then shifted.

    Parameters
    ----------
    params : dict
        Drawn ``scale``, ``shear``, ``rotate`` and ``translate``, as `Affine` has them.
    size : tuple of int
    anchor : str
        'centre' or 'origin'.
    plane : str
        Two axes in which the image is sheared and turned.
    """
    n, names = len(size), SPATIAL[-len(size) :]
    centre = centre_of(size, anchor)
    if not set(plane) <= set(names):
        raise ValueError(f"plane={plane!r}: the image has the spatial axes {names}")
    with np.errstate(over="ignore", invalid="ignore"):  # the map refuses what is not finite
        turned = _sheared(params["shear"], plane) @ rotation(params["rotate"])
        if plane != names:
            in_plane, turned = turned, np.eye(n)
            turned[np.ix_(*[[names.index(name) for name in plane]] * 2)] = in_plane
        scale = params["scale"]
        if isinstance(scale, dict):
            scale = np.array(along_axes("scale", scale, names, 1.0))[:, np.newaxis]
        matrix = turned / scale
        return matrix, centre - matrix @ (centre + params["translate"])


def _sheared(shear: Any, plane: str) -> np.ndarray:
    """The pull matrix of the shear, in the plane."""
    if not isinstance(shear, dict):
        return np.array([[1, shear], [0, 1]])
    down, right = along_axes("shear", shear, plane, 0.0)
    if down * right == 1:
        raise ValueError(f"shear={shear} flattens the image: its determinant is 0")
    return np.array([[1, down], [right, 1]])


def _is_share(entry: Any) -> bool:
    return isinstance(entry[0] if isinstance(entry, tuple) else entry, str)
