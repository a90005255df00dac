from typing import Any

import numpy as np
import pytest

import offgraph as og
from offgraph.geometry.affine_map import AffineMap
from offgraph.recipe.identity import explain_mismatch

PER_AXIS: Any = [{"Y": 2, "X": 0.7}, {"Z": 2, "YX": (0.5, 1.5)}]
CASES = {
    2: [
        og.Resize((12, 40)),
        og.Resize((60, 15), kernel="cubic"),
        og.Resize((11, 13), antialias=False),
        og.Resize(16),
        og.Resize((12, None)),
        og.Resize((None, 50)),
        og.Resize(scale=PER_AXIS[0]),
        og.Resize(scale=0.5, kernel="box"),
        og.Resize(scale=(0.6, 1.7), kernel="lanczos3"),
    ],
    3: [
        og.Resize((5, 14, 6)),
        og.Resize(scale=1.5),
        og.Resize(12),
        og.Resize(scale=PER_AXIS[1]),
    ],
}


def test_masks_take_the_nearest_pixel():
    mask = np.arange(8, dtype=np.uint32).reshape(2, 4)
    out = og.Compose([og.Resize((4, 2))])(image=np.zeros((2, 4), np.uint8), mask=mask).mask
    np.testing.assert_array_equal(out, [[1, 3], [1, 3], [5, 7], [5, 7]])


def test_the_edges_stay_edges():
    grid = og.Resize((10, 3)).map({}, og.ArraySpec((25, 7), "uint8", "YX"))
    assert isinstance(grid, AffineMap)
    np.testing.assert_allclose(
        grid(np.array([[-0.5, -0.5], [9.5, 2.5]])), [[-0.5, -0.5], [24.5, 6.5]], atol=1e-12
    )


def test_a_size_for_volumes_on_an_image():
    with pytest.raises(og.StepError, match="has 3 lengths, the image 2 spatial axes"):
        og.Compose([og.Resize((4, 4, 4))])(image=np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("parameters", [{}, {"size": (4, 4), "scale": 2}, {"size": 0}, {"size": (0, 4)}])
def test_bad_sizes(parameters):
    with pytest.raises(og.StepError, match=r"Resize: .*expected"):
        og.Resize(**parameters)


@pytest.mark.parametrize("like", ["pillow", "pillow12", "opencv", "tf", "torch"])
def test_other_targets_do_not_ask_whose_resize_it_is(like):
    rng = np.random.default_rng(0)
    image, mask = rng.integers(0, 256, (30, 44, 3), np.uint8), rng.integers(0, 9, (30, 44))
    boxes, points = np.array([[3.0, 4, 20, 11]]), np.array([[2.0, 5.0]])
    steps = [og.Flip("X"), og.Resize((17, 50), like=like), og.CenterCrop((11, 20))]
    made = og.Compose(steps)(image=image, mask=mask, boxes=boxes, points=points)
    want = og.Compose([steps[0], og.Resize((17, 50)), steps[2]])(
        image=image, mask=mask, boxes=boxes, points=points
    )
    np.testing.assert_array_equal(made.mask, want.mask)
    assert made.boxes and want.boxes and made.points and want.points
    np.testing.assert_array_equal(made.boxes.edges, want.boxes.edges)
    np.testing.assert_array_equal(made.points.places, want.points.places)
    predicted = rng.integers(0, 3, (11, 20))
    np.testing.assert_array_equal(made.frame.undo(mask=predicted), want.frame.undo(mask=predicted))
    single = og.Resize((17, 50), like=like).reference(None, image[:, ::-1, 1], {})
    np.testing.assert_array_equal(made.image[..., 1], single[3:14, 15:35])
    assert made.image.dtype == (np.float32 if like == "tf" else np.uint8)


@pytest.mark.parametrize("like", ["pillow", "opencv", "tf", "torch"])
def test_it_is_fused_with_nothing(like):
    image = np.random.default_rng(1).integers(0, 256, (40, 52, 3), np.uint8)
    steps = [og.Rotate(10), og.Resize((20, 30), like=like), og.Shift((1.5, 2)), og.CenterCrop((9, 9))]
    recipe = og.Compose(steps)
    assert recipe.explain(og.ArraySpec.of(image, "YXC")).count("weighs pixels in between") == 1
    plain = og.Compose(steps, fuse=False)(image=image).image
    np.testing.assert_allclose(recipe(image=image).image, plain, atol=1e-3)


def test_recipes_from_before_keep_their_fingerprints():
    assert og.Compose([og.Resize(8)]).fingerprint.startswith("5e8c6420")
    assert og.Compose([og.Resize(8, antialias=False)]).fingerprint.startswith("62f333df")
    assert og.Compose([og.Resize(8, like="pillow")]).fingerprint != og.Compose([og.Resize(8)]).fingerprint
    said = explain_mismatch(og.Compose([og.Resize(8)]), og.Compose([og.Resize(8, like="torch")]))
    assert said == "step 1, Resize: like is None in the first and 'torch' in the second"


@pytest.mark.parametrize(
    "step",
    [
        og.Resize(8, like="tf"),
        og.Resize(8, like="tf", antialias=True),
        og.Resize(8, like="torch", antialias=False, kernel="bicubic"),
        og.Resize(8, like="opencv", kernel="area"),
        og.Resize(8, antialias=False),
    ],
)
def test_what_a_library_does_unless_told_is_left_out_of_files(step):
    recipe = og.Compose([step])
    assert og.Compose.from_yaml(recipe.to_yaml()) == recipe == og.Compose.from_dict(recipe.to_dict())
    assert ("antialias" in recipe.to_yaml()) == (step.antialias != step.default("antialias"))
    assert og.Compose.from_yaml(recipe.to_yaml()).steps == recipe.steps


def test_libraries_and_their_kernels():
    assert (
        og.Resize(8, kernel="bilinear").kernel == "triangle"
        and og.Resize(8, kernel="bicubic").kernel == "cubic"
    )
    wrong: dict[str, Any]
    for wrong, says in (
        ({"like": "opencv", "antialias": True}, "OpenCV widens no kernel; .*'area', which averages"),
        ({"like": "pillow", "antialias": False}, "Pillow always averages"),
        (
            {"like": "pillow", "kernel": "area"},
            r"no kernel 'area'; it has 'nearest' \(NEAREST\), .*'cubic' \(BICUBIC\)",
        ),
        ({"kernel": "hamming"}, "is another library's; give like="),
        ({"kernel": "bilinaer"}, "did you mean bilinear"),
    ):
        with pytest.raises(og.StepError, match=says):
            og.Resize(8, **wrong)
    for image, says in (
        (np.zeros((4, 4), np.int8), "takes uint8, .*not int8"),
        (np.zeros((4, 4, 4), np.uint8), "two spatial axes"),
    ):
        with pytest.raises(og.StepError, match=says):
            og.Compose([og.Resize(2, like="pillow")])(image=image, axes="ZYX"[-image.ndim :])


def test_no_pixels():
    with pytest.raises(og.StepError, match="has no pixels to resize"):
        og.Compose([og.Resize((4, 4))])(image=np.zeros((0, 4), np.uint8))


def test_a_bool_image_is_refused_and_a_bool_mask_is_not():
    image = np.eye(4, dtype=bool)
    recipe = og.Compose([og.Resize((2, 2))])
    with pytest.raises(og.StepError, match=r"Resize: cannot average a bool image, .*pass it as mask="):
        recipe(image=image)
    made = recipe(image=image.astype(np.uint8), mask=image).mask
    assert made is not None and made.dtype == bool
