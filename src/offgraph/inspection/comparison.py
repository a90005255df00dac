"""Compare one image under several settings: side by side, with differences and times."""

from __future__ import annotations

import copy
import itertools
import json
import math
import os
import statistics
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.arguments import path_of
from offgraph.core.choices import Color
from offgraph.core.errors import ArgumentError, RecipeError, StepError
from offgraph.core.random import Key
from offgraph.core.suggestions import did_you_mean
from offgraph.formats.decoding import read
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.recipe.layers import Augment
from offgraph.recipe.schema import example
from offgraph.sources.names import printable
from offgraph.steps.base import STEPS, Step
from offgraph.steps.description import field_schema
from offgraph.steps.registry import find_step
from offgraph.targets import Image, Targets
from offgraph.views import draw
from offgraph.views.html import Figure, Report

__all__ = ["Setting", "Vary", "compare", "parse_vary", "settings_of"]

_MOST = 64
_SIDE = 1024
_RUNS, _PATIENCE = 5, 2.0


@dataclass(frozen=True)
class Vary:
    """One field of one step, and the values it takes in turn.

    Parameters
    ----------
    step : str
        A step's name, or the id it has in the recipe.
    field : str
    values : tuple
        Plain JSON values.
    """

    step: str
    field: str
    values: tuple[Any, ...]


def parse_vary(text: str) -> Vary:
    """Read ``STEP.field=a,b,c``.

    Values are written as in JSON, words without quotes: ``MedianFilter.size=1,3,5``,
    ``Rotate.mode=reflect,mirror``, ``Resize.size=[64,64],[128,128]``, ``GaussianFilter.sigma={"Z":1,"YX":2},2``.

    Raises
    ------
    RecipeError
        For another form.

    Examples
    --------
    >>> parse_vary("MedianFilter.size=1,3,5,7")
    Vary(step='MedianFilter', field='size', values=(1, 3, 5, 7))
    """
    target, equals, values = text.partition("=")
    step, dot, field = target.strip().rpartition(".")
    if not (equals and dot and step and field):
        raise RecipeError(
            f"--vary {text!r:.80}: write STEP.field=a,b,c, for example MedianFilter.size=1,3,5,7"
        )
    parts = _split(values)
    if not all(parts):
        raise RecipeError(f"--vary {text!r:.80}: a value is missing after {target.strip()}=")
    return Vary(step, field, tuple(_value(part) for part in parts))


