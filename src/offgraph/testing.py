"""Checks for the tests of own steps: the contract of every step of Offgraph."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from offgraph.core.random import Draw, Key
from offgraph.recipe.compose import Compose
from offgraph.steps.base import Step, field_names
from offgraph.steps.description import documentation
from offgraph.steps.kinds import GeometricStep, ImageStep, PointwiseStep, ResultStep
from offgraph.steps.registry import KINDS
from offgraph.steps.structure import StructureStep, draws_from
from offgraph.targets import Boxes, Image, Mask

__all__ = ["check_step"]

_KEY = Key(seed=7, epoch=3, index=1234)


def check_step(step: Step, images: Iterable[np.ndarray | Image] | None = None) -> None:
    """Check that a step keeps the contract that all other code relies on.

    Its parameters are documented; what it draws is plain JSON; the outcome is what `reference` defines on SciPy, byte
    for byte, of the promised shape and dtype, the same twice, and leaves the input as it is; a mask keeps its labels;
    recipe files and records bring the step back.

    Parameters
    ----------
    step : Step
    images : iterable of ndarray or Image, optional
        What it is tried on; by default random images of uint8 and float32, with and without channels, and a volume
        where the step takes one.

    Raises
    ------
    AssertionError
        Naming the rule that is broken.

    Examples
    --------
    >>> import offgraph as og
    >>> check_step(og.MedianFilter(3))
    """
    _check_declaration(step)
    always = replace(step, p=1.0)
    for given in _images(step) if images is None else images:
        image = given if isinstance(given, Image) else Image(given)  # type: ignore[arg-type]
        try:
            _check_on(always, image)
        except AssertionError:
            raise
        except Exception as error:
            if images is not None:
                raise
            if len(image.spec.size) == 3:
                where, advice = "a volume", "set `dimensions = (2,)` in its class if it takes images only"
            else:
                where, advice = "an image", "give images= if it does not take such"
            raise AssertionError(
                f"{step!r} fails on {where} of {image.spec.dtype}, axes {image.axes} ({type(error).__name__}: {error}): "
                f"{advice}{_drawn_advice(always, image)}"
            ) from error


def _drawn_advice(step: Step, image: Image) -> str:
    """What `params` holds: a range read from the step is a pair, and a fixed parameter is not in `params`."""
    drawn = ", ".join(step.sample(Draw(_KEY, "x"), image.spec))
    return f". `params` holds what is drawn ({drawn or 'nothing'}); other parameters are read from `self`"


def _expect(truth: Any, rule: str) -> None:
    if not truth:
        raise AssertionError(rule)


def _images(step: Step) -> list[Image]:
    rng = np.random.default_rng(5)
    made = []
    for dimensions in step.dimensions:
        axes, size = "ZYX"[-dimensions:], (9, 12, 17)[-dimensions:]
        for dtype, channels in (("uint8", 3), ("float32", 0)):
            shape = (*size, channels) if channels else size
            values = rng.integers(0, 256, shape) if dtype == "uint8" else rng.normal(100, 60, shape)
            made.append(Image(values.astype(dtype), axes + ("C" if channels else "")))
    return made


def _check_declaration(step: Step) -> None:
    cls = type(step)
    _expect(step.kind in KINDS, f"{step.name}.kind is {step.kind!r}: derive the class from a kind of step")
    missing = [name for name in field_names(cls) if not documentation(cls)[name]]
    _expect(
        not missing, f"{step.name}: {', '.join(missing)} is not described under Parameters in the docstring"
    )
    recipe = Compose([step])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for read in (
            Compose.from_yaml(recipe.to_yaml()),
            Compose.from_dict(json.loads(json.dumps(recipe.to_dict()))),
        ):
            _expect(
                read.steps == recipe.steps, f"{step!r} comes back from a recipe file as {read.steps[0]!r}"
            )


def _check_on(step: Step, image: Image) -> None:
    where = f"{step!r} on an image of shape {image.array.shape}, {image.array.dtype}, axes {image.axes}"
    before = image.array.copy()
    params = step.sample(Draw(_KEY, "x"), image.spec)
    _expect(
        params == json.loads(json.dumps(params)), f"{where}: sample gave {params}, which is not plain JSON"
    )
    _expect(
        params == step.sample(Draw(_KEY, "x"), image.spec),
        f"{where}: the same key drew other values the second time",
    )
    out = step.apply(image, params)
    _expect(
        np.array_equal(image.array, before, equal_nan=image.array.dtype.kind == "f"),
        f"{where}: changed its input",
    )
    promised = step.output_spec(image.spec, params)
    _expect(out.spec == promised, f"{where}: made {out.spec}, output_spec promised {promised}")
    _same(out.array, _defined(step, image, params), f"{where}: apply is not what reference defines")
    recipe = Compose([step])
    mask = np.arange(np.prod(_size(image)), dtype=np.uint32).reshape(_size(image)) % 5
    n = len(_size(image))
    boxes = Boxes([[1.0] * n + [2.0] * n], size=_size(image)) if draws_from(step) == "boxes" else None
    result = recipe(image=image, mask=Mask(mask, _spatial(image)), boxes=boxes, key=_KEY)
    if draws_from(step):  # until here of an empty target
        params = result.record["steps"][0]["params"]
        promised = step.output_spec(image.spec, params)
        _same(
            result.image,
            _defined(step, image, params),
            f"{where}: the recipe gives something else than reference",
        )
    again = recipe.replay(json.loads(json.dumps(result.record)), image=image)
    _same(again.image, result.image, f"{where}: the record replays to another image")
    fills = getattr(step, "mask_cval", 0), getattr(step, "mask_fill", None) or 0
    labels = {*np.unique(mask).tolist(), *fills}
    moved = result.targets.mask
    assert moved is not None
    _expect(
        set(np.unique(moved.array).tolist()) <= labels, f"{where}: the mask has labels that were not in it"
    )
    _expect(moved.array.dtype == mask.dtype, f"{where}: the mask became {moved.array.dtype}")
    if isinstance(step, GeometricStep):
        _expect(
            moved.spec.size == promised.size,
            f"{where}: image and mask have other sizes: {promised}, {moved.spec}",
        )
        grid = step.map(params, image.spec)
        _expect(
            (grid.input_size, grid.output_size) == (image.spec.size, promised.size),
            f"{where}: map leads from {grid.input_size} to {grid.output_size}",
        )


def _spatial(image: Image) -> str:
    return image.spec.spatial_names


def _size(image: Image) -> tuple[int, ...]:
    return image.spec.size


def _defined(step: Step, image: Image, params: dict[str, Any]) -> np.ndarray:
    """The step's definition, channel by channel."""
    from scipy import ndimage

    if isinstance(step, StructureStep):
        for part, values in step.parts(params):
            axes = part.output_spec(image.spec, values).axes
            image = Image(_defined(part, image, values), axes)
        return image.array
    module: Any = np if isinstance(step, PointwiseStep) else ndimage
    place = image.axes.find("C")
    if isinstance(step, ImageStep):
        channels_last = np.moveaxis(image.array, place, -1) if place >= 0 else image.array[..., np.newaxis]
        out = step.reference(module, np.ascontiguousarray(channels_last), params)
        kept = "C" in step.output_spec(image.spec, params).axes
        return np.moveaxis(out, -1, place) if kept else out[..., 0]
    if place < 0 or (isinstance(step, ResultStep) and not step.per_channel):
        return step.reference(module, image.array, params)
    planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(image.array, place, 0)]
    return np.stack(
        [step.reference(module, p, params, channel) for channel, p in enumerate(planes)], axis=place
    )


def _same(a: np.ndarray, b: np.ndarray, rule: str) -> None:
    _expect(
        (a.shape, a.dtype) == (b.shape, b.dtype), f"{rule}: {a.shape}, {a.dtype} and {b.shape}, {b.dtype}"
    )
    different = np.ascontiguousarray(a).tobytes() != np.ascontiguousarray(b).tobytes()
    _expect(
        not different or np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), f"{rule}: the values differ"
    )
