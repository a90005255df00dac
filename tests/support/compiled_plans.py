"""What the core plans for a recipe, beside what Python plans."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import offgraph as og
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.engine.native import core
from offgraph.engine.native_plan import native_target, run_plan
from offgraph.plan.compiled import RecipePlanner
from offgraph.plan.draw import draw
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import lower
from offgraph.plan.native import native_op


def ranges(low: float, high: float) -> st.SearchStrategy[Any]:
    """A number or a pair."""
    number = st.floats(low, high)
    return st.one_of(number, st.tuples(number, number).map(lambda pair: tuple(sorted(pair))))


def by_python(recipe: og.Compose, spec: ArraySpec, key: Key) -> tuple[tuple[Any, ...], ArraySpec] | None:
    """The operations that Python makes; None where it refuses, or only Python can run one of them."""
    placed = recipe._placed
    try:
        applied, between = draw(placed, spec, key)
        chain = lower(placed, applied, between)
        ops = tuple(native_op(each.op, each.before) for each in (fuse(chain) if recipe.fuse else chain))
    except (og.StepError, og.OffgraphError, ValueError):
        return None
    return None if None in ops else (ops, between[-1])


def planned(planner: RecipePlanner, spec: ArraySpec, key: Key) -> Any:
    """What the core makes; asked again, for it lets Python say each hint once."""
    for _ in range(8):
        if (found := planner.plan(spec, key)) is not None:
            return found
    return None


def equals(one: Any, other: Any) -> bool:
    """Whether operations are equal, floats in every bit."""
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(equals, one, other))
    if isinstance(one, float):
        return isinstance(other, float) and one.hex() == other.hex()
    if isinstance(one, core.LookupTable):
        return True  # compared by what they do
    return type(one) is type(other) and one == other


def looked_up(op: tuple[Any, ...], spec: ArraySpec, result: str) -> np.ndarray:
    """What a table makes of every value, in every channel."""
    kind = np.dtype(spec.dtype)
    values = np.arange(1 << 8 * kind.itemsize).astype(f"u{kind.itemsize}").view(kind)
    channels = spec.shape[spec.axes.index("C")] if "C" in spec.axes else 1
    image = np.repeat(values.reshape(1, -1, 1), channels, 2)
    output = np.empty(image.shape, result)
    run_plan([native_target(image, output, (0, 1), [(op[0], op[1], 2)])])
    return output