def _split(text: str) -> list[str]:
    """Split at the commas outside of brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if text[0] in "[{(\"'":
            raise RecipeError(
                f"--vary: {text!r:.80} cannot be read; a pair is written [64,64], values by axis "
                '{"Z":1,"YX":2}'
            ) from None
        return text


def compare(
    image: str | os.PathLike[str] | np.ndarray,
    vary: str | Vary | Sequence[str | Vary],
    out: str | os.PathLike[str],
    *,
    recipe: Compose | Sequence[Step | Augment] | str | os.PathLike[str] | None = None,
    color: Color = "rgb",
    axes: str | None = None,
    page: int | None = None,
    seed: int = 0,
) -> Path:
    """Write a page that shows one image under several settings, with their differences and times.

    Parameters
    ----------
    image : path or ndarray
        An array needs to be (H, W) or (H, W, C) with up to four channels.
    vary : str, Vary, or several
        What changes: ``"MedianFilter.size=1,3,5,7"``. Of several, every combination is shown, at most 64.
    out : path
        The HTML page.
    recipe : Compose, list of steps or path of a recipe file, optional
        The recipe that contains the varied steps; a step that occurs twice is named by its id. Without
        it the varied steps alone are applied, in the order given.
    color, axes, page
        How a file is read, as for `offgraph.formats.decoding.read`.
    seed : int
        Of the draws, which are the same for every setting.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    RecipeError
        For a step or field that does not exist or a value it does not take.
    StepError
        Where a setting cannot be applied to the image; names the setting.
    """
    out = path_of("out", out)
    if not isinstance(vary, str | Vary | Sequence):
        raise ArgumentError(f"vary={vary!r:.80}: give 'STEP.field=a,b,c', or a list of them")
    given = [vary] if isinstance(vary, str | Vary) else list(vary)
    varied = [entry if isinstance(entry, Vary) else parse_vary(entry) for entry in given]
    recipe = None if recipe is None else as_recipe(recipe)
    settings = settings_of(varied, recipe)
    if isinstance(image, np.ndarray):
        name, original, notes = "image", Image(image), ()
    else:
        path = path_of("image", image)
        name = path.name
        if path.is_dir():
            raise ArgumentError(f"{printable(path)}: a folder; compare shows one image: give its file")
        decoded = read(image, color=color, axes=axes, page=page)
        original, notes = Image(decoded.array, decoded.axes), decoded.notes
    shown = [_run(one.caption, one.recipe, original, Key(seed)) for one in settings]
    report = Report(f"{name} by eye", ", ".join(f"{v.step}.{v.field}" for v in varied))
    _add_figures(report, original, shown)
    for hint in dict.fromkeys(hint for setting in settings for hint in setting.hints):
        report.text(hint)
    if notes:
        report.text("About the file: " + "; ".join(notes) + ".")
    if recipe is not None:
        report.section("The recipe")
        report.code(recipe.to_yaml())
    return report.save(out)


@dataclass(frozen=True)
class _Shown:
    """What one setting made of the image."""

    caption: str
    result: Image
    seconds: float


@dataclass(frozen=True)
class Setting:
    """One combination of values, its recipe, and what its steps hint at."""

    caption: str
    recipe: Compose
    hints: tuple[str, ...]


def settings_of(varied: list[Vary], recipe: Compose | None) -> list[Setting]:
    """Every combination of the values, each with its recipe."""
    if not varied:
        raise RecipeError("nothing is varied; give at least one STEP.field=a,b,c")
    count = math.prod(len(entry.values) for entry in varied)
    if count > _MOST:
        raise RecipeError(
            f"{count} combinations are more than the {_MOST} that a page shows; give fewer values"
        )
    base: dict[str, Any] = {"offgraph": 1, "fuse": True, "steps": []} if recipe is None else recipe.to_dict()
    if recipe is None:
        for step in dict.fromkeys(entry.step for entry in varied):
            if find_step(step) is None:
                raise RecipeError(f"no step is called {step!r}{did_you_mean(step, STEPS)}")
            base["steps"].append({step: {}})
    for entry in varied:
        _fields(base, entry)  # refuses what it does not find
    if recipe is None:
        _refuse_missing(varied)
    settings = []
    for values in itertools.product(*(entry.values for entry in varied)):
        changed = copy.deepcopy(base)
        for entry, value in zip(varied, values):
            _fields(changed, entry)[entry.field] = value
        caption = ", ".join(f"{e.step}.{e.field} = {json.dumps(v)}" for e, v in zip(varied, values))
        with warnings.catch_warnings(record=True) as caught:  # a setting that changes nothing is shown too
            warnings.simplefilter("always")
            chosen = Compose.from_dict(changed, source=f"--vary, {caption}")
        hints = tuple(str(one.message).removeprefix("--vary, ") for one in caught)
        settings.append(Setting(caption, chosen, hints))
    return settings


def _refuse_missing(varied: list[Vary]) -> None:
    """Refuse steps that lack a required value: without a recipe, such a value has to be varied too."""
    problems = []
    for step in dict.fromkeys(entry.step for entry in varied):
        given = {entry.field for entry in varied if entry.step == step}
        missing = [name for name in field_schema(STEPS[step]).get("required", ()) if name not in given]
        if missing:
            example = " ".join(f"--vary {step}.{name}={_example(step, name)}" for name in missing)
            problems.append(
                f"{step} needs {' and '.join(missing)} too: add for example {example}, "
                f"or give a recipe with the whole step (--recipe)"
            )
    if problems:
        raise RecipeError("\n".join(problems))


def _example(step: str, name: str) -> str:
    """A value of a field as ``--vary`` takes it, from the example in the step's docstring."""
    ((_, fields),) = Compose.from_yaml(example(STEPS[step])).to_dict()["steps"][0].items()
    return json.dumps(fields[name], separators=(",", ":"))


