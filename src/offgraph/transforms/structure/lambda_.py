"""Apply a user's functions."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from offgraph.core.arguments import refuse_masked
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, SpecT
from offgraph.steps.base import Step
from offgraph.steps.declaration import step
from offgraph.steps.functions import FunctionSetting, NamedFunction
from offgraph.steps.ops import Op, PythonStep
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = ["Lambda"]

DType = Literal[
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"
]  # fmt: skip


@step
class Lambda(Step):
    """Apply a function of your own to images, to masks, or one to each; everything else stays as it is.

    A structure step, for what changes values: the shape stays. What moves pixels is a step of its own with a `map`
    (`og.register`), so that boxes and points move too. A recipe file holds the function's name and no code, and whoever
    reads it has given the name to a function before. Functions are called from Python, which splits the native call of
    the steps around them. Exactness: what the functions return.

    Parameters
    ----------
    image : callable or str, optional
        Takes an array of the image, with its channels, and returns one of the same shape. A function of a module is known
        as ``"module:name"``; another one is given a name by ``og.function(name, function)``.
    mask : callable or str, optional
        Takes an array of labels, and returns one of the same shape and dtype.
    dtype : str, optional
        Of the images that the function returns; left out, that of those it gets.
    random : bool
        Call each function with a second argument, a `numpy.random.Generator` whose seed is drawn for every image, and
        recorded. Both functions get one of the same seed.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> bright = og.function("brighter", lambda image: image + 10)
    >>> og.Compose([og.Lambda(bright)])(image=np.array([[1, 2]], np.uint8)).image
    array([[11, 12]], dtype=uint8)
    """

    kind = "structure"

    image: FunctionSetting | None = None
    mask: FunctionSetting | None = None
    dtype: DType | None = None
    random: bool = False

    def __post_init__(self) -> None:
        if self.image is None and self.mask is None:
            raise ValueError("expected image=function, mask=function, or both")

    @property
    def varies(self) -> bool:
        """Whether the functions get random numbers."""
        return self.random

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the seed, where the functions take a generator."""
        return {"seed": draw.word()} if self.random else {}

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same, of the declared dtype."""
        return spec if self.dtype is None or self.image is None else spec.cast(self.dtype)

    def operations(self, params: dict[str, Any], spec: ArraySpec) -> tuple[Op, ...]:
        """One operation in Python; masks go their way without it where no function is for them."""
        return (PythonStep(self, params, self.output_spec(spec, params), self.mask is not None),)

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Call the function for images."""
        return (
            image if self.image is None else image.with_array(self._called(self.image, image.array, params))
        )

    def apply_mask(self, mask: Mask, params: dict[str, Any]) -> Mask:
        """Call the function for masks."""
        if self.mask is None:
            return mask
        made = self._called(self.mask, mask.array, params)
        if (made.shape, made.dtype) != (mask.array.shape, mask.array.dtype):
            raise ValueError(
                f"{self.mask.name} made a mask of {made.shape}, {made.dtype} of one of {mask.array.shape}, "
                f"{mask.array.dtype}; both have to stay"
            )
        return mask.with_array(made)

    def _called(self, function: NamedFunction, array: np.ndarray, params: dict[str, Any]) -> np.ndarray:
        """What the function returns; the array that it gets cannot be written to."""
        given = array.view()
        given.flags.writeable = False
        made = function(given, np.random.default_rng(params["seed"])) if self.random else function(given)
        refuse_masked(f"what {function.name} returned", made)
        if not isinstance(made, np.ndarray):
            raise ValueError(f"{function.name} returned {type(made).__name__}, not an array")
        return made.copy() if np.may_share_memory(made, array) else made

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """The function."""
        return image if self.image is None else self._called(self.image, image, params)
