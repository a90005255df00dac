"""Images: measured values on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from offgraph.core.calibration import Calibration
from offgraph.core.errors import StepError
from offgraph.core.specs import held_by
from offgraph.geometry.reading import read
from offgraph.targets.composed import check_grid, check_size
from offgraph.targets.gridded import GriddedTarget

if TYPE_CHECKING:
    from offgraph.geometry.frame import Frame
    from offgraph.geometry.resampling import Leg

__all__ = ["Image"]


@dataclass(frozen=True, eq=False, repr=False)
class Image(GriddedTarget):
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
        For a dtype that is not an image's (complex, float16, objects) and for axes that are missing or do not fit.

    Examples
    --------
    >>> Image(np.zeros((4, 5, 3), np.uint8)).axes
    'YXC'
    """

    kind: ClassVar[str] = "image"
    what: ClassVar[str] = "an image"

    contents: ClassVar[bytes | None] = None
    """Of the file that the pixels were decoded from, where a recipe may decode it at another scale."""

    calibration: ClassVar[Calibration | None] = None
    """What the file declares of the grid that it was read on."""

    def calibrated(self, calibration: Calibration | None) -> Self:
        """Return the same image with the pixel sizes and the orientation that its file declares.

        Parameters
        ----------
        calibration : Calibration or None
        """
        if calibration is None:
            return self
        image = self.with_array(self.array)
        vars(image).update(contents=self.contents, calibration=calibration)
        return image

    def read_from(self, contents: bytes | None) -> Self:
        """Return the same, decoded from a file with these contents.

        Parameters
        ----------
        contents : bytes or None
        """
        if contents is None:
            return self
        image = self.with_array(self.array)
        vars(image)["contents"] = contents
        return image

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
