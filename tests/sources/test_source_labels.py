"""What a source is to be learned for: classes, several classes, numbers, masks; and the numbers of the classes."""

from __future__ import annotations

import csv
import tempfile
import time
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.apps.source_options import as_options
from offgraph.core.errors import OffgraphWarning, SourceError
from offgraph.formats.encoding import imwrite
from offgraph.sources import Item, Source, open_source
from offgraph.sources.names import nfc

IMAGE = np.zeros((4, 6), np.uint8)


def put(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        imwrite(path, IMAGE)
    return root


def table(root: Path, header: str, *cells: str) -> Path:
    """A CSV of one image per row, whose further cells are given."""
    put(root, *(f"{i}.png" for i in range(len(cells))))
    rows = [f"{i}.png,{cell}" for i, cell in enumerate(cells)]
    path = root / "t.csv"
    path.write_text("\n".join([f"path,{header}", *rows]) + "\n", encoding="utf-8")
    return path


def labels(source: Source) -> list:
    return [item.label for item in source]


# class numbers


def test_folders_and_tables_number_classes_in_one_natural_order(tmp_path) -> None:
    put(tmp_path, *(f"{number}/1.png" for number in range(11)))
    (tmp_path / "all.csv").write_text("path,label\n" + "".join(f"{n}/1.png,{n}\n" for n in range(11)))
    folders, rows = open_source(tmp_path), open_source(tmp_path / "all.csv")
    assert folders.class_names == rows.class_names == tuple(str(n) for n in range(11))
    assert [(i.name, i.label) for i in folders] == [(i.name, i.label) for i in rows]


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["dog", "cat", "Zebra"], ("Zebra", "cat", "dog")),
        (["-2", "10", "9"], ("-2", "9", "10")),
        (["stage 10", "stage 9"], ("stage 9", "stage 10")),
    ],
)
def test_class_order(tmp_path, names, order) -> None:
    assert open_source(put(tmp_path, *(f"{name}/1.png" for name in names))).class_names == order
    assert open_source(table(tmp_path / "t", "label", *names)).class_names == order


def test_one_name_in_two_unicode_forms_is_one_class(tmp_path) -> None:
    for form in ("NFC", "NFD"):
        put(tmp_path / form, *(f"{unicodedata.normalize(form, name)}/1.png" for name in ("été", "zoo")))
        source = open_source(tmp_path / form)
        assert source.class_names == ("zoo", "été") and labels(source) in ([0, 1], [1, 0])
        assert open_source(tmp_path / form, class_names=["e\u0301te\u0301", "zoo"]).class_names == (
            "été",
            "zoo",
        )
    both = [unicodedata.normalize(form, "été") for form in ("NFC", "NFD")]
    assert open_source(table(tmp_path / "t", "label", *both)).class_names == ("été",)


def test_names_that_differ_by_case_alone_are_told(tmp_path) -> None:
    path = table(tmp_path, "label", "cat", "Cat", "dog")
    with pytest.warns(OffgraphWarning, match="Cat and cat are classes of their own.*give class_names"):
        assert open_source(path).class_names == ("Cat", "cat", "dog")
    assert labels(open_source(path, class_names=["cat", "Cat", "dog"])) == [0, 1, 2]
    assert open_source(table(tmp_path, "label", "a", "A")).class_names == ("A", "a")


def test_a_table_in_another_unicode_form_than_the_files(tmp_path) -> None:
    put(tmp_path, "e\u0301.png", "u\u0308/1.png")
    (tmp_path / "t.csv").write_text("path\n\u00e9.png\n\u00fc/1.png\n", encoding="utf-8")
    source = open_source(tmp_path / "t.csv")
    assert [source.read(i).image.array.shape for i in range(2)] == [(4, 6, 3)] * 2


def test_groups_and_divisions_do_not_depend_on_the_unicode_form() -> None:
    divided = []
    for form in ("NFC", "NFD"):
        text = [unicodedata.normalize(form, f"\u00e9{i}.png") for i in range(30)]
        items = tuple(Item(name, Path(name)) for name in text)
        divided.append([nfc(item.name) for item in og.split(Source(items, (), Path()), val=0.3)[1]])
    assert divided[0] == divided[1] and len(divided[0]) == 9
    groups = [unicodedata.normalize(("NFC", "NFD")[i % 2], f"\u00e9{i % 3}") for i in range(30)]
    items = tuple(Item(f"{i}.png", Path(f"{i}.png"), group=group) for i, group in enumerate(groups))
    sides = [{nfc(item.group) for item in part} for part in og.split(Source(items, (), Path()), val=0.3)]
    assert not sides[0] & sides[1]


