"""`from_albumentations`: files of all versions, the report, and what is refused. The library need not be installed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import offgraph as og
from offgraph.migration.albumentations import TABLE
from offgraph.migration.report import measured


def entry(name: str, /, **arguments: Any) -> dict[str, Any]:
    return {"__class_fullname__": name, **arguments}


def saved(*steps: dict[str, Any], version: str = "2.0.8", **outer: Any) -> dict[str, Any]:
    """What ``A.to_dict`` gives."""
    whole = {"bbox_params": None, "keypoint_params": None, "additional_targets": {}, "p": 1.0, **outer}
    return {"__version__": version, "transform": entry("Compose", transforms=list(steps), **whole)}


def only(name: str, /, version: str = "2.0.8", **arguments: Any) -> tuple[Any, Any]:
    """The one step of ours, and its line of the report."""
    recipe, report = og.from_albumentations(saved(entry(name, p=1.0, **arguments), version=version))
    (step,) = recipe.steps
    return step, report.steps[0]


OLD = """
transform:
  __class_fullname__: albumentations.core.composition.Compose
  bbox_params: {format: coco, min_area: 4, min_visibility: 0.1, label_fields: [labels]}
  keypoint_params: null
  p: 1
  transforms:
  - __class_fullname__: albumentations.augmentations.transforms.ShiftScaleRotate
    always_apply: false
    p: 0.5
    shift_limit: [-0.0625, 0.0625]
    scale_limit: [-0.1, 0.1]
    rotate_limit: [-15, 15]
    interpolation: 1
    border_mode: 4
    value: null
    mask_value: null
  - __class_fullname__: albumentations.core.composition.OneOf
    p: 0.3
    transforms:
    - {__class_fullname__: albumentations.augmentations.transforms.GaussNoise, p: 0.2, var_limit: !!python/tuple [10.0, 50.0]}
    - {__class_fullname__: albumentations.augmentations.transforms.MedianBlur, p: 0.1, blur_limit: [3, 3]}
  - __class_fullname__: albumentations.augmentations.transforms.Normalize
    always_apply: true
    p: 0.1
    mean: &mean [0.485, 0.456, 0.406]
    std: *mean
    max_pixel_value: 255.0
  - {__class_fullname__: albumentations.pytorch.transforms.ToTensorV2, always_apply: true, p: 1.0}
