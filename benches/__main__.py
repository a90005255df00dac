"""`python -m benches [operations|threads|pipeline|loading|stored|plan|steps|volumes] [--only NAME] [--photos FOLDER] [--rounds N]`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benches import loading, operations, pipeline, plan, steps, stored, threads, volumes
from benches.timing import keep
from offgraph import _native

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "photos"


def at_level(name: str) -> str:
    """The record's name, with the SIMD level in it where ``OFFGRAPH_SIMD`` asks for less than the processor has."""
    info = _native.build_info()
    return name if info["simd"] == info["simd_detected"] else f"{name}-{info['simd']}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=["operations", "threads", "pipeline", "loading", "stored", "plan", "steps", "volumes", "all"],
        default="all",
    )
    parser.add_argument(
        "--only",
        default="",
        help="time only the operations, parts of loading, or builds and feeds whose name holds this",
    )
    parser.add_argument("--photos", type=Path, help="a folder of JPEG files for the whole path")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        help="an interpreter that has OpenCV, DALI or TensorFlow, for loading",
    )
    options = parser.parse_args()
    photos = options.photos or (PHOTOS if PHOTOS.is_dir() else None)
    measures: dict[str, Callable[[], list[dict]]] = {
        at_level("operations"): lambda: operations.run(options.only, options.rounds),
        at_level("threads"): lambda: threads.run(options.only, options.rounds),
        "pipeline": lambda: pipeline.run(photos, options.rounds),
        "loading": lambda: loading.run(photos, options.rounds, options.only, options.python),
        "stored": lambda: stored.run(photos, options.rounds, options.only),
        at_level("plan"): lambda: plan.measure(options.rounds),
        at_level("steps"): lambda: steps.run(options.only, options.rounds),
        at_level("volumes"): lambda: volumes.run(options.only, options.rounds),
    }
    for name, measure in measures.items():
        if options.what == "all" or name.startswith(options.what):
            rows = measure()
            if not options.only:  # a part is no record
                print("kept in", keep(name, rows))


if __name__ == "__main__":
    main()