def test_class_names_that_are_given_number_the_classes(tmp_path) -> None:
    put(tmp_path, "cat/1.png", "dog/1.png")
    source = open_source(tmp_path, class_names=["dog", "bird", "cat"])
    assert source.class_names == ("dog", "bird", "cat") and labels(source) == [2, 0]
    again = open_source(tmp_path).with_class_names(("dog", "bird", "cat"))
    assert labels(again) == [2, 0] and again.class_names == source.class_names
    assert labels(open_source(open_source(tmp_path), class_names=["dog", "cat"])) == [1, 0]


def test_classes_that_are_not_among_the_names_are_refused_by_name(tmp_path) -> None:
    put(tmp_path, "cat/1.png", "frog/1.png", "newt/1.png")
    for opening in (
        lambda: open_source(tmp_path, class_names=["cat", "dog"]),
        lambda: open_source(tmp_path).with_class_names(["cat", "dog"]),
    ):
        with pytest.raises(SourceError, match=r"classes frog, newt are not among class_names \(cat, dog\)"):
            opening()
    with pytest.raises(SourceError, match=r"t\.csv: the class frog is not among class_names"):
        open_source(table(tmp_path / "t", "label", "cat", "frog"), class_names=["cat"])
    with pytest.raises(SourceError, match=r"the class b is not among class_names \(a\)"):
        open_source(table(tmp_path / "u", "a,b", "0,1"), class_names=["a"], task="multilabel")


def test_a_class_that_has_no_items_left_is_no_obstacle(tmp_path) -> None:
    source = open_source(put(tmp_path, "cat/1.png", "frog/1.png"))
    assert labels(source.subset([0]).with_class_names(["ant", "cat"])) == [1]


@pytest.mark.parametrize("given", ["cat", [], ["a", "a"], ["", "a"], [1, 2], ["é", "e\u0301"]])
def test_class_names_that_are_none(tmp_path, given) -> None:
    with pytest.raises(SourceError, match="class_names"):
        open_source(put(tmp_path, "1.png"), class_names=given)


def test_a_source_without_classes_needs_no_names(tmp_path) -> None:
    source = open_source(put(tmp_path, "1.png"), class_names=["cat"])
    assert source.class_names == () and source.with_class_names(["cat"]) is source and source.task is None


# tasks


def test_numbers_to_learn(tmp_path) -> None:
    path = table(tmp_path, "label", "9.5", "-3", "1e-2", ".5")
    source = open_source(path, task="regress")
    assert labels(source) == [(9.5,), (-3.0,), (0.01,), (0.5,)]
    assert source.task == "regress" and source.target_names == ("label",) and source.class_names == ()
    assert repr(source).endswith("4 images, regress: label>")
    train, _ = og.split(source, val=1)
    assert train.task == "regress" and train.target_names == ("label",)


def test_several_target_columns(tmp_path) -> None:
    source = open_source(table(tmp_path, "site,x,y", "a,1,2.5", "b,3,4"), targets=("x", "y"))
    assert labels(source) == [(1.0, 2.5), (3.0, 4.0)] and source.target_names == ("x", "y")
    assert source.columns["site"] == ("a", "b") and source.task == "regress"
    assert labels(open_source(table(tmp_path, "x,y", "1,2.5", "3,4"), task="regress")) == labels(source)
    named = open_source(table(tmp_path, "label,kind", "1,cat", "2,dog"), targets="kind")
    assert named.class_names == ("cat", "dog")


