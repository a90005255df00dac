"""Versions of the libraries that a result may depend on."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import metadata

__all__ = ["library_versions"]

_LIBRARIES = ("offgraph", "numpy", "scipy", "pillow", "imagecodecs", "simplejpeg", "tifffile")


def library_versions(extra: Sequence[str] = ()) -> dict[str, str]:
    """Versions of the libraries that decode, transform and encode, and of those named; "absent" where not installed."""
    return {name: _version(name) for name in (*_LIBRARIES, *extra)}


@functools.cache  # of what is loaded, and it takes a millisecond to look up
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
