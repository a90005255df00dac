"""Multiply values by random numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from offgraph.core.specs import ArraySpec, SpecT
from offgraph.engine.image_ops import has_levels, normal_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.declaration import step
from offgraph.steps.parameters import NaturalRange, PositiveNumber
from offgraph.steps.values import as_dtype, held_range, working_dtype
from offgraph.transforms.noise._normal import normal
from offgraph.transforms.noise._random_pixels import SeededStep

__all__ = ["Speckle"]


@step
class Speckle(SeededStep):
    """Multiply every value by normally distributed noise about 1, as of radar and ultrasound; the dtype stays.

    A noise step: ``value + value * sigma * z`` with z of the standard normal distribution, limited to 0 to `range` unless
    `clip` says otherwise. Exactness: this expression by NumPy in float32, in float64 for images of float64 and of more than 16
    bits; integers are rounded half to even. A record holds a seed, which gives the same noise anywhere.

    Parameters
    ----------
    sigma : float or (low, high)
        Standard deviation of the factors, at least 0.
    per_channel : bool
        Whether each channel has noise of its own, or all the same.
    clip : bool
        Whether floats are limited to 0 to `range`; whole numbers always are.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> noisy = og.Compose([og.Speckle(0.1)])(image=np.full((200, 200), 100, np.uint8), key=og.Key(seed=1)).image
    >>> bool(abs(noisy.std() - 10) < 0.2)
    True
    """

    version: ClassVar[int] = 2

    sigma: NaturalRange
    per_channel: bool = True
    clip: bool = True
    range: PositiveNumber | None = None

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; the range must be known, and fit the dtype."""
        self._limit(spec.dtype)
        return spec

    def _limit(self, dtype: str) -> float | None:
        """The largest value of a result."""
        return held_range(dtype, self.range) if self.clip or np.dtype(dtype).kind != "f" else None

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """One pass."""
        if not has_levels(spec.dtype):
            return None
        return normal_op(
            params["seed"], frame, "multiply", (params["sigma"],), per_channel=self.per_channel,
            top=self._limit(spec.dtype),
        )  # fmt: skip

    def compiled(self) -> CompiledStep:
        """One setting; the second is not used."""
        numbers = ("multiply", self.sigma, 0.0, self.per_channel, self.clip)
        return compiled_values("noise", *numbers, range=self.range)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One NumPy expression."""
        number = working_dtype(image.dtype)
        shape = image.shape if self.per_channel else (*image.shape[:-1], 1)
        values = image.astype(number)
        values = values + values * (normal(params["seed"], channel, shape) * number(params["sigma"]))
        return as_dtype(values, image.dtype, self._limit(image.dtype.name))
