"""Recipes that the native core draws, lowers and joins itself: the operations of a sample without Python.

A recipe is compiled where each of its steps has a plain form (`Step.compiled`), or moves nothing and has an operation of
the core. What the core does not know, such as the weights of a resize, it asks for once; a step whose draws it does not
know it asks for with each sample. What it does not take, a volume or anything that a step refuses, goes through `draw`,
`lower` and `fuse`, whose operations are the same.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.choices import Decoding
from offgraph.core.distributions import Distribution
from offgraph.core.random import Key, hash64
from offgraph.core.specs import MAX_PIXELS, ArraySpec
from offgraph.engine.native import core
from offgraph.engine.native_plan import NativeOp
from offgraph.engine.resize import weight_table
from offgraph.plan.draw import chance_address, drawn_at, fixed
from offgraph.plan.native import native_op
from offgraph.plan.placed import PlacedStep
from offgraph.steps.base import Step, field_names
from offgraph.steps.compiled import CompiledStep, compiled_values, kernel_name, product_roundings
from offgraph.steps.kinds import FilterStep, GeometricStep, ImageStep, PointwiseStep
from offgraph.steps.ops import Filter, Op, Pointwise, PythonStep, value_table
from offgraph.steps.parameters import PerAxis

__all__ = ["CompiledPlan", "RecipePlanner", "is_surely_finite"]

_MOST_REQUESTS = 64
"""More than the steps of a recipe can ask for one after the other, but for a mistake."""


_MOST_IN_VAIN = 4
"""More than the calls in which a step may have something to say first."""


class CompiledPlan(NamedTuple):
    """What a sample goes through.

    Parameters
    ----------
    native : NativePlan
    after : ArraySpec
    dtype : dtype
        Of the image afterwards.
    finite : bool
        Whether it is certain that an image of integers ends in finite values.
    """

    native: core.NativePlan
    after: ArraySpec
    dtype: np.dtype[Any]
    finite: bool


@functools.lru_cache(maxsize=256)
def _spec(shape: tuple[int, ...], dtype: str, axes: str) -> tuple[ArraySpec, np.dtype[Any]]:
    return ArraySpec(shape, dtype, axes), np.dtype(dtype)


class RecipePlanner:
    """The compiled form of placed steps.

    Parameters
    ----------
    placed : sequence of PlacedStep
    fused : bool
        Whether operations are joined.
    decoding : {"window", "full", "scaled"}
        What of image files is decoded.

    Attributes
    ----------
    core : CompiledRecipe or None
        None where a step has no plain form.
    """

    _calls_in_vain = 0

    def __init__(self, placed: Sequence[PlacedStep], *, fused: bool, decoding: Decoding = "window") -> None:
        self._placed = placed
        steps = [step for here in placed if (step := _compiled(here)) is not None]
        self.core = None
        if len(steps) == len(placed):
            roundings = product_roundings() or (0, 0)
            self.core = core.CompiledRecipe(tuple(steps), fused, MAX_PIXELS, roundings, decoding)

    def plan(self, spec: ArraySpec, key: Key) -> CompiledPlan | None:
        """Return the operations of a sample; None where Python has to make them, or to say why there are none."""
        if self.core is None:
            return None
        for _ in range(_MOST_REQUESTS):
            made = self.core.plan(key.seed, key.epoch, key.index, spec.shape, spec.dtype, spec.axes)
            if made is None:
                return None
            if made[0] == "plan":
                _, native, shape, dtype, finite = made
                after, kind = _spec(shape, dtype, spec.axes)
                return CompiledPlan(native, after, kind, finite)
            self.supply(made)
        return None

    def run_rows(self, rows: core.SampleRows, output: np.ndarray) -> bool:
        """Make samples from where they are stored, each into its row; the planner must have a core.

        Parameters
        ----------
        rows : SampleRows
        output : ndarray, (n, *shape)
            C-contiguous, of the shape and dtype that the recipe gives.

        Returns
        -------
        bool
            Whether all are made; else ``rows.made`` says which have to be run alone.
        """
        assert self.core is not None
        for _ in range(_MOST_REQUESTS):
            requests = rows.run(self.core, output)
            if not requests:
                break
            for request in requests:
                self.supply(request)
        return self._count(rows)

    def plan_rows(self, rows: core.SampleRows) -> list[tuple[tuple[int, ...], str] | None]:
        """Read and plan samples, to be made by :meth:`run_rows` once there are arrays for them.

        Returns
        -------
        list of (shape, dtype) or None
            What each becomes; None for one that has to be run alone.
        """
        assert self.core is not None
        specs, requests = rows.plan(self.core)
        for _ in range(_MOST_REQUESTS):
            if not requests:
                break
            for request in requests:
                self.supply(request)
            specs, requests = rows.plan(self.core)
        self._count(rows)
        return specs

    def _count(self, rows: core.SampleRows) -> bool:
        """Note whether only Python could plan them; return whether all are made."""
        if rows.left == 0:
            self._calls_in_vain = 0
            return True
        unplanned = rows.unplanned
        self._calls_in_vain = self._calls_in_vain + 1 if unplanned and unplanned == len(rows.made) else 0
        return False

    @property
    def in_vain(self) -> bool:
        """Whether only Python could plan any of the samples of the last call."""
        return self._calls_in_vain > 0

    @property
    def gives_up(self) -> bool:
        """Whether so many calls were in vain that another is not worth a try."""
        return self._calls_in_vain >= _MOST_IN_VAIN

    def supply(self, request: tuple[Any, ...]) -> None:
        """Make what the core asks for: weights along an axis, or the operation of a step that moves nothing, which it
        keeps, or which was drawn for one sample.
        """
        assert self.core is not None
        kind, *numbers = request
        if kind == "weights":
            n, length, kernel, antialias = numbers
            try:
                table = weight_table(n, length, kernel_name(kernel), antialias)
            except (ValueError, MemoryError):  # raised again, with its words, where the sample is run alone
                table = None
            self.core.add_weights(n, length, kernel, antialias, table)
            return
        if kind == "drawn":
            number, key, shape, dtype, axes = numbers
            found = self._values(self._placed[number], _spec(shape, dtype, axes)[0], Key(*key))
            self.core.add_drawn(number, key, shape, dtype, axes, *found)
            return
        number, shape, dtype, axes = numbers
        found = self._values(self._placed[number], ArraySpec(shape, dtype, axes), None)
        self.core.add_values(number, shape, dtype, axes, *found)

    def _values(
        self, here: PlacedStep, spec: ArraySpec, key: Key | None
    ) -> tuple[NativeOp | None, str, bool]:
        """The operation of a step that moves nothing, the dtype of its result, and whether that is surely finite."""
        try:
            params, after = fixed(here, spec) if key is None else drawn_at(here, key, spec)
            found = here.step.operations(params, spec)
            if len(found) == 1 and isinstance(found[0], Filter | Pointwise | PythonStep):
                op = found[0]
                if op.output_spec(spec) == after == spec.cast(after.dtype):
                    return native_op(op, spec), after.dtype, is_surely_finite(op, spec)
        except Exception:  # whatever it is, it is raised again where the sample is run alone
            pass
        return None, spec.dtype, False


def _compiled(here: PlacedStep) -> tuple[Any, ...] | None:
    """A step at its place, as the core reads it."""
    step = here.step
    numbers = _numbers(step)
    if numbers is None or 2 not in step.dimensions:
        return None
    rule = (0, "constant", 0.0)
    if isinstance(step, GeometricStep):
        found = step.resampling({})
        rule = (found.order, found.mode, float(found.cval))
    chance = chance_address(here)
    return hash64(here.address), hash64(chance), step.p, step.averages, rule, numbers


def _numbers(step: Step) -> CompiledStep | None:
    known = not any(_has_distribution(getattr(step, name)) for name in field_names(type(step)))
    numbers = step.compiled() if known and "compiled" in vars(type(step)) else None
    if isinstance(step, GeometricStep) or step.draws_from or not _has_operation(step):
        return numbers
    if not step.varies:
        is_kept = numbers is not None and numbers[0] == "values"
        return numbers if is_kept else ("values", not isinstance(step, PointwiseStep), True)
    return numbers or compiled_values("asked", pointwise=isinstance(step, PointwiseStep))


def _has_operation(step: Step) -> bool:
    """Whether a step that moves nothing may have an operation of the core, for some images."""
    if isinstance(step, ImageStep):
        return type(step).work is not ImageStep.work
    if isinstance(step, FilterStep):
        cls = type(step)
        return not step.varies or cls.passes is not FilterStep.passes or cls.work is not FilterStep.work
    return isinstance(step, PointwiseStep)


def _has_distribution(setting: Any) -> bool:
    """Whether something else than a range is drawn from, which the core does not know."""
    if isinstance(setting, Distribution):
        return True
    parts = (
        setting.values() if isinstance(setting, PerAxis) else setting if isinstance(setting, tuple) else ()
    )
    return any(map(_has_distribution, parts))


def is_surely_finite(op: Op, spec: ArraySpec) -> bool:
    """Whether an operation gives finite values for all images of a spec: it looks them up, and all were looked at."""
    kind = np.dtype(spec.dtype)
    if not isinstance(op, Pointwise) or op.params or kind.kind not in "ui" or kind.itemsize > 2:
        return False
    channels = spec.shape[spec.axes.index("C")] if "C" in spec.axes else 1
    try:
        return _finite_table(op.step, spec.dtype, channels, op.dtype)
    except TypeError:  # a step with a field that has no hash
        return False


@functools.lru_cache(maxsize=64)
def _finite_table(step: PointwiseStep, dtype: str, channels: int, result: str) -> bool:
    empty: dict[str, Any] = {}
    return bool(np.isfinite(value_table(step, dtype, channels, result, empty)).all())
