"""Add random numbers to values."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import has_levels, normal_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.declaration import step
from offgraph.steps.parameters import NaturalRange, PositiveNumber, Range
from offgraph.steps.values import KnownRange, as_dtype, held_range, working_dtype
from offgraph.transforms.noise._normal import normal
from offgraph.transforms.noise._random_pixels import SeededStep

__all__ = ["GaussianNoise"]


@step
class GaussianNoise(KnownRange, SeededStep):
    """Add normally distributed noise to every value; the dtype stays.

    A noise step: ``value + range * (mean + sigma * z)`` with z of the standard normal distribution, limited to 0 to `range`
    unless `clip` says otherwise. Exactness: this expression by NumPy in float32, in float64 for images of float64 and of more
    than 16 bits; integers are rounded half to even. A record holds a seed, which gives the same noise anywhere.

    Parameters
    ----------
    sigma : float or (low, high)
        Standard deviation in shares of the range, at least 0: 0.1 is 25.5 grey levels of uint8.
    mean : float or (low, high)
        In shares of the range.
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
    >>> noisy = og.Compose([og.GaussianNoise(0.1)])(image=np.full((200, 200), 128, np.uint8), key=og.Key(seed=1)).image
    >>> bool(abs(noisy.std() - 25.5) < 0.5)
    True
    """

    version: ClassVar[int] = 2

    sigma: NaturalRange
    mean: Range = 0.0
    per_channel: bool = True
    clip: bool = True
    range: PositiveNumber | None = None

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """One pass."""
        if not has_levels(spec.dtype):
            return None
        top = held_range(spec.dtype, self.range)
        values = (params["sigma"] * top, params["mean"] * top)
        limit = top if self.clip or spec.dtype != "float32" else None
        return normal_op(params["seed"], frame, "add", values, per_channel=self.per_channel, top=limit)

    def compiled(self) -> CompiledStep:
        """Two settings."""
        numbers = ("add", self.sigma, self.mean, self.per_channel, self.clip)
        return compiled_values("noise", *numbers, range=self.range)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One NumPy expression."""
        top, number = held_range(image.dtype.name, self.range), working_dtype(image.dtype)
        shape = image.shape if self.per_channel else (*image.shape[:-1], 1)
        noise = normal(params["seed"], channel, shape) * number(params["sigma"] * top)
        values = image.astype(number) + (noise + number(params["mean"] * top))
        return as_dtype(values, image.dtype, top if self.clip or image.dtype.kind != "f" else None)
