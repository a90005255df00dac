"""Against the live Albumentations, where it is installed: the same pixels, and the same distributions, as the table says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.migration.albumentations_cases import CASES, GREY
from tests.migration.measure import both, photo

import offgraph as og
from offgraph.migration.albumentations import TABLE

A = pytest.importorskip("albumentations", minversion="2.0.8", reason="Albumentations is not installed")


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_pixels_are_as_near_as_the_report_says(name: str, arguments: dict[str, Any]):
    image = photo()[..., 1] if (name, arguments) in GREY else photo()
    theirs, ours, report = both(name, arguments, image)
    (line,) = report.steps
    if line.verdict == "differs":
        pytest.skip("said to differ")
    apart = np.abs(theirs.reshape(ours.shape).astype(np.float64) - ours.astype(np.float64)).max()
    floats = ours.dtype.kind == "f"
    levels = (
        line.levels or 3
    )  # cases without a bound shift by whole pixels, and hardly reach beyond the border
    assert apart <= (2e-5 if floats else 0 if line.verdict == "exact" else levels), report


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("GaussNoise", {"std_range": (0.1, 0.1), "mean_range": (0.05, 0.05)}),
        ("SaltAndPepper", {"amount": (0.05, 0.05), "salt_vs_pepper": (0.3, 0.3)}),
        ("PixelDropout", {"dropout_prob": 0.1, "drop_value": 7}),
        ("CoarseDropout", {"num_holes_range": (3, 3), "hole_height_range": (10, 10), "hole_width_range": (18, 22)}),
        ("ChannelDropout", {}),
        ("XYMasking", {"num_masks_y": 3, "mask_y_length": (10, 20), "fill": 250}),
        ("GridDropout", {"unit_size_range": (20, 21), "ratio": 0.5, "fill": 3, "random_offset": True}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_drawn_is_distributed_alike(name: str, arguments: dict[str, Any]):
    image = np.full((200, 200, 3), 120, np.uint8)
    live = A.Compose([getattr(A, name)(**arguments, p=1)], seed=5)
    recipe, report = og.from_albumentations(live)
    assert report.steps[0].verdict in ("exact", "close"), report
    theirs = np.stack([live(image=image)["image"] for _ in range(12)]).astype(np.float64)
    ours = np.stack([recipe(image=image, key=og.Key(index=n)).image for n in range(12)]).astype(np.float64)
    assert abs(theirs.mean() - ours.mean()) < 0.012 * 255
    assert abs(theirs.std() - ours.std()) < 0.012 * 255


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RandomRain", {}),
        ("RandomRain", {"drop_length": 20, "rain_type": "heavy", "brightness_coefficient": 0.9}),
        ("RandomSnow", {"snow_point_range": (0.3, 0.3)}),
        ("RandomFog", {}),
        ("RandomFog", {"fog_coef_range": (0.6, 0.8), "alpha_coef": 0.2}),
        ("RandomShadow", {"num_shadows_limit": (2, 2)}),
        ("RandomSunFlare", {"src_radius": 300}),
        ("Spatter", {"mode": "mud"}),
        ("GlassBlur", {}),
        ("ZoomBlur", {}),
    ],
    ids=str,
)
def test_what_differs_is_about_as_strong(name: str, arguments: dict[str, Any]):
    """Mean brightness within 6 grey levels, and the change of the image within half of theirs."""
    image = photo()
    live = A.Compose([getattr(A, name)(**arguments, p=1)], seed=5)
    recipe, report = og.from_albumentations(live)
    assert report.steps[0].verdict == "differs", report
    theirs = np.stack([live(image=image)["image"] for _ in range(20)]).astype(np.float64)
    ours = np.stack([recipe(image=image, key=og.Key(index=n)).image for n in range(20)]).astype(np.float64)
    assert abs(theirs.mean() - ours.mean()) < 6
    assert 0.5 < np.abs(ours - image).mean() / np.abs(theirs - image).mean() < 1.5


def test_every_step_of_the_library_is_in_the_table():
    names = {
        name
        for name in dir(A)
        if isinstance(cls := getattr(A, name), type)
        and issubclass(cls, A.BasicTransform | A.BaseCompose)
        and "3D" not in name
        and name
        not in ("BaseCompose", "BasicTransform", "DualTransform", "ImageOnlyTransform", "CubicSymmetry")
    }
    assert {name for name in names if name not in TABLE} == set()


def test_a_pipeline_is_read_from_itself_and_from_what_it_saves(tmp_path):
    live = A.Compose(
        [
            A.RandomCrop(100, 120),
            A.OneOf([A.Blur(p=0.3), A.GaussNoise(p=0.7)], p=0.4),
            A.SomeOf([A.HorizontalFlip(p=0.5), A.Transpose(p=1), A.InvertImg(p=1)], n=2),
            A.Sequential([A.Rotate(20, p=1), A.Normalize()], p=0.9),
        ],
        bbox_params=A.BboxParams(format="pascal_voc", min_area=16),
    )
    A.save(live, tmp_path / "a.json", data_format="json")
    A.save(live, tmp_path / "a.yaml", data_format="yaml")
    recipe, report = og.from_albumentations(live)
    assert recipe == og.from_albumentations(tmp_path / "a.json").recipe
    assert recipe == og.from_albumentations(tmp_path / "a.yaml").recipe
    assert recipe == og.from_albumentations(A.to_dict(live)).recipe
    assert report.library == f"Albumentations {A.__version__}" and report.mapped == 1
    out = recipe(image=photo(), key=og.Key(seed=1))
    assert out.image.shape[:2] in ((100, 120), (120, 100))


def test_a_step_that_does_not_say_what_it_is_has_its_name_in_the_report():
    live = A.Compose([A.HorizontalFlip(), A.Lambda(image=lambda image, **_: image), A.VerticalFlip()])
    recipe, report = og.from_albumentations(live)
    assert [step.origin for step in report.steps] == ["HorizontalFlip", "Lambda", "VerticalFlip"]
    assert report.counts == {"exact": 2, "close": 0, "differs": 0, "none": 1}
    assert len(recipe.steps) == 2
