"""The gallery: every step of the registry has an example, whose images show what it does."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import offgraph as og
from offgraph.steps import functions

DOCS = Path(__file__).parents[2] / "docs"
BUILT_IN = {name for name, step in og.STEPS.items() if step.__module__.startswith("offgraph.")}
SAME_VALUES = {"Identity", "ToRGB", "Rescale"}
"""Steps after which an image looks as before."""


@pytest.fixture(scope="module")
def gallery():
    """The module, whose function for `Lambda` is gone afterwards."""
    known = dict(functions.FUNCTIONS)
    names = ("gallery", "gallery_examples", "steps")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        for name in names:
            sys.modules.pop(name, None)
        yield importlib.import_module("gallery")
    for name in names:
        sys.modules.pop(name, None)
    functions.FUNCTIONS.clear()
    functions.FUNCTIONS.update(known)


def test_every_step_has_an_example(gallery):
    assert set(gallery.EXAMPLES) == BUILT_IN
    assert all(step.name == name for name, step in gallery.EXAMPLES.items())


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_images_show_what_the_step_does(gallery, name):
    one = gallery.example(gallery.EXAMPLES[name])
    for image in (one.before, one.after, one.pair):
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    same = one.before.shape == one.after.shape and np.array_equal(one.before, one.after)
    assert same == (name in SAME_VALUES)
    assert bool(one.drawn) == one.step.draws or one.step.kind == "noise"
    if one.step.kind not in ("result", "structure"):
        assert len(np.unique(one.after.reshape(-1, 3), axis=0)) > 50


def test_the_scene_holds_what_is_shown(gallery):
    image, mask, boxes = gallery.scene()
    assert image.shape[:2] == mask.shape and set(np.unique(mask)) == {0, 1, 2, 3}
    assert list(boxes.labels) == ["eye", "eye", "nose"]
    y, x = np.argwhere(mask == 3).mean(0).astype(int)
    assert image[y, x, 0] > image[y, x, 1] + 30, "the nose is red"


def test_the_boxes_of_a_volume_lie_where_its_middle_slice_shows_them(gallery):
    planar = gallery.example(og.Identity())
    volume = gallery.example(og.Orientation("SAL", given="SAL"))
    assert np.array_equal(planar.before, volume.before) and np.array_equal(volume.before, volume.after)


def test_the_page_lists_and_shows_every_step(gallery, tmp_path):
    gallery.write(tmp_path / "generated" / "gallery.md")
    page = (tmp_path / "generated" / "gallery.md").read_text()
    shown = re.findall(r"!\[Before and after (\w+)\]\((.+?)\)", page)
    assert {name for name, _ in shown} == BUILT_IN
    for name, file in shown:
        image = og.imread(tmp_path / "generated" / file)
        assert image.shape == gallery.example(gallery.EXAMPLES[name]).pair.shape
    assert sum(path.stat().st_size for path in (tmp_path / "generated").rglob("*.jpg")) < 10 << 20


def test_one_sheet_holds_all(gallery):
    shown = gallery.contact_sheet()
    height, width = gallery.SIZE
    assert shown.shape[0] > height * len(BUILT_IN) / 5 and shown.shape[1] > 10 * width
