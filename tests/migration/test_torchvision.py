"""`from_torchvision`: objects and configurations; the pixels of Pillow, which torchvision asks for images of PIL."""

from __future__ import annotations

import enum
import json
from typing import Any

import numpy as np
import PIL.Image as PIL
import pytest
from PIL import ImageEnhance, ImageOps
from tests.migration.measure import photo

import offgraph as og
from offgraph.migration.torchvision_table import TABLE


class InterpolationMode(enum.Enum):
    NEAREST = "nearest"
    BILINEAR = "bilinear"


def live(name: str, *parts: Any, **attributes: Any) -> Any:
    """An object like torchvision's: a module with its arguments as attributes, and some of PyTorch's."""
    own = {"training": True, "_parameters": {}, **attributes}
    if parts:
        own["transforms"] = list(parts)
    transform = type(name, (), {"forward": lambda self, image: image})()
    vars(transform).update(own)
    return transform


IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def test_the_recipe_of_imagenet_from_objects_and_from_a_configuration(tmp_path):
    transforms = live(
        "Compose",
        live("RandomResizedCrop", size=(224, 224), scale=(0.08, 1.0), ratio=(0.75, 4 / 3), interpolation=InterpolationMode.BILINEAR, antialias=True),
        live("RandomHorizontalFlip", p=0.5),
        live("ToTensor"),
        live("Normalize", **IMAGENET, inplace=False),
    )  # fmt: skip
    recipe, report = og.from_torchvision(transforms)
    assert recipe == og.Compose(
        [
            og.Augment(og.RandomResizedCrop((224, 224)), og.Flip("X", p=0.5)),
            og.Normalize(mean=tuple(IMAGENET["mean"]), std=tuple(IMAGENET["std"])),
        ]
    )
    steps = [
        {"RandomResizedCrop": {"size": 224}},
        {"_target_": "torchvision.transforms.v2.RandomHorizontalFlip"},
        {"type": "ToTensor"},
        {"class_name": "torchvision.transforms.Normalize", "params": IMAGENET},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"transforms": steps}))
    assert og.from_torchvision(steps).recipe == recipe == og.from_torchvision(tmp_path / "a.json").recipe
    assert report.mapped == 1 and "loader.torch()" in str(report) and "are one step" in str(report)
    np.testing.assert_allclose(
        recipe.eval()(image=photo()).image,
        (photo() / 255 - IMAGENET["mean"]) / IMAGENET["std"],
        atol=1e-6,
    )


def only(name: str, /, **arguments: Any) -> Any:
    recipe, _ = og.from_torchvision([{name: arguments}])
    return recipe.steps[0]


def test_what_is_drawn_is_what_torchvision_draws():
    assert only("Resize", size=256) == og.ResizeShorter(256)
    assert only("Resize", size=[20, 30], antialias=False) == og.Resize((20, 30), antialias=False)
    assert only("RandomRotation", degrees=10, interpolation="bilinear") == og.Rotate((-10, 10))
    turned = only(
        "RandomAffine",
        degrees=(0, 30),
        translate=(0.1, 0.2),
        scale=(0.9, 1.1),
        shear=45,
        interpolation="bilinear",
    )
    assert turned.rotate == (-30, 0) and turned.translate == {"Y": ("-20%", "20%"), "X": ("-10%", "10%")}
    assert turned.shear["X"] == pytest.approx((-1, 1)) and turned.scale == (0.9, 1.1)
    jitter = only("ColorJitter", brightness=0.4, contrast=[0.8, 1.1], saturation=0, hue=0.1)
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (
        (0.6, 1.4),
        (0.8, 1.1),
        (1, 1),
        (-36, 36),
    )
    assert (
        only("RandomGrayscale").p == 0.1
        and only("RandomErasing").p == 0.5
        and only("RandomSolarize", threshold=51).threshold == 0.2
    )
    recipe, _ = og.from_torchvision([{"RandomCrop": {"size": 32, "padding": 4, "padding_mode": "reflect"}}])
    assert recipe.steps == (og.Pad(((4, 4), (4, 4)), mode="mirror"), og.RandomCrop((32, 32), mode="mirror"))
    applied: Any = og.from_torchvision(
        [live("RandomApply", live("RandomInvert", p=1.0), live("Grayscale", num_output_channels=3), p=0.3)]
    ).recipe.steps[0]
    assert applied.p == 0.3 and [step.name for step in applied.steps] == ["Invert", "ToGrey"]
    choice: Any = og.from_torchvision(
        [
            live(
                "RandomChoice",
                live("RandomInvert", p=0.5),
                live("Grayscale", num_output_channels=1),
                p=[3, 1],
            )
        ]
    ).recipe.steps[0]
    assert [step.p for step in choice.steps] == [0.75, 0.25] and choice.steps[0].steps[0].p == 0.5


