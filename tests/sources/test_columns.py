"""Names and items in columns are those that stand alone, in the same order."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.made import image_file

import offgraph as og
from offgraph.sources.columns import Names
from offgraph.sources.items import Item, ItemColumns
from offgraph.sources.names import natural_key, natural_text
from offgraph.sources.walk import list_images

LETTERS = st.text("ab01 29é\udce9.-", min_size=1, max_size=6)


@given(st.lists(LETTERS), st.data())
def test_names_are_texts(texts: list[str], data: st.DataObject) -> None:
    names = Names(texts)
    assert list(names) == texts and len(names) == len(texts) and names[1:] == texts[1:]
    assert [names[i] for i in range(-len(texts), len(texts))] == texts * 2
    order = data.draw(st.permutations(range(len(texts))))
    assert list(names.taken(order)) == [texts[i] for i in order]
    assert names.texts(order, "é/") == ["é/" + texts[i] for i in order]
    for wrong in (len(texts), -len(texts) - 1):
        with pytest.raises(IndexError):
            names[wrong]


def test_many_names_are_read_in_blocks() -> None:
    texts = [f"name {number}" for number in range(10_000)]
    assert list(Names(texts)) == texts


@given(st.lists(st.lists(LETTERS, min_size=1, max_size=3).map("/".join), unique=True))
def test_texts_sort_as_natural_keys_do(names: list[str]) -> None:
    def text(name: str) -> str:
        return "".join(map(natural_text, name.split("/")))

    for one in names:
        for other in names:
            if not text(one).startswith(text(other)) and not text(other).startswith(text(one)):
                assert (text(one) < text(other)) == (natural_key(one) < natural_key(other))


@given(
    st.sets(st.text("a0129", min_size=1, max_size=4), max_size=8),
    st.sets(st.tuples(st.text("a01", min_size=1, max_size=2), st.text("a01", min_size=1, max_size=3))),
)
def test_files_are_listed_in_natural_order(
    tmp_path_factory: pytest.TempPathFactory, files: set[str], deep: set[tuple[str, str]]
) -> None:
    home = tmp_path_factory.mktemp("files")
    wanted = [f"{name}.png" for name in files] + [f"{folder}/{name}.png" for folder, name in deep]
    for name in wanted:
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).touch()
    listing = list_images(home)
    assert list(listing.names) == sorted(wanted, key=natural_key)
    assert [one.path for one in listing.found] == [home / name for name in listing.names]


def test_items_in_columns_are_items(tmp_path: Path) -> None:
    names = Names(["a/1.png", "b/2.png", "c/3.png"])
    columns = ItemColumns(tmp_path, names, np.array([2, 0, 1]), np.array([-1, 0, -1]))
    plain = (
        Item("a/1.png", tmp_path / "a/1.png", 2),
        Item("b/2.png", tmp_path / "b/2.png", 0, copy_of="a/1.png"),
        Item("c/3.png", tmp_path / "c/3.png", 1),
    )
    assert columns == plain and columns[1:] == plain[1:] and columns[-1] == plain[2]
    assert type(columns[0].label) is int and columns.classes() == {0, 1, 2}
    some = columns.selected([2, 1])
    assert some == (plain[2], plain[1]) and some.selected([1]) == plain[1:2] and some.classes() == {0, 1}
    assert list(some.names()) == ["c/3.png", "b/2.png"] and some != columns
    again = some.relabelled({0: 5, 1: 6, 2: 7})
    assert [item.label for item in again] == [6, 5] and [item.label for item in some] == [1, 0]
    assert pickle.loads(pickle.dumps(some)) == some
    bare = ItemColumns(tmp_path, names, None)
    assert bare[0] == Item("a/1.png", tmp_path / "a/1.png") and bare.classes() == set()
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            columns[wrong]
    with pytest.raises(IndexError):
        columns.selected([3])


def test_links_are_copies_of_the_first_name(tmp_path: Path) -> None:
    image_file(tmp_path / "in" / "b" / "file.png", np.zeros((4, 4), np.uint8))
    image_file(tmp_path / "elsewhere.png", np.zeros((4, 4), np.uint8))
    (tmp_path / "in" / "a").mkdir()
    for name, target in (
        ("a/1.png", "in/b/file.png"),
        ("a/2.png", "in/b/file.png"),
        ("a/3.png", "elsewhere.png"),
        ("b/4.png", "elsewhere.png"),
    ):
        (tmp_path / "in" / name).symlink_to(tmp_path / target)
    found = {item.name: item.copy_of for item in og.open_source(tmp_path / "in")}
    assert found == {
        "a/1.png": "b/file.png", "a/2.png": "b/file.png", "a/3.png": None, "b/4.png": "a/3.png", "b/file.png": None
    }  # fmt: skip


def test_many_files_take_little_memory(tmp_path: Path) -> None:
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
    image_file(tmp_path / "cat" / "img_0000000.png", np.zeros((4, 4), np.uint8))
    for number in range(1, 10_000):
        (tmp_path / ("cat", "dog")[number % 2] / f"img_{number:07}.png").hardlink_to(
            tmp_path / "cat" / "img_0000000.png"
        )
    (tmp_path.parent / f"{tmp_path.name}.csv").write_text(
        "path,label\n"
        + "".join(f"{('cat', 'dog')[n % 2]}/img_{n:07}.png,{('cat', 'dog')[n % 2]}\n" for n in range(10_000))
    )
    opened = []
    for path, options in ((tmp_path, {}), (tmp_path.parent / f"{tmp_path.name}.csv", {"root": tmp_path})):
        tracemalloc.start()
        source = og.open_source(path, **options)
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 60 * 10_000 and peak < 290 * 10_000
        opened.append(source)
    folder, table = opened
    assert len(folder) == 10_000 and folder.class_names == ("cat", "dog")
    assert list(folder.names())[:3] == [f"cat/img_{2 * n:07}.png" for n in range(3)]
    assert {item.name: item.label for item in folder} == {item.name: item.label for item in table}
