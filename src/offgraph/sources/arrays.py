"""Images that are in memory already, or in an array on disk, as a source."""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

import numpy as np

from offgraph.core.arguments import refuse_masked
from offgraph.core.axes import name_axes
from offgraph.core.choices import Task
from offgraph.core.counting import count_of
from offgraph.core.errors import DecodeError, SourceError, StepError
from offgraph.engine.files import SampleRows
from offgraph.formats.decoding import DecodedImage
from offgraph.formats.ordinary import OrdinaryRows
from offgraph.plan.compiled import RecipePlanner
from offgraph.sources.array_labels import labels_of_array
from offgraph.sources.base import Source
from offgraph.sources.items import Item, Label
from offgraph.sources.names import first_repeated
from offgraph.sources.reading import Reading
from offgraph.sources.sample import Sample
from offgraph.targets import Image, Mask, Targets

__all__ = ["ArraySource", "array_source"]

_NOWHERE = Path("array")


class _ArrayItems(Sequence[Item]):
    """Items of arrays, made when they are asked for: the name of each is its number, unless names are given.

    Parameters
    ----------
    labels : sequence
        As in `Item.label`, of all images of the arrays.
    names : sequence of str or None
        Likewise.
    has_masks : bool
    places : range or ndarray of int64
        Those among the images that are items here, in this order.
    """

    def __init__(
        self,
        labels: Sequence[Label | None],
        names: Sequence[str] | None,
        has_masks: bool,
        places: range | np.ndarray,
    ) -> None:
        self._labels, self._names, self._has_masks, self.places = labels, names, has_masks, places

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        place = int(self.places[index])
        mask = _NOWHERE / "masks" / str(place) if self._has_masks else None
        return Item(self.name_of(place), _NOWHERE / str(place), self._labels[place], mask)

    def name_of(self, place: int) -> str:
        """What an image of the arrays is called."""
        return str(place) if self._names is None else self._names[place]

    def places_of(self, indices: Sequence[int]) -> list[int]:
        """Where items are among the images of the arrays."""
        return [int(self.places[index]) for index in indices]

    def labels_of(self, indices: Sequence[int]) -> list[Label | None]:
        """Labels of items; faster than from these."""
        return [self._labels[place] for place in self.places_of(indices)]

    def selected(self, indices: Sequence[int]) -> _ArrayItems:
        """Return some of them, in another order."""
        places = np.fromiter(self.places_of(indices), np.int64, len(indices))
        return _ArrayItems(self._labels, self._names, self._has_masks, places)