"""


@pytest.mark.parametrize(
    ("name", "arguments", "version"),
    [
        ("ShiftScaleRotate", {"shift_limit": [0.1, 0.1]}, "2.0.8"),
        ("ShiftScaleRotate", {"shift_limit": [0.0, 0.0]}, "1.3.0"),
        ("Affine", {"translate_percent": {"x": [0.1, 0.1], "y": [0.0, 0.0]}}, "2.0.8"),
        ("Affine", {"translate_px": [-9, 9]}, "2.0.8"),
        ("Rotate", {"limit": [20, 20], "interpolation": 0}, "2.0.8"),
        ("RandomScale", {"scale_limit": [0.2, 0.2]}, "2.0.8"),
        ("Resize", {"height": 30, "width": 40, "interpolation": 2}, "2.0.8"),
        ("Resize", {"height": 30, "width": 40, "interpolation": 3}, "2.0.8"),
        ("LongestMaxSize", {"max_size": 30, "interpolation": 4}, "2.0.8"),
    ],
)
def test_places_that_differ_by_a_part_of_a_pixel_have_no_bound_in_grey_levels(name, arguments, version):
    _, line = only(name, version=version, **arguments)
    assert (line.verdict, line.levels) == ("close", None) and "nearly the same" in str(line)
    assert not any("measured" in note for note in line.notes)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ShiftScaleRotate", {"shift_limit": [0.0, 0.0], "rotate_limit": [-9, 9]}),
        ("Affine", {"translate_percent": [0.0, 0.0], "rotate": [-9, 9]}),
        ("Affine", {"translate_px": [7, 7]}),
    ],
)
def test_whole_pixels_have_a_bound(name, arguments):
    _, line = only(name, **arguments)
    assert (line.verdict, line.levels) == ("close", 1) and line.notes[-1].startswith("measured")


@pytest.mark.parametrize(
    ("name", "arguments", "verdict", "levels"),
    [
        ("ToGray", {"method": "average"}, "close", 1),
        ("ColorJitter", {"brightness": 0.2, "hue": 0}, "close", 4),
        ("ColorJitter", {"brightness": 0.2, "hue": 0.1}, "close", 12),
        ("UnsharpMask", {"blur_limit": [7, 7], "threshold": 0}, "close", 1),
        ("UnsharpMask", {"blur_limit": [3, 7], "threshold": 0}, "close", 8),
        ("UnsharpMask", {"blur_limit": [3, 7], "sigma_limit": [1, 2], "threshold": 0}, "differs", None),
    ],
)
def test_bounds_follow_the_arguments(name, arguments, verdict, levels):
    _, line = only(name, **arguments)
    assert (line.verdict, line.levels) == (verdict, levels)


@pytest.mark.parametrize(
    ("limit", "version", "share"),
    [
        (0.2, "2.0.8", 0.2),
        (0.2, "1.3.0", 0.2 / 255),
        (20, "2.0.8", 20 / 255),
        ([-0.5, 30], "2.0.8", 30 / 255),
    ],
)
def test_version_2_takes_small_shifts_of_channels_for_shares_of_white(limit, version, share):
    step, _ = only("RGBShift", version=version, r_shift_limit=limit, g_shift_limit=9, b_shift_limit=9)
    assert step.red[1] == pytest.approx(share) and step.green == pytest.approx((-9 / 255, 9 / 255))


def test_a_summary_tells_bounds_from_nearly():
    steps = [entry("HorizontalFlip"), entry("Rotate", limit=[-9, 9]), entry("ShiftScaleRotate")]
    report = og.from_albumentations(saved(*steps)).report
    assert report.summary() == (
        "Albumentations 2.0.8: 3 steps: 1 the same, 1 within 1 grey level, 1 nearly the same"
    )


def test_a_file_of_an_old_version(tmp_path):
    (tmp_path / "old.yaml").write_text(OLD)
    recipe, report = og.from_albumentations(tmp_path / "old.yaml")
    turned, choice, normalize = recipe.steps
    assert isinstance(turned, og.ShiftScaleRotate) and turned.p == 0.5 and turned.mode == "mirror"
    assert turned.rotate == (-15, 15) and turned.scale == (0.9, 1.1)
    assert isinstance(choice, og.OneOf)
    noise, median = choice.steps
    assert isinstance(noise, og.GaussianNoise) and isinstance(median, og.MedianFilter)
    assert (choice.p, noise.p, median.p) == (0.3, 0.2, 0.1)
    assert noise.sigma == (10**0.5 / 255, 50**0.5 / 255) and median.size == 3
    assert normalize == og.Normalize(mean=(0.485, 0.456, 0.406), std=(0.485, 0.456, 0.406), range=255)
    assert [type(item).__name__ for item in recipe.items] == ["Augment", "Normalize"]
    assert [step.place for step in report.steps] == ["1", "2", "2.1", "2.2", "3", "4"]
    assert (
        "og.Boxes(array, 'coco'" in str(report)
        and "min_area=4" in str(report)
        and "loader.torch()" in str(report)
    )
    out = recipe(image=np.zeros((40, 60, 3), np.uint8), boxes=[[5, 5, 20, 20]], key=og.Key(seed=1))
    assert out.image.dtype == np.float32


def test_json_yaml_dict_and_list_are_one(tmp_path):
    data = saved(
        entry("HorizontalFlip", p=0.5),
        entry("Rotate", limit=[-9, 9], p=0.7),
        entry("RandomCrop", height=8, width=6),
    )
    (tmp_path / "a.json").write_text(json.dumps(data))
    (tmp_path / "a.yaml").write_text(json.dumps(data, indent=2))
    steps = data["transform"]["transforms"]
    recipe, report = og.from_albumentations(data)
    for other in (
        tmp_path / "a.json",
        str(tmp_path / "a.yaml"),
        data["transform"],
        {"transforms": steps},
        steps,
    ):
        assert og.from_albumentations(other).recipe == recipe
    assert report.library == "Albumentations 2.0.8" and "RandomCrop sets the size" in str(report)
    assert og.Compose.from_yaml(recipe.to_yaml()) == recipe


def test_other_ways_to_write_a_step():
    flip = og.from_albumentations([entry("albumentations.HorizontalFlip", p=0.25)]).recipe
    for step in (
        {"_target_": "albumentations.HorizontalFlip", "p": 0.25, "_convert_": "all"},
        {"type": "HorizontalFlip", "p": 0.25},
        {"class_name": "albumentations.HorizontalFlip", "params": {"p": 0.25}},
        {"HorizontalFlip": {"p": 0.25}},
    ):
        assert og.from_albumentations([step]).recipe == flip
    assert og.from_albumentations(["HorizontalFlip"]).recipe.steps[0].p == 0.5


def test_a_pipeline_within_a_configuration():
    config = {
        "model": {"type": "torch.Net"},
        "train": {"aug": saved(entry("VerticalFlip"))},
        "val": {"aug": saved()},
    }
    assert og.from_albumentations(config, key="train.aug").recipe.steps[0] == og.Flip("Y", p=0.5)
    assert og.from_albumentations(config, key="val.aug").recipe.steps == ()
    with pytest.raises(og.RecipeError, match=r"holds pipelines at train.aug.*key='train.aug'"):
        og.from_albumentations(config)
    with pytest.raises(og.RecipeError, match=r"key='train.pipeline' leads nowhere: there is no 'pipeline'"):
        og.from_albumentations(config, key="train.pipeline")


def test_old_and_new_spellings_are_one():
    old, new = "1.3.0", "2.0.8"
    pairs = [
        ("Resize", {"height": 7, "width": 9}, {"height": 7, "width": 9}),
        ("RandomResizedCrop", {"height": 7, "width": 9}, {"size": [7, 9]}),
        ("RandomSizedCrop", {"min_max_height": [5, 6], "height": 7, "width": 9}, {"min_max_height": [5, 6], "size": [7, 9]}),
        ("PixelDropout", {"mask_drop_value": None}, {}),
        ("ImageCompression", {"quality_lower": 30, "quality_upper": 60}, {"quality_range": [30, 60]}),
        ("Downscale", {"scale_min": 0.3, "scale_max": 0.5}, {"scale_range": [0.3, 0.5]}),
        ("Solarize", {"threshold": [51, 102]}, {"threshold_range": [0.2, 0.4]}),
        ("Rotate", {"limit": 20, "border_mode": 0, "value": 9, "mask_value": 4}, {"limit": [-20, 20], "border_mode": 0, "fill": 9, "fill_mask": 4}),
        ("ChannelDropout", {"channel_drop_range": [1, 2], "fill_value": 9}, {"channel_drop_range": [1, 2], "fill": 9}),
        (
            "CoarseDropout",
            {"max_holes": 8, "min_holes": 2, "max_height": 16, "min_height": 8, "max_width": 16, "fill_value": 7, "mask_fill_value": 3},
            {"num_holes_range": [2, 8], "hole_height_range": [8, 16], "hole_width_range": [16, 16], "fill": 7, "fill_mask": 3},
        ),
        ("GridDropout", {"unit_size_min": 8, "unit_size_max": 12, "random_offset": True}, {"unit_size_range": [8, 12]}),
    ]  # fmt: skip
    for name, before, after in pairs:
        assert only(name, old, **before)[0] == only(name, new, **after)[0], name


def test_what_is_drawn_is_what_albumentations_draws():
    step, _ = only("RandomBrightnessContrast", brightness_limit=0.1, contrast_limit=[0.2, 0.4])
    assert (step.shift, step.factor) == ((-0.1, 0.1), (1.2, 1.4))
    step, _ = only("Blur", blur_limit=7)
    assert [part.size for part in step.steps] == [3, 5, 7]
    step, _ = only("HueSaturationValue", hue_shift_limit=10, sat_shift_limit=0, val_shift_limit=0)
    assert (step.hue, step.saturation_shift, step.value_shift) == ((-20, 20), (0, 0), (0, 0))
    step, _ = only("HueSaturationValue", sat_shift_limit=(-51, 102), val_shift_limit=0.2)
    assert (step.saturation_shift, step.saturation, step.value) == ((-0.2, 0.4), 1, 1)
    step, _ = only("Affine", scale=(0.8, 1.2), rotate=(-5, 5), shear={"x": (-45, 45), "y": (0, 0)})
    assert dict(step.scale) == {"Y": (0.8, 1.2), "X": (0.8, 1.2)} and dict(step.shear)["X"] == pytest.approx(
        (-1, 1)
    )
    step, _ = only("Affine", scale=(0.8, 1.2), keep_ratio=True, translate_percent=(-0.1, 0.1))
    assert step.scale == (0.8, 1.2) and dict(step.translate) == {"Y": ("-10%", "10%"), "X": ("-10%", "10%")}
    step, _ = only("ColorJitter", brightness=0.3, contrast=(0.9, 1.1), saturation=0, hue=0.1)
    assert (step.brightness, step.contrast, step.hue) == ((0.7, 1.3), (0.9, 1.1), (-36, 36))
    step, _ = only("LongestMaxSize", max_size=[100, 200])
    assert [part.size for part in step.steps] == [100, 200]
    step, _ = only(
        "SomeOf",
        n=2,
        replace=False,
        transforms=[entry("InvertImg", p=0.5), entry("Transpose", p=1), entry("D4")],
    )
    assert step.n == 2 and [part.p for part in step.steps] == [1, 1, 1] and step.steps[0].steps[0].p == 0.5


def test_a_choice_keeps_its_chances_without_a_step_that_has_no_equal():
    (step,), report = (
        only("OneOf", transforms=[entry("Superpixels", p=0.75), entry("InvertImg", p=0.25)])[0].steps[:1],
        None,
    )
    assert step == og.Identity(p=0.75) and report is None


def test_nothing_is_left_out_in_silence():
    _, line = only("Rotate", limit=10, crop_border=True, mystery=7)
    assert line.verdict == "differs"
    assert any("crop_border=True is left out" in note for note in line.notes)
    assert any("mystery=7 is left out" in note for note in line.notes)
    _, line = only("CoarseDropout", fill="inpaint_telea")
    assert line.verdict == "differs" and "inpaint_telea" in str(line)
    _, report = og.from_albumentations(saved(entry("NoSuchStep", p=1), entry("RandomFogg")))
    assert report.counts["none"] == 2 and "did you mean RandomFog" in str(report)


def test_targets_are_named():
    report = og.from_albumentations(
        saved(
            bbox_params={"format": "albumentations", "min_width": 3},
            keypoint_params={"format": "xyas"},
            additional_targets={"depth": "mask", "left": "image"},
        )
    ).report
    for word in (
        "og.Boxes",
        "min_width=3 has no equal",
        "in shares of the sides",
        "order='xy'",
        "angle",
        "depth=og.Mask(…), left=og.Image",
    ):
        assert word in str(report), word


def test_the_report_in_words_and_as_json():
    report = og.from_albumentations(
        saved(
            entry("HorizontalFlip"),
            entry("RandomGamma", gamma_limit=[80, 120]),
            entry("OpticalDistortion"),
            entry("Superpixels"),
        )
    ).report
    assert (
        report.summary()
        == "Albumentations 2.0.8: 4 steps: 1 the same, 1 within 1 grey level, 1 differs, 1 has no equal"
    )
    assert json.loads(json.dumps(report.to_json()))["counts"] == {
        "exact": 1,
        "close": 1,
        "differs": 1,
        "none": 1,
    }
    assert (
        "measured against Albumentations 2.0.8" in str(report)
        and report.mapped == 0.75
        and report.levels == 1
    )


def test_every_row_makes_steps_or_says_what_to_do():
    for row in TABLE.rows():
        assert row.why or row.verdict != "none", row.name
        if row.verdict == "exact" and (figure := measured("albumentations", row.name)) is not None:
            assert figure.largest == 0, f"{row.name} is said to be the same: {figure}"


def deep(n: int) -> dict[str, Any]:
    step = entry("HorizontalFlip")
    for _ in range(n):
        step = entry("Sequential", transforms=[step])
    return step


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "not a pipeline of Albumentations"),
        ([1], "not a pipeline"),
        ({"a": {"b": 1}}, "got the keys a"),
        (saved({"p": 1}), "step 1: a step is a mapping with its class"),
        (saved(entry("Compose", transforms=[entry("Rotate", limit="x")])), "step 1.1 (Rotate), field limit: expected a number or a pair"),
        (saved(entry("Rotate", p=3)), "step 1 (Rotate), field p: expected a probability"),
        (saved(entry("Rotate", p="often")), "field p: expected a number"),
        (saved(entry("Rotate", interpolation=77)), "field interpolation"),
        (saved(entry("Rotate", border_mode="sideways")), "field border_mode"),
        (saved(entry("Resize", height=5)), "step 1 (Resize), field width: is missing"),
        (saved(entry("Resize", height=-5, width=5)), "step 1 (Resize): no step of Offgraph takes these arguments"),
        (saved(entry("Resize", height=1.5, width=5)), "field height: expected a whole number"),
        (saved(entry("Blur", blur_limit=10**9)), "field blur_limit: expected odd sizes"),
        (saved(entry("Morphological", scale=[2, 10**9])), "field scale: expected sizes of at most 99"),
        (saved(entry("Normalize", mean="imagenet")), "field mean"),
        (saved(entry("Normalize", std=[0, 0, 0])), "step 1 (Normalize)"),
        (saved(entry("RandomScale", scale_limit=-2)), "field scale_limit"),
        (saved(entry("Affine", shear=90)), "field shear"),
        (saved(entry("Affine", scale={"x": "wide"})), "field scale (Affine), field x"),
        (saved(entry("ShiftScaleRotate", rotate_limit=[1, 2, 3])), "field rotate_limit"),
        (saved(entry("ShiftScaleRotate", scale_limit=float("nan"))), "field scale_limit"),
        (saved(entry("GaussNoise", std_range=[10**400, 1])), "field std_range"),
        (saved(entry("PixelDropout", dropout_prob=7)), "step 1 (PixelDropout)"),
        (saved(deep(30)), "nested more than"),
        (deep(1000), "nested more than"),
        (saved(*[entry("HorizontalFlip")] * 2000), "more than 1000 steps"),
        ([[0] * 200_000], "more than 100000 entries"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_pipeline_is_refused_with_step_and_field(data, says):
    with pytest.raises(og.RecipeError) as error:
        og.from_albumentations(data)
    assert says in str(error.value) and str(error.value).startswith("pipeline")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("transform: !!python/object/apply:os.system ['true']", "line 1: the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("transform: {transforms: [&a [*a]]}", "*a names nothing"),
        ("a: [" * 200 + "]" * 200, "nested more than"),
        ("[" * 100_000, "nested more than"),
        ('{"a":' * 100_000, "nested more than"),
        ("transform: [\n- a: b: c", "line 2: neither JSON nor YAML"),
        ("? [1]\n: 2", "line 1: a key must be a plain word"),
        ("", "not a pipeline"),
        ("\x00", "neither JSON nor YAML"),
        ("- " + "x" * 5_000_000, "larger than"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_hostile_files_give_one_clear_error(tmp_path, text, says):
    path = tmp_path / "hostile.yaml"
    path.write_text(text)
    with pytest.raises(og.RecipeError) as error:
        og.from_albumentations(path)
    assert says in str(error.value) and "hostile.yaml" in str(error.value)


def test_a_laughing_file_is_refused_soon(tmp_path):
    """Each line names the one above it ten times: 10^9 values, were they written out."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "laugh.yaml").write_text("\n".join(lines))
    with pytest.raises(og.RecipeError, match="more than 100000 entries"):
        og.from_albumentations(tmp_path / "laugh.yaml")


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(og.RecipeError, match="no such file"):
        og.from_albumentations(tmp_path / "none.json")
    with pytest.raises(og.RecipeError, match="not a file"):
        og.from_albumentations(tmp_path)
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(og.RecipeError, match="UTF-8"):
        og.from_albumentations(tmp_path / "latin.json")
    with pytest.raises(og.ArgumentError, match="expected a pipeline of Albumentations"):
        og.from_albumentations(3)
