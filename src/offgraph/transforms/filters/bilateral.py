"""Smooth within edges."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any, Literal

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import PositiveNumber, PositiveRange, WholeNumber
from offgraph.steps.values import KnownRange, as_dtype, held_range

__all__ = ["Bilateral"]

WindowSide = Annotated[int, WholeNumber(3, 31)]
"""Pixels of the side of a window."""
_PAD: dict[str, Any] = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "grid-wrap": "wrap"}


@step
class Bilateral(KnownRange, FilterStep):
    """Smooth areas and keep edges: a mean of the neighbours whose values are alike; the dtype stays.

    A filter step: neighbours weigh ``exp(-d**2 / (2 sigma**2)) * exp(-v**2 / (2 sigma_value**2))``, d the distance in pixels and v
    the difference of values in shares of the range, within a disk of diameter `size`, as OpenCV has it. Each channel is filtered by
    itself, where OpenCV takes the distance of colours. Exactness: sums in float64 by NumPy, offset after offset in C order; integers are rounded half to even.

    Parameters
    ----------
    size : int
        Diameter of the disk, an odd number from 3 to 31; in volumes of a ball.
    sigma : float or (low, high)
        Of the distance in pixels, above 0.
    sigma_value : float or (low, high)
        Of the difference of values in shares of the range, above 0: 0.1 is 25.5 grey levels of uint8.
    mode : str
        SciPy's name for what lies beyond the border: 'reflect', 'mirror', 'nearest' or 'grid-wrap'.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> edge = np.array([[0, 9, 0, 200, 209, 200]] * 3, np.uint8)
    >>> og.Compose([og.Bilateral(3, sigma=2, sigma_value=0.05)])(image=edge).image[1].tolist()
    [1, 6, 2, 202, 206, 201]
    """

    size: WindowSide = 5
    sigma: PositiveRange = 2.0
    sigma_value: PositiveRange = 0.1
    mode: Literal["reflect", "mirror", "nearest", "grid-wrap"] = "reflect"
    range: PositiveNumber | None = None

    def __post_init__(self) -> None:
        if self.size % 2 == 0:
            raise ValueError(f"size={self.size}: expected an odd number, so that the window has a middle")

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """The square around the disk."""
        return float(self.size) ** len(spec.size)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Weigh the image shifted by each offset of the window."""
        if 0 in image.shape:
            return image.copy()
        top, reach = held_range(image.dtype.name, self.range), self.size // 2
        values = image.astype(np.float64)
        padded = np.pad(values, reach, _PAD[self.mode])
        sums, weights = np.zeros(image.shape), np.zeros(image.shape)
        for offset in product(range(-reach, reach + 1), repeat=image.ndim):
            if sum(k * k for k in offset) > reach * reach:
                continue
            part = padded[tuple(slice(reach + k, reach + k + n) for k, n in zip(offset, image.shape))]
            distance = sum(k * k for k in offset) / (2 * params["sigma"] ** 2)
            unlike = ((part - values) / (top * params["sigma_value"])) ** 2 / 2
            weight = np.exp(-(distance + unlike))
            sums += weight * part
            weights += weight
        return as_dtype(sums / weights, image.dtype, None if image.dtype.kind == "f" else top)
