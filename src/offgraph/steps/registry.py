"""Own steps: declared with `register`, found by installed packages' entry points when a name is not known."""

from __future__ import annotations

import functools
import sys
import warnings
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar, dataclass_transform

from pydantic import Field
from pydantic.dataclasses import rebuild_dataclass

from offgraph.core.errors import OffgraphWarning, StepError
from offgraph.steps.base import STEPS, Step
from offgraph.steps.declaration import step

__all__ = ["GROUP", "all_steps", "find_step", "register"]

GROUP = "offgraph.steps"
"""Entry points of this group name modules that register steps when they are imported."""

KINDS = ("geometric", "filter", "pointwise", "color", "statistics", "noise", "structure", "result")

_S = TypeVar("_S", bound="type[Step]")


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def register(cls: _S) -> _S:
    r"""Declare a step of your own: from then on it is one like any other, in Python, recipe files and the CLI.

    Parameters
    ----------
    cls : type
        A class derived from `GeometricStep`, `ResampledStep`, `FilterStep`, `PointwiseStep`, `ColorStep`, `StatisticsStep`,
        `NoiseStep` or `ResultStep`. Its annotated fields are its parameters, its docstring describes them, `reference` is its definition.

    Returns
    -------
    type
        The class as a frozen dataclass with validated parameters.

    Raises
    ------
    StepError
        For a class that is not a step or has no kind, or a name that another step has.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> @og.register
    ... class Negative(og.PointwiseStep):
    ...     '''Make bright dark.'''
    ...
    ...     top: int = 255
    ...
    ...     def reference(self, ndi, image, params, channel=0):
    ...         return (self.top - image).astype(image.dtype)
    >>> og.Compose.from_yaml("offgraph: 1\nsteps: [Negative]\n")(image=np.array([[0, 255]], np.uint8)).image
    array([[255,   0]], dtype=uint8)
    """
    if not (isinstance(cls, type) and issubclass(cls, Step)):
        raise StepError(
            f"register takes a class derived from a kind of step, such as FilterStep; got {cls!r:.80}"
        )
    name = cls.__name__
    if cls.kind not in KINDS:
        raise StepError(
            f"{name}: derive it from GeometricStep, ResampledStep, FilterStep, PointwiseStep, ColorStep, StatisticsStep, "
            "NoiseStep or ResultStep, which say what happens to masks"
        )
    there = STEPS.get(name)
    if name == "Augment" or (there is not None and _home(there) != _home(cls)):
        raise StepError(
            f"{name}: the name is taken{f' by {_home(there)}' if there else ''}; choose another one"
        )
    declared = step(cls)
    if not declared.__pydantic_complete__:  # type: ignore[attr-defined]  # annotations are texts: look where the class stands
        caller = sys._getframe(1)
        names = {**caller.f_globals, **caller.f_locals}
        if not rebuild_dataclass(declared, raise_errors=False, _types_namespace=names):  # type: ignore[arg-type]
            STEPS.pop(name)
            raise StepError(
                f"{name}: its annotations name something that is not defined where the class stands"
            )
    return declared


def _home(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def find_step(name: str) -> type[Step] | None:
    """Return the step of a name; installed plugins are loaded where it is not known."""
    if name not in STEPS:
        _load_plugins()
    return STEPS.get(name)


def all_steps() -> dict[str, type[Step]]:
    """Return every step by its name, those of installed plugins among them."""
    _load_plugins()
    return STEPS


@functools.cache
def _load_plugins() -> None:
    """Import what installed packages name, once; a broken one is named, and the others are loaded."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        if trouble := _trouble(point):
            warnings.warn(trouble, OffgraphWarning, stacklevel=3)


def _trouble(point: EntryPoint) -> str | None:
    package = "" if point.dist is None else f" of {point.dist.name} {point.dist.version}"
    try:
        point.load()
    except (Exception, SystemExit) as error:  # other people's code, which is not to end the run
        return (
            f"the steps {point.name!r}{package} ({point.value}) cannot be loaded and are left out: "
            f"{type(error).__name__}: {error}"
        )
    return None