@dataclass(frozen=True, eq=False, repr=False)
class ArraySource(Source):
    """Images of arrays; see `array_source`.

    Parameters
    ----------
    arrays : sequence of ndarray
        One array such as (N, H, W, C), whose images are read where they lie, without a copy; or a list of images.
    axes : str
        Of one image: ``"YXC"``, ``"YX"``, or those of a volume.
    masks : sequence of ndarray or None
        Their label masks.
    """

    arrays: Sequence[np.ndarray] | np.ndarray = field(default=(), repr=False)
    axes: str = "YXC"
    masks: Sequence[np.ndarray] | np.ndarray | None = field(default=None, repr=False)

    def read(self, index: int) -> Sample:
        """Return one image, as the array holds it.

        Raises
        ------
        DecodeError
            Where it is not an image of these axes, or its mask does not fit it; names it.
        """
        item = self.items[index]
        array = self._array(item, self.arrays)
        if array.ndim != len(self.axes) or array.dtype.kind not in "buif":
            raise DecodeError(
                f"{item.path}: {array.dtype} of shape {array.shape}; an image of axes {self.axes} is wanted"
            )
        image = Image(array.astype(np.float32) if array.dtype == np.float16 else array, self.axes)
        targets = Targets.of_image(image, None if self.masks is None else self._mask(item, image))
        height, width = image.spec.size[-2:]
        decoded = DecodedImage(array, self.axes, 1, (height, width), "array")
        return Sample(targets, item.label, decoded, item)

    def _array(self, item: Item, arrays: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(arrays[int(item.path.name)])

    def _mask(self, item: Item, image: Image) -> Mask:
        assert self.masks is not None, "asked for where there are some"
        array, grid = self._array(item, self.masks), image.spec.size
        if array.shape == (*grid, 1):
            array = array[..., 0]
        if array.shape != grid:
            raise DecodeError(f"{item.mask}: a mask of {array.shape} for an image of {grid}")
        if array.dtype.kind not in "bui":
            raise DecodeError(f"{item.mask}: {array.dtype}; a mask holds one label per pixel, a whole number")
        return Mask(array, self.axes.replace("C", ""))

    def read_ordinary(self, indices: Sequence[int]) -> list[Any]:
        """Return images beside no file: a native call runs many recipes at once; None for one that `read` refuses."""
        found: list[Any] = []
        for index in indices:
            try:
                found.append((None, self.read(index)))
            except Exception:  # whatever it is, `read` raises it again
                found.append(None)
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_bytes"}  # the images once more

    @property
    def row_dtypes(self) -> tuple[str, ...]:
        """Type of the images, where one array holds them as a native call reads them."""
        return () if self._bytes is None else (np.dtype(self._bytes[1]).name,)

    @functools.cached_property
    def _bytes(self) -> tuple[np.ndarray, str] | None:
        """All bytes of the images, and their type, where they lie together."""
        arrays = self.arrays
        if (
            not isinstance(arrays, np.ndarray)
            or not arrays.flags.c_contiguous
            or not arrays.size
            or arrays.dtype.kind not in "uif"
            or arrays.dtype == np.float16  # widened where it is read
            or not arrays.dtype.isnative
            or sys.byteorder != "little"
        ):
            return None
        return arrays.reshape(-1).view(np.uint8), arrays.dtype.name

    def ordinary_rows(
        self,
        indices: Sequence[int],
        planner: RecipePlanner,
        keys: Sequence[tuple[int, int, int]],
        *,
        depth: int | None = None,
        finite: bool,
        digests: bool = False,
        row_digests: bool = False,
    ) -> OrdinaryRows | None:
        """Return samples that are read, planned and run in one call; None where images have masks, or do not lie together."""
        items, held = self.items, self._bytes
        if held is None or self.masks is not None or digests or not isinstance(items, _ArrayItems):
            return None
        shape, places = self.arrays.shape[1:], items.places_of(indices)  # type: ignore[union-attr]  # it is an array
        rows = SampleRows.of_images(held[0], shape, held[1], self.axes, places, keys, finite)
        return OrdinaryRows(planner, rows, lambda place: _NOWHERE / str(places[place]))

    def labels(self, indices: Sequence[int]) -> Sequence[Label | None]:
        """Labels of items, as in `Item.label`."""
        items = self.items
        return items.labels_of(indices) if isinstance(items, _ArrayItems) else super().labels(indices)

    def subset(self, indices: Sequence[int]) -> ArraySource:
        """Return the source of some of the items, in the order given; class names stay."""
        return (
            replace(self, items=self.items.selected(indices))
            if isinstance(self.items, _ArrayItems)
            else super().subset(indices)
        )  # type: ignore[return-value]

    def out_of_reach(self, index: int, *, listed: bool | None = None) -> None:
        """Return None: memory is always there."""
        return

    def watch(self) -> None:
        """Do nothing: no drive can go away."""

    def digests_of(self, item: Item) -> tuple[str, str | None]:
        """SHA-256 of an image, and of its mask, in hexadecimal digits: of their shapes, types and bytes."""
        found = [
            None if arrays is None else _digest(self._array(item, arrays))
            for arrays in (self.arrays, self.masks)
        ]
        assert found[0] is not None, "there is always an image"
        return found[0], found[1]


def _digest(array: np.ndarray) -> str:
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.view(np.uint8).data if array.size else b"")
    return digest.hexdigest()


