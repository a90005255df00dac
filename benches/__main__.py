"""`python -m benches [operations|threads|pipeline] [--only NAME] [--photos FOLDER] [--rounds N]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from benches import operations, pipeline, threads
from benches.timing import keep

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "photos"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=["operations", "threads", "pipeline", "all"], default="all"
    )
    parser.add_argument("--only", default="", help="time only the operations whose name holds this")
    parser.add_argument("--photos", type=Path, help="a folder of JPEG files for the whole path")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.what in ("operations", "all"):
        print("kept in", keep("operations", operations.run(options.only, options.rounds)))
    if options.what in ("threads", "all"):
        print("kept in", keep("threads", threads.run(options.only, options.rounds)))
    if options.what in ("pipeline", "all"):
        photos = options.photos or (PHOTOS if PHOTOS.is_dir() else None)
        print("kept in", keep("pipeline", pipeline.run(photos, options.rounds)))


if __name__ == "__main__":
    main()
