"""Digests of what examples are made of: of files, or of arrays in memory."""

from __future__ import annotations

from pathlib import Path

from offgraph.dataset.output import sha256_of
from offgraph.sources import Item, Source

__all__ = ["digest_of", "digests_of"]


def digests_of(source: Source, item: Item) -> tuple[str | None, str | None]:
    """SHA-256 of the image of an item and of its mask, in hexadecimal digits; None for a file that cannot be read, or where there is none."""
    known = source.digests_of(item)
    if known is not None:
        return known
    return sha256_of(item.path), None if item.mask is None else sha256_of(item.mask)


def digest_of(source: Source, item: Item, path: Path) -> str | None:
    """That of one of the two, by its path."""
    known = source.digests_of(item)
    if known is not None:
        return known[path != item.path]
    return sha256_of(path)
