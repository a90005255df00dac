"""What a step is: declared once, sampled, then applied; and the registry of all steps.

A step is a frozen class in a file of its own. Its fields are its parameters, its docstring documents them, and
`Step.reference` is its definition in a few lines of ndimage or NumPy, to which the engine is tested equal.
"""

from __future__ import annotations

import functools
import inspect
import re
import warnings
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.fields import FieldInfo

from offgraph import ndimage
from offgraph.errors import OffgraphWarning, StepError
from offgraph.frame import AffineMap
from offgraph.ndimage._engine import affine_planes, lookup
from offgraph.parameters import Mode, Number, NumberOrRange, Order, PerAxis, Probability, Whole
from offgraph.random import Draw
from offgraph.spec import ArraySpec, held_by
from offgraph.targets import Image, Mask

__all__ = [
    "STEPS",
    "FilterStep",
    "GeometricStep",
    "PointwiseStep",
    "ResampledStep",
    "ResultStep",
    "Step",
    "documentation",
    "drawn",
    "field_names",
    "field_schema",
    "fields_of",
    "hint_once",
    "signature",
    "step",
    "value_range",
    "varies",
]

CONFIG = ConfigDict(extra="forbid")
STEPS: dict[str, type[Step]] = {}
"""Every step by its name; recipe files, schema, docs, the command line and the contract tests read it."""

_S = TypeVar("_S", bound="type[Step]")


@pydantic_dataclass(frozen=True, kw_only=True, repr=False, config=CONFIG)
class Step:
    """Base of all steps.

    Parameters
    ----------
    p : float
        Probability that the step is applied to a picture, from 0 to 1; 1 is always.
    id : str, optional
        The step's name inside the recipe. Its draws belong to it, so that a step with an id keeps its draws when
        steps of the same class are put before it.
    """

    p: Probability = 1.0
    id: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    version: ClassVar[int] = 1
    """Counted up when the same parameters come to mean other values; part of the recipe's fingerprint."""
    kind: ClassVar[str] = ""
    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    """Numbers of spatial axes that the step takes."""

    @property
    def name(self) -> str:
        """The step's name, as recipes and `STEPS` have it."""
        return type(self).__name__

    @property
    def draws(self) -> bool:
        """Whether the outcome depends on the key."""
        return self.p > 0 and (self.p < 1 or self.varies)

    @property
    def varies(self) -> bool:
        """Whether a step that is applied draws: by default, where a parameter is a range."""
        return any(varies(getattr(self, name)) for name in _ranged(type(self)))

    @property
    def averages(self) -> bool:
        """Whether values between two of the image's may come out; such a step takes no bool image."""
        return False

    def hints(self) -> list[str]:
        """Return what is probably not meant, each with what to write instead; shown once as a warning."""
        return []

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw this picture's values as plain JSON: by default one for every parameter that takes a range."""
        return {name: drawn(draw, getattr(self, name)) for name in _ranged(type(self))}

    def output_spec(self, spec: ArraySpec, params: dict[str, Any] | None = None) -> ArraySpec:
        """Return shape, dtype and axes after the step; without params, ``None`` for lengths that are drawn."""
        return spec

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Apply the step to a picture; the input is left as it is."""
        raise NotImplementedError

    def apply_mask(self, mask: Mask, params: dict[str, Any]) -> Mask:
        """Apply the step to a mask of labels; the same mask where the step moves nothing."""
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
            Which channel of the picture it is.
        """
        raise NotImplementedError

    def fields(self) -> dict[str, Any]:
        """Return all parameters as plain JSON values, pairs as lists; the step's own come first."""
        return {name: _plain(getattr(self, name)) for name in field_names(type(self))}

    def __repr__(self) -> str:
        known = fields_of(type(self))
        changed = [name for name in field_names(type(self)) if getattr(self, name) != known[name].default]
        return f"{self.name}({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def step(cls: _S) -> _S:
    """Declare a step: a frozen dataclass with validated parameters, listed in `STEPS`."""
    declared: Any = pydantic_dataclass(frozen=True, repr=False, config=CONFIG)(cls)
    validate = declared.__init__

    @functools.wraps(validate)
    def init(self: Step, *args: Any, **kwargs: Any) -> None:
        try:
            validate(self, *args, **kwargs)
        except ValidationError as error:
            problems = [": ".join(filter(None, explain(problem, declared))) for problem in error.errors()]
            raise StepError(f"{declared.__name__}: " + "; ".join(problems)) from None
        for hint in self.hints():
            warnings.warn(f"{self.name}: {hint}", OffgraphWarning, stacklevel=2)

    declared.__init__ = init
    STEPS[declared.__name__] = declared
    return declared


