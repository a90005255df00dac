"""SciPy's image transforms for CNNs, outside the graph: from a folder of files to a batch, and back to the image.

Names are imported when they are first used, so that ``import offgraph`` loads no framework and starts at once.
"""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

__version__ = "0.1.0"


def _homes() -> dict[str, str]:
    """Read from the stub beside this file where each public name lives: editors and this module read one list."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


_HOME = _homes()
__all__ = ["__version__", *sorted(_HOME)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'offgraph' has no attribute {name!r}{_advice_on(name)}")
    if _HOME[name] == __name__:
        return importlib.import_module(f"{__name__}.{name}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def _advice_on(name: str) -> str:
    """What to write instead; nothing for names that programs ask for, to see whether they are there."""
    if name.startswith("_"):
        return ""
    if name[:1].isupper():
        return importlib.import_module("offgraph.migration.names").advice_on(name, _HOME)
    return importlib.import_module("offgraph.core.suggestions").did_you_mean(name, _HOME)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Keeps ``offgraph.predict`` the function: importing a module of that name would put the module in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in _HOME):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def _notebook_views() -> Any:
    return importlib.import_module("offgraph.views.notebook").VIEWS


importlib.import_module("offgraph.core.display").set_notebook_views(_notebook_views)


def _recipes() -> Any:
    return importlib.import_module("offgraph.recipe.compose").Compose


importlib.import_module("offgraph.core.alone").set_recipe_maker(_recipes)
