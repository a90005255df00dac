"""Leave the brightness of colours."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np

from offgraph.core.specs import ArraySpec, SpecT, spec_of
from offgraph.engine.image_ops import grey_op
from offgraph.engine.native_plan import NativeOp
from offgraph.engine.values import grey
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ColorStep
from offgraph.steps.values import as_dtype, channel_count

__all__ = ["ToGrey"]


@step
class ToGrey(ColorStep):
    """Replace red, green and blue by their brightness; the dtype stays.

    A color step: ``0.299 R + 0.587 G + 0.114 B`` (ITU-R BT.601), or the mean. A grey image keeps its values. Exactness: for
    luma of uint8 and uint16 the integers of Pillow's ``convert("L")``, ``(19595 R + 38470 G + 7471 B + 32768) >> 16``, as
    files are read with ``color="grey"``; else the bytes of the expression in float64 by NumPy, for integers rounded half to
    even.

    Parameters
    ----------
    channels : int, optional
        1 or 3 of them, equal ones, in the result. By default as many as there were, so that ``p=0.2`` makes one image in
        five grey.
    method : str
        'luma' or 'mean'.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.ToGrey(channels=1)])(image=np.array([[[255, 0, 0]]], np.uint8)).image
    array([[[76]]], dtype=uint8)
    """

    channels: Literal[1, 3] | None = None
    method: Literal["luma", "mean"] = "luma"

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same with `channels` channels; a channel axis is added where it is needed."""
        count = channel_count(spec)
        if count not in (1, 3, None):
            raise ValueError(
                f"it takes 1 or 3 channels, the image has {count} (axes {spec.axes}); read it with color='rgb'"
            )
        if self.channels in (None, count):
            return spec
        if "C" not in spec.axes:
            return cast(
                "SpecT", spec_of((*spec.shape, cast("int", self.channels)), spec.dtype, spec.axes + "C")
            )
        shape = list(spec.shape)
        shape[spec.axes.index("C")] = self.channels
        return cast("SpecT", spec_of(tuple(shape), spec.dtype, spec.axes))

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """Pillow's integers in one pass, where the channels stay three."""
        is_own = self.method == "luma" and spec.dtype in ("uint8", "uint16")
        return grey_op() if is_own and channel_count(spec) == 3 and self.channels != 1 else None

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """Pillow's integers in one pass."""
        if image.shape[-1] != 3 or self.method != "luma" or image.dtype not in (np.uint8, np.uint16):
            return None
        return grey(image, self.channels or 3) if image.size else None

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Pillow's integers, or one NumPy expression."""
        single = image[..., :1]
        if image.shape[-1] == 3:
            red, green, blue = (image[..., place : place + 1] for place in (0, 1, 2))
            if self.method == "luma" and image.dtype.kind == "u" and image.dtype.itemsize <= 2:
                red, green, blue = (part.astype(np.uint32) for part in (red, green, blue))
                single = ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(image.dtype)
            else:
                weights = (0.299, 0.587, 0.114) if self.method == "luma" else (1 / 3, 1 / 3, 1 / 3)
                sums = sum(
                    part.astype(np.float64) * weight for part, weight in zip((red, green, blue), weights)
                )
                single = as_dtype(cast("np.ndarray", sums), image.dtype, None)
        return np.repeat(single, self.channels or image.shape[-1], axis=-1)