_HINTED: set[tuple[str, str]] = set()


def hint_once(step: Step, topic: str, text: str) -> None:
    """Warn of what came up while a step ran, once for each step and topic: every image would say it again."""
    if (step.name, topic) not in _HINTED:
        _HINTED.add((step.name, topic))
        warnings.warn(f"{step.name}: {text}", OffgraphWarning, stacklevel=2)


def explain(problem: Any, cls: type[Step]) -> tuple[str, str]:
    """Turn one problem that pydantic found into (field, sentence); the field is empty for the step as a whole."""
    fields = fields_of(cls)
    positional = [name for name, field in fields.items() if not field.kw_only]
    field = problem["loc"][0] if problem["loc"] else ""
    if isinstance(field, int):
        field = positional[field] if field < len(positional) else f"argument {field + 1}"
    match problem["type"]:
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            says = "is needed"
        case "unexpected_keyword_argument":
            says = f"is not a parameter{did_you_mean(str(field), fields)}; known are {', '.join(field_names(cls))}"
        case "unexpected_positional_argument":
            says = f"is one too many; without names it takes {', '.join(positional) or 'nothing'}"
        case _:
            says = problem["msg"].removeprefix("Value error, ")
            says = says[:1].lower() + says[1:]
            if (
                problem["loc"] and "got " not in says
            ):  # without a place the input is all arguments, in pydantic's own wrapping
                says += f", got {problem['input']!r:.80}"
    return str(field), says


def did_you_mean(word: str, known: Any) -> str:
    """Return ``"; did you mean X?"`` for a near miss, or nothing."""
    import difflib

    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), folded, 1, 0.6)
    return f"; did you mean {folded[close[0]]}?" if close else ""


@functools.cache
def _ranged(cls: type[Step]) -> tuple[str, ...]:
    fields = fields_of(cls).items()
    return tuple(name for name, field in fields if any(isinstance(m, NumberOrRange) for m in field.metadata))


def fields_of(cls: type[Step]) -> dict[str, FieldInfo]:
    """Return the declarations of a step's parameters."""
    return cls.__pydantic_fields__  # type: ignore[attr-defined]  # the dataclass decorator puts it there


@functools.cache
def field_names(cls: type[Step]) -> tuple[str, ...]:
    """Names of all parameters: positional ones first, then those of the bases, `p` and `id` last."""
    fields = fields_of(cls)
    shared = tuple(fields_of(Step))
    return tuple(sorted(fields, key=lambda name: (name in shared, bool(fields[name].kw_only))))


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
    if isinstance(value, PerAxis):
        return {axes: _plain(part) for axes, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


@functools.cache
def documentation(cls: type[Step]) -> dict[str, str]:
    """Return the text of every parameter, read from the Parameters sections of the class and its bases; or nothing."""
    texts: dict[str, str] = {}
    for base in cls.__mro__:
        section = re.search(
            r"Parameters\n-+\n(.*?)(?:\n\n\S|\Z)", inspect.cleandoc(base.__doc__ or ""), re.DOTALL
        )
        if section is None or not issubclass(base, Step):
            continue
        for names, text in re.findall(
            r"^(\w[\w, ]*) ?:[^\n]*\n((?:[ ]{4,}[^\n]*\n?|\n(?=[ ]))+)", section[1], re.M
        ):
            for name in names.split(","):
                texts.setdefault(name.strip(), " ".join(text.split()))
    return {name: texts.get(name, "") for name in field_names(cls)}


def signature(cls: type[Step]) -> str:
    """Return the call that makes a step, with its defaults: ``Rotate(angle, reshape=False, …)``."""
    shown = inspect.signature(cls)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in shown.parameters.values()]
    return cls.__name__ + str(inspect.Signature(bare))


