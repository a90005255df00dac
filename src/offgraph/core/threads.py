"""How many threads one call of :mod:`offgraph.ndimage` may use. The results never depend on it."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager

from offgraph import _native

__all__ = ["CallLimit", "Ending", "get_num_threads", "keep_to_threads", "num_threads", "set_num_threads"]

CallLimit = _native.CallLimit
"""Lets so many native calls run at a time, of the threads that ``keep()`` to it; the others wait without the interpreter lock."""

Ending = _native.Ending
"""Ends native calls of other threads: those of threads that ``watch()`` it, once it is ``set()``.

They raise KeyboardInterrupt there, within about 50 ms. A call of any other thread ends where a signal handler of the main
thread raises.
"""


def _checked(count: int) -> int:
    count = operator.index(count)
    if count < 1:
        raise ValueError(f"the number of threads must be at least 1, not {count}")
    return count


def get_num_threads() -> int:
    """Return the number of threads that a call from this thread may use.

    Returns
    -------
    int
        The number of :func:`num_threads` inside such a block, else that of :func:`set_num_threads`, else the
        environment variable ``OFFGRAPH_NUM_THREADS``, else the number of cores.
    """
    return _native.get_num_threads()


def set_num_threads(count: int) -> int:
    """Set the number of threads per call for this process; :func:`num_threads` overrides it inside its block.

    Parameters
    ----------
    count : int
        At least 1. More than 256 counts as 256.

    Returns
    -------
    int
        The number before.

    Raises
    ------
    ValueError
        If `count` is less than 1.
    """
    return _native.set_num_threads(_checked(count))


def keep_to_threads(count: int) -> None:
    """Let calls from this thread use `count` threads, at least 1, from now on: for threads that do nothing else."""
    _native.set_local_num_threads(_checked(count))


@contextmanager
def num_threads(count: int) -> Iterator[None]:
    """Inside the block, calls made from this thread use `count` threads.

    Code that already works on several images at once runs each with ``num_threads(1)``.

    Parameters
    ----------
    count : int
        At least 1.

    Raises
    ------
    ValueError
        If `count` is less than 1.

    Examples
    --------
    >>> from offgraph.core.threads import get_num_threads, num_threads
    >>> with num_threads(1):
    ...     get_num_threads()
    1
    """
    before = _native.set_local_num_threads(_checked(count))
    try:
        yield
    finally:
        _native.set_local_num_threads(before)
