"""Change brightness, contrast, saturation and hue of colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import MOST_PIXELS, Change, has_levels, recolor_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.base import varies
from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ColorStep
from offgraph.steps.parameters import NaturalRange, PositiveNumber, Range
from offgraph.steps.values import KnownRange, as_dtype, held_range, working_dtype
from offgraph.transforms.color._hsv import blocks, hexcone, luma, of_hexcone

__all__ = ["ColorJitter"]

_PARTS = ("brightness", "contrast", "saturation", "hue")


@step
class ColorJitter(KnownRange, ColorStep):
    """Change brightness, contrast, saturation and hue, in an order drawn for each image; the dtype stays.

    A color step, with torchvision's formulas: brightness multiplies values; contrast multiplies their distances from the mean
    luma of the image, saturation those from the luma of the pixel; hue turns the colour circle (HSV). The luma is
    ``0.299 R + 0.587 G + 0.114 B``, to 2**-24 of the range where it is averaged; after each part values are limited to 0 to `range`. Exactness: the bytes of these
    formulas by NumPy in float32, in float64 for images of float64 and of more than 16 bits; whole numbers are rounded once,
    at the end, half to even.

    Parameters
    ----------
    brightness, contrast, saturation : float or (low, high)
        Factors of at least 0; 1 leaves the image as it is. torchvision's 0.2 is (0.8, 1.2) here.
    hue : float or (low, high)
        In degrees. torchvision's 0.1, a share of a turn, is (-36, 36) here.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> red = np.array([[[200, 0, 0]]], np.uint8)
    >>> og.Compose([og.ColorJitter(hue=120)])(image=red).image
    array([[[  0, 200,   0]]], dtype=uint8)
    """

    needs_rgb = True

    brightness: NaturalRange = 1.0
    contrast: NaturalRange = 1.0
    saturation: NaturalRange = 1.0
    hue: Range = 0.0
    range: PositiveNumber | None = None

    @property
    def varies(self) -> bool:
        """Where a parameter is a range, or the order of several parts is drawn."""
        return any(varies(getattr(self, name)) for name in _PARTS) or len(self._active) > 1

    @property
    def _active(self) -> tuple[str, ...]:
        """The parts that change something."""
        neutral = {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}
        return tuple(name for name in _PARTS if getattr(self, name) != neutral[name])

    def hints(self) -> list[str]:
        """Strengths as torchvision takes them."""
        found = [
            f"{name}={value:g} is a factor, of all images; write {name}=({max(1 - value, 0):g}, {1 + value:g}) for "
            f"torchvision's {name}={value:g}"
            for name in _PARTS[:3]
            if isinstance(value := getattr(self, name), float) and 0 < value <= 0.5
        ]
        ends = self.hue if isinstance(self.hue, tuple) else (self.hue,)
        if 0 < max(map(abs, ends)) <= 0.5:
            found.append(f"hue={self.hue} is in degrees: 0.1 of a turn is 36")
        return found

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw each value, then the order of the parts: every order as likely."""
        params = super().sample(draw, spec)
        order = list(self._active)
        for last in range(len(order) - 1, 0, -1):
            other = draw.integer(0, last)
            order[last], order[other] = order[other], order[last]
        return {**params, "order": order}

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """All parts in one pass; up to a contrast, whose mean takes one of its own."""
        if not has_levels(spec.dtype) or spec.pixels > MOST_PIXELS:
            return None
        changes: list[Change] = []
        for name in params["order"]:
            amount = np.float32(params[name])
            changes.append((name, float(amount / 60 if name == "hue" else amount)))
        return recolor_op(changes, held_range(spec.dtype, self.range))

    def compiled(self) -> CompiledStep:
        """Four settings, and which of them are put into an order."""
        settings = (self.brightness, self.contrast, self.saturation, self.hue)
        active = tuple(_PARTS.index(name) for name in self._active)
        return compiled_values("jitter", *settings, active, range=self.range)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Torchvision's formulas, one after the other."""
        top = held_range(image.dtype.name, self.range)
        number = working_dtype(image.dtype)
        values = np.clip(image.reshape(-1, 3).astype(number), 0, top)
        for name in params["order"]:
            amount, mean = number(params[name]), number(0)
            if name == "contrast":
                mean = number(_mean(luma(values), top))
            for part in blocks(len(values)):
                values[part] = np.clip(_changed(values[part], name, amount, mean), 0, top)
        return as_dtype(values, image.dtype, top).reshape(image.shape)


def _mean(lumas: np.ndarray, top: float) -> float:
    """The mean; of single precision each value is rounded to 2**-24 of the range first, for the same sum in any order."""
    if lumas.dtype == np.float64:
        return float(lumas.mean())
    return float(np.rint(lumas.astype(np.float64) * (2**24 / top)).sum()) / lumas.size * (top / 2**24)


def _changed(values: np.ndarray, name: str, amount: Any, mean: Any) -> np.ndarray:
    """One part, of pixels in a line."""
    if name == "brightness":
        return values * amount
    if name == "contrast":
        return (values - mean) * amount + mean
    if name == "saturation":
        grey = luma(values)[..., np.newaxis]
        return (values - grey) * amount + grey
    hue, chroma, value = hexcone(values)
    return of_hexcone(hue + amount / 60, chroma, value)
