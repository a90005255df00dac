"""Traps in scripts: each is named at its line, and the mended script has none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.trap_scripts import SCRIPTS

import offgraph as og
from offgraph.apps import cli
from offgraph.inspection.scripts.report import TRAPS


def expected(script: str) -> set[tuple[int, str]]:
    """The traps that comments of a script name: (line, kind), with "?" where it is not sure."""
    traps = set()
    for number, line in enumerate(script.split("\n"), 1):
        named = re.search(r"#! (.*)$", line)
        traps |= {(number, kind) for kind in named.group(1).split(", ")} if named else set()
    return traps


def found(report: og.AuditReport) -> set[tuple[int, str]]:
    return {(one.line, one.kind + ("" if one.sure else "?")) for one in report.findings}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_trap_of_a_script_is_named_and_nothing_else(name):
    script, _ = SCRIPTS[name]
    assert found(og.audit(script)) == expected(script)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_mended_script_has_no_alarm(name):
    _, mended = SCRIPTS[name]
    assert [str(one) for one in og.audit(mended).findings] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_mended_lines_use_names_that_there_are(name):
    script, mended = SCRIPTS[name]
    lines = [mended, *(one.mend.partition("  #")[0] for one in og.audit(script).findings)]
    used = {used for line in lines for used in re.findall(r"\bog\.(\w+)", line)}
    assert used and used <= set(dir(og))
    assert all(one.mend and one.said for one in og.audit(script).findings)


def test_the_page_lists_every_kind_of_trap():
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
    assert dict(re.findall(r"^\| `(.+)` \| (.+) \|$", page, re.M)) == TRAPS


def test_every_kind_of_trap_is_in_a_script():
    named = {kind.rstrip("?") for script, _ in SCRIPTS.values() for _, kind in expected(script)}
    assert named == set(TRAPS)


# Paths, notebooks and folders ---------------------------------------------------------------------------------------

TRAP = "import scipy.ndimage as ndi\nfrom skimage.data import chelsea\nx = ndi.median_filter(chelsea(), 3)\n"


def test_a_script_by_its_path(tmp_path):
    (tmp_path / "filter.py").write_text(TRAP)
    report = og.audit(tmp_path / "filter.py")
    (only,) = report.findings
    assert (only.file, only.line, only.column, only.kind, only.sure) == (
        str(tmp_path / "filter.py"),
        3,
        5,
        "channels-filtered",
        True,
    )
    assert report.recipe == "import offgraph as og\n\nrecipe = og.Compose([\n    og.MedianFilter(3),\n])\n"
    assert json.loads(json.dumps(report.to_json()))["findings"][0]["mend"].startswith("og.MedianFilter(3)")


def test_a_notebook_names_cell_and_line(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["# (title"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip install scipy\n", "import scipy.ndimage as ndi"]},
        {"cell_type": "code", "source": "%%bash\nls -l *"},
        {"cell_type": "code", "source": "files = !ls\nfrom skimage.data import chelsea\nx = ndi.zoom(chelsea(), (2, 2, 1), order=1)"},
    ]  # fmt: skip
    (tmp_path / "look.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    (only,) = og.audit(tmp_path / "look.ipynb").findings
    assert (only.cell, only.line, only.kind) == (4, 3, "corner-grid")
    assert only.place.endswith("look.ipynb:cell 4:3:5")


def test_a_folder_is_walked_and_what_cannot_be_read_is_listed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name, text in {
        "a/one.py": TRAP,
        "two.py": "x = 1\n",
        "broken.py": "print 'x'\n",
        ".hidden/x.py": TRAP,
    }.items():
        (tmp_path / name).write_text(text)
    report = og.audit(tmp_path)
    assert [one.file for one in report.findings] == ["a/one.py"]
    assert report.scripts == 2 and list(report.refused or {}) == ["broken.py"]
    assert "broken.py: not read: " in str(report)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("old.py", b"print 'Python 2'\n", "old.py:1: not Python 3"),
        ("half.py", b"x = (1,\ny = [", "not Python 3"),
        ("latin.py", "x = 'caf\xe9'\n".encode("latin-1"), "not a text in UTF-8"),
        ("coding.py", b"# -*- coding: nowhere -*-\n", "not a text in UTF-8"),
        ("null.py", b"x = 1\x00\n", "not Python 3"),
        ("long.py", b"x = 1\n" * 800_000, "longer than 4 MiB"),
        ("deep.py", b"x = " + b"(" * 5000 + b")" * 5000, "not Python 3|nested too deeply"),
        ("minus.py", b"x = " + b"-" * 20_000 + b"1", "nested too deeply"),
        ("sum.py", b"x = " + b"1+" * 60_000 + b"1", "nested too deeply"),
        ("none.ipynb", b"[1, 2]", "not a Jupyter notebook"),
        ("half.ipynb", b'{"cells": [{"cell_type": "code"}]}', "not a Jupyter notebook"),
        ("bad.ipynb", b'{"cells": [{"cell_type": "code", "source": "x =\\ny"}]}', "bad.ipynb:cell 1:1: not Python 3"),
        ("cells.ipynb", b"[" * 100_000, "not a Jupyter notebook"),
    ],
)  # fmt: skip
def test_hostile_scripts_give_one_clear_error(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(og.ScriptError, match=says) as raised:
        og.audit(tmp_path / name)
    assert name in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(og.ScriptError, match="No such file"):
        og.audit(tmp_path / "none.py")
    for nothing in (None, 3, "a\0.py"):
        with pytest.raises(og.ArgumentError):
            og.audit(nothing)  # pyright: ignore[reportArgumentType]


NESTED = (
    "".join("    " * depth + f"for i{depth} in x{depth}:\n" for depth in range(18))
    + "    " * 18
    + "x = x / 255\n"
)
MANY = "import numpy as np\nimage = np.zeros((4, 4, 3))\n" + "image = image + image\n" * 20_000
CALLS = "\n".join(f"def f{n}(x):\n    return f{n + 1}(x) + f{n + 1}(x * 2)" for n in range(60)) + "\nf0(1)\n"
ELIFS = "if x == 0:\n    pass\n" + "".join(f"elif x == {n}:\n    y = {n}\n" for n in range(80))
RECURSIVE = "def f(image):\n    return f(g(image))\ndef g(image):\n    return f(image)\nf(1)\n"
LONG = (
    "def f(n):\n"
    + "    x = n * 2 + n\n" * 600
    + "    return n\n"
    + "".join(f"y{n} = f({n})\n" for n in range(3000))
)
CHAIN = "x = y" + ".a(1)" * 150 + "\n"


@pytest.mark.parametrize("text", [NESTED, MANY, CALLS, ELIFS, RECURSIVE, LONG, CHAIN], ids=range(7))
def test_scripts_that_would_take_for_ever_do_not(text):
    assert og.audit(text).findings == ()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SCRIPTS)), st.data())
def test_a_damaged_script_is_read_or_refused(name, data):
    script = SCRIPTS[name][0]
    start = data.draw(st.integers(0, len(script)))
    stop = data.draw(st.integers(start, len(script)))
    other = data.draw(
        st.sampled_from(["", "(", "[0]", "image", "=", "\n", "*x", "**k", "None", ".a", "lambda: ", "1 + "])
    )
    try:
        report = og.audit("\n" + script[:start] + other + script[stop:])
    except og.ScriptError:
        return
    assert all(one.kind in TRAPS and one.line >= 1 for one in report.findings)


# What is known of names ---------------------------------------------------------------------------------------------


def kinds(text: str) -> list[str]:
    return [one.kind for one in og.audit(text + "\n").findings]


HEAD = "import numpy as np\nimport scipy.ndimage as ndi\nfrom skimage.data import chelsea, coins\nimage = chelsea()\n"


@pytest.mark.parametrize(
    ("line", "traps"),
    [
        ("ndi.median_filter(image, 3)", ["channels-filtered"]),
        ("ndi.median_filter(coins(), 3)", []),
        ("ndi.median_filter(image[..., 0], 3)", []),
        ("ndi.median_filter(image[:, :, 1], 3)", []),
        ("ndi.median_filter(image.mean(axis=2), 3)", []),
        ("ndi.median_filter(image[10:20, :40], 3)", ["channels-filtered"]),
        ("ndi.median_filter(image, size=(3, 3, 1))", []),
        ("ndi.median_filter(image, **options)", []),
        ("ndi.median_filter(*arguments)", []),
        ("ndi.median_filter(image, 1)", []),
        ("ndi.gaussian_filter(image, sigma=(2, 2, 0))", []),
        ("ndi.gaussian_filter(image, 2, axes=(0, 1))", []),
        ("[ndi.gaussian_filter(image[..., c], 2) for c in range(3)]", []),
        ("f = lambda x: ndi.gaussian_filter(x, 2)\nf(image)", ["channels-filtered"]),
        ("def f(x):\n    return ndi.gaussian_filter(x, 2)\nf(coins())", []),
        ("if image.ndim == 2:\n    image = ndi.gaussian_filter(image, 2)", []),
        ("if image.ndim == 3:\n    image = ndi.gaussian_filter(image, 2)", ["channels-filtered"]),
        ("image = other() if x else coins()\nndi.gaussian_filter(image, 2)", []),
        ("ndi.zoom(image, 1, order=0, grid_mode=True, mode='nearest')", ["channels-zoomed"]),
        ("ndi.zoom(image, factors, order=0, grid_mode=True, mode='nearest')", []),
        ("ndi.rotate(image, 90, reshape=False, order=1)", []),
        ("ndi.rotate(image, 180, order=1)", []),
        ("ndi.rotate(image, 0.5 * np.pi, reshape=False, order=1)", ["radians"]),
        ("ndi.rotate(image, 0.5 * 180 / np.pi, reshape=False, order=1)", []),
        ("ndi.affine_transform(coins(), np.array([[1, 0.2], [0, 1]]), offset=3, order=1)", []),
        ("ndi.affine_transform(coins(), np.array([[1, 0.2, 5], [0, 1, 0], [0, 0, 1]]), order=1)", []),
        ("ndi.affine_transform(image, np.array([[1, 0.2], [0, 1]]), order=1)", ["corner-origin"]),
        ("ndi.convolve(image, np.ones((3, 3, 3)) / 27)", ["channels-filtered"]),
        ("ndi.convolve(image[..., 0], np.array([[-1, 0, 1]]))", ["unsigned-derivative"]),
        ("image + 10.5", []),
        ("image + 10", ["uint8-wrap"]),
        ("image.astype(int) + 10", []),
        ("image += 10", ["uint8-wrap"]),
        ("255 - image", []),
        ("-image", ["uint8-wrap"]),
        ("image // 2", []),
        ("image > 10", []),
        ("(image > 10) * 255", []),
        ("a = image / 255\nb = a / 255", ["scaled-twice"]),
        ("a = image * (1 / 255)\nb = a * (1 / 255)", ["scaled-twice"]),
        ("a = image / 255\nb = a * 255\nc = b / 255", []),
        ("(image / 255 * 255).astype(np.uint8)", []),
        ("np.clip(image + 10.0, 0, 255).astype(np.uint8)", []),
        ("(image + 10.0).astype(np.uint8)", ["cast-wrap"]),
        ("for i in range(3):\n    image = image / 255", ["scaled-twice"]),
        ("(image / 2 + image / 2).astype(np.uint8)", []),
        ("(image * 0.3 + image * 0.7).astype(np.uint8)", []),
        ("(image * 0.3 + image).astype(np.uint8)", ["cast-wrap"]),
        ("(image * alpha).astype(np.uint8)", []),
        ("white = np.zeros((8, 8, 3), dtype='uint8') + 255", []),
        ("white = np.zeros_like(image) + 255", []),
        ("out = np.zeros_like(image)\nout[:8] = image[:8]\nout + 50", ["uint8-wrap"]),
        ("import os\nmasks = os.listdir('masks')\nphotos = os.listdir('images')", ["unsorted"]),
        ("import os\nmasks = sorted(os.listdir('masks'))\nphotos = sorted(os.listdir('images'))", []),
    ],
)
def test_one_line_at_a_time(line, traps):
    assert kinds(HEAD + line) == traps


LOAD = "from keras.utils import img_to_array, load_img\n"


@pytest.mark.parametrize(
    ("text", "traps"),
    [
        ("target = img_to_array(load_img(target_paths[i], target_size=(8, 8)))\n", []),
        ("def path_to_target(path):\n    return load_img(path, target_size=(8, 8))\n", []),
        ("x = load_img(label_path, target_size=(8, 8), interpolation='bilinear')\n", ["mask-interpolated"]),
        ("x = load_img('photo.png', target_size=(8, 8))\n", ["aliasing"]),
    ],
)
def test_files_of_labels_are_known_by_the_names_around_them(text, traps):
    assert kinds(LOAD + text) == traps


def test_the_drop_in_has_the_same_traps():
    text = "from offgraph import ndimage as ndi\nimport offgraph as og\nimage = og.imread('a.png', color='rgb')\n"
    assert kinds(text + "ndi.median_filter(image, 3)") == ["channels-filtered"]
    assert kinds(text.replace("'rgb'", "'grey'") + "ndi.median_filter(image, 3)") == []


def test_what_is_said_is_true():
    """The numbers in the texts, asked of SciPy and NumPy."""
    import numpy as np
    from scipy import ndimage as ndi

    zoom: Any = ndi.zoom
    assert zoom(np.full((8, 8), 100.0), 2, order=1, grid_mode=True)[0, 0] < 100  # grid-border
    assert zoom(np.zeros((8, 8, 3)), 0.5).shape[2] == 2  # channels-zoomed
    assert 1 in zoom(np.array([[0, 2], [0, 2]]), (1, 1.5), order=1)  # mask-interpolated
    assert np.uint8(250) + np.uint8(10) == 4 and np.array([16], np.uint8)[0] ** 2 == 0  # uint8-wrap
    assert np.array([260, -3]).astype(np.uint8).tolist() == [4, 253]  # cast-wrap
    red = np.zeros((4, 4, 3))
    red[..., 0] = 1
    assert ndi.shift(red, 1, order=0)[2, 2].tolist() == [0, 1, 0]  # channels-shifted: red becomes green


# The command line ---------------------------------------------------------------------------------------------------


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(stop.value.code or 0), printed.out, printed.err


def test_the_command_prints_places_and_offgraph_lines(tmp_path, capsys):
    (tmp_path / "filter.py").write_text(TRAP)
    status, out, _ = run(capsys, "audit", tmp_path / "filter.py")
    assert status == 0
    assert f"{tmp_path / 'filter.py'}:3:5: channels-filtered: median_filter" in out.replace("\n", "")
    assert "\n    og.MedianFilter(3)  # spatial axes only\n" in out and "recipe = og.Compose([" in out


def test_the_command_in_json_and_its_status(tmp_path, capsys):
    (tmp_path / "filter.py").write_text(TRAP)
    (tmp_path / "clean.py").write_text("x = 1\n")
    status, out, _ = run(capsys, "audit", "--json", "--strict", tmp_path / "filter.py", tmp_path / "clean.py")
    assert status == 3 and [len(each["findings"]) for each in json.loads(out)] == [1, 0]
    status, out, _ = run(capsys, "audit", "--strict", tmp_path / "clean.py")
    assert status == 0 and "no trap found" in out
    (tmp_path / "broken.py").write_text("print 'x'")
    status, _, error = run(capsys, "audit", tmp_path / "broken.py")
    assert status == 1 and "broken.py:1: not Python 3" in error
