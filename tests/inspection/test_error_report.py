"""Error reports of models whose every answer is known: scores, mistakes, objects and maps, on a page and as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.pages import self_contained

import offgraph as og
from offgraph.inspection.errors.instances import match_objects

HOSTILE = "<img src=x onerror=alert(1)>.png"


def three_ways(batch):
    """Probabilities of red, green and blue: the shares of the channels' means, of (B, 8, 8, 3)."""
    light = batch.mean(axis=(1, 2)) + 1e-6
    return light / light.sum(axis=1, keepdims=True)


def brightness(batch):
    """A pixel is an object as far as it is bright: (B, H, W, 1)."""
    return batch if batch.ndim == 4 else batch[..., np.newaxis]


def of_colours(**more):
    return og.Predictor(
        three_ways,
        recipe=[og.Resize((8, 8)), og.Rescale(1 / 255)],
        task="classify",
        class_names=["red", "green", "blue"],
        **more,
    )


def of_masks(steps, **more):
    return og.Predictor(
        brightness,
        recipe=[og.Rescale(1 / 255)],
        task="segment",
        input_shape=(None, None, 1),
        postprocess=steps,
        **more,
    )


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    og.imwrite(path, array)


@pytest.fixture
def colours(tmp_path):
    """Six images in class folders: one is in the wrong one, one is broken, and nothing is predicted green."""
    for folder, name, value in (
        ("red", "a.png", (250, 10, 10)),
        ("red", HOSTILE, (150, 60, 60)),
        ("blue", "b.png", (0, 60, 240)),
        ("blue", "wrong.png", (240, 0, 0)),
        ("green", "c.png", (80, 60, 90)),
    ):
        write(tmp_path / "colours" / folder / name, np.full((16, 20, 3), value, np.uint8))
    whole = (tmp_path / "colours" / "red" / "a.png").read_bytes()
    (tmp_path / "colours" / "red" / "broken.png").write_bytes(whole[:50])
    return tmp_path / "colours"


@pytest.fixture
def cells(tmp_path):
    """Images of bright discs with their instance masks: in the first two touch, in the second is a speck, the third is empty."""
    rows, columns = np.indices((40, 60))
    for number, discs in enumerate([[(20, 15), (20, 33), (10, 52)], [(20, 20)], []]):
        mask = np.zeros((40, 60), np.uint16)
        for label, (row, column) in enumerate(discs, 1):
            mask[
                ((rows - row) ** 2 + (columns - column) ** 2 < (81 if column < 50 else 20)) & (mask == 0)
            ] = 7 * label
        image = np.where(mask > 0, 230, 20).astype(np.uint8)
        if number == 0:
            image[20, 23:26] = 230  # the neck between two
        if number == 1:
            image[5, 50] = 255
        write(tmp_path / "cells" / f"{number}.png", image)
        write(tmp_path / "masks" / f"{number}.png", mask)
    return tmp_path / "cells", tmp_path / "masks"


# classes


def test_classes_calibration_and_confusion(colours, tmp_path):
    found = og.report(of_colours(), colours, tmp_path / "errors.html")
    assert (found.task, found.count, found.unknown) == ("classify", 5, 0)
    assert [name for name, _ in found.quarantined] == ["red/broken.png"]
    assert found.classes.accuracy == 3 / 5
    assert [(s.name, s.true, s.predicted, s.correct) for s in found.classes.scores] == [
        ("red", 2, 3, 2),
        ("green", 1, 0, 0),
        ("blue", 2, 2, 1),
    ]
    assert found.classes.scores[1].precision is None, "one class is never predicted"
    assert found.classes.confusion.tolist() == [[2, 0, 0], [0, 0, 1], [1, 0, 1]]
    assert [(one.name, one.true) for one in found.mistakes] == [
        ("blue/wrong.png", "blue"),
        ("green/c.png", "green"),
    ]
    assert found.mistakes[0].rank > found.mistakes[1].rank
    told = json.loads((tmp_path / "errors.json").read_text())
    assert told == found.to_json() and told["classes"]["confusion"][2] == [1, 0, 1]
    page = self_contained(tmp_path / "errors.html")
    assert "60.00%" in page.words and HOSTILE in page.words and "broken.png" in page.words
    places = [page.words.rindex(word) for word in ("is blue; blue/wrong.png", "is green; green/c.png")]
    assert places == sorted(places), "the most confident mistake comes first"
    assert "60.00%" in found.summary() and str(found.path) in found.summary()


