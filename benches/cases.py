"""What an operation's bench is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One operation: `call(ndi)` runs it on either module, `opencv()` is the nearest thing there."""

    name: str
    call: Callable[[Any], Any]
    opencv: Callable[[], object] | None = None


def same(ours: Any, theirs: Any) -> bool:
    """Equal dtype, shape and bytes of arrays, or of all in a list; signed zeros compare equal."""
    if isinstance(ours, np.ndarray):
        return ours.dtype == theirs.dtype and np.array_equal(ours, theirs)
    return type(ours) is type(theirs) and bool(np.all(np.array(ours == theirs)))
