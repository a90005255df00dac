"""Refuse a compiled core that was not built from this source tree, before a call fails somewhere inside."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import ModuleType

__all__ = ["check", "core"]

_BUILD = "build it with: maturin develop --release"


def check(core: ModuleType, stub: Path) -> None:
    """Compare the functions of the compiled module with their declarations, by name and parameters.

    Parameters
    ----------
    core : module
        `offgraph._native`.
    stub : Path
        Its declarations, ``core.pyi``.

    Raises
    ------
    ImportError
        Naming the functions that differ, and what to do.
    """
    declared = ast.parse(stub.read_text(encoding="utf-8")).body
    functions = [node for node in declared if isinstance(node, ast.FunctionDef)]
    differ = [
        node.name
        for node in functions
        if not hasattr(core, node.name)
        or list(inspect.signature(getattr(core, node.name)).parameters) != [a.arg for a in node.args.args]
    ]
    if differ:
        raise ImportError(
            f"the compiled core {core.__file__} is older or newer than this Python package: "
            f"{', '.join(differ)} {'differs' if len(differ) == 1 else 'differ'}; {_BUILD}"
        )


try:
    from offgraph import _native as core
except ImportError as error:
    raise ImportError(f"the compiled core of Offgraph cannot be loaded ({error}); {_BUILD}") from error
check(core, Path(__file__).parents[1] / "_native.pyi")
