"""The example that trains a detector: what it teaches is what its detector reads, and a small run of it end to end."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.support.detectors import bright

import offgraph as og

pytest.importorskip("keras", reason="Keras is not installed")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

SIZE = (48, 64)


@pytest.fixture(scope="module")
def example() -> Any:
    path = Path(__file__).parents[2] / "examples" / "detect_cells.py"
    spec = importlib.util.spec_from_file_location("detect_cells", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_taught_is_what_is_read(example):
    """A network that gave its targets would give the true boxes, each at its centre's cell with a score of 1."""
    boxes = np.array([[[4, 6, 20, 30], [30.5, 2, 60, 21.5], [-1, -1, -1, -1]]])
    objects = SimpleNamespace(
        boxes=boxes, classes=np.array([[1, 0, -1]]), valid=np.array([[True, True, False]])
    )
    heat, shape = example.targets(objects, SIZE, 2)
    assert heat.shape == (1, 12, 16, 2) and (heat == 1).sum() == 2
    for (left, upper, right, lower), kind in zip(boxes[0, :2], (1, 0)):
        (row,), (column,) = np.nonzero(heat[0, ..., kind] == 1)
        x, y, *lengths = shape[0, row, column, :4]
        centre = example.STRIDE * np.array([x + column + 0.5, y + row + 0.5])
        np.testing.assert_allclose(centre, [(left + right) / 2, (upper + lower) / 2], atol=1e-4)
        np.testing.assert_allclose(np.exp(lengths) * example.UNIT, [right - left, lower - upper], rtol=1e-5)


def test_a_small_run(example, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "cells" / "images").mkdir(parents=True)
    true = {}
    for number in range(12):
        top, left = int(rng.integers(2, 24)), int(rng.integers(2, 34))
        bottom, right = top + int(rng.integers(12, 20)), left + int(rng.integers(12, 24))
        og.imwrite(
            tmp_path / "cells" / "images" / f"{number}.png", bright(SIZE, [(top, left, bottom, right)], [255])
        )
        true[f"{number}.png"] = og.Boxes([[left, top, right, bottom]], size=SIZE, labels=[0])
    og.write_annotations(tmp_path / "cells", true, format="coco", class_names=["cell"])
    source = og.open_source(tmp_path / "cells")
    path, held_out = example.train(source, tmp_path / "out", SIZE, epochs=30)
    assert len(held_out) == 4 and og.load(path).task == "detect"
    plain, turned = (og.report(og.Predictor(path, tta=tta), held_out) for tta in (None, "mirrored"))
    assert plain.boxes is not None and turned.boxes is not None
    assert plain.boxes.scores[0].true == 4
    assert (
        plain.boxes.at_half is not None and plain.boxes.at_half > 0.3
    )  # bright boxes on black are learned at once
    assert turned.boxes.at_half is not None and turned.boxes.at_half > 0.3
