"""The mutations of `tests.fuzz.jpeg`: a short run of them, and that what is wrong is noticed."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.fuzz import files, jpeg


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.jpeg", "--files", "2000", "--keep", str(tmp_path)]
    run = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("2,000 files") and run.stdout.endswith("ok\n") and " decoded\n" in run.stdout


def test_a_file_follows_from_seed_and_number() -> None:
    small = jpeg.small_files()
    made = [[jpeg.file(number, seed, small, []) for number in range(40)] for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert len(set(made[0])) > 35  # some mutations undo each other


@pytest.mark.parametrize(
    ("turbo", "said"), [(None, "libjpeg-turbo warns"), (np.zeros((33, 41, 3), np.uint8), "another image")]
)
def test_a_difference_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, turbo: np.ndarray | None, said: str
) -> None:
    def outcome(data: bytes) -> str:
        return jpeg.outcome(data, random.Random(0), tmp_path / "file")

    data = next(data for data in jpeg.small_files() if jpeg.shape(data) == (33, 41, 3))
    assert outcome(data) == "decoded"
    monkeypatch.setattr(jpeg, "by_turbo", lambda *_: turbo)
    assert outcome(data).startswith("DIFFERENCE") and said in outcome(data)


def test_a_difference_of_the_path_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (data,) = [
        data for data in jpeg.small_files() if jpeg.oriented(6) in data and jpeg.shape(data) == (19, 45, 3)
    ]
    image = np.full((19, 45, 3), 77, np.uint8)
    assert jpeg.decode_into(image, data) is None

    def wrong(image: np.ndarray, number: int = 0) -> str | None:
        return files.path_outcome(tmp_path / "file", data, image, (19, 45, 3), random.Random(number))

    assert not any(wrong(image, number) for number in range(50))
    other = image.copy()
    other[9:12] ^= 1
    assert sum("another image" in str(wrong(other, number)) for number in range(50)) > 10
    monkeypatch.setattr(files, "said_header", lambda _: (19, 45, 8))
    assert "the reader in Python finds (19, 45, 8)" in str(wrong(image))
