"""A pytest plugin that counts what the parity tests compared: function, element type, order and mode, axes.

A case is a call of a native function for which the same test made the same call of SciPy's. It differs if the test
failed. `long.py` gathers the counts of many runs; alone:

    OFFGRAPH_RECORD=counts.json python -m pytest -p tests.parity.recorder tests/parity
"""

from __future__ import annotations

import functools
import inspect
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import settings
from tests.support.cases import MODES

from offgraph import ndimage

SPLINES = ("zoom", "shift", "rotate", "affine_transform", "map_coordinates", "geometric_transform")

Key = tuple[str, str, str, int]

ours: Counter[Key] = Counter()
theirs: Counter[Key] = Counter()
refused: Counter[Key] = Counter()
differing: Counter[Key] = Counter()
last: list[Key] = []


def key_of(name: str, signature: inspect.Signature, args: tuple, kwargs: dict) -> Key | None:
    """What to count the call as; None if it does not even fit the signature."""
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return None
    image = given.get("input", given.get("structure", 0))
    dtype, ndim = getattr(image, "dtype", np.dtype(float)), np.ndim(image)
    parts = []
    if name in (*SPLINES, "spline_filter", "spline_filter1d"):
        parts.append(f"order {given.get('order', 3)}")
    if "mode" in signature.parameters:
        mode = given.get("mode", signature.parameters["mode"].default)
        parts.append(mode if isinstance(mode, str) and mode in MODES else "a list or another word")
    return name, dtype.newbyteorder("=").name, ", ".join(parts), ndim


def counted(function: Callable[..., Any], name: str, counts: Counter[Key]) -> Callable[..., Any]:
    """The function, counting its calls; ours also the exceptions, and remembering the last call."""
    signature, is_ours = inspect.signature(function), counts is ours

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        key = key_of(name, signature, args, kwargs)
        if key is not None:
            counts[key] += 1
            if is_ours:
                last[:] = [key]
        try:
            return function(*args, **kwargs)
        except Exception:
            if is_ours and key is not None:
                refused[key] += 1
            raise

    return call


def pytest_configure() -> None:
    for name in ndimage.NATIVE:
        setattr(ndimage, name, counted(getattr(ndimage, name), name, ours))
        setattr(scipy.ndimage, name, counted(getattr(scipy.ndimage, name), name, theirs))
    # The seed alone decides what is drawn.
    settings.register_profile("recorded", database=None, print_blob=True)
    settings.load_profile("recorded")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only tests that draw cases: marked by hypothesis, or drawing them in a function inside."""
    drawing, others = [], []
    for item in items:
        function = item.obj  # type: ignore[attr-defined]
        draws = getattr(function, "is_hypothesis_test", False) or "examples" in function.__code__.co_names
        (drawing if draws else others).append(item)
    items[:] = drawing
    config.hook.pytest_deselected(items=others)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    if report.failed and last:
        differing[last[0]] += 1
    return report


def pytest_sessionfinish() -> None:
    """Rows of function, type, order and mode, axes, cases, refused alike, differing."""
    rows = [
        [*key, min(count, theirs[key]), refused[key], differing[key]]
        for key, count in sorted(ours.items())
        if min(count, theirs[key])
    ]
    Path(os.environ["OFFGRAPH_RECORD"]).write_text(json.dumps(rows))
