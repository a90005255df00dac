"""Divide a source into training, validation and test parts that never change by chance."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from offgraph.core.counting import count_of
from offgraph.core.errors import SourceError
from offgraph.sources.base import Source
from offgraph.sources.classes import classes_of
from offgraph.sources.items import Item
from offgraph.sources.names import nfc
from offgraph.sources.opening import open_source

__all__ = ["GroupBy", "main_label", "split", "strata_of", "units_of"]

GroupBy = Callable[[Item], str] | str


def split(
    source: Source | str | os.PathLike[str],
    val: float = 0.2,
    test: float = 0.0,
    seed: int = 0,
    group_by: GroupBy | None = None,
    **options: Any,
) -> tuple[Source, ...]:
    """Divide a source into (train, val), or (train, val, test) where `test` is not 0.

    Which part an item falls into follows from `seed` and its name alone, by a hash: not from the order of the
    listing, the machine or a random generator. Parts keep the source's order.

    Parameters
    ----------
    source : Source or path
        A path is opened by `offgraph.sources.open_source`.
    val, test : float or int
        A float is a fraction of the images, 0 ≤ x < 1; an int is a number of images.
    seed : int
        Another seed gives another division.
    group_by : callable, str or None
        What must stay on one side: a function of an `Item`, the name of a CSV column, or ``"parent"`` for the
        folder of the file. ``None``: the CSV's column ``group``, if there is one.
    **options
        Passed on to `open_source` with a path, such as ``color``.

    Returns
    -------
    tuple of Source
        Each class has the same share in every part, and an image in every part wherever it has enough; an image of
        several classes counts for the rarest of them. With groups the numbers are as close as whole groups allow.
        Copies of one image that a table repeats stay together. A part of 0 images is left out, but for
        the first two.

    Raises
    ------
    SourceError
        If the source cannot be divided by these fractions or counts.

    Examples
    --------
    >>> from pathlib import Path
    >>> from offgraph.sources import Item, Source, split
    >>> items = tuple(Item(f"{i}.png", Path(f"{i}.png"), i % 2) for i in range(10))
    >>> train, val = split(Source(items, ("a", "b"), Path(".")), val=0.2, seed=7)
    >>> len(train), sorted(item.label for item in val)
    (8, [0, 1])
    """
    if not isinstance(source, Source):
        source = open_source(source, **options)
    elif options:
        raise TypeError(f"{', '.join(options)}: only where source is a path; an open source has its own")
    wanted = [_count(name, share, len(source)) for name, share in (("test", test), ("val", val))]
    if not wanted[1]:
        raise SourceError(
            f"val={val}: {source.table or source.root} with {count_of(len(source), 'image')} leaves nothing for validation"
        )
    if sum(wanted) >= len(source):
        raise SourceError(
            f"val={val}, test={test}: nothing of the {len(source)} images in {source.table or source.root} is left for training"
        )
    where = source.table or source.root
    units = units_of(source, group_by, seed)
    asked = [
        (count, isinstance(share, int)) for count, share in zip(wanted, (test, val), strict=True) if count
    ]
    if len(units) <= len(asked):
        raise SourceError(
            f"{where}: {count_of(len(units), 'group')} cannot be divided into {len(asked) + 1} parts"
        )
    labels = strata_of(source)
    by_class: dict[int | None, list[list[int]]] = defaultdict(list)
    for unit in units:
        by_class[main_label(labels, unit)].append(unit)
    strata = [by_class[label] for label in sorted(by_class, key=lambda label: -1 if label is None else label)]
    whole_classes = all(len(stratum) == 1 for stratum in strata)
    parts: list[list[int]] = []
    for position, (count, exact) in enumerate(asked):
        later = len(asked) - position  # parts that still want a unit of each class, training among them
        parts.append(_take(strata, count, later, exact))
    parts.append([i for stratum in strata for unit in stratum for i in unit])
    names = [name for name, count in zip(("test", "val"), wanted, strict=True) if count] + ["train"]
    for name, part in zip(names, parts, strict=True):
        if not part and whole_classes:
            raise SourceError(
                f"{where}: each class is one group, and a group is never divided: group by what lies inside the classes, "
                "such as a patient"
            )
        if not part:
            raise SourceError(
                f"{where}: groups are too large to leave an image for {name}; ask for another share"
            )
    return tuple(source.subset(sorted(part)) for part in reversed(parts))


def _count(name: str, share: float, total: int) -> int:
    if isinstance(share, bool) or not isinstance(share, int | float) or not math.isfinite(share) or share < 0:
        raise SourceError(f"{name}={share!r}: give a fraction from 0 to below 1, or a number of images")
    if isinstance(share, int):
        return share
    if share >= 1:
        raise SourceError(
            f"{name}={share!r}: a fraction is below 1; write {int(share)} without a point for a number of images"
        )
    return max(1, round(share * total)) if share else 0


def units_of(source: Source, group_by: GroupBy | None, seed: int) -> list[list[int]]:
    """Indices that stay together, in the order of a hash of seed and name."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, key in enumerate(_group_keys(source, group_by)):
        groups[("name", source[i].name) if key is None else ("group", nfc(key))].append(i)
    _join_copies(source, groups)
    return [groups[key] for key in sorted(groups, key=lambda key: (_rank(seed, *key), key))]