def test_the_scores_are_scikit_learns(tmp_path):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(4)
    names = ["red", "green", "blue"]
    for number in range(60):
        write(
            tmp_path / "many" / names[number % 3] / f"{number}.png",
            np.full((8, 8, 3), rng.integers(0, 256, 3), np.uint8),
        )
    found = og.report(of_colours(), tmp_path / "many", occlusion=0)
    run = list(of_colours()(tmp_path / "many"))
    true = [names.index(one.true_class) for one in run]
    predicted = [one.label for one in run]
    assert found.classes.accuracy == metrics.accuracy_score(true, predicted)
    assert found.classes.confusion.tolist() == metrics.confusion_matrix(true, predicted).tolist()
    precision, recall, _, support = metrics.precision_recall_fscore_support(true, predicted)
    assert np.allclose([s.precision for s in found.classes.scores], precision)
    assert np.allclose([s.recall for s in found.classes.scores], recall)
    assert [s.true for s in found.classes.scores] == support.tolist()
    sure = np.array([one.probability for one in run])
    right = np.array(true) == np.array(predicted)
    ranges = np.clip(np.ceil(sure * 15) - 1, 0, 14)
    expected = sum(abs(right[ranges == n].sum() - sure[ranges == n].sum()) for n in range(15)) / 60
    assert found.classes.calibration.error == pytest.approx(expected)


def test_maps_show_what_a_class_depends_on(tmp_path):
    image = np.full((32, 32, 3), (60, 60, 60), np.uint8)
    image[2:12, 2:12] = (255, 0, 0)
    write(tmp_path / "one" / "red" / "a.png", image)
    found = og.report(of_colours(), tmp_path / "one", tmp_path / "page.html", occlusion=3)
    (one,) = found.occlusion
    assert one.name == "red/a.png" and one.answer.startswith("red") and one.map.shape == (32, 32)
    assert one.map[2:12, 2:12].min() > 0 > one.map[20:, 20:].max()
    assert "What the answer depends on" in self_contained(tmp_path / "page.html").words
    assert og.report(of_colours(), tmp_path / "one", occlusion=0).occlusion == ()


def test_several_labels(tmp_path):
    for name, value in (("a", (200, 200, 0)), ("b", (200, 0, 200)), ("c", (0, 0, 0))):
        write(tmp_path / f"{name}.png", np.full((8, 8, 3), value, np.uint8))
    (tmp_path / "labels.csv").write_text("path,label\na.png,red|green\nb.png,green\nc.png,\n")
    predictor = og.Predictor(
        lambda batch: batch.mean(axis=(1, 2)),
        recipe=[og.Rescale(1 / 255)],
        task="multilabel",
        class_names=["red", "green", "blue"],
    )
    found = og.report(
        predictor, tmp_path / "labels.csv", tmp_path / "page.html", task="multilabel", occlusion=1
    )
    assert found.classes.confusion is None
    by_name = {s.name: (s.true, s.predicted, s.correct) for s in found.classes.scores}
    assert by_name == {"red": (1, 2, 1), "green": (2, 1, 1), "blue": (0, 1, 0)}
    (wrong,) = found.mistakes
    assert wrong.name == "b.png" and wrong.true == "green" and wrong.rank > 3
    assert sum(one.count for one in found.classes.calibration.bins) == 9
    assert (
        len(found.occlusion) == 1
        and "with exactly the true labels" in self_contained(tmp_path / "page.html").words
    )


def test_numbers(tmp_path):
    lines = ["path,light"]
    for number, (value, true) in enumerate([(100, 100), (50, 60), (200, 120)]):
        write(tmp_path / f"{number}.png", np.full((8, 8, 3), value, np.uint8))
        lines.append(f"{number}.png,{true}")
    (tmp_path / "light.csv").write_text("\n".join(lines))
    predictor = og.Predictor(
        lambda batch: batch.mean(axis=(1, 2))[:, :1],
        recipe=[og.Rescale(1.0)],
        task="regress",
        target_names=["light"],
    )
    found = og.report(predictor, tmp_path / "light.csv", tmp_path / "page.html", occlusion=1)
    (score,) = found.numbers
    assert score.mean == pytest.approx(30) and [one.name for one in found.mistakes] == [
        "2.png",
        "1.png",
        "0.png",
    ]
    assert found.mistakes[0].rank == pytest.approx(80 / 30) and found.mistakes[0].true == "light 120"
    assert found.occlusion[0].answer == "light 200"
    assert "Largest errors" in self_contained(tmp_path / "page.html").words


