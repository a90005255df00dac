"""What steps refuse, said with step, shape, dtype and axes: the outer layer of every error of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from offgraph.core.errors import MachineError, OffgraphError, StepError
from offgraph.core.machine import machine_error
from offgraph.core.specs import OpenSpec
from offgraph.plan.placed import PlacedStep

__all__ = ["named", "refuse"]

_REFUSALS = (ValueError, RuntimeError, OverflowError, OffgraphError, MemoryError)
"""What a step raises where it refuses an image; anything else is a mistake in its code."""


def refuse(steps: Sequence[PlacedStep], spec: OpenSpec, error: Exception) -> NoReturn:
    """Raise a refusal as an error that says steps, shape, dtype and axes; a machine's failure as it is.

    A mistake in a step's own code stays the exception that it is, with a note that says the same.
    """
    if isinstance(error, MachineError):
        raise error
    where = " + ".join(dict.fromkeys(here.where for here in steps))
    if not isinstance(error, _REFUSALS):
        error.add_note(f"in {where} [image of shape {spec.shape}, dtype {spec.dtype}, axes {spec.axes}]")
        raise error
    if isinstance(error, MemoryError):
        raise machine_error(f"{where} [{spec.shape}, {spec.dtype}]", error) from error
    says = str(error) or type(error).__name__
    raise StepError(
        f"{where}: {says} [image of shape {spec.shape}, dtype {spec.dtype}, axes {spec.axes}]"
    ) from error


@contextmanager
def named(steps: Sequence[PlacedStep], spec: OpenSpec) -> Iterator[None]:
    """Say step, shape, dtype and axes with whatever is raised inside; see `refuse`."""
    try:
        yield
    except Exception as error:
        refuse(steps, spec, error)
