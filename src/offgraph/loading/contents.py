"""Which classes the images of a source show, and how much of each: what balances them, and what classes weigh."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError
from offgraph.core.machine import with_retries
from offgraph.loading.samples import Samples
from offgraph.pipeline.failures import BAD_FILE, name_file
from offgraph.pipeline.workers import ordered_map

__all__ = ["Contents", "contents_of", "parse_class_weight", "parse_ignore"]

_MOST = 1 << 16
"""Class numbers that weights are looked up by; a mask of more labels numbers objects."""

Shown = tuple[np.ndarray, np.ndarray]
"""Classes, rising, and how much of each there is: objects, pixels, or 1."""


@dataclass(frozen=True, eq=False)
class Contents:
    """The classes of images.

    Parameters
    ----------
    images : ndarray of int64, shape (m,)
        Number of the image, rising.
    classes : ndarray of int64, shape (m,)
        A class that it shows.
    amounts : ndarray of int64, shape (m,)
        How many objects or pixels of it; 1 for a label of the whole image.
    count : int
        Number of all images.
    """

    images: np.ndarray
    classes: np.ndarray
    amounts: np.ndarray
    count: int

    @classmethod
    def of(cls, shown: Iterable[Shown]) -> Contents:
        """Put together what each image shows."""
        found = list(shown)
        images = np.repeat(np.arange(len(found)), [len(classes) for classes, _ in found])
        nothing = np.zeros(0, np.int64)
        classes = np.concatenate([nothing, *(classes for classes, _ in found)]).astype(np.int64)
        amounts = np.concatenate([nothing, *(amounts for _, amounts in found)]).astype(np.int64)
        return cls(images, classes, amounts, len(found))

    def rarest(self) -> tuple[np.ndarray, np.ndarray]:
        """Return for each image its rarest class, and the number of images that show it.

        It is the one that the fewest images show, of equally rare ones the first. -1 and the number of all images where an
        image shows none.
        """
        names, places = np.unique(self.classes, return_inverse=True)
        spread = np.bincount(places, minlength=len(names))[places] if len(names) else places
        order = np.lexsort((self.classes, spread, self.images))
        _, first = np.unique(self.images[order], return_index=True)
        chosen = order[first]
        rarest, shown_by = np.full(self.count, -1, np.int64), np.full(self.count, self.count, np.int64)
        rarest[self.images[chosen]] = self.classes[chosen]
        shown_by[self.images[chosen]] = spread[chosen]
        return rarest, shown_by

    def weights(self, classes: Iterable[int], ignore: Sequence[int] = ()) -> dict[int, float]:
        """Return the weight of each class: all there is / (classes there are * what there is of the class).

        Parameters
        ----------
        classes : iterable of int
            Those to be listed though there is nothing of them, with 0.
        ignore : sequence of int
            Classes that count nothing and are not listed.
        """
        totals: dict[int, int] = {}
        names, places = np.unique(self.classes, return_inverse=True)
        sums = np.zeros(len(names), np.int64)
        np.add.at(sums, places, self.amounts)
        for name, amount in zip(names.tolist(), sums.tolist()):
            totals[name] = amount
        kept = {n: totals.get(n, 0) for n in sorted({*classes, *totals}) if n not in ignore}
        whole, used = sum(kept.values()), sum(amount > 0 for amount in kept.values())
        return {n: whole / (used * amount) if amount else 0.0 for n, amount in kept.items()}


def contents_of(samples: Samples, threads: int, *, skip: bool, read_timeout: float | None) -> Contents | None:
    """Look at what each sample of a source shows; None where its task has no classes.

    Parameters
    ----------
    samples : Samples
    threads : int
        That masks are read with.
    skip : bool
        Whether one that cannot be read counts as showing nothing.
    read_timeout : float or None

    Raises
    ------
    OffgraphError
        For one that cannot be read, unless `skip`; names it.
    """
    if samples.labels.task == "classify":
        classes = samples.classes()
        if classes is None:
            return None
        numbers = np.arange(len(classes))
        return Contents(numbers, classes.astype(np.int64), np.ones(len(classes), np.int64), len(classes))
    if samples.labels.task not in ("multilabel", "detect", "segment"):
        return None
    look = functools.partial(_look, samples.shown, samples.name, skip)
    if samples.labels.task != "segment":
        return Contents.of(map(look, range(len(samples))))
    mapped = ordered_map(look, range(len(samples)), threads=threads, read_timeout=read_timeout)
    with closing(mapped) as shown:
        return Contents.of(shown)


def _look(shown: Callable[[int], Shown], name: Callable[[int], str], skip: bool, number: int) -> Shown:
    try:
        return with_retries(functools.partial(shown, number))
    except BAD_FILE as error:
        if skip:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        named = name_file(error, name(number))
        if named is error:
            raise
        raise named from error


def parse_ignore(given: object) -> tuple[int, ...]:
    """Return class numbers that are not to count.

    Raises
    ------
    ArgumentError
    """
    listed = given if isinstance(given, list | tuple | set | frozenset) else () if given is None else (given,)
    return tuple(whole_number("ignore", one, least=0) for one in listed)


def parse_class_weight(
    given: object, task: str | None, balanced: Callable[[], dict[int, float]]
) -> dict[int, float] | None:
    """Return the weight of each class that a loader's argument gives; None where all count alike.

    Parameters
    ----------
    given
        None, "balanced", or a mapping of class numbers to weights.
    task : str or None
        Of the source.
    balanced : callable
        Gives the balanced weights.

    Raises
    ------
    ArgumentError
    """
    if given is None:
        return None
    if task not in ("classify", "segment"):
        raise ArgumentError(
            f"class_weight={given!r:.80}: is for sources with one class per image or per pixel, and this one has the task "
            f"{task!r}; leave it out, and weigh classes in the loss, by loader.class_weights()"
        )
    if isinstance(given, str) and given == "balanced":
        weights = balanced()
        if max(weights) >= _MOST:
            raise ArgumentError(
                f"class_weight='balanced': the masks have labels up to {max(weights):,}, which number objects and not classes; "
                "leave it out"
            )
        return weights
    wanted = f"class_weight={given!r:.80}: give 'balanced', or a weight from 0 for each class number, such as {{0: 1, 1: 5}}"
    if not isinstance(given, dict) or not given:
        raise ArgumentError(wanted)
    weights = {}
    for key, value in given.items():
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if (
            isinstance(key, bool)
            or not isinstance(key, int | np.integer)
            or not 0 <= key < _MOST
            or not is_number
        ):
            raise ArgumentError(wanted)
        if not np.isfinite(value) or value < 0:
            raise ArgumentError(wanted)
        weights[int(key)] = float(value)
    return weights
