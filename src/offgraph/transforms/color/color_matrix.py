"""Mix channels by a matrix: sepia, another order, another space of colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec, SpecT
from offgraph.engine.image_ops import has_levels, mix_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.arrays import NumberArray
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ColorStep
from offgraph.steps.parameters import PositiveNumber
from offgraph.steps.values import KnownRange, as_dtype, channel_count, held_range

__all__ = ["ColorMatrix"]

MAX_CHANNELS = 16


@step
class ColorMatrix(KnownRange, ColorStep):
    """Make each channel a weighted sum of all channels; the dtype stays, and so does the number of channels.

    A color step: ``out[i] = matrix[i][0] * image[0] + matrix[i][1] * image[1] + …``, limited to 0 to `range`. For sepia, for
    blue, green and red in place of red, green and blue, or to take stains apart. Exactness: the bytes of this sum in float64
    by NumPy, from left to right, for integers rounded half to even.

    Parameters
    ----------
    matrix : list of lists of float
        A row for each channel of the result, with a weight for each channel of the image: as many rows as columns, at
        most 16.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> to_bgr = og.ColorMatrix([[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    >>> og.Compose([to_bgr])(image=np.array([[[10, 20, 30]]], np.uint8)).image
    array([[[30, 20, 10]]], dtype=uint8)
    """

    matrix: NumberArray
    range: PositiveNumber | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.matrix)
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] > MAX_CHANNELS:
            raise ValueError(
                f"matrix has as many rows as columns, 1 to {MAX_CHANNELS}, got the shape {shape}"
            )

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; of as many channels as the matrix has rows, with a known range that fits the dtype."""
        rows, count = len(self.matrix), channel_count(spec)
        if count not in (rows, None):
            raise ValueError(f"matrix is for {rows} channels, the image has {count} (axes {spec.axes})")
        return super().output_spec(spec, params)

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """One pass."""
        if not has_levels(spec.dtype):
            return None
        return mix_op(np.array(self.matrix, np.float64), held_range(spec.dtype, self.range))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """A sum for each channel, term after term."""
        top = held_range(image.dtype.name, self.range)
        values = image.astype(np.float64)
        mixed = np.empty_like(values)
        for place, weights in enumerate(np.array(self.matrix, np.float64).tolist()):
            total = values[..., 0] * weights[0]
            for source, weight in enumerate(weights[1:], 1):
                total = total + values[..., source] * weight
            mixed[..., place] = total
        return as_dtype(mixed, image.dtype, top)
