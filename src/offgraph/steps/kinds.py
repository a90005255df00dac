"""The kinds of steps: geometric, filter, pointwise, color, statistics, noise and result."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any, ClassVar, cast

import numpy as np
from pydantic.dataclasses import dataclass as pydantic_dataclass

from offgraph import ndimage
from offgraph.core.axes import SPATIAL
from offgraph.core.random import Draw, Key
from offgraph.core.specs import ArraySpec, SpecT
from offgraph.engine.filter_passes import FilterPass
from offgraph.engine.image_ops import applied, takes_images
from offgraph.engine.native_plan import NativeOp
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import CoordinateMap
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.resampling import Leg, Resampling
from offgraph.steps.base import CONFIG, Step
from offgraph.steps.ops import Filter, Grid, Op, Pointwise, PythonStep, Resample
from offgraph.steps.parameters import Mode, Number, Order, Whole
from offgraph.targets.boxes import Boxes
from offgraph.targets.image import Image

__all__ = [
    "Arithmetic",
    "ColorStep",
    "FilterStep",
    "GeometricStep",
    "ImageStep",
    "NoiseStep",
    "PointwiseStep",
    "ResampledStep",
    "ResultStep",
    "StatisticsStep",
    "resampling_rule",
    "value_range",
]


class GeometricStep(Step):
    """A step defined by one coordinate map and how pixels are read; every target and the way back follow from it."""

    kind = "geometric"
    keeps_size: ClassVar[bool] = False
    """Whether images keep their size, whatever is drawn: then nothing else need say it."""

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """Return the spatial lengths after the step; may be left to the map."""
        return size

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return what is known of the spatial lengths after the step before anything is drawn.

        By default known lengths that a draw leaves as they are stay known; the others too where nothing varies. A step
        that is given its size says more.
        """
        if None in size or self._keeps_size or type(self).map is GeometricStep.map:
            return size
        spec = ArraySpec(cast("tuple[int, ...]", size), "float64", SPATIAL[-len(size) :])
        made = self._drawn_size(spec, self.sample(Draw(Key(), self.name), spec))
        if not self.varies:
            return made
        return tuple(n if n == given else None for n, given in zip(made, size))

    @property
    def _keeps_size(self) -> bool:
        """Whether `keeps_size` holds: a class with an `output_size` of its own inherits a wrong one."""
        return self.keeps_size and type(self).output_size is GeometricStep.output_size

    def _drawn_size(self, spec: ArraySpec, params: dict[str, Any]) -> tuple[int, ...]:
        if type(self).output_size is not GeometricStep.output_size:
            return self.output_size(spec.size, params)
        if self._keeps_size or type(self).map is GeometricStep.map:
            return spec.size
        return self._checked_map(params, spec).output_size

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """Same dtype and axes, and the spatial lengths of `output_size`, or those of the map where it is not written."""
        if params is not None and isinstance(spec, ArraySpec):
            return spec.resized(self._drawn_size(spec, params))
        return cast("SpecT", spec.resized(self.open_size(spec.size)))

    def map(self, params: dict[str, Any], spec: ArraySpec) -> CoordinateMap:
        """Return the map from output to input pixels."""
        raise NotImplementedError(f"{self.name} has no `map`")

    def _checked_map(self, params: dict[str, Any], spec: ArraySpec) -> CoordinateMap:
        """Return `map`, refused where it is not a coordinate map from an image of this size."""
        grid: Any = self.map(params, spec)
        if not isinstance(grid, CoordinateMap):
            raise ValueError(
                f"`map` gives {type(grid).__name__}, not a coordinate map such as AffineMap or DisplacementMap"
            )
        if tuple(grid.input_size) != spec.size:
            raise ValueError(f"`map` has input_size {grid.input_size}, the image has size {spec.size}")
        return grid

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """Return how pixels are read: spline order, border mode, fill values; linear and 0 by default."""
        return Resampling()

    def moved_axes(self, spec: ArraySpec) -> tuple[int, ...]:
        """Return which of the spatial axes are resampled, counted from 0; the map leaves the others as they are."""
        return tuple(range(len(spec.spatial)))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.affine_transform` by the map, or `map_coordinates` where it is not affine."""
        grid = self.map(params, ArraySpec.of(image, SPATIAL[-image.ndim :]))
        rule = self.resampling(params)
        options = {"order": rule.order, "mode": rule.mode, "cval": rule.cval}
        if isinstance(grid, GridMap):
            grid, options["order"] = grid.affine(), 0
        if isinstance(grid, AffineMap):
            return ndi.affine_transform(image, grid.matrix, grid.offset, grid.output_size, **options)
        points = grid.coordinates()
        nowhere = np.isnan(points).any(axis=0)
        found = ndi.map_coordinates(image, np.where(nowhere, 0, points), **options)
        return np.where(nowhere, np.array(rule.cval, image.dtype), found)

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[Op, ...]:
        """One operation: a copy of whole pixels for a grid map, else a resampling."""
        grid, rule = self._checked_map(params, spec), self.resampling(params)
        if isinstance(grid, GridMap):
            return (Grid(grid, rule),)
        moved = self.moved_axes(spec)
        return (Resample(grid, rule, moved_axes=None if len(moved) == len(spec.spatial) else moved),)

    def operations(self, params: dict[str, Any], spec: ArraySpec) -> tuple[Op, ...]:
        """The operation of `lower`; a class with its own `apply` still moves other targets by its map."""
        op, *more = found = super().operations(params, spec)
        if not more and isinstance(op, PythonStep) and type(self).map is not GeometricStep.map:
            return (replace(op, leg=Leg(self._checked_map(params, spec), self.resampling(params))),)
        return found


@pydantic_dataclass(frozen=True, kw_only=True, repr=False, config=CONFIG)
class ResampledStep(GeometricStep):
    """A geometric step that reads between pixels by SciPy's splines.

    Parameters
    ----------
    order : int
        Spline order, 0 to 5: 0 nearest, 1 linear. Masks always use 0.
    mode : str
        SciPy's name for what lies beyond the border: 'constant' (`cval`), 'nearest' (a a | a b c d | d d),
        'reflect' (b a | a b c d | d c), 'mirror' (c b | a b c d | c b), 'grid-wrap' (c d | a b c d | a b),
        'grid-constant', 'grid-mirror' (as 'reflect') or 'wrap'.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.
    mask_cval : int
        Label beyond the border in mode 'constant'.
    """

    order: Order = 1
    mode: Mode = "constant"
    cval: Number = 0.0
    mask_cval: Whole = 0

    @property
    def averages(self) -> bool:
        """Above order 0."""
        return self.order > 0

    def hints(self) -> list[str]:
        """SciPy's 'wrap', whose seam is a pixel short."""
        if self.mode != "wrap":
            return []
        return [
            "mode='wrap' is SciPy's: it repeats the image every n - 1 pixels, so that its first and last pixel fall on "
            "one; write mode='grid-wrap' to repeat it every n"
        ]

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """The step's own fields."""
        return resampling_rule(self.order, self.mode, self.cval, self.mask_cval)


class FilterStep(Step):
    """A step that mixes neighbours along the spatial axes; channels never mix, masks stay as they are."""

    kind = "filter"

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """Return how many samples the largest window holds that is kept in memory; checked before anything runs."""
        return 1

    def filter(self, array: np.ndarray, axes: str, params: dict[str, Any]) -> np.ndarray:
        """Filter an image by `work`, or else by `reference`, channel by channel and frame by frame.

        A step that can take all of them in one call does so.

        Parameters
        ----------
        array : ndarray
            Left as it is.
        axes : str
            One letter per axis.
        params : dict
            What `sample` gave.
        """
        is_own = _declares(type(self), "work", "reference") and takes_images(axes, array.dtype.name)
        op = self.work(params, ArraySpec.of(array, axes)) if is_own and array.size else None
        if op is not None:
            image = array if axes.endswith("C") else array[..., np.newaxis]
            return applied(image, op).reshape(array.shape)
        others = [place for place, name in enumerate(axes) if name not in SPATIAL]
        if not others:
            return self.reference(ndimage, array, params)
        planes = np.moveaxis(array, others, range(len(others)))
        lens, by_channel = planes.shape[: len(others)], axes.find("C")
        results = []
        for place in np.ndindex(lens):
            channel = place[others.index(by_channel)] if by_channel >= 0 else 0
            results.append(self.reference(ndimage, np.ascontiguousarray(planes[place]), params, channel))
        stacked = np.stack(results).reshape(lens + results[0].shape)
        return np.ascontiguousarray(np.moveaxis(stacked, range(len(others)), others))

    def passes(self, params: dict[str, Any], spec: ArraySpec) -> tuple[FilterPass, ...] | None:
        """Return passes of the native core that have the bytes of `filter`, one after another; or None.

        Parameters
        ----------
        params : dict
            What `sample` gave.
        spec : ArraySpec
            Of the image.

        Returns
        -------
        tuple of FilterPass, or None
            As the functions of :mod:`offgraph.ndimage.filters.passes` make them. None, the default, where only Python
            can run the filter: it then splits the native call of a plan.
        """
        return None

    def work(self, params: dict[str, Any], spec: ArraySpec) -> NativeOp | None:
        """Return one operation of the native core that has the bytes of `filter`, where there are no `passes`; or None.

        Parameters
        ----------
        params : dict
            What `sample` gave.
        spec : ArraySpec
            Of the image.

        Returns
        -------
        NativeOp, or None
            As the functions of :mod:`offgraph.engine.image_ops` make it.
        """
        return None

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[Op, ...]:
        """One operation, which runs as `filter`, as `passes` or as `work`."""
        return (Filter(self, params),)


Arithmetic = tuple[tuple[str, tuple[float, ...]], ...]
"""Operations with numbers: see `PointwiseStep.arithmetic`."""


@functools.cache
def _declares(cls: type[Step], method: str, other: str) -> bool:
    """Whether `method` belongs to the class that defines a step; one with an `other` of its own inherits a wrong one."""
    return method in vars(next(base for base in cls.__mro__ if {method, other} & vars(base).keys()))


class PointwiseStep(Step):
    """A step that changes each value by itself; masks stay as they are.

    The engine evaluates `reference` once for each value that an 8- or 16-bit image can hold, and looks up.
    """

    kind = "pointwise"
    same_in_all_channels: ClassVar[bool] = False
    """Whether `reference` leaves out of account which channel it is given: one table then serves all of them."""

    @property
    def has_one_table(self) -> bool:
        """Whether `same_in_all_channels` is said of this class' own `reference`."""
        return self.same_in_all_channels and _declares(type(self), "same_in_all_channels", "reference")

    def arithmetic(self, params: dict[str, Any], dtype: str) -> Arithmetic | None:
        """Return `reference` as operations in float64, one after another, whose result is rounded once; or None.

        Parameters
        ----------
        params : dict
            What `sample` gave.
        dtype : str
            Of the image.

        Returns
        -------
        tuple of (str, tuple of float), or None
            'add', 'subtract', 'multiply' or 'divide', with one number or one for each channel. None, the default,
            where `reference` is something else.
        """
        return None

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[Op, ...]:
        """One operation, which looks up or computes what `reference` gives."""
        return (Pointwise(self, params, self.output_spec(spec, params).dtype),)


class ImageStep(Step):
    """A step that changes values and moves nothing, and whose definition needs all channels of an image at once.

    `reference` takes the spatial axes in order and the channels last, (H, W, C) or (D, H, W, C), with one channel where
    the image has no channel axis. Its `channel` is the number of the frame along a time axis, else 0.
    """

    @property
    def averages(self) -> bool:
        """Unless a step says otherwise."""
        return True

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """Return one operation of the native core that has the bytes of `reference`, and leaves the shape; or None.

        A step that has it stands in a plan like any other, and is no Python code that splits one.

        Parameters
        ----------
        params : dict
            What `sample` gave.
        spec : ArraySpec
            Of the image, or of a frame; its axes are those that `offgraph.engine.image_ops.takes_images` takes.
        frame : int
            The number of the frame.

        Returns
        -------
        NativeOp, or None
            As the functions of :mod:`offgraph.engine.image_ops` make it. None, the default, where there is none for images
            of this spec. A subclass that has a `reference` of its own does not inherit this.
        """
        return None

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """Return a new array with the bytes of `reference`, made by the native core; or None. By default by `work`.

        Parameters
        ----------
        image : ndarray
            As `reference` takes it, C-contiguous.
        params : dict
            What `sample` gave.
        channel : int
            The number of the frame.

        Returns
        -------
        ndarray or None
            None where only `reference` knows the answer. A subclass that has a `reference` of its own does not inherit
            this.
        """
        axes = SPATIAL[1 - image.ndim :] + "C"
        if not (
            _declares(type(self), "work", "reference") and image.size and takes_images(axes, image.dtype.name)
        ):
            return None
        spec = ArraySpec.of(image, axes)
        op = self.work(params, spec, channel)
        return None if op is None else applied(image, op, self.output_spec(spec, params).dtype)

    def _made(self, image: np.ndarray, params: dict[str, Any], number: int) -> np.ndarray:
        """One frame, by the core where it can."""
        cls = type(self)
        is_own = _declares(cls, "compute", "reference") or _declares(cls, "work", "reference")
        made = self.compute(image, params, number) if is_own else None
        return self.reference(ndimage, image, params, number) if made is None else made

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Apply `reference` to the image, or to each frame."""
        after = self.output_spec(image.spec, params)
        if 0 in image.array.shape:
            return Image(np.empty(after.shape, after.dtype), after.axes)
        if image.axes in ("YXC", "ZYXC") and after.axes == image.axes:
            made = self._made(np.ascontiguousarray(image.array), params, 0)
            if made.ndim == image.array.ndim and made.flags.c_contiguous:
                return image.with_array(made.copy() if np.may_share_memory(made, image.array) else made)
        order = "".join(sorted(image.axes, key="TZYXC".index))
        array = image.array.transpose([image.axes.index(name) for name in order])
        if "C" not in order:
            array, order = array[..., np.newaxis], order + "C"
        frames = array if "T" in order else array[np.newaxis]
        parts = [
            self._made(np.ascontiguousarray(frame), params, number) for number, frame in enumerate(frames)
        ]
        if parts[0].ndim != frames.ndim - 1:
            raise ValueError(
                f"reference gives an array of shape {parts[0].shape}, expected "
                f"({', '.join(map(str, frames.shape[1:-1]))}, C), channels last"
            )
        out = np.stack(parts) if "T" in order else parts[0]
        if "C" not in after.axes:
            out, order = out[..., 0], order[:-1]
        out = np.ascontiguousarray(out.transpose([order.index(name) for name in after.axes]))
        if np.may_share_memory(out, image.array):
            out = out.copy()
        return Image(out, after.axes)


class ColorStep(ImageStep):
    """A step that changes the channels of each pixel together; masks stay as they are."""

    kind = "color"


class StatisticsStep(ImageStep):
    """A step that changes each value by what all values of the image are; masks stay as they are."""

    kind = "statistics"


class NoiseStep(ImageStep):
    """A step that adds noise or takes something away, wherever in the image it is; masks stay as they are."""

    kind = "noise"


@functools.lru_cache(maxsize=256)
def value_range(dtype: str, declared: float | None) -> float:
    """Return the value that counts as 1: the declared one, or the largest of an unsigned dtype.

    Raises
    ------
    ValueError
        For a float or signed image whose range nobody declared: it can be 1, 255, 4095 or anything.
    """
    if declared is not None:
        return declared
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return 1.0
    if kind.kind == "u":
        return float(np.iinfo(kind).max)
    raise ValueError(
        f"range= is needed for an image of dtype {dtype}: write range=1 if its values reach from 0 to 1, "
        "range=255 if they reach from 0 to 255"
    )


resampling_rule = functools.lru_cache(maxsize=256)(Resampling)
"""Policies by their fields: they are checked once, and not for every image."""


class ResultStep(Step):
    """A step that refines a model's output: probabilities to a mask, a mask to objects."""

    kind = "result"
    per_channel: ClassVar[bool] = False
    """Whether `reference` defines one channel, on spatial axes only; else the whole output, channels last."""
    numbers_objects: ClassVar[bool] = False
    """Whether each object gets a number of its own, so that labels are no classes any more."""
    describes: ClassVar[bool] = False
    """Whether the step leaves the image as it is, and says what is written of its labels."""

    @property
    def refines_boxes(self) -> bool:
        """Whether the step is about boxes, and not about the image."""
        return type(self).apply_boxes is not ResultStep.apply_boxes

    def apply_boxes(self, boxes: Boxes, params: dict[str, Any]) -> Boxes:
        """Refine the boxes beside the image; the same boxes, as by default, where the step is about the image."""
        return boxes
