"""All tests as `make test` runs them: two halves at the same time, then what wants the machine for itself.

`python -m tests.parts [options of pytest]` runs all parts, `python -m pytest --part second` one of them, and `python -m pytest` everything
in one process. Most tests keep one core busy and some wait for programs they start, so two processes take little more than half
the time. A half is always the same folders in the same order: a test that fails because of another one fails again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["PARTS", "belongs"]

PARTS = ("first", "second", "alone")
FIRST = {
    "apps", "core", "dataset", "formats", "foreign", "frameworks", "fuzz", "generators", "inference", "inspection",
    "loading", "migration",
}  # fmt: skip
"""Folders of the first half. Each half is some 400 s of processor time; those that wait for programs they start are here."""
_PASSED, _NO_TESTS = 0, 5  # pytest's exit codes


def belongs(path: Path, part: str) -> bool:
    """Whether a file of tests, or a folder above it, has tests of a part; those that run alone are marked in their files."""
    if part == "alone":
        return not path.is_file() or "mark.alone" in path.read_text("utf-8")
    inside = path.relative_to(Path(__file__).parent).parts
    return not inside or (inside[0] in FIRST) == (part == "first")


def _command(part: str, options: Sequence[str]) -> list[str]:
    # A cache for each, or the last to end would write over what --last-failed is to find.
    own = ["--part", part, "-o", f"cache_dir=.pytest_cache/{part}"]
    return [sys.executable, "-m", "pytest", *own, *options]


def main(options: Sequence[str]) -> int:
    """Run all parts; where files are named, or there is one core, everything in one process."""
    if (os.cpu_count() or 1) == 1 or any(Path(each.split("::")[0]).exists() for each in options):
        return subprocess.call([sys.executable, "-m", "pytest", *options])
    with tempfile.TemporaryFile() as said:
        second = subprocess.Popen(_command("second", options), stdout=said, stderr=subprocess.STDOUT)
        try:
            codes = [subprocess.call(_command("first", options)), second.wait()]
        finally:
            second.terminate()
            second.wait()
        print("\nThe second half, which ran at the same time:", flush=True)
        said.seek(0)
        sys.stdout.buffer.write(said.read())
    print("\nTests that run alone:", flush=True)
    codes.append(subprocess.call(_command("alone", options)))
    failed = [code for code in codes if code not in (_PASSED, _NO_TESTS)]
    return failed[0] if failed else min(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
