"""Count photons."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from offgraph.engine.values import count_photons, takes_levels
from offgraph.steps.declaration import step
from offgraph.steps.parameters import PositiveNumber, PositiveRange
from offgraph.steps.values import KnownRange, as_dtype, held_range
from offgraph.transforms.noise._poisson import poisson
from offgraph.transforms.noise._random_pixels import SeededStep, quantiles, words

__all__ = ["PoissonNoise"]


@step
class PoissonNoise(KnownRange, SeededStep):
    """Replace every value by a count of photons about it: shot noise, strongest where there is little light; the dtype stays.

    A noise step: ``n * range / peak`` with n of the Poisson distribution of mean ``value * peak / range``; values are limited to
    0 to `range` before and after. A number comes from 32 random bits: below a mean of 16 photons by inversion of the
    distribution function, from there on by Cornish and Fisher's expansion of its inverse, whose distribution function is
    within 0.0007. Exactness: these expressions by NumPy in float64, for integers rounded half to even. A record holds a
    seed, which gives the same noise anywhere, but for the last bits of a machine's exponentials.

    Parameters
    ----------
    peak : float or (low, high)
        Photons of a white pixel, above 0 and at most 1e9: 30 is a dark room, 10,000 leaves nearly no noise.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> noisy = og.Compose([og.PoissonNoise(51)])(image=np.full((200, 200), 100, np.uint8), key=og.Key(seed=1)).image
    >>> bool(abs(noisy.std() - (100 * 255 / 51) ** 0.5) < 0.5)
    True
    """

    version: ClassVar[int] = 2

    peak: PositiveRange
    range: PositiveNumber | None = None

    def __post_init__(self) -> None:
        if np.max(self.peak) > 1e9:
            raise ValueError(f"peak={self.peak}: expected at most 1e9 photons, which leave no noise")

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """One pass; of bytes with a table for each level."""
        if not takes_levels(image):
            return None
        top, photons, means = self._means(image, params)
        return count_photons(image, means, np.exp(-means), photons, top, quantiles(), params["seed"], channel)

    def _means(self, image: np.ndarray, params: dict[str, Any]) -> tuple[float, float, np.ndarray]:
        """White, photons per unit, and mean numbers: of every byte, or of every value."""
        top = held_range(image.dtype.name, self.range)
        photons = params["peak"] / top
        values = np.arange(256.0) if image.dtype == np.uint8 else image.astype(np.float64)
        return top, photons, np.clip(values, 0, top) * photons

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Inversion, or the expansion, value by value."""
        top, photons, means = self._means(image, params)
        if image.dtype == np.uint8:
            means = means[image]
        counts = poisson(means, words(params["seed"], channel, image.shape, 32))
        return as_dtype(counts / photons, image.dtype, top)
