"""The contract of every step with every target: each test runs over the registry, so a new step is held to it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tests.support.registry import CASES, KEY, SIZES, always, refusal

import offgraph as og
from offgraph.geometry import Frame
from offgraph.steps.base import Step
from offgraph.steps.kinds import GeometricStep, ResultStep
from offgraph.steps.structure import with_members
from offgraph.targets import Target

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")  # hints of single cases

STEPS = [(step, n) for step, n in CASES if not isinstance(step, ResultStep)]
EACH = pytest.mark.parametrize(("step", "n"), STEPS, ids=[f"{n}D-{step!r}" for step, n in STEPS])


def given(n: int) -> dict[str, Any]:
    """An image with two balls as labels 1 and 2, and all that there can be of them."""
    size, rng = SIZES[n], np.random.default_rng(1)
    axes = "ZYX"[-n:]
    grid = np.stack(np.indices(size), -1)
    middles = [np.array(size) * 0.35, np.array(size) * 0.68]
    labels = np.zeros(size, np.uint8)
    for number, middle in enumerate(middles, 1):
        labels[((grid - middle) ** 2).sum(-1) <= (min(size) / 5) ** 2] = number
    mask = og.Mask(labels, axes)
    tight = og.Boxes.of_labels(mask)
    near = np.exp(-((grid - middles[0]) ** 2).sum(-1) / (min(size) / 3) ** 2)
    return {
        "image": og.Image(rng.integers(1, 250, (*size, 3)).astype(np.uint8), axes + "C"),
        "mask": mask,
        "heatmap": og.Heatmap(near.astype(np.float32), axes),
        "boxes": og.Boxes(tight.array, size=size, labels=["one", "two"]),
        "points": og.Points(middles, size=size, pairs=[(0, 1)]),
        "tight": tight,
        "wide": og.Mask(labels.astype(np.int64) << 40, axes, swap=[(1 << 40, 2 << 40)]),
    }


def moves(step: Step) -> bool:
    """Whether it moves pixels, or is made of steps that do."""
    return any(isinstance(each, GeometricStep) for each in with_members(step))


def sample_for(step: Step, n: int) -> dict[str, Any]:
    """The same, of floats for a step that takes no uint8."""
    sample = given(n)
    if refusal(step, sample["image"]):
        sample["image"] = sample["image"].with_array(sample["image"].array.astype(np.float32))
    return sample


def made(step: Step, n: int, **options: Any) -> og.Result:
    return og.Compose([always(step)], **options)(**sample_for(step, n), key=KEY)


def own(frame: Frame) -> np.ndarray:
    """Output pixels that come from inside the image: nothing there is a border that a mode repeats."""
    places = np.stack(np.indices(frame.output_size), -1).astype(float)
    inside = np.ones(frame.output_size, bool)
    for grid in reversed(frame.maps):
        places = grid(places)
        with np.errstate(invalid="ignore"):
            inside &= ((places >= -0.5) & (places <= np.array(grid.input_size) - 0.5)).all(-1)
    return inside


def same(one: Target, other: Target) -> None:
    assert type(one) is type(other) and one.size == other.size
    for name in ("array", "edges", "places", "visible", "labels", "ids"):
        if hasattr(one, name):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@EACH
def test_targets_stay_on_the_image(step: Step, n: int):
    out, before = made(step, n), given(n)
    assert len({target.size for target in out.targets.values()}) == 1
    for name, target in out.targets.items():
        assert type(target) is type(before[name])
        fills = isinstance(target, og.Mask) and getattr(step, "mask_fill", None) is not None
        if not moves(step) and name != "image" and not fills:
            same(target, before[name])
    # The labels of the other width went the same way, but for the pair that a mirror exchanges.
    narrow = np.sort(np.unique(out.mask))
    fill = getattr(step, "mask_cval", 0)
    assert set(narrow.tolist()) <= {0, 1, 2, fill}
    np.testing.assert_array_equal(out.wide > 2, out.mask > 0 if fill == 0 else out.wide > 2)


@EACH
def test_boxes_hold_what_the_mask_shows_and_points_lie_on_it(step: Step, n: int):
    out = made(step, n)
    shown = own(out.frame)
    fill = getattr(step, "mask_cval", 0)
    mirrored = np.linalg.det(out.frame.map.jacobian(np.array(out.frame.output_size) / 2.0)) < 0
    for number in (0, 1):
        if fill == number + 1:
            continue
        places = np.argwhere((out.mask == number + 1) & shown)
        for boxes in (out.boxes, out.tight):
            if boxes is out.tight and not (out.mask[~shown] == number + 1).any() and len(places):
                edges = boxes.edges[boxes.ids.tolist().index(number)]
                np.testing.assert_array_equal(edges, [*(places.min(0) - 0.5), *(places.max(0) + 0.5)])
            elif number in boxes.ids:
                edges = boxes.edges[boxes.ids.tolist().index(number)]
                assert (places >= edges[:n] - 1e-6).all() and (places <= edges[n:] + 1e-6).all()
            else:
                assert not len(places)
        at = 1 - number if mirrored else number
        point, seen = out.points.places[at], out.points.visible[at]
        last = np.array(out.points.size) - 1
        if seen and len(places) > 8 and ((point >= 0) & (point <= last)).all():
            assert np.abs(places - point).max(axis=1).min() <= 1.5


@EACH
def test_points_come_back(step: Step, n: int):
    out, before = made(step, n), given(n)
    back = out.frame.undo(points=out.points)
    seen = back.visible
    np.testing.assert_allclose(back.places[seen], before["points"].places[seen], rtol=0, atol=1e-3)
    assert out.frame.undo(boxes=out.boxes).size == SIZES[n]
    if not moves(step):
        assert seen.all()


@EACH
def test_records_replay_for_every_target(step: Step, n: int):
    out = made(step, n)
    again = og.Compose([always(step)]).replay(json.loads(json.dumps(out.record)), **sample_for(step, n))
    for name, target in out.targets.items():
        same(target, again.targets[name])
