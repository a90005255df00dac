"""Change the colour of the light."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from offgraph.steps.declaration import step
from offgraph.steps.kinds import PointwiseStep
from offgraph.steps.parameters import PositiveNumber, PositiveRange
from offgraph.steps.values import KnownRange, as_dtype, held_range

__all__ = ["PlanckianJitter"]

_NEUTRAL = 6500.0
"""Kelvin of the light that leaves an image as it is."""


@step
class PlanckianJitter(KnownRange, PointwiseStep):
    """Show an image as in the light of a hot body of some temperature: warm as a bulb, cold as a clear sky; the dtype stays.

    A pointwise step: red and blue are multiplied by factors that depend on the temperature alone, values limited to 0 to
    `range`. The light of a black body (Planck's law) is seen by the CIE 1931 observer, in the approximation of Wyman, Sloan and
    Shirley (2013), and brought to linear sRGB; its ratios to green, over those at 6,500 K and to the power 1 / 2.2, since values
    are gamma-encoded, are the factors. Exactness: these formulas in float64 by NumPy, integers rounded half to even; a
    machine's exponentials may differ in the last bit.

    Parameters
    ----------
    temperature : float or (low, high)
        In kelvin, from 1,500 to 40,000: 2,700 is a light bulb, 6,500 leaves the image as it is, 15,000 is a blue sky.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> grey = np.full((1, 1, 3), 100, np.uint8)
    >>> og.Compose([og.PlanckianJitter(3000)])(image=grey).image.tolist()
    [[[136, 100, 58]]]
    """

    needs_rgb = True

    temperature: PositiveRange = (3000.0, 15000.0)
    range: PositiveNumber | None = None

    def __post_init__(self) -> None:
        if np.min(self.temperature) < 1500 or np.max(self.temperature) > 40_000:
            raise ValueError(f"temperature={self.temperature}: expected kelvin from 1,500 to 40,000")

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One product."""
        top = held_range(image.dtype.name, self.range)
        gain = (_ratios(params["temperature"])[channel] / _ratios(_NEUTRAL)[channel]) ** (1 / 2.2)
        return as_dtype(image.astype(np.float64) * gain, image.dtype, top)


@functools.lru_cache(maxsize=64)
def _ratios(kelvin: float) -> tuple[float, float, float]:
    """Linear sRGB of a black body over its green."""
    wave = np.arange(380.0, 781.0, 5.0)  # nanometres
    light = wave**-5 / np.expm1(1.438776877e7 / (wave * kelvin))

    def lobe(height: float, peak: float, below: float, above: float) -> np.ndarray:
        return height * np.exp(-0.5 * ((wave - peak) / np.where(wave < peak, below, above)) ** 2)

    seen = (
        lobe(1.056, 599.8, 37.9, 31.0) + lobe(0.362, 442.0, 16.0, 26.7) + lobe(-0.065, 501.1, 20.4, 26.2),
        lobe(0.821, 568.8, 46.9, 40.5) + lobe(0.286, 530.9, 16.3, 31.1),
        lobe(1.217, 437.0, 11.8, 36.0) + lobe(0.681, 459.0, 26.0, 13.8),
    )
    x, y, z = (float((light * curve).sum()) for curve in seen)
    red = 3.2406 * x - 1.5372 * y - 0.4986 * z
    green = -0.9689 * x + 1.8758 * y + 0.0415 * z
    blue = 0.0557 * x - 0.2040 * y + 1.0570 * z
    return max(red / green, 0.0), 1.0, max(blue / green, 0.0)
