"""Charts as SVG: what they say is there as text, marks lie where the numbers are, and no name breaks out."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import numpy as np
import pytest

from offgraph.core.errors import StepError
from offgraph.views import charts

HOSTILE = [
    "</svg><script>alert(1)</script>",
    "a\nb\x00\x1b[31m",
    "$\\frac{",
    "\udcff",
    "日本語_^",
    "\"' onload='x'",
]


def parsed(chart: charts.Chart) -> ET.Element:
    """The chart's tree: it is well-formed, or this raises."""
    return ET.fromstring(chart.markup)


def texts(chart: charts.Chart) -> list[str]:
    return [element.text or "" for element in parsed(chart).iter("text")]


def cells(chart: charts.Chart) -> list[ET.Element]:
    return [rect for rect in parsed(chart).iter("rect") if rect.get("class") in ("hit", "miss")]


def test_a_confusion_matrix_says_what_was_counted():
    chart = charts.confusion_matrix([0, 0, 0, 1, 1, 2], [0, 0, 2, 1, 1, 0], ["cat", "dog", "owl"])
    marks = {cell.findtext("title"): cell for cell in cells(chart)}
    assert {told: cell.get("class") for told, cell in marks.items()} == {
        "true cat, predicted cat: 2 (67% of the row)": "hit",
        "true cat, predicted owl: 1 (33% of the row)": "miss",
        "true dog, predicted dog: 2 (100% of the row)": "hit",
        "true owl, predicted cat: 1 (100% of the row)": "miss",
    }
    x = {told: float(cell.get("x")) for told, cell in marks.items()}
    y = {told: float(cell.get("y")) for told, cell in marks.items()}
    right, wrong = (
        "true cat, predicted cat: 2 (67% of the row)",
        "true cat, predicted owl: 1 (33% of the row)",
    )
    assert y[right] == y[wrong] and x[wrong] > x[right], "rows are true classes, columns predicted ones"
    assert texts(chart).count("2") == 2 and texts(chart).count("cat") == 2
    opacity = {told: float(cell.get("fill-opacity")) for told, cell in marks.items()}
    assert opacity[right] > opacity[wrong] and max(opacity.values()) <= 0.75, "the counts stay readable"


@pytest.mark.parametrize("count", [1, 25, 26, 60, 61, 1000])
def test_a_matrix_holds_all_classes(count):
    chart = charts.confusion_matrix(
        np.arange(count), np.arange(count)[::-1], [f"class {n}" for n in range(count)]
    )
    assert len(cells(chart)) == count
    assert chart.width < 1100
    said = texts(chart)
    assert ("1" in said) == (count <= 25) and ("class 0" in said) == (count <= 60)
    assert charts.confusion_matrix([], [], ["a"]).markup


def test_wrong_class_numbers_are_told():
    with pytest.raises(StepError, match="0 to 1"):
        charts.confusion_matrix([0, 2], [0, 1], ["a", "b"])
    with pytest.raises(StepError, match="paired"):
        charts.confusion_matrix([0, 1], [0], ["a", "b"])
    with pytest.raises(StepError, match="paired"):
        charts.scatter([0, 1], [0], "age")


def test_names_stay_text_and_long_ones_are_shortened_in_the_middle():
    chart = charts.confusion_matrix(range(6), range(6), HOSTILE)
    root = parsed(chart)
    assert {element.tag for element in root.iter()} == {"svg", "text", "rect", "title"}
    assert HOSTILE[4] in texts(chart) and HOSTILE[2] in texts(chart)
    assert "\x1b" not in chart.markup and "\udcff" not in chart.markup
    long = "patient-" + "x" * 100 + "-left"
    said = texts(charts.confusion_matrix([0], [0], [long]))
    assert [text for text in said if text.startswith("patient-")] == ["patient-xxxxx…xxxxxxx-left"] * 2
    assert f"<title>{long}</title>" in charts.confusion_matrix([0], [0], [long]).markup


def test_curves_are_drawn_where_the_values_are():
    (loss, accuracy) = charts.training_curves(
        {"loss": [3, 2, 1], "val_loss": [3, 2.5, 2], "accuracy": [0.1, 0.5, np.nan]}
    )
    assert loss.caption == "loss by epoch" and accuracy.caption == "accuracy by epoch"
    assert "training 3 to 1, validation 3 to 2" in parsed(loss).get("aria-label")
    assert {"training", "validation", "epoch"} <= set(texts(loss)) and "validation" not in texts(accuracy)
    marks = [c for c in parsed(loss).iter("circle") if c.get("class") == "dot training"]
    down = [float(mark.get("cy")) for mark in marks]
    assert down == sorted(down) and down[1] - down[0] == pytest.approx(down[2] - down[1], abs=0.2)
    assert len(list(parsed(accuracy).iter("circle"))) == 2, "what is not a number has no mark"


