"""A pytest plugin: scipy.ndimage's names lead to offgraph's native functions, for whatever is imported after it.

OFFGRAPH_SWAP=0 leaves SciPy's in place and only counts, so that both runs differ in nothing else. The outcome of every
test, and how often each function was called, are written to the file OFFGRAPH_RECORD.
"""

from __future__ import annotations

import functools
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scipy.ndimage

from offgraph import ndimage

calls: Counter[str] = Counter()
outcomes: dict[str, str] = {}


def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        calls[name] += 1
        return function(*args, **kwargs)

    return call


for name in ndimage.NATIVE:
    module = scipy.ndimage if os.environ.get("OFFGRAPH_SWAP") == "0" else ndimage
    setattr(scipy.ndimage, name, counted(name, getattr(module, name)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # Passing before and after the call itself says nothing new.
    if report.when == "call" or report.outcome != "passed":
        outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    told = json.dumps({"outcomes": outcomes, "calls": calls})
    Path(os.environ["OFFGRAPH_RECORD"]).write_text(told)
