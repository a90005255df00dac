"""Images that are in memory already, as a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np

from offgraph.core.arguments import refuse_masked
from offgraph.formats.decoding import DecodedImage
from offgraph.sources.base import Source
from offgraph.sources.items import Item
from offgraph.sources.reading import Reading
from offgraph.sources.sample import Sample
from offgraph.targets import Image, Targets

__all__ = ["ArraySource", "array_source"]

_NOWHERE = Path("array")


class _Numbers(Sequence[Item]):
    """Items of an array, made when they are asked for: the name of each is its number."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(self._count)))
        name = str(range(self._count)[index])
        return Item(name, _NOWHERE / name)


@dataclass(frozen=True, eq=False, repr=False)
class ArraySource(Source):
    """Images of one array. It has no labels: who holds the array knows them by their numbers.

    Parameters
    ----------
    arrays : sequence of ndarray
        One array such as (N, H, W, C), whose images are read where they lie, without a copy; or a list of images.
    axes : str
        Of one image: ``"YXC"``, ``"YX"``, or those of a volume.
    """

    arrays: Sequence[np.ndarray] | np.ndarray = field(default=(), repr=False)
    axes: str = "YXC"

    def read(self, index: int) -> Sample:
        """Return one image, as the array holds it."""
        item = self.items[index]
        array = np.ascontiguousarray(self.arrays[int(item.name)])
        size = array.shape[self.axes.index("Y")], array.shape[self.axes.index("X")]
        decoded = DecodedImage(array, self.axes, 1, size, "array")
        return Sample(Targets.of_image(Image(array, self.axes)), None, decoded, item)

    def read_ordinary(self, indices: Sequence[int]) -> list[Any]:
        """Return images beside no file: a native call runs many recipes at once."""
        return [(None, self.read(index)) for index in indices]

    def ordinary_rows(self, *_: Any, **__: Any) -> None:
        """Return None: there are no files to decode."""
        return

    def out_of_reach(self, index: int, *, listed: bool | None = None) -> None:
        """Return None: memory is always there."""
        return

    def watch(self) -> None:
        """Do nothing: no drive can go away."""


def array_source(arrays: Sequence[np.ndarray] | np.ndarray, axes: str | None = None) -> ArraySource:
    """Return the source of the images of an array.

    Parameters
    ----------
    arrays : ndarray or sequence of ndarray
        (N, H, W, C) or (N, H, W); or images of any sizes, with `axes`.
    axes : str, optional
        Of one image. By default ``"YXC"`` or ``"YX"``, by the shape of the one array.

    Examples
    --------
    >>> import numpy as np
    >>> source = array_source(np.zeros((5, 8, 6, 3), np.uint8))
    >>> len(source), source.read(4).image.array.shape
    (5, (8, 6, 3))
    """
    for part in (arrays, *(arrays if isinstance(arrays, Sequence) else ())):
        refuse_masked("images=", part)
    return ArraySource(
        items=_Numbers(len(arrays)),
        class_names=(),
        root=_NOWHERE,
        reading=Reading(color="keep"),
        has_masks=False,
        arrays=arrays,
        axes=axes or ("YXC" if np.ndim(arrays) == 4 else "YX"),
    )
