"""What steps that draw from a target see of it: the target as it is where they stand, after all steps before them.

Only the targets move for that, never the image: all steps before are lowered, and the mask or the boxes go through their
maps at once, as they do in a fused run. What is seen, and so what is drawn, does not depend on `fuse`. The image is still
planned and run as a whole, from the values that were drawn.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from offgraph.core.calibration import OPPOSITE, Calibration
from offgraph.core.specs import ArraySpec
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import CoordinateMap
from offgraph.geometry.grid_map import GridMap
from offgraph.plan.lower import PlannedOp
from offgraph.plan.move import finish
from offgraph.plan.placed import PlacedStep
from offgraph.plan.refusals import named
from offgraph.steps.base import Step
from offgraph.targets import KINDS, Image, Target, Targets

__all__ = ["TargetView", "view_of"]


class _Done(NamedTuple):
    """A step before the one that looks, with what it drew."""

    here: PlacedStep
    params: dict[str, Any]
    before: ArraySpec


class TargetView:
    """The targets of one sample at a place in its recipe; a later place is another view.

    Parameters
    ----------
    targets : Targets
        At the start.
    """

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._done: tuple[_Done, ...] = ()
        self._here: PlacedStep | None = None

    def at(self, here: PlacedStep) -> Self:
        """Return the view of a step, or of those that it is made of."""
        return self._with(here, self._done)

    def after(self, step: Step, params: dict[str, Any], before: ArraySpec) -> Self:
        """Return the view after a step: the one that stands here, or one of those that it is made of."""
        assert self._here is not None
        here = self._here if step is self._here.step else self._here.part(step)
        return self._with(self._here, (*self._done, _Done(here, params, before)))

    def _with(self, here: PlacedStep, done: tuple[_Done, ...]) -> Self:
        other = copy.copy(self)
        other._here, other._done = here, done
        return other

    def target(self, kind: str) -> Target | Calibration:
        """Return the target of a kind as it is here.

        Parameters
        ----------
        kind : str
            A name of `KINDS`. Of several of one type the one of that name. ``"file"`` gives what the file declares of
            its pixels, as it is for the grid here.

        Raises
        ------
        ValueError
            Where there is none, or several by other names.
        """
        if kind == "file":
            return self._calibration()
        found = self._targets.of(KINDS[kind])
        name = kind if kind in found else next(iter(found), None)
        if name is None:
            raise ValueError(
                f"draws from {_THE[kind]}, and this sample has none: pass {kind}= beside the image"
            )
        if name != kind and len(found) > 1:
            raise ValueError(
                f"draws from {_THE[kind]}, and there are {', '.join(found)}: call the one that it is to look at {kind!r}"
            )
        ops = [op for done in self._done for op in _operations(done)]
        if not ops:
            return found[name]
        return finish(ops, Targets({name: found[name]}), {}, {}, fused=True)[name]

    def _calibration(self) -> Calibration:
        image = self._targets.get("image")
        found = image.calibration if isinstance(image, Image) else None
        if found is None:
            raise ValueError(
                "is to take the pixel sizes of the file, and this image has none of a file: write given= as numbers, such as "
                "given={'Z': 2, 'YX': 0.5}. They are declared by NIfTI files, and by TIFFs of ImageJ and OME, that a source "
                "reads"
            )
        for done in self._done:
            for planned in _operations(done):
                leg = getattr(planned.op, "leg", None)
                if leg is not None:
                    found = _moved(found, leg.map, planned.before.spatial_names, done.here)
        return found


def _moved(found: Calibration, grid: CoordinateMap, axes: str, here: PlacedStep) -> Calibration:
    """What is declared of a grid, for the grid after a map that is the same everywhere."""
    if isinstance(grid, GridMap):
        grid = grid.affine()
    if not isinstance(grid, AffineMap):
        raise ValueError(
            f"is to take the pixel sizes of the file, and {here.where} before it bends the grid: put it first"
        )
    matrix = np.asarray(grid.matrix, float)
    spacing: dict[str, float] = {}
    codes = ""
    for column, axis in enumerate(axes):
        steps = [(axes[row], float(matrix[row, column])) for row in range(len(axes)) if matrix[row, column]]
        if all(letter in found.spacing for letter, _ in steps):
            spacing[axis] = math.hypot(*(step * found.spacing[letter] for letter, step in steps))
        if found.codes is not None and len(steps) == 1 and len(axes) == len(found.codes):
            code = found.codes[axes.index(steps[0][0])]
            codes += code if steps[0][1] > 0 else OPPOSITE[code]
    return Calibration(spacing, found.unit, codes if len(codes) == 3 else None)


_THE = {"mask": "the mask", "boxes": "the boxes"}


def _operations(done: _Done) -> list[PlannedOp]:
    planned: list[PlannedOp] = []
    before = done.before
    with named((done.here,), before):
        for op in done.here.step.operations(done.params, before):
            after = op.output_spec(before)
            planned.append(PlannedOp(op, (done.here,), before, after))
            before = after
    return planned


def view_of(placed: Sequence[PlacedStep], targets: Targets) -> TargetView | None:
    """Return the view at the start of some steps; None where no step looks at a target."""
    return TargetView(targets) if any(here.draws_from for here in placed) else None
