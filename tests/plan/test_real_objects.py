"""Objects of real images through ten steps: none is lost, boxes hold them, labels come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from tests.support.step_chains import near_boundaries

import offgraph as og

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")

TEN = og.Compose(
    [
        og.Resize((300, 340)),
        og.Augment(
            og.Rotate((-40, 40)),
            og.GaussianFilter((0.2, 0.6)),
            og.Affine(scale=(0.9, 1.25), shear=(-0.15, 0.15)),
            og.Elastic("3%", nodes=6),
            og.GridDistortion(0.2),
            og.Flip("X", p=0.5),
            og.Pad(6),
            og.RandomCrop((280, 300)),
            og.Gamma((0.7, 1.2)),
        ),
    ]
)


def test_no_nucleus_is_lost_and_boxes_hold_them(shared_data):
    source = og.open_source(
        shared_data / "nuclei" / "images", masks=shared_data / "nuclei" / "labels", color="rgb"
    )
    seen = 0
    for index in range(0, len(source), 6):
        targets = source.read(index).targets
        mask = targets.mask
        tight = og.Boxes.of_labels(mask)
        loose = og.Boxes(tight.array, size=mask.size, labels=tight.labels)
        out = TEN(image=targets.image, mask=mask, tight=tight, loose=loose, key=og.Key(5, 0, index))
        labels = out.mask.astype(np.int64)
        assert set(out.tight.labels.tolist()) == set(np.unique(labels).tolist()) - {0}
        bounds = ndimage.find_objects(labels)
        for label, edges in zip(out.tight.labels.tolist(), out.tight.edges):
            ends = np.array([[part.start, part.stop - 1] for part in bounds[label - 1]])
            np.testing.assert_array_equal(edges, [*(ends[:, 0] - 0.5), *(ends[:, 1] + 0.5)])
            low, high = out.loose.edges[out.loose.labels.tolist().index(label)].reshape(2, 2)
            assert (ends[:, 0] >= low - 1e-6).all() and (ends[:, 1] <= high + 1e-6).all()
            seen += 1
    assert seen > 300


def test_boxes_of_blood_cells_are_kept_or_said_to_be_gone(shared_data):
    with pytest.warns(og.OffgraphWarning, match="2 bad boxes are not passed on, such as .*BloodImage_00338"):
        source = og.open_source(shared_data / "blood")
    named = source.left_out_boxes["box without area"]
    assert [line.partition(",")[0] for line in named] == [
        "Annotations/BloodImage_00338.xml",
        "Annotations/BloodImage_00343.xml",
    ]
    for index in (0, 40, *range(85, 95)):  # the two files among them
        targets = source.read(index).targets
        out = TEN(image=targets.image, boxes=targets["boxes"], key=og.Key(3, 0, index))
        boxes = out.boxes
        assert len(boxes) + len(boxes.dropped) == len(targets["boxes"])
        low, high = boxes.edges[:, :2], boxes.edges[:, 2:]
        assert (high > low).all() and (low >= -0.5 - 1e-9).all()
        assert (high <= np.array(boxes.size) - 0.5 + 1e-9).all()


@pytest.mark.parametrize(("mode", "least"), [("constant", 0.93), ("nearest", 0.97)])
def test_labels_of_a_volume_come_back_but_for_boundaries(shared_data, mode: str, least: float):
    folder = shared_data / "volumes"
    volume, labels = (og.imread(folder / name, axes="ZYX") for name in ("img3d.tif", "mask3d.tif"))
    rule: dict[str, Any] = {"mode": mode}
    recipe = og.Compose(
        [
            og.Elastic({"Z": 0.7, "YX": 2.5}, nodes={"Z": 3, "YX": 6}, **rule),
            og.Affine(rotate=(-15, 15), scale=(0.95, 1.1), **rule),
            og.Rotate((-4, 4), plane="ZX", **rule),
            og.GridDistortion({"YX": 0.25}, cells={"YX": 5}, **rule),
            og.Flip("X"),
            og.Pad((0, 4, 4), **rule),
        ]
    )
    counts: Any = np.zeros(4, int)
    for index in range(2):
        out = recipe(image=volume, mask=labels, axes="ZYX", key=og.Key(1, 0, index))
        back, valid = out.frame.undo(mask=out.mask), out.frame.valid()
        wrong, near = valid & (back != labels), near_boundaries(labels, 1, valid)
        counts += [(valid & near).sum(), (wrong & near).sum(), (valid & ~near).sum(), (wrong & ~near).sum()]
    assert counts[3] == 0 and counts[2] > 80_000
    assert 1 - counts[1] / counts[0] > least
