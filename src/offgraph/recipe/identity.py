"""The identity of a recipe: its fingerprint, its digest, and where two recipes differ."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from offgraph.steps.base import Step

if TYPE_CHECKING:
    from offgraph.recipe.compose import Compose

__all__ = ["FORMAT", "canonical", "digest", "explain_mismatch", "fingerprint"]

FORMAT = 1
"""Version of the file form; a reader refuses a later one."""


def canonical(steps: tuple[Step, ...], *, ids: bool) -> list[dict[str, Any]]:
    """Return steps with versions and all defaults written out; without ids, which only name draws."""
    hidden = () if ids else ("id",)

    def plain(step: Step, name: str, value: Any) -> Any:
        held = getattr(step, name)
        is_nested = isinstance(held, tuple) and any(isinstance(part, Step) for part in held)
        return canonical(held, ids=ids) if is_nested else value

    return [
        {
            "step": step.name,
            "version": step.version,
            "fields": {
                name: plain(step, name, value)
                for name, value in step.fields().items()
                if name not in hidden
                and not (name in step.later and getattr(step, name) == step.default(name))
            },
        }
        for step in steps
    ]


def _hash(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _layer(recipe: Compose) -> tuple[Step, ...]:
    return tuple(item for item in recipe.items if isinstance(item, Step))


def fingerprint(recipe: Compose) -> str:
    """SHA-256 over the prepare layer, `fuse` and scaled decoding; steps in `Augment`, key order and ids do not change it."""
    steps = canonical(_layer(recipe), ids=False)
    options = {**({"fuse": True} if recipe.fuse else {}), **_scaled(recipe)}
    return _hash({**options, "steps": steps} if options else steps)


def digest(recipe: Compose, *, fuse: bool | None = None) -> str:
    """SHA-256 over all steps in their order, with ids and layers, scaled decoding, and `fuse`: its own, or another.

    Without fusion it equals the digest of versions that had no fusion.
    """
    layers = [
        canonical((item,), ids=True)[0]
        if isinstance(item, Step)
        else {"augment": canonical(item.steps, ids=True)}
        for item in recipe.items
    ]
    fused = {"fuse": True} if (recipe.fuse if fuse is None else fuse) else {}
    return _hash({"offgraph": FORMAT, **fused, **_scaled(recipe), "steps": layers})


def _scaled(recipe: Compose) -> dict[str, str]:
    """Decoding at another scale; whether windows or all pixels are decoded makes no difference."""
    return {"decode": "scaled"} if recipe.decode == "scaled" else {}


def explain_mismatch(a: Compose, b: Compose, *, names: tuple[str, str] = ("the first", "the second")) -> str:
    """Say where the prepare layers of two recipes differ: step and field; empty where they do not.

    Parameters
    ----------
    a, b : Compose
    names : tuple of str
        What the text calls them.

    Examples
    --------
    >>> import offgraph as og
    >>> explain_mismatch(og.Compose([og.MedianFilter(3)]), og.Compose([og.MedianFilter(5)]))
    'step 1, MedianFilter: size is 3 in the first and 5 in the second'
    """
    left, right = (list(zip(_numbers(each), canonical(_layer(each), ids=False))) for each in (a, b))
    differences: list[str] = []
    if a.fuse != b.fuse:
        differences.append(f"fuse is {a.fuse} in {names[0]} and {b.fuse} in {names[1]}")
    if _scaled(a) != _scaled(b):
        differences.append(f"decode is {a.decode!r} in {names[0]} and {b.decode!r} in {names[1]}")
    for (number, one), (there, other) in zip(left, right):
        where = f"step {number}" + (f" ({there} in {names[1]})" if there != number else "")
        if one["step"] != other["step"]:
            differences.append(f"{where} is {one['step']} in {names[0]} and {other['step']} in {names[1]}")
            return "; ".join(differences)
        where = f"{where}, {one['step']}"
        if one["version"] != other["version"]:
            differences.append(
                f"{where}: version {one['version']} in {names[0]} and {other['version']} in {names[1]}"
            )
        for field in dict.fromkeys((*one["fields"], *other["fields"])):
            value, given = (fields["fields"].get(field) for fields in (one, other))
            if value != given:
                differences.append(f"{where}: {field} is {value!r} in {names[0]} and {given!r} in {names[1]}")
    for longer, name, shorter in ((left, names[0], right), (right, names[1], left)):
        for number, extra in longer[len(shorter) :]:
            differences.append(f"step {number}, {extra['step']}, is only in {name}")
    return "; ".join(differences)


def _numbers(recipe: Compose) -> list[int]:
    """Positions of the prepare layer's steps among all steps, as every other message counts them."""
    numbers: list[int] = []
    before = 0
    for item in recipe.items:
        if isinstance(item, Step):
            numbers.append(before + 1)
        before += 1 if isinstance(item, Step) else len(item.steps)
    return numbers
