"""The contract of every step: each test runs over the registry, so a new step is held to all of it."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import ndimage as scipy_ndimage
from tests.support.json_schema import holds
from tests.support.registry import (
    KEY,
    MODULES,
    NAMES,
    SIZES,
    always,
    cases,
    expected,
    labels,
    make_images,
    refusal,
    same_bytes,
    seen,
    snake,
)

import offgraph as og
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.resize import KERNELS
from offgraph.recipe.schema import schema
from offgraph.steps import functions
from offgraph.steps.base import Step, field_names
from offgraph.steps.description import documentation, field_schema
from offgraph.steps.kinds import (
    FilterStep,
    GeometricStep,
    ImageStep,
    PointwiseStep,
    ResampledStep,
    ResultStep,
)
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask
from offgraph.transforms.geometric._window import WindowStep

pytestmark = pytest.mark.filterwarnings(
    "ignore::offgraph.core.errors.OffgraphWarning"
)  # hints of single cases

PACKAGES = {
    "transforms.geometric": "geometric",
    "transforms.filters": "filter",
    "transforms.pointwise": "pointwise",
    "transforms.color": "color",
    "transforms.statistics": "statistics",
    "transforms.noise": "noise",
    "transforms.structure": "structure",
    "postprocess": "result",
}


# the declaration


@pytest.mark.parametrize("name", NAMES)
def test_declared_once(name: str):
    cls = og.STEPS[name]
    package = importlib.import_module(inspect.getmodule(cls).__name__.rpartition(".")[0])  # type: ignore[union-attr]
    assert cls.__module__ == f"{package.__name__}.{snake(name)}"
    assert getattr(package, name) is cls and name in package.__all__ and getattr(og, name) is cls
    assert cls.kind == PACKAGES[package.__name__.partition(".")[2]]
    assert cls.__pydantic_decorators__ is not None and cls.__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize("package", PACKAGES)
def test_one_file_a_step(package: str):
    folder = Path(og.__file__).parent.joinpath(*package.split("."))
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert files == {snake(name) for name, cls in og.STEPS.items() if cls.kind == PACKAGES[package]}


@pytest.mark.parametrize("name", NAMES)
def test_documented(name: str):
    cls = og.STEPS[name]
    text = inspect.cleandoc(cls.__doc__ or "")
    assert f"A {cls.kind} step" in text and "Exactness:" in text and "Examples\n--------\n" in text
    assert documentation(cls).keys() == set(field_names(cls))
    assert all(entry["description"] for entry in field_schema(cls)["properties"].values())


@pytest.mark.parametrize("name", NAMES)
def test_example_runs(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(functions, "FUNCTIONS", {})  # other tests may have run it in a module of another name
    runner = doctest.DocTestRunner()
    tests = doctest.DocTestFinder(recurse=False).find(og.STEPS[name], name, globs={})
    assert tests and tests[0].examples
    result = runner.run(tests[0])
    assert result.failed == 0


@pytest.mark.parametrize("name", NAMES)
def test_has_cases_for_its_dimensions(name: str):
    assert set(MODULES[name].CASES) == set(og.STEPS[name].dimensions) and all(MODULES[name].CASES.values())


# what it does


@cases()
def test_engine_equals_reference(step: Step, n: int):
    step = always(step)
    for image in make_images(step, n, channels=(0, 1, 3, 7)):
        params = step.sample(Draw(KEY, "x"), image.spec)
        assert params == json.loads(json.dumps(params))
        out = step.apply(image, params)
        same_bytes(out.array, expected(step, image, params))
        assert out.spec == step.output_spec(image.spec, params)
        for promised, real in zip(step.output_spec(image.spec).shape, out.spec.shape, strict=True):
            assert promised in (None, real)


@cases()
def test_same_key_same_bytes_and_input_untouched(step: Step, n: int):
    recipe = og.Compose([step])
    for image in make_images(step, n):
        mask = labels(n, "uint8")
        before = image.array.copy(), mask.copy()
        image.array.flags.writeable = mask.flags.writeable = False
        results = []
        for threads in (1, 2):
            with og.num_threads(threads):
                others = {**seen(step, n), "mask": Mask(mask, "ZYX"[-n:])}
                results.append(recipe(image=image, key=KEY, **others))
        same_bytes(results[0].image, results[1].image)
        same_bytes(results[0].mask, results[1].mask)
        np.testing.assert_array_equal(image.array, before[0])
        np.testing.assert_array_equal(mask, before[1])
        for array in (results[0].image, results[0].mask):
            assert array.flags.c_contiguous and array.flags.writeable
            assert not np.may_share_memory(array, image.array) and not np.may_share_memory(array, mask)


@cases()
def test_record_replays(step: Step, n: int):
    recipe = og.Compose([step])
    for image in make_images(step, n)[:2]:
        out = recipe(image=image, key=KEY, **seen(step, n))
        again = recipe.replay(json.loads(json.dumps(out.record)), image=image)
        same_bytes(again.image, out.image)
        assert again.record == out.record


@cases()
def test_never_applied_is_the_identity(step: Step, n: int):
    never = dataclasses.replace(step, p=0.0)
    image = make_images(step, n)[0]
    out = og.Compose([never])(image=image, key=KEY)
    same_bytes(out.image, image.array)
    assert not og.Compose([never]).draws and out.record["steps"][0]["applied"] is False
    assert og.Compose([never]).output_spec(image.spec) == image.spec


@cases()
def test_files_round_trip(step: Step, n: int):
    recipe = og.Compose([step, og.Augment(step)])
    for read in (
        og.Compose.from_yaml(recipe.to_yaml()),
        og.Compose.from_dict(json.loads(json.dumps(recipe.to_dict()))),
        og.Compose.from_yaml(json.dumps(recipe.to_dict(), indent=1)),
    ):
        assert read.steps == recipe.steps
        assert (read.digest, read.fingerprint) == (recipe.digest, recipe.fingerprint)


@cases()
def test_a_bool_image_is_refused_or_stays_true_and_false(step: Step, n: int):
    """A step that averages says so; every other one gives what its definition gives."""
    if isinstance(step, ResultStep) or n == 3:
        return
    mask = np.indices(SIZES[n]).sum(axis=0) % 3 == 0
    image = Image(mask, "YX")
    if (
        getattr(step, "stats", None)
        or step.kind == "color"
        or step.name in ("FancyPCA", "ISONoise", "PlanckianJitter")
    ):
        image = Image(np.stack([mask] * 3, axis=-1), "YXC")
    recipe = og.Compose([always(step)])
    if step.averages:
        says = "pass it as mask=" if not hasattr(step, "order") else "or use order=0, write"
        with pytest.raises(og.StepError, match=f"{step.name}: cannot average a bool image.*{says}"):
            recipe(image=image, key=KEY, **seen(step, n))
        with pytest.raises(og.StepError, match="cannot average"):
            recipe.output_spec(image.spec)
        if getattr(step, "mask_cval", 0) <= 1:
            numbers = image.with_array(image.array.astype(np.uint8))
            if refusal(step, numbers):
                numbers = image.with_array(image.array.astype(np.float32))
            others = {**seen(step, n), "mask": mask}
            assert recipe(image=numbers, key=KEY, **others).mask.dtype == bool
        return
    if getattr(step, "cval", 0) not in (0, 1) and getattr(step, "mode", "") == "constant":
        return  # refused: bool cannot hold it
    out = recipe(image=image, key=KEY, **seen(step, n))
    params = out.record["steps"][0]["params"]
    same_bytes(out.image, expected(step, image, params))


SCHEMA = schema()


@cases()
def test_the_schema_takes_what_files_hold(step: Step, n: int):
    recipe = og.Compose([step, og.Augment(step)])
    assert holds(SCHEMA, json.loads(json.dumps(recipe.to_dict())))
    assert holds(SCHEMA, yaml.safe_load(recipe.to_yaml()))  # an editor's YAML, which reads as much as ours
    wrong = recipe.to_dict()
    next(iter(wrong["steps"][0].values()))["p"] = 2
    assert not holds(SCHEMA, wrong)


@pytest.mark.parametrize(
    "entry",
    [
        {"GaussianFilter": {"sigma": {"W": 1}}},
        {"GaussianFilter": {"sigma": {}}},
        {"GaussianFilter": {"sigma": {"Y": -1}}},
        {"MedianFilter": {"size": {"Y": 1.5}}},
        {"Resize": {"size": [0, 4]}},
        {"RandomCrop": {"size": ["10", 4]}},
        {"Affine": {"translate": {"X": True}}},
        {"Zoom": {"factor": [1, 2, 3]}},
    ],
    ids=repr,
)
def test_schema_and_steps_refuse_the_same(entry: dict[str, Any]):
    data = {"offgraph": 1, "steps": [entry]}
    assert not holds(SCHEMA, data)
    with pytest.raises(og.RecipeError):
        og.Compose.from_dict(data)


# masks


@cases(GeometricStep)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint32", "int64", "uint64"])
def test_mask_values_are_the_inputs(step: Step, n: int, dtype: str):
    fill = getattr(step, "mask_cval", 0)
    if dtype == "bool" and fill > 1:
        pytest.skip(f"the label {fill} beyond the border is no bool")
    mask = labels(n, dtype)
    step = always(step)
    spec = ArraySpec(mask.shape, "uint8", "ZYX"[-n:])  # of the image, on whose grid the mask lies
    params = step.sample(Draw(KEY, "x"), spec)
    out = step.apply_mask(Mask(mask, spec.axes), params).array
    assert out.dtype == mask.dtype and set(np.unique(out).tolist()) <= {*np.unique(mask).tolist(), fill}
    assert out.shape == step.output_spec(spec, params).shape


@cases(ResampledStep, WindowStep)
def test_mask_is_the_reference_at_order_0(step: Step, n: int):
    step = always(step)
    nearest = {"order": 0} if isinstance(step, ResampledStep) else {}
    labelled = dataclasses.replace(step, cval=float(step.mask_cval), **nearest)  # type: ignore[attr-defined]
    for dtype in ("uint8", "int64"):  # the wide one goes through indices
        mask = labels(n, "uint8").astype(dtype)
        params = step.sample(Draw(KEY, "x"), ArraySpec.of(mask, "ZYX"[-n:]))
        out = step.apply_mask(Mask(mask, "ZYX"[-n:]), params).array
        same_bytes(out, labelled.reference(scipy_ndimage, mask, params))


@cases(FilterStep, PointwiseStep, ImageStep)
def test_mask_stays(step: Step, n: int):
    mask = labels(n, "uint32")
    if getattr(step, "mask_fill", None) is not None:
        return  # asked for
    out = og.Compose([always(step)])(image=make_images(step, n)[0], mask=mask, key=KEY)
    same_bytes(out.mask, mask)


# the map


@cases(GeometricStep)
def test_map_says_where_pixels_come_from(step: Step, n: int):
    """On a ramp, whose value is its coordinate, every output pixel holds the coordinate that the map gives."""
    step = always(step)
    axes = "ZYX"[-n:]
    size = tuple(4 * length for length in SIZES[n])
    spec = ArraySpec(size, "float64", axes)
    params = step.sample(Draw(KEY, "x"), spec)
    grid = step.map(params, spec)  # type: ignore[attr-defined]
    assert grid.input_size == size and grid.output_size == step.output_spec(spec, params).shape
    places = grid(
        np.stack(np.meshgrid(*map(np.arange, grid.output_size), indexing="ij"), axis=-1).astype(float)
    )
    # Away from the border, where neither a widened kernel nor a spline's border rule reaches.
    margin = np.full(n, 8.0 if isinstance(step, ResampledStep) else 0.0)
    first, last = np.zeros(n), np.array(size) - 1.0
    weighs = hasattr(step, "kernel") and step.averages
    if weighs:
        margin = KERNELS[step.kernel][1] * np.maximum(np.diag(grid.matrix), 1) + 1
        first = np.maximum(first, grid([-0.5] * n) + 0.5)  # of the window
        last = np.minimum(last, grid(np.array(grid.output_size) - 0.5) - 0.5)
    inside = np.all((places >= first + margin) & (places <= last - margin), axis=-1)
    assert inside.any()
    nearest = getattr(step, "order", 1) == 0 or getattr(step, "kernel", "") == "box"
    slack = 0.5 + 1e-9 if nearest else 0.1 if weighs else 1e-3
    for axis in range(n):
        shape = [1] * n
        shape[axis] = -1
        ramp = np.broadcast_to(np.arange(size[axis], dtype=float).reshape(shape), size)
        out = step.apply(Image(ramp, axes), params).array
        assert np.abs(out - places[..., axis])[inside].max() <= slack


def test_the_contract_can_fail(monkeypatch: pytest.MonkeyPatch):
    """A step whose engine is not its definition is caught."""

    class Off(og.MedianFilter):  # type: ignore[misc, valid-type]
        def reference(self, ndi, image, params, channel=0):
            return ndi.median_filter(image, self.size + 2)

    monkeypatch.setitem(MODULES, "Off", MODULES["MedianFilter"])
    with pytest.raises(AssertionError):
        test_engine_equals_reference(Off(3), 2)
