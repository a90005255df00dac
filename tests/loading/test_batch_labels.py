"""Labels of a batch by the task of its source, from files and from built datasets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.made import class_folder, image_file, paired_folder

import offgraph as og
from offgraph.core.errors import StepError
from offgraph.loading.labels import BatchLabels


def table(root: Path, text: str, count: int = 4) -> Path:
    for number in range(count):
        image_file(root / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
    (root / "labels.csv").write_text(text)
    return root / "labels.csv"


def only(loader: og.Loader) -> og.Batch:
    (batch,) = loader
    return batch


def said(array: np.ndarray | None) -> tuple[str, list]:
    assert array is not None
    return str(array.dtype), array.tolist()


def test_one_class_is_a_number_or_a_row(tmp_path: Path) -> None:
    rows = "path,label\n0.png,dog\n1.png,cat\n2.png,emu\n3.png,cat\n"
    path = table(tmp_path, rows)
    loader = og.Loader(path)
    assert loader.task == "classify" and loader.has_labels and loader.class_names == ("cat", "dog", "emu")
    assert said(only(loader).label) == ("int64", [1, 0, 2, 0])
    one_hot = og.Loader(path, one_hot=True)
    assert said(only(one_hot).label) == ("float32", [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]])
    assert "classify: 3 classes" in repr(one_hot)


def test_several_classes_are_rows(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label\n0.png,dog|cat\n1.png,cat\n2.png,emu\n3.png,\n")
    loader = og.Loader(path, task="multilabel")
    assert loader.task == "multilabel" and loader.num_classes == 3 and "multilabel: 3 classes" in repr(loader)
    assert said(only(loader).label) == ("float32", [[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
    with pytest.raises(og.ArgumentError, match=r"one_hot=True is for .*; this one has the task 'multilabel'"):
        og.Loader(path, task="multilabel", one_hot=True)


def test_numbers_are_numbers(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label\n0.png,9.5\n1.png,-10.25\n2.png,2.75\n3.png,31\n")
    loader = og.Loader(path, task="regress")
    assert loader.task == "regress" and loader.target_names == ("label",) and loader.class_names == ()
    assert said(only(loader).label) == ("float32", [9.5, -10.25, 2.75, 31])
    assert "regress: label" in repr(loader)
    path = table(tmp_path, "path,x,y\n0.png,1,2\n1.png,3,4\n2.png,5,6.5\n3.png,7,8\n")
    both = og.open_source(path, task="regress", targets=["x", "y"])
    assert said(only(og.Loader(both)).label) == ("float32", [[1, 2], [3, 4], [5, 6.5], [7, 8]])
    single = og.Loader(both.subset([2]), batch_size=4)
    assert said(only(single).label) == ("float32", [[5, 6.5]]) and single.target_names == ("x", "y")


def test_class_names_are_those_that_were_given(tmp_path: Path) -> None:
    home = class_folder(tmp_path / "in", each=1)
    names = ["zebra", "cat", "ant", "bee"]
    loader = og.Loader(home, class_names=names, one_hot=True)
    assert loader.class_names == tuple(names)
    assert said(only(loader).label) == ("float32", [[0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]])
    assert said(only(og.Loader(og.open_source(home), class_names=names)).label) == ("int64", [2, 3, 1])
    og.build(home, tmp_path / "out", [])
    stored = og.Loader(tmp_path / "out", class_names=names)
    assert stored.class_names == tuple(names) and said(only(stored).label) == ("int64", [2, 3, 1])
    for source in (home, og.open_source(home), tmp_path / "out"):
        with pytest.raises(og.SourceError, match=r"the class .*bee.* is not among"):
            og.Loader(source, class_names=["ant", "cat"])


@pytest.mark.parametrize("format", ["folder", "tfrecord"])
def test_a_dataset_gives_the_labels_that_its_files_gave(tmp_path: Path, format: str) -> None:
    tags = table(tmp_path / "tags", "path,label\n0.png,dog|cat\n1.png,cat\n2.png,emu\n3.png,\n")
    ages = table(tmp_path / "ages", "path,label\n0.png,9.5\n1.png,-1.5\n2.png,2\n3.png,3.25\n")
    points = table(tmp_path / "points", "path,x,y\n0.png,1,2\n1.png,3,4\n2.png,5,6\n3.png,7,8.5\n")
    sources = {
        "tags": og.open_source(tags, task="multilabel"),
        "ages": og.open_source(ages, task="regress"),
        "points": og.open_source(points, task="regress", targets=["x", "y"]),
    }
    for name, source in sources.items():
        og.build(source, tmp_path / "out" / name, [og.Resize((4, 4))], format=format)
        plain, stored = og.Loader(source), og.Loader(tmp_path / "out" / name, shuffle=False)
        assert stored.task == plain.task and stored.label_spec == plain.label_spec
        assert (stored.class_names, stored.target_names) == (plain.class_names, plain.target_names)
        batch = only(stored)
        assert batch.label is not None
        by_name = dict(zip(only(plain).index.tolist(), only(plain).label.tolist()))
        found = {r["key"]["index"]: row for r, row in zip(batch.records, batch.label.tolist())}
        assert found == by_name
    renamed = og.Loader(tmp_path / "out" / "tags", class_names=["emu", "dog", "yak", "cat"])
    rows = {r["key"]["index"]: row for r, row in zip(only(renamed).records, only(renamed).label.tolist())}
    assert rows == {0: [0, 1, 0, 1], 1: [0, 0, 0, 1], 2: [1, 0, 0, 0], 3: [0, 0, 0, 0]}


def test_a_task_that_the_source_does_not_have_is_refused(tmp_path: Path) -> None:
    home = class_folder(tmp_path / "in", each=1)
    og.build(home, tmp_path / "out", [])
    for source in (og.open_source(home), tmp_path / "out"):
        assert og.Loader(source, task="classify").task == "classify"
        with pytest.raises(og.ArgumentError, match="task='regress': the source has the task 'classify'"):
            og.Loader(source, task="regress")
    with pytest.raises(og.OffgraphError, match="task='guess'"):
        og.Loader(home, task="guess")  # type: ignore[arg-type]
    with pytest.raises(og.ArgumentError, match="one_hot=1: give True or False"):
        og.Loader(home, one_hot=1)  # type: ignore[arg-type]


def test_masks_alone_are_a_task(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path)
    loader = og.Loader(og.open_source(images, masks=masks))
    assert loader.task == "segment" and not loader.has_labels and only(loader).label is None
    assert ", segment, seed 0" in repr(loader)


@pytest.mark.parametrize(
    ("task", "names", "targets", "label", "says"),
    [
        ("classify", ("a", "b"), (), 2, "its label is 2; the task 'classify' takes a class number below 2"),
        ("classify", ("a", "b"), (), -1, "its label is -1"),
        ("classify", ("a", "b"), (), (0,), r"its label is \(0,\)"),
        ("classify", ("a", "b"), (), None, "has no label"),
        ("multilabel", ("a", "b"), (), (0, 2), "takes class numbers below 2"),
        ("multilabel", ("a", "b"), (), 0, "its label is 0"),
        ("regress", (), ("x", "y"), (1.0,), "takes a finite float32 for each of x, y"),
        ("regress", (), ("x",), (float("nan"),), "its label is"),
        ("regress", (), ("x",), (1e39,), r"its label is \(1e\+39,\); .* takes a finite float32"),
    ],
)
def test_a_label_that_does_not_fit_is_one_sample_refused(
    tmp_path: Path, task: str, names: tuple, targets: tuple, label: object, says: str
) -> None:
    fine = {"classify": 1, "multilabel": (0, 1), "regress": (1.0,) * len(targets)}[task]
    source = og.open_source(table(tmp_path, "path\n0.png\n1.png\n2.png\n3.png\n"))
    items = tuple(replace(item, label=label if n == 2 else fine) for n, item in enumerate(source))
    source = replace(source, items=items, class_names=names, target_names=targets, task=task)
    with pytest.raises(og.StepError, match=rf"^2\.png: .*{says}"):
        list(og.Loader(source))
    loader = og.Loader(source, on_error="skip")
    with pytest.warns(og.OffgraphWarning, match="1 of 4 images"):
        assert len(only(loader)) == 3
    assert list(loader.skipped) == ["2.png"]


# ---- in TensorFlow


def test_tensorflow_has_the_labels_of_the_batches(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    classes = table(tmp_path / "a", "path,label\n0.png,dog\n1.png,cat\n2.png,emu\n3.png,cat\n")
    tags = table(tmp_path / "b", "path,label\n0.png,dog|cat\n1.png,cat\n2.png,emu\n3.png,\n")
    ages = table(tmp_path / "c", "path,label\n0.png,9.5\n1.png,1.5\n2.png,2\n3.png,3\n")
    points = table(tmp_path / "d", "path,x,y\n0.png,1,2\n1.png,3,4\n2.png,5,6\n3.png,7,8\n")
    sources = [
        (og.Loader(classes, batch_size=3), [None], tf.int64),
        (og.Loader(classes, batch_size=2, one_hot=True), [2, 3], tf.float32),
        (og.Loader(tags, batch_size=3, task="multilabel"), [None, 3], tf.float32),
        (og.Loader(ages, batch_size=4, task="regress"), [4], tf.float32),
        (
            og.Loader(og.open_source(points, task="regress", targets=["x", "y"]), batch_size=3),
            [None, 2],
            tf.float32,
        ),
    ]
    for loader, shape, dtype in sources:
        dataset = loader.tensorflow()
        assert dataset.element_spec[1].shape.as_list() == shape and dataset.element_spec[1].dtype == dtype
        for (_, label), want in zip(dataset, loader.epoch(0), strict=True):
            assert np.array_equal(label.numpy(), want.label) and label.shape == want.label.shape


def test_a_source_with_classes_and_masks_gives_what_its_task_says(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    paired_folder(tmp_path, count=2)
    path = tmp_path / "both.csv"
    path.write_text("path,label,mask\nimages/0.png,cat,masks/0.png\nimages/1.png,dog,masks/1.png\n")
    image, label = og.Loader(path).tensorflow().element_spec
    assert label.dtype == tf.int64 and label.shape.as_list() == [None]
    batch = only(og.Loader(path))
    assert batch.mask is not None and said(batch.label) == ("int64", [0, 1])
    image, mask = og.Loader(path, task="segment").tensorflow().element_spec
    assert mask.dtype == tf.uint16 and mask.shape.as_list() == [None, 32, 40] and image.shape.rank == 4


@given(
    st.sampled_from(["classify", "multilabel", "regress", None]),
    st.lists(
        st.integers(-2, 4)
        | st.none()
        | st.booleans()
        | st.tuples(st.integers(-1, 3))
        | st.tuples(st.floats(), st.floats())
        | st.just(1e60),
        max_size=5,
    ),
)
def test_labels_fit_where_each_of_them_does(task: Any, labels: list[Any]) -> None:
    kept = BatchLabels(task, ("a", "b", "c"), ("x", "y"))

    def is_taken(label: Any) -> bool:
        try:
            kept.check(label)
        except StepError:
            return False
        return True

    assert kept.fit(labels) is all(map(is_taken, labels))