@pytest.mark.parametrize("separator", [" ", "|", ";", ", "])
def test_several_labels_in_a_cell(tmp_path, separator) -> None:
    cells = [f'"cat{separator}dog"', "dog", "cat", "", f'"dog{separator}cat{separator}dog"']
    source = open_source(table(tmp_path, "label", *cells), task="multilabel")
    assert source.class_names == ("cat", "dog")
    assert labels(source) == [(0, 1), (1,), (0,), (), (0, 1)]
    assert repr(source).endswith("5 images, multilabel: 2 classes>")
    other = source.with_class_names(["dog", "bird", "cat"])
    assert labels(other) == [(0, 2), (0,), (2,), (), (0, 2)]


def test_several_labels_are_inferred_where_it_is_certain(tmp_path) -> None:
    source = open_source(table(tmp_path, "label", "hot dog|cat", "cat", "hot dog"))
    assert source.task == "multilabel" and labels(source) == [(0, 1), (0,), (1,)]
    told = open_source(table(tmp_path, "label", "cat dog", "dog"), class_names=["cat", "dog"])
    assert told.task == "multilabel" and labels(told) == [(0, 1), (1,)]
    assert open_source(table(tmp_path, "label", "a|b", "c|d")).class_names == ("a|b", "c|d")


def test_one_hot_columns(tmp_path) -> None:
    path = table(tmp_path, "dog,cat,ant", "0,1,0", "1,0,0")
    source = open_source(path, task="classify")
    assert source.class_names == ("dog", "cat", "ant") and labels(source) == [1, 0]
    assert labels(open_source(path, task="classify", class_names=["ant", "cat", "dog"])) == [1, 2]
    several = open_source(table(tmp_path, "dog,cat", "1,1", "0,0"), task="multilabel")
    assert labels(several) == [(0, 1), ()]
    picked = open_source(
        table(tmp_path, "n,dog,cat", "7,1,1", "8,0,1"), task="multilabel", targets=["cat", "dog"]
    )
    assert picked.class_names == ("cat", "dog") and labels(picked) == [(0, 1), (0,)]


@pytest.mark.parametrize(
    ("header", "cells", "asks"),
    [
        (
            "label",
            ["9.5", "10.25", "2.75", "31"],
            "holds 4 different numbers, some with a decimal point.*regress",
        ),
        ("label", ["9,5", "2"], "some with a decimal point"),
        ("label", ["34", "27", "61", "45", "19"], "holds 5 different numbers: write task='regress'"),
        (
            "label",
            ["61", "72", "55", "90", "48", "83", "67", "78", "59", "61"],
            "holds 9 different numbers: write task='regress'",
        ),
        (
            "label",
            [f"{n}.12.2020" for n in range(21)],
            "holds another text in each of 21 rows: write task='classify'",
        ),
        (
            "label",
            [str(age) for age in (*range(30, 50), 70, 81)],
            "holds 22 different numbers: write task='reg",
        ),
        (
            "red",
            [str(3 + n % 17 + (n % 17 > 4)) for n in range(112)],
            "column red holds 17 different numbers: write task='regress'",
        ),
        (
            "label",
            ["9.5", "10", "many", "31"],
            "row 4: 'many' in the column label, where most are numbers: correct",
        ),
        ("label", ["0", "1", "NaN", "1"], "row 4: 'NaN' in the column label.*or write task='classify'"),
        ("label", ["cat dog", "dog", "cat", "dog cat"], "cells such as 'cat dog'.*task='multilabel'"),
        ("label", ["cat, dog", "dog", "cat"], "cells such as 'cat, dog'.*task='classify'"),
        ("cat,dog", ["0,1", "1,0"], "columns cat, dog hold only 0 and 1, and there is no column label"),
        ("x,y", ["0.5,1", "1,0"], "columns x, y hold numbers.*task='regress'.*labels=None"),
    ],
)
def test_where_the_task_is_in_doubt_opening_asks(tmp_path, header, cells, asks) -> None:
    quoted = [cell if "," in header else f'"{cell}"' for cell in cells]
    path = table(tmp_path, header, *quoted)
    with pytest.raises(SourceError, match=asks):
        open_source(path, targets=None if header == "label" or "," in header else [header])
    assert labels(open_source(path, labels=None)) == [None] * len(cells)


