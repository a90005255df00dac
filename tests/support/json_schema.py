"""The part of JSON Schema that recipes use, checked in a few lines: no validator is installed."""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, Any] = {
    "number": (int, float),
    "integer": int,
    "string": str,
    "array": list,
    "object": dict,
    "null": type(None),
    "boolean": bool,
}


def holds(schema: dict[str, Any], value: Any, whole: dict[str, Any] | None = None) -> bool:
    """Whether a value keeps a schema; references are looked up in the `whole` of it."""
    whole = schema if whole is None else whole
    if "$ref" in schema:
        return holds(whole["$defs"][schema["$ref"].rpartition("/")[2]], value, whole)
    if "anyOf" in schema and not any(holds(one, value, whole) for one in schema["anyOf"]):
        return False
    if not all(holds(one, value, whole) for one in schema.get("allOf", ())):
        return False
    if "not" in schema and holds(schema["not"], value, whole):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    kinds = schema.get("type", ())
    if kinds and not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return False
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (
            value >= schema.get("minimum", value)
            and value <= schema.get("maximum", value)
            and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        )
    if isinstance(value, str):
        return "pattern" not in schema or re.search(schema["pattern"], value) is not None
    if isinstance(value, list):
        return (
            schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
            and all(holds(schema.get("items", {}), part, whole) for part in value)
            and all(holds(one, part, whole) for one, part in zip(schema.get("prefixItems", []), value))
        )
    if isinstance(value, dict):
        return _object_holds(schema, value, whole)
    return True


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _object_holds(schema: dict[str, Any], value: dict[str, Any], whole: dict[str, Any]) -> bool:
    if len(value) < schema.get("minProperties", 0) or not set(schema.get("required", ())) <= set(value):
        return False
    others = schema.get("additionalProperties", {})
    for name, part in value.items():
        known = schema.get("properties", {}).get(name, others)
        if known is False or not holds(known, part, whole):
            return False
    return all(holds(schema.get("propertyNames", {}), name, whole) for name in value)
