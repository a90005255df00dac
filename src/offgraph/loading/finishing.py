"""The last work on a batch: images mixed, brought to the dtype and the layout that a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from offgraph.core.errors import ArgumentError, OffgraphError, StepError
from offgraph.core.specs import OpenSpec
from offgraph.loading.batch import Batch
from offgraph.loading.mixing import Mixing
from offgraph.pipeline.buffers import Buffers
from offgraph.targets import Targets

__all__ = ["UNFINISHED", "DataFormat", "Finishing", "ImageDtype", "parse_data_format", "parse_image_dtype"]

ImageDtype = Literal["float32", "float16", "bfloat16", "uint8"]
"""What the images of a batch may be converted to."""

DataFormat = Literal["channels_last", "channels_first"]
"""Where the channel axis of an image stands; the names are those of Keras."""


@dataclass(frozen=True)
class Finishing:
    """What is done to each batch after it was collated.

    Parameters
    ----------
    mixing : Mixing or None
    dtype : str or None
        The dtype to give images.
    data_format : {"channels_last", "channels_first"}
    """

    mixing: Mixing | None
    dtype: ImageDtype | None
    data_format: DataFormat

    def leaves(self, axes: str) -> bool:
        """Whether batches of images with some axes stay as they are."""
        return self.mixing is None and self.dtype is None and self._place(axes) == axes.find("C")

    def _place(self, axes: str) -> int:
        """Number of the axis that the channel axis of an image is to be; -1 where it has none."""
        if "C" not in axes:
            return -1
        return 0 if self.data_format == "channels_first" else len(axes) - 1

    def spec(self, image: OpenSpec) -> OpenSpec:
        """Spec of the images of a finished batch.

        Raises
        ------
        ArgumentError
            Where the dtype cannot hold the images' values.
        """
        dtype = image.dtype if self.dtype is None else self._checked(image.dtype)
        order = list(range(len(image.axes)))
        if "C" in image.axes:
            order.insert(self._place(image.axes), order.pop(image.axes.index("C")))
        shape = tuple(image.shape[axis] for axis in order)
        return type(image)(shape, dtype, "".join(image.axes[axis] for axis in order))  # type: ignore[arg-type]

    def __call__(
        self,
        batch: Batch,
        epoch: int,
        axes: str,
        buffers: Buffers,
        targets: Sequence[Targets] | None = None,
    ) -> Batch:
        """Finish a batch whose images have some axes.

        Parameters
        ----------
        batch : Batch
        epoch : int
        axes : str
        buffers : Buffers
        targets : sequence of Targets, optional
            Of each image; needed where objects are mixed.

        Raises
        ------
        ArgumentError
            Where the dtype cannot hold the images' values.
        StepError
            Where images cannot be mixed, or a value is too large for float16.
        """
        if self.mixing is not None:
            batch = self.mixing(batch, epoch, axes, buffers, targets)
        array = batch.image
        dtype = array.dtype if self.dtype is None else _dtype(self._checked(array.dtype.name))
        moved = array
        if self._place(axes) != axes.find("C"):
            moved = np.moveaxis(array, 1 + axes.index("C"), 1 + self._place(axes))
        if moved is array and dtype == array.dtype:
            return batch
        made = buffers.empty(moved.shape, dtype)
        try:
            with np.errstate(over="raise"):
                made[...] = moved
        except FloatingPointError:
            largest = float(np.nanmax(np.abs(array)))
            raise StepError(
                f"dtype='float16' ends at 65504, and a value of this batch is {largest:g}: scale the images in the recipe, or "
                "choose dtype='bfloat16' or 'float32'"
            ) from None
        return replace(batch, image=made)

    def _checked(self, have: str) -> ImageDtype:
        """The dtype; refused where values of another one would be lost."""
        want = self.dtype
        assert want is not None
        kept = have == want or (have[0] != "u" and np.dtype(have).kind == "f" and want != "uint8")
        if kept or (
            np.dtype(have).kind in "bui" and want != "uint8" and np.iinfo(have).bits <= _DIGITS[want]
        ):
            return want
        if want == "uint8":
            raise ArgumentError(
                f"dtype='uint8': the recipe gives {have}; leave out its last steps, such as Normalize, to keep the values of "
                "the files, and let the model begin with them (keras.layers.Rescaling, Normalization)"
            )
        raise ArgumentError(
            f"dtype={want!r}: it does not hold every {have} that the recipe gives; choose 'float32', or end the recipe with "
            "Normalize(...)"
        )


UNFINISHED = Finishing(None, None, "channels_last")
"""Leaves batches as they are."""
_DIGITS = {"float32": 24, "float16": 11, "bfloat16": 8}
"""Bits of the largest whole numbers below which none is skipped."""


def _dtype(name: str) -> np.dtype[Any]:
    if name != "bfloat16":
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError as error:
        raise OffgraphError(
            "dtype='bfloat16' needs the package ml_dtypes, which TensorFlow and JAX bring along; run: pip install ml_dtypes"
        ) from error
    return np.dtype(ml_dtypes.bfloat16)


def parse_image_dtype(given: Any) -> ImageDtype | None:
    """Return the name of a dtype for images.

    Raises
    ------
    ArgumentError
    """
    if given is None:
        return None
    try:
        name = given if isinstance(given, str) else np.dtype(given).name
    except TypeError:
        name = ""
    if name not in get_args(ImageDtype):
        raise ArgumentError(
            f"dtype={given!r:.80}: choose one of {', '.join(map(repr, get_args(ImageDtype)))}, or leave it out"
        )
    if name == "bfloat16":
        _dtype(name)
    return name  # type: ignore[return-value]  # it was checked


def parse_data_format(given: Any) -> DataFormat:
    """Return where the channel axis is to stand.

    Raises
    ------
    ArgumentError
    """
    if given not in get_args(DataFormat):
        raise ArgumentError(f"data_format={given!r:.80}: choose 'channels_last' or 'channels_first'")
    return given
