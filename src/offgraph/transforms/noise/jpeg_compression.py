"""What a JPEG file leaves of an image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from offgraph.core.specs import SpecT
from offgraph.steps.counts import CountRange
from offgraph.steps.declaration import step
from offgraph.steps.kinds import NoiseStep
from offgraph.steps.values import channel_count

__all__ = ["JpegCompression"]

_LONGEST = 65500
"""Pixels along an axis that libjpeg takes."""


@step
class JpegCompression(NoiseStep):
    """Write the image as JPEG into memory and read it again: blocks, ringing, washed-out colours; the dtype stays.

    A noise step, for uint8 of one or three channels. Exactness: the bytes of libjpeg-turbo with the accurate
    transform (`JDCT_ISLOW`), which Pillow's and OpenCV's files have too.

    Parameters
    ----------
    quality : int or (low, high)
        From 1 to 100, as libjpeg counts: below 50 blocks are seen, 95 is nearly the image.
    subsampling : str
        '420' halves the resolution of colours on both axes, as most cameras do, '422' on one, '444' on none.
    channels : {"rgb", "bgr"}
        What the three are taken for. JPEG keeps less of blue than of red; "bgr" is for images in OpenCV's order, and for
        the bytes of Albumentations, which hands RGB images to OpenCV as they are.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> dot = np.zeros((16, 16), np.uint8)
    >>> dot[4, 4] = 255
    >>> bool((og.Compose([og.JpegCompression(20)])(image=dot).image[:8, :8] > 0).sum() > 8)
    True
    """

    version: ClassVar[int] = 2
    """2: encoded with libjpeg's accurate transform instead of the fast one."""
    dimensions = (2,)
    later: ClassVar[tuple[str, ...]] = ("channels",)

    quality: Annotated[int | tuple[int, int], CountRange(1, 100)]
    subsampling: Literal["444", "422", "420"] = "420"
    channels: Literal["rgb", "bgr"] = Field(default="rgb", kw_only=True)

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; uint8 of one or three channels."""
        count = channel_count(spec)
        if spec.dtype != "uint8" or count not in (1, 3, None):
            raise ValueError(
                f"JPEG takes uint8 of 1 or 3 channels, the image is {spec.dtype} of {count} (axes {spec.axes}); put it "
                "before steps that make floats"
            )
        if any(n is not None and n > _LONGEST for n in spec.size):
            raise ValueError(f"JPEG holds at most {_LONGEST:,} pixels per side, the image has {spec.size}")
        return spec

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Encode and decode."""
        import simplejpeg
        from imagecodecs import (
            jpeg8_encode,
        )  # with the accurate transform, which simplejpeg has above 95 only

        grey = image.shape[-1] == 1
        order = slice(None, None, -1 if self.channels == "bgr" else 1)
        pixels = np.ascontiguousarray(image[..., 0] if grey else image[..., order])
        data = jpeg8_encode(pixels, params["quality"], subsampling=None if grey else self.subsampling)
        made = simplejpeg.decode_jpeg(data, "GRAY" if grey else "RGB", fastdct=False, fastupsample=False)
        return np.ascontiguousarray(made[..., order])
