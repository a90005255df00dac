"""Many samples in one native call: each is prepared alone, and all run together, without the interpreter lock.

What a step refuses is left to `offgraph.plan.run.run`, sample by sample: its errors and its results are the ones that
count, and these are equal to them. Where only Python can run an operation, the call ends with what precedes it, and the
rest follows in Python.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from offgraph.core.choices import Decoding
from offgraph.core.lazy import lazy_property
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.engine.native_plan import NativeOp, NativeOps, NativeTarget, native_target, run_plans
from offgraph.plan.compiled import CompiledPlan, RecipePlanner, is_surely_finite
from offgraph.plan.draw import draw
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import PlannedOp, lower
from offgraph.plan.move import companions, finish
from offgraph.plan.native import Companion, native_op, run_image
from offgraph.plan.placed import AppliedStep, PlacedStep
from offgraph.plan.run import TransformHistory
from offgraph.plan.target_view import view_of
from offgraph.targets import Image, Targets

__all__ = ["EncodedFile", "Pending", "Place", "Preparer", "lowered", "run_pending", "unread"]


@dataclass(frozen=True, eq=False)
class _Lowered:
    """What a sample goes through, as far as its spec and its draws decide."""

    applied: tuple[AppliedStep, ...]
    chain: tuple[PlannedOp, ...]
    ops: tuple[NativeOp, ...]
    """Those that the call runs."""
    made: ArraySpec
    """What these make."""
    rest: tuple[PlannedOp, ...]
    """From the first one on that only Python can run."""
    after: ArraySpec
    dtype: np.dtype[Any]
    finite: bool


class _Compiled:
    """The same, as the native core planned it: what was drawn is worked out again when it is asked for."""

    def __init__(self, placed: Sequence[PlacedStep], spec: ArraySpec, key: Key, plan: CompiledPlan) -> None:
        self._placed, self._spec, self._key = placed, spec, key
        self.ops, self.after, self.finite = plan.native, plan.after, plan.finite
        self.dtype, self.made = plan.dtype, plan.after

    rest: tuple[PlannedOp, ...] = ()

    @lazy_property
    def _drawn(self) -> tuple[tuple[AppliedStep, ...], tuple[PlannedOp, ...]]:
        applied, specs = draw(self._placed, self._spec, self._key)
        return applied, lower(self._placed, applied, specs)

    @property
    def applied(self) -> tuple[AppliedStep, ...]:
        return self._drawn[0]

    @property
    def chain(self) -> tuple[PlannedOp, ...]:
        return self._drawn[1]


class Place(Protocol):
    """Where an image is to go: its memory is asked for once it is known that the image fits."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype."""
        ...

    def array(self) -> np.ndarray:
        """Return the memory, of that shape and dtype, C-contiguous."""
        ...


class EncodedFile(Protocol):
    """A file that the call decodes."""

    def target(self, output: np.ndarray, ops: NativeOps, decoding: Decoding) -> NativeTarget:
        """What the call is given."""
        ...


class Pending(NamedTuple):
    """A sample that is prepared, and whose image the call writes into `output`.

    Parameters
    ----------
    given : Targets
    output : ndarray
    place : ndarray
        Where the image goes; `output`, unless operations are left for Python.
    lowered : _Lowered or _Compiled
    fused : bool
    natives : list of NativeTarget
    beside : dict of str to Companion
    """

    given: Targets
    output: np.ndarray
    place: np.ndarray
    lowered: _Lowered | _Compiled
    fused: bool
    natives: list[NativeTarget]
    beside: dict[str, Companion]

    @property
    def applied(self) -> tuple[AppliedStep, ...]:
        """What each step drew."""
        return self.lowered.applied

    @property
    def finite(self) -> bool:
        """Whether it is certain that the image will hold finite values."""
        return self.lowered.finite

    def finished(self) -> tuple[Targets, TransformHistory]:
        """Return all targets after the call, and the way that they went."""
        given, chain = self.given, self.lowered.chain
        image = Image(self.place, self.lowered.after.axes)
        history = TransformHistory(given.image.size, chain)
        if not chain and len(given) == 1:
            return Targets({"image": image}, given.metadata), history
        return finish(chain, given, {"image": image}, self.beside, self.fused), history

    def run_rest(self) -> None:
        """Run the operations that are left for Python, after the call."""
        rest = self.lowered.rest
        if not rest:
            return
        made = run_image(rest, Image(self.output, self.lowered.made.axes)).array
        if made.shape != self.place.shape or made.dtype != self.place.dtype:
            raise ValueError("a step makes something else than it says")
        self.place[...] = made

    def released(self) -> Pending:
        """Return the same, after the call, without the memory that was given.

        Enough for what was drawn, and for the targets of an image that has no others beside it.
        """
        alone = Targets({"image": unread(self.given.image.spec)}, self.given.metadata)
        return self._replace(given=alone, output=self.place, natives=[], beside={})


@functools.lru_cache(maxsize=256)
def unread(spec: ArraySpec) -> Image:
    """Return an image without pixels of its own: it stands for one that nobody will read.

    Parameters
    ----------
    spec : ArraySpec
    """
    return Image(spec.stand_in(), spec.axes)


