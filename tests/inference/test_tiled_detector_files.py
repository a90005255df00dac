"""Detectors from disk to disk: the boxes of the run in memory, also after it was killed."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.inference.test_tiled_detectors import OPTIONS, scene
from tests.support.detectors import centres, finding, listed, squares

import offgraph as og
from offgraph.apps.cli import main
from offgraph.errors import ArgumentError, OffgraphError, StepError


class Killed(BaseException):
    """Ends a run as an interrupt does: no error of the model."""


def tiled(model: Any = None, **options: Any) -> og.Predictor:
    return og.Predictor(model or finding(300), **{"tiles": (64, 80), "overlap": 30, **OPTIONS, **options})


def edges_of(boxes: og.Boxes) -> list[tuple[float, ...]]:
    assert boxes.labels is not None
    return sorted(zip(*boxes.edges.T.tolist(), boxes.extra["score"].tolist(), boxes.labels.tolist()))


def test_every_format_holds_the_boxes_of_the_run_in_memory(tmp_path: Path) -> None:
    image = scene(0)
    og.imwrite(tmp_path / "image.tif", image)
    expected = tiled()(image)
    shares: list[float] = []
    for suffix in ("csv", "geojson", "json"):
        out = tmp_path / f"out.{suffix}"
        made = tiled(batch_size=2).to_file(tmp_path / "image.tif", out, progress=shares.append)
        assert (
            isinstance(made, og.TiledBoxes) and made.path == out and not made.resumed and made.points is None
        )
        assert edges_of(made.boxes) == listed(expected) and made.tiles == 5 * 4
        assert made.boxes.size == image.shape[:2] and not list(tmp_path.glob("*.tiles"))
    assert shares[-1] == 1.0 and max(np.diff(shares[: len(shares) // 3])) < 0.2
    numbers, labels = made.boxes.to("xyxy").tolist(), np.asarray(made.boxes.labels)
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [[float(row[side]) for side in ("left", "upper", "right", "lower")] for row in rows] == numbers
    assert [row["class"] for row in rows] == [OPTIONS["class_names"][n] for n in labels.tolist()]
    features = json.loads((tmp_path / "out.geojson").read_text())["features"]
    assert [[*one["geometry"]["coordinates"][0][0], *one["geometry"]["coordinates"][0][2]] for one in features] == numbers  # fmt: skip
    results = json.loads((tmp_path / "out.json").read_text())
    assert [one["score"] for one in results] == made.boxes.extra["score"].tolist()
    assert [one["category_id"] for one in results] == (labels + 1).tolist()


def with_keypoints(batch: np.ndarray) -> dict[str, np.ndarray]:
    """The centre of each box, and its upper left corner, which a box of class 0 does not have."""
    made = finding(300)(batch)
    boxes = made["boxes"]
    points = np.ones((*boxes.shape[:2], 2, 3), np.float32)
    points[:, :, 0, :2] = (boxes[..., :2] + boxes[..., 2:]) / 2
    points[:, :, 1, :2] = boxes[..., :2]
    points[:, :, 1, 2] = 0.25
    points[:, :, 1][made["labels"] == 0] = np.nan, np.nan, 0
    return made | {"keypoints": points}


def test_files_hold_the_keypoints_of_boxes(tmp_path: Path) -> None:
    image = scene(0)
    options: dict[str, Any] = {"detection": og.DetectionOutputs(points="keypoints", pairs=((0, 1),))}
    expected = og.Predictor(with_keypoints, **{**OPTIONS, **options})(image)
    assert expected.points is not None and expected.boxes is not None
    by_box = {
        tuple(edges): np.column_stack([places[:, ::-1] + 0.5, scores]).tolist()
        for edges, places, scores in zip(
            expected.boxes.to("xyxy").tolist(), expected.points.places, expected.points.extra["score"]
        )
    }
    assert {row[1][2] for row in by_box.values()} == {0, 0.25}
    read = {}
    for suffix in ("csv", "geojson", "json"):
        made = tiled(with_keypoints, **options).to_file(image, tmp_path / f"out.{suffix}")
        assert made.points is not None and made.points.pairs == ((0, 1),)
        read[suffix] = (tmp_path / f"out.{suffix}").read_text()
    absent = [None, None, 0.0]
    wanted = {edges: [point if point[2] else absent for point in points] for edges, points in by_box.items()}
    names = ("x0", "y0", "score0", "x1", "y1", "score1")
    rows = list(csv.DictReader(read["csv"].splitlines()))
    found = {
        tuple(float(row[side]) for side in ("left", "upper", "right", "lower")): [
            float(row[name]) if row[name] else None for name in names
        ]
        for row in rows
    }
    assert found == {edges: [*points[0], *points[1]] for edges, points in wanted.items()}
    told = {}
    for one in json.loads(read["geojson"])["features"]:
        ring = one["geometry"]["coordinates"][0]
        told[*ring[0], *ring[2]] = [point or absent for point in one["properties"]["keypoints"]]
    assert told == wanted
    for one in json.loads(read["json"]):
        left, upper, width, height = one["bbox"]
        points = wanted[left, upper, left + width, upper + height]
        assert one["keypoints"] == [value or 0.0 for point in points for value in point]


@pytest.mark.parametrize("size", [(190, 230), (190, 70), (20, 30)])
def test_result_steps_and_several_models(size: tuple[int, int], tmp_path: Path) -> None:
    image = scene(4)[: size[0], : size[1]]
    steps = [og.NonMaximumSuppression(0.5, min_score=0.6)]
    cases: list[dict[str, Any]] = [
        {"postprocess": steps},
        {"tta": "flips"},
        {"model": [finding(90), finding(300)]},
    ]
    for number, options in enumerate(cases):
        expected = og.Predictor(options.get("model") or finding(300), **OPTIONS, **{k: v for k, v in options.items() if k == "postprocess"})(image)  # fmt: skip
        made = tiled(**options).to_file(image, tmp_path / f"{number}.json")
        assert edges_of(made.boxes) == listed(expected)


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    image = scene(7)
    whole = tiled(batch_size=3).to_file(image, tmp_path / "whole.geojson")
    left, asked = [0], [0]

    def dying(batch: np.ndarray) -> dict[str, np.ndarray]:
        left[0] -= 1
        asked[0] += 1
        if left[0] == 0:
            raise Killed
        return finding(300)(batch)

    tries = 0
    predictor = tiled(dying, batch_size=3)
    while True:
        tries += 1
        left[0] = 3 + tries
        try:
            made = predictor.to_file(image, tmp_path / "out.geojson")
        except Killed:
            assert (tmp_path / "out.geojson.tiles").is_dir() and not (tmp_path / "out.geojson").exists()
            continue
        break
    assert tries > 2 and made.resumed
    assert (tmp_path / "out.geojson").read_bytes() == whole.path.read_bytes()
    left[0] = 5
    with pytest.raises(Killed):
        predictor.to_file(image, tmp_path / "other.json")
    with pytest.raises(OffgraphError, match="holds an unfinished run with another tiles"):
        tiled(dying, batch_size=3, overlap=40).to_file(image, tmp_path / "other.json")


def test_refused(tmp_path: Path) -> None:
    image = scene(0)
    with pytest.raises(ArgumentError, match=r"give a file that ends in \.csv or \.geojson or \.json"):
        tiled().to_file(image, tmp_path / "boxes.npy")
    with pytest.raises(ArgumentError, match="probabilities=: of masks"):
        tiled().to_file(image, tmp_path / "boxes.csv", probabilities=tmp_path / "p.npy")

    def strange(batch: np.ndarray) -> dict[str, np.ndarray]:
        return {name: np.where(values > 0, np.nan, values) for name, values in finding(9)(batch).items()}

    with pytest.raises(StepError, match=r"in the tile at \(0, 0\)"):
        tiled(strange).to_file(image, tmp_path / "boxes.csv")
    assert not list(tmp_path.iterdir())


def test_the_command_with_a_keras_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = og.save(
        centres(),
        [og.Rescale(1 / 255)],
        tmp_path / "squares.keras",
        detection=og.DetectionOutputs(format="cxcywh"),
        class_names=["square"],
        postprocess=[og.NonMaximumSuppression(0.3, min_score=0.95)],
    )
    image, count = squares(5, (120, 130))
    og.imwrite(tmp_path / "image.tif", image)
    command = ["predict", str(path), str(tmp_path / "image.tif"), "--tiles", "48", "-o", str(tmp_path / "boxes.csv")]  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert not ended.value.code
    assert f"{count:,} boxes" in capsys.readouterr().out
    lines = (tmp_path / "boxes.csv").read_text().splitlines()
    assert len(lines) == count + 1 and lines[1].startswith("square,0,")
