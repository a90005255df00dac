"""No arguments crash: a bounded hunt in a process of its own; the same calls in CI, other ones at every run elsewhere."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="the memory of the process cannot be limited here")
ROOT = Path(__file__).parents[2]


def test_no_arguments_crash(tmp_path):
    seed = 1 if "CI" in os.environ else random.SystemRandom().randrange(10**6)
    log = tmp_path / "last call"
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        "-m",
        "tests.parity.fuzz",
        "--cases",
        "1200",
        "--seconds",
        "10",
    ]
    told = subprocess.run(
        [*command, "--seed", str(seed), "--log", str(log)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    last = log.read_text() if log.exists() else ""
    assert told.returncode == 0, (
        f"seed {seed} ended with {told.returncode}: {last}\n{told.stdout}{told.stderr}"
    )
    made, refused = map(int, re.findall(r"\d+", told.stdout))
    # Many calls are refused, and many are not: both ways are walked.
    assert made > 50
    assert made * 0.1 < refused < made * 0.95
