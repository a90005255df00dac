"""Steps made of other steps: which of them are applied, and in which order, is decided when values are drawn.

A structure step has no operation of its own. Its values say which steps were chosen and what each of them drew, so that
whoever lowers it finds the operations of those steps, which join with their neighbours as if they stood there alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, cast

from offgraph.core.errors import StepError
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, OpenSpec, SpecT, spec_of
from offgraph.steps.base import Step
from offgraph.steps.description import STEP_SCHEMA
from offgraph.steps.ops import Op
from offgraph.steps.parameters import Parsed

__all__ = [
    "Steps",
    "StructureStep",
    "check_input",
    "draws_from",
    "either",
    "member_spec_after",
    "open_spec_after",
    "with_members",
]


@dataclass(frozen=True)
class _Steps(Parsed):
    def parse(self, value: Any) -> tuple[Step, ...]:
        if isinstance(value, Step) or not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError(f"expected a list of steps, such as [Rotate(5), Flip()], got {value!r:.80}")
        for each in value:
            if not isinstance(each, Step):
                raise ValueError(f"expected steps, such as Rotate(5), got {each!r:.80}")
            if each.kind == "result":
                raise ValueError(f"expected steps for images, {each.name} refines what a model gives")
        if not value:
            raise ValueError("expected at least one step")
        return tuple(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": STEP_SCHEMA, "minItems": 1}


Steps = Annotated[Sequence[Step], _Steps()]
"""One step or more, each with its own parameters."""


def with_members(step: Step) -> Iterator[Step]:
    """Yield a step, and the steps that it is made of."""
    yield step
    for member in step.members if isinstance(step, StructureStep) else ():
        yield from with_members(member)


def draws_from(step: Step) -> str:
    """Return the target that a step looks at when it draws, or one of those that it is made of; empty for none.

    ``"file"`` is what the file declares of its pixels.
    """
    members = tuple(with_members(step))
    found = next((each.draws_from for each in members if each.draws_from), "")
    return found or ("file" if any(each.reads_file for each in members) else "")


class StructureStep(Step):
    """A step that applies other steps: its definition is theirs, one after the other."""

    kind = "structure"

    @property
    def members(self) -> tuple[Step, ...]:
        """The steps that may be applied."""
        return ()

    @property
    def varies(self) -> bool:
        """Whether one of its steps draws."""
        return any(member.draws for member in self.members)

    @property
    def averages(self) -> bool:
        """Whether one of its steps does."""
        return any(member.averages for member in self.members)

    def parts(self, params: dict[str, Any]) -> list[tuple[Step, dict[str, Any]]]:
        """Return the steps that are applied, in their order, and what each drew."""
        return [(self.members[part["number"] - 1], part["params"]) for part in params["steps"]]

    def drawn_parts(
        self, order: Iterable[int], draw: Draw, spec: ArraySpec, *, chosen: bool
    ) -> dict[str, Any]:
        """Draw the values of some steps, each at an address of its own: another step beside it changes nothing.

        Parameters
        ----------
        order : iterable of int
            Positions among `members`, from 0; a step that comes again draws anew.
        draw : Draw
            Of the structure step.
        spec : ArraySpec
            Of the image before it.
        chosen : bool
            Whether all of them are applied; else the `p` of each decides.
        """
        parts = []
        addresses = self._addresses(draw.address)
        before: Counter[int] = Counter()
        view = draw.view
        for place in order:
            step = self.members[place]
            again = f"/{before[place]}" if before[place] else ""
            address = addresses[place] + again
            before[place] += 1
            with _named(step):
                check_input(step, spec)
                if not chosen and step.p < 1 and not draw.at(f"p of {address}").chance(step.p):
                    continue
                params = step.sample(draw.at(address, view), spec)
                if view is not None:
                    view = view.after(step, params, spec)
                spec = step.output_spec(spec, params)
            parts.append({"number": place + 1, "step": step.name, "params": params})
        return {"steps": parts}

    def _addresses(self, own: str) -> list[str]:
        """Addresses of the draws of its steps: their ids, or their names and how many of that name come before."""
        counts: Counter[str] = Counter()
        found = []
        for step in self.members:
            found.append(f"#{step.id}" if step.id else f"{own}/{step.name}.{counts[step.name]}")
            counts[step.name] += step.id is None
        return found

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """That of the steps that are applied, one after the other."""
        if params is None or not isinstance(spec, ArraySpec):
            return cast("SpecT", self.open_spec(spec))
        for step, values in self.parts(params):
            with _named(step):
                spec = step.output_spec(spec, values)
        return spec

    def open_spec(self, spec: OpenSpec) -> OpenSpec:
        """Return what is known of the spec after the step before anything is drawn."""
        return spec

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[Op, ...]:
        """The operations of the steps that are applied."""
        ops: list[Op] = []
        for step, values in self.parts(params):
            with _named(step):
                ops += step.operations(values, spec)
                spec = step.output_spec(spec, values)
        return tuple(ops)


@contextmanager
def _named(step: Step) -> Iterator[None]:
    """Say which of the steps refused an image; the outer layer adds the rest."""
    try:
        yield
    except ValueError as error:
        raise StepError(f"{step.name}: {error}") from error


def check_input(step: Step, spec: OpenSpec) -> None:
    """Refuse an image with a number of spatial axes that the step does not take, or of bool where it would average."""
    if spec.dtype == "bool" and step.averages:
        order = " or use order=0," if hasattr(step, "order") else ""
        raise ValueError(
            f"cannot average a bool image, whose averages are neither true nor false;{order} "
            "write image.astype('uint8') * 255, or pass it as mask="
        )
    if len(spec.spatial) not in step.dimensions:
        taken = " or ".join(map(str, step.dimensions))
        raise ValueError(f"takes {taken} spatial axes, the image has {len(spec.spatial)} (axes {spec.axes})")


def open_spec_after(step: Step, before: OpenSpec, *, chosen: bool = False) -> OpenSpec:
    """Return what is known of the spec after a step before anything is drawn.

    Parameters
    ----------
    step : Step
    before : OpenSpec
    chosen : bool
        Whether it is applied whatever its `p`.

    Raises
    ------
    ValueError
        For a step that cannot take such an image, or that may or may not change the dtype.
    """
    check_input(step, before)
    after = step.output_spec(before)
    if step.p == 1 or chosen or after == before:
        return after
    if step.p == 0:
        return before
    if after.dtype != before.dtype or after.axes != before.axes:
        raise ValueError(
            f"p={step.p} would leave some images {before.dtype} and make others {after.dtype}: "
            "a step that changes the dtype needs p=1"
        )
    return either(before, after)


def member_spec_after(step: Step, before: OpenSpec, *, chosen: bool = False) -> OpenSpec:
    """Return the same of a step inside another, whose name an error has."""
    with _named(step):
        return open_spec_after(step, before, chosen=chosen)


def either(*specs: OpenSpec) -> OpenSpec:
    """Return what specs have in common: lengths that differ are not known.

    Raises
    ------
    ValueError
        Where dtypes or axes differ.
    """
    first = specs[0]
    for other in specs[1:]:
        if (other.dtype, other.axes) != (first.dtype, first.axes):
            raise ValueError(
                f"it would make some images {first.dtype} and others {other.dtype}: put the step that changes the dtype "
                "before or after it"
            )
    lengths = (
        n if {*others} == {n} else None for n, *others in zip(*(spec.shape for spec in (first, *specs)))
    )
    return spec_of(tuple(lengths), first.dtype, first.axes)