@pytest.mark.parametrize(
    "values", [[1.0], [0.0, 0.0], [1e-12, 2e-12], [1e9, -1e9], [np.nan], [np.inf, 1.0], [5.0] * 500]
)
def test_any_values_make_a_chart(values):
    (chart,) = charts.training_curves({"loss": values})
    assert "nan" not in chart.markup.partition(">")[2] and "inf" not in chart.markup.partition(">")[2]
    parsed(chart)


def test_ticks_are_round_and_hold_the_values():
    for low, high in ((0.013, 0.97), (-3, 11), (0, 1), (2.5, 2.5), (1000, 123456)):
        axis = charts._Axis(low, high)
        assert axis.low <= low and axis.high >= high and 3 <= len(axis.ticks) <= 8
    assert [charts._Axis(0, 1).label(tick) for tick in charts._Axis(0, 1).ticks][:2] == ["0.0", "0.2"]
    assert charts._Axis(1, 3, whole=True).ticks == [1, 2, 3]


def test_curves_take_what_fit_returns_and_refuse_nothing():
    before = "matplotlib.pyplot" in sys.modules
    assert len(charts.training_curves(SimpleNamespace(history={"loss": [1.0, 0.5]}))) == 1
    assert ("matplotlib.pyplot" in sys.modules) == before
    with pytest.raises(StepError, match="empty"):
        charts.training_curves({"loss": []})


def test_a_scatter_shows_each_pair_where_it_lies():
    chart = charts.scatter([0, 5, 10], [0, 5, 0], "age")
    dots = [(float(c.get("cx")), float(c.get("cy"))) for c in parsed(chart).iter("circle")]
    (guide,) = [line for line in parsed(chart).iter("line") if line.get("class") == "guide"]
    a, b = [(float(guide.get(f"x{n}")), float(guide.get(f"y{n}"))) for n in (1, 2)]

    def off(dot):  # distance below the diagonal
        return dot[1] - (a[1] + (dot[0] - a[0]) / (b[0] - a[0]) * (b[1] - a[1]))

    assert [round(off(dot)) for dot in dots[:2]] == [0, 0] and off(dots[2]) > 50
    assert len(list(parsed(charts.scatter(range(9999), range(9999), "n")).iter("circle"))) <= 2000
    parsed(charts.scatter([], [], HOSTILE[0]))


def test_a_reliability_curve_has_a_dot_for_each_range_as_large_as_its_decisions():
    chart = charts.reliability_curve([(0.25, 0.5, 1), (0.75, 0.75, 4)])
    dots = [element for element in parsed(chart).iter() if element.tag.endswith("circle")]
    (x, y, r), (other_x, other_y, other_r) = (
        tuple(float(dot.get(key) or 0) for key in ("cx", "cy", "r")) for dot in dots
    )
    assert x < other_x and y > other_y and r < other_r == 8
    (guide,) = [one for one in parsed(chart).iter() if one.get("class") == "guide"]
    ends = [float(guide.get(key) or 0) for key in ("x1", "y1", "x2", "y2")]
    assert other_x - ends[0] == pytest.approx(0.75 * (ends[2] - ends[0]), abs=0.2)
    assert other_y - ends[1] == pytest.approx(0.75 * (ends[3] - ends[1]), abs=0.2), (
        "calibrated: on the diagonal"
    )
    assert "4 decisions, 75.0% sure, 75.0% correct" in chart.markup
    assert "circle" not in charts.reliability_curve([]).markup


@pytest.mark.parametrize("wrong", [(1.2, 0.5, 3), (0.5, -0.1, 3), (0.5, 0.5, 0), (float("nan"), 0.5, 3)])
def test_a_reliability_curve_takes_shares(wrong):
    with pytest.raises(StepError, match="expected two shares"):
        charts.reliability_curve([wrong])


def test_bars_are_as_long_as_their_amounts():
    rows = [("read", [0.5, 0.25]), ("decode", [2.0, 1.0]), ("store", [0.0, 0.0])]
    chart = charts.bars(rows, ["1 thread", "2 threads"], "ms")
    found = cells(chart)
    widths = [float(cell.get("width") or "nan") for cell in found]
    assert widths == [85, 42.5, 340, 170, 0, 0]
    assert [cell.get("class") for cell in found] == ["hit", "miss"] * 3
    assert found[2].findtext("title") == "decode, 1 thread: 2 ms"
    assert len({cell.get("y") for cell in found}) == 6 and len({cell.get("x") for cell in found}) == 1
    assert {"read", "decode", "store", "1 thread", "2 threads", "0.25"} <= set(texts(chart))
    assert charts.bars([], ["1 thread"], "ms").width > 0


def test_bars_hold_any_name_and_refuse_what_has_no_length():
    for name in HOSTILE:
        parsed(charts.bars([(name, [1.0])], [name], name))
    for amounts in ([1.0, 2.0], [-1.0], [float("nan")], [float("inf")]):
        with pytest.raises(StepError, match="expected 1 finite amounts of at least 0"):
            charts.bars([("decode", amounts)], ["1 thread"], "ms")
