"""The demo as a user runs it: exit status, the goals, the page in a real browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.pages import chromium, open_page, self_contained  # noqa: F401  (chromium is a fixture)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Output folder and printed text of one run."""
    pytest.importorskip("tensorflow", reason="the demo trains with TensorFlow")
    out = tmp_path_factory.mktemp("demo") / "demo-out"
    run = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo", out],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    return out, run.stdout


def test_the_held_out_digits_are_told(demo):
    _, said = demo
    (percent,) = re.findall(r"^Digits\s+([\d.]+)% of \d+ held-out", said, re.M)
    assert float(percent) >= 95


def test_the_coins_are_found_within_one(demo):
    out, _ = demo
    (predicted,) = json.loads((out / "coins-predicted" / "predictions.json").read_text())["predictions"]
    assert abs(len(predicted["objects"]) - 12) <= 1


def test_the_watershed_tells_nuclei_apart(demo):
    out, said = demo
    (found,) = re.findall(
        r"^Nuclei\s+AP at IoU 0.5 is (0\.\d+) by the watershed, (0\.\d+) by connected components", said, re.M
    )
    split, whole = map(float, found)
    assert split >= whole + 0.05
    told = json.loads((out / "nuclei-errors.json").read_text())["masks"]
    assert told["gain"] == pytest.approx(split - whole, abs=0.001)
    assert told["instances"]["steps"][-1].startswith("DistanceWatershed")
    assert len(self_contained(out / "nuclei-errors.html").images) > 20


def test_the_spoiled_files_are_named(demo):
    _, said = demo
    for name in ("3/cut-off.png", "3/empty.png", "7/a-text.jpg", "7/says-50000-by-50000.png", "0/torn.jpg"):
        assert name in said


def test_it_ends_with_images_per_second(demo):
    _, said = demo
    found = re.fullmatch(
        r"images/s: ([\d,]+) from files, ([\d,]+) from the stored dataset, ([\d,]+) by the decoder alone "
        r"\(400 × 300 JPEG to 224 × 224 float32, \d+ threads\)",
        said.rstrip().splitlines()[-1],
    )
    assert found is not None
    files, stored, decoder = (int(number.replace(",", "")) for number in found.groups())
    assert files > 0 and decoder > 0 and stored > files, "what is stored is not decoded"


def test_the_report_needs_nothing_beside_it(demo):
    out, _ = demo
    assert len(self_contained(out / "report.html").images) > 30


def test_the_report_opens_in_chromium_with_every_image(demo, chromium):  # noqa: F811
    out, _ = demo
    open_page(chromium, out / "report.html", out / "report.png")
    assert (out / "report.png").stat().st_size > 20_000


def test_another_folder_is_not_emptied(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    run = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo", tmp_path], capture_output=True, text=True, timeout=100
    )
    assert run.returncode != 0 and "was not made by this demo" in run.stderr
    assert (tmp_path / "mine.txt").read_text() == "keep"
