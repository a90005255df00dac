"""Put channels into another order."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import reorder_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ColorStep
from offgraph.steps.values import channel_count

__all__ = ["ChannelShuffle"]


@step
class ChannelShuffle(ColorStep):
    """Put the channels into an order that is drawn for each image; the dtype stays.

    A color step, for any number of channels; each order is as likely as the others, that of the image included. Exactness:
    values are copied.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> out = og.Compose([og.ChannelShuffle()])(image=np.array([[[1, 2, 3]]], np.uint8), key=og.Key(seed=4))
    >>> out.image.tolist(), out.record["steps"][0]["params"]
    ([[[2, 3, 1]]], {'order': [1, 2, 0]})
    """

    @property
    def averages(self) -> bool:
        """Never."""
        return False

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw an order: `order`, the channel that stands at each place afterwards."""
        order = list(range(channel_count(spec) or 0))
        for last in range(len(order) - 1, 0, -1):
            other = draw.integer(0, last)
            order[last], order[other] = order[other], order[last]
        return {"order": order}

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """One pass."""
        order = params["order"]
        return reorder_op(order) if len(order) == channel_count(spec) else None

    def compiled(self) -> CompiledStep:
        """Nothing but the draw."""
        return compiled_values("shuffle")

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Advanced indexing."""
        order = params["order"]
        if len(order) != image.shape[-1]:
            raise ValueError(
                f"the order {order} was drawn for {len(order)} channels, the image has {image.shape[-1]}"
            )
        return image[..., order]
