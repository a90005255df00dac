"""The last rule: what a step refuses, for a reason that no other rule knows."""

from __future__ import annotations

from collections.abc import Iterator

from offgraph.recipe.lint_rules.base import LintedRecipe, RecipeFinding, rule


@rule("refused", "steps that do not take the image before them")
def refused(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """Errors that a run of the recipe would end in."""
    for here in recipe.steps:
        if here.refusal:
            said, _, mend = here.refusal.partition("; ")
            yield here.finding(
                "", said, mend or "change the step, or the images that it is to be used for", fails=True
            )
