"""ONNX files: the numbers of onnxruntime, channels first or last, of any length of batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offgraph as og

onnx: Any = pytest.importorskip("onnx", reason="onnx, which writes the files, is not installed")
onnxruntime: Any = pytest.importorskip(
    "onnxruntime", reason="onnxruntime, which runs the files, is not installed"
)

RECIPE = [og.Rescale(1 / 255)]


def write(
    path: Path, nodes: list[Any], taken: list[Any], made: dict[str, list[Any]], weights: dict[str, np.ndarray]
) -> Path:
    """A file of one input ``x``."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, taken)],
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in made.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def segmenter(path: Path, batch: Any = "n", size: tuple[Any, Any] = ("h", "w")) -> Path:
    """A 3 x 3 convolution of three channels, channels first, to a mask, and the mean of the channels."""
    node = onnx.helper.make_node
    weights = np.random.default_rng(0).normal(size=(1, 3, 3, 3)).astype(np.float32)
    nodes = [
        node("Conv", ["x", "w"], ["logits"], pads=[1, 1, 1, 1]),
        node("Sigmoid", ["logits"], ["mask"]),
        node("ReduceMean", ["x"], ["light"], axes=[2, 3], keepdims=0),
    ]
    return write(
        path, nodes, [batch, 3, *size], {"mask": [batch, 1, *size], "light": [batch, 3]}, {"w": weights}
    )


def images(count: int = 5) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 20, 24, 3), np.uint8)


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_masks_of_a_model_with_channels_first(batch: Any, tmp_path: Path) -> None:
    path = segmenter(tmp_path / "model.onnx", batch, ("h", "w") if batch != 2 else (20, 24))
    predictor = og.Predictor(path, recipe=RECIPE, output="mask", batch_size=3)
    assert predictor.saved.task == "segment"
    session = onnxruntime.InferenceSession(str(path))
    for image, found in zip(images(), predictor(images()), strict=True):
        given = np.moveaxis(og.Compose(RECIPE)(image=image).image, -1, 0)[None]
        mask, light = session.run(
            ["mask", "light"], {"x": np.repeat(given, batch if batch != "n" else 1, axis=0)}
        )
        np.testing.assert_allclose(found.probabilities, mask[0, 0], atol=1e-6)
        np.testing.assert_allclose(found.raw["light"], light[0], atol=1e-6)
        assert found.raw["mask"].shape == (20, 24, 1)
        assert np.array_equal(found.mask, found.probabilities > 0.5)


def test_classes_of_a_model_with_channels_last(tmp_path: Path) -> None:
    node = onnx.helper.make_node
    weights = np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)
    nodes = [
        node("ReduceMean", ["x"], ["light"], axes=[1, 2], keepdims=0),
        node("MatMul", ["light", "w"], ["y"]),
    ]
    path = write(tmp_path / "model.onnx", nodes, ["n", 16, 16, 3], {"y": ["n", 4]}, {"w": weights})
    recipe = [og.Resize((16, 16)), *RECIPE]
    predictor = og.Predictor(path, recipe=recipe, class_names=list("abcd"), task="classify", outputs="logits")
    for image, found in zip(images(), predictor(images()), strict=True):
        logits = og.Compose(recipe)(image=image).image.mean(axis=(0, 1)) @ weights
        np.testing.assert_allclose(found.raw["output"], logits, atol=1e-5)
        assert found.label == logits.argmax()


def test_tiles_of_an_onnx_model(tmp_path: Path) -> None:
    path = segmenter(tmp_path / "model.onnx")
    image = np.random.default_rng(3).integers(0, 256, (70, 81, 3), np.uint8)
    options: dict[str, Any] = {"recipe": RECIPE, "output": "mask"}
    whole = og.Predictor(path, **options)(image)
    tiled = og.Predictor(path, tiles=(32, 32), overlap=2, blend="none", **options)
    np.testing.assert_allclose(tiled(image).probabilities, whole.probabilities, atol=1e-6)
    tiled.to_file(image, tmp_path / "mask.npy")
    assert (np.load(tmp_path / "mask.npy") == whole.mask).mean() > 0.999


def test_what_an_onnx_file_leaves_open(tmp_path: Path) -> None:
    identity = [onnx.helper.make_node("Identity", ["x"], ["y"])]
    both = write(tmp_path / "both.onnx", identity, ["n", 3, "h", 3], {"y": ["n", 3, "h", 3]}, {})
    with pytest.raises(
        og.OffgraphError, match=r"both\.onnx: .*leaves open where the channels are; say layout="
    ):
        og.Predictor(both, recipe=RECIPE)
    declared = og.Predictor(
        both, recipe=RECIPE, layout="channels_first", input_shape=(None, 3, 3), outputs="probabilities"
    )
    assert declared.saved.input_spec.shape == (None, 3, 3)
    with pytest.raises(og.OffgraphError, match="an ONNX file holds no recipe"):
        og.Predictor(both)
    with pytest.raises(og.OffgraphError, match="layout='CHW': choose"):
        og.Predictor(both, recipe=RECIPE, layout="CHW")  # pyright: ignore[reportArgumentType]
    with pytest.raises(og.OffgraphError, match="layout=: of ONNX files alone"):
        og.Predictor(lambda batch: batch, recipe=RECIPE, layout="channels_last")
    (tmp_path / "broken.onnx").write_bytes(both.read_bytes()[:40])
    with pytest.raises(og.OffgraphError, match=r"broken\.onnx: onnxruntime cannot load it"):
        og.Predictor(tmp_path / "broken.onnx", recipe=RECIPE)
    with pytest.raises(og.OffgraphError, match=r"none\.onnx: there is no such file"):
        og.Predictor(tmp_path / "none.onnx", recipe=RECIPE)
    flat = write(tmp_path / "flat.onnx", identity, ["n", 3], {"y": ["n", 3]}, {})
    with pytest.raises(og.OffgraphError, match="a model takes one batch of images"):
        og.Predictor(flat, recipe=RECIPE)
