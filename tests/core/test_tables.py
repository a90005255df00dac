"""Tables that every program reads, names that come back from them, and terminals of any encoding."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.made import image_file

import offgraph as og
from offgraph.apps import cli
from offgraph.core.tables import TableWriter, cell, restored
from offgraph.dataset import BuiltDataset

RECIPE = og.Compose([og.Resize((4, 4))])


@pytest.mark.parametrize(
    ("name", "stands"),
    [
        ("café.png", "café.png"),
        ("caf\udce9.png", r"caf\xe9.png"),
        (r"caf\xe9.png", r"caf\x5cxe9.png"),
        (r"dir\file.png", r"dir\file.png"),
        ("\ud800", r"\ud800"),
        ("a\nb\x1b[31m\x7f", r"a\x0ab\x1b[31m\x7f"),
        ("a\x85b", r"a\u0085b"),
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@SUM(1)", "'@SUM(1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-a", "'-a"),
        ("＝1+a", "'＝1+a"),
        ("\t=1", r"\x09=1"),
        ("\r=1", r"\x0d=1"),
        ("-1.5", "-1.5"),
        ("+3e-5", "+3e-5"),
        ("-inf", "-inf"),
        ("'=1", "''=1"),
        ("'tis", "'tis"),
        ("", ""),
    ],
)
def test_what_stands_in_a_cell(name: str, stands: str) -> None:
    assert cell(name) == stands
    assert restored(stands) == name
    stands.encode("utf-8")


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("ax015cefdu'=+-@\\\t\r\n\x00\x9f\udc80\udcff\ud8a0é. "), max_size=14))
def test_every_name_comes_back(name: str) -> None:
    text = io.StringIO(newline="")
    TableWriter(text, ["name"]).writerow([name, -1.5, 7, None])
    data = text.getvalue().encode("utf-8")
    assert data.count(b"\n") == 2  # a row is a line
    row = list(csv.reader(io.StringIO(data.decode(), newline="")))[1]
    assert restored(row[0]) == name and row[1:] == ["-1.5", "7", ""]
    assert row[0][:1] not in ("=", "+", "-", "@", "\t", "\r") or row[0][1:2] in "01 5." or float(row[0])


def odd_names(root: Path) -> list[str]:
    """Class folders and files whose names are no text, act on a terminal, or run in a spreadsheet."""
    names = ["=1+1/plain.png", "a\x1b[2J/=cmd.png", os.fsdecode(b"caf\xe9/caf\xe9.png"), "-1/new\nline.png"]
    for number, name in enumerate(names):
        image_file(root / name, np.full((8, 8, 3), 10 * number, np.uint8))
    (root / names[2]).with_name("cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return names


def test_tables_of_a_dataset_and_the_way_back(tmp_path: Path) -> None:
    names = odd_names(tmp_path / "in")
    report = og.build(tmp_path / "in", tmp_path / "out", RECIPE)
    assert "\x1b" not in report.summary() and report.examples == 4
    for name, rows in (("labels.csv", 4), ("quarantine.csv", 1)):
        with (tmp_path / "out" / name).open(encoding="utf-8", newline="") as file:
            assert len(list(csv.DictReader(file))) == rows
    with (tmp_path / "out" / "quarantine.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert row["path"] == r"caf\xe9/cut.png"
    back = og.open_source(tmp_path / "out" / "labels.csv")
    assert set(back.class_names) == {name.split("/")[0] for name in names}
    assert sorted(back.columns["source"]) == sorted(names)
    dataset = BuiltDataset(tmp_path / "out")
    stored = {dataset.read(i).name: dataset.read(i).image.array for i in range(4)}
    for index, source in enumerate(back.columns["source"]):
        assert np.array_equal(back.read(index).image.array, stored[source])
        assert source.startswith(back.class_names[back[index].label] + "/")  # type: ignore[index]
    for name in ("build.json", "manifest.json"):
        json.loads((tmp_path / "out" / name).read_text("utf-8"))


def test_a_table_with_escaped_paths_finds_the_files_and_literal_names_first(tmp_path: Path) -> None:
    plain, odd = r"a\xe9.png", os.fsdecode(b"b\xe9.png")
    for name in (plain, odd):
        image_file(tmp_path / name, np.zeros((3, 3), np.uint8))
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        file.write("path\n" + plain + "\n" + cell(odd) + "\n" + cell(plain) + "\n")
    source = og.open_source(tmp_path / "t.csv", repeats=True)
    assert [item.path.name for item in source] == [plain, odd, plain]


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "cp1252"}, {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])  # fmt: skip
def test_a_terminal_of_another_encoding_ends_no_run(tmp_path: Path, environment: dict[str, str]) -> None:
    odd_names(tmp_path / "in")
    (tmp_path / "in" / "日本").mkdir()
    (tmp_path / "in" / "日本" / "x\x1b]0;title\x07.png").write_bytes(b"")
    (tmp_path / "r.yaml").write_text(RECIPE.to_yaml())
    code = "from offgraph.apps.cli import main\nimport sys\nfor a in (sys.argv[1:3], ['build', *sys.argv[2:]]):\n    try: main(a)\n    except SystemExit as e: print(e.code)"
    command = [sys.executable, "-c", code, "doctor", str(tmp_path / "in"), str(tmp_path / "out"), "-r", str(tmp_path / "r.yaml")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    assert b"2 images could not be used" in done.stdout and b"\\x1b]0;title\\x07.png" in done.stdout
    assert b"\x1b" not in done.stdout + done.stderr and b"\x07" not in done.stdout


def test_errors_and_warnings_act_on_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["preview", str(tmp_path / "no\x1b[2Jsuch")])
    assert "no\\x1b[2Jsuch" in capsys.readouterr().err