@pytest.mark.parametrize(
    "cells",
    [
        ["0", "1", "1", "5"],
        ["7", "9", "12"],
        ["34", "27", "61", "45", "34"],
        [str(n) for n in range(1, 21)],
        [f"breed {n % 21}" for n in range(22)],
        [str(n % 30) for n in range(60)],
        ["hot dog", "dog"],
        ["red car", "blue car"],
        ["Paris, France", "London, England"],
        ["001", "002"],
        ["1", "2", "unknown", "other", "mixed"],
        ["v1.5", "v2.5"],
    ],
)
def test_what_is_certainly_a_class_is_one_without_a_word(tmp_path, cells) -> None:
    source = open_source(table(tmp_path, "label", *(f'"{cell}"' for cell in cells)))
    assert source.task == "classify" and [source.class_names[n] for n in labels(source)] == cells


@pytest.mark.parametrize(
    ("header", "cells", "options", "said"),
    [
        ("label", ["1", ""], {"task": "regress"}, r"row 3: no value in the column label"),
        ("label", ["1", "nan"], {"task": "regress"}, r"row 3: 'nan' is not a finite number"),
        ("label", ["1", "1e999"], {"task": "regress"}, r"row 3: '1e999' is not a finite number"),
        ("label", ["1", "1_0"], {"task": "regress"}, r"row 3: '1_0' is not a finite number"),
        (
            "label",
            ["1", '"9,5"'],
            {"task": "regress"},
            r"row 3: '9,5' is not a finite number; write a decimal point",
        ),
        ("label", ["a", ""], {"task": "classify"}, r"row 3: no label for 1\.png"),
        ("label", ["", ""], {"task": "multilabel"}, "not one label in the column label"),
        ("label", ['"a;b,c"'], {"task": "multilabel"}, "separates labels by ';' and by ','"),
        ("a,b", ["1,1"], {"task": "classify"}, r"row 2: 2 of the columns a, b hold a 1.*task='multilabel'"),
        (
            "a,b",
            ["1,2"],
            {"task": "multilabel", "targets": ["a", "b"]},
            r"row 2: '2' in the column b: a 0 or a 1",
        ),
        ("a,b", ["1,0"], {"targets": ["a", "b"]}, "hold only 0 and 1: write task='classify'"),
        ("a,b", ["x,y"], {"targets": ["a", "b"]}, r"row 2: 'x' is not a finite number in the column a"),
        (
            "a,b",
            ["x,y"],
            {"task": "classify"},
            r"there is no column label: say which columns.*targets=\['a'\]",
        ),
        ("a,b", ["x,y"], {"targets": "c"}, "there is no column c of labels; columns are a, b, path"),
        ("label", ["a"], {"task": "segment"}, "task='segment': there are no masks"),
        ("label", ["a"], {"task": "sort"}, "task='sort': use one of 'classify', 'multilabel'"),
        ("label", ["a"], {"task": "classify", "labels": None}, "labels=None with task='classify'"),
        ("a,b", ["1,2"], {"targets": ["a", "b", "a"]}, r"targets=\['a', 'b', 'a'\]: name each column once"),
        ("label", ["a"], {"targets": []}, r"targets=\[\]: give names of columns"),
    ],
)
def test_labels_that_do_not_fit_name_the_row(tmp_path, header, cells, options, said) -> None:
    with pytest.raises(SourceError, match=said):
        open_source(table(tmp_path, header, *cells), **options)


@pytest.mark.parametrize("column", ["class", "Label", "Category", "y"])
def test_a_column_that_is_called_like_labels_is_not_left_out_in_silence(tmp_path, column) -> None:
    path = table(tmp_path, f"site,{column}", "s1,cat", "s2,dog")
    with pytest.warns(
        OffgraphWarning, match=rf"the column {column} is left out: .*targets=\['{column}'\]"
    ) as said:
        assert open_source(path).task is None
    assert Path(said[0].filename) == Path(__file__)
    with pytest.raises(SourceError, match=rf"task='classify', but .*targets=\['{column}'\]"):
        open_source(path, task="classify")
    assert open_source(path, targets=column).class_names == ("cat", "dog")
    assert open_source(path, labels=None).columns[column] == ("cat", "dog")


