"""Detectors: outputs in every declared form, boxes and keypoints back on the original, variants and ensembles, hostile outputs."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.detectors import blobs, boxes_in, bright, saying

import offgraph as og
from offgraph.inference.detections import read_detections
from offgraph.targets.box_formats import boxes_of_edges

SIZE = (48, 64)


def some(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges inside an image of SIZE, scores that fall, and labels."""
    rng = np.random.default_rng(seed)
    low = rng.random((count, 2)) * np.array(SIZE) * 0.6 - 0.5
    edges = np.concatenate([low, low + 1 + rng.random((count, 2)) * 15], axis=1)
    return edges, np.sort(rng.uniform(0.1, 1, count))[::-1], rng.integers(0, 3, count)


# ---- what outputs mean


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 9999),
    count=st.integers(0, 9),
    format=st.sampled_from(
        ["xyxy", "XYWH", "cxcywh", "yxyx", "center_xywh", "rel_yxyx", "yolo", "coco", "voc"]
    ),
    shares=st.booleans(),
    centre=st.booleans(),
)
def test_every_format_gives_the_same_edges(seed, count, format, shares, centre):
    edges, scores, labels = some(seed, count)
    said_shares = format in ("rel_yxyx", "yolo")
    shares = (shares or said_shares) and format != "voc"
    centre = centre and not shares and format != "voc"
    kind = {"XYWH": "xywh", "yxyx": "xyxy", "center_xywh": "cxcywh", "rel_yxyx": "xyxy", "yolo": "cxcywh"}
    numbers = boxes_of_edges(edges - 0.5 * centre, kind.get(format, format), SIZE)  # type: ignore[arg-type]
    if shares:
        numbers = numbers / np.array([SIZE[1], SIZE[0], SIZE[1], SIZE[0]])
    if "yxyx" in format:
        numbers = numbers[:, [1, 0, 3, 2]]
    declared = og.DetectionOutputs(
        format=format, unit="shares" if shares else "pixels", origin="centre" if centre else "edge"
    ).resolved(("boxes", "scores", "labels"))
    declared = og.DetectionOutputs.from_dict(json.loads(json.dumps(declared.to_dict())))
    order = np.random.default_rng(seed).permutation(count)
    outputs = {"boxes": numbers[order], "scores": scores[order], "labels": labels[order].astype(np.float32)}
    found = read_detections(outputs, declared, SIZE, 3, "it")
    assert found.edges is not None
    np.testing.assert_allclose(found.edges, edges, atol=1e-9)
    np.testing.assert_array_equal(found.scores, scores)
    np.testing.assert_array_equal(found.labels, labels)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    "columns", [("box", "scores"), ("box", "score", "scores"), ("skip", "box", "score", "label")]
)
def test_one_output_of_columns(columns, transposed):
    edges, scores, labels = some(1, 6)
    numbers = boxes_of_edges(edges, "cxcywh", SIZE)
    classes = np.full((6, 3), 0.01)
    classes[np.arange(6), labels] = scores
    parts = {"box": numbers, "scores": classes, "score": np.full((6, 1), 0.5), "label": labels[:, None], "skip": np.ones((6, 1))}  # fmt: skip
    made = np.concatenate([parts[one] for one in columns], axis=1)
    declared = og.DetectionOutputs(format="cxcywh", columns=columns, transposed=transposed)
    model = saying(made.T if transposed else made)
    result = og.Predictor(
        model, recipe=[og.Rescale(1 / 255)], task="detect", detection=declared, class_names=["a", "b", "c"]
    )(np.zeros((*SIZE, 3), np.uint8))
    wanted = {"scores": scores, "score": np.full(6, 0.5)}
    expected = np.prod([wanted[one] for one in columns if one in wanted], axis=0)
    np.testing.assert_allclose(result.scores, expected)
    np.testing.assert_allclose(boxes_in(result).edges, edges, atol=1e-5)
    assert result.labels == tuple(labels.tolist()) and result.labelled == tuple("abc"[n] for n in labels)


