import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.GridDistortion(),
        og.GridDistortion((0.2, 0.5), cells={"Y": 3, "X": 8}, order=3, mode="mirror"),
        og.GridDistortion({"X": 0.9}, cells=4, order=0, p=0.6),
    ],
    3: [
        og.GridDistortion(0.4, cells=3),
        og.GridDistortion({"YX": 0.3}, cells={"YX": 4}, order=2, mode="nearest"),
    ],
}


@pytest.mark.parametrize("index", range(6))
def test_lines_rise_and_the_border_stays(index):
    out = og.Compose([og.GridDistortion(0.95, cells=7)])(
        image=np.zeros((41, 57), np.uint8), key=og.Key(index=index)
    )
    rows, columns = out.frame.map.coordinates()
    assert (np.diff(rows, axis=0) > 0).all() and (np.diff(columns, axis=1) > 0).all()
    np.testing.assert_allclose(rows[[0, -1]], np.broadcast_to([[0], [40]], (2, 57)), atol=1e-5)
    np.testing.assert_allclose(columns[:, [0, -1]], np.broadcast_to([0, 56], (41, 2)), atol=1e-5)
    np.testing.assert_allclose(rows, rows[:, :1].repeat(57, 1), atol=1e-5)
    assert out.frame.valid().all()
    points = np.random.default_rng(0).uniform(0, 40, (30, 2))
    assert np.abs(out.frame.map.forward(out.frame.map(points))[0] - points).max() < 1e-6


def test_the_lines_are_where_the_record_says():
    out = og.Compose([og.GridDistortion(0.5, cells=4)])(image=np.zeros((41, 81), np.uint8), key=og.Key(2))
    lines = out.record["steps"][0]["params"]["lines"]
    np.testing.assert_allclose(out.frame.map.coordinates()[0, ::10, 0], np.array(lines[0]) * 40, atol=1e-5)
    np.testing.assert_allclose(out.frame.map.coordinates()[1, 0, ::20], np.array(lines[1]) * 80, atol=1e-5)


def test_shares_of_the_distortion():
    image = np.zeros((41, 41), np.uint8)
    wide = [
        og.Compose([og.GridDistortion(0.3, cells=4)])(image=image, key=og.Key(i)).record for i in range(20)
    ]
    widths = np.concatenate([np.diff(record["steps"][0]["params"]["lines"]).ravel() * 4 for record in wide])
    assert widths.min() > 0.7 / 1.3 and widths.max() < 1.3 / 0.7 and widths.std() > 0.1


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 5)])
def test_small_images(size):
    out = og.Compose([og.GridDistortion()])(image=np.ones(size, np.float32), key=og.Key(1))
    np.testing.assert_allclose(out.image, 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"distortion": 1}, "must be below 1: a strip has some width"),
        ({"distortion": {"X": (0, 1.5)}}, "must be below 1"),
        ({"distortion": -0.1}, "distortion: expected a number of at least 0"),
        ({"cells": 65}, "cells=65: an axis has 1 to 64 cells"),
        ({"cells": 0}, "cells: expected a whole number of at least 1"),
    ],
)
def test_what_is_refused(arguments, says):
    with pytest.raises(og.StepError, match=says):
        og.GridDistortion(**arguments)


def test_nothing_moved_is_nothing_drawn():
    assert not og.GridDistortion(0).varies and og.GridDistortion((0, 0.1)).varies