def test_labels_in_words(tmp_path) -> None:
    several = open_source(table(tmp_path, "label", "cat|dog", "", "dog"), task="multilabel")
    assert [several.label_text(item.label) for item in several] == ["cat, dog", "no class", "dog"]
    numbers = open_source(table(tmp_path, "x,y", "1.5,2"), task="regress")
    assert numbers.label_text(numbers[0].label) == "x 1.5, y 2" and numbers.label_text(None) == ""
    for source in (several, numbers):
        assert (
            "cat, dog" in (page := og.preview(source, [], tmp_path / "p.html").read_text())
            or "x 1.5, y 2" in page
        )


CELL = st.sampled_from(
    ["", "a", "a b", "b a", "a|b", "a;b", "1", "0", "-1", "9.5", "9,5", "1e999", "nan", "0.png"]
)
ODD = st.text(st.characters(codec="utf-8"), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    header=st.lists(st.sampled_from(["path", "label", "mask", "group", "x", "y", "a"]) | ODD, max_size=5),
    rows=st.lists(st.lists(CELL | ODD, max_size=5), max_size=6),
    task=st.sampled_from([None, "classify", "multilabel", "regress", "segment"]),
    targets=st.sampled_from([None, ["x"], ["x", "y"], ["label", "a"]]),
    class_names=st.sampled_from([None, ["a", "b"]]),
    missing_mask=st.sampled_from(["error", "skip", "background"]),
)
def test_whatever_a_table_holds_it_opens_or_is_refused(
    header, rows, task, targets, class_names, missing_mask
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", *header] if len(rows) % 4 else header)
            writer.writerows([f"{i % 3}.png", *row] for i, row in enumerate(rows))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OffgraphWarning)
            try:
                source = open_source(
                    path, task=task, targets=targets, class_names=class_names, missing_mask=missing_mask
                )
                said = [repr(source), *(source.label_text(item.label) for item in source)]
                names = [item.name for item in source]
            except SourceError as error:
                said, names = [str(error)], []
        assert "".join(said).isprintable() and len(set(names)) == len(names)


def test_a_folder_has_the_task_that_its_layout_allows(tmp_path) -> None:
    flat, classes = put(tmp_path / "flat", "1.png"), put(tmp_path / "classes", "a/1.png", "b/1.png")
    assert open_source(classes).task == "classify" and open_source(flat).task is None
    paired = open_source(flat, masks=put(tmp_path / "masks", "1.png"), task="segment")
    assert paired.task == "segment" and repr(paired).endswith("1 image, segment>")
    for root, task in (
        (flat, "classify"),
        (flat, "segment"),
        (classes, "regress"),
        (flat / "1.png", "regress"),
    ):
        with pytest.raises(SourceError, match=f"task='{task}'"):
            open_source(root, task=task)
    for option in ({"targets": "x"}, {"root": flat}, {"repeats": True}):
        with pytest.raises(SourceError, match=f"{next(iter(option))}=.* is for tables"):
            open_source(flat, **option)


def test_many_classes_and_many_repeats_take_no_longer_each(tmp_path) -> None:
    """Each of 20,000 is compared with no list of all: that took half a minute."""
    names = [f"class {i}" for i in range(20_000)]
    put(tmp_path, "0.png")
    (tmp_path / "t.csv").write_text("path,label\n" + "".join(f"0.png,{names[7]}\n" for _ in names))
    start = time.process_time()
    source = open_source(tmp_path / "t.csv", class_names=names, repeats=True)
    assert source[1].name == "0.png#2" and source[-1].name == "0.png#20000" and source[5].label == 7
    assert time.process_time() - start < 8
    with pytest.raises(SourceError, match="class 19999 is in it twice"):
        open_source(tmp_path / "t.csv", class_names=[*names, names[-1]], repeats=True)


# rows that repeat an image


