"""Add pixels around a picture."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from offgraph.parameters import Padding
from offgraph.spec import ArraySpec
from offgraph.step import step
from offgraph.transforms._window import NUMPY_MODES, WindowStep

__all__ = ["Pad"]


@step
class Pad(WindowStep):
    """Add pixels around a picture.

    A geometric step. Exactness: the values of `numpy.pad`, whose names for the modes differ from SciPy's.

    Parameters
    ----------
    padding : int or one entry a spatial axis
        Pixels on every side; or for each axis pixels on both sides, or (before, after). ``(2, 3)`` adds 2 rows above
        and below and 3 columns left and right.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Pad(((0, 1), 2), mode="nearest")])(image=np.array([[1, 2]], np.uint8)).image
    array([[1, 1, 1, 2, 2, 2],
           [1, 1, 1, 2, 2, 2]], dtype=uint8)
    """

    padding: Padding

    def _sides(self, dimensions: int) -> tuple[tuple[int, int], ...]:
        if isinstance(self.padding, int):
            return ((self.padding, self.padding),) * dimensions
        if len(self.padding) != dimensions:
            raise ValueError(
                f"padding={self.padding} is for {len(self.padding)} axes, the picture has {dimensions}"
            )
        return cast("tuple[tuple[int, int], ...]", self.padding)

    def output_size(
        self, size: tuple[int | None, ...], params: dict[str, Any] | None
    ) -> tuple[int | None, ...]:
        """Both sides more."""
        sides = self._sides(len(size))
        return tuple(None if n is None else n + before + after for n, (before, after) in zip(size, sides))

    def start(self, params: dict[str, Any], spec: ArraySpec) -> tuple[int, ...]:
        """As many pixels before the first as are added there."""
        return tuple(-before for before, _ in self._sides(len(spec.size)))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.pad`."""
        more: dict[str, Any] = {"constant_values": self.cval} if self.mode == "constant" else {}
        return np.pad(image, self._sides(image.ndim), NUMPY_MODES[self.mode], **more)  # type: ignore[call-overload]
