"""What a recipe file may hold: its JSON schema, and an example of each step."""

from __future__ import annotations

import ast
import re
from typing import Any, get_args

from offgraph.core.choices import Decoding
from offgraph.core.distributions import distribution_schema
from offgraph.core.errors import RecipeError
from offgraph.recipe.compose import Compose
from offgraph.recipe.identity import FORMAT
from offgraph.steps.base import STEPS, Step, positional_names
from offgraph.steps.description import field_schema
from offgraph.steps.functions import function
from offgraph.steps.registry import all_steps

__all__ = ["example", "schema"]


def example(cls: type[Step]) -> str:
    """Return a recipe in YAML with the step of a class as the example in its docstring makes it.

    Examples
    --------
    >>> print(example(STEPS["Rotate"]), end="")
    offgraph: 1
    steps:
    - Rotate: {angle: 90.0}
    """
    code = re.findall(r"^\s*(?:>>>|\.\.\.) ?(.*)$", cls.__doc__ or "", re.MULTILINE)
    for node in ast.walk(ast.parse("\n".join(code))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (cls.__name__, f"og.{cls.__name__}"):
            return Compose([_evaluated(node)]).to_yaml()
    if not field_schema(cls).get("required"):
        return Compose([cls()]).to_yaml()
    raise RecipeError(f"{cls.__name__}: its docstring shows no example with {cls.__name__}(…)")


def _yours(array: Any) -> Any:
    """Stands for a function of the reader's own, and changes nothing."""
    return array


def _evaluated(node: ast.expr) -> Any:
    """The value of plain constants, lists of them, and calls of steps: nothing else is looked up.

    A name stands for a function of the reader's own.
    """
    if isinstance(node, ast.Name):
        return function(f"your_module:{node.id}", _yours)
    if isinstance(node, ast.List | ast.Tuple):
        return [_evaluated(part) for part in node.elts]
    if isinstance(node, ast.Call) and (cls := STEPS.get(ast.unparse(node.func).removeprefix("og."))):
        named = {keyword.arg or "": _evaluated(keyword.value) for keyword in node.keywords}
        return cls(*map(_evaluated, node.args), **named)
    return ast.literal_eval(node)


def _parameters(cls: type[Step]) -> dict[str, Any]:
    """What stands after a step's name: its parameters by name, the first of them alone, or nothing."""
    text = field_schema(cls)
    required = set(text.get("required", ()))
    forms = [{key: part for key, part in text.items() if key != "description"}]
    first = positional_names(cls)[:1]
    if first and required <= set(first):
        alone = {key: part for key, part in text["properties"][first[0]].items() if key != "default"}
        forms.append({"allOf": [alone, {"not": {"type": ["object", "null"]}}]})
    if not required:
        forms.append({"type": "null"})
    return {"anyOf": forms}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of recipe files, made from the steps' declarations."""
    steps = [
        {
            "type": "object",
            "description": field_schema(cls)["description"],
            "properties": {name: _parameters(cls)},
            "required": [name],
            "additionalProperties": False,
        }
        for name, cls in sorted(all_steps().items())
    ]
    bare = {"enum": [name for name, cls in sorted(STEPS.items()) if not field_schema(cls).get("required")]}
    one = {"anyOf": [*steps, bare]}
    group = {
        "type": "object",
        "description": "Steps that only training applies.",
        "properties": {"Augment": {"type": "array", "items": {"$ref": "#/$defs/step"}}},
        "required": ["Augment"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Offgraph recipe",
        "type": "object",
        "properties": {
            "offgraph": {"const": FORMAT},
            "fuse": {
                "type": "boolean",
                "default": True,
                "description": "Whether neighbouring geometric steps are joined into one resampling.",
            },
            "decode": {
                "enum": list(get_args(Decoding)),
                "default": "window",
                "description": "What of an image file is decoded; scaled is faster, and not equal.",
            },
            "steps": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/step"}, group]}},
        },
        "required": ["offgraph", "steps"],
        "additionalProperties": False,
        "$defs": {"step": one, "distribution": distribution_schema()},
    }
