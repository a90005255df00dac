"""SciPy's own functions, imported when one is first asked for: importing SciPy takes a quarter of a second.

Most programs that load images never call one, and each of their processes would wait for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["scipys_own"]


def scipys_own(module: str, names: Iterable[str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module that gives out functions of `scipy.ndimage` by name.

    Parameters
    ----------
    module : str
        The module's ``__name__``, for the error.
    names : iterable of str
        Of the functions.

    Returns
    -------
    callable
        Of a name; it raises AttributeError for every other one.

    Examples
    --------
    >>> find = scipys_own("mine", ["label"])
    >>> find("label")([1, 0, 1])
    (array([1, 0, 2], dtype=int32), 2)
    >>> find("lable")
    Traceback (most recent call last):
    AttributeError: module 'mine' has no attribute 'lable'
    """
    known = frozenset(names)

    def __getattr__(name: str) -> Any:
        if name not in known:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(importlib.import_module("scipy.ndimage"), name)

    return __getattr__
