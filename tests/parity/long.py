"""The long differential run: every drawn parity test, again and again with other seeds, until enough cases are compared.

    python -m tests.parity.long --cases 200000 --seed 1

Each part (a test file at one SIMD level and number of threads, with a seed of its own) runs in a process of its own and
is written to the journal when it ends: a run that was stopped continues where it stopped, as long as the code is the same, and
a crash names its part. The same seed gives the same cases. At the end the counts are gathered into the file from which
the docs make the conformance page.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LEVELS = ("avx512", "avx2", "baseline")


def code() -> str:
    """A name for what is tested: of another core, or another Python half, nothing is known."""
    package = ROOT / "src" / "offgraph"
    files = sorted(path for path in package.rglob("*") if path.suffix in (".py", ".so"))
    return hashlib.blake2b(b"".join(path.read_bytes() for path in files), digest_size=4).hexdigest()


@dataclass(frozen=True)
class Part:
    """What one process tests."""

    file: str
    level: str
    threads: int
    seed: int
    factor: float
    select: str = ""
    """Which of its tests: an expression of pytest's -k."""

    @property
    def command(self) -> list[str]:
        options = [
            "-q",
            "-p",
            "tests.parity.recorder",
            "-p",
            "no:cacheprovider",
            "--tb=short",
            "--timeout=3000",
        ]
        return [
            sys.executable,
            "-X",
            "faulthandler",
            "-m",
            "pytest",
            *options,
            f"--hypothesis-seed={self.seed}",
            *(["-k", self.select] if self.select else []),
            self.file,
        ]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "OFFGRAPH_EXAMPLES": str(self.factor),
            "OFFGRAPH_SIMD": self.level,
            "OFFGRAPH_NUM_THREADS": str(self.threads),
        }

    def __str__(self) -> str:
        words = [f"{key}={value}" for key, value in self.environment.items()]
        return " ".join(["OFFGRAPH_RECORD=counts.json", *words, "python", *self.command[1:]])


