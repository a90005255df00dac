"""Layers of Keras that mirror or turn images in training only."""

from __future__ import annotations

from typing import Any

__all__ = ["augmenting_symmetries"]

_FLIPS = {"horizontal": ("h",), "vertical": ("v",), "horizontal_and_vertical": ("h", "v")}
_EIGHTH = 1 / 8


def augmenting_symmetries(model: Any) -> tuple[str, ...]:
    """Return the symmetries of a square that a model's own layers draw in training, as `offgraph.D4` names them.

    Turns of more than an eighth count as a quarter. Products of the symmetries are not listed.

    Parameters
    ----------
    model : object
        A Keras model, with models among its layers or not; of anything else nothing is known.
    """
    found: list[str] = []
    waiting = [model]
    while waiting:
        one = waiting.pop()
        waiting.extend(getattr(one, "layers", None) or ())
        kind = type(one).__name__
        if kind == "RandomFlip":
            found += _FLIPS.get(str(getattr(one, "mode", "")), ())
        elif kind == "RandomRotation":
            factor = getattr(one, "factor", 0.0)
            ends = factor if isinstance(factor, list | tuple) else (-factor, factor)
            if max(abs(float(end)) for end in ends) > _EIGHTH:
                found.append("r90")
    return tuple(dict.fromkeys(found))
