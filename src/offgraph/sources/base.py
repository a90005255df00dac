"""Where images come from: `Source`, an ordered list of `Item`, each read into a `Sample`."""

from __future__ import annotations

import errno
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from offgraph.core.choices import Color, Task
from offgraph.core.counting import count_of, spread
from offgraph.core.display import NotebookView
from offgraph.core.errors import (
    DecodeError,
    FileAccessError,
    MachineError,
    SourceError,
)
from offgraph.core.machine import Mount, Read
from offgraph.core.random import KeysOfEpoch
from offgraph.engine.files import SampleRows
from offgraph.formats.decoding import DecodedImage, read
from offgraph.formats.ordinary import OrdinaryFile, OrdinaryRows, file_rules, read_ordinary
from offgraph.plan.compiled import RecipePlanner
from offgraph.sources.classes import class_numbers, classes_of, refuse_classes, said_task
from offgraph.sources.items import Item, ItemColumns, Label
from offgraph.sources.masks import background, read_mask
from offgraph.sources.names import named, nfc, parse_class_names, printable
from offgraph.sources.object_targets import object_targets
from offgraph.sources.objects import Keypoints
from offgraph.sources.reading import Reading
from offgraph.sources.sample import Sample
from offgraph.targets import Image, Mask, Target, Targets

__all__ = ["MASK_ADVICE", "Source"]

_TYPICAL = 7
"""Items read to find out what most of a source holds. Odd, so that two kinds cannot tie."""

MASK_ADVICE = "write missing_mask='skip' to leave them out, or missing_mask='background' for masks of zeros"


