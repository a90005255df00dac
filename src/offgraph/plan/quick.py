"""A bare image in few Python calls: what is the same for all images of a shape and dtype is worked out once.

Only without targets beside the image, and with axes in the order in which the native core takes them. Everything else,
and whatever is refused, is left to `offgraph.plan.run.run`, which has the same bytes and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.engine.calls import native_input
from offgraph.engine.native import core
from offgraph.engine.native_plan import NativeOps, run_plan
from offgraph.engine.resample import arranged
from offgraph.plan.batch import unread
from offgraph.plan.compiled import RecipePlanner
from offgraph.plan.draw import draw
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import PlannedOp, lower
from offgraph.plan.native import native_op, run_image
from offgraph.plan.placed import PlacedStep
from offgraph.targets import Image

__all__ = ["QuickRunner"]

_MOST_KEPT = 64
"""Shapes and dtypes whose operations are kept."""


class _Known(NamedTuple):
    """What is known of all images of a shape and dtype."""

    spec: ArraySpec
    outer: int
    """Outer axes."""
    spatial: int
    """Spatial axes."""
    ops: NativeOps | None
    """Where nothing is drawn, and the native core runs all."""
    after: Image | None
    """An image as it comes out, where the native core runs all."""
    steps: Sequence[PlannedOp] | None
    """Where nothing is drawn, and Python runs some."""


class QuickRunner:
    """Runs placed steps on bare images.

    Parameters
    ----------
    placed : sequence of PlacedStep
    fused : bool
        Whether operations are joined.
    """

    def __init__(self, placed: Sequence[PlacedStep], *, fused: bool) -> None:
        self._placed, self._fused = placed, fused
        self._planner: RecipePlanner | None = None
        self._draws = any(here.draws for here in placed)
        self._looks = any(here.draws_from for here in placed)
        if self._draws:
            self._planner = RecipePlanner(placed, fused=fused)
        self._kept: dict[tuple[tuple[int, ...], np.dtype[Any]], _Known | None] = {}

    def run(self, array: np.ndarray, key: Key) -> tuple[ArraySpec, Image] | None:
        """Return the spec of an image and what becomes of it; None where `offgraph.plan.run.run` has to be asked."""
        known = self._kept.get((array.shape, array.dtype), self)
        if isinstance(known, QuickRunner):
            known = self._look_at(array)
        if known is None:
            return None
        spec, outer, spatial, ops, image, steps = known
        try:
            if ops is None or image is None:
                plan = None if self._planner is None else self._planner.plan(spec, key)
                if plan is None:
                    return self._in_python(array, spec, steps or self._planned(spec, key))
                ops, output = plan.native, np.empty(plan.after.shape, plan.dtype)
                made = Image.checked(output, plan.after)
            else:
                output = np.empty(image.array.shape, image.array.dtype)
                made = image.with_array(output)
            flags = array.flags
            source = array if flags.c_contiguous and flags.aligned else native_input(array)
            run_plan(((source, output, outer, spatial, ops),))
        except Exception:  # whatever it is, it is raised again where the image is run alone
            return None
        return spec, made

    def _in_python(
        self, array: np.ndarray, spec: ArraySpec, ops: Sequence[PlannedOp]
    ) -> tuple[ArraySpec, Image]:
        """Run operations, some of them in Python."""
        made = run_image(ops, Image.checked(array, spec)).contiguous()
        return spec, made.with_array(made.array.copy()) if np.may_share_memory(made.array, array) else made

    def _planned(self, spec: ArraySpec, key: Key) -> tuple[PlannedOp, ...]:
        """The operations of an image."""
        applied, specs = draw(self._placed, spec, key)
        chain = lower(self._placed, applied, specs)
        return fuse(chain) if self._fused else chain

    def _look_at(self, array: np.ndarray) -> _Known | None:
        """Work out what is known of an image of a new shape or dtype."""
        try:
            known = self._known(Image(array))
        except Exception:  # as above
            known = None
        if len(self._kept) < _MOST_KEPT:
            self._kept[array.shape, array.dtype] = known
        return known

    def _known(self, image: Image) -> _Known | None:
        if self._looks:  # at a target, which is not here: `run` says so
            return None
        spec = image.spec
        source, outer = arranged(image.array, spec.spatial)
        if source is not image.array or not image.array.dtype.isnative or 0 in spec.shape or not self._placed:
            return None
        if self._draws:
            return _Known(spec, outer, len(spec.spatial), None, None, None)
        steps = self._planned(spec, Key())
        native = [native_op(planned.op, planned.before) for planned in steps]
        result = steps[-1].after if steps else spec
        if not steps or None in native or result.axes != spec.axes or 0 in result.shape:
            return _Known(spec, outer, len(spec.spatial), None, None, steps)
        after = unread(result)
        ops = core.NativePlan(tuple(op for op in native if op is not None), outer, len(spec.spatial))
        return _Known(spec, outer, len(spec.spatial), ops, after, None)
