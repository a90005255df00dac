"""Vary brightness smoothly over the image."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, SpecT
from offgraph.engine.values import multiply_pixels, takes_levels
from offgraph.steps.declaration import step
from offgraph.steps.kinds import NoiseStep
from offgraph.steps.parameters import NaturalRange, Order, PositiveNumber
from offgraph.steps.values import as_dtype, held_range

__all__ = ["BiasField"]


@step
class BiasField(NoiseStep):
    """Multiply values by a smooth field, as the coils of MRI and uneven light do; the dtype stays.

    A noise step: the field is the exponential of a polynomial of the coordinates, which reach from -1 to 1 along each spatial
    axis, with a coefficient for every product of powers whose exponents sum to at most `order` (Van Leemput et al. 1999).
    Integers are limited to 0 to `range`, floats are not. Exactness: float64 by NumPy, integers rounded half to even; a
    machine's exponentials may differ in the last bit.

    Parameters
    ----------
    coefficients : float or (low, high)
        How strong: each coefficient is drawn evenly from minus this number to it. At least 0; 0.5 is strong.
    order : int
        Degree of the polynomial, from 0 to 5: the higher, the more the field varies.
    range : float, optional
        The value of white. By default the largest of an unsigned dtype, 255 for uint8; a 12-bit image stored in uint16 says
        ``range=4095``. A signed image must say its range, a float image has no need to.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> out = og.Compose([og.BiasField(0.2)])(image=np.full((9, 9), 100, np.uint8), key=og.Key(seed=1)).image
    >>> bool(out.min() < 90 and out.max() > 110)
    True
    """

    coefficients: NaturalRange = 0.5
    order: Order = 3
    range: PositiveNumber | None = None

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; of integers the range must be known, and fit the dtype."""
        self._limit(spec.dtype)
        return spec

    def _limit(self, dtype: str) -> float | None:
        """The largest value of a result."""
        return held_range(dtype, self.range) if np.dtype(dtype).kind != "f" else None

    def _powers(self, axes: int) -> list[tuple[int, ...]]:
        """Exponents of the coordinates, of all terms."""
        exponents = range(self.order + 1)
        return [powers for powers in product(exponents, repeat=axes) if sum(powers) <= self.order]

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the strength, then a coefficient for each term."""
        strength = draw.value(self.coefficients)
        return {"coefficients": [draw.uniform(-strength, strength) for _ in self._powers(len(spec.size))]}

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """The field by NumPy, the products by the core."""
        if not takes_levels(image):
            return None
        field = self._field(image.shape[:-1], params["coefficients"])
        return multiply_pixels(image, field, self._limit(image.dtype.name))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One product for each value."""
        field = self._field(image.shape[:-1], params["coefficients"])
        values = image.astype(np.float64) * field[..., np.newaxis]
        return as_dtype(values, image.dtype, self._limit(image.dtype.name))

    def _field(self, size: tuple[int, ...], coefficients: list[float]) -> np.ndarray:
        """The exponential of the polynomial: by Horner's rule along the last axis, term by term along the others."""
        *others, last = np.meshgrid(*(np.linspace(-1, 1, n) for n in size), indexing="ij", sparse=True)
        exponent = np.zeros(size)
        for power in range(self.order, -1, -1):
            part: Any = 0.0
            for factor, powers in zip(coefficients, self._powers(len(size))):
                if powers[-1] == power:
                    term: Any = factor
                    for place, own in zip(others, powers):
                        term = term * place**own
                    part = part + term
            exponent *= last
            exponent += part
        return np.exp(exponent, out=exponent)