@functools.cache
def field_schema(cls: type[Step]) -> dict[str, Any]:
    """Return the JSON Schema of a step's parameters, described by its docstring."""
    schema = TypeAdapter(cls).json_schema()
    texts = documentation(cls)
    schema["properties"] = {name: schema["properties"][name] for name in field_names(cls)}
    for name, entry in schema["properties"].items():
        entry.pop("title", None)
        entry["description"] = texts[name]
    schema["description"] = inspect.cleandoc(cls.__doc__ or "").split("\n", 1)[0]
    return schema


class GeometricStep(Step):
    """A step defined by one coordinate map, from which image, mask and the way back follow."""

    kind = "geometric"

    def output_size(
        self, size: tuple[int | None, ...], params: dict[str, Any] | None
    ) -> tuple[int | None, ...]:
        """Spatial lengths after the step."""
        return size

    def output_spec(self, spec: ArraySpec, params: dict[str, Any] | None = None) -> ArraySpec:
        """Same dtype and axes, other spatial lengths."""
        return spec.resized(self.output_size(spec.size, params))

    def map(self, params: dict[str, Any], spec: ArraySpec) -> AffineMap:
        """Return the map from output to input pixels."""
        raise NotImplementedError

    def move(self, array: np.ndarray, axes: str, params: dict[str, Any], *, labels: bool) -> np.ndarray:
        """Move an array: measured values by the step's kernel, labels by nearest neighbour."""
        raise NotImplementedError

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Apply the map to a picture."""
        return Image(self.move(image.array, image.axes, params, labels=False), image.axes)

    def apply_mask(self, mask: Mask, params: dict[str, Any]) -> Mask:
        """Apply the map to labels, which keep their dtype and values."""
        return Mask(self.move(mask.array, mask.axes, params, labels=True), mask.axes)


@pydantic_dataclass(frozen=True, kw_only=True, repr=False, config=CONFIG)
class ResampledStep(GeometricStep):
    """A geometric step that reads between pixels by SciPy's splines.

    Parameters
    ----------
    order : int
        Spline order, 0 to 5: 0 nearest, 1 linear. Masks always use 0.
    mode : str
        SciPy's name for what lies beyond the border: 'constant' (`cval`), 'nearest' (a a | a b c d | d d),
        'reflect' (b a | a b c d | d c), 'mirror' (c b | a b c d | c b), 'grid-wrap' (c d | a b c d | a b),
        'grid-constant', 'grid-mirror' (as 'reflect') or 'wrap'.
    cval : float
        Value beyond the border in mode 'constant', in the picture's own units.
    mask_cval : int
        Label beyond the border in mode 'constant'.
    """

    order: Order = 1
    mode: Mode = "constant"
    cval: Number = 0.0
    mask_cval: Whole = 0

    @property
    def averages(self) -> bool:
        """Above order 0."""
        return self.order > 0

    def hints(self) -> list[str]:
        """SciPy's 'wrap', whose seam is a pixel short."""
        if self.mode != "wrap":
            return []
        return [
            "mode='wrap' is SciPy's: it repeats the image every n - 1 pixels, so that its first and last pixel fall on "
            "one; write mode='grid-wrap' to repeat it every n"
        ]

    def moved_axes(self, spec: ArraySpec) -> tuple[int, ...]:
        """Axes that are resampled; the others are carried along."""
        return spec.spatial

    def resample(
        self, array: np.ndarray, axes: str, params: dict[str, Any], order: int, cval: float
    ) -> np.ndarray:
        """Resample by the map at one spline order; by default affine."""
        spec = ArraySpec.of(array, axes)
        whole = self.map(params, spec)
        moved = self.moved_axes(spec)
        kept = [spec.spatial.index(axis) for axis in moved]
        return affine_planes(
            array,
            whole.matrix[kept][:, kept],
            whole.offset[kept],
            tuple(whole.output_size[i] for i in kept),
            axes=moved,
            order=order,
            mode=self.mode,
            cval=cval,
        )

    def move(self, array: np.ndarray, axes: str, params: dict[str, Any], *, labels: bool) -> np.ndarray:
        """Resample a picture at `order`, labels at order 0."""
        if not labels:
            return self.resample(array, axes, params, self.order, self.cval)
        held_by(array.dtype, mask_cval=self.mask_cval)
        if array.dtype.itemsize < 8:
            return self.resample(array, axes, params, 0, self.mask_cval)
        # SciPy reads through float64, which holds whole numbers to 2**53 only: move indices, then look up.
        index = np.arange(array.size, dtype=np.float64).reshape(array.shape)
        moved = self.resample(index, axes, params, 0, -1).astype(np.int64)
        found = array.ravel()[np.maximum(moved, 0)] if array.size else np.zeros(moved.shape, array.dtype)
        return np.where(moved < 0, np.array(self.mask_cval, array.dtype), found)


