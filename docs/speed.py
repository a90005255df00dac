"""Write the page of the speeds, with a plot of each record that `make bench` kept."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from offgraph import ndimage

RECORDS = Path(__file__).parents[1] / "benches" / "record"
NONE_YET = """# How fast

No measurements are kept here yet. `make bench` times every operation beside SciPy and OpenCV and writes them to
`benches/record/`; this page then shows them as a plot.
"""
HEAD = """# How fast

How many times faster than SciPy and OpenCV, one thread, on the photograph of 512 × 512 × 3 unless the name says something
else: the median of rounds in which all take turns, and the answer compared with SciPy's before. OpenCV's answers are not
SciPy's; it is there as a speed to look at. `make bench` measures again.
"""
OPERATION = ("milliseconds", "times_scipy")
INKS = {"light": "#1b1c1e", "dark": "#d5d7da"}
"""Colour of text and lines by theme; of two images the docs' theme shows the one for the reader's."""


def records(*measured: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The machine and kind of a record, and its rows that hold all of `measured`; the best level first."""
    for path in sorted(RECORDS.glob("*/*.json"), key=lambda path: (path.parent.name, path.stem)):
        rows = [row for row in json.loads(path.read_text()) if all(map(row.get, ("case", *measured)))]
        if rows:
            yield f"{path.parent.name}, {path.stem}", rows


def function_of(case: str) -> str | None:
    """The function that a case's first word means: `median 3×3 u8` is one of `median_filter`."""
    word = case.split()[0].rstrip(",")
    return next((n for n in (f"{word}_filter", f"{word}_transform", word) if n in ndimage.NATIVE), None)


def ratios() -> dict[str, str]:
    """The median of a function's cases in the first record, and their range."""
    found: dict[str, list[float]] = defaultdict(list)
    for _, rows in list(records(*OPERATION))[:1]:
        for row in rows:
            if (name := function_of(row["case"])) is not None:
                found[name].append(row["times_scipy"])
    return {
        name: f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
        for name, values in found.items()
    }


def plot(rows: list[dict[str, Any]], path: Path, ink: str) -> None:
    """Draw one bar per case, the ratio to SciPy, and one mark, the ratio to OpenCV; the line marks equal speed.

    The page shows through; `ink` is the colour of text and lines on it.
    """
    figure = Figure(figsize=(8, 0.8 + 0.24 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    axes.barh(
        places, [row["times_scipy"] for row in rows], color="#7a9cc6", label="SciPy's time / Offgraph's"
    )
    near = [(place, row["times_opencv"]) for place, row in enumerate(rows) if row.get("times_opencv")]
    if near:
        at, ratios = zip(*near)
        axes.plot(ratios, at, "o", color="#d0603f", markersize=4, label="OpenCV's time / Offgraph's")
    axes.axvline(1, color=ink, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(places, [row["case"] for row in rows], fontsize=7)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(axis="x", color=ink, alpha=0.3, linewidth=0.4)
    axes.tick_params(which="both", color=ink, labelcolor=ink)
    axes.spines[:].set_color(ink)
    figure.legend(loc="outside upper right", ncols=2, fontsize=7, labelcolor=ink, frameon=False)
    figure.savefig(path, dpi=110, transparent=True)


def write(page: Path) -> None:
    """Write the page, and its images next to it."""
    page.parent.mkdir(parents=True, exist_ok=True)
    found = list(records(*OPERATION))
    if not found:
        page.write_text(NONE_YET)
        return
    lines = [HEAD]
    for number, (title, rows) in enumerate(found):
        lines += [f"## {title}", ""]
        for theme, ink in INKS.items():
            image = f"speed-{number}-{theme}.png"
            plot(rows, page.parent / image, ink)
            lines += [f"```{{image}} {image}", f":alt: {title}, ratios of {len(rows)} operations"]
            lines += [f":class: only-{theme}", "```", ""]
        lines += ["| operation | ms | × SciPy | × OpenCV |", "|---|---|---|---|"]
        lines += [
            f"| {row['case']} | {row['milliseconds']} | {row['times_scipy']} | {row.get('times_opencv') or ''} |"
            for row in rows
        ]
        lines.append("")
    for title, rows in records("faster"):
        lines += [
            f"## {title}",
            "",
            "Two threads beside one, on a photograph of 2048 × 2048 × 3; the bytes are the same.",
            "",
        ]
        lines += ["| operation | ms, one | ms, two | faster |", "|---|---|---|---|"]
        lines += [
            f"| {row['case']} | {row['milliseconds_one']} | {row['milliseconds_two']} | {row['faster']} |"
            for row in rows
        ]
        lines.append("")
    page.write_text("\n".join(lines))