def _join_copies(source: Source, groups: dict[tuple[str, str], list[int]]) -> None:
    """Join groups that hold copies of one image, whatever group their rows name; the first key in order stays."""
    if all(item.copy_of is None for item in source):
        return
    key_of = {i: key for key, indices in groups.items() for i in indices}
    of_image: dict[str, list[int]] = defaultdict(list)
    for i, item in enumerate(source):
        of_image[item.copy_of or item.name].append(i)
    for same in of_image.values():
        keys = sorted({key_of[i] for i in same}, key=lambda key: (key[1], key[0]))
        for key in keys[1:]:
            for i in groups[key]:
                key_of[i] = keys[0]
            groups[keys[0]] += groups.pop(key)
        if len(keys) > 1:
            groups[keys[0]].sort()


def _rank(seed: int, kind: str, name: str) -> bytes:
    """Place of a name in an order that no machine changes: not even one that writes letters in another form."""
    return hashlib.sha256(f"{seed}\0{kind}\0{nfc(name)}".encode("utf-8", "surrogateescape")).digest()


def _group_keys(source: Source, group_by: GroupBy | None) -> Sequence[str | None]:
    if group_by is None:
        return [item.group for item in source]
    if callable(group_by):
        keys = [group_by(item) for item in source]
        for item, key in zip(source, keys, strict=True):
            if not isinstance(key, str) or not key:
                raise SourceError(f"group_by gives {key!r} for {item.name}: give a text that names its group")
        return keys
    if group_by in source.columns:
        keys = source.columns[group_by]
        for item, key in zip(source, keys, strict=True):
            if not key:
                raise SourceError(f"group_by={group_by!r}: the column is empty for {item.name}")
        return keys
    if group_by == "group" and any(item.group for item in source):
        return [item.group for item in source]
    if group_by == "parent":
        return [PurePosixPath(item.name).parent.as_posix() for item in source]
    columns = ", ".join(source.columns) or "none"
    raise SourceError(
        f"{source.table or source.root}: group_by={group_by!r:.80}: give a function, 'parent', or a column of the table ({columns})"
    )


def strata_of(source: Source) -> list[int | None]:
    """Class of each item that its part of a division follows: of several classes the rarest; None for numbers."""
    if source.task == "regress":
        return [None] * len(source)
    counts = Counter(number for item in source for number in classes_of(item))
    return [
        min(classes_of(item), key=lambda number: (counts[number], number), default=None) for item in source
    ]


def main_label(labels: list[int | None], unit: list[int]) -> int | None:
    """The label that most of a group has; of equally many, the first."""
    counts = Counter(labels[i] for i in unit)
    return min(counts, key=lambda label: (-counts[label], -1 if label is None else label))


def _take(strata: list[list[list[int]]], count: int, later: int, exact: bool) -> list[int]:
    """Take about `count` indices in whole units from the front of each stratum, and remove them from it."""
    taken: list[int] = []
    for stratum, quota in zip(strata, _quotas(strata, count, later, exact), strict=True):
        filled, kept = 0, []
        spare = len(stratum) - min(
            later, len(stratum) - 1
        )  # units that may go without emptying the later parts
        for unit in stratum:
            closer = abs(filled + len(unit) - quota) < abs(filled - quota)
            if spare > 0 and (closer or (quota and not filled)):
                taken += unit
                filled += len(unit)
                spare -= 1
            else:
                kept.append(unit)
        stratum[:] = kept
    return taken


def _quotas(strata: list[list[list[int]]], count: int, later: int, exact: bool) -> list[int]:
    """Share `count` among strata in proportion, at least one where a stratum has a unit for every part."""
    sizes = [sum(map(len, stratum)) for stratum in strata]
    least = [1 if len(stratum) > later else 0 for stratum in strata]
    if sum(least) > count and exact:
        least = [0] * len(strata)  # a number was asked for that is smaller than the number of classes
    count = max(count, sum(least))
    most = [size - 1 if len(stratum) > 1 else 0 for size, stratum in zip(sizes, strata, strict=True)]
    if sum(most) < count:
        most = sizes
    ideal = [count * size / sum(sizes) for size in sizes]
    quotas = [
        min(max(low, math.floor(share)), high) for low, share, high in zip(least, ideal, most, strict=True)
    ]
    while (missing := count - sum(quotas)) != 0:
        step = 1 if missing > 0 else -1
        free = [i for i, quota in enumerate(quotas) if (quota < most[i] if step > 0 else quota > least[i])]
        best = max(free, key=lambda i: (step * (ideal[i] - quotas[i]), -i))
        quotas[best] += step
    return quotas
