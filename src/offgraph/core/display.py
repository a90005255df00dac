"""What a notebook shows for an object: `_repr_html_`, drawn by a function that the package registers.

A recipe or a source must not import the views that draw it: `views` is a later package. So views are looked up by the
name of the class, in a function that `offgraph/__init__.py`, which knows all packages, has set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["NotebookView", "set_notebook_views"]

_views: Callable[[], dict[str, Callable[[Any], str]]] | None = None


def set_notebook_views(views: Callable[[], dict[str, Callable[[Any], str]]]) -> None:
    """Say where the HTML of each class comes from; called once, when the package is imported."""
    global _views
    _views = views


class NotebookView:
    """Mixin: shown in notebooks by the view that `offgraph.views.notebook.VIEWS` has for the class."""

    def _repr_html_(self) -> str | None:
        """Return the HTML, or None where there is no view: then a notebook shows ``repr``."""
        views = {} if _views is None else _views()
        return next((views[cls.__name__](self) for cls in type(self).__mro__ if cls.__name__ in views), None)
