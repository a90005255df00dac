"""Blank channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, SpecT, held_by
from offgraph.engine.lookup import lookup
from offgraph.steps.counts import CountOrRange, drawn_count
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ColorStep
from offgraph.steps.parameters import Number
from offgraph.steps.values import channel_count

__all__ = ["ChannelDrop"]


@step
class ChannelDrop(ColorStep):
    """Fill some channels, drawn for each image, with one value; the dtype stays, and so does the number of channels.

    A color step. Exactness: the other values are copied.

    Parameters
    ----------
    count : int or (low, high)
        How many channels are filled, at least 1, and fewer than the image has.
    fill : float
        In the image's own units; an integer image takes a whole number that its dtype holds.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.ChannelDrop(2)])(image=np.array([[[1, 2, 3]]], np.uint8), key=og.Key(seed=1)).image
    array([[[1, 0, 0]]], dtype=uint8)
    """

    count: CountOrRange = 1
    fill: Number = 0.0

    @property
    def averages(self) -> bool:
        """Never."""
        return False

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; one channel is left at least, and the dtype holds `fill`."""
        most = self.count[1] if isinstance(self.count, tuple) else self.count
        channels = channel_count(spec)
        if channels is not None and most >= channels:
            raise ValueError(
                f"count={most} would fill every channel: the image has {channels} (axes {spec.axes})"
            )
        held_by(np.dtype(spec.dtype), fill=self.fill)
        return spec

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw how many, then which: `channels`, in order."""
        left = list(range(channel_count(spec) or 0))
        chosen = [
            left.pop(draw.integer(0, len(left) - 1)) for _ in range(drawn_count(draw, self.count)) if left
        ]
        return {"channels": sorted(chosen)}

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """Bytes are looked up: their own values, or `fill`."""
        if image.dtype != np.uint8 or not image.size:
            return None
        table = np.tile(np.arange(256, dtype=np.uint8), (image.shape[-1], 1))
        table[params["channels"]] = self.fill
        return lookup(image, table)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One assignment."""
        out = image.copy()
        out[..., params["channels"]] = self.fill
        return out
