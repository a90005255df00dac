"""Detectors held against the truth and each other: average precision of resampled images, `skew` and `choose_tta`."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.detectors import centres, finding, squares
from tests.support.pages import self_contained

import offgraph as og
from offgraph.apps.cli import main
from offgraph.errors import SourceError
from offgraph.formats.decoding import read
from offgraph.inspection.box_answers import estimated_precision, mean_precisions, shared_boxes
from offgraph.inspection.errors.box_scores import BoxScores, JudgedBoxes, judged_boxes, overlaps
from offgraph.inspection.errors.results import BoxErrors
from offgraph.inspection.skew_report import Estimate
from offgraph.views.draw import fit, to_rgb
from offgraph.views.marks import mark


def some_boxes(seed: int) -> tuple[np.ndarray, ...]:
    """True boxes with labels, and predicted ones near some of them, with labels and scores."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 50, (rng.integers(0, 6), 2))
    true = np.concatenate([low, low + rng.uniform(4, 20, low.shape)], axis=1)
    again = np.concatenate([true, true, true])[: rng.integers(0, 3 * len(true) + 1)]
    edges = again + np.tile(rng.normal(0, 1.5, (len(again), 2)), 2)
    labels = rng.integers(0, 3, len(true))
    given = np.concatenate([labels, labels, labels])[: len(edges)]
    return true, labels, edges, given, rng.uniform(0.01, 1, len(edges))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), images=st.integers(1, 7))
def test_an_image_that_is_drawn_twice_counts_as_two(seed: int, images: int) -> None:
    rng = np.random.default_rng(seed)
    several = [some_boxes(seed * 10 + number) for number in range(images)]
    judged = [judged_boxes(*one) for one in several]
    counts = rng.multinomial(images, np.full(images, 1 / images), 5)
    found = mean_precisions(judged, np.concatenate([np.ones((1, images), np.int64), counts]))
    for value, times in zip(found, [np.ones(images, int), *counts]):
        scores = BoxScores(["a", "b", "c"])
        for one, of in zip(several, times):
            for _ in range(of):
                scores.add(*one)
        expected = BoxErrors(scores.scores()).mean
        assert np.isnan(value) if expected is None else value == pytest.approx(expected, abs=1e-12)


def test_intervals_hold_the_mean_and_are_paired() -> None:
    judged = [judged_boxes(*some_boxes(number)) for number in range(40)]
    found = estimated_precision(judged, None, 3, 200)
    assert found is not None and found.low < found.value < found.high
    assert found == estimated_precision(judged, None, 3, 200) != estimated_precision(judged, None, 4, 200)
    assert estimated_precision(judged, judged, 3, 200) == Estimate(0.0, 0.0, 0.0)
    wider = estimated_precision(judged, None, 3, 200, 0.99)
    assert wider is not None and wider.low <= found.low and wider.high >= found.high
    assert estimated_precision([], None, 0, 9) is None
    assert estimated_precision([JudgedBoxes({}, {}, np.zeros(0, bool))], None, 0, 9) is None


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999))
def test_shared_boxes_are_pairs(seed: int) -> None:
    edges, labels, others, of_others, _ = some_boxes(seed)
    pairs = shared_boxes(edges, labels, others, of_others)
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    share = overlaps(edges, others)
    assert all(share[a, b] >= 0.5 and labels[a] == of_others[b] for a, b in pairs)
    left = [a for a in range(len(edges)) if a not in {one for one, _ in pairs}]
    free = [b for b in range(len(others)) if b not in {one for _, one in pairs}]
    assert not any(share[a, b] >= 0.5 and labels[a] == of_others[b] for a in left for b in free)


