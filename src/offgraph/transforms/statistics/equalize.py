"""Spread grey levels so that each is as frequent as the others."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from offgraph.core.specs import SpecT
from offgraph.engine.lookup import lookup
from offgraph.engine.values import histogram
from offgraph.steps.declaration import step
from offgraph.steps.kinds import StatisticsStep
from offgraph.steps.parameters import PositiveNumber
from offgraph.steps.values import check_levels, held_range

__all__ = ["Equalize"]


@step
class Equalize(StatisticsStep):
    """Equalize the histogram of each channel, so that every grey level is about as frequent; the dtype stays.

    A statistics step, for uint8 and uint16: a value v becomes ``(step // 2 + below) // step``, where `below` is the number of
    pixels with values less than v and `step` the number of pixels, but for those of the highest value, over `range`. An image
    of too few pixels or one value stays as it is. Exactness: whole numbers, for uint8 the bytes of Pillow's
    `ImageOps.equalize`; with ``like="opencv"`` those of OpenCV's `equalizeHist`, a product of float32 rounded half to even.

    Parameters
    ----------
    range : float, optional
        The value of white, a whole number. By default the largest of the dtype; a 12-bit image stored in uint16 says
        ``range=4095``. Values above it are limited to it.
    like : {"opencv"}, optional
        Count as OpenCV does: v becomes the share of pixels with values from the second lowest up to v among all but those of
        the lowest, times `range`. So the lowest value becomes 0 and the highest `range`.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> dark = np.repeat(np.arange(50, 60, dtype=np.uint8), 52).reshape(20, 26)
    >>> og.Compose([og.Equalize()])(image=dark).image.max()
    np.uint8(255)
    """

    later: ClassVar[tuple[str, ...]] = ("like",)

    range: PositiveNumber | None = None
    like: Literal["opencv"] | None = Field(default=None, kw_only=True)

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; whole numbers of 8 or 16 bits."""
        check_levels(spec, self.range)
        return spec

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """Count, and look up."""
        if not image.size:
            return None
        top = int(held_range(image.dtype.name, self.range))
        counts = histogram(image)
        table = np.empty(counts.shape, image.dtype)
        for row, count in zip(table, counts):
            count[top] += count[top + 1 :].sum()
            row[: top + 1] = self._levels(count[: top + 1], top)
            row[top + 1 :] = row[top]
        return lookup(image, table)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """The library's formula, channel by channel."""
        top = int(held_range(image.dtype.name, self.range))
        limited = np.minimum(image, image.dtype.type(top))
        out = np.empty_like(image)
        for place in range(image.shape[-1]):
            counts = np.bincount(limited[..., place].ravel(), minlength=top + 1)
            out[..., place] = self._levels(counts, top).astype(image.dtype)[limited[..., place]]
        return out

    def _levels(self, counts: np.ndarray, top: int) -> np.ndarray:
        """What becomes of each level that occurs so often."""
        return (_levels_of_pillow if self.like is None else _levels_of_opencv)(counts, top)


def _levels_of_pillow(counts: np.ndarray, top: int) -> np.ndarray:
    step = (counts.sum() - counts[counts.nonzero()[0][-1]]) // top
    if not step:
        return np.arange(top + 1)
    return np.minimum((step // 2 + np.cumsum(counts) - counts) // step, top)


def _levels_of_opencv(counts: np.ndarray, top: int) -> np.ndarray:
    lowest = counts.nonzero()[0][0]
    others = counts.sum() - counts[lowest]
    if not others:
        return np.arange(top + 1)
    up_to = np.maximum(np.cumsum(counts) - counts[lowest], 0).astype(np.float32)
    return np.minimum(np.rint(up_to * (np.float32(top) / np.float32(others))), top)
