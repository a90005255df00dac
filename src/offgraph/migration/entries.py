"""One step in a file: its name and its arguments, in any of the ways in which libraries write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offgraph.core.errors import RecipeError
from offgraph.migration.conversion import Given

__all__ = ["described", "is_entry"]

_NAMES = ("__class_fullname__", "_target_", "class_fullname", "class_name", "type")
"""Keys of a step's class: of Albumentations, Hydra, Keras and others, MMDetection."""
_ARGUMENTS = ("params", "init_args", "config", "kwargs")
_SKIPPED = ("_convert_", "_recursive_", "_partial_", "__version__")


def is_entry(value: Any) -> bool:
    """Whether a value describes a step."""
    if isinstance(value, Given):
        return True
    if not isinstance(value, Mapping):
        return False
    if any(isinstance(value.get(name), str) for name in _NAMES):
        return True
    name = next(iter(value)) if len(value) == 1 else None
    return (
        isinstance(name, str)
        and name[:1].isupper()
        and (value[name] is None or isinstance(value[name], Mapping))
    )


def described(entry: Any, where: str) -> tuple[str, dict[str, Any]]:
    """Return the class of a step without its module, and its arguments.

    Parameters
    ----------
    entry : mapping or str
    where : str
        What a message begins with.
    """
    if isinstance(entry, str):
        return _last(entry), {}
    if not is_entry(entry):
        raise RecipeError(
            f"{where}: a step is a mapping with its class, such as {{'__class_fullname__': 'Flip'}}, got {entry!r:.80}"
        )
    key = next((name for name in _NAMES if isinstance(entry.get(name), str)), None)
    if key is None:
        name = next(iter(entry))
        return name, dict(entry[name] or {})
    rest = {str(name): value for name, value in entry.items() if name != key and name not in _SKIPPED}
    inner = next((name for name in _ARGUMENTS if isinstance(rest.get(name), Mapping)), None)
    if inner is not None:
        rest = {**{name: value for name, value in rest.items() if name == "p"}, **rest[inner]}
    return _last(entry[key]), rest


def _last(name: str) -> str:
    return name.rpartition(".")[2]
