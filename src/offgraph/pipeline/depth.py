"""Sources that mix images of 8 and of 16 bits."""

from __future__ import annotations

import warnings

import numpy as np

from offgraph.core.errors import OffgraphWarning, StepError
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.recipe.compose import Compose
from offgraph.targets.image import Image
from offgraph.transforms import Normalize

__all__ = ["converted_warning", "scales_by_dtype", "to_depth"]


def scales_by_dtype(recipe: Compose) -> bool:
    """Whether a recipe divides by the largest value of each image's dtype, so that 255 and 65535 both become 1."""
    before: OpenSpec = OpenSpec((None, None, 3), "uint8", "YXC")
    for step in recipe.steps:
        if isinstance(step, Normalize):
            return step.range is None
        try:
            before = step.output_spec(before)
        except (ValueError, TypeError):  # made for other images; what they become is not known here
            return False
        if np.dtype(before.dtype).kind == "f":
            return False
    return False


def to_depth(image: Image, stored: ArraySpec, name: str, *, scale: bool) -> tuple[Image, str | None]:
    """Bring an image to the depth that most of its source has, or refuse it.

    One value means different brightness in 8 and in 16 bits, and a recipe such as ``Rescale(1 / 255)`` cannot know.

    Parameters
    ----------
    image : Image
        As read.
    stored : ArraySpec
        As most images of the source are read.
    name : str
        Name of an image of the usual depth, for the message.
    scale : bool
        Whether 8 and 16 bits may be converted, so that 255 and 65535 mean the same.

    Returns
    -------
    Image, str or None
        The image, and what was done to it.

    Raises
    ------
    StepError
        Where the dtypes differ and are not converted.
    """
    dtype = image.array.dtype
    if dtype.name == stored.dtype:
        return image, None
    if scale and {dtype.name, stored.dtype} == {"uint8", "uint16"}:
        if dtype == np.uint8:
            array = image.array.astype(np.uint16) * np.uint16(257)
        else:  # rounded to the nearest; 257 x goes back to x
            array = ((image.array.astype(np.uint32) + np.uint32(128)) // np.uint32(257)).astype(np.uint8)
        return Image(array, image.axes), f"converted from {dtype.name} to {stored.dtype}"
    raise StepError(
        f"the image is stored as {dtype.name}, but most of its source, such as {name}, as {stored.dtype}, and the same "
        f"value means something else in each; save it as {stored.dtype} too"
        + (
            ", or let Normalize(...) without range= make the floats: it divides by the largest value of each dtype"
            if {dtype.kind, np.dtype(stored.dtype).kind} == {"u"}
            else ""
        )
    )


def converted_warning(name: str, how: str, where: str) -> None:
    """Warn of the first image that was converted; `where` says what lists them all, or nothing."""
    warnings.warn(
        f"{name}: {how}, the depth of most images of its source, so that 255 and 65535 mean the same in all of them"
        f"{where}. Open the source with color='keep' to have it refused instead",
        OffgraphWarning,
        stacklevel=3,
    )
