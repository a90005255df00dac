"""One image under several settings: the right settings, on a page that stands by itself."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import scipy.ndimage
from skimage import data
from tests.support.pages import chromium, open_page, self_contained  # noqa: F401  (chromium is a fixture)

import offgraph as og
from offgraph.core.errors import RecipeError, StepError
from offgraph.formats.encoding import imwrite
from offgraph.inspection.comparison import Vary, compare, parse_vary


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "<b>noisy.png"
    rng = np.random.default_rng(0)
    image = data.astronaut()[:96, :128].copy()
    image[rng.random(image.shape[:2]) < 0.05] = 255
    imwrite(path, image)
    return path


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("MedianFilter.size=1,3,5,7", Vary("MedianFilter", "size", (1, 3, 5, 7))),
        ("Rotate.angle=0.5, -1e1", Vary("Rotate", "angle", (0.5, -10.0))),
        ("Rotate.mode=reflect,mirror", Vary("Rotate", "mode", ("reflect", "mirror"))),
        ("Resize.size=[64,48],[32,24]", Vary("Resize", "size", ([64, 48], [32, 24]))),
        ("Resize.antialias=true,false", Vary("Resize", "antialias", (True, False))),
        ("my.id.size=3", Vary("my.id", "size", (3,))),
        ('Rotate.mode="reflect"', Vary("Rotate", "mode", ("reflect",))),
    ],
)
def test_parse_vary(text, means):
    assert parse_vary(text) == means


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MedianFilter", "STEP.field=a,b,c"),
        ("size=3", "STEP.field=a,b,c"),
        ("MedianFilter.size=", "a value is missing"),
        ("MedianFilter.size=3,,5", "a value is missing"),
        ("Resize.size=[3,4", "a pair is written"),
        ("Resize.size=" + "[" * 5000, "cannot be read"),
        ("Resize.size=(3,4)", "a pair is written"),
        ("GaussianFilter.sigma={Z:1,YX:2}", r'values by axis {"Z":1,"YX":2}'),
        ("MedianFilter.size=]", "expected"),
    ],
)
def test_what_cannot_be_read_is_told(text, says, photo, tmp_path):
    with pytest.raises(RecipeError, match=says):
        compare(photo, text, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("vary", "says"),
    [
        ("MedianFiltre.size=3", "did you mean MedianFilter"),
        ("MedianFilter.sise=3", "did you mean size"),
        (
            "MedianFilter.size=-3",
            r"^--vary, MedianFilter\.size = -3, step 1: step MedianFilter, field size: expected",
        ),
        ("Rotate.mode=reflect,mirror", r"Rotate needs angle too: .*--vary Rotate\.angle=\S+.*--recipe"),
        (
            ["Rotate.mode=reflect", "MedianFilter.mode=wrap"],
            r"Rotate needs angle too.*\nMedianFilter needs size too",
        ),
        (
            "Normalize.mean=0,1",
            r"Normalize\.mean = 0, step 1: step Normalize: expected stats='imagenet', or both",
        ),
        ("MedianFilter.size=" + ",".join(map(str, range(1, 100))), "99 combinations.*64"),
        ([], "nothing is varied"),
    ],
)
def test_mistakes_have_kind_errors(vary, says, photo, tmp_path):
    with pytest.raises(RecipeError, match=says):
        compare(photo, vary, tmp_path / "page.html")


def test_a_step_is_found_in_the_recipe_by_name_or_id(photo, tmp_path):
    recipe = og.Compose([og.MedianFilter(3), og.Augment(og.MedianFilter(3, id="late"))])
    with pytest.raises(RecipeError, match=r"2 steps 'MedianFilter'.*an id"):
        compare(photo, "MedianFilter.size=1,3", tmp_path / "page.html", recipe=recipe)
    with pytest.raises(RecipeError, match="no step 'Rotate'"):
        compare(photo, "Rotate.angle=1,3", tmp_path / "page.html", recipe=recipe)
    before = recipe.digest
    page = self_contained(compare(photo, "late.size=1,5", tmp_path / "page.html", recipe=recipe))
    assert "late.size = 5" in page.words and recipe.digest == before
    assert len(page.images) == 3 + 3


def test_the_images_are_what_the_settings_give(photo, tmp_path):
    page = self_contained(compare(photo, "MedianFilter.size=1,3,5", tmp_path / "page.html"))
    image = og.imread(photo)
    shown = [np.asarray(opened) for opened in page.opened_images()]
    assert len(shown) == (1 + 3) + (1 + 3)
    assert np.array_equal(shown[0], image) and np.array_equal(shown[1], image)
    for size, median in ((3, shown[2]), (5, shown[3])):
        assert np.array_equal(median, scipy.ndimage.median_filter(image, (size, size, 1)))
    assert np.array_equal(shown[4], image), "above the differences, where they are"
    assert (shown[5] == 255).all(), "size 1 changes nothing, so its difference is white"
    assert (shown[6] != 255).any()
    assert "MedianFilter.size = 3" in page.words and " ms" in page.words
    assert "<b>noisy.png by eye" in page.words
    assert "the original" in page.words


def test_every_combination_is_shown_and_sizes_may_differ(photo, tmp_path):
    vary = ["Resize.size=[48,64],[24,32]", "Rotate.angle=0,10"]
    page = self_contained(compare(photo, vary, tmp_path / "page.html"))
    sizes = [opened.size for opened in page.opened_images()]
    assert sizes == [(128, 96), *[(64, 48)] * 2, *[(32, 24)] * 2, *[(64, 48)] * 3]
    assert "Resize.size = [24, 32], Rotate.angle = 10" in page.words
    assert "another size" in page.words and "the first setting" in page.words


def test_floats_share_one_black_and_white(tmp_path):
    dark, light = np.zeros((8, 8), np.float32), np.ones((8, 8), np.float32)
    image = np.hstack([dark, light])
    page = self_contained(
        compare(
            image,
            "Normalize.mean=0,1",
            tmp_path / "p.html",
            recipe=og.Compose([og.Normalize(mean=0.0, std=1.0, range=1)]),
        )
    )
    _, first, second, *_ = [np.asarray(opened)[..., 0] for opened in page.opened_images()]
    assert first[0, 0] == second[0, -1] == 128 and first[0, -1] == 255 and second[0, 0] == 0


def test_a_setting_that_cannot_be_applied_is_named(photo, tmp_path):
    with pytest.raises(StepError, match=r"Resize\.size = \[4, 4, 4\]: step 1"):
        compare(photo, "Resize.size=[4,4],[4,4,4]", tmp_path / "page.html")


def test_linked_zoom_in_chromium(photo, tmp_path, chromium):  # noqa: F811
    path = compare(photo, "MedianFilter.size=1,3,5", tmp_path / "page.html")
    open_page(chromium, path)
    box = chromium.locator(".lens").nth(2).bounding_box()
    chromium.mouse.dblclick(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.75)
    transforms = set(
        chromium.evaluate("[...document.querySelectorAll('.lens img')].map(i => i.style.transform)")
    )
    # The point under the pointer stays: twice as large around (0.75, 0.75) shows the part from 0.375 on.
    assert len(transforms) == 1
    left, top = map(float, re.fullmatch(r"scale\(2\) translate\((.*)%, (.*)%\)", transforms.pop()).groups())
    assert left == pytest.approx(-37.5, abs=0.4) and top == pytest.approx(-37.5, abs=0.4)
    chromium.mouse.move(box["x"] + 50, box["y"] + 50)
    chromium.mouse.down()
    chromium.mouse.move(box["x"] + 50 + box["width"] / 4, box["y"] + 50, steps=5)
    chromium.mouse.up()
    assert chromium.evaluate("view.x") == pytest.approx(0.5, abs=0.01)
    assert chromium.trouble == []


def test_the_recipe_may_be_a_file(tmp_path):
    og.Compose([og.MedianFilter(3)]).to_yaml(tmp_path / "recipe.yaml")
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    page = compare(image, "MedianFilter.size=1,5", tmp_path / "page.html", recipe=tmp_path / "recipe.yaml")
    assert "steps:" in page.read_text()


def test_a_neutral_setting_is_an_image_and_no_complaint(photo, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = self_contained(compare(photo, "Affine.scale=1,0.5", tmp_path / "page.html"))
    assert "Affine.scale = 1: Affine: changes nothing" in page.words


def test_all_that_a_step_needs_may_be_varied(photo, tmp_path):
    page = compare(photo, ["Rotate.mode=reflect,mirror", "Rotate.angle=10"], tmp_path / "page.html")
    assert "Rotate.mode = &#34;mirror&#34;, Rotate.angle = 10" in page.read_text()


def test_a_stack_without_names_is_compared_by_axes_or_by_page(tmp_path) -> None:
    stack = np.arange(4 * 12 * 15, dtype=np.uint16).reshape(4, 12, 15)
    imwrite(tmp_path / "stack.tif", stack, axes="TYX")
    by_axis = compare(
        tmp_path / "stack.tif", 'GaussianFilter.sigma={"X":1},1', tmp_path / "a.html", color="grey", page=1
    )
    assert "12×15" in by_axis.read_text()
    np.save(tmp_path / "stack.npy", stack)
    page = compare(
        tmp_path / "stack.npy", "MedianFilter.size=1,3", tmp_path / "b.html", color="keep", axes="ZYX"
    )
    assert "4×12×15" in page.read_text()


def test_a_folder_is_no_image_to_compare(tmp_path) -> None:
    with pytest.raises(og.OffgraphError, match="a folder; compare shows one image: give its file"):
        compare(tmp_path, "MedianFilter.size=1,3", tmp_path / "a.html")
