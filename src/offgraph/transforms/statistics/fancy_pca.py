"""Shift colours along those that the image has."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.distributions import Normal
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.base import drawn
from offgraph.steps.declaration import step
from offgraph.steps.kinds import StatisticsStep
from offgraph.steps.parameters import NaturalRange, PositiveNumber
from offgraph.steps.values import KnownRange, as_dtype, held_range

__all__ = ["FancyPCA"]

_STANDARD = Normal(0.0, 1.0)


@step
class FancyPCA(KnownRange, StatisticsStep):
    """Shift all colours along the directions in which those of the image vary, by as much as they do; the dtype stays.

    A statistics step, of Krizhevsky, Sutskever and Hinton (2012): to every pixel is added ``sum(a[k] * e[k] * v[k])``, with v the eigenvectors of
    the covariance of red, green and blue of this image in shares of the range, e their eigenvalues from the largest on, and a normal
    numbers that are drawn. The largest component of each v counts as positive. Exactness: NumPy's `linalg.eigh` in float64, limited
    to 0 to `range`, integers rounded half to even; another LAPACK may differ in the last bits before that.

    Parameters
    ----------
    sigma : float or (low, high)
        Standard deviation of the drawn numbers, at least 0; 0.1 in the paper and in Albumentations.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> image = np.array([[[0, 0, 0], [200, 100, 0]]], np.uint8)
    >>> og.Compose([og.FancyPCA(1.0)])(image=image, key=og.Key(seed=3)).image.tolist()
    [[[0, 0, 0], [113, 57, 0]]]
    """

    needs_rgb = True

    sigma: NaturalRange = 0.1
    range: PositiveNumber | None = None

    @property
    def varies(self) -> bool:
        """Always, but with a `sigma` of 0."""
        return self.sigma != 0

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the standard deviation, then a number for each direction."""
        sigma = drawn(draw, self.sigma)
        return {"alphas": [sigma * draw.value(_STANDARD) if sigma else 0.0 for _ in "RGB"]}

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Covariance, eigenvectors, one sum."""
        if image.size == 0:
            return image.copy()
        top = held_range(image.dtype.name, self.range)
        colors = image.reshape(-1, 3).astype(np.float64) / top
        apart = colors - colors.mean(axis=0)
        values, vectors = np.linalg.eigh(apart.T @ apart / len(apart))
        values, vectors = values[::-1], vectors[:, ::-1]  # the largest first
        largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(3)]
        shift = (vectors * np.sign(largest)) @ (np.array(params["alphas"]) * values)
        return as_dtype(image.astype(np.float64) + shift * top, image.dtype, top)
