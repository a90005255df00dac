"""Turn hues, make colours paler or stronger."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import Change, has_levels, recolor_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.base import varies
from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ColorStep
from offgraph.steps.parameters import NaturalRange, NumberOrRange, PositiveNumber, Range
from offgraph.steps.values import KnownRange, as_dtype, held_range, working_dtype
from offgraph.transforms.color._hsv import blocks, hexcone, of_hexcone

__all__ = ["HueSaturation"]

ShiftRange = Annotated[float | tuple[float, float], NumberOrRange(at_least=-1, at_most=1)]


@step
class HueSaturation(KnownRange, ColorStep):
    """Turn the hue, and multiply or shift saturation and value of HSV; the dtype stays.

    A color step: of hue, saturation and value of each pixel (HSV) the hue is turned, saturation and value are multiplied, shifted
    and limited to 0 to 1; greys stay grey. Values are limited to 0 to `range` first. Exactness: the bytes of these formulas by NumPy in float32, in
    float64 for images of float64 and of more than 16 bits; whole numbers are rounded once, at the end, half to even.

    Parameters
    ----------
    hue : float or (low, high)
        In degrees: 120 makes red green, green blue and blue red.
    saturation : float or (low, high)
        Factor of at least 0: 0 leaves greys, 1 the image as it is.
    value : float or (low, high)
        Factor of at least 0 of the brightest channel, and with it of the others: 0 makes the image black.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.
    saturation_shift : float or (low, high)
        Added to the saturation, -1 to 1; 0.1 makes pale colours stronger, and leaves greys as they are.
    value_shift : float or (low, high)
        Added to the value, in shares of the range, -1 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> pale = np.array([[[200, 150, 150]]], np.uint8)
    >>> og.Compose([og.HueSaturation(120, saturation=2)])(image=pale).image
    array([[[100, 200, 100]]], dtype=uint8)
    """

    needs_rgb = True

    later: ClassVar[tuple[str, ...]] = ("saturation_shift", "value_shift")

    hue: Range = 0.0
    saturation: NaturalRange = 1.0
    value: NaturalRange = 1.0
    range: PositiveNumber | None = None
    saturation_shift: ShiftRange = 0.0
    value_shift: ShiftRange = 0.0

    @property
    def varies(self) -> bool:
        """Where a parameter is a range."""
        return any(varies(getattr(self, name)) for name in ("hue", "saturation", "value", *self.later))

    def hints(self) -> list[str]:
        """Shares of a turn."""
        ends = self.hue if isinstance(self.hue, tuple) else (self.hue,)
        return (
            [f"hue={self.hue} is in degrees: 0.1 of a turn is 36"] if 0 < max(map(abs, ends)) <= 0.5 else []
        )

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw a value for every range; a shift of 0 has no part in the record, as before there were shifts."""
        params = super().sample(draw, spec)
        return {
            name: value
            for name, value in params.items()
            if name not in self.later or getattr(self, name) != 0
        }

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """One pass."""
        if not has_levels(spec.dtype):
            return None
        hue, saturation, value = (np.float32(params[name]) for name in ("hue", "saturation", "value"))
        top = held_range(spec.dtype, self.range)
        paler = float(np.float32(params.get("saturation_shift", 0.0)))
        darker = float(np.float32(params.get("value_shift", 0.0) * top))
        change: Change = ("hsv", float(hue / 60), float(saturation), float(value), paler, darker)
        return recolor_op([change], top)

    def compiled(self) -> CompiledStep | None:
        """Five settings."""
        settings = (self.hue, self.saturation, self.value, self.saturation_shift, self.value_shift)
        return compiled_values("hsv", *settings, range=self.range)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """HSV and back, with chroma = saturation * value."""
        top = held_range(image.dtype.name, self.range)
        number = working_dtype(image.dtype)
        paler, darker = (
            number(params.get("saturation_shift", 0.0)),
            number(params.get("value_shift", 0.0) * top),
        )
        pixels, out = image.reshape(-1, 3), np.empty((image.size // 3, 3), image.dtype)
        for part in blocks(len(pixels)):
            hue, chroma, value = hexcone(np.clip(pixels[part].astype(number), 0, top))
            brighter = np.clip(value * number(params["value"]) + darker, number(0), number(top))
            saturation = chroma / np.where(value > 0, value, 1) * number(params["saturation"])
            saturation += np.where(chroma > 0, paler, number(0))
            stronger = np.clip(saturation, number(0), number(1)) * brighter
            turned = hue + number(params["hue"]) / 60
            out[part] = as_dtype(of_hexcone(turned, stronger, brighter), image.dtype, top)
        return out.reshape(image.shape)
