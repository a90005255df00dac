"""Add pixels around an image."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.steps.compiled import CompiledStep, compiled_lengths
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Padding
from offgraph.transforms.geometric._window import NUMPY_MODES, WindowStep, whole_pixels

__all__ = ["Pad"]


@step
class Pad(WindowStep):
    """Add pixels around an image.

    A geometric step. Exactness: the values of `numpy.pad`, whose names for the modes differ from SciPy's.

    Parameters
    ----------
    padding : int, str, or one entry for each spatial axis
        Pixels on every side; or for each axis pixels on both sides, or (before, after). ``(2, 3)`` adds 2 rows above
        and below and 3 columns left and right. ``"10%"`` is a share of that side of the image, rounded to whole
        pixels, half up.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Pad(((0, 1), 2), mode="nearest")])(image=np.array([[1, 2]], np.uint8)).image
    array([[1, 1, 1, 2, 2, 2],
           [1, 1, 1, 2, 2, 2]], dtype=uint8)
    """

    padding: Padding

    def _sides(self, dimensions: int) -> tuple[tuple[int | str, int | str], ...]:
        """What is added before and after on each axis, as it was given."""
        given = self.padding
        if isinstance(given, int | str):
            given = ((given, given),) * dimensions
        if len(given) != dimensions:
            raise ValueError(f"padding={given} is for {len(given)} axes, the image has {dimensions}")
        return cast("tuple[tuple[int | str, int | str], ...]", given)

    def _pixels(self, size: tuple[int, ...]) -> list[tuple[int, int]]:
        """Pixels before and after on each axis."""
        sides = self._sides(len(size))
        return [(whole_pixels(before, n), whole_pixels(after, n)) for (before, after), n in zip(sides, size)]

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """Both sides more."""
        return tuple(n + before + after for n, (before, after) in zip(size, self._pixels(size)))

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Both sides more, where the length is known."""
        return tuple(
            None if n is None else n + whole_pixels(before, n) + whole_pixels(after, n)
            for n, (before, after) in zip(size, self._sides(len(size)))
        )

    def start(self, params: dict[str, Any], spec: ArraySpec) -> tuple[int, ...]:
        """As many pixels before the first as are added there."""
        return tuple(-before for before, _ in self._pixels(spec.size))

    def compiled(self) -> CompiledStep | None:
        """What is added before and after, for each axis."""
        try:
            sides = [compiled_lengths(side) for side in self._sides(2)]
        except ValueError:
            return None
        return None if None in sides else ("pad", tuple(sides))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.pad`."""
        more: dict[str, Any] = {"constant_values": self.cval} if self.mode == "constant" else {}
        return np.pad(image, self._pixels(image.shape), NUMPY_MODES[self.mode], **more)  # type: ignore[call-overload]
