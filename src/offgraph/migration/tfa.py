"""`from_tfa`: the recipe of calls of TensorFlow Addons' and TensorFlow's image functions."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from offgraph.core.errors import ArgumentError, RecipeError
from offgraph.migration.conversion import Given, migrate
from offgraph.migration.reading import opened
from offgraph.migration.report import Migration
from offgraph.migration.tfa_table import TABLE

__all__ = ["from_tfa"]


def from_tfa(given: Any, /) -> Migration:
    """Return the recipe of calls of `tfa.image` and `tf.image`, and how far the two agree.

    Neither is imported. Where a script draws an argument itself, such as the angles of `rotate`, write the pair (low, high).

    Parameters
    ----------
    given : list, dict, str or Path
        Calls in their order: ``("rotate", {"angles": (-0.2, 0.2)})``, ``{"median_filter2d": {"filter_shape": 3}}``, a name
        alone, or a `functools.partial` of the function; or a YAML or JSON file with such a list.

    Returns
    -------
    Migration
        ``recipe`` and ``report``; ``print(report)`` names every difference.

    Raises
    ------
    RecipeError
        For what is no call, naming step and field.

    Examples
    --------
    >>> import offgraph as og
    >>> recipe, report = og.from_tfa([("rotate", {"angles": (-0.2, 0.2), "interpolation": "bilinear"}), "random_flip_left_right"])
    >>> recipe.steps[1]
    Flip(p=0.5)
    """
    given, source = opened(given, "calls")
    if not isinstance(given, list) or _is_call(given):
        given = [given]
    return migrate(TABLE, [_call(each, f"{source}, step {n}") for n, each in enumerate(given, 1)], source)


def _is_call(given: Any) -> bool:
    is_pair = isinstance(given, list | tuple) and len(given) == 2
    return is_pair and isinstance(given[0], str) and isinstance(given[1], Mapping)


def _call(given: Any, where: str) -> Given:
    if isinstance(given, functools.partial):
        return Given(_last(getattr(given.func, "__name__", repr(given.func))), dict(given.keywords))
    if isinstance(given, str):
        return Given(_last(given))
    if _is_call(given):
        return Given(_last(given[0]), dict(given[1]))
    if isinstance(given, Mapping):
        if isinstance(given.get("_target_"), str):
            return Given(
                _last(given["_target_"]), {key: value for key, value in given.items() if key != "_target_"}
            )
        name = next(iter(given), None)
        if len(given) == 1 and isinstance(name, str) and isinstance(given[name], Mapping | None):
            return Given(_last(name), dict(given[name] or {}))
        raise RecipeError(
            f"{where}: a call is written ('rotate', {{'angles': 0.1}}) or {{'rotate': {{…}}}}, got {given!r:.80}"
        )
    if callable(given):
        return Given(_last(getattr(given, "__name__", repr(given))))
    if isinstance(given, list | tuple):
        raise RecipeError(
            f"{where}: a call is written ('rotate', {{'angles': 0.1}}) or {{'rotate': {{…}}}}, got {given!r:.80}"
        )
    raise ArgumentError(f"{where}: expected calls of tfa.image or tf.image, got {given!r:.60}")


def _last(name: str) -> str:
    return name.rpartition(".")[2].removeprefix("stateless_")
