"""Declare a step: parameters parsed and validated once, errors that name the field, hints."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import Any, dataclass_transform

from pydantic import Field, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from offgraph.core.errors import OffgraphWarning, StepError
from offgraph.core.suggestions import did_you_mean, other_libraries_name
from offgraph.steps.base import _S, CONFIG, STEPS, Step, field_names, fields_of, positional_names

__all__ = ["explain", "hint_once", "step"]


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def step(cls: _S) -> _S:
    """Declare a step: a frozen dataclass with validated parameters, listed in `STEPS`."""
    declared: Any = pydantic_dataclass(frozen=True, repr=False, config=CONFIG)(cls)
    validate = declared.__init__

    @functools.wraps(validate)
    def init(self: Step, *args: Any, **kwargs: Any) -> None:
        try:
            validate(self, *args, **kwargs)
        except ValidationError as error:
            if (meant := _size_in_two(declared, args, kwargs)) is not None:
                raise StepError(f"{declared.__name__}: a size is one argument: write {meant}") from None
            problems = [": ".join(filter(None, explain(problem, declared))) for problem in error.errors()]
            raise StepError(f"{declared.__name__}: " + "; ".join(problems)) from None
        for hint in self.hints():
            warnings.warn(f"{self.name}: {hint}", OffgraphWarning, stacklevel=2)

    declared.__init__ = init
    STEPS[declared.__name__] = declared
    return declared


_HINTED: set[tuple[str, str]] = set()


def hint_once(step: Step, topic: str, text: str) -> None:
    """Warn of what came up while a step ran, once for each step and topic: every image would say it again."""
    if (step.name, topic) not in _HINTED:
        _HINTED.add((step.name, topic))
        warnings.warn(f"{step.name}: {text}", OffgraphWarning, stacklevel=2)


def _size_in_two(cls: type[Step], args: tuple[Any, ...], given: Mapping[str, Any]) -> str | None:
    """What to write for height and width that were given as two arguments, as some libraries take them."""
    if positional_names(cls)[:1] != ("size",):
        return None
    two = args[:2] if len(args) >= 2 else (given.get("height"), given.get("width"))
    if not all(isinstance(length, int) and not isinstance(length, bool) and length > 0 for length in two):
        return None
    return f"{cls.__name__}(({two[0]}, {two[1]}))"


def explain(problem: Any, cls: type[Step]) -> tuple[str, str]:
    """Turn one problem that pydantic found into (field, sentence); the field is empty for the step as a whole."""
    fields = fields_of(cls)
    positional = positional_names(cls)
    field = problem["loc"][0] if problem["loc"] else ""
    if isinstance(field, int):
        field = positional[field] if field < len(positional) else f"argument {field + 1}"
    match problem["type"]:
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            says = "is needed"
        case "unexpected_keyword_argument":
            called = other_libraries_name(str(field), fields)
            near = f"{called}." if called else did_you_mean(str(field), fields)
            near = f"{near} Known" if near else "; known"
            says = f"is not a parameter{near} are {', '.join(field_names(cls))}"
        case "unexpected_positional_argument":
            says = f"is one too many; without names it takes {', '.join(positional) or 'nothing'}"
        case _:
            says = problem["msg"].removeprefix("Value error, ")
            says = says[:1].lower() + says[1:]
            if (
                problem["loc"] and "got " not in says
            ):  # without a place the input is all arguments, in pydantic's own wrapping
                says += f", got {problem['input']!r:.80}"
    return str(field), says
