"""Pictures and their label masks: two folders, paired by name."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from offgraph.errors import SourceError
from offgraph.sources.base import MASK_ADVICE, Item, Meant, Reading, Source
from offgraph.sources.layout import nothing_found
from offgraph.sources.names import named, nfc, printable
from offgraph.sources.walk import Found, list_images

__all__ = ["open_paired"]


def open_paired(root: Path, masks: Path, reading: Reading, meant: Meant) -> Source:
    """Pair each picture under `root` with the mask of the same relative name, its suffix aside.

    ``images/a/1.jpg`` belongs to ``masks/a/1.png``. The folder of masks may lie inside `root`.

    Raises
    ------
    SourceError
        Where an image or a mask has no partner (``reading.missing_mask`` may allow it for images), or more than one;
        names them.
    """
    listing = list_images(root, leave_out=masks)
    left_out = listing.left_out
    if not listing.found:
        raise nothing_found(root, listing)
    pictures = _by_stem(root, listing.found)
    partners = _by_stem(masks, list_images(masks).found)
    meant.needs(printable(root), has_classes=False, has_masks=True)
    bare = [pictures[stem].name for stem in pictures.keys() - partners.keys()]
    if len(bare) == len(pictures) or reading.missing_mask == "error":
        _complain(root, "without a mask of the same name", bare, f"; {MASK_ADVICE}")
    alone = [partners[stem].name for stem in partners.keys() - pictures.keys()]
    if reading.missing_mask != "skip":
        _complain(masks, "without a picture of the same name", alone)
    else:
        left_out.add("mask without an image", *alone)
        left_out.add("without a mask", *bare)
        pictures = {stem: one for stem, one in pictures.items() if stem in partners}
    items = tuple(
        Item(one.name, one.path, mask=partners[stem].path if stem in partners else None)
        for stem, one in pictures.items()
    )
    return Source(items, (), root, reading, left_out.counts, walked=True, left_out=left_out.names)


def _by_stem(folder: Path, found: list[Found]) -> dict[str, Found]:
    stems: dict[str, Found] = {}
    twice = []
    for one in found:
        stem = nfc(PurePosixPath(one.name).with_suffix("").as_posix())
        if stem in stems:
            twice.append(f"{stems[stem].name} and {one.name}")
        stems.setdefault(stem, one)
    _complain(folder, "with the same name but for the suffix", twice)
    return stems


def _complain(folder: Path, what: str, names: list[str], advice: str = "") -> None:
    if names:
        raise SourceError(f"{printable(folder)}: {len(names)} {what}: {named(names)}{advice}")
