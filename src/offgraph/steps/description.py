"""Derived from a step's declaration: its documentation, its signature, its JSON schema."""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any

from pydantic import TypeAdapter

from offgraph.steps.base import Step, field_names
from offgraph.steps.parameters import DISTRIBUTION_SCHEMA

__all__ = ["STEP_SCHEMA", "documentation", "field_schema", "signature"]


STEP_SCHEMA: dict[str, Any] = {"step": True}
"""Stands for a step inside another until the schema is made: pydantic refuses references to what it did not define."""


@functools.cache
def documentation(cls: type[Step]) -> dict[str, str]:
    """Return the text of every parameter, read from the Parameters sections of the class and its bases; or nothing."""
    texts: dict[str, str] = {}
    for base in cls.__mro__:
        section = re.search(
            r"Parameters\n-+\n(.*?)(?:\n\n\S|\Z)", inspect.cleandoc(base.__doc__ or ""), re.DOTALL
        )
        if section is None or not issubclass(base, Step):
            continue
        for names, text in re.findall(
            r"^(\w[\w, ]*) ?:[^\n]*\n((?:[ ]{4,}[^\n]*\n?|\n(?=[ ]))+)", section[1], re.M
        ):
            for name in names.split(","):
                texts.setdefault(name.strip(), " ".join(text.split()))
    return {name: texts.get(name, "") for name in field_names(cls)}


def signature(cls: type[Step]) -> str:
    """Return the call that makes a step, with its defaults: ``Rotate(angle, reshape=False, …)``."""
    shown = inspect.signature(cls)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in shown.parameters.values()]
    return cls.__name__ + str(inspect.Signature(bare))


@functools.cache
def field_schema(cls: type[Step]) -> dict[str, Any]:
    """Return the JSON Schema of a step's parameters, described by its docstring."""
    schema = _with_references(TypeAdapter(cls).json_schema())
    texts = documentation(cls)
    schema["properties"] = {name: schema["properties"][name] for name in field_names(cls)}
    for name, entry in schema["properties"].items():
        entry.pop("title", None)
        entry["description"] = texts[name]
    schema["description"] = inspect.cleandoc(cls.__doc__ or "").split("\n", 1)[0]
    return schema


def _with_references(schema: Any) -> Any:
    """Put references to the schemas of a step and a distribution where they are to stand."""
    if schema == STEP_SCHEMA:
        return {"$ref": "#/$defs/step"}
    if schema == DISTRIBUTION_SCHEMA:
        return {"$ref": "#/$defs/distribution"}
    if isinstance(schema, dict):
        return {name: _with_references(part) for name, part in schema.items()}
    return [_with_references(part) for part in schema] if isinstance(schema, list) else schema