def test_floats_after_to_tensor_have_a_range_of_one():
    recipe, _ = og.from_torchvision(
        [
            {"ToDtype": {"dtype": "torch.float32", "scale": True}},
            {"ColorJitter": {"brightness": 0.5}},
            {"GaussianNoise": {}},
        ]
    )
    scaled, *others = recipe.steps
    assert scaled == og.Rescale(1 / 255) and [step.fields()["range"] for step in others] == [1, 1]
    assert recipe(image=photo(), key=og.Key(seed=1)).image.max() <= 1


@pytest.mark.parametrize("name", ["bilinear", "bicubic", "lanczos", "box"])
@pytest.mark.parametrize("size", [(224, 224), (331, 500)], ids=str)
def test_sizes_are_made_as_by_pillow(name, size):
    theirs = PIL.fromarray(photo()).resize(size[::-1], getattr(PIL.Resampling, name.upper()))
    recipe, report = og.from_torchvision([{"Resize": {"size": list(size), "interpolation": name}}])
    apart = np.abs(recipe(image=photo()).image.astype(int) - np.asarray(theirs)).max()
    (line,) = report.steps
    assert (line.verdict, line.levels) == ("close", 1 if name == "bilinear" else None)
    assert apart <= (line.levels or 3)  # sharper edges are further apart


def test_what_overshoots_has_no_bound():
    rng = np.random.default_rng(0)
    sharp = rng.choice([0, 255], (90, 80)).astype(np.uint8)
    theirs = np.asarray(PIL.fromarray(sharp).resize((130, 140), PIL.Resampling.LANCZOS)).astype(int)
    recipe, _ = og.from_torchvision([{"Resize": {"size": [140, 130], "interpolation": "lanczos"}}])
    assert np.abs(recipe(image=sharp).image - theirs).max() > 10


@pytest.mark.parametrize(
    ("name", "arguments", "levels"),
    [
        ("RandomRotation", {"degrees": [9, 9], "interpolation": "bilinear"}, None),
        ("RandomRotation", {"degrees": [9, 9]}, None),
        ("Resize", {"size": 100}, None),
        ("RandomShortestSize", {"min_size": 100}, None),
        ("CenterCrop", {"size": 99}, None),
        ("ColorJitter", {"brightness": 0.2}, 4),
        ("ColorJitter", {"hue": 0.2}, 12),
    ],
)
def test_places_that_differ_have_no_bound_in_grey_levels(name, arguments, levels):
    (line,) = og.from_torchvision([{name: arguments}]).report.steps
    assert (line.verdict, line.levels) == ("close", levels)


def test_turns_are_those_of_pillow():
    theirs = np.asarray(PIL.fromarray(photo()).rotate(25, PIL.Resampling.BILINEAR)).astype(int)
    step = only("RandomRotation", degrees=(25, 25), interpolation="bilinear")
    apart = np.abs(og.Compose([step])(image=photo()).image - theirs)
    assert np.percentile(apart, 99) <= 1  # but for pixels on the border