@pytest.mark.parametrize("background", ["none", "first", "last"])
@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
def test_scores_of_classes(activation, background):
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(7, 4))
    values = {"none": rng.random((7, 4)), "sigmoid": logits, "softmax": logits}[activation]
    expected = {
        "none": values,
        "sigmoid": 1 / (1 + np.exp(-values)),
        "softmax": np.exp(values) / np.exp(values).sum(axis=1, keepdims=True),
    }[activation]
    classes = {"none": expected, "first": expected[:, 1:], "last": expected[:, :-1]}[background]
    edges = np.tile([1.0, 2, 9, 9], (7, 1))
    declared = og.DetectionOutputs(activation=activation, background=background)
    found = read_detections(
        {"boxes": edges, "scores": values},
        declared.resolved(("boxes", "scores")),
        SIZE,
        classes.shape[1],
        "it",
    )
    order = np.argsort(-classes.max(axis=1), kind="stable")
    np.testing.assert_allclose(found.scores, classes.max(axis=1)[order])
    np.testing.assert_array_equal(found.labels, classes.argmax(axis=1)[order])


def test_padding_is_left_out():
    boxes = np.tile([1.0, 1, 5, 5], (6, 1))
    boxes[2] = np.nan  # of a row that does not count
    outputs = {
        "boxes": boxes,
        "scores": np.array([0.9, 0.0, -1, 0.5, 0.4, 0.3]),
        "labels": np.array([0, 0, 0, -1, 1, 1.0]),
        "num_detections": np.array(5.0),
    }
    declared = og.DetectionOutputs().resolved(tuple(outputs))
    found = read_detections(outputs, declared, SIZE, 2, "it")
    assert found.scores.tolist() == [0.9, 0.4] and found.labels.tolist() == [0, 1]
    counted = og.DetectionOutputs(background="first").resolved(tuple(outputs))  # label 0 is no object
    assert read_detections(outputs, counted, SIZE, 2, "it").labels.tolist() == [0]


# ---- back on the original


RECIPES = {
    "resize": [og.Resize((40, 40))],
    "letterbox": [og.LetterBox((64, 64))],
    "crop": [og.CenterCrop((40, 50))],
    "turned": [og.D4("r90"), og.Resize((50, 30)), og.Flip("X")],
    "rotated": [og.Rotate(17), og.Resize((64, 64))],
    "bent": [og.LensDistortion(0.1)],
}


@pytest.mark.parametrize("kind", RECIPES)
def test_boxes_come_back_as_the_targets_do(kind):
    """A model that gives the true boxes, as the recipe moved them, gives what `Frame.undo` gives of them."""
    recipe = og.Compose([*RECIPES[kind], og.Rescale(1 / 255)])
    edges, scores, labels = some(3, 8)
    true = og.Boxes(boxes_of_edges(edges, "xyxy", SIZE), size=SIZE, labels=labels)
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    out = recipe(image=image, boxes=true)
    moved = out.boxes
    assert moved is not None and moved.labels is not None and len(moved) > 3
    model = saying(moved.to("xyxy"), scores[: len(moved)], moved.labels, names=("boxes", "scores", "labels"))
    result = og.Predictor(model, recipe=recipe, task="detect", class_names=["a", "b", "c"])(image)
    back = out.frame.undo(boxes=moved)
    np.testing.assert_allclose(boxes_in(result).edges, back.edges, atol=1e-4)
    assert boxes_in(result).size == SIZE
    if kind in ("resize", "letterbox"):  # nothing is cut off there
        np.testing.assert_allclose(boxes_in(result).edges, true.edges, atol=1e-4)


def test_boxes_are_clipped_and_dropped_at_the_border():
    given = np.array([[-10.0, -10, 8, 8], [60, 40, 90, 90], [100, 100, 120, 120], [5, 5, 5, 9]])
    model = saying(given, [0.9, 0.8, 0.7, 0.6], names=("boxes", "scores"))
    result = og.Predictor(model, recipe=[og.Rescale(1 / 255)], task="detect")(np.zeros((*SIZE, 3), np.uint8))
    assert boxes_in(result).array.tolist() == [[0, 0, 8, 8], [60, 40, 64, 48]]
    assert result.summary == "2 0" and result.labelled == ("0", "0")


