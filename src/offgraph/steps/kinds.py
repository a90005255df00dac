"""The kinds of steps: geometric, filter, pointwise and result."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass as pydantic_dataclass

from offgraph import ndimage
from offgraph.core.specs import ArraySpec, held_by
from offgraph.engine.lookup import lookup
from offgraph.engine.resample import affine_planes
from offgraph.geometry.affine_map import AffineMap
from offgraph.steps.base import CONFIG, Step
from offgraph.steps.parameters import Mode, Number, Order, Whole
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = ["FilterStep", "GeometricStep", "PointwiseStep", "ResampledStep", "ResultStep", "value_range"]


class GeometricStep(Step):
    """A step defined by one coordinate map, from which image, mask and the way back follow."""

    kind = "geometric"

    def output_size(
        self, size: tuple[int | None, ...], params: dict[str, Any] | None
    ) -> tuple[int | None, ...]:
        """Spatial lengths after the step."""
        return size

    def output_spec(self, spec: ArraySpec, params: dict[str, Any] | None = None) -> ArraySpec:
        """Same dtype and axes, other spatial lengths."""
        return spec.resized(self.output_size(spec.size, params))

    def map(self, params: dict[str, Any], spec: ArraySpec) -> AffineMap:
        """Return the map from output to input pixels."""
        raise NotImplementedError

    def move(self, array: np.ndarray, axes: str, params: dict[str, Any], *, labels: bool) -> np.ndarray:
        """Move an array: measured values by the step's kernel, labels by nearest neighbour."""
        raise NotImplementedError

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Apply the map to an image."""
        return Image(self.move(image.array, image.axes, params, labels=False), image.axes)

    def apply_mask(self, mask: Mask, params: dict[str, Any]) -> Mask:
        """Apply the map to labels, which keep their dtype and values."""
        return Mask(self.move(mask.array, mask.axes, params, labels=True), mask.axes)


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

    def moved_axes(self, spec: ArraySpec) -> tuple[int, ...]:
        """Axes that are resampled; the others are carried along."""
        return spec.spatial

    def resample(
        self, array: np.ndarray, axes: str, params: dict[str, Any], order: int, cval: float
    ) -> np.ndarray:
        """Resample by the map at one spline order; by default affine."""
        spec = ArraySpec.of(array, axes)
        whole = self.map(params, spec)
        moved = self.moved_axes(spec)
        kept = [spec.spatial.index(axis) for axis in moved]
        return affine_planes(
            array,
            whole.matrix[kept][:, kept],
            whole.offset[kept],
            tuple(whole.output_size[i] for i in kept),
            axes=moved,
            order=order,
            mode=self.mode,
            cval=cval,
        )

    def move(self, array: np.ndarray, axes: str, params: dict[str, Any], *, labels: bool) -> np.ndarray:
        """Resample an image at `order`, labels at order 0."""
        if not labels:
            return self.resample(array, axes, params, self.order, self.cval)
        held_by(array.dtype, mask_cval=self.mask_cval)
        if array.dtype.itemsize < 8:
            return self.resample(array, axes, params, 0, self.mask_cval)
        # SciPy reads through float64, which holds whole numbers to 2**53 only: move indices, then look up.
        index = np.arange(array.size, dtype=np.float64).reshape(array.shape)
        moved = self.resample(index, axes, params, 0, -1).astype(np.int64)
        found = array.ravel()[np.maximum(moved, 0)] if array.size else np.zeros(moved.shape, array.dtype)
        return np.where(moved < 0, np.array(self.mask_cval, array.dtype), found)


class FilterStep(Step):
    """A step that mixes neighbours along the spatial axes; channels never mix, masks stay as they are."""

    kind = "filter"

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """Return how many samples the largest window holds that is kept in memory; checked before `apply`."""
        return 1

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Filter by `reference`, channel by channel; a step that can take all channels in one call does so."""
        place = image.axes.find("C")
        if place < 0:
            return Image(self.reference(ndimage, image.array, params), image.axes)
        planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(image.array, place, 0)]
        results = [self.reference(ndimage, plane, params, channel) for channel, plane in enumerate(planes)]
        return Image(np.stack(results, axis=place), image.axes)


class PointwiseStep(Step):
    """A step that changes each value by itself; masks stay as they are.

    The engine evaluates `reference` once for each value that an 8- or 16-bit image can hold, and looks up.
    """

    kind = "pointwise"

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Apply the step to every channel."""
        spec = image.spec
        result = self.output_spec(spec, params)
        array = image.array
        channel_axis = image.axes.find("C")
        channels = array.shape[channel_axis] if channel_axis >= 0 else 1
        lined = np.moveaxis(array, channel_axis, -1) if channel_axis >= 0 else array[..., np.newaxis]
        if channels and _has_table(array.dtype, below=array.size // channels):
            if params:  # drawn anew for every image: nothing to keep
                table = _make_table(self, array.dtype, channels, result.dtype, params)
            else:
                table = _kept_table(self, array.dtype, channels, result.dtype)
            out = lookup(lined, table)
        else:
            out = np.empty(lined.shape, result.dtype)
            for channel in range(channels):
                plane = np.ascontiguousarray(lined[..., channel])
                out[..., channel] = self.reference(np, plane, params, channel)
        out = np.moveaxis(out, -1, channel_axis) if channel_axis >= 0 else out[..., 0]
        return Image(np.ascontiguousarray(out), image.axes)


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


def _has_table(dtype: np.dtype[Any], below: int) -> bool:
    """Whether a dtype has fewer values than `below`, the pixels there are, so that looking them up is less work."""
    return dtype.kind in "ui" and dtype.itemsize <= 2 and 1 << 8 * dtype.itemsize < below


def _make_table(
    step: PointwiseStep, dtype: np.dtype[Any], channels: int, result: str, params: dict[str, Any]
) -> np.ndarray:
    """What a step makes of every value of a dtype, in the order of their bits, for every channel."""
    values = np.arange(1 << 8 * dtype.itemsize).astype(f"u{dtype.itemsize}").view(dtype)
    rows = [step.reference(np, values, params, channel) for channel in range(channels)]
    return np.stack(rows).astype(result, copy=False)


@functools.lru_cache(maxsize=16)
def _kept_table(step: PointwiseStep, dtype: np.dtype[Any], channels: int, result: str) -> np.ndarray:
    table = _make_table(step, dtype, channels, result, {})
    table.flags.writeable = False
    return table


class ResultStep(Step):
    """A step that refines what a model puts out: probabilities to a mask, a mask to objects."""

    kind = "result"
