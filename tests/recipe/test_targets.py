"""Recipes take any targets by name, move them as they move the image, and take each back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.ndimage

import offgraph as og
from offgraph.recipe.files import STEPS
from offgraph.steps.kinds import GeometricStep

KEY = og.Key(seed=3, epoch=1, index=5)


def _sample(size: tuple[int, int] = (40, 50)) -> dict:
    rng = np.random.default_rng(0)
    grid = np.stack(np.indices(size), -1)
    labels = np.zeros(size, np.int32)
    labels[((grid - (14, 17)) ** 2).sum(-1) <= 60] = 1
    labels[((grid - (25, 34)) ** 2).sum(-1) <= 40] = 2
    return {
        "image": rng.integers(0, 255, (*size, 3)).astype(np.uint8),
        "mask": labels,
        "heatmap": np.exp(-((grid - (14, 17)) ** 2).sum(-1) / 60).astype(np.float32),
        "boxes": og.Boxes([[9.5, 6.5, 25.5, 22.5], [27, 18, 42, 33]], size=size, labels=["disc", "dot"]),
        "points": og.Points([[14, 17], [25, 34]], size=size, pairs=[(0, 1)]),
        "nuclei": og.Mask(labels.astype(np.uint16)),
        "other": og.Image(rng.integers(0, 255, size).astype(np.uint16)),
    }


GEOMETRIC = [
    og.Resize((37, 61)),
    og.Rotate((-30, 30)),
    og.Affine(scale=(0.8, 1.2), shear=0.1, translate=(2, "3%")),
    og.Flip("X"),
    og.CenterCrop((30, 36)),
    og.RandomCrop((28, 30)),
    og.Pad(3),
    og.Zoom(1.3, mode="nearest"),
]


def _agree(out: og.Result) -> None:
    """All targets lie where the image's grid says: disc 1, its box, its point and its heatmap go together."""
    assert out.mask.shape == out.heatmap.shape == out.image.shape[:2] == out.boxes.size == out.points.size
    np.testing.assert_array_equal(out.nuclei, out.mask)
    for box, number in zip(out.boxes.edges, out.boxes.ids):
        places = np.argwhere(out.mask == number + 1)
        if len(places):
            assert (places >= box[:2] - 1e-6).all() and (places <= box[2:] + 1e-6).all()
    seen = out.points.visible.astype(bool)
    numbers = [0, 1]
    if np.linalg.det(out.frame.map.jacobian(np.array([5.0, 5.0]))) < 0:
        numbers = [1, 0]
    for number, (y, x), visible in zip(numbers, out.points.places, seen):
        inside = 1 <= y <= out.mask.shape[0] - 2 and 1 <= x <= out.mask.shape[1] - 2
        if visible and inside:
            assert out.mask[round(y), round(x)] in (number + 1, 0)
            if number == 0:
                assert scipy.ndimage.map_coordinates(out.heatmap, [[y], [x]], order=1)[0] > 0.8


@pytest.mark.parametrize("step", GEOMETRIC, ids=lambda step: step.name)
def test_every_geometric_step_moves_every_target(step):
    assert {step.name for step in GEOMETRIC} <= {n for n, s in STEPS.items() if issubclass(s, GeometricStep)}
    given = _sample()
    out = og.Compose([step])(**given, key=KEY)
    _agree(out)
    assert out.other.dtype == np.uint16 and out.other.shape == out.mask.shape
    np.testing.assert_array_equal(out.image, og.Compose([step])(image=given["image"], key=KEY).image)
    again = og.Compose([step]).replay(json.loads(json.dumps(out.record)), **given)
    for name, target in out.targets.items():
        np.testing.assert_array_equal(target.array, again.targets[name].array)


@pytest.mark.parametrize("fuse", [True, False])
def test_a_chain_moves_every_target(fuse):
    chain = [
        og.Resize((48, 60)),
        og.Rotate((-40, 40)),
        og.GaussianFilter(0.8),
        og.Affine(scale=1.1, shear=0.1),
        og.Flip("X"),
        og.RandomCrop((40, 44)),
        og.Rescale(1 / 255),
    ]
    given = _sample()
    recipe = og.Compose(chain, fuse=fuse)
    out = recipe(**given, key=KEY, metadata={"patient": 7})
    _agree(out)
    assert out.targets.metadata == {"patient": 7} and out.image.dtype == np.float32
    assert list(out.targets) == list(given)
    # The further image goes through the same steps, its own values through the same Rescale.
    alone = recipe.replay({**out.record}, image=given["other"])
    np.testing.assert_array_equal(out.other, alone.image)
    # Each comes back to its own grid, and agrees with what it was where something is left.
    back = out.frame.undo(mask=out.mask)
    valid = out.frame.valid()
    wrong = (back != given["mask"])[valid].mean()
    assert back.shape == (40, 50) and wrong < 0.03
    boxes = out.frame.undo(boxes=out.boxes)
    for box, number in zip(boxes.edges, boxes.ids):
        # What the crop has left of the object is inside.
        left = np.argwhere((given["mask"] == number + 1) & valid)
        assert (left >= box[:2] - 1e-6).all() and (left <= box[2:] + 1e-6).all()
    points = out.frame.undo(points=out.points)
    np.testing.assert_allclose(
        points.places[points.visible], given["points"].places[points.visible], atol=1e-6
    )