def _fields(data: dict[str, Any], entry: Vary) -> dict[str, Any]:
    """Return the fields, to be changed, of the one step that `entry` means."""
    steps = [step for item in data["steps"] for step in item.get("Augment", [item])]
    found = [
        (name, fields)
        for step in steps
        for name, fields in step.items()
        if entry.step in (name, fields.get("id"))
    ]
    names = [name for step in steps for name in step]
    if not found:
        near = did_you_mean(entry.step, names) or f"; it holds {', '.join(names)}"
        raise RecipeError(f"the recipe has no step {entry.step!r}{near}")
    if len(found) > 1:
        raise RecipeError(
            f"the recipe has {len(found)} steps {entry.step!r}: give the one you mean an id, and vary ID.{entry.field}"
        )
    name, fields = found[0]
    known = field_schema(STEPS[name])["properties"]
    if entry.field not in known:
        near = f"{near} It" if (near := did_you_mean(entry.field, known)) else "; it"
        raise RecipeError(f"{name} has no field {entry.field!r}{near} takes {', '.join(known)}")
    return fields


def _run(caption: str, recipe: Compose, original: Image, key: Key) -> _Shown:
    """Apply a setting, five times where that takes no more than a moment."""
    seconds: list[float] = []
    try:
        while True:
            start = time.perf_counter()
            result = recipe.run(Targets.of_image(original), key)
            seconds.append(time.perf_counter() - start)
            if len(seconds) == _RUNS or sum(seconds) > _PATIENCE:
                return _Shown(caption, result.targets.image, statistics.median(seconds))
    except StepError as error:
        raise StepError(f"{caption}: {error}") from error


def _add_figures(page: Report, original: Image, shown: list[_Shown]) -> None:
    """The settings, their differences in the same order, and a table of both."""
    alike = all(s.result.spec == original.spec for s in shown)
    base = original if alike else shown[0].result
    changes = [_change(base, s.result) for s in shown]
    # A few extreme pixels would leave all others white. Where nearly nothing changed, use the largest change.
    limit = max((float(np.quantile(change, 0.995)) for change in changes if change is not None), default=0.0)
    limit = limit or max(
        (float(change.max()) for change in changes if change is not None and change.size), default=0
    )
    common = draw.common_range(s.result.array for s in shown)
    columns = len(shown) + 1 if len(shown) <= 4 else 4

    def display(target: Image) -> np.ndarray:
        return draw.fit(draw.to_rgb(target.array, target.axes, common), _SIDE, enlarge=False)

    page.section("Side by side")
    first = draw.to_rgb(original.array, original.axes)
    figures = [Figure(draw.fit(first, _SIDE, enlarge=False), "original", _size(original))]
    figures += [Figure(display(s.result), s.caption, _milliseconds(s)) for s in shown]
    page.figures(figures, columns=columns, linked=True)
    if max(original.spec.shape[i] for i in original.spec.spatial) > _SIDE:
        page.text(
            f"Larger images are shown shrunk to {_SIDE} pixels; times and differences are those of the whole."
        )
    page.section("Differences")
    against = "the original" if alike else f"the first setting ({shown[0].caption})"
    page.text(
        f"Against {against}: red where a setting is higher, blue where it is lower, white (on a dark page black) where "
        "nothing changed. "
        f"Full colour is a change of {limit:.4g} or more; of several channels the largest change is shown."
    )
    differences = [
        Figure(display(base), "the original" if alike else shown[0].caption, "what they are compared with")
    ]
    for setting, change in zip(shown, changes):
        if change is None:
            continue
        rgb = draw.difference(base.array, setting.result.array, axes=base.axes, limit=limit)
        rgb = draw.fit(rgb, _SIDE, enlarge=False)
        differences.append(Figure(rgb, setting.caption, alt=f"difference: {setting.caption}", on_white=True))
    page.figures(differences, columns=columns, linked=True, flip=False)
    page.table(
        ["setting", "time", "size", "dtype", "largest change", "mean change"],
        [
            [
                s.caption,
                _milliseconds(s),
                _size(s.result),
                s.result.spec.dtype,
                "another size" if c is None else float(c.max(initial=0)),
                "another size" if c is None else float(c.mean()) if c.size else 0.0,
            ]
            for s, c in zip(shown, changes)
        ],
        "The time is the median of up to five runs on this machine.",
    )


def _change(base: Image, result: Image) -> np.ndarray | None:
    if base.array.shape != result.array.shape:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        change = np.abs(result.array.astype(np.float64) - base.array.astype(np.float64))
    return np.nan_to_num(change, posinf=0.0)


def _size(target: Image) -> str:
    return "×".join(str(n) for n in target.spec.size)


def _milliseconds(shown: _Shown) -> str:
    return f"{shown.seconds * 1000:.3g} ms"
