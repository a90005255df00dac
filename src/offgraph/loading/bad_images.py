"""What becomes of the images of a loader that cannot be used: the policy, and lists of what it did."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, get_args

from offgraph.core.arguments import path_of
from offgraph.core.choices import OnBadImage
from offgraph.core.errors import ArgumentError, FileAccessError, OffgraphError
from offgraph.loading.quarantine_file import read_quarantine, write_quarantine

__all__ = ["BadImages", "Substitute", "candidates", "named_once", "no_substitute", "parse_policy"]

_ATTEMPTS = 64
"""Images tried in the place of a bad one. Where half of a source is bad, all of them are bad once in 10**19 times."""
_WRITE_EVERY = 1.0
"""Seconds between two times that the list is written, during a pass."""


class Substitute(NamedTuple):
    """Which image took the place of one that cannot be used.

    Parameters
    ----------
    reason : str
        Why it cannot be used.
    by : str
        Name of the other image.
    """

    reason: str
    by: str


class BadImages:
    """The images of a loader that cannot be used.

    Parameters
    ----------
    on_error : {"raise", "skip", "substitute", "quarantine"}
    path : Path, optional
        File with the list of quarantined images, which is read now and written when one is added.

    Raises
    ------
    ArgumentError
        Where the file is not such a list.
    """

    def __init__(self, on_error: OnBadImage, path: Path | None = None) -> None:
        self.on_error: OnBadImage = on_error
        self.path = path
        self.skipped: dict[str, str] = {}
        """Name → reason of those left out."""
        self.substituted: dict[str, Substitute] = {}
        """Name → reason, and which image took the place."""
        self.quarantined: dict[str, str] = {} if path is None else read_quarantine(path)
        """Name → reason of those that are not read again."""
        self._written = len(self.quarantined)
        self._written_at = 0.0
        self._prepare()

    def _prepare(self) -> None:
        self._writing = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_writing"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    def fresh(self, *, quarantined: bool = True) -> BadImages:
        """Return the same policy with empty lists, but for that of the quarantined images if it is wanted."""
        other = BadImages(self.on_error)
        if quarantined:
            other.path, other._written = self.path, self._written
            other.quarantined = dict(self.quarantined)
        return other

    @property
    def goes_on(self) -> bool:
        """Whether a pass goes on after an image that cannot be used."""
        return self.on_error != "raise"

    @property
    def leaves_out(self) -> bool:
        """Whether a pass may have fewer images than there are."""
        return self.on_error in ("skip", "quarantine")

    @property
    def unusable(self) -> dict[str, str]:
        """Name → reason of all that could not be used, whatever was done."""
        return {**{name: one.reason for name, one in list(self.substituted.items())}, **dict(self.skipped)}

    def leave_out(self, name: str, error: BaseException) -> None:
        """Note an image that is left out. A file that may be there again is not quarantined."""
        reason = str(error)
        self.skipped[name] = reason
        if self.on_error == "quarantine" and not isinstance(error, FileAccessError):
            self.quarantined[name] = reason
            if time.monotonic() - self._written_at > _WRITE_EVERY:
                self._write()

    @contextmanager
    def written(self) -> Iterator[None]:
        """After the block, which adds to the list, the file holds all of it."""
        try:
            yield
        finally:
            self._write()

    def _write(self) -> None:
        with self._writing:
            count = len(self.quarantined)
            if self.path is not None and count > self._written:
                write_quarantine(self.path, self.quarantined)
                self._written, self._written_at = count, time.monotonic()

    @property
    def listing(self) -> str:
        """The attribute of a loader that lists them."""
        return "Loader.substituted" if self.on_error == "substitute" else "Loader.skipped"


def parse_policy(on_error: Any, quarantine: Any) -> BadImages:
    """Return the policy of arguments of a loader.

    Raises
    ------
    ArgumentError
        For values that are none, and for a file that is no list of quarantined images.
    """
    if on_error not in get_args(OnBadImage):
        choices = ", ".join(map(repr, get_args(OnBadImage)))
        raise ArgumentError(f"on_error={on_error!r:.80}: choose one of {choices}")
    if quarantine is None:
        return BadImages(on_error)
    if on_error != "quarantine":
        raise ArgumentError(
            f"quarantine={quarantine!r:.300}: is for on_error='quarantine'; leave it out with on_error={on_error!r}"
        )
    return BadImages(on_error, path_of("quarantine", quarantine))


def candidates(seed: int, epoch: int, number: int, count: int) -> Iterator[int]:
    """Numbers of images for the place of one that cannot be used, a few of `count`, by its address.

    Examples
    --------
    >>> list(candidates(0, 0, 3, 5)) == list(candidates(0, 0, 3, 5))
    True
    >>> sorted(candidates(0, 0, 3, 5))
    [0, 1, 2, 4]
    """
    tried = {number}
    at = number
    for attempt in range(_ATTEMPTS):
        if len(tried) == count:
            return
        text = f"offgraph substitute {seed} {epoch} {number} {attempt}".encode()
        at = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little") % count
        while at in tried:
            at = (at + 1) % count
        tried.add(at)
        yield at


def no_substitute(name: str, reason: str, tried: int) -> OffgraphError:
    """Return the error for an image that nothing can take the place of."""
    return OffgraphError(
        f"{named_once(name, reason)}; nor can any of the {tried} images be used that were tried in its place. Look at these files "
        "and at the recipe"
    )


def named_once(name: str, reason: str) -> str:
    """Name a file and a reason; some begin with its path already."""
    return reason if name in reason else f"{name}: {reason}"
