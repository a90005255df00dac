"""Pictures and their label masks: two folders, paired by name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

from offgraph.errors import SourceError
from offgraph.sources.base import Item, Reading, Source
from offgraph.sources.folder import Found, find_pictures

__all__ = ["open_paired"]

_NAMED_IN_ERRORS = 5


def open_paired(root: Path, masks: Path, reading: Reading) -> Source:
    """Pair each picture under `root` with the mask of the same relative name, its suffix aside.

    ``images/a/1.jpg`` belongs to ``masks/a/1.png``. The folder of masks may lie inside `root`.

    Raises
    ------
    SourceError
        Where a picture or a mask has no partner or more than one; names them.
    """
    skipped: Counter[str] = Counter()
    pictures = _by_stem(root, find_pictures(root, skipped, leave_out=masks))
    partners = _by_stem(masks, find_pictures(masks, Counter()))
    _complain(
        root, "without a mask of the same name", [pictures[k].name for k in pictures.keys() - partners.keys()]
    )
    _complain(
        masks,
        "without a picture of the same name",
        [partners[k].name for k in partners.keys() - pictures.keys()],
    )
    items = tuple(Item(one.name, one.path, mask=partners[stem].path) for stem, one in pictures.items())
    return Source(items, (), root, reading, dict(skipped), walked=True)


def _by_stem(folder: Path, found: list[Found]) -> dict[str, Found]:
    stems: dict[str, Found] = {}
    twice = []
    for one in found:
        stem = PurePosixPath(one.name).with_suffix("").as_posix()
        if stem in stems:
            twice.append(f"{stems[stem].name} and {one.name}")
        stems.setdefault(stem, one)
    _complain(folder, "with the same name but for the suffix", twice)
    return stems


def _complain(folder: Path, what: str, names: list[str]) -> None:
    if not names:
        return
    shown = ", ".join(sorted(names)[:_NAMED_IN_ERRORS])
    more = f" and {len(names) - _NAMED_IN_ERRORS} more" if len(names) > _NAMED_IN_ERRORS else ""
    raise SourceError(f"{folder}: {len(names)} {what}: {shown}{more}")