def test_orientation_of_the_file_is_undone_first(tmp_path):
    from PIL import Image

    stored = bright((40, 60), [(5, 10, 15, 30)], [255])
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise to be upright
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    predictor = og.Predictor(blobs, recipe=[og.LetterBox((60, 60)), og.Rescale(1 / 255)], task="detect")
    (result,) = predictor(tmp_path)
    assert result.image.shape[:2] == (60, 40)
    np.testing.assert_allclose(boxes_in(result).array, [[25, 10, 35, 30]], atol=1e-6)


def test_result_steps_choose_boxes():
    edges, scores, labels = some(8, 30)
    model = saying(boxes_of_edges(edges, "xyxy", SIZE), scores, labels, names=("boxes", "scores", "labels"))
    options: dict[str, Any] = {"recipe": [og.Rescale(1 / 255)], "task": "detect", "class_names": list("abc")}
    image = np.zeros((*SIZE, 3), np.uint8)
    plain = og.Predictor(model, **options)(image)
    steps = [og.NonMaximumSuppression(0.2, min_score=0.3, max_boxes=9)]
    chosen = og.Predictor(model, postprocess=steps, **options)(image)
    kept = og.non_maximum_suppression(
        plain.boxes, plain.scores, 0.2, classes=plain.labels, min_score=0.3, max_boxes=9
    )
    assert len(kept) < len(plain.scores)
    np.testing.assert_array_equal(boxes_in(chosen).edges, plain.boxes.edges[kept])
    with pytest.raises(og.OffgraphError, match="FillHoles is for masks"):
        og.Predictor(model, postprocess=[og.FillHoles()], **options)


# ---- variants and ensembles


@pytest.mark.parametrize("tta", ["mirrored", "flips", "d4", [og.Flip("X"), og.D4("t")]])
def test_an_equivariant_detector_is_unchanged(tta):
    places = [(5, 10, 15, 30), (30, 4, 44, 20), (20, 40, 44, 60), (4, 50, 10, 62)]
    image = bright(SIZE, places, [100, 140, 200, 240])
    options: dict[str, Any] = {
        "recipe": [og.LetterBox((96, 96)), og.Rescale(1 / 255)],
        "task": "detect",
        "class_names": ["dim", "bright"],
    }
    plain = og.Predictor(blobs, **options)(image)
    turned = og.Predictor(blobs, tta=tta, **options)(image)
    assert len(plain.scores) == 4 and plain.labels == turned.labels
    np.testing.assert_allclose(boxes_in(turned).edges, boxes_in(plain).edges, atol=1e-9)
    np.testing.assert_allclose(turned.scores, plain.scores, rtol=1e-12)


def test_several_models_are_fused_as_the_function_fuses():
    rng = np.random.default_rng(2)
    edges, _, labels = some(11, 12)
    answers = [(edges + rng.normal(0, 0.7, edges.shape), rng.uniform(0.2, 1, 12), labels) for _ in range(3)]
    answers[1] = tuple(part[:7] for part in answers[1])  # type: ignore[assignment]
    names = ("boxes", "scores", "labels")
    models = [saying(boxes_of_edges(e, "xyxy", SIZE), s, n, names=names) for e, s, n in answers]
    options: dict[str, Any] = {"recipe": [og.Rescale(1 / 255)], "task": "detect", "class_names": list("abc")}
    result = og.Predictor(models, **options)(np.zeros((*SIZE, 3), np.uint8))
    limits = np.tile(np.array(SIZE) - 0.5, 2)
    order = [np.argsort(-s, kind="stable") for _, s, _ in answers]
    fused, made, _ = og.fuse_boxes(
        np.concatenate([np.clip(e, -0.5, limits)[o] for (e, _, _), o in zip(answers, order)]),
        np.concatenate([s[o] for (_, s, _), o in zip(answers, order)]),
        0.55,
        classes=np.concatenate([n[o] for (_, _, n), o in zip(answers, order)]),
        answers=3,
    )
    np.testing.assert_allclose(boxes_in(result).edges, fused, atol=1e-9)
    np.testing.assert_allclose(result.scores, made)


# ---- keypoints


