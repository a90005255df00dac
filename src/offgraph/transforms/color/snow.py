"""Turn dark ground white."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import has_levels, recolor_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ColorStep
from offgraph.steps.parameters import NaturalRange, PositiveNumber, ShareRange
from offgraph.steps.values import KnownRange, as_dtype, held_range, working_dtype
from offgraph.transforms.color._hsv import blocks

__all__ = ["Snow"]

_RGB = 3


@step
class Snow(KnownRange, ColorStep):
    """Brighten what is dark, as fresh snow does: hue and saturation of HLS stay; the dtype stays.

    A color step: where the lightness of a pixel, the mean of its largest and its smallest channel, is below `threshold`, it is
    multiplied by `factor` and limited to white; its colours keep their hue and their saturation in HLS. Values are limited to 0 to
    `range`. Exactness: these formulas by NumPy in float32, in float64 for images of float64 and of more than 16 bits; integers are
    rounded once, half to even.

    Parameters
    ----------
    threshold : float or (low, high)
        A lightness from 0, black, to 1, white.
    factor : float or (low, high)
        Of at least 0; 1 leaves the image as it is.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> ground = np.array([[[60, 40, 20], [200, 200, 210]]], np.uint8)
    >>> og.Compose([og.Snow(0.4, factor=2.5)])(image=ground).image.tolist()
    [[[150, 100, 50], [200, 200, 210]]]
    """

    threshold: ShareRange = (0.35, 0.5)
    factor: NaturalRange = (1.5, 2.5)
    range: PositiveNumber | None = None

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """One pass over red, green and blue."""
        if not has_levels(spec.dtype) or "C" not in spec.axes or spec.shape[-1] != _RGB:
            return None
        threshold, factor = (float(np.float32(params[name])) for name in ("threshold", "factor"))
        return recolor_op([("lightness", threshold, factor)], held_range(spec.dtype, self.range))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Distances from the lightness, multiplied by how much wider HLS is at the new one."""
        top, number = held_range(image.dtype.name, self.range), working_dtype(image.dtype)
        pixels, out = (
            image.reshape(-1, image.shape[-1]),
            np.empty((image.size // image.shape[-1], image.shape[-1]), image.dtype),
        )
        for part in blocks(len(pixels)):
            values = np.clip(pixels[part].astype(number), 0, top)
            planes = [values[:, channel] for channel in range(values.shape[1])]
            light = (functools.reduce(np.maximum, planes) + functools.reduce(np.minimum, planes)) / number(
                2 * top
            )
            dark = np.flatnonzero(light < number(params["threshold"]))
            before = light[dark]
            after = np.minimum(before * number(params["factor"]), number(1))
            width, wider = (1 - np.abs(2 * each - 1) for each in (before, after))
            stretch = wider / np.where(width > 0, width, 1)
            for plane in planes:
                plane[dark] = after * number(top) + (plane[dark] - before * number(top)) * stretch
            out[part] = as_dtype(values, image.dtype, top)
        return out.reshape(image.shape)
