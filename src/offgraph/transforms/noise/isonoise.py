"""Noise of a camera in little light."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import has_levels, normal_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.declaration import step
from offgraph.steps.parameters import NaturalRange, PositiveNumber
from offgraph.steps.values import KnownRange, as_dtype, held_range, working_dtype
from offgraph.transforms.noise._normal import normal
from offgraph.transforms.noise._random_pixels import SeededStep

__all__ = ["ISONoise"]


@step
class ISONoise(KnownRange, SeededStep):
    """Add the noise of a camera at a high ISO setting, in brightness and in colour; the dtype stays.

    A noise step: to all channels ``intensity * sqrt(luma * range) * z`` is added, as photons make it, and to each
    ``color_shift * range * (c - mean(c))``, where z and the c of each channel are of the standard normal distribution and
    `mean` is that of the three, so that colour noise is not brightness. Values are limited to 0 to `range`, before and after;
    the luma is ``0.299 R + 0.587 G + 0.114 B``. Exactness: these expressions by NumPy in float32, in float64 for images of
    float64 and of more than 16 bits; integers are rounded half to even. A record holds a seed, which gives the same noise
    anywhere.

    Parameters
    ----------
    color_shift : float or (low, high)
        Strength of the colour noise in shares of the range, at least 0.
    intensity : float or (low, high)
        Standard deviation of white's brightness noise in shares of the range, at least 0; a grey of a quarter has half of it.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> dark = np.full((200, 200, 3), 60, np.uint8)
    >>> out = og.Compose([og.ISONoise(0.0, intensity=0.1)])(image=dark, key=og.Key(seed=1)).image
    >>> bool(abs(out[..., 0].std() - 0.1 * (60 * 255) ** 0.5) < 0.2), bool((out == out[..., :1]).all())
    (True, True)
    """

    version: ClassVar[int] = 2
    needs_rgb = True

    color_shift: NaturalRange = (0.01, 0.05)
    intensity: NaturalRange = (0.02, 0.1)
    range: PositiveNumber | None = None

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """One pass."""
        if not has_levels(spec.dtype):
            return None
        top = held_range(spec.dtype, self.range)
        values = (params["color_shift"] * top, params["intensity"], top)
        return normal_op(params["seed"], frame, "sensor", values, top=top)

    def compiled(self) -> CompiledStep:
        """Two settings."""
        numbers = ("sensor", self.color_shift, self.intensity, True, True)
        return compiled_values("noise", *numbers, range=self.range)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """The sum of three expressions."""
        top, number = held_range(image.dtype.name, self.range), working_dtype(image.dtype)
        values = np.clip(image.astype(number), 0, top)
        brightness, *colours = (
            normal(params["seed"], channel, image.shape[:-1], plane) for plane in (0, 1, 2, 3)
        )
        mean = (colours[0] + colours[1] + colours[2]) / 3
        red, green, blue = (values[..., place] for place in (0, 1, 2))
        luma = red * number(0.299) + green * number(0.587) + blue * number(0.114)
        both = np.sqrt(luma * number(top)) * number(params["intensity"]) * brightness
        shift = number(params["color_shift"] * top)
        for place, colour in enumerate(colours):
            values[..., place] += both + (colour - mean) * shift
        return as_dtype(values, image.dtype, top)
