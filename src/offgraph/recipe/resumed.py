"""The rest of a recipe, run on images that were kept after its first steps."""

from __future__ import annotations

from collections.abc import Sequence

from offgraph.core.errors import StepError
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.plan.batch import Place
from offgraph.plan.draw import draw
from offgraph.plan.lower import PlannedOp
from offgraph.plan.resume import Resumer
from offgraph.recipe.compose import Compose
from offgraph.recipe.prepared import PreparedSample, record_of
from offgraph.recipe.result import Result
from offgraph.steps.ops import Grid, Resize
from offgraph.targets import Image, Targets

__all__ = ["ResumedRecipe"]

_TRIED = 32
"""Draws that are looked at before images are kept: what one of them joins cannot be kept apart."""


class ResumedRecipe:
    """Runs a recipe from an image that was kept after its first steps; bytes and records are those of a whole run.

    Targets beside the image, such as masks and boxes, are not kept in the middle: they go through all steps, so that a
    mask is read once and a box is bounded once.

    Parameters
    ----------
    recipe : Compose
    done : int
        How many leading steps are done.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Resize((4, 4)), og.Augment(og.Flip("X", p=0.5)), og.Rescale(1 / 255)])
    >>> image, key = og.Image(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)), og.Key(seed=1, index=5)
    >>> given = og.Targets.of_image(image)
    >>> resumed = ResumedRecipe(recipe, 1)
    >>> kept = resumed.keep(image)
    >>> result = resumed.run(given, kept, key)
    >>> bool((result.image == recipe(image=image, key=key).image).all())
    True
    """

    def __init__(self, recipe: Compose, done: int) -> None:
        self.recipe, self.done = recipe, done
        self._resumer = Resumer(recipe._placed, done, fused=recipe.fuse)

    def refusal(self, spec: ArraySpec) -> str:
        """Say why images cannot be kept after these steps; empty where they can.

        Parameters
        ----------
        spec : ArraySpec
            What most images are at the start of the recipe.
        """
        placed = self.recipe._placed
        drawing = next((here for here in placed[: self.done] if here.draws), None)
        if drawing is not None:
            return f"{drawing.where} draws, so it gives another image in every epoch"
        try:
            after = self.recipe.output_spec(spec, 0, self.done)
            if self.done and after.dtype.startswith("float"):
                return f"{placed[self.done - 1].where} is followed by {after.dtype}, and integers are kept"
            for index in range(_TRIED):
                plan = self._resumer.plan(spec, Key(index=index))
                if plan.left is None:
                    return plan.reason
                if self.recipe.decode == "scaled" and _resizes(plan.left):
                    return "the recipe decodes files at another scale, for a resize that comes later"
                if not self.recipe.draws:
                    break
        except StepError as error:
            return str(error)
        return ""

    def kept_spec(self, spec: ArraySpec) -> ArraySpec:
        """Return the spec after the steps that are done, of an image's at the start.

        Raises
        ------
        StepError
            Where a step cannot be applied.
        """
        return draw(self.recipe._placed[: self.done], spec, Key())[1][-1]

    def keep(self, image: Image) -> Image:
        """Return the image after the steps that are done, without others' memory in it.

        Raises
        ------
        StepError
            Where a step cannot be applied.
        """
        made = self.recipe.run(Targets({"image": image}), Key(), 0, self.done).targets.image.contiguous()
        return made if made.array.flags.owndata else made.with_array(made.array.copy())

    def prepare(self, given: Targets, kept: Image, key: Key, place: Place) -> PreparedSample | None:
        """Prepare a sample to be run with others in one native call; None where `run` has to be asked.

        Parameters
        ----------
        given : Targets
            As at the start of the recipe. Nothing reads the pixels of the image: `offgraph.plan.batch.unread` will do.
        kept : Image
            What `keep` returned.
        key : Key
        place : Place
            What the call writes the image into.
        """
        pending = self._resumer.prepare(given, kept, key, place)
        return None if pending is None else PreparedSample(self.recipe, key, 0, pending)

    def run(self, given: Targets, kept: Image, key: Key) -> Result | None:
        """Run the rest on one sample; None where its draws leave no image to go on from.

        Raises
        ------
        StepError
            As for a run from the start.
        """
        done = self._resumer.run(given, kept, key)
        if done is None:
            return None
        targets, applied, history = done
        recipe = self.recipe
        return Result(targets, record_of(recipe.digest, key, 0, recipe._placed, applied), history)


def _resizes(ops: Sequence[PlannedOp]) -> bool:
    """Whether a resize follows, with nothing but crops and flips before it."""
    first = next((planned.op for planned in ops if not isinstance(planned.op, Grid)), None)
    return isinstance(first, Resize)
