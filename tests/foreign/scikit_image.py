"""scikit-image's own tests of `transform` and `filters`, on SciPy's functions and on ours: the same tests pass.

    git clone --branch v0.26.0 https://github.com/scikit-image/scikit-image    (the version installed)
    python -m tests.foreign.scikit_image scikit-image

Tests that want to download something fail or are skipped both times, and count as neither.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("transform", "filters")


def run(checkout: Path, swap: bool) -> tuple[dict[str, str], dict[str, int]]:
    """test → passed, failed or skipped; and how many calls of each native function were made."""
    tests = checkout.resolve() / "tests" / "skimage"
    # Their conftest at the top only changes how the results are shown, and wants another plugin.
    options = ["-p", "tests.foreign.swapped", "-p", "no:cacheprovider", f"--confcutdir={tests}"]
    options += ["--rootdir", str(tests), "-c", os.devnull, "--import-mode=importlib", "-q", "--tb=no"]
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "outcomes.json"
        environment = os.environ | {"OFFGRAPH_SWAP": str(int(swap)), "OFFGRAPH_RECORD": str(record)}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", "pytest", *options, *(str(tests / part) for part in PARTS)]
        told = subprocess.run(command, cwd=tests, env=environment, capture_output=True, text=True)
        if not record.exists():
            raise SystemExit(f"nothing was tested:\n{told.stdout[-3000:]}{told.stderr[-3000:]}")
        found = json.loads(record.read_text())
    return found["outcomes"], found["calls"]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.foreign.scikit_image", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "checkout", type=Path, help="scikit-image's repository at the tag of the installed version"
    )
    checkout = parser.parse_args().checkout
    before, scipys = run(checkout, swap=False)
    after, ours = run(checkout, swap=True)
    for label, found, calls in (("scipy.ndimage", before, scipys), ("offgraph.ndimage", after, ours)):
        print(
            f"{label}: {dict(Counter(found.values()))}, {sum(calls.values())} calls of {len(calls)} functions"
        )
    changed = {test for test in {*before, *after} if before.get(test) != after.get(test)}
    for test in sorted(changed):
        print(f"{test}: {before.get(test)} with SciPy, {after.get(test)} with Offgraph")
    print(f"{len(changed)} tests differ")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
