"""`from_torchvision`: the recipe of torchvision's transforms, v2 or v1, from the objects or from a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from offgraph.core.errors import ArgumentError, RecipeError
from offgraph.migration.conversion import Given, migrate
from offgraph.migration.entries import described, is_entry
from offgraph.migration.reading import opened
from offgraph.migration.report import Migration
from offgraph.migration.torchvision_table import TABLE
from offgraph.recipe.compose import Compose
from offgraph.transforms.pointwise import Normalize, Rescale

__all__ = ["from_torchvision"]


def from_torchvision(given: Any, /) -> Migration:
    """Return the recipe of torchvision's transforms, and how far the two agree.

    torchvision is not imported; of v2 and v1 alike.

    Parameters
    ----------
    given : Compose, transform, list, dict, str or Path
        Transforms, or their configuration: a list of steps as Hydra writes them (``_target_``, ``type``), or as
        ``{"Resize": {"size": 256}}``; or a YAML or JSON file with it.

    Returns
    -------
    Migration
        ``recipe`` and ``report``; ``print(report)`` names every difference.

    Raises
    ------
    RecipeError
        For what is no transform, naming step and field.

    Examples
    --------
    >>> import offgraph as og
    >>> recipe, report = og.from_torchvision([
    ...     {"RandomResizedCrop": {"size": 224}}, {"ToTensor": {}},
    ...     {"Normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}},
    ... ])
    >>> recipe.steps[1]
    Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    """
    given, source = opened(given, "transforms")
    if (
        isinstance(given, Mapping)
        and not is_entry(given)
        and isinstance(given.get("transforms"), list | tuple)
    ):
        given = given["transforms"]
    if isinstance(given, list | tuple):
        steps = [_given(each, f"{source}, step {n}") for n, each in enumerate(given, 1)]
    else:
        outer = _given(given, source)
        steps = list(outer.parts) if outer.name == "Compose" else [outer]
    found = migrate(TABLE, steps, source)
    recipe = _joined(found.recipe)
    if len(recipe.items) == len(found.recipe.items):
        return found
    notes = (*found.report.notes, "ToTensor and the Normalize after it are one step of the recipe")
    return Migration(recipe, replace(found.report, notes=notes))


def _given(transform: Any, where: str, depth: int = 0) -> Given:
    if depth > 40:
        raise RecipeError(f"{where}: nested more than 20 deep")
    if isinstance(transform, Mapping | str):
        name, values = described(transform, where)
        inner = values.pop("transforms", None)
    elif hasattr(transform, "forward") or callable(transform):
        name, inner = type(transform).__name__, getattr(transform, "transforms", None)
        if name in ("function", "partial", "method"):
            return Given(
                getattr(transform, "__name__", name),
                trouble="a function of yours: og.function(name, function), then og.Lambda(name)",
            )
        held = vars(transform)
        values = {
            key: value
            for key, value in held.items()
            if key[:1] != "_" and key not in ("training", "transforms")
        }
    else:
        raise ArgumentError(
            f"{where}: expected a transform of torchvision, or its configuration, got {transform!r:.60}"
        )
    values = {key: _plain(value) for key, value in values.items()}
    is_live = not isinstance(transform, Mapping | str)
    parts: tuple[Given, ...] = ()
    if inner is not None:
        if not isinstance(inner, list | tuple) and not hasattr(inner, "__iter__"):
            raise RecipeError(f"{where} ({name}), field transforms: expected a list, got {inner!r:.60}")
        parts = tuple(_given(each, f"{where}.{n}", depth + 1) for n, each in enumerate(inner, 1))
    return Given(name, values, parts, live=is_live)


def _plain(value: Any) -> Any:
    """An interpolation mode by its name, and a dtype by its own."""
    inner = getattr(value, "value", None)
    if isinstance(inner, str):
        return inner
    return str(value) if type(value).__name__ == "dtype" else value


def _joined(recipe: Compose) -> Compose:
    """Scaling to 0 to 1 and the normalization that follows it as one step, as it is usually written."""
    items: list[Any] = []
    for item in recipe.items:
        before = items[-1] if items else None
        if (
            isinstance(before, Rescale)
            and isinstance(item, Normalize)
            and (before.scale, before.offset, item.range) == (1 / 255, 0, 1)
        ):
            items[-1] = Normalize(mean=item.mean, std=item.std)
        else:
            items.append(item)
    return Compose(items)
