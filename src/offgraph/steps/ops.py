"""Operations: what `Step.lower` makes of drawn values, and what both runners execute.

An operation is frozen and plain: a map, sizes, numbers, names. It knows nothing of recipes, draws or plans. `Op.run` and
`Op.run_labels` are the definition that the native runner is tested equal to, in bytes.

    Grid        copy whole pixels                      exact for every dtype
    Resample    read between pixels through one map    affine_transform, or map_coordinates for maps that are not affine
    Zoom        SciPy's zoom, separable
    Resize      weighted sums along each axis          antialiased; a window makes only some output pixels
    ResizeLike  the resize of another library          by its definition; only Python can run it
    Pointwise   one value to one value                 by table for 8- and 16-bit integers
    Filter      neighbours along the spatial axes
    PythonStep  a step with its own `apply`            only Python can run it

The first five move pixels: they have a `map`, output to input coordinates, and a `resampling`, from which boxes, points
and the way back follow.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.arguments import plain_array
from offgraph.core.specs import ArraySpec, held_by
from offgraph.engine.library_resize import Library, resize_like
from offgraph.engine.lookup import lookup
from offgraph.engine.nearest import between_corners, on_half_pixels
from offgraph.engine.resample import stored_value, zoom_planes
from offgraph.engine.resize import resize
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import CoordinateMap
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.reading import read, read_labels
from offgraph.geometry.resampling import Leg, Resampling
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

if TYPE_CHECKING:
    from offgraph.steps.base import Step
    from offgraph.steps.kinds import FilterStep, PointwiseStep

__all__ = [
    "Clip",
    "Filter",
    "GeometricOp",
    "Grid",
    "Op",
    "Pointwise",
    "PythonStep",
    "Resample",
    "Resize",
    "ResizeLike",
    "Zoom",
    "value_table",
]


class Op:
    """Base of all operations."""

    def output_spec(self, spec: ArraySpec) -> ArraySpec:
        """Return shape, dtype and axes of the image afterwards."""
        return spec

    def run(self, image: Image) -> Image:
        """Apply the operation to an image; the input is left as it is."""
        raise NotImplementedError

    def run_labels(self, mask: Mask) -> Mask:
        """Apply the operation alone to a mask; the same mask where it moves nothing."""
        return mask


@dataclass(frozen=True, eq=False)
class GeometricOp(Op):
    """An operation that moves pixels.

    Parameters
    ----------
    map : CoordinateMap
        From output to input pixels, on the spatial axes.
    resampling : Resampling
        Spline order, border mode and fill values.
    """

    map: CoordinateMap
    resampling: Resampling

    @property
    def leg(self) -> Leg:
        """Map and policy, by which every other target is moved."""
        return Leg(self.map, self.resampling)

    def output_spec(self, spec: ArraySpec) -> ArraySpec:
        """The same with the map's output size."""
        return spec.resized(self.map.output_size)

    def run(self, image: Image) -> Image:
        """Read every channel through the map."""
        return Image(read(image.array, self.map, self.resampling, image.spec.spatial), image.axes)

    def run_labels(self, mask: Mask) -> Mask:
        """Take the nearest label, whole numbers of any width untouched."""
        return mask.with_array(read_labels(mask.array, self.map, self.resampling, mask.spec.spatial))


@dataclass(frozen=True, eq=False)
class Grid(GeometricOp):
    """Copy whole pixels: output pixel o takes input pixel ``start + sign * o`` on each axis.

    Positions outside the input are filled as `resampling.mode` says; `resampling.order` has no meaning.
    """

    map: GridMap


@dataclass(frozen=True, eq=False)
class Clip:
    """A rectangle that an output pixel must have been read from.

    An output pixel o gets the fill value unless ``c = map(o)`` has all coordinates from 0 to n - 1, SciPy's rule of
    mode 'constant'. NaN is outside. The coordinates of an affine map are summed as SciPy sums them: the offset first,
    then the products in the order of the axes.

    Parameters
    ----------
    map : CoordinateMap
        From output pixels to the pixels of an image between two steps of the chain.
    size : tuple of int
        Spatial lengths of that image.
    """

    map: CoordinateMap
    size: tuple[int, ...]

    def outside(self) -> np.ndarray:
        """Return where the fill value goes, bool of the output size."""
        found = np.zeros(self.map.output_size, bool)
        for coordinate, n in zip(_coordinates(self.map), self.size):
            found |= ~((coordinate >= 0) & (coordinate <= n - 1))
        return found


