"""Lose resolution."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from offgraph.core.specs import SpecT, scaled
from offgraph.engine.resize import Kernel, resize
from offgraph.steps.declaration import step
from offgraph.steps.kinds import NoiseStep
from offgraph.steps.parameters import ShareRange

__all__ = ["Downscale"]


@step
class Downscale(NoiseStep):
    """Shrink the image and enlarge it again to its size: detail is lost; the dtype stays.

    A noise step, of the two resizes of `Resize`: antialiased when it shrinks. Masks, boxes and points stay, as the size does.
    Exactness: the bytes of `Resize` to the rounded size, at least one pixel, and back; with ``like="opencv"`` those of
    `cv2.resize` by the factor, with INTER_NEAREST, and back.

    Parameters
    ----------
    scale : float or (low, high)
        Size of the small image as a share of each axis, above 0 and at most 1.
    kernel : str
        Of both resizes: 'box' shows the small image's pixels as squares, 'triangle' is linear and 'cubic' smooth.
    like : {"opencv"}, optional
        Take single pixels instead of means, as OpenCV's INTER_NEAREST does: pixel i of the small image is pixel
        ``floor(i / scale)``. `kernel` stays 'box', as which the pixels are enlarged.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Downscale(0.5)])(image=np.array([[0, 2], [4, 6]], np.uint8)).image
    array([[3, 3],
           [3, 3]], dtype=uint8)
    """

    later: ClassVar[tuple[str, ...]] = ("like",)

    scale: ShareRange = 0.5
    kernel: Kernel = "box"
    like: Literal["opencv"] | None = Field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if np.min(self.scale) <= 0:
            raise ValueError(f"scale={self.scale}: expected a share above 0 and at most 1")
        if self.like is not None and self.kernel != "box":
            raise ValueError(
                f"kernel={self.kernel!r} averages, and like={self.like!r} takes single pixels; leave one out"
            )

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same."""
        return spec

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`Resize` twice, or two looks at which pixel is nearest."""
        size = image.shape[:-1]
        if self.like is not None:
            for axis, n in enumerate(size):
                count = max(1, round(n * params["scale"]))
                image = image.take(_nearest(count, n, params["scale"])[_nearest(n, count, n / count)], axis)
            return image
        small = [max(1, scaled(n, params["scale"])) for n in size]
        axes = tuple(range(len(size)))
        return resize(
            resize(image, small, axes=axes, kernel=self.kernel), size, axes=axes, kernel=self.kernel
        )


def _nearest(count: int, among: int, scale: float) -> np.ndarray:
    """Which of `among` pixels each of `count` takes, `scale` times as many."""
    return np.minimum(np.floor(np.arange(count) * (1 / scale)).astype(np.intp), among - 1)