def corners(batch: np.ndarray) -> np.ndarray:
    """(B, 2, 3): the left and the right end of what is bright, in pixels from the image's edge, with a score."""
    out = np.zeros((len(batch), 2, 3), np.float32)
    for number, image in enumerate(batch):
        rows, columns = np.nonzero(image[..., 0] > 0.3)
        if not len(rows):
            continue
        left, right = columns.argmin(), columns.argmax()
        out[number] = [
            [columns[at] + 0.5, rows[at] + 0.5, score] for at, score in ((left, 0.9), (right, 0.7))
        ]
    return out


@pytest.mark.parametrize("tta", [None, "mirrored", [og.Flip("X"), og.Pad((3, 5))]])
def test_keypoints_come_back_and_pairs_change_places(tta):
    """In a mirror image the left end is the right one: with the pair declared, all variants agree."""
    image = np.zeros((*SIZE, 3), np.uint8)
    image[10, 5] = image[30, 50] = 255
    options: dict[str, Any] = {"recipe": [og.Pad((8, 4)), og.Rescale(1 / 255)], "task": "detect", "tta": tta}
    declared = og.DetectionOutputs(boxes=None, points="output", pairs=[(0, 1)])  # type: ignore[arg-type]
    result = og.Predictor(corners, detection=declared, **options)(image)
    assert result.boxes is None and result.labels is None and result.summary == "2 points"
    np.testing.assert_allclose(result.points.places, [[10, 5], [30, 50]], atol=1e-9)
    said = (
        [[0.9, 0.7]] if tta is None else [[0.9, 0.7], [0.7, 0.9], [0.9, 0.7]][: 2 if tta == "mirrored" else 3]
    )
    scores = np.mean(said, axis=0)
    np.testing.assert_allclose(result.points.extra["score"], scores, rtol=1e-6)


def test_keypoints_of_boxes_go_with_them():
    points = np.array(
        [[[10, 10, 1], [20, 12, 0.5]], [[30, 30, 1], [100, 31, 0.5]], [[11, 10, 1], [21, 12, 1]]], float
    )
    boxes = np.array([[5, 5, 25, 15], [25, 25, 45, 40], [5, 5, 25, 15]], float)
    model = saying(boxes, [0.5, 0.9, 0.4], points, names=("boxes", "scores", "keypoints"))
    options: dict[str, Any] = {
        "recipe": [og.Rescale(1 / 255)],
        "task": "detect",
        "detection": og.DetectionOutputs(points="keypoints"),
        "postprocess": [og.NonMaximumSuppression(0.5)],
    }
    result = og.Predictor(model, **options)(np.zeros((*SIZE, 3), np.uint8))
    assert result.points.places.tolist() == [[[29.5, 29.5], [30.5, 99.5]], [[9.5, 9.5], [11.5, 19.5]]]
    assert result.points.visible.tolist() == [[True, False], [True, True]]
    assert result.points.extra["score"].tolist() == [[1, 0], [1, 0.5]]
    flat = np.concatenate([boxes, np.array([[0.5], [0.9], [0.4]]), points.reshape(3, 6)], axis=1)
    options["detection"] = og.DetectionOutputs(columns=("box", "score", "points"))
    again = og.Predictor(saying(flat), **options)(np.zeros((*SIZE, 3), np.uint8))
    np.testing.assert_array_equal(again.points.places, result.points.places)


# ---- hostile outputs


def predicted(model: Any, **options: Any) -> Any:
    options = {"recipe": [og.Rescale(1 / 255)], "task": "detect", **options}
    return og.Predictor(model, **options)(np.zeros((*SIZE, 3), np.uint8))


ONE = np.array([[1.0, 1, 5, 5]])
NAMES = ("boxes", "scores", "labels")


