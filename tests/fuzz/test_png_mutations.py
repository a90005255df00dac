"""The mutations of `tests.fuzz.png`: a short run of them, and that what is wrong is noticed."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.fuzz import files, png

from offgraph.formats.decoding import DecodedImage


def test_a_short_run_finds_nothing() -> None:
    command = [sys.executable, "-m", "tests.fuzz.png", "--files", "2000", "--minutes", "5"]
    run = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("2,000 files") and run.stdout.endswith("ok\n")
    counts = {line[13:]: int(line[:12].replace(",", "")) for line in run.stdout.splitlines()[1:-1]}
    assert counts["decoded"] > 200 and counts["refused"] > 200


def test_a_file_follows_from_seed_and_number() -> None:
    small = png.small_files()
    made = [[png.file(number, seed, small, []) for number in range(40)] for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert len(set(made[0])) > 35  # some mutations undo each other


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"array": np.zeros((33, 41, 3), np.uint8)}, "another image"),
        ({"notes": ("odd",)}, "odd"),
        ({"orientation": 6}, "orientation 6"),
        ({"layout": "palette"}, "palette"),
    ],
)
def test_a_difference_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    data = next(data for data in decoded(tmp_path) if data[24:26] == b"\x08\x02")
    found: DecodedImage = png.read(data)
    monkeypatch.setattr(png, "read", lambda _: SimpleNamespace(**{**vars(found), **changed}))
    outcome = png.outcome(data, random.Random(0), tmp_path / "file")
    assert outcome.startswith("DIFFERENCE") and said in outcome


def decoded(folder: Path) -> list[bytes]:
    draws = random.Random(0)
    return [data for data in png.small_files() if png.outcome(data, draws, folder / "file") == "decoded"]


@pytest.mark.parametrize("start", [b"\x08\x00", b"\x08\x02", b"\x10\x00", b"\x10\x02"])
def test_the_path_of_a_loader_is_taken_at_every_depth(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start: bytes
) -> None:
    data = next(data for data in decoded(tmp_path) if data[24:26] == start)
    monkeypatch.setattr(files, "upright", lambda image, *_: image ^ 1)
    outcome = png.outcome(data, random.Random(1), tmp_path / "file")
    assert outcome.startswith("DIFFERENCE: a plan makes another image")
    monkeypatch.setattr(files, "read_images", lambda *_: [None])
    outcome = png.outcome(data, random.Random(1), tmp_path / "file")
    assert outcome.startswith("DIFFERENCE: decoded from memory")
