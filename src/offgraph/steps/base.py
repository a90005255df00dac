"""What a step is: declared once, sampled, then lowered to operations; and the registry of all steps.

A step is a frozen class in its own file. Its fields are its parameters, its docstring documents them, and
`Step.reference` is its definition in a few lines of ndimage or NumPy, to which the engine is tested equal.
"""

from __future__ import annotations

import functools
from inspect import get_annotations
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.fields import FieldInfo

from offgraph.core.distributions import Distribution
from offgraph.core.errors import StepError
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, SpecT
from offgraph.steps.alone import RunsAlone
from offgraph.steps.compiled import CompiledStep
from offgraph.steps.counts import CountRange, drawn_count
from offgraph.steps.functions import NamedFunction
from offgraph.steps.ops import Op, PythonStep
from offgraph.steps.parameters import PerAxis, Probability, is_range
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = ["CONFIG", "STEPS", "Step", "drawn", "field_names", "fields_of", "positional_names", "varies"]


CONFIG = ConfigDict(extra="forbid")
STEPS: dict[str, type[Step]] = {}
"""Every step by its name; recipe files, schema, docs, the command line and the contract tests read it."""

_S = TypeVar("_S", bound="type[Step]")


@pydantic_dataclass(frozen=True, kw_only=True, repr=False, config=CONFIG)
class Step(RunsAlone):
    """Base of all steps. A step that is called, ``step(image=…, mask=…, seed=…)``, is the recipe of it alone.

    Parameters
    ----------
    p : float
        Probability that the step is applied to an image, from 0 to 1; 1 is always.
    id : str, optional
        The step's name inside the recipe. Its draws belong to it, so that a step with an id keeps its draws when
        steps of the same class are put before it.
    """

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Refuse a class whose fields were never declared, and would not be parameters."""
        if "__dataclass_fields__" not in cls.__dict__:
            fields = [name for name, kind in get_annotations(cls).items() if "ClassVar" not in str(kind)]
            if fields:
                raise StepError(
                    f"{cls.__name__}: write @og.register before the class, whose fields are {', '.join(fields)}"
                )
        return super().__new__(cls)

    p: Probability = 1.0
    id: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    version: ClassVar[int] = 1
    """Counted up when the same parameters come to mean other values; part of the recipe's fingerprint."""
    kind: ClassVar[str] = ""
    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    """Numbers of spatial axes that the step takes."""
    later: ClassVar[tuple[str, ...]] = ()
    """Parameters that the class got afterwards: at their defaults they are left out of fingerprints and digests, so that
    recipes from before keep theirs."""
    draws_from: ClassVar[Literal["", "mask", "boxes"]] = ""
    """The target that `sample` looks at, by ``draw.target(self.draws_from)``: what it takes from there is plain JSON in the
    drawn values, so that a record replays without the target. Empty for all other steps: they draw from specs alone."""

    @property
    def name(self) -> str:
        """The step's name, as recipes and `STEPS` have it."""
        return type(self).__name__

    @property
    def reads_file(self) -> bool:
        """Whether `sample` asks ``draw.target("file")`` for the pixel sizes and the orientation that the file declares.

        What it takes from there is in its values, so that a record replays without the file; it does not depend on the
        key.
        """
        return False

    @property
    def draws(self) -> bool:
        """Whether the outcome depends on the key."""
        return self.p > 0 and (self.p < 1 or self.varies)

    @property
    def varies(self) -> bool:
        """Whether a step that is applied draws: by default, where a parameter is a range.

        A class with its own `sample` draws unless its own `varies` says otherwise.
        """
        cls = type(self)
        if cls.sample is not Step.sample and cls.varies is Step.varies:
            return True
        return bool(cls.draws_from) or any(varies(getattr(self, name)) for name in _ranged(cls))

    @property
    def averages(self) -> bool:
        """Whether values between two of the image's may come out; such a step takes no bool image."""
        return False

    def hints(self) -> list[str]:
        """Return what is probably not meant, each with what to write instead; shown once as a warning."""
        return []

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw this image's values as plain JSON: by default one for every parameter that takes a range."""
        counts = _counted(type(self))
        return {
            name: drawn_count(draw, getattr(self, name))
            if name in counts
            else drawn(draw, getattr(self, name))
            for name in _ranged(type(self))
        }

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """Return shape, dtype and axes after the step; without params, ``None`` for lengths that are drawn."""
        return spec

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[Op, ...]:
        """Return the operations that do the step's work on an image of this spec; each kind of step has its own.

        Parameters
        ----------
        params : dict
            What `sample` gave.
        spec : ArraySpec
            Of the image before the step.
        """
        raise NotImplementedError(f"{self.name} has neither `lower` nor `apply`")

    def operations(self, params: dict[str, Any], spec: ArraySpec) -> tuple[Op, ...]:
        """Return what a plan runs: `lower`, or the step's own `apply` and `apply_mask` where its class has them."""
        cls = type(self)
        moves_labels = cls.apply_mask is not Step.apply_mask
        if cls.apply is Step.apply and not moves_labels:
            return self.lower(params, spec)
        return (PythonStep(self, params, self.output_spec(spec, params), moves_labels),)

    def compiled(self) -> CompiledStep | None:
        """Return the step in plain numbers, for the native core to draw and lower it on images of two spatial axes.

        It has to give the bits that `sample`, `output_spec`, `map` and `lower` give. A class asks for this in its own
        body: what it inherits from another step counts as None.

        Returns
        -------
        tuple, or None
            What `native/python/src/recipe.rs` reads as a kind of step. None, the default, where only Python can do it.
        """
        return None

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Apply the step alone to an image; the input is left as it is.

        A step that operations cannot express defines its own `apply`, and `apply_mask` where it moves labels:
        they are Python code, which splits the plan.
        """
        for op in self.lower(params, image.spec):
            image = op.run(image)
        return image

    def apply_mask(self, mask: Mask, params: dict[str, Any]) -> Mask:
        """Apply the step alone to a mask of labels; the same mask where the step moves nothing."""
        if type(self).lower is not Step.lower:
            for op in self.lower(params, mask.spec):
                mask = op.run_labels(mask)
        return mask

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Define the step in a few lines of ndimage or NumPy.

        Parameters
        ----------
        ndi : module
            `scipy.ndimage` or `offgraph.ndimage`.
        image : ndarray
            One channel, spatial axes only.
        params : dict
            What `sample` gave.
        channel : int
            Which channel of the image it is.
        """
        raise NotImplementedError(f"{self.name} has no `reference`")

    def fields(self) -> dict[str, Any]:
        """Return all parameters as plain JSON values, pairs as lists; the step's own come first."""
        return {name: _plain(getattr(self, name)) for name in field_names(type(self))}

    def default(self, name: str) -> Any:
        """Return the value of a parameter that is left out, beside the others of this step."""
        return fields_of(type(self))[name].default

    def __repr__(self) -> str:
        changed = [name for name in field_names(type(self)) if getattr(self, name) != self.default(name)]
        return f"{self.name}({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"


