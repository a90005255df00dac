"""`from_keras`: the recipe of Keras' preprocessing layers, or of an `ImageDataGenerator`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offgraph.core.errors import ArgumentError
from offgraph.migration.generator import arguments_of, from_generator, is_generator
from offgraph.migration.report import Migration

__all__ = ["from_keras"]


def from_keras(given: Any = None, /, **arguments: Any) -> Migration:
    """Return the recipe of Keras' `ImageDataGenerator`, and how far the two agree.

    Parameters
    ----------
    given : ImageDataGenerator or dict, optional
        A generator (after `fit` with the statistics it found), or its arguments.
    **arguments
        Those of `ImageDataGenerator`; `target_size`, `interpolation` and `keep_aspect_ratio` of its
        `flow_from_directory` may be among them.

    Returns
    -------
    Migration
        ``recipe`` and ``report``; ``print(report)`` names every difference.

    Raises
    ------
    RecipeError
        For an argument that Keras does not have, or a value that it does not take.

    Examples
    --------
    >>> import offgraph as og
    >>> recipe, report = og.from_keras(rotation_range=20, horizontal_flip=True, rescale=1 / 255)
    >>> print(report.summary())
    Keras ImageDataGenerator: 3 steps: 2 the same, 1 within 1 grey level
    """
    if given is None:
        return from_generator(arguments)
    if is_generator(given):
        return from_generator({**arguments_of(given), **arguments})
    if isinstance(given, Mapping):
        return from_generator({**given, **arguments})
    raise ArgumentError(f"given={given!r:.60}: expected an ImageDataGenerator, or its arguments")
