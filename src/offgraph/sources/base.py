"""Where pictures come from: `Source`, an ordered list of `Item`, each read into a `Sample`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from offgraph.decode import MAX_PIXELS, Alpha, Color, Picture, read
from offgraph.errors import DecodeError, SourceError, StepError
from offgraph.spec import name_axes
from offgraph.targets import Image, Mask

__all__ = ["Item", "Reading", "Sample", "Source", "Task", "count_of", "natural_key"]

Task = Literal["classify", "multilabel", "regress", "segment"]
"""What a model is to learn of a source: one class per image, several classes, numbers, or a label per pixel."""


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a source.

    Parameters
    ----------
    name : str
        Path relative to the source's root, with ``/`` on every system. It is the item's identity: splits and
        records are made from it.
    path : Path
        The file.
    label : int or None
        Index into the source's class names.
    mask : Path or None
        File with the label mask.
    group : str or None
        What must stay on one side of a split, such as a patient.
    """

    name: str
    path: Path
    label: int | None = None
    mask: Path | None = None
    group: str | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """What `Source.read` gives: an item with its pixels.

    Parameters
    ----------
    image : Image
        The picture, upright, with named axes.
    mask : Mask or None
        Its label mask, on the same grid.
    label : int or None
        Index into the source's class names.
    picture : Picture
        What the file said: orientation, stored size, format, notes.
    item : Item
        Where it came from.
    """

    image: Image
    mask: Mask | None
    label: int | None
    picture: Picture
    item: Item

    def __repr__(self) -> str:
        image = f"{self.image.array.dtype} {self.image.array.shape} {self.image.axes}"
        mask = "none" if self.mask is None else f"{self.mask.array.dtype} {self.mask.array.shape}"
        return f"<Sample {self.item.name}: image {image}, label {self.label}, mask {mask}>"


@dataclass(frozen=True)
class Reading:
    """How the files of a source are read; see `offgraph.decode.read` for each.

    Parameters
    ----------
    color : {"rgb", "keep", "grey"}
        Colour policy of the pictures.
    axes : str or None
        Axes of stacks that do not say which they have.
    alpha : {"drop", "white", "black"}
        What becomes of opacity.
    max_pixels : int
        Limit on each picture.

    Raises
    ------
    SourceError
        Where one of them is none of these.
    """

    color: Color = "rgb"
    axes: str | None = None
    alpha: Alpha = "drop"
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        for name, allowed in (("color", ("rgb", "grey", "keep")), ("alpha", ("drop", "white", "black"))):
            if getattr(self, name) not in allowed:
                raise SourceError(
                    f"{name}={getattr(self, name)!r:.80}: choose one of {', '.join(map(repr, allowed))}"
                )
        if self.axes is not None:
            if not isinstance(self.axes, str):
                raise SourceError(f"axes={self.axes!r:.80}: write one letter an axis, such as 'ZYX'")
            try:
                name_axes((1,) * len(self.axes), self.axes)
            except StepError as error:
                raise SourceError(str(error)) from error
        if (
            not isinstance(self.max_pixels, int | np.integer)
            or isinstance(self.max_pixels, bool)
            or self.max_pixels < 1
        ):
            raise SourceError(f"max_pixels={self.max_pixels!r:.80}: give a whole number of at least 1")


