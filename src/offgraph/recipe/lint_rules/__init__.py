"""Rules about recipes: what runs, or ends in an error, and is probably not meant. Each is one small function."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

from offgraph.core.errors import OffgraphWarning
from offgraph.core.specs import OpenSpec
from offgraph.plan.placed import PlacedStep
from offgraph.recipe.layers import Augment
from offgraph.recipe.lint_rules import (  # noqa: F401  each enters its rules
    chains,
    classes,
    fields,
    refusals,
    sizes,
    values,
)
from offgraph.recipe.lint_rules.base import RULES, LintedRecipe, RecipeFinding, linted_steps
from offgraph.steps.base import Step

__all__ = ["RULES", "RecipeFinding", "lint_steps"]


def lint_steps(
    placed: Sequence[PlacedStep],
    items: Sequence[Step | Augment],
    *,
    fuse: bool,
    spec: OpenSpec | None,
    class_names: Sequence[str],
) -> tuple[RecipeFinding, ...]:
    """Run all rules.

    Parameters
    ----------
    placed : sequence of PlacedStep
    items : sequence of Step or Augment
        The same, as the recipe declares them.
    fuse : bool
    spec : OpenSpec or None
        Of the image; rules that need it find nothing without it.
    class_names : sequence of str

    Returns
    -------
    tuple of RecipeFinding
        In the order of the steps; those about the recipe as a whole come first. A step that fails for a reason that a
        rule knows is listed once.
    """
    layers = [
        number
        for number, item in enumerate(items)
        for _ in (item.steps if isinstance(item, Augment) else (item,))
    ]
    for at in range(1, len(layers)):  # neighbours in the prepare layer belong together
        if not placed[at].augment and not placed[at - 1].augment:
            layers[at] = layers[at - 1]
    steps = tuple(linted_steps(placed, spec))
    recipe = LintedRecipe(placed, steps, tuple(layers), fuse, spec, tuple(class_names))
    found: dict[RecipeFinding, None] = {}
    explained: set[int] = set()
    with warnings.catch_warnings():  # a mended step may have hints of its own
        warnings.simplefilter("ignore", OffgraphWarning)
        for name in sorted(RULES, key=lambda name: name == "refused"):
            for finding in RULES[name][1](recipe):
                if name == "refused" and finding.number in explained:
                    continue
                if finding.fails:
                    explained.add(finding.number)
                found[replace(finding, rule=name)] = None
    return tuple(sorted(found, key=lambda finding: finding.number))
