"""Every step with every dtype, number of channels and target: its definition, both runners, threads, records, restarts.

Each test runs over the registry, so that a new step is held to it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from tests.support.registry import (
    CASES,
    CHANNELS,
    DTYPES,
    KEY,
    LARGE,
    always,
    beside,
    cases,
    digest,
    digests,
    expected,
    large_image,
    make_image,
    refusal,
    same_bytes,
    same_targets,
    seen,
)

import offgraph as og
from offgraph.geometry import GridMap, Leg, compose
from offgraph.plan import native
from offgraph.plan.fuse import fuse
from offgraph.plan.move import leg_of, run_labels
from offgraph.plan.placed import AppliedStep, place
from offgraph.plan.run import run, run_image
from offgraph.steps.base import Step
from offgraph.steps.kinds import GeometricStep, ResampledStep
from offgraph.steps.structure import StructureStep
from offgraph.targets import Targets
from offgraph.targets.base import Target
from offgraph.targets.heatmap import Heatmap
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask
from offgraph.transforms.geometric._window import WindowStep

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")  # hints of single cases

LABELS = (
    "ClearBorder",
    "Close",
    "Contours",
    "Dilate",
    "DistanceWatershed",
    "Erode",
    "FillHoles",
    "KeepLargest",
    "Label",
    "Measure",
    "Open",
    "RemoveSmall",
)
REFUSED = {
    "takes labels, whole numbers": LABELS,
    "takes labels on spatial axes only": LABELS,
    "takes probabilities, floats from 0 to 1": ("Threshold",),
    "takes one probability per pixel": ("Threshold",),
    "takes a model's output, floats": (
        "ArgMax",
        "SeededWatershed",
        "Sigmoid",
        "SmoothProbabilities",
        "Softmax",
    ),
    "the image has 1 channels": ("SeededWatershed",),
    "the image has no channels": ("SeededWatershed",),
    "takes a channel for each of several classes": ("ArgMax", "Softmax"),
    "wraps around below 0": ("Ndimage",),
    "statistics of 3 channels": ("Normalize",),
    "more than an image of dtype uint8 holds": ("Gamma",),
    "range= is needed": (
        *(
            "AugMix",
            "AutoContrast",
            "BiasField",
            "Bilateral",
            "FancyPCA",
            "ToneCurve",
            "Brightness",
            "ColorJitter",
            "Contrast",
            "GaussianNoise",
            "ColorMatrix",
            "HueSaturation",
            "RGBShift",
        ),
        *(
            "ISONoise",
            "Invert",
            "PlanckianJitter",
            "PoissonNoise",
            "Posterize",
            "RandAugment",
            "SaltAndPepper",
            "Solarize",
            "Speckle",
            "TrivialAugment",
        ),
    ),
    "needs red, green and blue": (
        "FancyPCA",
        "ColorJitter",
        "HueSaturation",
        "ISONoise",
        "PlanckianJitter",
        "RGBShift",
    ),
    "matrix is for 3 channels": ("ColorMatrix",),
    "takes 1 or 3 channels": ("ToGrey", "ToRGB"),
    "would fill every channel": ("ChannelDrop",),
    "takes uint8 or uint16": ("AugMix", "CLAHE", "Equalize", "RandAugment", "TrivialAugment"),
    "JPEG takes uint8 of 1 or 3 channels": ("JpegCompression",),
}
"""What a step says of images that it does not take, by its name: nothing else may be left out here."""

ROOT = Path(__file__).parents[2]


def taken(step: Step, image: Image) -> bool:
    """Whether the step takes such an image; one of those that are known not to be taken has to be refused by a call."""
    says = refusal(step, image)
    if not says:
        return True
    assert any(part in says and step.name in names for part, names in REFUSED.items()), says
    with pytest.raises(og.StepError, match=f"{step.name}: "):
        og.Compose([step])(image=image, key=KEY)
    return False


@cases()
@pytest.mark.parametrize("dtype", DTYPES)
def test_definition_runners_threads_and_records_agree(step: Step, n: int, dtype: str):
    """Boxes and points see the maps and never the image: they come along with one number of channels for each dtype."""
    step, first = always(step), None
    images = [make_image(step, n, dtype, channels) for channels in CHANNELS]
    images = [image for image in images if taken(step, image)] or [make_image(step, n, dtype, 0)]
    for number, image in enumerate(images):
        if not taken(step, image):
            return
        whole = number == DTYPES.index(dtype) % len(images)
        given = {
            name: target
            for name, target in beside(n).items()
            if whole or isinstance(target, Mask | Heatmap) or name in seen(step, n)
        }
        other = Image(
            image.array[::-1].astype("uint16" if image.array.dtype.kind == "u" else "float64"), image.axes
        )
        others = {} if refusal(step, other) else {"other": other}
        sample = {"image": image, **others, **given}
        recipe, chained = og.Compose([step]), og.Compose([step], fuse=False)
        out = called(recipe, sample, 1)
        record = json.loads(json.dumps(out.record))
        assert digest(called(recipe, sample, 2)) == digest(recipe.replay(record, **sample)) == digest(out)
        same_targets(out.targets.items(), called(chained, sample, 1))
        params, chain = out.record["steps"][0]["params"], out.history.chain
        same_bytes(out.image, expected(step, image, params))
        for each in others.values():
            same_bytes(out.other, expected(step, each, params))
        for ops in (chain, fuse(chain)):
            same_bytes(run_image(ops, image).contiguous().array, out.image)
        assert {target.size for target in out.targets.values()} == {out.targets.image.size}
        if whole:
            hold_to_their_definitions(step, image, given, out)
        # What lies beside the image does not depend on its dtype and channels.
        first = first or out
        assert maps_of(out) == maps_of(first)
        same_targets(
            (
                (name, target)
                for name, target in out.targets.items()
                if name in first.targets and name in given
            ),
            first,
        )


def called(recipe: og.Compose, sample: dict[str, Any], threads: int) -> og.Result:
    with og.num_threads(threads):
        return recipe(**sample, key=KEY)


def maps_of(out: og.Result) -> str:
    return json.dumps([leg_of(planned).map.to_json() for planned in out.history.chain if leg_of(planned)])


def hold_to_their_definitions(step: Step, image: Image, given: dict[str, Target], out: og.Result) -> None:
    """All targets beside the image: labels at order 0, heatmaps at order 1, points through the map, boxes about labels.

    What is made of other steps gives what these give, one after the other.
    """
    params = out.record["steps"][0]["params"]
    legs = [leg for planned in out.history.chain if (leg := leg_of(planned)) is not None]
    if isinstance(step, StructureStep):
        chosen = step.parts(params)
        placed = place((dataclasses.replace(part, id=None), False) for part, _ in chosen)
        applied = [AppliedStep(here.address, True, values) for here, (_, values) in zip(placed, chosen)]
        sample = Targets({"image": image, **given})
        same_targets(run(placed, sample, KEY, applied, fused=True)[0].items(), out)
        return
    if not isinstance(step, GeometricStep):
        assert not legs
        fills = getattr(step, "mask_fill", None) is not None
        for name, target in given.items():
            if fills and isinstance(target, Mask):
                target = step.apply_mask(target, params)
            same_targets([(name, target)], out)
        return
    leg = Leg(compose([leg.map for leg in legs]), legs[-1].resampling)
    mirrored = np.linalg.det(leg.map.jacobian((np.array(leg.map.output_size) - 1) / 2)) < 0
    for name, target in given.items():
        found = out.targets[name]
        if isinstance(target, Mask):
            labels = labels_by_definition(step, target, params, leg)
            same_bytes(found.array, exchanged(labels, target.swap) if mirrored else labels)
        elif isinstance(target, Heatmap):
            # All but one move whole pixels: the values are interpolated once.
            read = next((place for place, leg in enumerate(legs) if not leg.map.is_exact), len(legs) - 1)
            spatial = tuple(range(len(target.size)))
            for each in legs[:read]:
                target = target.with_array(each.map.take(target.array, spatial))
            made = found.array
            for each in reversed(legs[read + 1 :]):  # bars of one value around it
                inner = each.map.inverse().take(made, spatial)
                same_bytes(each.map.take(inner, spatial, cval=target.fill), made)
                made = inner
            agree_but_for_rounding(made, heatmap_by_definition(target, legs[read]), legs[read])
        elif isinstance(target, og.Points):
            places = found.places[found.visible.astype(bool)]
            came_from = found.ids[found.visible.astype(bool)]
            if mirrored and target.pairs:
                came_from = 1 - came_from
            np.testing.assert_allclose(
                leg.map(places), target.places[came_from], atol=1e-6 if leg.map.preserves_lines else 1e-3
            )


def labels_by_definition(step: Step, mask: Mask, params: dict[str, Any], leg: Leg) -> np.ndarray:
    """The step's reference at order 0 on the numbers of pixels, which are then looked up."""
    size = mask.array.shape
    index = np.arange(mask.array.size, dtype=np.int32).reshape(size)
    if isinstance(step, ResampledStep | WindowStep | og.Pad):
        order = {"order": 0} if isinstance(step, ResampledStep) else {}
        index = dataclasses.replace(step, cval=-1.0, **order).reference(ndimage, index, params)  # type: ignore[call-arg]
    elif hasattr(step, "kernel") and step.averages:
        # The pixel that holds the centre, of two the later one, in whole numbers.
        for axis, (start, m) in enumerate(zip(params.get("start", ()), params.get("window", ()))):
            index = np.take(index, range(start, start + m), axis=axis)
        size, output = index.shape, leg.map.output_size
        fitted = [round(m / ratio) for m, ratio in zip(size, np.diag(leg.map.matrix))]
        for axis, (m, length) in enumerate(zip(size, fitted)):
            index = np.take(index, [(2 * i + 1) * m // (2 * length) for i in range(length)], axis=axis)
        bars = [(b, n - b - m) for b, m, n in zip(params.get("before", [0] * len(size)), fitted, output)]
        index = np.pad(index, bars, constant_values=-1)
    else:
        index = step.reference(ndimage, index, params)
    return np.where(index < 0, getattr(step, "mask_cval", 0), mask.array.ravel()[index]).astype(
        mask.array.dtype
    )


def exchanged(labels: np.ndarray, swap: Sequence[tuple[int, int]]) -> np.ndarray:
    out = labels.copy()
    for left, right in swap:
        out[labels == left], out[labels == right] = right, left
    return out


def heatmap_by_definition(heatmap: Heatmap, leg: Leg) -> np.ndarray:
    """SciPy's linear interpolation at the map's coordinates; densities times the area of each output pixel."""
    n = len(leg.map.output_size)
    planes = np.moveaxis(heatmap.array.reshape(*heatmap.size, -1), -1, 0)
    points = leg.map.coordinates()
    nowhere = np.isnan(points).any(axis=0)
    mode = leg.resampling.mode
    if isinstance(leg.map, GridMap) and leg.resampling.is_constant:
        mode = "grid-constant"
    found = [
        ndimage.map_coordinates(plane, np.nan_to_num(points), order=1, mode=mode, cval=heatmap.fill)
        for plane in planes
    ]
    out = np.where(nowhere, np.array(heatmap.fill, heatmap.array.dtype), np.stack(found))
    if heatmap.density and not leg.map.is_exact:
        places = np.moveaxis(np.indices(leg.map.output_size), 0, -1).astype(float)
        out = out * np.nan_to_num(np.abs(np.linalg.det(leg.map.jacobian(places))))
    return np.moveaxis(out, 0, -1).reshape(leg.map.output_size + heatmap.array.shape[n:])


def agree_but_for_rounding(found: np.ndarray, wanted: np.ndarray, leg: Leg) -> None:
    """Where a coordinate lies on the border but for rounding, either side is right."""
    points = leg.map.coordinates()
    last = np.array(leg.map.input_size).reshape(-1, *[1] * (points.ndim - 1)) - 1
    with np.errstate(invalid="ignore"):
        near = ((np.abs(points) < 1e-8) | (np.abs(points - last) < 1e-8)).any(axis=0)
    rounding = 1e-6 if found.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(found[~near], wanted[~near], rtol=rounding, atol=rounding)


AFTER = {"whole pixels": lambda n: og.Flip("X"), "a turn": lambda n: og.Rotate(17.0, cval=3, mask_cval=5)}
"""What follows the step, so that labels and heatmaps are read through two maps, by the core where it can."""


@cases(GeometricStep)
@pytest.mark.parametrize("after", AFTER)
def test_both_runners_move_all_targets_alike_through_two_steps(step: Step, n: int, after: str):
    step, given = always(step), beside(n)
    image = make_image(step, n, "uint8", 3)
    out = og.Compose([step, AFTER[after](n)])(image=image, **given, key=KEY)
    chain = out.history.chain
    legs = [leg_of(planned) for planned in chain]
    same_bytes(out.image, run_image(fuse(chain), image).contiguous().array)
    for name, target in given.items():
        if isinstance(target, Mask):
            same_bytes(out.targets[name].array, run_labels(chain, target, once=True).contiguous().array)
        elif isinstance(target, Heatmap):
            same_bytes(out.targets[name].array, target.moved(legs).contiguous().array)
    alone = og.Compose([step, AFTER[after](n)], fuse=False)(image=image, **given, key=KEY)
    same_bytes(alone.image, run_image(chain, image).contiguous().array)
    for name, target in given.items():
        if isinstance(target, Mask):
            same_bytes(alone.targets[name].array, run_labels(chain, target, once=False).contiguous().array)


@cases()
@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_share_large_images_and_give_the_same_bytes(step: Step, n: int, dtype: str):
    """Small work never leaves the calling thread, so that small images say nothing of threads."""
    step, axes = always(step), "ZYX"[-n:]
    image = large_image(step, n, dtype)
    if not taken(step, image):
        return
    rng = np.random.default_rng(9)
    more: dict[str, Any] = {}
    if isinstance(step, GeometricStep) and dtype == DTYPES[0]:
        more["mask"] = Mask(rng.integers(0, 9, (*LARGE[n], 7), np.uint16), axes + "C")
        more["wide"] = Mask(more["mask"].array[..., 0].astype(np.int64) << 40, axes)
        more["heatmap"] = Heatmap(rng.random((*LARGE[n], 7), np.float32), axes + "C")
    more = {**seen(step, n, LARGE[n]), **more}
    outs = []
    for threads in (1, 2):
        with og.num_threads(threads):
            outs.append(og.Compose([step])(image=image, **more, key=KEY))
    assert digest(outs[0]) == digest(outs[1])


def test_a_fresh_process_gives_the_same_bytes():
    """Of the whole registry: with another seed of hashes, two threads, and the steps in another order."""
    environment = os.environ | {
        "PYTHONHASHSEED": "4242" if os.environ.get("PYTHONHASHSEED") != "4242" else "4243",
        "OFFGRAPH_NUM_THREADS": "2",
        "PYTHONPATH": os.pathsep.join([str(Path(og.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
    }
    fresh = subprocess.Popen(
        [sys.executable, "-m", "tests.support.registry"], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with og.num_threads(1):
            here = dict(digests())
        told, errors = fresh.communicate(timeout=240)
    finally:
        fresh.kill()
    assert fresh.returncode == 0, errors
    there = json.loads(told)
    assert {name: (value, there.get(name)) for name, value in here.items() if there.get(name) != value} == {}
    assert there.keys() == here.keys() and len(here) > 10 * len(CASES)


# The tests can fail


def test_digests_tell_every_target_and_the_record_apart():
    """What a process would give once only is noticed, whatever part of a result it is."""
    recipe, image = (
        og.Compose([og.Affine(rotate=(-9, 9), translate=(3, 4))]),
        make_image(og.Flip(), 2, "uint8", 3),
    )
    out, other = (recipe(image=image, **beside(2), key=og.Key(index=index)) for index in (0, 1))
    mixed = [dataclasses.replace(out, record=other.record)]
    mixed += [
        dataclasses.replace(out, targets=out.targets.replaced(**{name: other.targets[name]}))
        for name in out.targets
    ]
    assert len({digest(out), *map(digest, mixed)}) == 1 + len(mixed)


def test_a_step_that_is_not_its_definition_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(og.Rotate, "reference", og.Flip(axis="Y").reference)
    with pytest.raises(AssertionError):
        test_definition_runners_threads_and_records_agree(og.Rotate(8), 2, "uint16")


def test_a_runner_that_is_half_a_pixel_off_is_caught(monkeypatch: pytest.MonkeyPatch):
    real = native.affine_op

    def shifted(matrix: Any, offset: Any, *args: Any, **options: Any) -> Any:
        return real(matrix, [place + 0.5 for place in offset], *args, **options)

    monkeypatch.setattr(native, "affine_op", shifted)
    with pytest.raises(AssertionError):
        test_both_runners_move_all_targets_alike_through_two_steps(og.Affine(rotate=8), 2, "a turn")
