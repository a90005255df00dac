import numpy as np
import pytest
from tests.support.even import is_even, is_even_among

import offgraph as og
from offgraph.steps.structure import with_members

CASES = {2: [og.TrivialAugment(), og.TrivialAugment(order=0, mode="reflect", range=200, p=0.5)]}


def parts(step, spec, count):
    for index in range(count):
        (part,) = step.sample(og.Draw(og.Key(seed=3, index=index), "x"), spec)["steps"]
        yield part


RGB, GREY = og.ArraySpec((32, 40, 3), "uint8", "YXC"), og.ArraySpec((32, 40), "uint8", "YX")


def test_every_way_is_as_likely():
    found = [part["number"] for part in parts(og.TrivialAugment(), RGB, 5000)]
    assert is_even_among(found, [1, 2, 3, 4, 5, *range(7, 16)])
    grey = [part["number"] for part in parts(og.TrivialAugment(), GREY, 5000)]
    assert grey == [{5: 6, 9: 1}.get(number, number) for number in found]  # another contrast, no saturation


def test_strengths_are_those_of_torchvision():
    drawn = {}
    for part in parts(og.TrivialAugment(), RGB, 20_000):
        drawn.setdefault(part["number"], []).append(part["params"])
    shears = [params["shear"]["X"] for params in drawn[2]]
    assert is_even(shears, -0.99, 0.99)
    assert is_even([params["factor"] for params in drawn[4]], 0.01, 1.99)
    assert is_even([params["contrast"] for params in drawn[5]], 0.01, 1.99)
    assert is_even([params["shift"][1] for params in drawn[7]], -32, 32)
    assert is_even([params["shift"][0] for params in drawn[8]], -32, 32)
    assert is_even([params["saturation"] for params in drawn[9]], 0.01, 1.99)
    assert is_even([params["angle"] for params in drawn[10]], -135, 135)
    assert is_even_among([params["bits"] for params in drawn[12]], range(2, 9))
    assert is_even([params["threshold"] for params in drawn[13]], 0, 1)


def test_boxes_go_along():
    image = np.zeros((64, 64, 3), np.uint8)
    image[20:40, 24:44] = 200
    mask = (image[..., 0] > 0).astype(np.uint8)
    moved = 0
    for index in range(30):
        out = og.Compose([og.TrivialAugment()])(
            image=image, mask=mask, boxes=[[24, 20, 44, 40]], key=og.Key(index=index)
        )
        assert out.boxes is not None and out.mask is not None
        inside = np.argwhere(out.mask)
        moved += not out.frame.map.is_identity
        if len(inside) and len(out.boxes.array):
            low, high = out.boxes.edges[0].reshape(2, 2)
            assert (inside >= low - 1e-6).all() and (inside <= high + 1e-6).all()
    assert moved > 5


def test_what_it_takes():
    for dtype in ("uint8", "uint16"):
        spec = og.ArraySpec((8, 8, 3), dtype, "YXC")
        assert og.Compose([og.TrivialAugment()]).output_spec(spec) == spec
    with pytest.raises(og.StepError, match="TrivialAugment: Brightness: range= is needed"):
        og.Compose([og.TrivialAugment()])(image=np.zeros((8, 8, 3)), key=og.Key())
    with pytest.raises(og.StepError, match="TrivialAugment: Equalize: takes uint8 or uint16"):
        og.Compose([og.TrivialAugment(range=1)])(image=np.zeros((8, 8, 3)), key=og.Key())
    with pytest.raises(og.StepError, match="takes 2 spatial axes, the image has 3"):
        og.Compose([og.TrivialAugment()])(image=np.zeros((8, 8, 8), np.uint8), axes="ZYX", key=og.Key())


def test_border_and_range_reach_its_steps():
    members = list(with_members(og.TrivialAugment(mode="reflect", order=3, range=200)))[1:]
    assert {step.order for step in members if hasattr(step, "order") and step.kind == "geometric"} == {3}
    assert {step.mode for step in members if step.kind == "geometric"} == {"reflect"}
    assert {step.range for step in members if hasattr(step, "range")} == {200}