def test_repeated_rows_are_items_of_their_own_that_a_split_keeps_together(tmp_path) -> None:
    put(tmp_path, *(f"{i}.png" for i in range(8)))
    (tmp_path / "0.png#2").write_bytes((tmp_path / "0.png").read_bytes())
    rows = ["0.png,a", "./0.png,a", "0.png,a", "0.png#2,a", *(f"{i}.png,{'ab'[i % 2]}" for i in range(1, 8))]
    rows += ["3.png,b", "6.png,a"]
    (tmp_path / "t.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    with pytest.warns(
        OffgraphWarning, match=r"rows 3, 4, 13, 14: paths that stand in earlier rows.*repeats=True"
    ):
        open_source(tmp_path / "t.csv")
    with pytest.raises(SourceError, match=r"row 3: 0\.png stands in row 2 already; remove one"):
        open_source(tmp_path / "t.csv", repeats=False)
    source = open_source(tmp_path / "t.csv", repeats=True)
    names = [item.name for item in source]
    assert names[:4] == ["0.png", "0.png#3", "0.png#4", "0.png#2"] and len(set(names)) == len(names)
    assert [item.copy_of for item in source][:4] == [None, "0.png", "0.png", None]
    assert source.read(1).image.array.shape == (4, 6, 3)
    for seed in range(12):
        train, val = og.split(source, val=0.3, seed=seed)
        sides = [{item.path for item in part} for part in (train, val)]
        assert not sides[0] & sides[1] and len(train) + len(val) == len(source)


def test_copies_in_two_groups_join_them(tmp_path) -> None:
    items = [Item(f"{i}.png", Path(f"{i}.png"), group=f"p{i % 5}") for i in range(20)]
    items += [Item("0.png#2", Path("0.png"), group="p3", copy_of="0.png")]
    for seed in range(8):
        train, val = og.split(Source(tuple(items), (), Path()), val=0.3, seed=seed)
        sides = [{item.group for item in part} for part in (train, val)]
        assert not sides[0] & sides[1] and ("p0" in sides[0]) == ("p3" in sides[0])


def test_images_of_several_classes_are_divided_by_their_rarest(tmp_path) -> None:
    items = [Item(f"{i}.png", Path(f"{i}.png"), (0,) if i % 10 else (0, 1)) for i in range(100)]
    train, val = og.split(Source(tuple(items), ("often", "rare"), Path()), val=0.2)
    assert sum(1 in item.label for item in val) == 2 and sum(1 in item.label for item in train) == 8
    assert val.task == "multilabel"


# paths below another folder


def test_a_table_of_which_no_image_is_there_asks_for_the_root(tmp_path) -> None:
    put(tmp_path / "images", "a/1.png", "a/2.png")
    (tmp_path / "tables").mkdir()
    path = tmp_path / "tables" / "t.csv"
    path.write_text("path,label\na/1.png,x\na/2.png,y\n")
    with pytest.raises(
        SourceError,
        match=r"t\.csv: not one of the 2 images is there, such as 'a/1\.png' in the table's folder",
    ) as caught:
        open_source(path)
    assert "write root='...' with the folder" in str(caught.value)
    assert "write --root ... with" in as_options(str(caught.value))
    with pytest.raises(SourceError, match=r"not one of the 2 images is there, .* in root=.*images/a"):
        open_source(path, root=tmp_path / "images" / "a")
    assert len(open_source(path, root=tmp_path / "images")) == 2
    put(tmp_path / "tables", "a/2.png")
    with pytest.warns(
        OffgraphWarning, match=r"t\.csv: 1 of 2 images is not in the table's folder .*: a/1\.png; "
    ):
        assert len(open_source(path)) == 2  # a file that is missing alone is named when it is read, too
    path.write_text("path,label\na/3.png,x\n")
    with pytest.raises(SourceError, match="the image is not there"):
        open_source(path)


def test_absolute_paths_beside_another_table_ask_for_the_root(tmp_path) -> None:
    put(tmp_path / "images", "1.png")
    (tmp_path / "tables").mkdir()
    path = tmp_path / "tables" / "t.csv"
    path.write_text(f"path,label\n{tmp_path / 'images' / '1.png'},x\n")
    with pytest.raises(SourceError, match=r"row 2: .* leads out of the table's folder .*write root='\.\.\.'"):
        open_source(path)
    assert open_source(path, root=tmp_path / "images")[0].name == "1.png"


@pytest.mark.parametrize("column", ["age", "breed", "Class"])
def test_the_only_other_column_is_not_left_out_without_a_word(tmp_path, column) -> None:
    put(tmp_path, "1.png", "2.png")
    path = tmp_path / "t.csv"
    path.write_text(f"path,{column}\n1.png,30\n2.png,41\n")
    with pytest.warns(
        OffgraphWarning, match=rf"the column {column} is left out: write targets=\['{column}'\]"
    ):
        assert open_source(path).task is None
    assert open_source(path, labels=None).task is None
    assert open_source(path, targets=column, task="regress")[1].label == (41.0,)
    path.write_text(f"path,mask,{column}\n1.png,2.png,30\n")
    if column != "Class":
        assert open_source(path).task == "segment"


