"""Which mirrored and turned images a model's training drew, as far as its recipe and its layers say.

A symmetry says, for each axis of an image, which axis it was and in which direction it ran. That of a drawn map is the
nearest one to its derivative at the middle of the image: ``Rotate((-15, 15))`` is none but the identity, ``Rotate((-180, 180))``
all four quarter turns. What training may have drawn is every product of the symmetries that were found in
many draws, which bounds it from above; where a recipe cannot be drawn without its masks, nothing is said.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Sequence
from itertools import permutations, product
from typing import TYPE_CHECKING

import numpy as np

from offgraph.core.errors import OffgraphError, OffgraphWarning
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.frameworks.augmenting_layers import augmenting_symmetries
from offgraph.plan.draw import draw
from offgraph.plan.lower import lower
from offgraph.plan.placed import place
from offgraph.recipe.compose import Compose
from offgraph.recipe.layers import Augment
from offgraph.transforms import D4

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["never_drawn", "warn_of_untrained"]

_DRAWS = 256
"""A step that is applied to 5 of 100 images is missed once in 500,000 recipes."""
_SIDES = (192, 640)
"""Of the image that is thought to be drawn for, where the model takes any."""

Symmetry = tuple[tuple[int, ...], ...]
"""A matrix of 0, 1 and -1, one of them in each row and column: from output to input axes."""


def never_drawn(saved: SavedModel, variants: Sequence[Compose]) -> tuple[str, ...]:
    """Return in words what variants do to an image that the model's training never did; nothing where that is not known.

    Parameters
    ----------
    saved : SavedModel
        A model that was saved with its recipe, or one in memory that was given a recipe with an `Augment`.
    variants : sequence of Compose
    """
    if not variants or not _knows_training(saved):
        return ()
    spec = saved.input_spec
    count = len(spec.size)
    trained = _drawn(saved.recipe, spec)
    asked = [_drawn(variant, spec, all_steps=True) for variant in variants]
    if trained is None or None in asked:
        return ()
    if count == 2:
        layers = [Compose([D4(name)]) for name in augmenting_symmetries(saved.model)]  # type: ignore[arg-type]
        for layer in layers:
            trained |= _drawn(layer, spec, all_steps=True) or set()
    missing = set().union(*(one or () for one in asked)) - _products(trained, count)
    return tuple(dict.fromkeys(_named(one, spec.spatial_names) for one in sorted(missing, reverse=True)))


def warn_of_untrained(saved: SavedModel, variants: Sequence[Compose], tta: object) -> None:
    """Warn where a model is asked about variants that it was not trained with."""
    if not (missing := never_drawn(saved, variants)):
        return
    named = repr(tta) if isinstance(tta, str) else "[…]"
    warnings.warn(
        f"{saved.path}: tta={named} asks about images {' and '.join(missing)}, which the recipe that it was trained with never "
        "drew; answers to these may be worse than none. Take the variants that training drew, or let validation images choose: "
        "og.choose_tta (offgraph choose-tta)",
        OffgraphWarning,
        stacklevel=3,
    )


def _knows_training(saved: SavedModel) -> bool:
    """Whether the recipe is the one that the model was trained with, and not only what prepares its images."""
    return saved.path.suffix == ".keras" or any(isinstance(item, Augment) for item in saved.recipe.items)


def _drawn(recipe: Compose, taken: OpenSpec, *, all_steps: bool = False) -> set[Symmetry] | None:
    """The symmetries that the steps of `Augment` draw, or all steps; None where they cannot be drawn from shapes alone."""
    pairs = [
        (step, isinstance(item, Augment))
        for item in recipe.items
        for step in (item.steps if isinstance(item, Augment) else (item,))
    ]
    identity = _symmetry(np.eye(len(taken.size)))
    if not (all_steps or any(augment for _, augment in pairs)):
        return {identity}
    placed = place(pairs)
    if any(here.draws_from for here in placed):
        return None
    channels = taken.shape[-1] if "C" in taken.axes else None
    for side in _SIDES:
        size = tuple(length or side for length in taken.size) if all_steps else (side,) * len(taken.size)
        axes, shape = taken.axes, size if channels is None else (*size, channels)
        if channels == 1 and not all_steps:  # as files with one channel are read
            axes, shape = axes.replace("C", ""), size
        spec = ArraySpec(tuple(shape), "float32" if all_steps else "uint8", axes)
        found = {identity}
        try:
            for index in range(_DRAWS if recipe.draws else 1):
                applied, specs = draw(placed, spec, Key(0, 0, index))
                whole = np.eye(len(size))
                for op in lower(placed, applied, specs):
                    leg = getattr(op.op, "leg", None)
                    if leg is not None and (all_steps or op.steps[0].augment):
                        middle = (np.array(leg.map.output_size) - 1) / 2
                        whole = whole @ leg.map.jacobian(middle)
                if np.isfinite(whole).all():
                    found.add(_symmetry(whole))
        except OffgraphError:
            continue  # such as a crop that is larger
        return found
    return None


@functools.cache
def _all_symmetries(count: int) -> tuple[np.ndarray, ...]:
    made = []
    for axes in permutations(range(count)):
        for signs in product((1, -1), repeat=count):
            matrix = np.zeros((count, count), int)
            matrix[range(count), axes] = signs
            made.append(matrix)
    return tuple(made)


def _symmetry(derivative: np.ndarray) -> Symmetry:
    """The nearest one, the identity where several are as near: a flat map has no direction."""
    several = _all_symmetries(len(derivative))
    best = max(several, key=lambda one: round(float(np.sum(one * derivative)), 6))
    return tuple(tuple(map(int, row)) for row in best)


def _products(found: Iterable[Symmetry], count: int) -> set[Symmetry]:
    """All products: what a chain of steps may make of an image, if each is applied or not."""
    group = {_symmetry(np.eye(count))} | set(found)
    while True:
        more = {_symmetry(np.array(one) @ np.array(two)) for one in group for two in group} - group
        if not more:
            return group
        group |= more


def _named(symmetry: Symmetry, axes: Sequence[str]) -> str:
    """In words: what the variant of an image is to the image."""
    backwards = [axis for place, axis in enumerate(axes) if symmetry[place][place] < 0]
    if any(row[place] == 0 for place, row in enumerate(symmetry)):
        return "turned by quarters" if np.linalg.det(symmetry) > 0 else "mirrored along a diagonal"
    if len(backwards) == 2 and len(axes) == 2:
        return "turned by a half"
    return f"mirrored along {' and '.join(backwards)}"
