import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage import measure

import offgraph as og
from offgraph.errors import ArgumentError
from offgraph.sources.polygons import fill_polygon
from offgraph.sources.rle import decode_runs

LABELS = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=10),
    elements=st.sampled_from([0, 1, 1, 1, 2]),
    fill=st.nothing(),
)


def area(ring: np.ndarray) -> float:
    rows, columns = ring.T
    return float(columns @ np.roll(rows, -1) - rows @ np.roll(columns, -1)) / 2


def filled(polygon: list[np.ndarray], size: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(size, bool)
    for ring in polygon:
        inside = np.zeros(size, bool)
        fill_polygon(inside, ring)
        out ^= inside
    return out


@settings(deadline=None)
@given(LABELS, st.sampled_from([1, 2]))
def test_each_polygon_holds_one_connected_part_of_its_label(labels, connectivity):
    structure = ndimage.generate_binary_structure(2, connectivity)
    found = og.contours(labels, connectivity)
    assert list(found) == np.unique(labels[labels > 0]).tolist()
    for label, polygons in found.items():
        numbered, count = ndimage.label(labels == label, structure)
        assert len(polygons) == count
        parts = {int(numbered[filled(polygon, labels.shape)].max()): polygon for polygon in polygons}
        assert len(parts) == count
        for number, polygon in parts.items():
            np.testing.assert_array_equal(filled(polygon, labels.shape), numbered == number)
            assert sum(map(area, polygon)) == (numbered == number).sum()
            assert area(polygon[0]) > 0 and all(area(hole) < 0 for hole in polygon[1:])


@settings(deadline=None)
@given(LABELS.map(lambda labels: (labels > 0).astype(np.uint8)), st.sampled_from([1, 2]))
def test_outlines_less_holes_are_scikit_images_euler_number(mask, connectivity):
    polygons = og.contours(mask, connectivity).get(1, [])
    found = sum(1 - len(polygon[1:]) for polygon in polygons)
    assert found == measure.euler_number(mask, connectivity=connectivity)


@settings(deadline=None)
@given(LABELS)
def test_corners_only_where_the_outline_turns(labels):
    for polygons in og.contours(labels).values():
        for ring in (ring for polygon in polygons for ring in polygon):
            steps = np.diff(ring, axis=0, append=ring[:1])
            assert ((steps != 0).sum(axis=1) == 1).all()
            turned = steps[:, 0] * np.roll(steps, -1, axis=0)[:, 0]
            assert (turned == 0).all() and len(ring) >= 4


def test_an_object_inside_the_hole_of_another():
    labels = np.ones((7, 7), np.int64) * (1 << 40)
    labels[1:6, 1:6] = 0
    labels[3, 3] = 9
    found = og.contours(labels)
    assert [len(found[label][0]) for label in found] == [1, 2]
    assert found[9][0][0].tolist() == [[2.5, 3.5], [3.5, 3.5], [3.5, 2.5], [2.5, 2.5]]


@pytest.mark.parametrize("size", [(4, 5), (0, 3), (1, 1)])
def test_nothing_and_one_object_that_fills_the_image(size):
    assert og.contours(np.zeros(size, bool)) == {}
    found = og.contours(np.ones(size, bool))
    assert sum(area(ring) for ring in found.get(1, [[]])[0]) == size[0] * size[1]
    assert (
        og.geojson(np.zeros(size, int))["features"] == [] and og.coco_annotations(np.zeros(size, int)) == []
    )


def test_a_hundred_thousand_objects():
    labels = np.zeros((948, 948), np.int32)
    labels[1::3, 1::3] = np.arange(1, 316**2 + 1).reshape(316, 316)
    start = time.perf_counter()
    found = og.contours(labels)
    assert len(found) == 316**2 and all(len(polygon[0][0]) == 4 for polygon in found.values())
    assert time.perf_counter() - start < 60


def test_geojson_closes_its_rings_and_carries_columns():
    labels = np.array([[3, 0, 5, 5], [0, 3, 0, 0]])
    table = og.measure(labels, np.array([[1, 0, np.nan, 2], [0, 5, 0, 0]]))
    made = json.loads(json.dumps(og.geojson(labels, table), allow_nan=False))
    assert made["type"] == "FeatureCollection"
    three, five = made["features"]
    assert three["geometry"]["type"] == "MultiPolygon" and five["geometry"]["type"] == "Polygon"
    for rings in (*three["geometry"]["coordinates"], five["geometry"]["coordinates"]):
        assert all(ring[0] == ring[-1] and len(ring) == 5 for ring in rings)
    assert three["properties"]["label"] == 3 and three["properties"]["intensity_mean"] == 3
    assert five["properties"]["intensity_mean"] is None and five["properties"]["area"] == 2
    with pytest.raises(ArgumentError, match=r"properties\['n'\] has 1 values for 2 objects"):
        og.geojson(labels, {"n": [1]})


@settings(deadline=None)
@given(LABELS)
def test_coco_annotations_hold_the_objects_pixels(labels):
    for number, one in enumerate(json.loads(json.dumps(og.coco_annotations(labels, 7, first_id=4)))):
        wanted = labels == one["label"]
        assert (one["id"], one["image_id"], one["area"]) == (4 + number, 7, wanted.sum())
        x, y, width, height = one["bbox"]
        assert wanted[y : y + height, x : x + width].sum() == wanted.sum()
        given = one["segmentation"]
        if isinstance(given, dict):
            shown = decode_runs(np.array(given["counts"]), tuple(given["size"]))
        else:
            rings = [np.reshape(polygon, (-1, 2))[:, ::-1] - 0.5 for polygon in given]
            shown = np.any([filled([ring], labels.shape) for ring in rings], axis=0)
        np.testing.assert_array_equal(shown, wanted)


def test_refused():
    for labels, connectivity in ((np.zeros((2, 2, 2), int), 1), (np.zeros((2, 2), int), 3)):
        with pytest.raises(
            ArgumentError, match=r"contours takes labels of shape \(H, W\) and connectivity 1 or 2"
        ):
            og.contours(labels, connectivity)
