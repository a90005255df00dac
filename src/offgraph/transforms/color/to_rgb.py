"""Make three channels of one."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from offgraph.core.specs import SpecT, spec_of
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ColorStep
from offgraph.steps.values import channel_count

__all__ = ["ToRGB"]


@step
class ToRGB(ColorStep):
    """Repeat the values of a grey image as red, green and blue; an image of three channels stays as it is.

    A color step; the dtype stays. Networks that were trained with colours take such images. Exactness: values are copied.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.ToRGB()])(image=np.array([[7, 9]], np.uint8)).image
    array([[[7, 7, 7],
            [9, 9, 9]]], dtype=uint8)
    """

    @property
    def averages(self) -> bool:
        """Never."""
        return False

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same with three channels; a channel axis is added as the last one where there is none."""
        count = channel_count(spec)
        if count not in (1, 3, None):
            raise ValueError(
                f"it takes 1 or 3 channels, the image has {count} (axes {spec.axes}); read it with color='rgb', which "
                "also drops opacity"
            )
        if "C" not in spec.axes:
            return cast("SpecT", spec_of((*spec.shape, 3), spec.dtype, spec.axes + "C"))
        shape = list(spec.shape)
        shape[spec.axes.index("C")] = 3
        return cast("SpecT", spec_of(tuple(shape), spec.dtype, spec.axes))

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.repeat`."""
        return image if image.shape[-1] == 3 else np.repeat(image, 3, axis=-1)