# ---- a source with planted objects, and models that find them


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Black images with white squares, as COCO."""
    root = tmp_path_factory.mktemp("squares")
    (root / "images").mkdir()
    boxes = {}
    for number in range(8):
        image, _ = squares(number, (60, 80), 12)
        og.imwrite(root / "images" / f"{number}.png", image)
        found = finding(50)(image[None, ..., None] / 255.0)
        edges = found["boxes"][0][found["labels"][0] >= 0]
        boxes[f"{number}.png"] = og.Boxes(edges, size=(60, 80), format="xyxy", labels=[0] * len(edges))
    og.write_annotations(root, boxes, format="coco", class_names=["square"])
    return root


OPTIONS: dict[str, Any] = {
    "task": "detect",
    "detection": og.DetectionOutputs(),
    "class_names": ["square"],
    "input_shape": (None, None, 3),
}


def half(batch: np.ndarray) -> dict[str, np.ndarray]:
    """Finds what lies in the left half; a class less than `finding` gives."""
    made = finding(30)(batch)
    left = made["boxes"][..., 2] <= batch.shape[2] / 2
    return {"boxes": made["boxes"], "scores": made["scores"] * left}


def dim(batch: np.ndarray) -> dict[str, np.ndarray]:
    made = finding(30)(batch)
    return {"boxes": made["boxes"], "scores": made["scores"]}


def test_skew_of_an_unchanged_recipe_is_exactly_nothing(annotated: Path) -> None:
    recipe = [og.Brightness(1.0), og.Rescale(1 / 255)]
    model = og.Predictor(dim, recipe=recipe, **OPTIONS).saved
    report = og.skew(model, annotated, vary="Brightness.factor=1.0,0.25", recipes={"the same": recipe})
    assert report.task == "detect" and report.score_name == "mean AP"
    assert report.score == Estimate(1.0, 1.0, 1.0) and report.images == 8
    worst, *same = report.rows
    for row in same:
        assert row.change == Estimate(0.0, 0.0, 0.0) and row.agreement == Estimate(1.0, 1.0, 1.0)
        assert row.flips == () and (row.helped, row.hurt, row.shift) == (0, 0, 0.0)
    assert worst.name == "Brightness.factor = 0.25" and worst.agreement.value == 0.0  # below what it sees
    assert worst.score == Estimate(0.0, 0.0, 0.0) and worst.change == Estimate(-1.0, -1.0, -1.0)
    assert worst.hurt == len(worst.flips) == 8 and worst.helped == 0
    flip = worst.flips[0]
    assert flip.after == "0 boxes" and flip.before == flip.truth != "0 boxes" and flip.same == 0.0


def test_agreement_is_the_share_of_boxes_that_both_have(annotated: Path) -> None:
    """Half the image is cut off: those boxes are gone, and their scores are what is compared of the others."""
    recipe = [og.Rescale(1 / 255)]
    model = og.Predictor(dim, recipe=recipe, **OPTIONS).saved
    report = og.skew(model, annotated, recipes={"half": [og.Crop((60, 40)), og.Rescale(1 / 255)]})
    [row] = report.rows
    source = og.open_source(annotated)
    shares = []
    for one, cut in zip(og.Predictor(dim, recipe=recipe, **OPTIONS)(source), range(8)):
        assert one.boxes is not None
        whole = one.boxes.edges
        kept = np.minimum(whole[:, 3], 39.5) - whole[:, 1]
        in_both = int((kept >= 0.5 * (whole[:, 3] - whole[:, 1])).sum())
        left = int((kept > 0).sum())
        shares.append(2 * in_both / (len(whole) + left))
        assert cut == one.index
    assert row.agreement.value == pytest.approx(np.mean(shares)) and row.shift == 0.0
    assert row.agreement.low < row.agreement.value < row.agreement.high
    assert row.change is not None and -0.8 < row.change.value < -0.2


def test_the_page_draws_the_boxes_of_both_answers(annotated: Path, tmp_path: Path) -> None:
    """Beside the image with the boxes of the model's own recipe, the same image with those of the other one: none in its right half."""
    model = og.Predictor(dim, recipe=[og.Rescale(1 / 255)], **OPTIONS).saved
    report = og.skew(model, annotated, recipes={"half": [og.Crop((60, 40)), og.Rescale(1 / 255)]})
    flip = report.rows[0].flips[0]
    assert flip.drawable is not None
    before, after = flip.drawable
    assert isinstance(before, og.Boxes) and isinstance(after, og.Boxes)
    assert f"{len(before)} boxes → {len(after)} boxes" == f"{flip.before} → {flip.after}"
    assert np.asarray(before.labels).tolist() == [0] * len(before) and report.class_names == ("square",)
    [original] = og.Predictor(dim, recipe=[og.Rescale(1 / 255)], **OPTIONS)([annotated / "images" / flip.name.split("/")[-1]])  # fmt: skip
    assert original.boxes is not None and np.array_equal(before.edges, original.boxes.edges)
    page = og.save_skew(report, tmp_path / "skew.html")
    drawn = images_of(page)
    assert len(drawn) == len(report.rows[0].flips)
    gap = np.full((240, 6, 3), 255, np.uint8)
    for one, found in zip(report.rows[0].flips, drawn):
        assert one.drawable is not None
        own, other = one.drawable
        assert isinstance(other, og.Boxes) and (other.edges[:, 3] <= 39.5).all()
        image = fit(to_rgb(og.imread(annotated / "images" / one.name.split("/")[-1])), 320)
        left, right = (mark(image, [boxes], class_names=["square"]) for boxes in (own, other))
        assert np.array_equal(found, np.concatenate([left, gap, right], axis=1))