class Preparer:
    """Prepares samples for a part of a recipe.

    Parameters
    ----------
    placed : sequence of PlacedStep
    fused : bool
        Whether operations are joined.
    decoding : {"window", "full", "scaled"}
        What of image files is decoded.
    """

    def __init__(self, placed: Sequence[PlacedStep], *, fused: bool, decoding: Decoding) -> None:
        self._placed, self._fused = placed, fused
        self._decoding: Decoding = decoding
        self._draws = any(here.step.draws or here.draws_from for here in placed)
        self._planner = RecipePlanner(placed, fused=fused)
        self._kept: dict[ArraySpec, _Lowered | _Compiled] = {}

    def prepare(
        self, targets: Targets, key: Key, place: Place, file: EncodedFile | None = None
    ) -> Pending | None:
        """Prepare one sample; None where it has to be run alone.

        Parameters
        ----------
        targets : Targets
        key : Key
        place : Place
            Of the shape and dtype that the image is to get; else the sample has to be run alone.
        file : EncodedFile, optional
            Whose image stands among the targets without its pixels.
        """
        lead = targets.image
        try:
            lowered = self._lowered(lead.spec, key, targets)
            if lowered.after.shape != place.shape or lowered.dtype != place.dtype:
                return None
            if lowered.rest and not lowered.ops and file is None:  # Python alone is as fast
                return None
            beside: dict[str, Companion] = {}
            if len(targets) > 1:
                if any(isinstance(target, Image) for target in targets.values() if target is not lead):
                    return None
                if lowered.chain:
                    beside = companions(lowered.chain, targets, self._fused)
            row = place.array()
            output = np.empty(lowered.made.shape, lowered.made.dtype) if lowered.rest else row
            if file is None:
                own = native_target(lead.array, output, lead.spec.spatial, lowered.ops)
            else:
                own = file.target(output, lowered.ops, self._decoding)
        except Exception:  # whatever it is, it is raised again where the sample is run alone
            return None
        natives = [own, *(companion.native for companion in beside.values())]
        return Pending(targets, output, row, lowered, self._fused, natives, beside)

    def _lowered(self, spec: ArraySpec, key: Key, targets: Targets) -> _Lowered | _Compiled:
        if self._draws:
            return self._planned(spec, key, targets)
        found = self._kept.get(spec)
        if found is None:
            found = self._planned(spec, key, targets)
            if len(self._kept) < _MOST_KEPT:
                self._kept[spec] = found
        return found

    def _planned(self, spec: ArraySpec, key: Key, targets: Targets) -> _Lowered | _Compiled:
        """Targets beside the image need the operations one by one, which Python makes."""
        plan = self._planner.plan(spec, key) if len(targets) == 1 else None
        return self._lower(spec, key, targets) if plan is None else _Compiled(self._placed, spec, key, plan)

    def _lower(self, spec: ArraySpec, key: Key, targets: Targets) -> _Lowered:
        applied, specs = draw(self._placed, spec, key, view=view_of(self._placed, targets))
        chain = lower(self._placed, applied, specs)
        return lowered(applied, chain, fuse(chain) if self._fused else chain, spec, specs[-1])


def lowered(
    applied: tuple[AppliedStep, ...],
    chain: tuple[PlannedOp, ...],
    ops: Sequence[PlannedOp],
    before: ArraySpec,
    after: ArraySpec,
) -> _Lowered:
    """Return what a sample goes through.

    Parameters
    ----------
    applied : tuple of AppliedStep
    chain : tuple of PlannedOp
        Of the whole recipe, before fusion.
    ops : sequence of PlannedOp
        What is run.
    before, after : ArraySpec
        Of the image that they are run on, and of the result.
    """
    if 0 in before.shape:
        raise ValueError("an image without pixels")
    natives = tuple(native_op(planned.op, planned.before) for planned in ops)
    count = natives.index(None) if None in natives else len(natives)
    made = ops[count].before if count < len(ops) else after
    own, rest = natives[:count], tuple(ops[count:])
    return _Lowered(applied, chain, own, made, rest, after, np.dtype(after.dtype), _finite(ops, after))  # type: ignore[arg-type]


_MOST_KEPT = 64
"""Specs whose operations are kept, of a recipe that draws nothing."""


def run_pending(pending: Sequence[Pending]) -> list[bool]:
    """Run prepared samples in one call, and what is left of them in Python; return which of them are done."""
    failures = run_plans([sample.natives for sample in pending])
    return [failure is None and _is_done(sample) for sample, failure in zip(pending, failures)]


def _is_done(sample: Pending) -> bool:
    try:
        sample.run_rest()
    except Exception:  # whatever it is, it is raised again where the sample is run alone
        return False
    return True


def _finite(ops: Sequence[PlannedOp], after: ArraySpec) -> bool:
    """Whether an image of integers ends in finite values: in integers, or in a table's, which are looked at once."""
    if np.dtype(after.dtype).kind != "f":
        return True
    return bool(ops) and is_surely_finite(ops[-1].op, ops[-1].before)
