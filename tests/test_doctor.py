"""The list of broken and odd files."""

from __future__ import annotations

import io
import json
import os

import numpy as np
import pytest
from rich.console import Console

from odd_files import exif, gradient, jpeg, saved
from offgraph.doctor import KINDS, doctor
from offgraph.encode import imwrite
from offgraph.errors import SourceError


def kinds(report) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.file, set()).add(finding.kind)
    return found


@pytest.fixture
def folder(tmp_path):
    for i in range(6):
        imwrite(tmp_path / f"plain{i}.png", np.roll(gradient(40, 50), i, 0))
    return tmp_path


def test_ordinary_files_are_not_mentioned(folder) -> None:
    report = doctor(folder)
    assert report.findings == () and report.files == 6 and not report.bad


def test_each_oddity_is_named(folder) -> None:
    array = gradient(40, 50)
    (folder / "cut.jpg").write_bytes(jpeg(array)[:-500])
    (folder / "turned.jpg").write_bytes(jpeg(array, exif=exif(6)))
    (folder / "ink.jpg").write_bytes(saved(array, "JPEG", "CMYK"))
    (folder / "lies.jpg").write_bytes(saved(array[:, ::-1], "PNG"))
    (folder / "twin.png").write_bytes((folder / "plain3.png").read_bytes())
    (folder / "glass.png").write_bytes(saved(gradient(40, 50, 4), "PNG"))
    (folder / "grey.png").write_bytes(saved(gradient(40, 50, 1), "PNG"))
    imwrite(folder / "deep.png", gradient(40, 50, 3, 65535))
    imwrite(folder / "large.png", np.zeros((400, 500, 3), np.uint8))
    imwrite(folder / "long.png", np.zeros((10, 200, 3), np.uint8))
    holes = array.astype(np.float32)
    holes[3, 4, 0] = np.nan
    imwrite(folder / "holes.tif", holes)
    os.mkfifo(folder / "pipe.png")
    report = doctor(folder)
    assert kinds(report) == {
        "cut.jpg": {"bad"},
        "turned.jpg": {"rotated"},
        "ink.jpg": {"cmyk"},
        "lies.jpg": {"suffix"},
        "twin.png": {"duplicate"},
        "glass.png": {"alpha"},
        "grey.png": {"colour"},
        "deep.png": {"deep"},
        "large.png": {"size"},
        "long.png": {"size"},
        "holes.tif": {"deep", "values"},
    }
    assert report.skipped == {"not a regular file": 1}
    said = {(finding.file, finding.kind): finding.said for finding in report.findings}
    assert said["twin.png", "duplicate"] == "the same bytes as plain3.png"
    assert said["large.png", "size"] == "400 × 500: 100 times the median area"
    assert said["holes.tif", "values"] == "1 of 6000 values are NaN or infinite"
    assert [finding.file for finding in report.bad] == ["cut.jpg"]


def test_the_report_as_json_and_as_a_table_that_file_names_cannot_fool(folder) -> None:
    (folder / "[red]a\x1b[2Jb.jpg").write_bytes(b"no picture")
    report = doctor(folder)
    again = json.loads(json.dumps(report.to_json()))
    assert again["counts"] == {"bad": 1} and again["files"] == 7
    out = io.StringIO()
    report.render(Console(file=out, width=200, color_system=None))
    assert "\x1b" not in out.getvalue()
    assert r"[red]a\x1b[2Jb.jpg" in out.getvalue() and "7 pictures: 1 cannot be read" in out.getvalue()


def test_workers_and_progress_change_nothing(folder) -> None:
    seen = []
    assert doctor(folder, workers=1) == doctor(folder, workers=3, on_progress=lambda *now: seen.append(now))
    assert seen == [(i, 6) for i in range(1, 7)]
    with pytest.raises(ValueError, match="workers=0"):
        doctor(folder, workers=0)


def test_nothing_to_look_at(tmp_path) -> None:
    with pytest.raises(SourceError, match="no pictures in it"):
        doctor(tmp_path)


def test_all_published_broken_files(shared_data) -> None:
    report = doctor(shared_data / "broken")
    assert report.files == 215 and all(finding.kind in KINDS and finding.said for finding in report.findings)
    assert 30 <= len(report.bad) <= 50
    assert report.counts["rotated"] == 29
