"""Write the page of what was compared with SciPy, from the counts of the long run and the records of the benches."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import speed

from offgraph import ndimage

COUNTS = Path(__file__).parent / "conformance.json"
NONE_YET = """# What was compared with SciPy

The long differential run has not been made here. `python -m tests.parity.long --cases 200000 --seed 1` makes it and
writes `docs/conformance.json`, from which this page comes.
"""
HEAD = """# What was compared with SciPy

{cases:,} random calls of the {functions} native functions, each beside the same call of SciPy {scipy} (NumPy {numpy}):
bytes, element type, shape, warnings and exceptions are equal in all of them but **{differing}**; {crashes} processes crashed. Sizes
from none and one to beyond any register, every memory layout, `output=` of every kind, origins, axes, footprints, NaN and
infinities; at the levels {levels}, with {threads} threads. `python -m tests.parity.long --cases {cases} --seed {seed}`
makes the same calls again{added}; `docs/conformance.json` has every count.

What is left out on purpose stands in [the list of differences](../differences.md), with the test of each.

A call that both sides refuse with the same exception counts as a case too; the third column says how many of these there
are. The speed is the median over the cases that `make bench` measured, as [the plots](speed.md) show them.
"""


def row(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(head: list[str], rows: Iterable[Iterable[Any]]) -> list[str]:
    return [row(head), row(["---"] * len(head)), *map(row, rows), ""]


def added(counts: Iterable[list[int]]) -> list[int]:
    """The sums of cases, refusals and differences."""
    return [sum(column) for column in zip(*counts)] or [0, 0, 0]


def verdict(count: list[int]) -> str:
    cases, _, differing = count
    return "no" if differing else "yes" if cases else "not compared"


def told(count: list[int]) -> str:
    """How many cases, all equal; or how many differ."""
    cases, _, differing = count
    return f"**{differing} of {cases} differ**" if differing else str(cases or "")


def cells(dtypes: dict[str, dict[str, dict[str, list[int]]]]) -> Iterable[tuple[str, str, str, list[int]]]:
    for dtype, ways in dtypes.items():
        for way, ranks in ways.items():
            for rank, count in ranks.items():
                yield dtype, way, rank, count


def write(page: Path) -> None:
    """Functions with totals and speed; functions × element types; orders and modes × axes of each function."""
    page.parent.mkdir(parents=True, exist_ok=True)
    if not COUNTS.exists():
        page.write_text(NONE_YET)
        return
    found = json.loads(COUNTS.read_text())
    functions = {name: list(cells(dtypes)) for name, dtypes in found["functions"].items()}
    listed = {key: ", ".join(map(str, found[key])) for key in ("levels", "threads")}
    later = (
        f", and `python -m tests.parity.long {words}` those that came later"
        for words in found.get("added", [])
    )
    listed["added"] = "".join(later)
    lines = [HEAD.format(**found | listed | {"functions": len(ndimage.NATIVE)}), ""]
    speeds = speed.ratios()
    lines += table(
        ["function", "cases", "refused alike", "equal", "× SciPy"],
        (
            (f"`{name}`", *total[:2], verdict(total), speeds.get(name, ""))
            for name in sorted(ndimage.NATIVE)
            for total in [added(count for *_, count in functions.get(name, []))]
        ),
    )
    dtypes = sorted({dtype for each in functions.values() for dtype, *_ in each})
    lines += ["## Element types", "", "Cases, all of them equal where nothing else is said.", ""]
    lines += table(
        ["function", *dtypes],
        (
            (f"`{name}`", *(told(added(c for d, *_, c in each if d == dtype)) for dtype in dtypes))
            for name, each in functions.items()
        ),
    )
    lines += ["## Orders, modes and axes", ""]
    for name, each in functions.items():
        ranks = sorted({rank for _, _, rank, _ in each}, key=int)
        ways = sorted({way for _, way, *_ in each})
        lines += [f"### {name}", ""]
        lines += table(
            ["", *(f"{rank} axes" for rank in ranks)],
            (
                (way, *(told(added(c for _, w, r, c in each if (w, r) == (way, rank))) for rank in ranks))
                for way in ways
            ),
        )
    page.write_text("\n".join(lines))