class FilterStep(Step):
    """A step that mixes neighbours along the spatial axes; channels never mix, masks stay as they are."""

    kind = "filter"

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """Return how many samples the largest window holds that is kept in memory; checked before `apply`."""
        return 1

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Filter by `reference`, channel by channel; a step that can take all channels in one call does so."""
        place = image.axes.find("C")
        if place < 0:
            return Image(self.reference(ndimage, image.array, params), image.axes)
        planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(image.array, place, 0)]
        results = [self.reference(ndimage, plane, params, channel) for channel, plane in enumerate(planes)]
        return Image(np.stack(results, axis=place), image.axes)


class PointwiseStep(Step):
    """A step that changes each value by itself; masks stay as they are.

    The engine evaluates `reference` once for each value that an 8- or 16-bit picture can hold, and looks up.
    """

    kind = "pointwise"

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Apply the step to every channel."""
        spec = image.spec
        result = self.output_spec(spec, params)
        array = image.array
        channel_axis = image.axes.find("C")
        channels = array.shape[channel_axis] if channel_axis >= 0 else 1
        lined = np.moveaxis(array, channel_axis, -1) if channel_axis >= 0 else array[..., np.newaxis]
        if channels and _has_table(array.dtype, below=array.size // channels):
            if params:  # drawn anew for every picture: nothing to keep
                table = _make_table(self, array.dtype, channels, result.dtype, params)
            else:
                table = _kept_table(self, array.dtype, channels, result.dtype)
            out = lookup(lined, table)
        else:
            out = np.empty(lined.shape, result.dtype)
            for channel in range(channels):
                plane = np.ascontiguousarray(lined[..., channel])
                out[..., channel] = self.reference(np, plane, params, channel)
        out = np.moveaxis(out, -1, channel_axis) if channel_axis >= 0 else out[..., 0]
        return Image(np.ascontiguousarray(out), image.axes)


def value_range(dtype: str, declared: float | None) -> float:
    """Return the value that counts as 1: the declared one, or the largest of an unsigned dtype.

    Raises
    ------
    ValueError
        For a float or signed picture whose range nobody declared: it can be 1, 255, 4095 or anything.
    """
    if declared is not None:
        return declared
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return 1.0
    if kind.kind == "u":
        return float(np.iinfo(kind).max)
    raise ValueError(
        f"range= is needed for a picture of dtype {dtype}: write range=1 if its values reach from 0 to 1, "
        "range=255 if they reach from 0 to 255"
    )


def _has_table(dtype: np.dtype[Any], below: int) -> bool:
    """Whether a dtype has fewer values than `below`, the pixels there are, so that looking them up is less work."""
    return dtype.kind in "ui" and dtype.itemsize <= 2 and 1 << 8 * dtype.itemsize < below


def _make_table(
    step: PointwiseStep, dtype: np.dtype[Any], channels: int, result: str, params: dict[str, Any]
) -> np.ndarray:
    """What a step makes of every value of a dtype, in the order of their bits, for every channel."""
    values = np.arange(1 << 8 * dtype.itemsize).astype(f"u{dtype.itemsize}").view(dtype)
    rows = [step.reference(np, values, params, channel) for channel in range(channels)]
    return np.stack(rows).astype(result, copy=False)


@functools.lru_cache(maxsize=16)
def _kept_table(step: PointwiseStep, dtype: np.dtype[Any], channels: int, result: str) -> np.ndarray:
    table = _make_table(step, dtype, channels, result, {})
    table.flags.writeable = False
    return table


class ResultStep(Step):
    """A step that refines what a model puts out: probabilities to a mask, a mask to objects."""

    kind = "result"