@pytest.mark.parametrize(
    ("answers", "options", "says"),
    [
        ((ONE * np.nan, [0.5]), {}, r"box 0 for it is \(nan, nan, nan, nan\) with score 0.5, not finite"),
        ((ONE, [np.nan]), {}, "with score nan, not finite"),
        ((ONE, [[0.5, np.nan]]), {}, "with score nan, not finite"),
        ((ONE, [np.inf]), {}, "with score inf, not finite"),
        ((ONE[:, ::-1], [0.5]), {}, "1 of the model's 1 boxes for it end before they begin; is the format"),
        ((ONE, [0.5, 0.4]), {}, r"'scores' has the shape \(B, 2\); expected \(B, 1\) or"),
        ((ONE, [0.5], [0, 1]), {}, r"'labels' has the shape \(B, 2\); expected \(B, 1\), one label per box"),
        ((ONE, [0.5], [[0.3, 0.7]]), {}, r"'labels' has the shape \(B, 1, 2\).*Say scores="),
        ((ONE[:, :3], [0.5]), {}, r"'boxes' gives \(None, 1, 3\), a detector gives \(batch, boxes, 4\)"),
        ((ONE[0], [0.5]), {}, r"'boxes' gives \(None, 4\), a detector gives \(batch, boxes, 4\)"),
        ((ONE, [0.5], [0.5]), {}, "label of box 0 for it is 0.5, not a whole number"),
        ((ONE, [0.5], [2]), {"class_names": ["a", "b"]}, r"label 2 for it is not one of 2 classes.*background='first'"),
        ((ONE, [[0.5, 0.1, 0.2]]), {"class_names": ["a", "b"]}, "scores of 3 classes, and there are 2 class names"),
    ],
)  # fmt: skip
def test_outputs_that_cannot_be_read(answers, options, says):
    with pytest.raises(og.OffgraphError, match=says):
        predicted(saying(*answers, names=NAMES[: len(answers)]), **options)


POINTS = np.array([[[20.0, 20, 0.9], [30, 20, 0.5]], [[10, 10, 0.9], [12, 20, 0.5]]])
BOTH = np.array([[1.0, 1, 5, 5], [2, 2, 9, 9]])


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("alone", [False, True])
def test_keypoints_that_are_not_finite(column: int, value: float, alone: bool):
    points = POINTS.copy()
    points[1, 0, column] = value
    if alone:
        declared = og.DetectionOutputs(boxes=None, points="output")
        model: Any = lambda batch: points[[1]]  # noqa: E731
        says = "keypoint 0 for it is at"
    else:
        declared = og.DetectionOutputs(points="keypoints")
        model = saying(BOTH, [0.5, 0.9], points, names=("boxes", "scores", "keypoints"))
        says = "keypoint 0 for it, of box 0 by falling score, is at"
    with pytest.raises(og.StepError, match=f"{says}.*, not finite"):
        predicted(model, detection=declared)


def test_keypoints_that_do_not_count_need_no_place():
    points = POINTS.copy()
    points[1, 0] = np.nan, np.nan, 0
    points[0] = np.nan  # of a box that does not count
    model = saying(BOTH, [0, 0.9], points, names=("boxes", "scores", "keypoints"))
    for tta in (None, "d4"):
        found = predicted(model, detection=og.DetectionOutputs(points="keypoints"), tta=tta).points
        assert found.visible[0].tolist() == [False, True]
        assert np.isfinite(found.places[:, 1]).all() and found.extra["score"][0, 0] == 0
    declared = og.DetectionOutputs(boxes=None, points="output")
    assert predicted(lambda batch: points[[1]], detection=declared).points.visible.tolist() == [False, True]


def test_scores_that_are_no_probabilities_are_warned_of():
    declared = og.DetectionOutputs(activation="sigmoid")
    logits = saying(BOTH, [2.5, -0.5], names=NAMES[:2])
    with pytest.warns(og.OffgraphWarning, match=r"scores reach 2\.5, which are no probabilities.*'sigmoid'"):
        predicted(logits)
    with warnings.catch_warnings():
        warnings.simplefilter("error", og.OffgraphWarning)
        scores = predicted(logits, detection=declared).scores
        predicted(saying(BOTH, [1.0000002, 0], names=NAMES[:2]))
    np.testing.assert_allclose(scores, 1 / (1 + np.exp([-2.5, 0.5])))


def test_no_boxes():
    result = predicted(saying(np.zeros((0, 4)), np.zeros(0), names=NAMES[:2]))
    assert len(boxes_in(result)) == 0 and result.summary == "no box" and result.labels == ()
    assert result.draw().shape == (*SIZE, 3)
    result = predicted(saying(ONE, [0.0], names=NAMES[:2]), tta="d4")
    assert len(boxes_in(result)) == 0


