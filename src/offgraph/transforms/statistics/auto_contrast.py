"""Stretch values to the whole range."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.engine.lookup import lookup
from offgraph.engine.values import histogram
from offgraph.steps.declaration import step
from offgraph.steps.kinds import StatisticsStep
from offgraph.steps.parameters import NaturalRange, PositiveNumber
from offgraph.steps.values import KnownRange, held_range

__all__ = ["AutoContrast"]


@step
class AutoContrast(KnownRange, StatisticsStep):
    """Stretch the values of each channel so that the darkest becomes 0 and the brightest white; the dtype stays.

    A statistics step: ``(value - low) * range / (high - low)``, limited to 0 to `range`, where `low` and `high` are the
    smallest and largest values that are left without `cutoff` percent of the pixels at either end. A channel of one value
    stays as it is, but for the limits. Exactness: float64 by NumPy, for integers cut off, not rounded; for uint8 the bytes of
    Pillow's `ImageOps.autocontrast`.

    Parameters
    ----------
    cutoff : float or (low, high)
        Percent of the pixels that are left out at each end, from 0 to below 50; of a pair each image draws its own.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.AutoContrast()])(image=np.array([[50, 100, 150]], np.uint8)).image
    array([[  0, 127, 255]], dtype=uint8)
    """

    cutoff: NaturalRange = 0.0
    range: PositiveNumber | None = None

    def __post_init__(self) -> None:
        if np.max(self.cutoff) >= 50:
            raise ValueError(f"cutoff={self.cutoff}: expected percent at each end, below 50")

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """Count, and look up."""
        if not (image.dtype.kind == "u" and image.dtype.itemsize <= 2 and image.size):
            return None
        top, pixels = held_range(image.dtype.name, self.range), image.size // image.shape[-1]
        cut = int(pixels * params["cutoff"] // 100)
        return lookup(
            image, np.stack([_table(counts, pixels, cut, top, image.dtype) for counts in histogram(image)])
        )

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Pillow's formula, channel by channel; of 8- and 16-bit images for every level, which is then looked up."""
        top = held_range(image.dtype.name, self.range)
        out = np.empty_like(image)
        for place in range(image.shape[-1]):
            plane = np.ascontiguousarray(image[..., place])
            cut = int(plane.size * params["cutoff"] // 100)
            if image.dtype.kind == "u" and image.dtype.itemsize <= 2:
                counts = np.bincount(plane.ravel(), minlength=np.iinfo(image.dtype).max + 1)
                out[..., place] = _table(counts, plane.size, cut, top, image.dtype)[plane]
                continue
            values = plane.astype(np.float64)
            ends = np.partition(values, (cut, values.size - 1 - cut), axis=None)
            values = _stretched(values, ends[cut], ends[values.size - 1 - cut], top)
            out[..., place] = np.trunc(values) if image.dtype.kind in "ui" else values
        return out


def _table(counts: np.ndarray, pixels: int, cut: int, top: float, dtype: np.dtype[Any]) -> np.ndarray:
    """What becomes of each level that occurs so often."""
    levels = np.arange(len(counts), dtype=np.float64)
    # Of all pixels in order, the one with `cut` before it and the one with `cut` after it.
    low, high = levels[np.searchsorted(np.cumsum(counts), (cut, pixels - 1 - cut), side="right")]
    return np.trunc(_stretched(levels, low, high, top)).astype(dtype)


def _stretched(values: np.ndarray, low: float, high: float, top: float) -> np.ndarray:
    """What becomes of values whose ends are to be 0 and `top`."""
    values = np.clip(values, 0, top)
    low, high = min(max(float(low), 0.0), top), min(max(float(high), 0.0), top)
    if high > low:
        scale = top / (high - low)
        values = np.clip(values * scale + -low * scale, 0, top)
    return values
