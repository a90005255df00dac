"""Memory that threads have freed, given back to the system.

Worker threads are new in each pass. The GNU C library gives each new thread an arena, out of several per processor, and an
arena holds on to what is freed in it: free memory of one pass after another stays where the next one may not look for it.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

__all__ = ["give_back_freed"]

_SHARE = 0.01
"""Of the time, at most, that is spent on it."""
_PAUSE = 0.5
"""Seconds between two times, at least: pages that were given back are faulted in again."""


def _trim() -> Callable[[int], int] | None:
    """Return the C library's function for it; None where it has none."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return trim


class _Giving:
    """Gives memory back, and not too often: where a program holds very much, it takes longer."""

    def __init__(
        self,
        trim: Callable[[int], int] | None,
        clock: Callable[[], float] = time.monotonic,
        work: Callable[[], float] = time.thread_time,
    ) -> None:
        self.trim, self.clock, self.work = trim, clock, work
        self.not_before = 0.0

    @property
    def is_due(self) -> bool:
        """Whether a call does anything now."""
        return self.trim is not None and self.clock() >= self.not_before

    def __call__(self) -> None:
        if self.trim is None or not self.is_due:
            return
        begun = self.work()  # a thread that waits for a processor does not work
        self.trim(0)
        self.not_before = self.clock() + max(_PAUSE, (self.work() - begun) / _SHARE)


give_back_freed = _Giving(_trim())
"""Give the pages of all freed memory back to the system; does nothing where that would take a hundredth of the time."""
