"""`choose_tta`: the scores are those of predictors, and nothing is chosen without evidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.models import keras

import offgraph as og
from offgraph.apps.cli import main
from offgraph.errors import ArgumentError
from offgraph.inspection.skew_report import Estimate

NAMES = ["dark", "light"]


def left(batch: np.ndarray) -> np.ndarray:
    """Judges by the left half alone, so that the mirrored image tells it of the other half."""
    light = batch[:, :, : batch.shape[2] // 2].mean(axis=(1, 2, 3))
    return np.stack([1 - light, light], axis=1)


def whole(batch: np.ndarray) -> np.ndarray:
    """Variants change nothing."""
    light = batch.mean(axis=(1, 2, 3))
    return np.stack([1 - light, light], axis=1)


def upper_left(batch: np.ndarray) -> np.ndarray:
    """Right of the image as it is alone: the brightest corner is the upper left one where images are light."""
    corner = batch[:, :4, :4].mean(axis=(1, 2, 3)) > 0.5
    sure = np.where(corner, 0.6, 0.01)
    return np.stack([1 - sure, sure], axis=1)


def folder(home: Path, count: int, shadow: Callable[[np.ndarray, int], None]) -> Path:
    """Bright and dark images of 8 x 8 pixels, and what `shadow` does to each."""
    for name in NAMES:
        (home / name).mkdir(parents=True)
    for number in range(count):
        image = np.full((8, 8, 3), 230, np.uint8)
        shadow(image, number)
        og.imwrite(home / "light" / f"{number:02d}.png", image)
        og.imwrite(home / "dark" / f"{number:02d}.png", 255 - image)
    return home


@pytest.fixture
def shaded(tmp_path: Path) -> Path:
    """A shadow lies on the left half of every other image."""

    def shade(image: np.ndarray, number: int) -> None:
        image[:, : 4 * (number % 2)] = 100

    return folder(tmp_path / "shaded", 12, shade)


def saved(model: Any, augment: Any = None) -> Any:
    recipe = [og.Resize((8, 8)), *([] if augment is None else [og.Augment(*augment)]), og.Rescale(1 / 255)]
    return og.Predictor(model, recipe=recipe, task="classify", class_names=NAMES).saved


def test_scores_are_those_of_predictors(shaded: Path):
    model = saved(left)
    choice = og.choose_tta(model, shaded)
    assert [(row.name, row.variants) for row in choice.rows] == [
        ("none", 1), ("mirrored", 2), ("flips", 4), ("d4", 8),
    ]  # fmt: skip
    for row, tta in zip(choice.rows, (None, "mirrored", "flips", "d4")):
        made = [one.label == one.item.label for one in og.Predictor(model, tta=tta)(shaded)]  # type: ignore[arg-type]
        assert row.score.value == pytest.approx(np.mean(made))
        assert row.change.value == pytest.approx(row.score.value - choice.rows[0].score.value)
        assert row.change.value == pytest.approx((row.helped - row.hurt) / choice.images)
        assert row.change.low <= row.change.value <= row.change.high
    assert choice.chosen == choice.tta == "mirrored", "of equal ones the first"
    assert (
        choice.rows[0].score.value == 0.5
        and choice.rows[1].score.value == 1
        and choice.rows[1].change.low > 0
    )
    assert "mirrored: accuracy +50.0 %" in choice.summary and "2 runs" in choice.summary
    again = og.choose_tta(model, shaded)
    assert again.to_json() == choice.to_json() != og.choose_tta(model, shaded, seed=1).to_json()


def test_none_where_nothing_is_better(shaded: Path):
    choice = og.choose_tta(saved(whole), shaded)
    assert choice.chosen == "none" and choice.tta is None
    assert all(row.change == Estimate(0.0, 0.0, 0.0) for row in choice.rows)
    assert "none: no candidate is better by evidence on 24 images" in choice.summary


def test_one_image_more_is_no_evidence(tmp_path: Path):
    """The mirrored image repairs one answer of 24: the interval begins at 0."""

    def shade(image: np.ndarray, number: int) -> None:
        if number == 5:
            image[:, :4] = 100

    one = folder(tmp_path / "one", 12, shade)
    og.imwrite(one / "dark" / "05.png", np.full((8, 8, 3), 20, np.uint8))
    choice = og.choose_tta(saved(left), one)
    assert choice.rows[1].helped == 1 and choice.rows[1].hurt == 0
    assert choice.rows[1].change.value == pytest.approx(1 / 24) and choice.rows[1].change.low == 0
    assert choice.chosen == "none" and "mirrored, changes the accuracy by +4.2 %" in choice.summary


def test_what_makes_it_worse_is_seen(tmp_path: Path):
    def light_corner(image: np.ndarray, number: int) -> None:
        image[:] = 20
        image[:4, :4] = 230

    corners = folder(tmp_path / "corners", 6, light_corner)
    choice = og.choose_tta(saved(upper_left), corners, candidates=["flips"])
    assert [row.name for row in choice.rows] == ["none", "flips"] and choice.chosen == "none"
    assert choice.rows[0].score.value == 1 and choice.rows[1].hurt == 6 and choice.rows[1].change.high < 0


def test_intervals_are_shared_among_the_candidates(tmp_path: Path):
    """The more are tried, the wider each interval."""
    rng = np.random.default_rng(3)

    def shade(image: np.ndarray, number: int) -> None:
        image[:, :4] = 230 - (rng.random() < 0.3) * 130
        image[:, 4:] = 230 - (rng.random() < 0.3) * 130

    some = folder(tmp_path / "some", 30, shade)
    alone = og.choose_tta(saved(left), some, candidates=["mirrored"]).rows[1]
    three = og.choose_tta(saved(left), some).rows[1]
    assert alone.score == three.score and alone.change.value == three.change.value
    assert three.change.low <= alone.change.low and three.change.high >= alone.change.high
    assert three.change.high - three.change.low > alone.change.high - alone.change.low


def test_other_variants_by_name(shaded: Path):
    choice = og.choose_tta(
        saved(left, [og.Rotate((-10, 10))]), shaded, candidates={"none": None, "turned": [og.Rotate(180)]}
    )
    assert choice.chosen == "turned" and choice.tta == [og.Rotate(180)]
    assert choice.rows[1].untrained == ("turned by a half",)
    plain = [one.probabilities for one in og.Predictor(saved(left), tta=choice.tta)(shaded)]
    assert np.mean([one.argmax() for one in plain]) == 0.5


def test_what_the_model_does_not_take_is_listed(shaded: Path):
    wide = og.Predictor(
        left, recipe=[og.Resize((8, 12)), og.Rescale(1 / 255)], task="classify", class_names=NAMES
    ).saved
    choice = og.choose_tta(wide, shaded)
    assert [one.name for one in choice.absent] == ["d4"] and "'flips' keeps the size" in choice.absent[
        0
    ].reason
    assert [row.name for row in choice.rows] == ["none", "mirrored", "flips"]


def test_masks(tmp_path: Path):
    """A model that sees the right half alone finds all by the mirrored image, where the largest answer counts."""

    def right(batch: np.ndarray) -> np.ndarray:
        found = (batch[..., :1] > 0.5).astype(np.float32)
        found[:, :, : found.shape[2] // 2] = 0
        return found

    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    for number in range(8):
        mask = (rng.random((8, 8)) < 0.5).astype(np.uint8)
        og.imwrite(tmp_path / "images" / f"{number}.png", mask * np.uint8(255))
        og.imwrite(tmp_path / "masks" / f"{number}.png", mask)
    model = og.Predictor(
        right,
        recipe=[og.Rescale(1 / 255)],
        task="segment",
        input_shape=(None, None, 1),
        outputs="probabilities",
    ).saved
    choice = og.choose_tta(
        model, tmp_path / "images", masks=tmp_path / "masks", candidates=["mirrored"], merge="max",
        outputs="probabilities",
    )  # fmt: skip
    assert choice.score_name == "mean IoU per image" and choice.chosen == "mirrored"
    assert choice.rows[0].score.value < 0.8 and choice.rows[1].score.value == 1


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"candidates": ["turned"]}, ArgumentError, "'turned' is not known; choose among 'none', 'mirrored'"),
        ({"candidates": ["none"]}, ArgumentError, "nothing to choose from"),
        ({"candidates": "flips"}, ArgumentError, "give a list of names"),
        ({"candidates": {"none": None}}, ArgumentError, "nothing to choose from"),
        ({"candidates": {"odd": "turned"}}, ArgumentError, "tta='turned'"),
        ({"resamples": 0}, ArgumentError, "resamples=0"),
        ({"labels": None}, og.SourceError, "the truth is known of no image"),
        ({"merge": "median"}, og.OffgraphError, "merge"),
    ],
)
def test_what_is_refused(shaded: Path, options: dict[str, Any], error: type[Exception], says: str):
    with pytest.raises(error, match=says):
        og.choose_tta(saved(left), shaded, **options)


def test_numbers_have_no_choice(shaded: Path):
    model = og.Predictor(left, recipe=[og.Resize((8, 8)), og.Rescale(1 / 255)], task="regress").saved
    with pytest.raises(og.OffgraphError, match="this model's task is 'regress'"):
        og.choose_tta(model, shaded)


def test_the_command(shaded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    )
    recipe = og.Compose([og.Resize((8, 8)), og.Augment(og.Flip("X", p=0.5)), og.Rescale(1 / 255)])
    path = tmp_path / "dense.keras"
    og.save(network, recipe, path, class_names=NAMES)

    def run(*arguments: str, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["choose-tta", str(path), str(shaded), *arguments])
        assert (ended.value.code or 0) == status
        return capsys.readouterr().out

    data = json.loads(run("--json", "--candidates", "mirrored,d4", "--seed", "4"))
    assert [row["name"] for row in data["rows"]] == ["none", "mirrored", "d4"] and data["seed"] == 4
    assert data["rows"][1]["untrained"] == [] and "turned by quarters" in data["rows"][2]["untrained"]
    assert data == og.choose_tta(path, shaded, candidates=["mirrored", "d4"], seed=4).to_json()
    said = run()
    assert "d4: training drew no image" in said and data["chosen"] in said and "accuracy" in said
    run("--candidates", "all", status=1)