# masks and objects

WHOLE = [og.Threshold(0.5), og.Label()]
SPLIT = [og.Threshold(0.5), og.FillHoles(), og.RemoveSmall(5), og.DistanceWatershed()]


def test_objects_and_what_other_steps_make_of_them(cells, tmp_path):
    images, masks = cells
    found = og.report(of_masks(SPLIT), images, tmp_path / "page.html", masks=masks, against=WHOLE)
    one, other = found.masks.instances, found.masks.against
    assert (one.true, one.predicted, other.predicted) == (4, 4, 4)
    assert one.average_precision == 1.0 and one.panoptic.recognition == 1.0
    # The heap is one object with an IoU of about a half, and the speck is false.
    assert other.scores[0].matched < 4 and other.scores[0].false >= 1
    assert found.masks.gain == one.average_precision - other.average_precision > 0.05
    assert f"{found.masks.gain:+.4f}" in found.summary() and "Threshold → Label" in found.summary()
    page = self_contained(tmp_path / "page.html")
    assert f"{found.masks.gain:+.4f}" in page.words and "panoptic quality" in page.words
    told = json.loads((tmp_path / "page.json").read_text())
    assert (
        told["masks"]["gain"] == found.masks.gain
        and told["masks"]["instances"]["steps"][-1] == "DistanceWatershed"
    )


def test_the_worst_objects_are_drawn(cells, tmp_path):
    images, masks = cells
    found = og.report(of_masks(WHOLE), images, tmp_path / "page.html", masks=masks)
    kinds = {(one.name, one.kind) for one in found.objects}
    assert ("1.png", "false") in kinds and ("0.png", "outlined") in kinds
    ranks = [one.area if one.kind == "false" else (1 - one.iou) * one.area for one in found.objects]
    assert ranks == sorted(ranks, reverse=True)
    assert all(one.drawn.dtype == np.uint8 and one.drawn.shape[2] == 3 for one in found.objects)
    worst = found.mistakes[0]
    assert worst.name == "0.png" and worst.drawn is not None and worst.rank > found.mistakes[-1].rank
    assert "nothing there" in self_contained(tmp_path / "page.html").words


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1))
def test_the_report_adds_up_the_images(tmp_path, seed):
    rng = np.random.default_rng(seed)
    root = tmp_path / str(seed)
    expected = np.zeros(3, int)
    for number in range(3):
        true = (rng.integers(0, 4, (9, 11)) * (rng.random((9, 11)) < 0.7)).astype(np.uint8)
        image = np.where(rng.random((9, 11)) < 0.9, true > 0, true == 0) * np.uint8(255)
        write(root / "images" / f"{number}.png", image.astype(np.uint8))
        write(root / "masks" / f"{number}.png", true)
        predicted = og.Compose([og.Label()])(image=(image > 0).astype(np.uint8)).image
        match = match_objects(true, predicted)
        matched = int(match.matched(50).sum())
        expected += matched, len(match.predicted) - matched, len(match.true) - matched
    found = og.report(of_masks(WHOLE), root / "images", masks=root / "masks", instances=True)
    score = found.masks.instances.scores[0]
    assert [score.matched, score.false, score.missed] == expected.tolist()


def test_masks_that_do_not_number_objects_have_no_scores_of_objects(cells, tmp_path):
    images, masks = cells
    for path in masks.iterdir():
        og.imwrite(path, (og.imread(path, color="labels") > 0).astype(np.uint8))
    found = og.report(of_masks(WHOLE), images, tmp_path / "page.html", masks=masks)
    assert found.masks.instances is None and found.objects == () and "instances=True" in found.masks.note
    assert found.masks.iou == pytest.approx(found.masks.overlaps[0].iou)
    assert "No true mask has more than one label" in self_contained(tmp_path / "page.html").words
    assert og.report(of_masks(WHOLE), images, masks=masks, instances=True).masks.instances.true == 2
    assert og.report(of_masks(WHOLE), images, masks=masks, instances=False).masks.note == ""
    found = og.report(of_masks([og.Threshold(0.5)]), images, masks=masks)
    assert found.masks.instances is None and "do not number objects" in found.masks.note


