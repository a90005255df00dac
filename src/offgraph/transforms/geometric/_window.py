"""What crops and pads share: a window of the image's own pixels, which may reach beyond its border."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic.dataclasses import dataclass as pydantic_dataclass

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.resampling import Resampling
from offgraph.steps.base import CONFIG
from offgraph.steps.kinds import GeometricStep, resampling_rule
from offgraph.steps.parameters import Number, Whole

__all__ = [
    "NUMPY_MODES",
    "CropStep",
    "DrawnCrop",
    "Position",
    "WindowStep",
    "crop_size",
    "open_crop_size",
    "placed",
    "reference_window",
    "whole_pixels",
]

Size = int | str | tuple[int | str, ...]
"""Lengths of a crop: pixels, or shares such as ``"80%"``; one for all axes, or one per axis."""

Position = Literal["centre", "start", "end", "random"]
"""Where something lies on an axis that is longer."""

NUMPY_MODES = {
    "constant": "constant",
    "nearest": "edge",
    "reflect": "symmetric",
    "mirror": "reflect",
    "grid-wrap": "wrap",
}
"""What `numpy.pad` calls SciPy's modes; its "reflect" is SciPy's 'mirror'."""


@pydantic_dataclass(frozen=True, kw_only=True, repr=False, config=CONFIG)
class WindowStep(GeometricStep):
    """A geometric step that takes whole pixels from a window, exact in bytes.

    Parameters
    ----------
    mode : str
        SciPy's name for what lies beyond the border: 'constant' (`cval`), 'nearest' (a a | a b c d | d d),
        'reflect' (b a | a b c d | d c), 'mirror' (c b | a b c d | c b) or 'grid-wrap' (c d | a b c d | a b).
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.
    mask_cval : int
        Label beyond the border in mode 'constant'.
    """

    mode: Literal["constant", "nearest", "reflect", "mirror", "grid-wrap"] = "constant"
    cval: Number = 0.0
    mask_cval: Whole = 0

    def start(self, params: dict[str, Any], spec: ArraySpec) -> tuple[int, ...]:
        """First pixel of the window on every spatial axis; below zero it begins before the image."""
        raise NotImplementedError

    def map(self, params: dict[str, Any], spec: ArraySpec) -> GridMap:
        """Shift by whole pixels."""
        size = self.output_size(spec.size, params)
        return GridMap.crop(self.start(params, spec), size, spec.size)

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """What lies beyond the border; nothing lies between pixels."""
        return resampling_rule(0, self.mode, self.cval, self.mask_cval)


class CropStep(WindowStep):
    """A window of a given `size`; with `pad` it may be larger than the image."""

    if TYPE_CHECKING:  # each class declares them, in their places among its parameters
        size: Size
        pad: bool

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """The given size."""
        return crop_size(self.size, size, pad=self.pad)

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The given size, as far as shares of the image are known."""
        return open_crop_size(self.size, size, pad=self.pad)


class DrawnCrop(CropStep):
    """A window whose first pixel is drawn, as `start`."""

    def start(self, params: dict[str, Any], spec: ArraySpec) -> tuple[int, ...]:
        """What was drawn."""
        return tuple(params["start"])

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """A slice, after `numpy.pad` where the image is smaller."""
        size = crop_size(self.size, image.shape, pad=self.pad)
        return reference_window(image, params["start"], size, self.mode, self.cval)


@functools.lru_cache(maxsize=256)
def crop_size(size: Size, have: tuple[int, ...], *, pad: bool) -> tuple[int, ...]:
    """Return the size of a crop that fits its image, in pixels.

    Raises
    ------
    ValueError
        Naming both sizes, where the crop is larger and `pad` is off.
    """
    wanted = tuple(whole_pixels(want, n, at_least=1) for want, n in zip(_per_axis(size, have), have))
    if not pad and any(want > n for want, n in zip(wanted, have)):
        raise _too_large(size, have)
    return wanted


def open_crop_size(size: Size, have: tuple[int | None, ...], *, pad: bool) -> tuple[int | None, ...]:
    """Return the size of a crop as far as that of its image is known; refuses what `crop_size` would."""
    wanted = tuple(
        want if isinstance(want, int) else None if n is None else whole_pixels(want, n, at_least=1)
        for want, n in zip(_per_axis(size, have), have)
    )
    if not pad and any(n is not None and want is not None and want > n for want, n in zip(wanted, have)):
        raise _too_large(size, have)
    return wanted


def _per_axis(size: Size, have: tuple[int | None, ...]) -> tuple[int | str, ...]:
    lengths = (size,) * len(have) if isinstance(size, int | str) else size
    if len(lengths) != len(have):
        raise ValueError(f"size={lengths} has {len(lengths)} lengths, the image has {len(have)} spatial axes")
    return lengths


def _too_large(size: Size, have: tuple[int | None, ...]) -> ValueError:
    lengths = (size,) * len(have) if isinstance(size, int | str) else size
    return ValueError(
        f"size={lengths} is larger than the image of {have}; write pad=True to add what is missing, "
        "or put Resize before it"
    )


def placed(position: Position, free: int, draw: Draw) -> int:
    """Return how many of the free pixels of an axis come first: of an odd number in the middle the smaller half."""
    if position == "random":
        return draw.integer(0, free)
    return {"start": 0, "centre": free // 2, "end": free}[position]


def whole_pixels(length: int | str, n: int, *, at_least: int = 0) -> int:
    """Return a length in pixels; a share of an axis of `n` is rounded, half up."""
    if isinstance(length, int):
        return length
    # 9.2 % of 375 is 34.5: in float64 it is less, and the half would go down.
    return max(at_least, math.floor(Fraction(length[:-1]) * n / 100 + Fraction(1, 2)))


def reference_window(
    image: np.ndarray, start: Sequence[int], size: Sequence[int], mode: str, cval: float
) -> np.ndarray:
    """`numpy.pad` by what is missing on each side, then one slice."""
    before = [max(-first, 0) for first in start]
    after = [max(first + length - n, 0) for first, length, n in zip(start, size, image.shape)]
    more: dict[str, Any] = {"constant_values": cval} if mode == "constant" else {}
    padded = np.pad(image, list(zip(before, after)), NUMPY_MODES[mode], **more)  # type: ignore[call-overload]
    return padded[tuple(slice(max(first, 0), max(first, 0) + length) for first, length in zip(start, size))]
