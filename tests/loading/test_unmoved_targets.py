"""Numbers that look like places, under augmentations that move pixels: said, since the labels would be wrong."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import offgraph as og

FLIP = og.Compose([og.Augment(og.Flip("X"))])


def table(folder: Path, columns: list[str]) -> Path:
    lines = [",".join(["path", *columns])]
    for number in range(4):
        og.imwrite(folder / f"{number}.png", np.zeros((9, 9), np.uint8))
        lines.append(",".join([f"{number}.png", *(f"{number}.5" for _ in columns)]))
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    return folder / "t.csv"


def warned(folder: Path, columns: list[str], recipe: og.Compose) -> list[str]:
    source = og.open_source(table(folder, columns), targets=columns, task="regress")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        og.Loader(source, recipe, batch_size=2)
    return [str(each.message) for each in caught if issubclass(each.category, og.OffgraphWarning)]


@pytest.mark.parametrize(
    "columns",
    [
        ["x", "y"],
        ["lx", "ly"],
        ["nose_x", "age", "nose_y"],
        ["X1", "Y1"],
        ["xmin", "ymin"],
        ["noseX", "noseY"],
    ],
)
@pytest.mark.parametrize(
    "recipe",
    [FLIP, og.Compose([og.Augment(og.OneOf([og.GaussianNoise(2), og.Rotate((-5, 5))]))])],
    ids=["flip", "one of"],
)
def test_places_that_do_not_move_are_said(tmp_path: Path, columns: list[str], recipe: og.Compose) -> None:
    (message,) = warned(tmp_path, columns, recipe)
    assert "t.csv" in message and columns[0] in message and "keypoints" in message
    assert " age" not in message
    assert "Flip moves" in message or "OneOf moves" in message


@pytest.mark.parametrize("columns", [["age", "height"], ["x", "z"], ["tax", "toy"], ["pixel", "piyel"]])
def test_other_numbers_are_none(tmp_path: Path, columns: list[str]) -> None:
    assert warned(tmp_path, columns, FLIP) == []


@pytest.mark.parametrize(
    "recipe",
    [
        og.Compose(
            [og.Resize((4, 4)), og.Flip("X")]
        ),  # the same for every image: places are those of the file
        og.Compose([og.Augment(og.GaussianNoise(2))]),
        og.Compose([]),
    ],
)
def test_what_moves_nothing_by_chance_is_left_alone(tmp_path: Path, recipe: og.Compose) -> None:
    assert warned(tmp_path, ["x", "y"], recipe) == []
