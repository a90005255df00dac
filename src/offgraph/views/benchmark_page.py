"""A benchmark of a loader as a page: where the time goes, and what limits the job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from offgraph.views.charts import Chart, bars
from offgraph.views.html import NONE, Report, Share

if TYPE_CHECKING:
    from offgraph.loading.benchmark_report import BenchmarkReport

__all__ = ["part_bars", "save_benchmark"]


def part_bars(report: BenchmarkReport) -> Chart:
    """Return the time of each part as bars, on one thread and on all."""
    several = report.threads > 1
    rows = [(report.label(part), [part.one, part.many] if several else [part.one]) for part in report.parts]
    series = ["1 thread", f"{report.threads} threads"] if several else ["1 thread"]
    return bars(rows, series, "milliseconds per image")


def save_benchmark(report: BenchmarkReport, path: str | os.PathLike[str]) -> Path:
    """Write what :meth:`offgraph.Loader.benchmark` measured as one HTML page, with a plot and a table.

    Parameters
    ----------
    report : BenchmarkReport
    path : path
        The file to write.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OffgraphError
        Where the file cannot be written.
    """
    page = Report("Where the time goes", report.summary)
    page.section("What limits the job")
    page.facts(_facts(report))
    for sentence in report.verdict:
        page.text(sentence)
    page.section(
        "The parts of the work",
        "Each is the time of all the work up to it less that up to the part before it, on the same images. "
        "With several threads it is elapsed time, in which each thread works on an image. Files are read from the "
        "system's cache.",
    )
    page.charts([part_bars(report)])
    header = [
        "part",
        "1 thread, ms per image",
        f"{report.threads} threads, ms per image",
        "images/s up to here",
        "share",
    ]
    page.table(
        header,
        [
            [
                report.label(part),
                part.one,
                part.many,
                round(speed) if speed else NONE,
                Share(report.share(part)),
            ]
            for part, speed in report.rows()
        ],
    )
    return page.save(path)


def _facts(report: BenchmarkReport) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = [("images/s on 1 thread", round(report.one))]
    if report.threads > 1:
        facts.append((f"images/s on {report.threads} threads", round(report.many)))
    if report.model is not None:
        facts.append(("images/s with the model", round(report.model.images_per_second)))
        facts.append(("of the time the model waits", f"{report.model.waiting:.0%}"))
    return facts