@dataclass(frozen=True, eq=False)
class Source(Sequence[Item]):
    """An ordered list of pictures; files are opened only by `read`.

    Parameters
    ----------
    items : tuple of Item
        In natural order of their names; names are unique.
    class_names : tuple of str
        Sorted; empty where items have no label.
    root : Path
        The folder that names are relative to.
    reading : Reading
        How files are read.
    skipped : mapping of str to int
        Files that were left out, counted by reason.
    columns : mapping of str to tuple of str
        Further columns of a CSV, one value an item; `offgraph.split` groups by them.
    table : Path or None
        The CSV, of a source that is one.
    walked : bool
        Whether the items are whatever lies in the root, so that a file put there becomes one of them.

    Examples
    --------
    >>> import numpy as np, offgraph.encode, tempfile
    >>> from pathlib import Path
    >>> from offgraph.sources import open_source
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for kind in ("cat", "dog"):
    ...         (Path(folder) / kind).mkdir()
    ...         offgraph.encode.imwrite(f"{folder}/{kind}/1.png", np.zeros((4, 5), np.uint8))
    ...     source = open_source(folder)
    ...     source.class_names, source[1].name, source.read(1).image.array.shape
    (('cat', 'dog'), 'dog/1.png', (4, 5, 3))
    """

    items: tuple[Item, ...]
    class_names: tuple[str, ...]
    root: Path
    reading: Reading = Reading()
    skipped: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    walked: bool = False
    table: Path | None = None

    def __post_init__(self) -> None:
        if not self.items:
            left_out = ", ".join(f"{count} {reason}" for reason, count in self.skipped.items())
            raise SourceError(
                f"{self.root}: no pictures in it" + (f" (left out: {left_out})" if left_out else "")
            )

    @property
    def color(self) -> Color:
        """Colour policy of the pictures."""
        return self.reading.color

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Item:  # type: ignore[override]  # no slices: `subset` keeps the columns
        return self.items[index]

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __repr__(self) -> str:
        classes = f", {len(self.class_names)} classes" if self.class_names else ""
        return f"<Source {self.table or self.root}: {count_of(len(self), 'picture')}{classes}>"

    def _repr_html_(self) -> str:
        from offgraph import notebook

        return notebook.of_source(self)

    def holds(self, out: Path) -> str | None:
        """Say why nothing is to be written to a path: there it would be taken for more pictures. Else None."""
        here, root = out.resolve(), self.root.resolve()
        if not self.walked or not here.is_relative_to(root):
            return None
        where = "is" if here == root else "lies inside"
        return f"{out}: {where} the source {self.root}; choose a folder outside of it"

    def subset(self, indices: Sequence[int]) -> Source:
        """Return the source of some of the items, in the order given; class names stay."""
        return replace(
            self,
            items=tuple(self.items[i] for i in indices),
            skipped={},
            columns={name: tuple(values[i] for i in indices) for name, values in self.columns.items()},
        )

    def read(self, index: int) -> Sample:
        """Read one item from its files.

        Raises
        ------
        DecodeError
            Where the picture or its mask cannot be read, or the two do not fit; names the file.
        """
        item = self.items[index]
        how = self.reading
        picture = read(item.path, color=how.color, axes=how.axes, alpha=how.alpha, max_pixels=how.max_pixels)
        try:
            image = Image(picture.array, picture.axes)
        except ValueError as error:
            raise DecodeError(f"{item.path}: {error}") from error
        mask = None if item.mask is None else _read_mask(item.mask, image, picture, how.max_pixels)
        return Sample(image, mask, item.label, picture, item)


def _read_mask(path: Path, image: Image, picture: Picture, max_pixels: int) -> Mask:
    axes = "".join(name for name in image.axes if name != "C")
    found = read(path, color="labels", axes=axes if len(axes) > 2 else None, max_pixels=max_pixels)
    if "C" in found.axes:
        raise DecodeError(
            f"{path}: a mask of shape {found.array.shape} has colours; a mask holds one label a pixel: save it as "
            "grey or palette PNG, or as TIFF"
        )
    if found.format == "JPEG":
        raise DecodeError(
            f"{path}: JPEG is lossy, so its values are not labels any more; save masks as PNG or TIFF "
            "(a mask of two values: threshold it first)"
        )
    if found.array.shape != image.spec.size:
        unturned = found.array.shape[-2:] == picture.stored_size != image.spec.size
        hint = (
            "; it fits the picture before its EXIF orientation was applied: turn the mask too"
            if unturned
            else ""
        )
        raise DecodeError(f"{path}: a mask of {found.array.shape} for a picture of {image.spec.size}{hint}")
    try:
        return Mask(found.array, found.axes)
    except ValueError as error:
        raise DecodeError(f"{path}: {error}") from error


def count_of(number: int, what: str) -> str:
    """Say how many: ``"1 picture"``, ``"2 pictures"``, ``"12,000 pictures"``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


_DIGITS = re.compile(r"([0-9]+)")


def natural_key(name: str) -> tuple:
    """Sort key by which ``img2`` comes before ``img10``, folder by folder; equal only for equal names."""

    def split(part: str) -> tuple:
        pieces = _DIGITS.split(part)
        # digits compare by value, as (length, digits) without leading zeros, so that no length is too long
        return tuple(
            (len(piece.lstrip("0")), piece.lstrip("0")) if i % 2 else (0, piece)
            for i, piece in enumerate(pieces)
        )

    return (*(split(part) for part in name.split("/")), (((0, name),)))