def test_labels_are_read_once_whatever_stands_between_the_steps_that_move_them():
    mask = np.random.default_rng(1).integers(0, 99, (30, 40)).astype(np.uint8)
    moving = [og.Rotate(10), og.Affine(scale=1.1), og.Flip("X"), og.Rotate(-7)]
    between = [og.GaussianFilter(1), og.Gamma(1.2), og.MedianFilter(3)]
    mixed = [step for pair in zip(moving, [*between, og.Rescale(1 / 255)]) for step in pair]
    image = np.zeros((30, 40), np.uint8)
    alone, among = og.Compose(moving)(image=image, mask=mask), og.Compose(mixed)(image=image, mask=mask)
    np.testing.assert_array_equal(among.mask, alone.mask)
    chain = og.Compose(mixed, fuse=False)(image=image, mask=mask)
    np.testing.assert_array_equal(chain.mask, og.Compose(moving, fuse=False)(image=image, mask=mask).mask)
    assert (chain.mask != among.mask).any()


def test_labels_left_and_right_are_exchanged_by_a_mirror():
    mask = og.Mask(np.array([[1, 2, 0, 0]], np.uint8), swap=[(1, 2)])
    image = np.zeros((1, 4), np.uint8)
    for fuse in (True, False):
        one = og.Compose([og.Flip("X")], fuse=fuse)(image=image, mask=mask)
        assert one.mask.tolist() == [[0, 0, 1, 2]]
        two = og.Compose([og.Flip("X"), og.Flip("X")], fuse=fuse)(image=image, mask=mask)
        assert two.mask.tolist() == [[1, 2, 0, 0]]


def test_a_step_of_ones_own_moves_every_target():
    @og.register
    class Halve(og.GeometricStep):
        """Every second pixel."""

        def output_size(self, size, params):
            return tuple(None if n is None else n // 2 for n in size)

        def map(self, params, spec):
            size = tuple(spec.size)
            return og.AffineMap(np.diag([2, 2]), (0, 0), size, self.output_size(size, params))

    try:
        out = og.Compose([Halve()])(**_sample())
        np.testing.assert_array_equal(out.mask, _sample()["mask"][::2, ::2])
        assert out.boxes.size == (20, 25) and out.points.places.tolist() == [[7, 8.5], [12.5, 17]]
    finally:
        del STEPS["Halve"]


def test_targets_that_were_not_given_are_none():
    out = og.Compose([og.Flip("X")])(image=np.zeros((4, 6), np.uint8))
    assert out.mask is None and out.boxes is None and out.heatmap is None and out.points is None
    with pytest.raises(AttributeError, match="there is no target 'nuclei' here; there are image"):
        _ = out.nuclei
    assert repr(out) == "<Result: image uint8 (4, 6) YX, mask none>"
    boxed = og.Compose([])(image=np.zeros((4, 6), np.uint8), boxes=[[0, 0, 2, 2]])
    assert repr(boxed) == "<Result: image uint8 (4, 6) YX, boxes <Boxes: 1 on a grid of (4, 6), xyxy>>"


def test_writing_to_a_result_changes_no_input():
    given = _sample()
    before = {name: np.array(getattr(value, "array", value)) for name, value in given.items()}
    out = og.Compose([])(**given)
    for name in ("image", "mask", "heatmap", "nuclei", "other"):
        getattr(out, name)[:] = 1
    for name, value in given.items():
        np.testing.assert_array_equal(getattr(value, "array", value), before[name])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"nuclei": np.zeros((4, 6), np.uint8)}, r"nuclei=Mask\(array\)"),
        ({"boxes": [[3, 3, 3, 4]]}, r"box 0 of 1, .* has no area"),
        ({"boxes": og.Boxes([], size=(5, 5))}, "the image's is 4 x 6, the boxes' 5 x 5"),
        ({"heatmap": np.zeros((4, 6), np.uint8)}, "a heatmap of dtype uint8"),
    ],
)
def test_what_does_not_fit_is_refused(values, says):
    with pytest.raises(og.OffgraphError, match=says):
        og.Compose([og.Flip("X")])(image=np.zeros((4, 6), np.uint8), **values)


def test_errors_name_the_steps():
    mask = np.zeros((4, 6), np.uint8)
    recipe = og.Compose([og.Rotate(5, mask_cval=300), og.Rotate(5)])
    with pytest.raises(og.StepError, match=r"step 1, Rotate.*mask_cval=300 cannot be held by dtype uint8"):
        recipe(image=np.zeros((4, 6), np.uint8), mask=mask)
