"""Images: measured values on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from offgraph.core.axes import SPATIAL, name_axes
from offgraph.core.errors import StepError
from offgraph.core.specs import ArraySpec, held_by
from offgraph.geometry.reading import read
from offgraph.targets.base import Target
from offgraph.targets.composed import check_grid, check_size

if TYPE_CHECKING:
    from offgraph.geometry.frame import Frame
    from offgraph.geometry.resampling import Leg

__all__ = ["Image", "axes_of_companion", "parse_array"]


def parse_array(kind: str, array: object, axes: str | None) -> tuple[np.ndarray, str]:
    """Return an array of a dtype that is understood, in native byte order, and its axes."""
    parsed = np.asarray(array)
    if parsed.dtype.kind not in "buif" or parsed.dtype.itemsize > 8 or parsed.dtype == np.float16:
        raise StepError(
            f"{kind} of dtype {parsed.dtype}: bool, integers up to 64 bits, float32 and float64 are understood; "
            "convert it first, for example with array.astype('float32')"
        )
    if not parsed.dtype.isnative:
        parsed = parsed.astype(parsed.dtype.newbyteorder("="))
    return parsed, name_axes(parsed.shape, axes)


def axes_of_companion(array: Any, axes: str) -> str | None:
    """Return the axes of an array that lies on an image's grid, or None where its number of axes does not tell them."""
    spatial = "".join(name for name in axes if name in SPATIAL)
    known = (axes.replace("C", ""), spatial, axes)
    return next((names for names in known if len(names) == np.ndim(array)), None)


@dataclass(frozen=True, eq=False)
class Image(Target):
    """Measured values on a grid: they may be interpolated, filtered and scaled.

    Parameters
    ----------
    array : array_like
        bool, integer, float32 or float64. Never modified, and not copied.
    axes : str, optional
        One letter per axis, ``"YXC"`` for height, width, channels; see `offgraph.core.axes.name_axes`. Needed where
        the shape leaves a doubt.

    Raises
    ------
    StepError
        For a dtype that is no image (complex, float16, objects) and for axes that are missing or do not fit.

    Examples
    --------
    >>> Image(np.zeros((4, 5, 3), np.uint8)).axes
    'YXC'
    """

    array: np.ndarray
    axes: str = None  # type: ignore[assignment]  # named in __post_init__

    kind: ClassVar[str] = "image"

    def __post_init__(self) -> None:
        array, axes = parse_array("an image", self.array, self.axes)
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "axes", axes)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.array.dtype} {self.array.shape} {self.axes}>"

    @property
    def spec(self) -> ArraySpec:
        """Shape, dtype and axes."""
        return ArraySpec.of(self.array, self.axes)

    @property
    def size(self) -> tuple[int, ...]:
        """Spatial lengths."""
        return tuple(self.array.shape[i] for i in self.spec.spatial)

    @classmethod
    def given(cls, value: Any, size: tuple[int, ...], axes: str) -> Self:
        """Another image on the first one's grid, with or without its further axes."""
        return cls(value, axes_of_companion(value, axes))

    def with_array(self, array: np.ndarray) -> Self:
        """Return another image of the same axes."""
        return replace(self, array=array)

    def moved(self, legs: Sequence[Leg]) -> Self:
        """Return the image after a chain, resampled step by step with each step's order and border mode.

        A plan that joins steps, and steps with kernels of their own, move images by their operations instead.

        Parameters
        ----------
        legs : sequence of Leg
            The first begins on this image's grid.

        Raises
        ------
        StepError
            For a chain from another size, or a fill value that the dtype cannot hold.
        """
        check_grid("an image", self.size, legs)
        array = self.array
        try:
            for leg in legs:
                rule = leg.resampling
                if not leg.map.is_exact and rule.is_constant:
                    held_by(array.dtype, cval=rule.cval)
                array = read(array, leg.map, rule, self.spec.spatial)
        except ValueError as error:
            raise StepError(str(error)) from None
        return self.with_array(array)

    def restored(self, frame: Frame) -> Self:
        """Return the image on the original grid: `Frame.undo`, at order 1, with 0 where nothing maps."""
        check_size("an image", self.size, frame.output_size)
        return self.with_array(frame.undo(image=self.array, axes=self.axes))