@pytest.mark.parametrize(
    ("step", "theirs"),
    [
        (("ColorJitter", {"brightness": [1.4, 1.4]}), lambda image: ImageEnhance.Brightness(image).enhance(1.4)),
        (("ColorJitter", {"contrast": [0.6, 0.6]}), lambda image: ImageEnhance.Contrast(image).enhance(0.6)),
        (("ColorJitter", {"saturation": [1.7, 1.7]}), lambda image: ImageEnhance.Color(image).enhance(1.7)),
        (("RandomInvert", {"p": 1}), ImageOps.invert),
        (("RandomPosterize", {"bits": 3, "p": 1}), lambda image: ImageOps.posterize(image, 3)),
        (("RandomSolarize", {"threshold": 128, "p": 1}), lambda image: ImageOps.solarize(image, 128)),
        (("RandomAutocontrast", {"p": 1}), ImageOps.autocontrast),
        (("RandomEqualize", {"p": 1}), ImageOps.equalize),
        (("RandomHorizontalFlip", {"p": 1}), ImageOps.mirror),
        (("Pad", {"padding": [3, 5], "fill": 7}), lambda image: ImageOps.expand(image, (3, 5), (7, 7, 7))),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_values_are_those_of_pillow(step, theirs):
    name, arguments = step
    recipe, report = og.from_torchvision([{name: arguments}])
    apart = np.abs(
        recipe(image=photo(), key=og.Key(seed=1)).image.astype(int)
        - np.asarray(theirs(PIL.fromarray(photo())))
    )
    (line,) = report.steps
    assert apart.max() <= (1 if line.verdict == "close" else 0)


def test_what_has_no_equal_is_said():
    def brighter(image: Any) -> Any:
        return image

    recipe, report = og.from_torchvision(
        [
            brighter,
            live("Lambda", lambd=brighter),
            live("TenCrop", size=(5, 5)),
            live("Mystery", size=3),
            live("AutoAugment"),
        ]
    )
    assert recipe.steps == () and report.counts["none"] == 5
    assert "og.function" in str(report) and "TrivialAugment" in str(report)
    assert (
        og.from_torchvision([{"RandomRotation": {"degrees": 3, "center": [1, 2]}}]).report.steps[0].verdict
        == "differs"
    )


def test_every_row_says_what_to_do():
    assert len(TABLE) > 60
    assert all(row.ours or row.why or row.verdict != "none" for row in TABLE.rows())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([{"Resize": {"size": "big"}}], "step 1 (Resize), field size"),
        ([{"Resize": {"size": [1, 2, 3]}}], "field size: expected one or two whole numbers"),
        ([{"Resize": {}}], "field size: is missing"),
        ([{"Resize": {"size": 5, "interpolation": "smooth"}}], "field interpolation"),
        ([{"Pad": {"padding": [1, 2, 3]}}], "field padding"),
        ([{"RandomAffine": {"degrees": 3, "shear": 95}}], "field shear"),
        ([{"RandomHorizontalFlip": {"p": 2}}], "field p: expected a probability"),
        ([{"Normalize": {"mean": [1], "std": [0]}}], "step 1 (Normalize)"),
        ([{"RandomChoice": {"transforms": [{"Grayscale": {}}], "p": [0]}}], "field p: expected weights"),
        ([{"p": 1}], "a step is a mapping with its class"),
        ([{"RandomApply": {"transforms": 3}}], "field transforms: expected a list"),
        ([{"Grayscale": {}}] * 2000, "more than 1000 steps"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_transform_is_refused(given, says):
    with pytest.raises(og.RecipeError) as error:
        og.from_torchvision(given)
    assert says in str(error.value)


def test_other_things_are_refused():
    with pytest.raises(og.ArgumentError, match="expected a transform of torchvision"):
        og.from_torchvision(3)
    deep: Any = {"Grayscale": {}}
    for _ in range(1000):
        deep = {"RandomApply": {"transforms": [deep]}}
    with pytest.raises(og.RecipeError, match="nested more than"):
        og.from_torchvision([deep])
