"""Images of a source, before they are read: one, and a million in little memory.

An item of its own takes about 700 bytes, most of them for its path. In columns it takes its name's bytes and 20 more.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from offgraph.formats.ordinary import NamedFiles
from offgraph.sources.columns import Names
from offgraph.sources.objects import Objects

__all__ = ["Item", "ItemColumns", "Label"]

Label = int | tuple[int, ...] | tuple[float, ...]
"""A class number (classify), class numbers in ascending order (multilabel), or one float per target (regress)."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a source.

    Parameters
    ----------
    name : str
        Path relative to the source's root, with ``/`` on every system. It is the item's identity: splits and
        records are made from it.
    path : Path
        The file.
    label : int, tuple of int, tuple of float, or None
        What the source's task says: an index into the class names (``"classify"``); the indices of all classes that
        the image shows, ascending (``"multilabel"``); one number per target (``"regress"``).
    mask : Path or None
        File with the label mask.
    group : str or None
        What must stay on one side of a split, such as a patient.
    copy_of : str or None
        Name of the item with the same file that a table repeats here; `offgraph.split` keeps copies together.
    objects : Objects or None
        Its annotated objects, of a source with the task ``"detect"``: read when the source was opened.
    """

    name: str
    path: Path
    label: Label | None = None
    mask: Path | None = None
    group: str | None = None
    copy_of: str | None = None
    objects: Objects | None = None


class ItemColumns(Sequence[Item]):
    """Items without masks, groups and objects, whose files lie below one folder by their names.

    Parameters
    ----------
    root : Path
        The folder that names are relative to.
    names : Names
    labels : ndarray of int, or None
        Class numbers; None where there are none.
    copies : ndarray of int, or None
        Row of the item with the same file; -1 where there is none.
    rows : ndarray of int, optional
        Those among the names that are items here, in this order; all unless given.
    """

    def __init__(
        self,
        root: Path,
        names: Names,
        labels: np.ndarray | None,
        copies: np.ndarray | None = None,
        rows: np.ndarray | None = None,
    ) -> None:
        self.root, self._names, self._labels, self._copies, self._rows = root, names, labels, copies, rows

    def __len__(self) -> int:
        return len(self._names) if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        row = range(len(self))[index]
        if self._rows is not None:
            row = int(self._rows[row])
        return self._item(row, self._names[row])

    def _item(self, row: int, name: str) -> Item:
        label = None if self._labels is None else int(self._labels[row])
        copy = -1 if self._copies is None else int(self._copies[row])
        return Item(name, self.root / name, label, copy_of=None if copy < 0 else self._names[copy])

    def __iter__(self) -> Iterator[Item]:
        if self._rows is not None:
            return (self[i] for i in range(len(self)))
        return (self._item(row, name) for row, name in enumerate(self._names))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ItemColumns | tuple):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other))

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"<{len(self):,} items: {shown}{', …' if len(self) > 3 else ''}>"

    def names(self) -> Iterator[str]:
        """Their names, in order."""
        return iter(self._names) if self._rows is None else map(self._names.text, self._rows.tolist())

    def names_of(self, indices: Sequence[int]) -> list[str]:
        """Names of some of them; faster than from the items."""
        return [self._names.text(row) for row in self._rows_of(indices)]

    def paths(self, indices: Sequence[int]) -> list[str]:
        """Files of some of them; faster than from the items."""
        return self._names.texts(self._rows_of(indices), self._begin)

    @functools.cached_property
    def _begin(self) -> str:
        return os.path.join(self.root, "")  # noqa: PTH118

    @functools.cached_property
    def named_files(self) -> NamedFiles | None:
        """Where the names of their files lie, for calls without a text for each; None where the system writes others."""
        if os.name != "posix" or sys.getfilesystemencoding() != "utf-8":
            return None
        order = None if self._rows is None else np.ascontiguousarray(self._rows, np.int64)
        return NamedFiles(os.fsencode(self._begin), self._names.blocks, order)

    def labels(self, indices: Sequence[int]) -> list[int | None]:
        """Class numbers of some of them, as in `Item.label`."""
        if self._labels is None:
            return [None] * len(indices)
        return self._labels[list(self._rows_of(indices))].tolist()

    def _rows_of(self, indices: Sequence[int]) -> Sequence[int]:
        return indices if self._rows is None else self._rows[list(indices)].tolist()

    def classes(self) -> set[int]:
        """Class numbers that items have."""
        if self._labels is None:
            return set()
        return set(np.unique(self._labels if self._rows is None else self._labels[self._rows]).tolist())

    def selected(self, indices: Sequence[int]) -> ItemColumns:
        """Return some of them, in another order."""
        chosen = np.fromiter(map(range(len(self)).__getitem__, indices), np.int64)
        rows = chosen if self._rows is None else self._rows[chosen]
        return ItemColumns(self.root, self._names, self._labels, self._copies, rows)

    def relabelled(self, numbers: dict[int, int]) -> ItemColumns:
        """Return them with other class numbers, by the present ones."""
        if self._labels is None or not numbers:
            return self
        table = np.full(max(max(numbers), int(self._labels.max())) + 1, -1, np.int32)
        table[list(numbers)] = list(numbers.values())
        return ItemColumns(self.root, self._names, table[self._labels], self._copies, self._rows)