def test_paths_of_a_table_below_another_root(tmp_path) -> None:
    put(tmp_path / "images", "a/1.png")
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "t.csv"
    path.write_text("path,label\na/1.png,x\n")
    source = open_source(path, root=tmp_path / "images")
    assert source[0].name == "a/1.png" and source.read(0).label == 0 and source.root == tmp_path / "images"
    path.write_text("path,label\n../elsewhere/t.csv,x\n")
    with pytest.raises(
        SourceError,
        match=r"row 2: '\.\./elsewhere/t\.csv' leads out of root=.*images; if the images lie elsewhere",
    ):
        open_source(path, root=tmp_path / "images")
    with pytest.raises(SourceError, match=r"root=.*: no such folder"):
        open_source(path, root=tmp_path / "nowhere")


# masks of the whole source


def test_rows_without_a_mask_are_met_by_policy(tmp_path) -> None:
    put(tmp_path, "1.png", "2.png", "3.png")
    imwrite(tmp_path / "m.png", np.full((4, 6), 3, np.uint8))
    path = tmp_path / "t.csv"
    path.write_text("path,mask,label\n1.png,,a\n2.png,m.png,b\n3.png,,b\n")
    with pytest.raises(SourceError, match=r"t\.csv, rows 2, 4: no mask, .*'skip'.*'background'"):
        open_source(path)
    kept = open_source(path, missing_mask="skip")
    assert [item.name for item in kept] == ["2.png"] and kept.skipped == {"without a mask": 2}
    assert kept.left_out == {"without a mask": ("1.png", "3.png")}
    assert kept.class_names == ("b",) and kept.has_masks
    filled = open_source(path, missing_mask="background")
    masks = [filled.read(i).mask.array for i in range(3)]
    assert [mask.shape for mask in masks] == [(4, 6)] * 3 and [mask.max() for mask in masks] == [0, 3, 0]
    part = filled.subset([0])
    assert part.has_masks and part.read(0).mask.axes == "YX" and part.task == "classify"
    assert repr(filled).endswith("3 images, classify: 2 classes, with masks>")
    path.write_text("path,mask\n1.png,\n2.png,\n")
    assert not open_source(path).has_masks


def test_images_without_a_partner_are_met_by_policy(tmp_path) -> None:
    put(tmp_path / "images", "1.png", "2.png")
    put(tmp_path / "masks", "2.png", "9.png")
    roots = {"source": tmp_path / "images", "masks": tmp_path / "masks"}
    with pytest.raises(
        SourceError, match=r"1 without a mask of the same name: 1\.png; write missing_mask='skip'"
    ):
        open_source(**roots)
    kept = open_source(**roots, missing_mask="skip")
    assert [i.name for i in kept] == ["2.png"]
    assert kept.skipped == {"without a mask": 1, "mask without an image": 1}
    (tmp_path / "masks" / "9.png").unlink()
    filled = open_source(**roots, missing_mask="background")
    assert filled.read(0).mask.array.max() == 0 and [i.name for i in filled] == ["1.png", "2.png"]
    with pytest.raises(
        SourceError, match="missing_mask='maybe': choose one of 'error', 'skip', 'background'"
    ):
        open_source(**roots, missing_mask="maybe")


def test_items_put_together_by_hand_are_asked_too() -> None:
    items = (Item("1.png", Path("1.png"), mask=Path("m.png")), Item("2.png", Path("2.png")))
    with pytest.raises(SourceError, match=r"1 without a mask: 2\.png"):
        Source(items, (), Path("here"))


def test_masks_are_paired_whatever_the_unicode_form_of_their_names(tmp_path) -> None:
    put(tmp_path / "images", "e\u0301.png")
    put(tmp_path / "masks", "\u00e9.png")
    assert open_source(tmp_path / "images", masks=tmp_path / "masks")[0].mask.name == "\u00e9.png"
