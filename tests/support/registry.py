"""Every step of the registry with its cases, images for it and targets beside them; and digests of what it gives.

`python -m tests.support.registry` prints the digests of all of it, for a comparison with those of another process.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import json
import keyword
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import ndimage as scipy_ndimage

import offgraph as og
from offgraph.steps.base import Step
from offgraph.steps.kinds import ImageStep, ResultStep
from offgraph.steps.structure import StructureStep, draws_from
from offgraph.targets.base import Target
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

NAMES = sorted(og.STEPS)
SIZES = {2: (23, 31), 3: (9, 10, 12)}
LARGE = {2: (168, 184), 3: (26, 34, 36)}
"""Sizes of which loops share the work among threads, where they do at all: small work never leaves the calling one."""
DTYPES = ("uint8", "uint16", "float32")
CHANNELS = (1, 3, 7)
KEY = og.Key(seed=7, epoch=3, index=1234)


def snake(name: str) -> str:
    found = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return f"{found}_" if keyword.iskeyword(found) else found


def case_module(name: str) -> ModuleType:
    folder = og.STEPS[name].__module__.split(".")[1]
    path = Path(__file__).parents[1] / folder / f"test_{snake(name)}.py"
    assert path.is_file(), f"step {name} needs {path.name} with its CASES"
    spec = importlib.util.spec_from_file_location(f"cases_of_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULES = {name: case_module(name) for name in NAMES}
CASES: list[tuple[Step, int]] = [
    (step, n) for name in NAMES for n, steps in MODULES[name].CASES.items() for step in steps
]


def cases(*kinds: type[Step]) -> Any:
    """Run a test with every case, or with those of some kinds of steps."""
    chosen = [(step, n) for step, n in CASES if not kinds or isinstance(step, kinds)]
    return pytest.mark.parametrize(("step", "n"), chosen, ids=[f"{n}D-{step!r}" for step, n in chosen])


def always(step: Step) -> Step:
    return dataclasses.replace(step, p=1.0)


# images


def random_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if dtype.startswith("float"):
        return rng.normal(100, 60, shape).astype(dtype)
    return rng.integers(0, 256 if dtype == "uint8" else 4096, shape).astype(dtype)


@functools.cache
def drawn_once(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The image that nearly all steps are given: drawing its numbers takes longer than most steps do."""
    return random_image(np.random.default_rng(5), shape, dtype)


def make_image(step: Step, n: int, dtype: str, channels: int, size: tuple[int, ...] | None = None) -> Image:
    """An image such as the step takes, without a channel axis for 0 channels."""
    make = getattr(MODULES[step.name], "make_image", None)
    shape = (size or SIZES[n]) + ((channels,) if channels else ())
    made = make(np.random.default_rng(5), shape, dtype) if make else drawn_once(shape, dtype).copy()
    return Image(made, "ZYX"[-n:] + "C" * bool(channels))


def large_image(step: Step, n: int, dtype: str) -> Image:
    """Of seven channels, or of what else the step takes."""
    images = [make_image(step, n, dtype, channels, LARGE[n]) for channels in (7, 3, 0)]
    return next((image for image in images if not refusal(step, image)), images[0])


def refusal(step: Step, image: Image) -> str:
    """What the step says where it does not take such an image."""
    try:
        og.Compose([step]).output_spec(image.spec)
    except og.StepError as error:
        return str(error)
    return ""


def make_images(step: Step, n: int, channels: tuple[int, ...] = (0, 3)) -> list[Image]:
    """Random images of four dtypes, with and without channels, one of them channels first and strided."""
    found = [make_image(step, n, dtype, count) for dtype in (*DTYPES, "float64") for count in channels]
    if not isinstance(step, ResultStep):
        make = getattr(MODULES[step.name], "make_image", random_image)
        strided = make(np.random.default_rng(5), (4, *SIZES[n]), "uint8")[::2, ::-1]
        found.append(Image(strided, "C" + "ZYX"[-n:]))
    return [image for image in found if not refusal(step, image)]


def planes(image: Image) -> list[np.ndarray]:
    if "C" not in image.axes:
        return [image.array]
    return list(np.moveaxis(image.array, image.axes.index("C"), 0))


def expected(step: Step, image: Image, params: dict[str, Any]) -> np.ndarray:
    """The step's definition on SciPy, channel by channel."""
    if isinstance(step, og.Threshold) and image.axes == "ZYX":  # its definition takes channels, last
        return step.reference(scipy_ndimage, image.array[..., np.newaxis], params)
    if isinstance(step, ResultStep) and not step.per_channel:
        return step.reference(scipy_ndimage, image.array, params)
    if isinstance(step, StructureStep):
        for part, values in step.parts(params):
            image = Image(expected(part, image, values), part.output_spec(image.spec, values).axes)
        return image.array
    if isinstance(step, ImageStep):
        place = image.axes.find("C")
        lined = np.moveaxis(image.array, place, -1) if place >= 0 else image.array[..., np.newaxis]
        out = step.reference(scipy_ndimage, np.ascontiguousarray(lined), params)
        kept = "C" in step.output_spec(image.spec, params).axes
        return np.ascontiguousarray(np.moveaxis(out, -1, place) if kept else out[..., 0])
    results = [
        step.reference(scipy_ndimage, np.ascontiguousarray(plane), params, channel)
        for channel, plane in enumerate(planes(image))
    ]
    return results[0] if "C" not in image.axes else np.stack(results, axis=image.axes.index("C"))