@dataclass(frozen=True, eq=False)
class Resample(GeometricOp):
    """Read between pixels through one map, as `affine_transform` or `map_coordinates` does.

    Parameters
    ----------
    clips : tuple of Clip
        After fusion, rectangles of earlier images of the chain; outside any of them an output pixel is
        `resampling.cval`.
    moved_axes : tuple of int, optional
        Positions among the spatial axes that are resampled; the map is the identity on the others, which are carried
        along. By default all are resampled.
    """

    clips: tuple[Clip, ...] = ()
    moved_axes: tuple[int, ...] | None = None

    def run(self, image: Image) -> Image:
        """Resample every channel at the same coordinates."""
        spec = image.spec
        array = read(image.array, *self._on_moved_axes(spec))
        if self.clips:
            outside = functools.reduce(np.logical_or, [clip.outside() for clip in self.clips])
            value = stored_value(array.dtype, self.resampling.cval)
            np.moveaxis(array, spec.spatial, range(outside.ndim))[outside] = value
        return Image(array, image.axes)

    def run_labels(self, mask: Mask) -> Mask:
        """Take the nearest label: order 0, whole numbers of any width untouched."""
        return mask.with_array(read_labels(mask.array, *self._on_moved_axes(mask.spec)))

    def _on_moved_axes(self, spec: ArraySpec) -> tuple[CoordinateMap, Resampling, tuple[int, ...]]:
        """Map, policy and axes of what is resampled."""
        grid, axes = self.map, spec.spatial
        if self.moved_axes is not None and isinstance(grid, AffineMap):
            grid, axes = grid.on_axes(self.moved_axes), tuple(axes[place] for place in self.moved_axes)
        return grid, self.resampling, axes


@dataclass(frozen=True, eq=False)
class Zoom(GeometricOp):
    """Enlarge or shrink as SciPy's `zoom` does.

    Parameters
    ----------
    map : AffineMap
        Diagonal.
    grid_mode : bool
        Whether edges stay edges, as SciPy's argument of this name; else the centres of the corner pixels stay corners.
    """

    map: AffineMap
    grid_mode: bool = False

    def run(self, image: Image) -> Image:
        """`zoom` of each channel."""
        rule = self.resampling
        array = zoom_planes(
            image.array, self.map.output_size, axes=image.spec.spatial, order=rule.order, mode=rule.mode,
            cval=rule.cval, grid_mode=self.grid_mode,
        )  # fmt: skip
        return Image(array, image.axes)

    def run_labels(self, mask: Mask) -> Mask:
        """Look up the nearest label, found in integer arithmetic."""
        fill = self.resampling.mask_cval
        held_by(mask.array.dtype, mask_cval=fill)
        array = mask.array
        for axis, length in zip(mask.spec.spatial, self.map.output_size):
            index = self.nearest(array.shape[axis], length)
            array = np.take(array, np.maximum(index, 0), axis=axis)
            array[(*(slice(None),) * axis, index < 0)] = fill
        return mask.with_array(np.ascontiguousarray(array))

    def nearest(self, n: int, length: int) -> np.ndarray:
        """Return the pixel of an axis of `n` for each of `length`, -1 for those beyond the border."""
        if not self.grid_mode:
            return between_corners(n, length)
        index = on_half_pixels(n, length)
        if self.resampling.mode not in ("constant", "wrap"):
            return index
        # These two modes begin at the centres of the outermost pixels, not at their edges.
        place = (2 * np.arange(length, dtype=np.int64) + 1) * n - length  # the coordinate, times 2 * length
        before, after = place < 0, place > 2 * length * (n - 1)
        if self.resampling.mode == "wrap":
            return np.where(before, n - 1, np.where(after, 0, index))
        return np.where(before | after, -1, index)