def test_no_objects_at_all(tmp_path):
    write(tmp_path / "images" / "a.png", np.zeros((6, 6), np.uint8))
    write(tmp_path / "masks" / "a.png", np.zeros((6, 6), np.uint8))
    found = og.report(
        of_masks(WHOLE),
        tmp_path / "images",
        tmp_path / "page.html",
        masks=tmp_path / "masks",
        instances=True,
        against=WHOLE,
    )
    assert found.masks.instances.average_precision is None and found.masks.gain is None
    assert found.masks.iou == 1.0 and found.mistakes == () and found.objects == ()
    assert json.loads((tmp_path / "page.json").read_text())["masks"]["instances"]["panoptic_quality"] is None
    assert "None." in self_contained(tmp_path / "page.html").words


def test_a_volume_is_shown_by_slices(tmp_path):
    volume = np.zeros((5, 20, 24), np.uint8)
    volume[1:4, 4:12, 5:15] = 230
    mask = (volume > 0).astype(np.uint8)
    mask[3:, 14:18, 16:20] = 2
    for folder, array in (("images", volume), ("masks", mask)):
        (tmp_path / folder).mkdir()
        og.imwrite(tmp_path / folder / "a.tif", array, axes="ZYX")
    predictor = og.Predictor(
        brightness_3d,
        recipe=[og.Rescale(1 / 255)],
        task="segment",
        input_shape=(None, None, None, 1),
        postprocess=WHOLE,
    )
    found = og.report(predictor, tmp_path / "images", tmp_path / "page.html", masks=tmp_path / "masks")
    assert [(one.kind, one.label) for one in found.objects] == [("missed", 2)]
    assert found.objects[0].drawn.ndim == found.mistakes[0].drawn.ndim == 3
    assert found.masks.instances.average_precision == 0.5


def brightness_3d(batch):
    return batch if batch.ndim == 5 else batch[..., np.newaxis]


# what is refused


def test_not_a_number_is_set_aside(colours):
    def sometimes(batch):
        made = three_ways(batch)
        made[batch[:, 0, 0, 0] > 0.9] = np.nan
        return made

    predictor = og.Predictor(
        sometimes,
        recipe=[og.Resize((8, 8)), og.Rescale(1 / 255)],
        task="classify",
        class_names=["red", "green", "blue"],
    )
    found = og.report(predictor, colours, occlusion=0)
    assert found.count == 3 and {name for name, why in found.quarantined if "NaN" in why} == {
        "red/a.png",
        "blue/wrong.png",
    }


def test_nothing_known_is_an_error(colours, cells):
    with pytest.raises(og.SourceError, match="no image has a known mask to compare with; name their folder"):
        og.report(of_masks(WHOLE), cells[0])
    with pytest.raises(og.SourceError, match="no image has a known class to compare with"):
        og.report(of_colours(), colours, labels=None)


def test_an_empty_source_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(og.OffgraphError, match="empty"):
        og.report(of_colours(), tmp_path / "empty")


def test_boxes_are_refused(tmp_path):
    write(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(og.SourceError, match="boxes cannot be compared"):
        og.report(of_colours(), tmp_path, annotations="voc")
    boxes = {
        "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 8}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    boxes["annotations"] = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4]}]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    with pytest.raises(og.SourceError, match="boxes cannot be compared"):
        og.report(of_colours(), og.open_source(tmp_path, annotations=str(tmp_path / "boxes.json")))


@pytest.mark.parametrize(
    ("steps", "options", "said"),
    [
        (WHOLE, {"against": [og.Threshold(0.4)]}, "have to number them"),
        ([og.Threshold(0.5)], {"against": WHOLE}, "have to number them"),
        ([og.Threshold(0.5)], {"instances": True}, "do not number objects"),
        (WHOLE, {"pad_to": 4}, "give it to the Predictor"),
        (WHOLE, {"shown": 0}, "shown"),
        (WHOLE, {"occlusion": -1}, "occlusion"),
    ],
)
def test_options_that_do_not_fit_are_refused(cells, steps, options, said):
    with pytest.raises(og.OffgraphError, match=said):
        og.report(of_masks(steps), cells[0], masks=cells[1], **options)


def test_options_of_masks_are_refused_for_classes(colours):
    with pytest.raises(og.ArgumentError, match="against=: only for masks"):
        og.report(of_colours(), colours, against=WHOLE)
    with pytest.raises(og.ArgumentError, match="an array has no known answer"):
        og.report(of_colours(), np.zeros((9, 9, 3), np.uint8))


def test_the_page_does_not_go_into_the_source(colours):
    with pytest.raises(og.OffgraphError):
        og.report(of_colours(), colours, colours / "red" / "page.html")
    assert not (colours / "red" / "page.html").exists()