def images_of(page: Path) -> list[np.ndarray]:
    """The images of a page, in their order."""
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page.read_text())
    return [read(base64.b64decode(one)).array for one in found]


@pytest.mark.parametrize("volume", [False, True])
def test_the_page_draws_the_masks_of_both_answers(volume: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):
        values = rng.integers(0, 2, (3, 10, 16) if volume else (10, 16)).astype(np.uint8) * 200
        np.save(tmp_path / f"{number}.npy", values)
    shape = (None, None, None, 1) if volume else (None, None, 1)
    predictor = og.Predictor(
        lambda batch: batch, recipe=[og.Rescale(1 / 255)], task="segment", outputs="probabilities", input_shape=shape,
        postprocess=[og.Threshold(0.5)],
    )  # fmt: skip
    report = og.skew(
        predictor.saved, tmp_path, recipes={"inverted": [og.Invert(), og.Rescale(1 / 255)]},
        labels=None, axes="ZYX" if volume else None,
    )  # fmt: skip
    flip = report.rows[0].flips[0]
    assert flip.same == 0 and flip.drawable is not None
    before, after = (np.asarray(one.array) for one in flip.drawable if isinstance(one, og.Mask))
    assert np.array_equal(before, 1 - after)
    drawn = images_of(og.save_skew(report, tmp_path / "skew.html"))
    assert [image.shape for image in drawn] == [(200, 2 * 320 + 6, 3)] * 3
    plane = before[1] if volume else before
    coloured = np.ptp(drawn[0].astype(int), axis=2) > 20
    inner = np.s_[10::20, 10::20]  # the middle of each pixel
    assert np.array_equal(coloured[:, :320][inner], plane == 1)
    assert np.array_equal(coloured[:, 326:][inner], plane == 0)


def test_variants_are_chosen_where_they_find_more(annotated: Path) -> None:
    model = og.Predictor(half, recipe=[og.Rescale(1 / 255)], **OPTIONS).saved
    predicted = og.report(og.Predictor(model, tta="mirrored"), annotated)
    choice = og.choose_tta(model, annotated, candidates=["none", "mirrored"], resamples=300)
    assert choice.chosen == "mirrored" and choice.score_name == "mean AP" and choice.images == 8
    none, mirrored = choice.rows
    assert none.change == Estimate(0.0, 0.0, 0.0) and mirrored.change.low > 0.1
    assert predicted.boxes is not None and mirrored.score.value == pytest.approx(predicted.boxes.mean)
    assert (mirrored.hurt, none.helped) == (0, 0)
    useless = og.Predictor(dim, recipe=[og.Rescale(1 / 255)], **OPTIONS).saved
    assert og.choose_tta(useless, annotated, resamples=50).chosen == "none"