def parts(
    files: list[str], levels: list[str], threads: list[int], seed: int, factor: float, select: str = ""
) -> Iterator[Part]:
    """Without an end: every file at one level and number of threads, then at the next, always with another seed."""
    turn = 0
    while True:
        level, count = levels[turn % len(levels)], threads[turn // len(levels) % len(threads)]
        for place, file in enumerate(files):
            yield Part(file, level, count, seed * 1_000_003 + turn * 101 + place, factor, select)
        turn += 1


def run(part: Part, limit: float) -> dict:
    """The journal's entry of a part: its counts, or how it ended without any."""
    inherited = {key: value for key, value in os.environ.items() if key != "CI"}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "counts.json"
        environment = inherited | part.environment | {"OFFGRAPH_RECORD": str(record)}
        try:
            told = subprocess.run(
                part.command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=limit
            )
            code, text = str(told.returncode), told.stdout + told.stderr
        except subprocess.TimeoutExpired as stopped:
            code, text = "time limit", (stopped.stdout or b"").decode(errors="replace")
        rows = json.loads(record.read_text()) if record.exists() else None
    # 0: all passed. 1: some failed. 5: the file draws no cases. Anything else is a crash.
    ended = {"0": "passed", "1": "differs", "5": "passed"}.get(code, f"crash ({code})")
    entry = {**asdict(part), "ended": ended if rows is not None else f"crash ({code})", "rows": rows or []}
    entry["seconds"] = round(time.monotonic() - began)
    return entry if entry["ended"] == "passed" else {**entry, "output": text[-20000:]}


def gathered(entries: list[dict]) -> dict[str, dict[str, dict[str, dict[str, list[int]]]]]:
    """function → element type → order and mode → axes → [cases, of which refused alike, differing]."""
    sums: Counter[tuple] = Counter()
    for entry in entries:
        for *key, cases, refused, differing in entry["rows"]:
            for place, count in enumerate((cases, refused, differing)):
                sums[(*key, place)] += count
    table: dict = {}
    for (name, dtype, how, ndim, place), count in sorted(sums.items()):
        cell = (
            table.setdefault(name, {})
            .setdefault(dtype, {})
            .setdefault(how, {})
            .setdefault(str(ndim), [0, 0, 0])
        )
        cell[place] = count
    return table


def _sum(table: dict, place: int) -> int:
    """The counts at this place of all cells."""
    cells = (cell for dtypes in table.values() for how in dtypes.values() for cell in how.values())
    return sum(counts[place] for cell in cells for counts in cell.values())


def write(path: Path, entries: list[dict], options: argparse.Namespace) -> None:
    """The counts of all parts, one line a function and type."""
    import numpy as np
    import scipy

    table = gathered(entries)
    kept: dict[str, Any] = {"functions": {}}
    if options.add and path.exists():
        kept = json.loads(path.read_text())
    others = {name: dtypes for name, dtypes in kept["functions"].items() if name not in table}
    table = dict(sorted({**table, **others}.items()))
    head: dict[str, Any] = {
        "scipy": scipy.__version__,
        "numpy": np.__version__,
        "seed": options.seed,
        "levels": sorted(
            {entry["level"] for entry in entries}.union(kept.get("levels", ()) if others else ())
        ),
        "threads": sorted(
            {entry["threads"] for entry in entries}.union(kept.get("threads", ()) if others else ())
        ),
        "cases": _sum(table, 0),
        "differing": _sum(table, 2),
        "crashes": sum(entry["ended"].startswith("crash") for entry in entries) + kept.get("crashes", 0),
    }
    if others:
        # How what is new was compared; the rest by the seed that was there.
        words = f"--cases {_sum(gathered(entries), 0)} --seed {options.seed} --factor {options.factor:g}"
        words += f" --only {options.only}" * bool(options.only)
        words += f' --select "{options.select}"' * bool(options.select)
        head["added"] = [*kept.get("added", []), f"{words} --add"]
        head["seed"] = kept.get("seed", options.seed)
    functions = ",\n".join(
        f"  {json.dumps(name)}: {{\n"
        + ",\n".join(f"   {json.dumps(dtype)}: {json.dumps(cells)}" for dtype, cells in dtypes.items())
        + "\n  }"
        for name, dtypes in table.items()
    )
    path.write_text(json.dumps(head)[:-1] + ',\n "functions": {\n' + functions + "\n }\n}\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.parity.long", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--levels", nargs="+", default=list(LEVELS), choices=LEVELS)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument(
        "--factor", type=float, default=4, help="how many times the usual number of cases a test tries"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--limit", type=float, default=3600, help="seconds a part may take")
    parser.add_argument("--only", default="", help="files whose name holds this")
    parser.add_argument("--select", default="", help="tests to run, an expression of pytest's -k")
    parser.add_argument(
        "--add",
        action="store_true",
        help="keep what --out holds of functions that are not compared this time",
    )
    parser.add_argument("--journal", type=Path, help="default: build/long-SEED-CODE.jsonl")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "conformance.json")
    options = parser.parse_args()
    files = sorted(
        str(p.relative_to(ROOT)) for p in Path(__file__).parent.glob("test_*.py") if options.only in p.name
    )
    journal = options.journal or ROOT / "build" / f"long-{options.seed}-{code()}.jsonl"
    journal.parent.mkdir(parents=True, exist_ok=True)
    kept = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    done = {
        Part(**{key: entry[key] for key in Part.__dataclass_fields__ if key in entry}): entry
        for entry in kept
    }
    queue = parts(files, options.levels, options.threads, options.seed, options.factor, options.select)
    entries: list[dict] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        while (total := sum(row[4] for entry in entries for row in entry["rows"])) < options.cases:
            batch = [next(queue) for _ in range(options.jobs)]
            fresh = {part: pool.submit(run, part, options.limit) for part in batch if part not in done}
            for part in batch:
                entry = done.get(part) or fresh[part].result()
                entries.append(entry)
                if part in fresh:
                    with journal.open("a") as file:
                        file.write(json.dumps(entry) + "\n")
                total += sum(row[4] for row in entry["rows"])
                print(f"{total:8d} cases  {entry['ended']:8s} {entry['seconds']:4d} s  {part}", flush=True)
                if "output" in entry:
                    print(entry["output"], flush=True)
            if len(entries) > 2 * len(files) and not total:
                raise SystemExit("nothing is compared: see the output above")
    write(options.out, entries, options)
    bad = [entry for entry in entries if entry["ended"] != "passed"]
    print(
        f"{total} cases, {len(bad)} of {len(entries)} parts failed; counts in {options.out}, journal {journal}"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
