"""What a notebook shows: thumbnails that are there, text that cannot break out, and never a dump of an array."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.pages import Page

import offgraph as og


@pytest.fixture
def photos(tmp_path):
    """Two classes, a broken file, and a name that is a tag."""
    for kind, level in (("cat", 10), ("<i>dog", 200)):
        (tmp_path / kind).mkdir()
        for number in range(3):
            og.imwrite(tmp_path / kind / f"{number}.png", np.full((20, 30, 3), level + number, np.uint8))
    (tmp_path / "cat" / "9.png").write_bytes(b"no image")
    return tmp_path


def shown(thing, tmp_path) -> Page:
    page = tmp_path / "cell.html"
    page.write_text(thing._repr_html_(), "utf-8")
    return Page(page)


def test_a_source_shows_its_images_and_names_what_is_broken(photos, tmp_path):
    page = shown(og.open_source(photos), tmp_path)
    assert len(page.images) == 7
    assert "cat/9.png: " in page.words
    assert "<i>dog/0.png" in page.words and not any(tag == "i" for tag, _ in page.tags)


def test_a_loader_shows_the_first_batch_with_classes_and_its_epochs_go_on(photos, tmp_path):
    loader = og.Loader(
        photos, [og.Resize((8, 8)), og.Normalize("imagenet")], batch_size=4, on_error="skip", shuffle=False
    )
    page = shown(loader, tmp_path)
    assert len(page.images) == 4 and "<i>dog" in page.words
    again = og.Loader(photos, loader.recipe, batch_size=4, on_error="skip", shuffle=False)
    assert np.array_equal(next(iter(loader)).index, next(iter(again)).index)


def test_a_loader_that_cannot_start_says_why(photos, tmp_path):
    page = shown(og.Loader(photos, [og.RandomCrop((50, 50))], shuffle=False), tmp_path)
    assert not page.images and "RandomCrop" in page.words


def test_a_batch_shows_at_most_eight(tmp_path):
    for number in range(12):
        og.imwrite(tmp_path / f"{number}.png", np.full((6, 6), number, np.uint8))
    batch = next(iter(og.Loader(tmp_path, [], batch_size=12, color="grey")))
    assert len(shown(batch, tmp_path).images) == 8


@pytest.mark.parametrize(
    ("array", "axes"),
    [
        (np.zeros((4, 5), bool), None),
        (np.linspace(-3, 3, 60, dtype=np.float32).reshape(4, 5, 3), None),
        (np.zeros((3, 4, 5), np.uint16), "ZYX"),
        (np.zeros((0, 5), np.uint8), None),
        (np.full((4, 5), np.nan), None),
    ],
)
def test_a_result_of_any_kind(array, axes, tmp_path):
    result = og.Compose([])(image=array, axes=axes)
    assert len(shown(result, tmp_path).images) == 1
    assert (
        "array(" not in repr(result) and str(array.shape) in repr(result) and str(array.dtype) in repr(result)
    )


def test_a_result_with_its_mask(tmp_path):
    result = og.Compose([])(image=np.zeros((4, 5), np.uint8), mask=np.ones((4, 5), np.uint8))
    assert len(shown(result, tmp_path).images) == 2 and "mask uint8 (4, 5)" in repr(result)


def test_a_sample_has_no_dump(photos):
    assert repr(og.open_source(photos).read(0)) == (
        "<Sample <i>dog/0.png: image uint8 (20, 30, 3) YXC, label 0, mask none>"
    )


def test_a_recipe_is_a_table_that_tells_the_layers(tmp_path):
    recipe = og.Compose([og.Resize((8, 8)), og.Augment(og.Rotate((-5, 5), p=0.5))])
    page = shown(recipe, tmp_path)
    assert [tag for tag, _ in page.tags].count("tr") == 2
    assert "Resize(size=(8, 8)) every image" in page.words
    assert "Rotate(angle=(-5.0, 5.0), p=0.5) training only" in page.words


def test_a_result_shows_its_boxes_and_points():
    image = np.zeros((20, 30, 3), np.uint8)
    out = og.Compose([og.Flip("X")])(image=image, boxes=[[2, 3, 12, 15]], points=[[5, 5]])
    page = out._repr_html_()
    assert page.count("<img") == 2 and "boxes, points" in page
