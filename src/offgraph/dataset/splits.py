"""Training, validation and test parts of one source, each a separate dataset in its own folder.

``split.json`` next to the parts says how they were divided, so that a resumed run divides in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offgraph.core.errors import BuildError
from offgraph.dataset.output import PART, OutputFolder, json_bytes
from offgraph.dataset.report import BuildReport
from offgraph.recipe.compose import Compose
from offgraph.sources import Item, Source
from offgraph.sources.folder import SPLIT_FILE, is_built
from offgraph.sources.split import split

__all__ = ["Part", "divide", "merged", "note"]

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Part:
    """One part: its folder, what it is made of and how.

    Parameters
    ----------
    path : Path
    source : Source
    recipe : Compose
        The whole of it for training, without what is drawn for validation and test.
    copies : int
        Of each image; 1 for validation and test.
    """

    path: Path
    source: Source
    recipe: Compose
    copies: int


def divide(
    source: Source,
    recipe: Compose,
    out: Path,
    *,
    val: float,
    test: float,
    seed: int,
    group_by: Callable[[Item], str] | str | None,
    copies: int,
) -> list[Part]:
    """Divide a source as `offgraph.split` does; parts that are asked for as 0 are left out.

    Raises
    ------
    SourceError
        Where fractions or counts cannot be had from this source.
    """
    given = {"val": val, "test": test}
    if val:
        found = dict(
            zip(PARTS, split(source, val=val, test=test, seed=seed, group_by=group_by), strict=False)
        )
    else:
        only = split(source, val=given["test"], seed=seed, group_by=group_by)
        found = dict(zip(("train", "test"), only, strict=True))
    eval_recipe = recipe.eval()
    return [
        Part(out / name, part, recipe, copies) if name == "train" else Part(out / name, part, eval_recipe, 1)
        for name, part in found.items()
    ]


def note(out: Path, parts: list[Part], how: dict[str, Any], *, write: bool, update: bool = False) -> None:
    """Write ``split.json``, or compare with the one an earlier run wrote; for an update, parts may get other sizes.

    Raises
    ------
    BuildError
        Where the folder holds something else, or parts that were divided in another way.
    """
    how = {**how, "parts": {part.path.name: len(part.source) for part in parts}}
    folder = OutputFolder(out)
    if out.is_dir():
        written = folder.read(SPLIT_FILE)
        ours = {*how["parts"], SPLIT_FILE + PART}
        foreign = sorted(
            path.name for path in out.iterdir() if path.name not in ours and path.name != SPLIT_FILE
        )
        if written is None and is_built(out):
            raise BuildError(
                f"{out}: holds a dataset that was built without val= and test= given; leave them out, or choose another folder"
            )
        if written is None and foreign:
            raise BuildError(
                f"{out}: holds {foreign[0]} and no build of Offgraph; choose a new or an empty folder"
            )
        begun = any((out / name / "build.json").exists() for name in PARTS)
        if written is not None and begun:
            _compare(out, written, how, update)
    if write:
        with folder.writing("the folder"):
            out.mkdir(parents=True, exist_ok=True)
        folder.keep(SPLIT_FILE, json_bytes({"offgraph": 1, **how}), last=True)


def _compare(out: Path, written: bytes, how: dict[str, Any], update: bool) -> None:
    try:
        old = json.loads(written)
        version = old["offgraph"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BuildError(
            f"{out / SPLIT_FILE}: not the description of a split; remove it if it holds nothing of yours"
        ) from None
    if version != 1:
        raise BuildError(
            f"{out / SPLIT_FILE}: written by another version of Offgraph; build into another folder"
        )
    now = json.loads(json_bytes(how))
    found = [
        f"{name} was {old.get(name)!r:.100}, now {value!r:.100}"
        for name, value in sorted(now.items(), key=lambda entry: entry[0] == "parts")
        if old.get(name) != value and not (update and name == "parts")
    ]
    if found:
        raise BuildError(
            f"{out}: holds parts of another split: {'; '.join(found)}. Go on with what it was started with, or choose "
            "another folder"
        )


def merged(out: Path, reports: dict[str, BuildReport]) -> BuildReport:
    """Bring the reports of the parts together."""
    parts = list(reports.values())
    classes: dict[str, int] = {}
    for part in parts:
        for name, count in part.classes.items():
            classes[name] = classes.get(name, 0) + count
    return BuildReport(
        path=out,
        format=parts[0].format,
        images=sum(part.images for part in parts),
        examples=sum(part.examples for part in parts),
        classes=classes,
        quarantined=tuple(bad for part in parts for bad in part.quarantined),
        bytes=sum(part.bytes for part in parts),
        seconds=sum(part.seconds for part in parts),
        resumed=sum(part.resumed for part in parts),
        repaired=tuple(f"{name}/{what}" for name, part in reports.items() for what in part.repaired),
        dry_run=parts[0].dry_run,
        max_bad=parts[0].max_bad,
        draws=any(part.draws for part in parts),
        draws_later=any(part.draws_later for part in parts),
        parts=reports,
        kept=sum(part.kept for part in parts),
    )