def array_source(
    images: Sequence[np.ndarray] | np.ndarray,
    labels: Any = None,
    *,
    masks: Sequence[np.ndarray] | np.ndarray | None = None,
    axes: str | None = None,
    names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    task: Task | None = None,
) -> ArraySource:
    """Open images that are in memory, or in an array on disk, as a `Source`.

    They are read when they are asked for, where they lie: memory maps, and datasets of h5py and Zarr, are not read as a whole. Arrays are not
    copied, and are to stay as they are while the source is used.

    Parameters
    ----------
    images : ndarray or sequence of ndarray
        (N, H, W), (N, H, W, C), or a sequence of images of any sizes; of any integers or floats. Whatever has a length and gives
        an image for a number will do. Volumes, and images of more than four channels, need `axes`.
    labels : array_like, optional
        One for each image: class numbers, (N,) or (N, 1), which stay as they are; class names; rows of 0 and 1, (N, classes), for
        one class (``task="classify"``) or several (``"multilabel"``); or numbers to learn, (N,) or (N, K).
    masks : ndarray or sequence of ndarray, optional
        Label masks of whole numbers, (N, H, W) or (N, H, W, 1), or a sequence of them.
    axes : str, optional
        Of one image, such as ``"ZYX"`` or ``"YXC"``; by default ``"YX"``, or ``"YXC"`` of up to four channels.
    names : sequence of str, optional
        What images are called in messages and records, and what `offgraph.split` divides them by; their numbers unless given.
    class_names : sequence of str, optional
        All classes, in the order of their numbers. By default the numbers, from 0 to the largest one, or the names that are found, in
        natural order.
    task : {"classify", "multilabel", "regress", "segment"}, optional
        What there is to learn. Unless given, it is inferred where it is certain; where it is not, opening is an error that asks.

    Returns
    -------
    ArraySource
        As `offgraph.open_source` gives for files: for `offgraph.Loader`, `offgraph.split`, `offgraph.build` and whatever else takes a source.
        Pixels are passed on as they are, without a change of colours.

    Raises
    ------
    SourceError
        Where images, labels, masks or names do not go together, or the task is in doubt; says what to give.

    Examples
    --------
    >>> import numpy as np, offgraph as og
    >>> images = np.zeros((6, 8, 6, 3), np.uint8)
    >>> source = og.array_source(images, [0, 1, 0, 2, 1, 0], class_names=["cat", "dog", "owl"])
    >>> source
    <Source array: 6 images, classify: 3 classes>
    >>> batch = next(iter(og.Loader(source, og.Compose([og.Rescale(1 / 255)]), batch_size=4)))
    >>> batch.image.shape
    (4, 8, 6, 3)
    """
    for name, arrays in (("images", images), ("masks", masks)):
        for part in (arrays, *(arrays if isinstance(arrays, list | tuple) else ())):
            refuse_masked(f"{name}=", part)
    count = _count(images)
    if count is None:
        raise SourceError(
            f"images={images!r:.80}: give an array, or a list of arrays; a path is opened by og.open_source"
        )
    if not count:
        raise SourceError("images=: there is none")
    axes = _axes_of(images, axes)
    if masks is not None and _count(masks) != count:
        given = _count(masks)
        what = f"{masks!r:.80}" if given is None else f"{given:,}"
        raise SourceError(f"masks=: {what} for {count_of(count, 'image')}; give one for each")
    found = labels_of_array(labels, count, task, class_names)
    return ArraySource(
        items=_ArrayItems(found.values, _checked_names(names, count), masks is not None, range(count)),
        class_names=found.class_names,
        root=_NOWHERE,
        reading=Reading(color="keep"),
        has_masks=masks is not None,
        task=found.task or ("segment" if masks is not None else None),
        target_names=found.target_names,
        arrays=images,
        axes=axes,
        masks=masks,
    )


def _count(arrays: Any) -> int | None:
    """How many images there are; None where these are no images."""
    if isinstance(arrays, str | bytes) or not hasattr(arrays, "__getitem__"):
        return None
    shape = getattr(arrays, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    return len(arrays) if hasattr(arrays, "__len__") else None


def _axes_of(images: Any, axes: str | None) -> str:
    """Axes of one image, by the first one."""
    shape = getattr(images, "shape", None)
    if shape is None or getattr(images, "dtype", np.dtype(np.uint8)).kind == "O":
        first = images[0]
        if not hasattr(first, "shape") or not hasattr(first, "dtype"):
            raise SourceError(f"images[0]={first!r:.80}: give arrays; paths are opened by og.open_source")
        one, whose = tuple(first.shape), "images[0]"
    else:
        one, whose = tuple(shape[1:]), "one of images="
        if len(shape) < 3:
            raise SourceError(
                f"images=: an array of shape {tuple(shape)}; give (N, H, W) or (N, H, W, C), also for one image: images[None]"
            )
        if axes is None and len(shape) == 3 and shape[-1] in (1, 3, 4):
            raise SourceError(
                f"images=: an array of shape {tuple(shape)} looks like one image with channels: give images[None], or axes='YX' if it "
                f"holds {shape[0]} images of a width of {shape[-1]}"
            )
    try:
        return name_axes(one, axes)
    except StepError as error:
        raise SourceError(f"{whose}: {error}") from error


def _checked_names(names: Sequence[str] | None, count: int) -> Sequence[str] | None:
    if names is None:
        return None
    found = list(names)
    if len(found) != count or not all(isinstance(name, str) and name for name in found):
        raise SourceError(f"names=: give a text for each of {count_of(count, 'image')}")
    repeated = first_repeated(found)
    if repeated is not None:
        raise SourceError(f"names=: {repeated!r:.80} is the name of two images")
    return tuple(found)
