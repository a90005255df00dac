"""Divide a source into folds: each image is held out once."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

from offgraph.core.arguments import whole_number
from offgraph.core.counting import count_of
from offgraph.core.errors import SourceError
from offgraph.sources.base import Source
from offgraph.sources.opening import open_source
from offgraph.sources.split import GroupBy, main_label, strata_of, units_of

__all__ = ["folds"]


def folds(
    source: Source | str | os.PathLike[str],
    count: int = 5,
    seed: int = 0,
    group_by: GroupBy | None = None,
    **options: Any,
) -> tuple[tuple[Source, Source], ...]:
    """Divide a source for cross-validation: `count` pairs (train, val), so that each image is in one `val`.

    The units of each class, images or groups of them, are dealt out one after the other, in the order of a hash of `seed` and
    name: not in that of the listing. Each goes to the fold that has fewest of its class, then fewest at all.

    Parameters
    ----------
    source : Source or path
        A path is opened by `open_source`.
    count : int
        Number of folds, at least 2.
    seed : int
        Another seed gives other folds.
    group_by : callable, str or None
        What must stay in one fold; as for `split`.
    **options
        Passed on to `open_source` with a path, such as ``color``.

    Returns
    -------
    tuple of (Source, Source)
        Training and validation part of each fold, in the source's order, with the class numbers of all. Without groups
        and repeated images, folds differ by one image at most, in each class and in all. Copies of an image that a
        table repeats stay together.

    Raises
    ------
    SourceError
        Where there are fewer images, or groups, than folds.
    ArgumentError
        For a `count` that is no whole number of at least 2.

    Examples
    --------
    >>> from pathlib import Path
    >>> from offgraph.sources import Item, Source
    >>> items = tuple(Item(f"{i}.png", Path(f"{i}.png"), i % 2) for i in range(10))
    >>> made = folds(Source(items, ("a", "b"), Path(".")), 5, seed=7)
    >>> [(len(train), sorted(item.label for item in val)) for train, val in made]
    [(8, [0, 1]), (8, [0, 1]), (8, [0, 1]), (8, [0, 1]), (8, [0, 1])]
    """
    count = whole_number("count", count, least=2)
    if not isinstance(source, Source):
        source = open_source(source, **options)
    elif options:
        raise TypeError(f"{', '.join(options)}: only where source is a path; an open source has its own")
    units = units_of(source, group_by, seed)
    if len(units) < count:
        raise SourceError(
            f"{source.table or source.root}: {count_of(len(units), 'group')} cannot be divided into {count} folds"
        )
    labels = strata_of(source)
    by_class: dict[int | None, list[list[int]]] = defaultdict(list)
    for unit in units:
        by_class[main_label(labels, unit)].append(unit)
    held: list[list[int]] = [[] for _ in range(count)]
    for label in sorted(by_class, key=lambda label: (len(by_class[label]), -1 if label is None else label)):
        of_class = [0] * count
        for unit in by_class[label]:
            fold = min(range(count), key=lambda fold: (of_class[fold], len(held[fold]), fold))
            held[fold] += unit
            of_class[fold] += len(unit)
    made: list[tuple[Source, Source]] = []
    for out in held:
        left_out = set(out)
        made.append(
            (source.subset([i for i in range(len(source)) if i not in left_out]), source.subset(sorted(out)))
        )
    return tuple(made)
