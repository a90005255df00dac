"""What fills the gaps that a step makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.specs import ArraySpec, OpenSpec, SpecT, held_by
from offgraph.steps.kinds import NoiseStep
from offgraph.steps.ops import Op, PythonStep
from offgraph.steps.values import channel_count
from offgraph.targets.mask import Mask

__all__ = ["FilledObjectStep", "FilledStep", "fill_labels", "fill_of"]


class FilledStep(NoiseStep):
    """A step that puts `fill` in the place of values."""

    if TYPE_CHECKING:  # each class declares it, in its place among its parameters
        fill: float | tuple[float, ...]

    @property
    def averages(self) -> bool:
        """Never."""
        return False

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; the dtype must hold `fill`."""
        _check_fill(spec, self.fill)
        return spec


class FilledObjectStep(FilledStep):
    """A step that puts `mask_fill` there in the mask, too; None leaves the mask as it is."""

    if TYPE_CHECKING:
        mask_fill: int | None

    def operations(self, params: dict[str, Any], spec: ArraySpec) -> tuple[Op, ...]:
        """One operation in Python, which takes part in masks only where they are filled."""
        after = self.output_spec(spec, params)
        return (PythonStep(self, params, after, moves_labels=self.mask_fill is not None),)


def _check_fill(spec: OpenSpec, fill: float | tuple[float, ...]) -> None:
    """Refuse values that the dtype does not hold, or that are not one for each channel."""
    values = fill if isinstance(fill, tuple) else (fill,)
    count = channel_count(spec)
    if len(values) > 1 and count not in (None, len(values)):
        raise ValueError(
            f"fill={fill} has {len(values)} values, the image has {count} channels (axes {spec.axes})"
        )
    for value in values:
        held_by(np.dtype(spec.dtype), fill=value)


def fill_of(fill: float | tuple[float, ...], image: np.ndarray) -> np.ndarray:
    """Return the value of each channel, or one for all, of the image's dtype."""
    return np.atleast_1d(np.array(fill)).astype(image.dtype)


def fill_labels(mask: Mask, label: int, places: Iterable[Any]) -> Mask:
    """Return a mask with one label at some places.

    Parameters
    ----------
    mask : Mask
    label : int
        Refused where the dtype of the mask does not hold it.
    places : iterable
        What NumPy takes as an index of the spatial axes, each.
    """
    dtype = mask.array.dtype
    held = np.can_cast(np.min_scalar_type(label), dtype, "safe")
    if not held and not np.array(label).astype(dtype) == label:
        raise ValueError(f"mask_fill={label} cannot be held by a mask of dtype {dtype}")
    labels = mask.array.copy()
    spatial_first = np.moveaxis(labels, mask.spec.spatial, range(len(mask.spec.spatial)))
    for place in places:
        spatial_first[place] = label
    return mask.with_array(labels)
