"""What the rules look at, what they find, and the table of all rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from offgraph.core.distributions import Normal
from offgraph.core.errors import OffgraphError
from offgraph.core.specs import OpenSpec
from offgraph.plan.placed import PlacedStep
from offgraph.recipe.files import recipe_line
from offgraph.steps.base import Step
from offgraph.steps.kinds import GeometricStep
from offgraph.steps.structure import StructureStep, open_spec_after
from offgraph.transforms import RandAugment, TrivialAugment
from offgraph.transforms import Sequence as StepSequence

__all__ = ["RULES", "LintedRecipe", "LintedStep", "RecipeFinding", "likely_ends", "linted_steps", "rule"]


@dataclass(frozen=True)
class RecipeFinding:
    """Something in a recipe that is probably not meant, and what to write instead.

    Parameters
    ----------
    rule : str
        Which rule found it, such as ``"radians"``.
    number : int
        Position of the step among all steps of the recipe, from 1; 0 for the recipe as a whole.
    step : str
        Its class name; with the step around it where it is a part of one.
    field : str
        The parameter that is meant; empty for the step as a whole.
    said : str
        What is wrong.
    mend : str
        What to do.
    line : str
        The mended step as a recipe file has it, where one line is all that changes; else empty.
    fails : bool
        Whether the recipe ends in an error on such an image.
    """

    rule: str
    number: int
    step: str
    field: str
    said: str
    mend: str
    line: str = ""
    fails: bool = False

    @property
    def where(self) -> str:
        """Step and field, as messages call them."""
        step = f"step {self.number}, {self.step}" if self.number else "recipe"
        return f"{step}, field {self.field}" if self.field else step

    def to_json(self) -> dict[str, Any]:
        """Return the finding as values that ``json.dumps`` takes."""
        return asdict(self)

    def __str__(self) -> str:
        line = f": {self.line}" if self.line else ""
        return f"{self.where}: {self.said}; {self.mend}{line}"


@dataclass(frozen=True)
class LintedStep:
    """A step, or a part of one, with what is known of the image around it.

    Parameters
    ----------
    placed : PlacedStep
    before, after : OpenSpec or None
        Specs; None where they are not known, or the step refuses the image.
    refusal : str
        What the step says where it does not take the image before it.
    is_part : bool
        Whether it stands inside another step, which may or may not apply it.
    """

    placed: PlacedStep
    before: OpenSpec | None
    after: OpenSpec | None
    refusal: str = ""
    is_part: bool = False

    @property
    def step(self) -> Step:
        """The step itself."""
        return self.placed.step

    def finding(
        self, field: str, said: str, mend: str, *, instead: Step | None = None, fails: bool = False
    ) -> RecipeFinding:
        """Return a finding about this step; its rule is filled in where the rule is run.

        Parameters
        ----------
        field, said, mend
            As `RecipeFinding` has them.
        instead : Step, optional
            The mended step.
        fails : bool
        """
        line = recipe_line(instead) if instead is not None else ""
        return RecipeFinding("", self.placed.number, self.placed.name, field, said, mend, line, fails)


@dataclass(frozen=True)
class LintedRecipe:
    """A recipe as the rules see it.

    Parameters
    ----------
    placed : sequence of PlacedStep
    steps : tuple of LintedStep
        Steps in order; parts of a step follow it.
    layers : tuple of int
        For each placed step the number of the `Augment` that it stands in; steps of the prepare layer between two of
        them have one number too. Steps move only among those of one number.
    fuse : bool
    spec : OpenSpec or None
        Of the image.
    class_names : tuple of str
    """

    placed: Sequence[PlacedStep]
    steps: tuple[LintedStep, ...]
    layers: tuple[int, ...]
    fuse: bool
    spec: OpenSpec | None
    class_names: tuple[str, ...] = ()

    @property
    def outer(self) -> list[LintedStep]:
        """The steps without their parts."""
        return [here for here in self.steps if not here.is_part]


def linted_steps(placed: Sequence[PlacedStep], spec: OpenSpec | None) -> Iterator[LintedStep]:
    """Yield each step with the specs around it; after a refusal little is known."""
    for here in placed:
        found = _linted(here, spec)
        yield found
        yield from _parts(here, spec)
        spec = found.after or _beyond(found)


def _beyond(refused: LintedStep) -> OpenSpec | None:
    """What is known after a step that refuses the image: one that moves pixels would have left the dtype."""
    if refused.before is None or not isinstance(refused.step, GeometricStep):
        return None
    return refused.before.resized((None,) * len(refused.before.size))


def _linted(here: PlacedStep, spec: OpenSpec | None, *, is_part: bool = False) -> LintedStep:
    if spec is None:
        return LintedStep(here, None, None, is_part=is_part)
    try:
        return LintedStep(here, spec, open_spec_after(here.step, spec, chosen=is_part), is_part=is_part)
    except (ValueError, ArithmeticError, OffgraphError) as error:
        return LintedStep(here, spec, None, str(error), is_part)


def _parts(here: PlacedStep, spec: OpenSpec | None) -> Iterator[LintedStep]:
    """Yield what a step is made of; a policy's steps are its own affair."""
    step = here.step
    if not isinstance(step, StructureStep) or isinstance(step, RandAugment | TrivialAugment):
        return
    for member in step.members:
        part = here.part(member)
        found = _linted(part, spec, is_part=True)
        yield found
        yield from _parts(part, spec)
        if isinstance(step, StepSequence):
            spec = found.after


def likely_ends(setting: Any) -> tuple[float, float]:
    """Return between which numbers nearly all draws lie: of a normal distribution two standard deviations to each side."""
    if isinstance(setting, Normal):
        mean, sd = setting.numbers[:2]
        return max(setting[0], mean - 2 * sd), min(setting[1], mean + 2 * sd)
    parts = setting if isinstance(setting, tuple) else (setting,)
    return float(min(parts)), float(max(parts))


Rule = Callable[[LintedRecipe], Iterator[RecipeFinding]]

RULES: dict[str, tuple[str, Rule]] = {}
"""What each rule looks for, and the rule, by its name."""


def rule(name: str, looks_for: str) -> Callable[[Rule], Rule]:
    """Enter a function into `RULES`."""

    def enter(function: Rule) -> Rule:
        RULES[name] = (looks_for, function)
        return function

    return enter