@dataclass(frozen=True, eq=False)
class Resize(GeometricOp):
    """Weigh the pixels that an output pixel covers, axis after axis.

    Parameters
    ----------
    map : AffineMap
        Half-pixel grid from the input to `size`, then to the window where there is one.
    size : tuple of int
        Spatial lengths of the whole result.
    kernel : str
    antialias : bool
    window : tuple of (int, int), optional
        (start, length) on each spatial axis: the pixels of the whole result that are made; by default all.
    """

    map: AffineMap
    size: tuple[int, ...] = ()
    kernel: str = "triangle"
    antialias: bool = True
    window: tuple[tuple[int, int], ...] | None = None

    def run(self, image: Image) -> Image:
        """Weigh every channel alike."""
        array = resize(
            image.array, self.size, axes=image.spec.spatial, kernel=self.kernel, antialias=self.antialias,
            window=self.window,
        )  # fmt: skip
        return Image(array, image.axes)

    def run_labels(self, mask: Mask) -> Mask:
        """Look up the nearest label, found in integer arithmetic."""
        return _nearest_labels(mask, self.size, self.window)


@dataclass(frozen=True, eq=False)
class ResizeLike(GeometricOp):
    """Resize as another library does.

    Parameters
    ----------
    map : AffineMap
        Half-pixel grid.
    like : str
        The library.
    kernel : str
    antialias : bool
    dtype : str
        Of the result.
    """

    map: AffineMap
    like: Library = "pillow"
    kernel: str = "triangle"
    antialias: bool = True
    dtype: str = "uint8"

    def output_spec(self, spec: ArraySpec) -> ArraySpec:
        """Of the new size and the result's dtype."""
        return spec.resized(self.map.output_size).cast(self.dtype)

    def run(self, image: Image) -> Image:
        """By the library's definition."""
        array = resize_like(
            image.array, self.map.output_size, axes=image.spec.spatial, like=self.like, kernel=self.kernel,
            antialias=self.antialias,
        )  # fmt: skip
        return Image(array, image.axes)

    def run_labels(self, mask: Mask) -> Mask:
        """Look up the nearest label, as `Resize` does."""
        return _nearest_labels(mask, self.map.output_size)


def _nearest_labels(
    mask: Mask, size: tuple[int, ...], window: tuple[tuple[int, int], ...] | None = None
) -> Mask:
    """Take the label at the centre of each output pixel, in integer arithmetic."""
    array = mask.array
    for axis, length, (start, count) in zip(mask.spec.spatial, size, window or [(0, n) for n in size]):
        index = on_half_pixels(array.shape[axis], length)[start : start + count]
        array = np.take(array, index, axis=axis)
    return mask.with_array(np.ascontiguousarray(array))


@dataclass(frozen=True, eq=False)
class Pointwise(Op):
    """Change each value by itself, as `step.reference` defines it.

    Parameters
    ----------
    step : PointwiseStep
    params : dict
        What was drawn.
    dtype : str
        Of the result.
    """

    step: PointwiseStep
    params: dict[str, Any]
    dtype: str

    def output_spec(self, spec: ArraySpec) -> ArraySpec:
        """The same with the result's dtype."""
        return spec.cast(self.dtype)

    def has_table(self, spec: ArraySpec) -> bool:
        """Whether the dtype has fewer values than there are pixels, so that looking them up is less work."""
        kind = np.dtype(spec.dtype)
        return (
            kind.kind in "ui"
            and kind.itemsize <= 2
            and 1 << 8 * kind.itemsize < spec.pixels
            and 0 not in spec.shape
        )

    def table(self, spec: ArraySpec) -> np.ndarray | None:
        """Return the results for every value of the dtype, where there is a table.

        Returns
        -------
        ndarray, shape (channels, 256 or 65536), or None
            In the order of the values' bits, read as an unsigned number; of the result's dtype.
        """
        if not self.has_table(spec):
            return None
        channels = spec.shape[spec.axes.index("C")] if "C" in spec.axes else 1
        if self.params:  # drawn for every image: nothing to cache
            return value_table(self.step, spec.dtype, channels, self.dtype, self.params)
        return _kept_table(self.step, spec.dtype, channels, self.dtype)

    def run(self, image: Image) -> Image:
        """Apply the definition to each channel, or look up what it gives."""
        array, place = image.array, image.axes.find("C")
        lined = np.moveaxis(array, place, -1) if place >= 0 else array[..., np.newaxis]
        table = self.table(image.spec)
        if table is not None:
            out = lookup(lined, table)
        else:
            out = np.empty(lined.shape, self.dtype)
            for channel in range(lined.shape[-1]):
                plane = np.ascontiguousarray(lined[..., channel])
                out[..., channel] = _of_dtype(
                    self.step.reference(np, plane, self.params, channel), self.dtype
                )
        out = np.moveaxis(out, -1, place) if place >= 0 else out[..., 0]
        return Image(np.ascontiguousarray(out), image.axes)


