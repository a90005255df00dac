"""Turn a volume so that its axes point where others do."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.calibration import OPPOSITE
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.geometry.grid_map import GridMap
from offgraph.steps.codes import AxisCodes, AxisCodesOrFile
from offgraph.steps.declaration import step
from offgraph.steps.kinds import GeometricStep

__all__ = ["Orientation"]


@step
class Orientation(GeometricStep):
    """Swap and mirror the axes of a medical volume, so that all volumes point the same way.

    A geometric step for volumes. A code has a letter for each axis, slices first, then rows, then columns: where the body
    is at the end of that axis, L(eft) or R(ight), A(nterior) or P(osterior), S(uperior) or I(nferior). Axes of
    nibabel's and MONAI's codes run the other way round: their ``"RAS"`` is ``"SAR"`` of an array whose axes were reversed
    to be (slice, row, column). The code before the step is given, and the same for all volumes, or each file's own.
    Exactness: whole pixels, equal to `numpy.transpose` and `numpy.flip`.

    Parameters
    ----------
    to : str
        The code after the step, such as ``"SAR"``.
    given : str
        That of the volumes before it; or ``"file"``: what the file of each declares, a NIfTI by its affine. The record
        says what it was. A volume of a file that declares none is refused.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> volume = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    >>> og.Compose([og.Orientation("SAR", given="SPL")])(image=volume, axes="ZYX").image
    array([[[5, 4, 3],
            [2, 1, 0]]], dtype=uint8)
    """

    dimensions = (3,)

    to: AxisCodes
    given: AxisCodesOrFile

    @property
    def reads_file(self) -> bool:
        """Where the code is the file's."""
        return self.given == "file"

    @property
    def varies(self) -> bool:
        """Never: a file declares one code."""
        return False

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """The code before the step, where it is the file's."""
        if not self.reads_file:
            return {}
        found = draw.target("file")
        if found is None:
            return {"given": self.to}
        if found.codes is None:
            raise ValueError(
                "given='file': the file does not declare where its axes point; write given= as a code, such as given='SAR'"
            )
        return {"given": found.codes}

    def _moves(self, params: dict[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The axis that runs along each axis afterwards, and which of these are mirrored."""
        axes, flips = [], []
        given = params.get("given", self.given)
        for place, letter in enumerate(self.to):
            found = given.find(letter)
            if found < 0:
                found = given.index(OPPOSITE[letter])
                flips.append(place)
            axes.append(found)
        return tuple(axes), tuple(flips)

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """The same lengths, of the axes that swap."""
        return tuple(size[axis] for axis in self._moves(params)[0])

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The same lengths, of the axes that swap."""
        if self.reads_file:
            return size if len(set(size)) == 1 else (None,) * len(size)
        return tuple(size[axis] for axis in self._moves({})[0])

    def map(self, params: dict[str, Any], spec: ArraySpec) -> GridMap:
        """Swap the axes, then mirror along some."""
        axes, flips = self._moves(params)
        swapped = GridMap.transpose(axes, spec.size)
        return swapped.times(GridMap.flip(flips, swapped.output_size))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.transpose`, then `numpy.flip`."""
        axes, flips = self._moves(params)
        return np.flip(image.transpose(axes), flips)