@functools.cache
def _ranged(cls: type[Step]) -> tuple[str, ...]:
    fields = fields_of(cls).items()
    return tuple(
        name
        for name, field in fields
        if any(is_range(given) or isinstance(given, CountRange) for given in field.metadata)
    )


@functools.cache
def _counted(cls: type[Step]) -> frozenset[str]:
    """Names of the parameters that are whole numbers, fixed or drawn."""
    fields = fields_of(cls).items()
    return frozenset(
        name for name, field in fields if any(isinstance(given, CountRange) for given in field.metadata)
    )


def fields_of(cls: type[Step]) -> dict[str, FieldInfo]:
    """Return the declarations of a step's parameters."""
    return cls.__pydantic_fields__  # type: ignore[attr-defined]  # the dataclass decorator puts it there


@functools.cache
def field_names(cls: type[Step]) -> tuple[str, ...]:
    """Names of all parameters: positional ones first, then those of the bases, `p` and `id` last."""
    fields = fields_of(cls)
    shared = tuple(fields_of(Step))
    return tuple(sorted(fields, key=lambda name: (name in shared, bool(fields[name].kw_only))))


@functools.cache
def positional_names(cls: type[Step]) -> tuple[str, ...]:
    """Names of the parameters that may be given without their names, in their order."""
    return tuple(name for name, field in fields_of(cls).items() if not field.kw_only)


def drawn(draw: Draw, setting: Any) -> Any:
    """Return one value drawn from a setting, plain JSON: a number, or one for each key of `PerAxis`."""
    if isinstance(setting, PerAxis):
        return {axes: draw.value(part) for axes, part in setting.items()}
    return draw.value(setting)


def varies(setting: Any) -> bool:
    """Whether drawing from a setting can give different values."""
    if isinstance(setting, PerAxis):
        return any(varies(part) for part in setting.values())
    if not isinstance(setting, tuple):
        return False
    if any(isinstance(part, tuple) for part in setting):
        return any(varies(part) for part in setting)
    return len(setting) == 2 and setting[0] != setting[1]


def _plain(value: Any) -> Any:
    if isinstance(value, Step):
        return {value.name: value.fields()}
    if isinstance(value, NamedFunction):
        return value.name
    if isinstance(value, Distribution):
        return value.to_json()
    if isinstance(value, PerAxis):
        return {axes: _plain(part) for axes, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
