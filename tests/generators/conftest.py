"""Iterators that tests leave in the middle of an epoch."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _no_pass_is_left() -> Iterator[None]:
    """The passes of iterators end with them; those that Keras' models refer to in a circle, when it is collected.

    That takes a third of a second beside all that TensorFlow holds, so it is done where a pass is left.
    """
    yield
    deadline = time.monotonic() + 5
    while names := [t.name for t in threading.enumerate() if t.name.startswith("offgraph")]:
        gc.collect()
        assert time.monotonic() < deadline, names
        time.sleep(0.05)
