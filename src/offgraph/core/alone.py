"""What runs a step that is called alone: the recipe of it, made by a function that the package registers.

A step must not import recipes: `recipe` is a later package. So `offgraph/__init__.py`, which knows all packages, says what
makes one, as it does for the views of `core/display.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["recipe_alone", "set_recipe_maker"]

_maker: Callable[[], Callable[[list[Any]], Callable[..., Any]]] | None = None


def set_recipe_maker(maker: Callable[[], Callable[[list[Any]], Callable[..., Any]]]) -> None:
    """Say what gives the class of recipes; called once, when the package is imported."""
    global _maker
    _maker = maker


def recipe_alone(item: Any) -> Callable[..., Any]:
    """Return the recipe that has one item."""
    assert _maker is not None, "offgraph/__init__.py registers it"
    return _maker()([item])
