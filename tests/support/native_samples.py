"""Run the plans of several samples in the native core: one call for all, without the interpreter lock.

Each sample has its own operations, image and place for the result, which may be a slice of a batch. The threads of the
call share the samples; a sample has the bytes that it has alone. One that fails leaves the others alone.

    while samples have operations left:
        each runs in Python what only Python can run, up to the next native operation
        all native operations up to the next one of Python, of all samples: one call

A sample begins with an image in memory. What it may begin with besides, such as a file's bytes, has to become the
first operation of its targets: here, and in `native/plan/src/execute.rs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from offgraph.core.errors import StepError
from offgraph.engine.native_plan import NativeOp, NativeTarget, native_target, run_plans
from offgraph.plan.lower import PlannedOp
from offgraph.plan.native import Companion, native_op
from offgraph.plan.placed import PlacedStep
from offgraph.plan.refusals import refuse
from offgraph.targets.image import Image

__all__ = ["SamplePlan", "run_images"]


class SamplePlan(NamedTuple):
    """What is run for one sample.

    Parameters
    ----------
    ops : sequence of PlannedOp
    image : Image
        Left as it is.
    companions : sequence of Companion
        Masks and heatmaps, moved in the first call.
    output : ndarray, optional
        Where the result goes, with its shape and dtype and the axes of the image; of any strides. It shares no memory
        with images or other outputs. Left out, it is made.
    """

    ops: Sequence[PlannedOp]
    image: Image
    companions: Sequence[Companion] = ()
    output: np.ndarray | None = None


def run_images(samples: Sequence[SamplePlan]) -> list[Image | Exception]:
    """Run samples on as many threads as `offgraph.num_threads` says.

    Parameters
    ----------
    samples : sequence of SamplePlan

    Returns
    -------
    list of (Image or Exception)
        For each sample, in order: the bytes of `offgraph.plan.run.run_image`, or why there are none: a `StepError`
        with step, cause, shape, dtype and axes, a `MachineError`, or what a step's own code raised. After an exception
        an `output` may hold a part of the result.

    Raises
    ------
    KeyboardInterrupt
        Between operations or samples; outputs are then partly filled.

    Examples
    --------
    >>> import numpy as np
    >>> from offgraph.targets import Image
    >>> batch = np.empty((2, 4, 4), np.uint8)
    >>> image = Image(np.arange(16, dtype=np.uint8).reshape(4, 4), "YX")
    >>> results = run_images([SamplePlan((), image, output=out) for out in batch])
    >>> int(batch[1, 3, 3])
    15
    """
    runs = [_Run(sample) for sample in samples]
    while ready := [run for run in runs if run.advance()]:
        failures = run_plans([run.targets for run in ready])
        for run, failure in zip(ready, failures):
            run.finish(failure)
    return [run.image if run.failed is None else run.failed for run in runs]


class _Run:
    """A sample on its way.

    Attributes
    ----------
    image : Image
        After the operations that were run.
    failed : Exception or None
        What ended it.
    targets : sequence of NativeTarget
        For the next native call: the image, if operations wait, and the first time its companions.
    """

    def __init__(self, sample: SamplePlan) -> None:
        self.image, self.failed = sample.image, None
        self._sample, self._companions, self._at = sample, sample.companions, 0
        self._waiting: list[tuple[PlannedOp, NativeOp]] = []
        self._made: np.ndarray | None = None
        self.targets: Sequence[NativeTarget] = ()
        self._is_done = False

    def advance(self) -> bool:
        """Run what only Python can run, up to native operations; return whether there are any."""
        if self._is_done or self.failed is not None:
            return False
        ops = self._sample.ops
        try:
            if self._at == 0:
                self._check_output()
            while self._at < len(ops) and not self._collect():
                self.image = ops[self._at].run(self.image)
                self._at += 1
            if self._waiting or self._companions:
                self.targets = self._prepared()
                return True
            self._store()
        except Exception as error:
            self.failed = error
        self._is_done = True
        return False

    def _check_output(self) -> None:
        sample, out = self._sample, self._sample.output
        made = sample.ops[-1].after if sample.ops else sample.image.spec
        if out is not None and (out.shape != made.shape or out.dtype != made.dtype):
            raise StepError(
                f"a result of shape {made.shape}, dtype {made.dtype} does not fit the output of shape {out.shape}, "
                f"dtype {out.dtype}: give each sample an output of its own result's shape and dtype"
            )

    def _collect(self) -> bool:
        """Take native operations from the next one on; whether there are any."""
        for planned in self._sample.ops[self._at :]:
            try:
                native = native_op(planned.op, planned.before)
            except Exception as error:
                refuse(planned.steps, planned.before, error)
            if native is None:
                break
            self._waiting.append((planned, native))
        return bool(self._waiting)

    def _prepared(self) -> Sequence[NativeTarget]:
        targets = tuple(companion.native for companion in self._companions)
        if not self._waiting:
            return targets
        first, last = self._waiting[0][0], self._waiting[-1][0]
        self._made = self._sample.output if self._at + len(self._waiting) == len(self._sample.ops) else None
        if self._made is None:
            self._made = np.empty(last.after.shape, last.after.dtype)
        ops, steps = [op for _, op in self._waiting], _steps(self._waiting)
        try:
            return (native_target(self.image.array, self._made, first.before.spatial, ops), *targets)
        except Exception as error:
            refuse(steps, first.before, error)

    def finish(self, failure: tuple[int | None, int | None, BaseException] | None) -> None:
        """Take the result of the native call, or name the operation that failed."""
        waiting, self._waiting, self._companions = self._waiting, [], ()
        self._at += len(waiting)
        if failure is None:
            if waiting:
                assert self._made is not None
                self.image = Image(self._made, waiting[-1][0].after.axes)
            return
        target, op, error = failure
        if not isinstance(error, Exception):
            raise error
        if not waiting:
            self.failed = error
            return
        named = waiting[op : op + 1] if target == 0 and op is not None else []
        named = named or waiting
        try:
            refuse(_steps(named), named[0][0].before, error)
        except Exception as said:
            self.failed = said

    def _store(self) -> None:
        """Copy a result that is not in its place, because Python made it or there was nothing to do."""
        out = self._sample.output
        if out is not None and self.image.array is not out:
            out[...] = self.image.array
            self.image = Image(out, self.image.axes)


def _steps(waiting: Sequence[tuple[PlannedOp, NativeOp]]) -> tuple[PlacedStep, ...]:
    return tuple(step for planned, _ in waiting for step in planned.steps)