@dataclass(frozen=True, eq=False)
class Source(NotebookView, Sequence[Item]):
    """An ordered list of images; files are opened only by `read`.

    Parameters
    ----------
    items : sequence of Item
        In natural order of their names; names are unique. Those of a folder or a table without masks are made when they are
        asked for.
    class_names : tuple of str
        In the order of the class numbers; empty where items have no class.
    root : Path
        The folder that names are relative to.
    reading : Reading
        How files are read.
    skipped : mapping of str to int
        What was left out, counted by reason.
    left_out : mapping of str to tuple of str
        Names of what was left out, by reason: the first 1,000 of each, as they may be shown.
    columns : mapping of str to tuple of str
        Further columns of a CSV, one value an item; `offgraph.split` groups by them.
    table : Path or None
        The CSV, of a source that is one.
    walked : bool
        Whether the items are whatever lies in the root, so that a file put there becomes one of them.
    task : {"classify", "multilabel", "regress", "segment", "detect"} or None
        What there is to learn: follows from the labels unless given. A source with labels and masks has the task of
        its labels; ``"segment"`` is one with masks alone. None where there is neither.
    target_names : tuple of str
        Columns that the numbers of ``"regress"`` come from.
    has_masks : bool
        Whether `read` gives a mask for every item. A property of the whole: a part (`subset`) has its source's.
    skipped_boxes : mapping of str to int
        Annotated objects that are not passed on, counted by reason.
    left_out_boxes : mapping of str to tuple of str
        File and place of these, by reason: the first 1,000 of each.
    keypoints : Keypoints or None
        What the keypoints of each object are.
    category_ids : mapping of str to int or str
        Of a COCO file: the id that each class has there.
    typical : tuple of Item
        A few items spread over the source, by which depth and dtype of most of it are known; a part has its source's,
        so that training and validation are held against the same.

    Raises
    ------
    SourceError
        Where there are no items, or some have a mask and others have none while ``reading.missing_mask`` is
        ``"error"``; names them.

    Examples
    --------
    >>> import numpy as np, offgraph.formats.encoding, tempfile
    >>> from pathlib import Path
    >>> from offgraph.sources import open_source
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for kind in ("cat", "dog"):
    ...         (Path(folder) / kind).mkdir()
    ...         offgraph.formats.encoding.imwrite(f"{folder}/{kind}/1.png", np.zeros((4, 5), np.uint8))
    ...     source = open_source(folder)
    ...     source.class_names, source[1].name, source.read(1).image.array.shape
    (('cat', 'dog'), 'dog/1.png', (4, 5, 3))
    """

    items: Sequence[Item]
    class_names: tuple[str, ...]
    root: Path
    reading: Reading = Reading()  # noqa: RUF009  # frozen
    skipped: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    walked: bool = False
    table: Path | None = None
    task: Task | None = None
    target_names: tuple[str, ...] = ()
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    has_masks: bool = None  # type: ignore[assignment]  # asked of all items in __post_init__
    typical: tuple[Item, ...] = field(default=(), repr=False)
    skipped_boxes: Mapping[str, int] = field(default_factory=dict)
    left_out_boxes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keypoints: Keypoints | None = None
    category_ids: Mapping[str, int | str] = field(default_factory=dict)
    _mount: Mount = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.items:
            left_out = ", ".join(f"{count} {reason}" for reason, count in self.skipped.items())
            raise SourceError(
                f"{printable(self.root)}: no images in it" + (f" (left out: {left_out})" if left_out else "")
            )
        object.__setattr__(self, "_mount", Mount(self.root))
        if not self.typical:
            object.__setattr__(self, "typical", tuple(self.items[i] for i in spread(len(self), _TYPICAL)))
        if self.has_masks is None:
            columns = isinstance(self.items, ItemColumns)
            files = not columns and any(item.mask is not None for item in self.items)
            object.__setattr__(self, "has_masks", files or self.reading.object_masks is not None)
        if self.has_masks and not self.reading.object_masks and self.reading.missing_mask != "background":
            bare = [item.name for item in self.items if item.mask is None]
            if bare:
                raise SourceError(f"{self.where}: {len(bare)} without a mask: {named(bare)}; {MASK_ADVICE}")
        if self.task is None:
            object.__setattr__(self, "task", self._inferred_task())

    def _inferred_task(self) -> Task | None:
        if self.target_names:
            return "regress"
        if self.class_names:
            columns = isinstance(self.items, ItemColumns)
            several = not columns and any(isinstance(item.label, tuple) for item in self.items)
            return "multilabel" if several else "classify"
        return "segment" if self.has_masks else None

    @property
    def color(self) -> Color:
        """Colour policy of the images."""
        return self.reading.color

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Item:  # type: ignore[override]  # no slices: `subset` keeps the columns
        return self.items[index]

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __repr__(self) -> str:
        learnt = said_task(self.task, self.class_names, self.target_names)
        task = f", {learnt}" if learnt else ""
        masks = ", with masks" if self.has_masks and self.task != "segment" else ""
        return f"<Source {self.where}: {count_of(len(self), 'image')}{printable(task)}{masks}>"

    @property
    def where(self) -> str:
        """The table or folder, for messages."""
        return printable(self.table or self.root)

    @property
    def digest(self) -> str:
        """Digest of the names of the items, in their order, as 32 hexadecimal digits."""
        found = hashlib.sha256()
        for name in self.names():
            found.update(name.encode("utf-8", "surrogateescape") + b"\0")
        return found.hexdigest()[:32]

    def names(self) -> Iterator[str]:
        """Names of the items, in order; faster than from the items."""
        if isinstance(self.items, ItemColumns):
            return self.items.names()
        return (item.name for item in self.items)

    def holds(self, out: Path) -> str | None:
        """Say why nothing is to be written to a path: there it would be taken for more images. Else None."""
        here, root = out.resolve(), self.root.resolve()
        if not self.walked or not here.is_relative_to(root):
            return None
        where = "is the source itself" if here == root else f"lies inside the source {self.root}"
        return f"{out}: {where}; choose a folder outside of it"

    def subset(self, indices: Sequence[int]) -> Source:
        """Return the source of some of the items, in the order given; class names stay."""
        return replace(
            self,
            items=(
                self.items.selected(indices)
                if isinstance(self.items, ItemColumns)
                else tuple(self.items[i] for i in indices)
            ),
            skipped={},
            left_out={},
            skipped_boxes={},
            left_out_boxes={},
            columns={name: tuple(values[i] for i in indices) for name, values in self.columns.items()},
        )

    @property
    def most_objects(self) -> int:
        """The largest number of objects that an item has."""
        if isinstance(self.items, ItemColumns):
            return 0
        return max((len(item.objects) for item in self.items if item.objects is not None), default=0)

    @property
    def box_axes(self) -> int:
        """Spatial axes of the images that boxes are for: 2, or 3 in volumes."""
        if isinstance(self.items, ItemColumns):
            return 2
        return next((item.objects.axes for item in self.items if item.objects is not None), 2)

    def of_typical(self) -> Source:
        """Return the source of the typical items alone."""
        return replace(self, items=self.typical, skipped={}, left_out={}, columns={})

    def without_objects(self) -> Source:
        """Return the images alone, of a source with annotated objects."""
        items = tuple(replace(item, objects=None) for item in self.items)
        return replace(
            self,
            items=items,
            class_names=(),
            task=None,
            has_masks=None,  # type: ignore[arg-type]  # asked of the items again
            typical=(),
            reading=replace(self.reading, object_masks=None),
            keypoints=None,
            skipped_boxes={},
            left_out_boxes={},
        )

    def with_class_names(self, class_names: Sequence[str]) -> Source:
        """Return the source with the class numbers of other names, such as those a saved model has.

        Parameters
        ----------
        class_names : sequence of str
            All classes, in the order of their numbers. Names are compared in Unicode's composed form (NFC).

        Returns
        -------
        Source
            The same items, renumbered. A source without classes is returned as it is.

        Raises
        ------
        SourceError
            Where items have a class that is not among the names; says which.
        """
        names = parse_class_names(class_names)
        if not self.class_names:
            return self
        used = set[int]()
        if isinstance(self.items, ItemColumns):
            used = self.items.classes()
        else:
            for item in self.items:
                used.update(classes_of(item))
        refuse_classes(self.where, {self.class_names[number] for number in used}, names)
        known = {name: number for number, name in enumerate(names)}
        renumbered = {i: known[nfc(name)] for i, name in enumerate(self.class_names) if nfc(name) in known}

        def renumber(label: Label | None) -> Label | None:
            if isinstance(label, tuple):
                return tuple(sorted(renumbered[int(number)] for number in label))
            return None if label is None else renumbered[label]

        if isinstance(self.items, ItemColumns):
            return replace(self, items=self.items.relabelled(renumbered), class_names=names)
        items = tuple(
            replace(
                item,
                label=renumber(item.label),
                objects=None if item.objects is None else item.objects.renumbered(renumbered),
            )
            for item in self.items
        )
        return replace(self, items=items, class_names=names)

    def label_text(self, label: Label | None) -> str:
        """Say a label in words: ``"cat"``, ``"cat, dog"``, ``"x 1.5, y 2"``; empty where there is none."""
        if label is None:
            return ""
        if self.target_names and isinstance(label, tuple):
            return ", ".join(
                f"{name} {value:g}" for name, value in zip(self.target_names, label, strict=True)
            )
        return ", ".join(self.class_names[number] for number in class_numbers(label)) or "no class"

    def read(self, index: int) -> Sample:
        """Read one item from its files.

        Raises
        ------
        DecodeError
            Where the image or its mask cannot be read, or the two do not fit; names the file.
        MachineError
            Where the machine failed, or the whole source is out of reach.
        """
        try:
            sample = self._read(index)
        except FileAccessError as error:
            trouble = self.out_of_reach(index)
            if trouble:
                raise MachineError(
                    f"{self.items[index].path}: {trouble}", OSError(errno.EIO, trouble)
                ) from error
            raise
        for path in self._files(index):
            self._mount.found(path)
        return sample

    def out_of_reach(self, index: int, *, listed: bool | None = None) -> str | None:
        """Say why the files of an item cannot be reached though it may be sound; None where only a file is missing.

        Parameters
        ----------
        index : int
        listed : bool, optional
            Whether its files were there when the source was opened; known of a folder, unless given.
        """
        known = self.walked if listed is None else listed
        for path in self._files(index):
            with Read(path):  # a drive that is gone may not answer
                trouble = None if path.exists() else self._mount.trouble(path, listed=known)
            if trouble:
                return trouble
        return None

    def watch(self) -> None:
        """Note which folders the files lie in now, so that a drive among them that goes away is noticed."""
        if isinstance(self.items, ItemColumns):
            for folder in {name.rpartition("/")[0] for name in self.items.names()}:
                self._mount.found(self.items.root / folder / "_")
            return
        for index in range(len(self)):
            for path in self._files(index):
                self._mount.found(path)

    def _files(self, index: int) -> tuple[Path, ...]:
        item = self.items[index]
        return (item.path,) if item.mask is None else (item.path, item.mask)

    def _read(self, index: int) -> Sample:
        item = self.items[index]
        how = self.reading
        decoded = read(
            item.path,
            color=how.color,
            axes=how.axes,
            alpha=how.alpha,
            max_pixels=how.max_pixels,
            page=how.page,
        )
        return self._sample(item, decoded)

    @functools.cached_property
    def _has_images_alone(self) -> bool:
        """Whether nothing lies beside the images, and they are read as they are."""
        if self.reading.axes is not None or self.reading.page or self.has_masks:
            return False
        return isinstance(self.items, ItemColumns) or not any(
            item.mask is not None or item.objects is not None for item in self.items
        )

    @property
    def row_dtypes(self) -> tuple[str, ...]:
        """Types of the images that a native call reads."""
        return ("uint8", "uint16")

    def ordinary_rows(
        self,
        indices: Sequence[int],
        planner: RecipePlanner,
        keys: Sequence[tuple[int, int, int]],
        *,
        depth: int | None,
        finite: bool,
        digests: bool = False,
        row_digests: bool = False,
    ) -> OrdinaryRows | None:
        """Return samples of items that are images alone, to be made in one call; None for other sources.

        Parameters
        ----------
        indices : sequence of int
        planner : RecipePlanner
        keys : sequence of tuple of int
            Seed, epoch and index of each; `KeysOfEpoch` where the indices are those of the keys.
        depth, finite, digests, row_digests
            As for `offgraph.formats.ordinary.file_rules`.
        """
        if not self._has_images_alone:
            return None
        how = self.reading
        rules = file_rules(how.color, how.max_pixels, depth, finite, digests, row_digests)
        named = self.items.named_files if isinstance(self.items, ItemColumns) else None
        if named is not None and isinstance(keys, KeysOfEpoch):
            rows = SampleRows.of_names(*named, indices, keys.seed, keys.epoch, rules)
        else:
            rows = SampleRows.of_files(self.paths_of(indices), keys, rules)
        return OrdinaryRows(planner, rows, lambda place: self.paths_of([indices[place]])[0])

    def digests_of(self, item: Item) -> tuple[str, str | None] | None:
        """Return None: what lies in files is known by their bytes. For an item in memory, SHA-256 of its image and its mask."""
        return

    def names_of(self, indices: Sequence[int]) -> list[str]:
        """Names of some of the items; faster than from the items."""
        if isinstance(self.items, ItemColumns):
            return self.items.names_of(indices)
        return [self.items[index].name for index in indices]

    def paths_of(self, indices: Sequence[int]) -> list[str]:
        """Files of some of the items; faster than from the items."""
        if isinstance(self.items, ItemColumns):
            return self.items.paths(indices)
        return [str(self.items[index].path) for index in indices]

    def labels(self, indices: Sequence[int]) -> Sequence[Label | None]:
        """Labels of items, as in `Item.label`."""
        if isinstance(self.items, ItemColumns):
            return self.items.labels(indices)
        return [self.items[index].label for index in indices]

    def read_ordinary(self, indices: Sequence[int]) -> list[tuple[OrdinaryFile, Sample] | None]:
        """Read items as far as the headers of their images: a native call decodes them with others.

        Parameters
        ----------
        indices : sequence of int

        Returns
        -------
        list of (OrdinaryFile, Sample) or None
            The sample has all targets, but an image that has a shape and no pixels. None for an item that `read` has
            to be asked for, whatever the reason.
        """
        how = self.reading
        if how.axes is not None or how.page:
            return [None] * len(indices)
        items = [self.items[index] for index in indices]
        files = read_ordinary([item.path for item in items], how.color, how.max_pixels)
        return [
            None if file is None else self._begun(index, item, file)
            for index, item, file in zip(indices, items, files)
        ]

    def _begun(self, index: int, item: Item, file: OrdinaryFile) -> tuple[OrdinaryFile, Sample] | None:
        try:
            sample = self._sample(item, file.unread())
        except Exception:  # whatever it is, `read` raises it again
            return None
        for path in self._files(index):
            self._mount.found(path)
        return file, sample

    def _sample(self, item: Item, decoded: DecodedImage) -> Sample:
        try:
            array = decoded.array
            if array.dtype == np.float16:  # widened without rounding: no step works in so few digits
                array = array.astype(np.float32)
            image = Image(array, decoded.axes).read_from(decoded.contents).calibrated(decoded.calibration)
        except ValueError as error:
            raise DecodeError(f"{item.path}: {error}") from error
        mask = None if item.mask is None else read_mask(item.mask, image, decoded, self.reading)
        return Sample(self.targets_of(item, image, decoded, mask), item.label, decoded, item)

    def targets_of(self, item: Item, image: Image, decoded: DecodedImage, mask: Mask | None) -> Targets:
        """Return an image with what lies on its grid.

        Parameters
        ----------
        item : Item
        image : Image
            Its pixels are not looked at.
        decoded : DecodedImage
            For its orientation and its stored size.
        mask : Mask or None
            That of the item's file, where it has one.

        Raises
        ------
        DecodeError
            Where the annotated objects of the item do not fit the image.
        """
        targets: dict[str, Target] = {"image": image}
        if mask is not None:
            targets["mask"] = mask
        elif self.has_masks and item.objects is None:
            targets["mask"] = background(image)
        if item.objects is not None:
            targets |= object_targets(
                item.path, item.objects, image, decoded, self.reading.object_masks, self.keypoints
            )
        return Targets(targets)
