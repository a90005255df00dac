"""Before and after: the images that training will see, with what was drawn, and the bad ones by name."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data
from tests.support.pages import chromium, open_page, self_contained  # noqa: F401  (chromium is a fixture)

import offgraph as og
from offgraph.core.errors import OffgraphError, OffgraphWarning, SourceError
from offgraph.formats.encoding import imwrite
from offgraph.inspection.previews import describe_record, preview
from offgraph.views import draw

HOSTILE = "<img src=x onerror=alert(1)>.png"


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for kind, image in (("cat", data.chelsea()), ("person", data.astronaut())):
        (root / kind).mkdir(parents=True)
        for number in range(3):
            imwrite(root / kind / f"{number}.png", image[number * 8 :: 8, ::8])
    imwrite(root / "cat" / HOSTILE, data.coins()[::4, ::4])
    (root / "person" / "broken.png").write_bytes((root / "person" / "0.png").read_bytes()[:200])
    return root


def test_rows_hold_the_original_and_what_training_sees(photos, tmp_path):
    recipe = og.Compose([og.Resize((40, 48)), og.Augment(og.Rotate((-15, 15)))])
    with pytest.warns(OffgraphWarning, match="1 of 8 images could not be drawn.*broken"):
        written = preview(photos, recipe, tmp_path / "page.html", n=100, seed=7)
    page = self_contained(written)
    source = og.open_source(photos)
    good = [i for i, item in enumerate(source) if "broken" not in item.name]
    shown = [np.asarray(opened) for opened in page.opened_images()]
    assert len(shown) == 4 * len(good)
    for row, index in enumerate(good):
        image = source.read(index).image
        assert np.array_equal(shown[4 * row], draw.fit(image.array, 320))
        for epoch in range(3):
            seen = recipe(image=image, key=og.Key(7, epoch, index)).image
            assert np.array_equal(shown[4 * row + 1 + epoch], draw.fit(seen, 320))
    assert page.words.count("Rotate angle=") == 3 * len(good)
    assert "broken.png" in page.words and "Images that failed" in page.words
    assert HOSTILE in page.words


def test_a_recipe_that_draws_nothing_is_shown_once(photos, tmp_path):
    page = self_contained(preview(photos, og.Compose([og.MedianFilter(3)]), tmp_path / "page.html", n=3))
    assert len(page.images) == 2 * 3
    assert "epoch" not in page.words


def test_masks_are_drawn_over_their_images(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    image = data.coins()[::2, ::2]
    imwrite(tmp_path / "images" / "coins.png", image)
    imwrite(tmp_path / "masks" / "coins.png", (image > 120).astype(np.uint8))
    source = og.open_source(tmp_path / "images", masks=tmp_path / "masks")
    page = self_contained(
        preview(source, og.Compose([og.Rotate(90, mode="nearest")]), tmp_path / "page.html")
    )
    before, after = (np.asarray(opened) for opened in page.opened_images())
    colour = draw.PALETTE[0]
    for shown in (before, after):
        assert 0.02 < (shown == colour).all(axis=-1).mean() < 0.5, "the outline of label 1"
    assert "masks" not in page.words


def test_normalised_images_can_be_seen(photos, tmp_path):
    recipe = og.Compose([og.Resize((32, 32)), og.Normalize("imagenet")])
    page = self_contained(preview(photos, recipe, tmp_path / "page.html", n=2))
    image = og.open_source(photos).read(2).image
    before, after = (np.asarray(opened) for opened in page.opened_images()[:2])
    assert np.array_equal(before, draw.fit(image.array, 320))
    assert np.array_equal(after, draw.fit(og.Compose(recipe.steps[:1])(image=image).image, 320))
    assert "float32" in page.words and "before Normalize" in page.words


def test_mistakes_are_told(photos, tmp_path):
    with pytest.raises(OffgraphError, match="n=0"):
        preview(photos, og.Compose([]), tmp_path / "page.html", n=0)
    with pytest.raises(SourceError, match="nowhere"):
        preview(tmp_path / "nowhere", og.Compose([]), tmp_path / "page.html")


def test_nothing_drawn_is_an_error(photos, tmp_path):
    with pytest.raises(OffgraphError, match=r"not one of the 8 images.*Resize"):
        preview(photos, og.Compose([og.Resize((4, 4, 4))]), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_wrong_seed_and_a_recipe_that_is_none(photos, tmp_path):
    with pytest.raises(OffgraphError, match="seed=-1"):
        preview(photos, og.Compose([]), tmp_path / "page.html", seed=-1)
    with pytest.raises(OffgraphError, match="recipe=3"):
        preview(photos, 3, tmp_path / "page.html")


def test_captions_give_the_extent_of_a_field_and_not_its_numbers():
    recipe = og.Compose([og.Elastic(1.5), og.Shift(((1, 2), 0)), og.Flip("X", p=0.5)])
    record = recipe(image=np.zeros((20, 20), np.uint8), key=og.Key(seed=1)).record
    field = np.array(record["steps"][0]["params"]["field"])
    told = describe_record(record, recipe)
    assert told.startswith(
        f"Elastic field=(50 numbers from {field.min():.3g} to {field.max():.3g}); Shift shift=[1."
    )
    assert len(told) < 100


def test_captions_leave_out_what_was_not_drawn():
    recipe = og.Compose([og.Augment(og.Affine(shear=(-0.2, 0.2)))])
    record = recipe(image=np.zeros((4, 4), np.uint8), key=og.Key(seed=1)).record
    assert describe_record(record, recipe).startswith("Affine shear=")
    assert "translate" not in describe_record(record, recipe)


def test_records_of_steps_made_of_others():
    one = og.OneOf([og.Sequence([og.Rotate((-15, 15)), og.Flip()])])
    recipe = og.Compose([one, og.SomeOf([og.Flip(), og.Identity()], n=0), og.Sequence([og.MedianFilter(3)])])
    record = recipe(image=np.zeros((4, 4), np.uint8), key=og.Key(seed=1)).record
    angle = record["steps"][0]["params"]["steps"][0]["params"]["steps"][0]["params"]["angle"]
    told = f"OneOf (Sequence (Rotate angle={angle:.3g}, Flip)); Sequence (MedianFilter)"
    assert describe_record(record, recipe) == told


def test_before_and_after_stand_alone_in_their_row(photos, tmp_path):
    page = preview(photos, [og.MedianFilter(3)], tmp_path / "page.html", n=3)
    assert "grid columns-2" in page.read_text()


def test_in_chromium(photos, tmp_path, chromium):  # noqa: F811
    recipe = og.Compose([og.Resize((40, 48)), og.Augment(og.Rotate((-15, 15)))])
    with pytest.warns(OffgraphWarning, match="broken"):
        page = preview(photos, recipe, tmp_path / "page.html")
    open_page(chromium, page, tmp_path / "page.png")