def value_table(
    step: PointwiseStep, dtype: str, channels: int, result: str, params: dict[str, Any]
) -> np.ndarray:
    """Return what a step makes of every value of a dtype, in the order of their bits, for every channel.

    Returns
    -------
    ndarray, shape (channels, 256 or 65536)
        Of dtype `result`.
    """
    kind = np.dtype(dtype)
    values = np.arange(1 << 8 * kind.itemsize).astype(f"u{kind.itemsize}").view(kind)
    if step.has_one_table or channels == 1:
        row = np.asarray(_of_dtype(step.reference(np, values, params, 0), result)).astype(result, copy=False)
        return np.tile(row, (channels, 1))
    rows = [_of_dtype(step.reference(np, values, params, channel), result) for channel in range(channels)]
    return np.stack(rows).astype(result, copy=False)


def _of_dtype(values: Any, dtype: str) -> Any:
    """Return values that a cast to the promised dtype does not change; rounding to a shorter float is allowed."""
    found, promised = plain_array("what reference returned", values).dtype, np.dtype(dtype)
    if not np.can_cast(found, promised, "same_kind" if promised.kind in "fc" else "safe"):
        raise ValueError(
            f"reference gives {found}, output_spec promises {promised}: round and clip the values and cast them to "
            f"{promised}, or promise {found} by `output_spec`"
        )
    return values


@functools.lru_cache(maxsize=16)
def _kept_table(step: PointwiseStep, dtype: str, channels: int, result: str) -> np.ndarray:
    table = value_table(step, dtype, channels, result, {})
    table.flags.writeable = False
    return table


@dataclass(frozen=True, eq=False)
class Filter(Op):
    """Mix neighbours along the spatial axes, as `step.filter` does.

    Parameters
    ----------
    step : FilterStep
    params : dict
        What was drawn.
    """

    step: FilterStep
    params: dict[str, Any]

    def output_spec(self, spec: ArraySpec) -> ArraySpec:
        """The same, of the dtype that the step promises."""
        return self.step.output_spec(spec, self.params)

    def run(self, image: Image) -> Image:
        """Filter all channels."""
        return Image(self.step.filter(image.array, image.axes, self.params), image.axes)


@dataclass(frozen=True, eq=False)
class PythonStep(Op):
    """A step whose class has its own `apply` or `apply_mask`.

    Parameters
    ----------
    step : Step
    params : dict
        What was drawn.
    spec : ArraySpec
        Of the image afterwards, as the step promises it.
    moves_labels : bool
        Whether the class has its own `apply_mask`.
    leg : Leg, optional
        Of a geometric step, by which targets other than image and mask are moved.
    """

    step: Step
    params: dict[str, Any]
    spec: ArraySpec
    moves_labels: bool = False
    leg: Leg | None = None

    def output_spec(self, spec: ArraySpec) -> ArraySpec:
        """What the step promises."""
        return self.spec

    def run(self, image: Image) -> Image:
        """Call the step's own `apply`."""
        return self.step.apply(image, self.params)

    def run_labels(self, mask: Mask) -> Mask:
        """Call the step's own `apply_mask`."""
        return self.step.apply_mask(mask, self.params)


def _coordinates(grid: CoordinateMap) -> Sequence[np.ndarray]:
    """Input coordinates of every output pixel, one array per axis, which broadcast to the output size."""
    if not isinstance(grid, AffineMap):
        return list(grid.coordinates())
    places = np.ogrid[tuple(slice(0, n) for n in grid.output_size)]
    sums = []
    for row, first in zip(grid.matrix.tolist(), grid.offset.tolist()):
        total: Any = np.float64(first)
        for factor, place in zip(row, places):
            if factor != 0:  # adding a product of zero changes no sum, and need not be broadcast
                total = total + factor * place
        sums.append(total)
    return sums