def test_another_batch_length_is_one_error():
    def model(batch: np.ndarray) -> dict[str, np.ndarray]:
        return {"boxes": np.zeros((len(batch), 3, 4)), "scores": np.zeros((1, 3))}

    images = [np.zeros((*SIZE, 3), np.uint8)] * 2
    predictor = og.Predictor(model, recipe=[og.Rescale(1 / 255)], task="detect")
    with pytest.raises(
        og.OffgraphError, match=r"model: 'scores' has the shape \(1, 3\) for a batch of 2 images"
    ):
        list(predictor(images))


def test_one_bad_image_is_set_aside():
    def model(batch: np.ndarray) -> dict[str, np.ndarray]:
        boxes = np.tile(ONE, (len(batch), 1, 1))
        boxes[batch.mean(axis=(1, 2, 3)) > 0.5] = np.nan
        return {"boxes": boxes, "scores": np.ones((len(batch), 1))}

    images = [np.full((*SIZE, 3), value, np.uint8) for value in (0, 255, 10)]
    run = og.Predictor(model, recipe=[og.Rescale(1 / 255)], task="detect")(images)
    assert [one.index for one in run] == [0, 2]
    assert [name for name, _ in run.quarantined] == ["1"] and "not finite" in run.quarantined[0][1]


def test_shares_taken_for_pixels_warn():
    with pytest.warns(og.OffgraphWarning, match="say DetectionOutputs.unit='shares'"):
        predicted(saying(ONE / 10, [0.5], names=NAMES[:2]))
    with pytest.warns(og.OffgraphWarning, match="say DetectionOutputs.unit='pixels'"):
        predicted(saying(ONE, [0.5], names=NAMES[:2]), detection=og.DetectionOutputs(unit="shares"))


def test_a_hundred_thousand_boxes():
    rng = np.random.default_rng(0)
    low = rng.random((100_000, 2)) * [60, 44]
    boxes = np.concatenate([low, low + 0.1 + rng.random((100_000, 2)) * 3.9], axis=1)
    model = saying(boxes, rng.uniform(0.01, 1, 100_000), names=NAMES[:2])
    result = predicted(model, postprocess=[og.NonMaximumSuppression(0.5, max_boxes=300)])
    assert len(boxes_in(result)) == 300 and (np.diff(result.scores) <= 0).all()
    assert len(boxes_in(predicted(model))) == 100_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"format": "zxyw"}, "format='zxyw': known are xyxy"),
        ({"unit": "percent"}, "unit='percent': choose 'pixels' or 'shares'"),
        ({"columns": ("box", "boxes")}, "give some of box, score"),
        ({"columns": ("score", "label")}, "'box' is needed"),
        ({"transposed": True}, "say which, columns="),
        ({"boxes": None}, "say which output they are, points="),
        ({"origin": "centre", "unit": "shares"}, "shares says where 0 is"),
        ({"pairs": [(0, 0)]}, "pairs="),
        ({"boxes": 1.5}, "boxes=1.5: give the name of an output"),
    ],
)
def test_declarations_that_mean_nothing(options, says):
    with pytest.raises(og.OffgraphError, match=says):
        og.DetectionOutputs(**options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"detection": og.DetectionOutputs(scores="p")}, "scores='p': the model has the outputs 'boxes', 'scores'"),
        ({"detection": og.DetectionOutputs(boxes=4)}, "boxes=4: the model has 2 outputs"),
        ({"detection": og.DetectionOutputs(), "task": "segment"}, "the task is 'segment'"),
        ({"output": "boxes"}, "of a detector detection= names the outputs"),
        ({"merge": "max"}, "merged by weighted fusion"),
        ({"tiles": 32, "blend": "none"}, "of masks; boxes of several tiles are joined"),
        ({"outputs": "logits"}, "say it by DetectionOutputs"),
        ({"input_shape": (None, None, None, 1)}, "boxes are predicted for images"),
    ],
)  # fmt: skip
def test_options_that_detectors_do_not_have(options, says):
    with pytest.raises(og.OffgraphError, match=says):
        predicted(saying(ONE, [0.5], names=NAMES[:2]), **options)
