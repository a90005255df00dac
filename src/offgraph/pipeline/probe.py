"""What the images of a source look like, known from a few of them without running the recipe."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from offgraph.core.machine import READ_TIMEOUT, with_retries
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.pipeline.failures import BAD_FILE
from offgraph.pipeline.workers import ordered_map
from offgraph.recipe.compose import Compose
from offgraph.sources import Source

__all__ = ["Probe", "Reference", "look_at", "look_at_source", "probe_sample"]


@dataclass(frozen=True)
class Probe:
    """What one image of a source looks like, known without running the recipe.

    Parameters
    ----------
    name : str
    stored : ArraySpec
        As it is read.
    image : OpenSpec
        After the recipe, with ``None`` for lengths that are drawn.
    mask : OpenSpec or None
    """

    name: str
    stored: ArraySpec
    image: OpenSpec
    mask: OpenSpec | None


@dataclass(frozen=True)
class Reference(Probe):
    """What every sample of a loader is compared with: the most frequent kind of image, and the widest mask dtype."""

    @classmethod
    def of(
        cls, probes: list[Probe], mask_dtypes: Iterable[str] = (), mask_dtype: str | None = None
    ) -> Reference:
        """Choose from probes in the order of the source: the most frequent depth, of those the most frequent
        channels, of those the most frequent shape; in a tie what comes first in the source.

        Parameters
        ----------
        probes : list of Probe
            At least one.
        mask_dtypes : iterable of str
            Those of further masks, where they are known.
        mask_dtype : str, optional
            The one to give masks, whatever they have.
        """
        keys: tuple[Callable[[Probe], Hashable], ...] = (
            lambda probe: probe.stored.dtype,
            lambda probe: (probe.image.dtype, probe.image.axes, _channels(probe.image)),
            lambda probe: probe.image.shape,
        )
        kept = probes
        for key in keys:
            wanted = Counter(map(key, kept)).most_common(1)[0][0]
            kept = [probe for probe in kept if key(probe) == wanted]
        chosen = kept[0]
        mask = chosen.mask or next((probe.mask for probe in probes if probe.mask is not None), None)
        if mask is not None:
            found = [probe.mask.dtype for probe in probes if probe.mask is not None]
            mask = mask.cast(mask_dtype or _widest(found, mask_dtypes))
        return cls(chosen.name, chosen.stored, chosen.image, mask)


def probe_sample(
    name: str, stored: ArraySpec, mask: OpenSpec | None, recipe: Compose, start: int = 0
) -> Probe:
    """Say what a sample looks like after a recipe, of which `start` steps are done."""
    after = recipe.output_spec(stored, start)
    return Probe(name, stored, after, None if mask is None else mask.resized(after.size))


def _probe_source(source: Source, number: int, recipe: Compose) -> Probe:
    """Read one item, of an ordinary file its header alone, and say what it looks like after a recipe."""
    (begun,) = source.read_ordinary([number])
    read = source.read(number) if begun is None else begun[1]
    mask = None if read.mask is None else read.mask.spec
    return probe_sample(read.item.name, read.image.spec, mask, recipe)


def look_at(
    chosen: int,
    probe_chosen: Callable[[int], Probe],
    others: int,
    probe_other: Callable[[int], Probe],
    threads: int,
    name: Callable[[int], str],
    read_timeout: float | None = READ_TIMEOUT,
) -> tuple[list[Probe], dict[str, str]]:
    """Look at chosen samples; where none of them can be used, at the others until one can.

    Parameters
    ----------
    chosen, others : int
        How many there are.
    probe_chosen, probe_other : callable
        Look at one, by its number from 0.
    threads : int
    name : callable
        Name of one of the others.
    read_timeout : float or None
        Seconds that one read of a file may take.

    Returns
    -------
    list of Probe, dict
        Those that can be used, and why not by name for the others.

    Raises
    ------
    MachineError
        Where the machine failed.
    """
    bad: dict[str, str] = {}

    def look(address: tuple[bool, int]) -> Probe | None:
        was_chosen, number = address
        try:
            return with_retries(lambda: probe_chosen(number) if was_chosen else probe_other(number))
        except BAD_FILE as error:
            if not was_chosen:
                bad[name(number)] = str(error)
            return None

    with closing(
        ordered_map(look, [(True, i) for i in range(chosen)], threads=threads, read_timeout=read_timeout)
    ) as looked:
        probes = [found for found in looked if found is not None]
    if not probes:
        with closing(
            ordered_map(look, ((False, i) for i in range(others)), threads=threads, read_timeout=read_timeout)
        ) as looked:
            probes = list(itertools.islice((found for found in looked if found is not None), 1))
    return probes, bad


def look_at_source(
    source: Source, recipe: Compose, threads: int, read_timeout: float | None = READ_TIMEOUT
) -> tuple[list[Probe], dict[str, str]]:
    """Look at the typical items of a source; see `look_at`."""
    typical = source.of_typical()
    return look_at(
        len(typical),
        lambda number: _probe_source(typical, number, recipe),
        len(source),
        lambda number: _probe_source(source, number, recipe),
        threads,
        lambda number: source[number].name,
        read_timeout,
    )


def _widest(first: list[str], more: Iterable[str]) -> str:
    """Smallest integer dtype that holds all labels of some dtypes; the first of them where there is none."""
    listed = [*first, *more]
    found = np.result_type(*map(np.dtype, listed))
    return listed[0] if found.kind == "f" else found.name


def _channels(spec: OpenSpec) -> int | None:
    return spec.shape[spec.axes.index("C")] if "C" in spec.axes else None