def test_without_a_true_box_nothing_is_chosen(annotated: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    og.imwrite(tmp_path / "images" / "a.png", np.zeros((60, 80, 3), np.uint8))
    empty = og.Boxes(np.zeros((0, 4)), size=(60, 80), labels=[])
    og.write_annotations(tmp_path, {"a.png": empty}, format="coco", class_names=["square"])
    model = og.Predictor(dim, recipe=[og.Rescale(1 / 255)], **OPTIONS).saved
    with pytest.raises(SourceError, match="nothing can be chosen by it"):
        og.choose_tta(model, tmp_path)
    report = og.skew(model, tmp_path, recipes={"the same": [og.Rescale(1 / 255)]})
    assert report.score is None and report.rows[0].agreement == Estimate(1.0, 1.0, 1.0)
    plain = og.skew(model, annotated / "images", recipes={"the same": [og.Rescale(1 / 255)]}, labels=None)
    assert plain.score is None and plain.images == 8


def run(command: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert not ended.value.code


def test_the_commands_with_a_keras_model(
    annotated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = og.save(
        centres(),
        [og.GaussianFilter(0.01), og.Rescale(1 / 255)],
        tmp_path / "squares.keras",
        detection=og.DetectionOutputs(format="cxcywh"),
        class_names=["square"],
        postprocess=[og.NonMaximumSuppression(0.3, min_score=0.2)],
    )
    page = tmp_path / "skew.html"
    command = [
        "skew",
        str(path),
        str(annotated),
        "--vary",
        "GaussianFilter.sigma=0.01,9",
        "-o",
        str(page),
        "--json",
    ]
    run(command)
    told = json.loads(capsys.readouterr().out)
    assert told["task"] == "detect" and told["score_name"] == "mean AP" and told["score"][0] > 0.99
    assert told["rows"][-1]["agreement"] == [1.0, 1.0, 1.0] and told["rows"][0]["agreement"][0] < 0.5
    self_contained(page)
    text = page.read_text()
    assert "of the boxes stay" in text and "mean AP" in text
    run(["choose-tta", str(path), str(annotated), "--candidates", "none,mirrored", "--json"])
    chosen = json.loads(capsys.readouterr().out)
    assert chosen["chosen"] == "none" and chosen["score_name"] == "mean AP"
    assert [row["name"] for row in chosen["rows"]] == ["none", "mirrored"]


def test_images_that_the_model_does_not_take_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    def pooled(batch: np.ndarray) -> np.ndarray:
        if batch.shape[1] % 4 or batch.shape[2] % 4:
            raise ValueError("sizes must be multiples of 4")
        return batch[..., :1]

    for folder, value in (("images", 200), ("masks", 1)):
        (tmp_path / folder).mkdir()
        for name, size in (("fits", (8, 12)), ("odd", (9, 11)), ("other", (10, 8))):
            og.imwrite(tmp_path / folder / f"{name}.png", np.full(size, value, np.uint8))
    predictor = og.Predictor(
        pooled, recipe=[og.Rescale(1 / 255)], task="segment", outputs="probabilities", input_shape=(None, None, 1),
        postprocess=[og.Threshold(0.5)],
    )  # fmt: skip
    same = {"the same": [og.Rescale(1 / 255)]}
    skew = og.skew(predictor.saved, tmp_path / "images", recipes=same, masks=tmp_path / "masks")
    choice = og.choose_tta(
        predictor.saved, tmp_path / "images", candidates=["none", "mirrored"], masks=tmp_path / "masks"
    )
    for report in (skew, choice):
        assert report.images == 1 and [name for name, _ in report.set_aside] == ["odd.png", "other.png"]
        report.render(Console(width=200))
        said = capsys.readouterr().out
        assert (
            "2 images set aside, and in no number: the first, odd.png: the model cannot take an image of 9"
            in said
        )
    page = og.save_skew(skew, tmp_path / "skew.html").read_text()
    assert "Images set aside" in page and "odd.png" in page and "other.png" in page
    padded = og.skew(predictor.saved, tmp_path / "images", recipes=same, masks=tmp_path / "masks", pad_to=4)
    assert padded.images == 3 and padded.set_aside == () and padded.score == Estimate(1.0, 1.0, 1.0)
    padded.render(Console(width=200))
    assert "set aside" not in capsys.readouterr().out
    assert "Images set aside" not in og.save_skew(padded, tmp_path / "padded.html").read_text()
