"""Detectors saved with their recipe and what their outputs are; SavedModel and ONNX files."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import numpy as np
import pytest
from tests.support.detectors import boxes_in
from tests.support.models import keras

import offgraph as og
from offgraph.frameworks.member import MEMBER

layers = keras.layers
IMAGE = np.random.default_rng(4).integers(0, 256, (40, 60, 3)).astype(np.uint8)
STEPS = [og.NonMaximumSuppression(0.5, min_score=0.2)]


def detector() -> Any:
    """Three boxes whose sizes follow from the image's mean, as shares, y first; their class scores are logits."""
    image = keras.Input((32, 32, 3))
    mean = layers.GlobalAveragePooling2D()(image)
    boxes = layers.Reshape((3, 4), name="boxes")(layers.Dense(12, activation="sigmoid")(mean))
    widened = keras.ops.concatenate([boxes[..., :2] * 0.5, 0.5 + 0.5 * boxes[..., 2:]], axis=-1)
    scores = layers.Reshape((3, 2), name="scores")(layers.Dense(6)(mean))
    model = keras.Model(image, {"boxes": widened, "scores": scores})
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 3, weight.shape) for weight in model.get_weights()])
    return model


RECIPE = [og.LetterBox((32, 32)), og.Augment(og.Flip("X")), og.Rescale(1 / 255)]
DECLARED = og.DetectionOutputs(format="rel_yxyx", activation="sigmoid")


def same(one: Any, other: Any) -> None:
    np.testing.assert_allclose(boxes_in(one).edges, boxes_in(other).edges, atol=1e-3)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
    assert one.labels == other.labels and one.labelled == other.labelled


def test_saved_with_its_recipe_and_its_outputs(tmp_path):
    model = detector()
    path = og.save(
        model, RECIPE, tmp_path / "d.keras", detection=DECLARED, class_names=["cat", "dog"], postprocess=STEPS
    )
    saved = og.load(path)
    assert saved.task == "detect" and saved.output == "boxes" and saved.outputs is None
    assert saved.detection == DECLARED.resolved(("boxes", "scores"))
    result = og.Predictor(path)(IMAGE)
    unsaved = og.Predictor(
        model, recipe=RECIPE, detection=DECLARED, class_names=["cat", "dog"], postprocess=STEPS
    )(IMAGE)
    same(result, unsaved)
    # By hand: one box after the other.
    prepared = og.Compose(RECIPE).eval()(image=IMAGE)
    made = model.predict_on_batch(prepared.image[np.newaxis])
    probability = 1 / (1 + np.exp(-np.asarray(made["scores"][0], np.float64)))
    y0, x0, y1, x1 = 32 * np.asarray(made["boxes"][0], np.float64).T
    boxes = og.Boxes(np.stack([x0, y0, x1, y1], axis=1), size=(32, 32))
    back = prepared.frame.undo(boxes=boxes)
    scores, labels = probability.max(axis=1)[back.ids], probability.argmax(axis=1)[back.ids]
    kept = og.non_maximum_suppression(back, scores, 0.5, classes=labels, min_score=0.2)
    assert len(kept)
    np.testing.assert_allclose(boxes_in(result).edges, back.edges[kept], atol=1e-4)
    np.testing.assert_allclose(result.scores, scores[kept], atol=1e-6)
    assert result.labels == tuple(labels[kept].tolist())
    assert set(result.raw) == {"boxes", "scores"}


def test_a_saved_model_folder_and_an_onnx_file(tmp_path):
    model = detector()
    options: dict[str, Any] = {
        "recipe": RECIPE, "detection": DECLARED, "class_names": ["cat", "dog"], "postprocess": STEPS,
    }  # fmt: skip
    wanted = og.Predictor(model, **options)(IMAGE)
    model.export(tmp_path / "exported", verbose=False)
    same(og.Predictor(tmp_path / "exported", **options)(IMAGE), wanted)
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node
    weights = {
        name: onnx.numpy_helper.from_array(np.asarray(value), name)
        for name, value in zip(("wb", "bb", "ws", "bs"), model.get_weights())
    }
    shapes = [onnx.numpy_helper.from_array(np.array(shape), name) for name, shape in (("sb", [-1, 3, 4]), ("ss", [-1, 3, 2]))]  # fmt: skip
    half = onnx.numpy_helper.from_array(np.array([0.5], np.float32), "half")
    low = onnx.numpy_helper.from_array(np.array([0, 0, 0.5, 0.5], np.float32), "low")
    axes = onnx.numpy_helper.from_array(np.array([1, 2]), "axes")
    nodes = [
        node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        node("Gemm", ["mean", "wb", "bb"], ["b0"]), node("Sigmoid", ["b0"], ["b1"]),
        node("Reshape", ["b1", "sb"], ["b2"]), node("Mul", ["b2", "half"], ["b3"]), node("Add", ["b3", "low"], ["boxes"]),
        node("Gemm", ["mean", "ws", "bs"], ["s0"]), node("Reshape", ["s0", "ss"], ["scores"]),
    ]  # fmt: skip
    info, floats = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes, "g", [info("image", floats, ["B", 32, 32, 3])],
        [info("boxes", floats, ["B", 3, 4]), info("scores", floats, ["B", 3, 2])], [*weights.values(), *shapes, half, low, axes],
    )  # fmt: skip
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), tmp_path / "d.onnx"
    )
    same(og.Predictor(tmp_path / "d.onnx", **options)(IMAGE), wanted)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"detection": None}, "names the task 'detect', and says of a detector's outputs None"),
        ({"detection": {"format": "zxy"}}, "format='zxy': known are"),
        ({"detection": {"shape": 3}}, "says not what a detector's outputs are"),
        ({"task": "classify"}, "names the task 'classify', and says of a detector's outputs {"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path, change, says):
    path = og.save(detector(), RECIPE, tmp_path / "d.keras", detection=DECLARED)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[MEMBER] = json.dumps(json.loads(members[MEMBER]) | change).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(og.OffgraphError, match=says):
        og.load(path)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"detection": og.DetectionOutputs(labels="kinds")}, "labels='kinds': the model has the outputs"),
        ({"task": "segment"}, "the task is 'segment'"),
        ({"outputs": "logits"}, r"DetectionOutputs\(activation=…\)"),
        ({"postprocess": [og.Threshold(0.5)]}, "Threshold is for masks"),
        ({"target_names": ["x"]}, "they name numbers, and the task is 'detect'"),
        ({"detection": {"format": "xyxy"}}, "give offgraph.DetectionOutputs"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_not_saved(tmp_path, options, says):
    with pytest.raises(og.OffgraphError, match=says):
        og.save(detector(), RECIPE, tmp_path / "d.keras", **{"detection": DECLARED, **options})
    assert not list(tmp_path.iterdir())
