"""What images, masks and heatmaps share: an array with named axes."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.arguments import plain_array
from offgraph.core.axes import SPATIAL, name_axes
from offgraph.core.errors import StepError
from offgraph.core.lazy import lazy_property
from offgraph.core.specs import ArraySpec
from offgraph.targets.base import Target

__all__ = ["GriddedTarget"]


@dataclass(frozen=True, eq=False, repr=False)
class GriddedTarget(Target):
    """A target with a value for each pixel.

    Parameters
    ----------
    array : array_like
        Never modified, and not copied.
    axes : str, optional
        One letter per axis, ``"YXC"`` for height, width, channels; see `offgraph.core.axes.name_axes`.

    Raises
    ------
    StepError
        For a dtype that is not understood (complex, float16, objects) and for axes that are missing or do not fit.
    """

    array: np.ndarray
    axes: str = None  # type: ignore[assignment]  # named in __post_init__

    what: ClassVar[str]
    """How messages call it, such as ``"an image"``."""

    def __post_init__(self) -> None:
        if self.array is None or isinstance(self.array, str | os.PathLike):
            raise StepError(
                f"{self.what} is an array, not {'None' if self.array is None else f'a path, {self.array!r:.80}'}; "
                "og.imread(path) reads an image file, og.imread(path, color='labels') a mask"
            )
        array = plain_array(self.what, self.array, error=StepError)
        if not _is_understood(array.dtype):
            raise StepError(
                f"{self.what} of dtype {array.dtype}: bool, integers up to 64 bits, float32 and float64 are understood; "
                "convert it first, for example with array.astype('float32')"
            )
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        vars(self).update(array=array, axes=name_axes(array.shape, self.axes))

    @classmethod
    def checked(cls, array: np.ndarray, spec: ArraySpec) -> Self:
        """Return a target of an array that has this spec, without another look at it; settings are the defaults."""
        made = object.__new__(cls)
        vars(made).update(array=array, axes=spec.axes, spec=spec, size=spec.size)
        return made

    @classmethod
    def given(cls, value: Any, size: tuple[int, ...], axes: str) -> Self:
        """An array on the image's grid, with or without its further axes."""
        spatial = "".join(name for name in axes if name in SPATIAL)
        known = (axes.replace("C", ""), spatial, axes)
        named = next((names for names in known if len(names) == np.ndim(value)), None)
        return cls(value, named)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.array.dtype} {self.array.shape} {self.axes}>"

    @lazy_property
    def spec(self) -> ArraySpec:
        """Shape, dtype and axes."""
        return ArraySpec.of(self.array, self.axes)

    @lazy_property
    def size(self) -> tuple[int, ...]:  # type: ignore[override]  # asked for again and again
        """Spatial lengths."""
        return tuple(self.array.shape[i] for i in self.spec.spatial)

    @property
    def value(self) -> np.ndarray:
        """The array."""
        return self.array

    def with_array(self, array: np.ndarray) -> Self:
        """Return the same with another array of a dtype that fits: axes and settings stay."""
        if array.ndim != len(self.axes):
            raise StepError(f"an array of shape {array.shape} does not have the axes {self.axes}")
        # Not parsed again: every step of every image comes by here.
        other = object.__new__(type(self))
        kept = vars(other)
        kept.update(vars(self), array=array)
        kept.pop("contents", None)  # of the file, as is what it says of the grid
        kept.pop("calibration", None)
        if array.shape != self.array.shape or array.dtype != self.array.dtype:
            for name in ("spec", "size"):
                kept.pop(name, None)
        return other

    def contiguous(self) -> Self:
        """Return the same with its array in C order."""
        return self if self.array.flags.c_contiguous else self.with_array(np.ascontiguousarray(self.array))


@functools.lru_cache(maxsize=64)
def _is_understood(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "buif" and dtype.itemsize <= 8 and dtype != np.float16
