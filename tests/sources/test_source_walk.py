"""Listing folders: one bad entry is left out by name, the rest goes on, and every folder is walked once."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.core.errors import MachineError, OffgraphWarning, SourceError
from offgraph.formats.encoding import imwrite
from offgraph.sources import Source, open_source
from offgraph.sources.walk import list_images


def put(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        imwrite(path, np.zeros((4, 6), np.uint8))
    return root


def names(source: Source) -> list[str]:
    return [item.name for item in source]


@pytest.fixture
def broken_scandir(monkeypatch):
    """Make listing the folders of a name fail, as forbidden or vanished folders do, also for root."""

    def install(folder: str, number: int) -> None:
        real = os.scandir

        def scandir(path):
            if Path(path).name == folder:
                raise OSError(number, os.strerror(number), path)
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)

    return install


def test_folders_that_link_to_one_another_are_walked_once(tmp_path) -> None:
    put(tmp_path, *(f"{i}/p.png" for i in range(7)))
    for i in range(7):
        for j in range(7):
            if i != j:
                (tmp_path / f"{i}" / f"to{j}").symlink_to(f"../{j}")
    source = open_source(tmp_path)
    assert [(item.name, item.label) for item in source] == [(f"{i}/p.png", i) for i in range(7)]
    assert source.skipped == {"link to a folder that is listed already": 42}
    assert source.left_out["link to a folder that is listed already"][:2] == ("0/to1", "0/to2")


def test_a_link_to_itself_is_left_out(tmp_path) -> None:
    put(tmp_path, "cat/1.png", "dog/1.png")
    (tmp_path / "cat" / "self.png").symlink_to("self.png")
    (tmp_path / "there").symlink_to("back")
    (tmp_path / "back").symlink_to("there")
    source = open_source(tmp_path)
    assert names(source) == ["cat/1.png", "dog/1.png"] and source.class_names == ("cat", "dog")
    assert source.left_out == {"link loop": ("back", "cat/self.png", "there")}
    report = og.doctor(tmp_path)
    assert report.skipped == {"link loop": 3}
    left = [(one.file, one.said) for one in report.findings if one.kind == "left"]
    assert left == [(name, "link loop") for name in ("back", "cat/self.png", "there")]


def test_the_shortest_path_wins_then_the_real_one_then_the_first(tmp_path) -> None:
    put(tmp_path / "home", "b/deep/1.png", "c/2.png")
    put(tmp_path / "away", "3.png")
    (tmp_path / "home" / "a").symlink_to("c")
    (tmp_path / "home" / "d").symlink_to("b/deep")
    for link in ("x10", "x9"):
        (tmp_path / "home" / "b" / link).symlink_to(tmp_path / "away")
    source = open_source(tmp_path / "home", labels="folders")
    assert names(source) == ["b/x9/3.png", "c/2.png", "d/1.png"]
    assert source.left_out["link to a folder that is listed already"] == ("a", "b/deep", "b/x10")


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.EACCES, "no permission"), (errno.ENOENT, "gone while it was listed"), (errno.ELOOP, "link loop")],
)
def test_a_folder_that_cannot_be_listed_is_left_out_and_stays_a_class(
    tmp_path, broken_scandir, number, reason
) -> None:
    put(tmp_path, "ant/1.png", "bee/1.png", "cat/in/1.png")
    broken_scandir("bee", number)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        source = open_source(tmp_path)
    lost = [f"{tmp_path}: what lies here could not be listed and is left out: bee ({reason}); "]
    assert [str(one.message).partition("Source.left_out")[0] for one in said] == lost * (
        reason != "link loop"
    )
    assert [(item.name, item.label) for item in source] == [("ant/1.png", 0), ("cat/in/1.png", 2)]
    assert source.class_names == ("ant", "bee", "cat") and source.left_out == {reason: ("bee",)}


def test_a_root_that_cannot_be_listed_is_an_error(tmp_path, broken_scandir) -> None:
    put(tmp_path, "pets/1.png")
    broken_scandir("pets", errno.EACCES)
    with pytest.raises(SourceError, match="pets: Permission denied"):
        open_source(tmp_path / "pets")


@pytest.mark.parametrize("folder", ["bee", "pets"])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ESTALE])
def test_a_failure_of_the_machine_leaves_nothing_out(tmp_path, broken_scandir, folder, number) -> None:
    put(tmp_path / "pets", "ant/1.png", "bee/1.png")
    broken_scandir(folder, number)
    with pytest.raises(MachineError, match=folder) as caught:
        open_source(tmp_path / "pets")
    assert caught.value.errno == number


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_names_that_are_not_utf8_are_names_like_others(tmp_path) -> None:
    odd = os.fsdecode(b"\xff\xfe")
    put(tmp_path, f"{odd}/{odd}.png", "dog/1.png")
    source = open_source(tmp_path)
    assert names(source) == ["dog/1.png", f"{odd}/{odd}.png"] and source.class_names == ("dog", odd)
    assert source.read(1).image.array.shape == (4, 6, 3) and not source.skipped
    with pytest.raises(
        SourceError, match=r"the class \\udcff\\udcfe is not among class_names \(dog\)"
    ) as caught:
        open_source(tmp_path, class_names=["dog"])
    assert str(caught.value).encode("utf-8")
    assert len(og.split(source, val=1)[1]) == 1


def test_folders_a_thousand_deep_are_walked(tmp_path) -> None:
    home = Path.cwd()
    (tmp_path / "deep").mkdir()
    os.chdir(tmp_path / "deep")
    try:
        for depth in range(1100):  # beyond what a path may be long
            if depth == 1000:
                imwrite("1.png", np.zeros((4, 6), np.uint8))
            Path("aaa").mkdir()
            os.chdir("aaa")
        os.chdir(home)
        with pytest.warns(OffgraphWarning, match=r"left out: (aaa/)+aaa \(path too long\)"):
            source = open_source(tmp_path / "deep", labels=None)
        assert names(source) == ["aaa/" * 1000 + "1.png"] and source.read(0).image.array.shape == (4, 6, 3)
        assert source.skipped == {"path too long": 1}
        with pytest.warns(OffgraphWarning), pytest.raises(SourceError, match=r"all 1 image lie in aaa/"):
            open_source(tmp_path / "deep")
    finally:
        os.chdir(tmp_path / "deep")
        depth = 0
        while Path("aaa").is_dir():
            os.chdir("aaa")
            depth += 1
        for _ in range(depth):  # from below, since a long path cannot be removed at once
            Path("1.png").unlink(missing_ok=True)
            os.chdir("..")
            Path("aaa").rmdir()
        os.chdir(home)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in file systems")
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.png", "t", "t.keras"])
def test_a_pipe_is_refused_without_waiting(tmp_path, name) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match="neither a folder nor a regular file"):
        open_source(tmp_path / name)
    with pytest.raises(SourceError, match=r"no images in it \(left out: 1 not a regular file\)"):
        open_source(tmp_path)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "x" * 300])
def test_paths_that_cannot_be_looked_at(tmp_path, path) -> None:
    with pytest.raises(SourceError):
        open_source(tmp_path / path)
    assert not og.sources.is_built(tmp_path / path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open handles cannot be counted here")
def test_no_handle_stays_open(tmp_path, broken_scandir) -> None:
    put(tmp_path, "ant/1.png", "bee/1.png")
    (tmp_path / "bare").write_bytes(b"no suffix")
    (tmp_path / "t.csv").write_text('path\n"1.png\n')
    broken_scandir("bee", errno.EMFILE)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in (tmp_path, tmp_path / "ant", tmp_path / "t.csv", tmp_path / "bare"):
        try:
            open_source(path)
        except og.OffgraphError:
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# classes


def test_an_empty_class_folder_counts(tmp_path) -> None:
    put(tmp_path, "cat/1.png", "dog/1.png")
    for name in ("bird", "eel/.hidden", "fly/in/side"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "gnu").mkdir()
    (tmp_path / "gnu" / "1.png").symlink_to("nowhere.png")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "notes.txt").write_text("not a class")
    source = open_source(tmp_path)
    assert source.class_names == ("bird", "cat", "dog", "eel", "fly", "gnu")
    assert [item.label for item in source] == [1, 2]


def test_folders_of_systems_and_tools_are_left_out(tmp_path) -> None:
    tools = ["@eaDir", "__pycache__", "__MACOSX", "lost+found", "#recycle", "$RECYCLE.BIN"]
    tools += ["System Volume Information", "@Recycle"]
    hidden = [".ipynb_checkpoints", ".AppleDouble", ".DS_Store"]
    put(tmp_path, "cat/1.png", "dog/1.png", *(f"{tool}/cat/thumb.png" for tool in (*tools, *hidden)))
    put(tmp_path, "cat/@eaDir/thumb.png")
    (tmp_path / "Thumbs.db").write_bytes(b"")
    source = open_source(tmp_path)
    assert names(source) == ["cat/1.png", "dog/1.png"] and source.class_names == ("cat", "dog")
    assert source.skipped == {"hidden": 3, "of a system or a tool": 10}
    assert set(source.left_out["of a system or a tool"]) == {*tools, "Thumbs.db", "cat/@eaDir"}


# copies


def test_links_to_one_file_stay_on_one_side_of_a_split(tmp_path) -> None:
    put(tmp_path, *(f"{i}.png" for i in range(9)))
    (tmp_path / "0link.png").symlink_to("8.png")
    (tmp_path / "5link.png").symlink_to("8.png")
    os.link(tmp_path / "1.png", tmp_path / "hard.png")
    source = open_source(tmp_path)
    copies = {item.name: item.copy_of for item in source if item.copy_of}
    assert copies == {"0link.png": "8.png", "5link.png": "8.png"}
    for seed in range(10):
        val = names(og.split(source, val=0.3, seed=seed)[1])
        assert len({"0link.png", "5link.png", "8.png"} & set(val)) in (0, 3)
    (tmp_path / "t.csv").write_text("path\n" + "\n".join(names(source)) + "\n")
    assert {i.name: i.copy_of for i in open_source(tmp_path / "t.csv") if i.copy_of} == {
        "8.png": "0link.png",
        "5link.png": "0link.png",
    }


def test_control_characters_of_names_are_written_as_escapes(tmp_path) -> None:
    put(tmp_path, "a\x1b[31m/1.png", "b\n\u202e/1.png")
    for options in ({"class_names": ["c"]}, {"task": "regress"}):
        with pytest.raises(SourceError) as caught:
            open_source(tmp_path, **options)
        assert str(caught.value).isprintable()
    with pytest.raises(SourceError, match=r"a\\x1b\[31m, b\\n\\u202e are not among") as caught:
        open_source(tmp_path, class_names=["c"])
    put(tmp_path / "c\x1b", "1.png", "x/2.png")
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path / "c\x1b")
    assert str(caught.value).isprintable() and "c\\x1b" in str(caught.value)
    assert repr(open_source(tmp_path / "c\x1b" / "x")).isprintable()


@settings(max_examples=60, deadline=None)
@given(
    folders=st.lists(st.tuples(st.integers(0, 7), st.sampled_from("abcde")), min_size=1, max_size=8),
    files=st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["1.png", "2.png", "t.txt"])), max_size=9),
    links=st.lists(st.tuples(st.integers(0, 8), st.sampled_from("xyz1"), st.integers(-1, 20)), max_size=9),
)
def test_in_any_tree_every_folder_is_walked_once(folders, files, links) -> None:
    with tempfile.TemporaryDirectory() as home:
        made = [Path(home)]
        for parent, name in folders:
            made.append(made[parent % len(made)] / name)
            made[-1].mkdir(exist_ok=True)
        written = {made[place % len(made)] / name for place, name in files}
        for path in written:
            path.write_bytes(b"")
        targets = [*made, *sorted(written), Path("nowhere"), Path(home) / "x"]
        for place, name, target in links:
            with contextlib.suppress(FileExistsError):
                (made[place % len(made)] / name).symlink_to(targets[target % len(targets)])
        first, again = list_images(Path(home)), list_images(Path(home))
        assert [one.name for one in first.found] == [one.name for one in again.found]
        real = [os.path.realpath(one.path) for one in first.found if not one.is_link]
        assert sorted(real) == sorted(
            str(path) for path in map(os.path.realpath, written) if path.endswith("png")
        )
        assert set(first.copies()) <= {one.name for one in first.found if one.is_link}
        for labels in ("folders", None):
            with contextlib.suppress(SourceError):
                open_source(home, labels=labels)
