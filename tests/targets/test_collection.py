"""Targets of one sample: by name, on one grid, moved and restored together."""

from __future__ import annotations

import numpy as np
import pytest

from offgraph.core.errors import StepError
from offgraph.geometry import GridMap, Leg
from offgraph.geometry.frame import Frame
from offgraph.targets import KINDS, Boxes, Heatmap, Image, Mask, Points, Target, Targets
from support.chains import turned


def _values() -> dict:
    return {
        "image": np.zeros((8, 10, 3), np.uint8),
        "mask": np.ones((8, 10), np.uint8),
        "heatmap": np.zeros((8, 10, 2), np.float32),
        "boxes": [[1, 2, 3, 4]],
        "points": [[1, 2]],
    }


def test_bare_arrays_become_the_types_they_are_named_after():
    targets = Targets.parse(
        {**_values(), "nuclei": Mask(np.zeros((8, 10), np.int32)), "other": None}, metadata={"id": 7}
    )
    assert list(targets) == ["image", "mask", "heatmap", "boxes", "points", "nuclei"]
    assert [type(target) for target in targets.values()] == [Image, Mask, Heatmap, Boxes, Points, Mask]
    assert targets.size == (8, 10) and targets["heatmap"].axes == "YXC" and targets.metadata == {"id": 7}
    assert list(targets.of(Mask)) == ["mask", "nuclei"]
    assert set(_values()) == set(KINDS) and all(issubclass(kind, Target) for kind in KINDS.values())


def test_all_move_and_come_back():
    targets = Targets.parse(_values(), metadata={"id": 7})
    maps = (GridMap.flip((1,), (8, 10)), GridMap.crop((-1, -1), (10, 12), (8, 10)))
    moved = targets.moved([Leg(step) for step in maps])
    assert moved.size == (10, 12) and moved.metadata == {"id": 7}
    assert moved["boxes"].array.tolist() == [[8, 3, 10, 5]] and moved["points"].array.tolist() == [[2, 8]]
    back = moved.restored(Frame(maps))
    for name, target in targets.items():
        np.testing.assert_array_equal(back[name].array, target.array)
    replaced = targets.replaced(mask=Mask(np.zeros((8, 10), bool)))
    assert replaced.mask.array.dtype == bool and list(replaced) == list(targets)


def test_nothing_moves_without_steps():
    targets = Targets.parse(_values())
    assert all(target.moved([]) is target for target in targets.values() if not isinstance(target, Image))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            {"image": np.zeros((8, 10)), "mask": np.zeros((8, 9), np.uint8)},
            "the image's is 8 x 10, the mask's 8 x 9",
        ),
        ({"image": np.zeros((8, 10)), "labels": [1]}, r"labels=Mask\(array\)"),
        ({"mask": np.zeros((8, 10), np.uint8)}, "needs image= beside it"),
    ],
)
def test_what_does_not_fit_is_refused(values, says):
    with pytest.raises(StepError, match=says):
        Targets.parse(values)


def test_a_target_of_ones_own():
    class Rows(Target):
        """How many rows are left."""

        kind = "rows"

        def __init__(self, size):
            self._size = size

        @property
        def size(self):
            return self._size

        def moved(self, legs):
            return Rows(legs[-1].map.output_size)

        def restored(self, frame):
            return Rows(frame.input_size)

        @classmethod
        def given(cls, value, size, axes):
            return cls(size)

    targets = Targets({"image": Image(np.zeros((6, 6))), "rows": Rows((6, 6))})
    assert targets.moved([Leg(turned(0.1, (6, 6), (4, 5)))])["rows"].size == (4, 5)
    with pytest.raises(StepError, match="is not a target"):
        Targets({"rows": 5})
