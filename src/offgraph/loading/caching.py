"""`Loader.cache`: which part of the plan is kept, where, and how much of it."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from offgraph.core.arguments import path_of
from offgraph.core.errors import ArgumentError
from offgraph.core.specs import ArraySpec
from offgraph.core.versions import library_versions
from offgraph.loading.cache_folder import CacheFolder
from offgraph.loading.cached_samples import CachedSamples, CacheInfo
from offgraph.loading.kept import ImageCache, MemoryCache
from offgraph.loading.samples import FileSamples, Samples
from offgraph.loading.training_sample import Rules
from offgraph.recipe.compose import Compose
from offgraph.recipe.identity import canonical
from offgraph.recipe.resumed import ResumedRecipe
from offgraph.steps.structure import draws_from

if TYPE_CHECKING:
    from offgraph.loading.loader import Loader

__all__ = ["Caching", "cached", "parse_limit"]

_UNITS = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}  # fmt: skip
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


class Caching:
    """Methods of :class:`offgraph.Loader` that keep images for later epochs."""

    def cache(
        self, where: str | os.PathLike[str], *, after: str | None = None, limit: int | str | None = None
    ) -> Loader:
        """Return a loader that keeps images after the part of the plan that comes before the first draw.

        Its batches are those of this loader, byte for byte. From the second epoch on nothing is read or decoded whose file
        is as it was: size, times of modification and change, and inode of the file and of its mask's are compared
        with every use. See the page on training for where to keep what.

        Parameters
        ----------
        where : "memory" or path
            In the memory of this process, until the loader is dropped; or in a folder, which any number of
            processes may use at once, and later ones too. A folder holds images of any number of sources and
            recipes; what was made in another way (steps, options of reading, versions of libraries) is not used.
        after : str, optional
            The step that images are kept after: its id, or the name of its class where there is one such step;
            ``"decode"``: as they were read. Default: after as many steps as possible, of which none draws, all give
            integers, and none is joined with a later one (`Compose.explain` shows which are).
            What is kept of masks is what their files hold; boxes and points are not kept.
        limit : int or str, optional
            Bytes, or a text such as ``"2GB"``. Default: half of the memory, or of the space on the disk, that is free now.
            Images that fit stay, and the others are read in every epoch: to put out one for another would help nothing,
            as each is asked for once per epoch.

        Returns
        -------
        Loader
            With the options of this one. Its passes begin with the same epoch as this one's next, and are counted apart.

        Raises
        ------
        ArgumentError
            For a folder that holds something else or lies inside the source, for a step that cannot be the last one, and
            for a built dataset, which needs no cache.
        MachineError
            While batches are made: where the disk is full; names the folder.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> import offgraph as og
        >>> recipe = og.Compose([og.Resize((8, 8)), og.Augment(og.Flip("X", p=0.5)), og.Normalize("imagenet")])
        >>> with tempfile.TemporaryDirectory() as photos:
        ...     for number in range(3):
        ...         og.imwrite(f"{photos}/{number}.png", np.zeros((20, 30, 3), np.uint8))
        ...     loader = og.Loader(photos, recipe, batch_size=2).cache("memory", limit="1 MB")
        ...     for epoch in range(2):
        ...         batches = list(loader)
        ...     print(loader.cache_info())
        kept in memory after step 1, Resize (not later: step 2 of Augment, Flip draws, so it gives another image in every epoch): 3 images in 3.65 kB of 1 MB; used 6, passed by 0
        """
        loader = copy.copy(cast("Loader", self))
        maker = loader._maker
        loader._samples = cached(loader._samples, loader.recipe, maker.rules(), where, after, limit)
        loader._maker = maker.over(loader._samples)
        return loader

    def cache_info(self) -> CacheInfo | None:
        """Say what is kept, where and after which step, and how it was used; None without `cache`.

        With ``process=True`` images are kept and used by another process, and what that one does is not counted here.
        """
        samples = cast("Loader", self)._samples
        return samples.info() if isinstance(samples, CachedSamples) else None


def cached(
    samples: Samples, recipe: Compose, rules: Rules, where: Any, after: Any, limit: Any
) -> CachedSamples:
    """Return samples of which a part of the plan is kept; the arguments are those of `Loader.cache`.

    Raises
    ------
    ArgumentError
        For an argument that cannot be used.
    MachineError
        Where the folder cannot be made.
    """
    if isinstance(samples, CachedSamples):
        raise ArgumentError("the loader has a cache already: call cache() once, on the loader without one")
    if not isinstance(samples, FileSamples):
        raise ArgumentError(
            f"{samples}: is a built dataset, whose images are read without a cache; leave cache() out, or build it with "
            "format='arrow' where decoding takes long"
        )
    source = samples.source
    reference = None if rules.reference is None else rules.reference.stored
    resumed, reason = _point(recipe, reference, after)
    cache: ImageCache
    if isinstance(where, str) and where == "memory":
        cache = MemoryCache(parse_limit(limit, _memory() // 2))
    else:
        folder = path_of("where", where)
        trouble = source.holds(folder)
        if trouble:
            raise ArgumentError(f"where={trouble}")
        depth = None if rules.any_depth or reference is None else reference.dtype
        cache = CacheFolder(
            folder,
            fingerprint(recipe, resumed.done, dataclasses.asdict(source.reading), depth),
            source,
            resumed,
            limit=parse_limit(limit, None),
        )
    return CachedSamples(samples, resumed, cache, reason)


def parse_limit(limit: Any, default: Any) -> Any:
    """Return a number of bytes: of an int, or of a text such as ``"2GB"`` or ``"500 MiB"``.

    Raises
    ------
    ArgumentError
    """
    if limit is None:
        return default
    if isinstance(limit, str):
        found = _SIZE.fullmatch(limit)
        unit = None if found is None else _UNITS.get(found[2].lower())
        if found is not None and unit is not None:
            return int(float(found[1]) * unit)
    elif isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0:
        return limit
    raise ArgumentError(f"limit={limit!r:.80}: give a number of bytes, or a text such as '2GB' or '500 MB'")


def fingerprint(recipe: Compose, done: int, reading: dict[str, Any], depth: str | None) -> str:
    """SHA-256 over all that decides what is kept of a file, besides the file itself.

    Parameters
    ----------
    recipe : Compose
    done : int
        How many of its steps are done in what is kept.
    reading : dict
        How files are read.
    depth : str or None
        The dtype that images are converted to; None where each keeps its own.
    """
    known = {
        "libraries": library_versions(),
        "byteorder": sys.byteorder,
        "fuse": recipe.fuse,
        **({"decode": "scaled"} if recipe.decode == "scaled" else {}),
        "steps": canonical(recipe.steps[:done], ids=False),
        "reading": reading,
        "depth": depth,
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=list).encode()).hexdigest()


def _point(recipe: Compose, spec: ArraySpec | None, after: Any) -> tuple[ResumedRecipe, str]:
    """Where images are kept, and why not after the next step."""
    if reading := [step for step in recipe.steps if draws_from(step) == "file"]:
        raise ArgumentError(
            f"cache(): {reading[0].name} takes the pixel sizes of each file, which are not kept: build a dataset of this "
            "recipe, og.build(src, 'dataset/', recipe), and train on that"
        )
    if after is not None:
        done, scaled = _named(recipe, after), recipe.decode == "scaled"
        resumed = ResumedRecipe(recipe, done)
        refusal = resumed.refusal(spec) if spec is not None and (done or scaled) else ""
        if refusal:
            raise ArgumentError(
                f"after={after!r:.80}: {refusal}; keep images after an earlier step, after='decode', or leave after out"
                + (", or make the recipe with fuse=False" if "joined" in refusal else "")
            )
        return resumed, ""
    if spec is None:
        return ResumedRecipe(recipe, 0), "no image could be looked at"
    chosen, refusals = 0, [""]
    for done, step in enumerate(recipe.steps, 1):
        refusals.append(ResumedRecipe(recipe, done).refusal(spec))
        if not refusals[done]:
            chosen = done
        if step.draws:
            break
    whole = ResumedRecipe(recipe, chosen)
    if recipe.decode == "scaled" and (refusal := whole.refusal(spec)):
        raise ArgumentError(
            f"cache(): {refusal}, so nothing can be kept before it; write decode='window' for a cache"
        )
    return whole, (*refusals, "")[chosen + 1]


def _named(recipe: Compose, after: Any) -> int:
    """How many steps are done after the one that is named."""
    if after == "decode":
        return 0
    steps = recipe.steps
    found = [number for number, step in enumerate(steps, 1) if step.id == after]
    found = found or [number for number, step in enumerate(steps, 1) if step.name == after]
    if isinstance(after, str) and len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise ArgumentError(
            f"after={after!r:.80}: the recipe has {len(found)} steps of that name; give the step an id, such as "
            f"{after}(..., id='small'), and name that"
        )
    ids = [f"{step.id!r}" for step in steps if step.id is not None]
    names = [f"{step.name!r}" for step in steps if step.id is None]
    raise ArgumentError(
        f"after={after!r:.80}: choose 'decode', or the id or name of a step: {', '.join([*ids, *names]) or 'it has none'}"
    )


def _memory() -> int:
    """Bytes of memory that this process may still take."""
    found = [_limit_of_group()]
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            found += [int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:")]
    except (OSError, ValueError, IndexError):
        pass
    if found == [None] and hasattr(os, "sysconf"):
        with contextlib.suppress(OSError, ValueError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    known = [size for size in found if size is not None and size > 0]
    return min(known) if known else 4 << 30


def _limit_of_group() -> int | None:
    """What a container leaves free, where it has a limit."""
    for most, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            return int(Path(most).read_text()) - int(Path(used).read_text())
        except (OSError, ValueError):
            continue
    return None
