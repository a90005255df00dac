"""Put one deliberate fault after another into a copy of the source; the parity tests must notice each of them.

    python -m tests.mutation                  all faults (about a minute each, most of it compiling)
    python -m tests.mutation --only Gaussian  those whose name holds this

A fault whose line is no longer in the source ends the run: it has to be written anew. First the copy is tested without
a fault, so that a red test means something.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.mutation.faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]


def copied(to: Path) -> None:
    """The tracked files, as they are in the working tree; what was built before stays."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            # Only what differs is written: an untouched file is not compiled again.
            if not (to / name).exists() or (to / name).read_bytes() != (ROOT / name).read_bytes():
                shutil.copyfile(ROOT / name, to / name)


def build(tree: Path) -> None:
    """The core, quickly rather than fast: it is only asked whether its bytes are right."""
    settings = ["opt-level=1", "lto='off'", "codegen-units=16", "incremental=true"]
    options = [word for setting in settings for word in ("--config", f"profile.release.{setting}")]
    command = [
        "cargo",
        "build",
        "--release",
        "--quiet",
        "-p",
        "offgraph-native",
        "--features",
        "extension-module",
    ]
    subprocess.run([*command, *options], cwd=tree, check=True)
    built = next(
        p
        for p in (tree / "target" / "release").iterdir()
        if re.fullmatch(r"(lib)?_native\.(so|dylib|dll)", p.name)
    )
    core = tree / "src" / "offgraph" / "_native.abi3.so"
    core.unlink(missing_ok=True)
    shutil.copyfile(built, core)


def tested(tree: Path, expression: str) -> tuple[int, str]:
    """The exit status of the parity tests so chosen, and the first that failed."""
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "CI": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["-q", "-x", "-p", "no:cacheprovider", "--tb=no", "-k", expression]
    told = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests/parity"],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
    )
    first = re.search(r"^(?:FAILED|ERROR) (\S+)", told.stdout, re.M)
    return told.returncode, first.group(1) if first else told.stdout[-2000:] + told.stderr[-2000:]


def noticed(tree: Path, fault: Fault) -> bool:
    """Whether a test fails with the fault in; the copy is as before afterwards."""
    path = tree / fault.file
    sound = path.read_text(encoding="utf-8")
    if sound.count(fault.old) != 1:
        raise SystemExit(
            f"{fault.name}: {fault.file} has {sound.count(fault.old)} times, not once: {fault.old}"
        )
    began = time.monotonic()
    path.write_text(sound.replace(fault.old, fault.new), encoding="utf-8")
    try:
        if fault.compiled:
            build(tree)
        status, told = tested(tree, fault.tests)
    finally:
        path.write_text(sound, encoding="utf-8")
    # 0: nothing failed. 1: a test did. Anything else is no verdict.
    if status not in (0, 1):
        raise SystemExit(f"{fault.name}: pytest ended with {status}\n{told}")
    verdict = f"noticed by {told}" if status else "NOT NOTICED"
    print(f"{time.monotonic() - began:4.0f} s  {fault.name}: {verdict}", flush=True)
    return bool(status)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument(
        "--tree", type=Path, default=ROOT / "build" / "mutants", help="where the copy is kept"
    )
    options = parser.parse_args()
    chosen = [fault for fault in FAULTS if options.only in fault.name]
    chosen.sort(key=lambda fault: fault.compiled)
    copied(options.tree)
    build(options.tree)
    status, told = tested(options.tree, " or ".join(sorted({f"({fault.tests})" for fault in chosen})))
    if status:
        raise SystemExit(f"the source fails its tests without a fault:\n{told}")
    missed = [fault.name for fault in chosen if not noticed(options.tree, fault)]
    build(options.tree)
    print(
        f"{len(chosen) - len(missed)} of {len(chosen)} faults noticed"
        + "".join(f"\n  missed: {m}" for m in missed)
    )
    return 1 if missed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