# targets


def labels(n: int, dtype: str) -> np.ndarray:
    rng = np.random.default_rng(6)
    top = np.iinfo(dtype).max if dtype != "bool" else 1
    return (top - rng.integers(0, min(top, 9) + 1, SIZES[n]).astype(object)).astype(dtype)


def beside(n: int) -> dict[str, Target]:
    """Targets of every type on the grid of the images, two of each by name or more."""
    return dict(made_once(n))


@functools.cache
def made_once(n: int) -> dict[str, Target]:
    size, axes = SIZES[n], "ZYX"[-n:]
    rng = np.random.default_rng(8)
    grid = np.stack(np.indices(size), -1)
    balls = np.zeros(size, np.uint8)
    middles = [np.array(size) * 0.35, np.array(size) * 0.68]
    for number, middle in enumerate(middles, 1):
        balls[((grid - middle) ** 2).sum(-1) <= (min(size) / 5) ** 2] = number
    tight = og.Boxes.of_labels(Mask(balls, axes), labels={1: "one", 2: "two"})
    near = np.exp(-((grid - middles[0]) ** 2).sum(-1) / (min(size) / 3) ** 2)
    found: dict[str, Target] = {
        "mask": Mask(labels(n, "uint8"), axes),
        "balls": Mask(balls, axes),
        "wide": Mask(balls.astype(np.int64) << 40, axes, swap=[(1 << 40, 2 << 40)]),
        "heatmap": og.Heatmap(rng.random((*size, 2), np.float32), axes + "C", fill=0.25),
        "density": og.Heatmap(near, axes, density=True),
        "boxes": og.Boxes(tight.array, size=size, labels=["one", "two"]),
        "tight": tight,
        "points": og.Points(middles, size=size, pairs=[(0, 1)]),
        "landmarks": og.Points(rng.random((5, n)) * (np.array(size) - 1), size=size, outside="drop"),
    }
    if n == 2:
        outlines = [[np.array([[3, 4], [17, 6], [9, 15]])], None]
        found["outlined"] = og.Boxes([[3, 4, 17, 15], [20, 2, 29, 20]], size=size, polygons=outlines)
    return found


def seen(step: Step, n: int, size: tuple[int, ...] | None = None) -> dict[str, Target]:
    """The target that a step draws from, on the grid of its images; nothing for most steps."""
    size, kind = size or SIZES[n], draws_from(step)
    if kind == "mask":
        return {"mask": Mask(255 - np.indices(size).sum(axis=0).astype(np.uint8) % 9 % 4 * 85, "ZYX"[-n:])}
    lower = np.array(size) / 4
    low, high = lower[::-1].tolist(), (2 * lower)[::-1].tolist()
    return {"boxes": og.Boxes([[*low, *high]], size=size)} if kind else {}


# bytes


def same_bytes(a: np.ndarray, b: np.ndarray) -> None:
    assert a.dtype == b.dtype and a.shape == b.shape
    if np.ascontiguousarray(a).tobytes() != np.ascontiguousarray(b).tobytes():
        np.testing.assert_array_equal(a, b)
        raise AssertionError("equal values of other bytes")


def contents(target: Target) -> list[Any]:
    """Arrays and plain values that make a target, in order."""
    found: list[Any] = [type(target).__name__, target.size]
    for name in ("array", "edges", "places", "visible", "visibility", "ids", "labels"):
        if getattr(target, name, None) is not None:
            found.append(np.asarray(getattr(target, name)))
    for gone in getattr(target, "dropped", ()):
        found += [gone.id, gone.reason]
    for parts in getattr(target, "outlines", None) or ():
        found += [np.asarray(part) for part in parts or ()]
    return found


def same_targets(one: Iterable[tuple[str, Target]], other: og.Result) -> None:
    for name, target in one:
        found = contents(other.targets[name])
        assert len(found) == len(contents(target)), name
        for a, b in zip(contents(target), found):
            if isinstance(a, np.ndarray):
                same_bytes(a, b)
            else:
                assert a == b, name


def digest(out: og.Result) -> str:
    """Of all targets and the record."""
    found = hashlib.sha256(json.dumps(out.record).encode())
    for name, target in out.targets.items():
        for part in (name, *contents(target)):
            array = np.asarray(part)
            found.update(f"{array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return found.hexdigest()[:16]


def digests(cases: Iterable[tuple[Step, int]] = CASES) -> Iterator[tuple[str, str]]:
    """A name and a digest for each step with every target, with each dtype and channels, and with large images."""
    for step, n in cases:
        step = always(step)
        recipe, targets = og.Compose([step]), beside(n)
        for dtype in DTYPES:
            images = [make_image(step, n, dtype, channels) for channels in (0, *CHANNELS)]
            for image in (*images, large_image(step, n, dtype)):
                if refusal(step, image):
                    continue
                # What lies beside the image does not depend on its dtype and channels: once is enough.
                more, targets = (targets, {}) if image.size == SIZES[n] else ({}, targets)
                more = {**seen(step, n, image.size), **more}
                yield f"{n}D {step!r} {image!r}", digest(recipe(image=image, **more, key=KEY))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", og.OffgraphWarning)
        print(json.dumps(dict(digests(reversed(CASES)))))
