"""A list of files is a source: in its order, with labels and masks beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import offgraph as og


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("b.png", "deep/a.png", "c.png")]
    for number, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        og.imwrite(path, np.full((4, 6), number, np.uint8))
        og.imwrite(path.with_name(f"{path.stem}.tif"), np.full((4, 6), number % 2, np.uint8))
    return paths


def test_files_stay_in_their_order(files):
    source = og.open_source(files, color="grey", labels=["dog", "cat", "dog"])
    assert [item.name for item in source] == ["b.png", "deep/a.png", "c.png"]
    assert source.class_names == ("cat", "dog")
    assert [item.label for item in source] == [1, 0, 1]
    assert [int(source.read(place).image.array[0, 0]) for place in range(3)] == [0, 1, 2]
    numbers = og.open_source([str(path) for path in files], labels=[1, 0, 1], task="classify")
    assert [item.label for item in numbers] == [1, 0, 1]
    values = og.open_source(files, labels=[1.5, 2.5, 0.25], task="regress")
    assert [item.label for item in values] == [(1.5,), (2.5,), (0.25,)]
    chosen = og.open_source(tuple(files), labels=["dog", "cat", "dog"], class_names=["dog", "cat", "cow"])
    assert [item.label for item in chosen] == [0, 1, 0]
    assert og.open_source(files).task is None


def test_masks_stand_beside_the_files(files):
    source = og.open_source(files, masks=[path.with_suffix(".tif") for path in files])
    mask = source.read(1).mask
    assert mask is not None and (mask.array == 1).all()
    assert source.has_masks


def test_everything_that_opens_a_source_takes_a_list(files, tmp_path):
    recipe = og.Compose([og.Flip("X")])
    batch = next(iter(og.Loader(files, recipe, batch_size=3, shuffle=False, color="grey")))
    assert batch.image[:, 0, 0].tolist() == [0, 1, 2] or batch.image[:, 0, 0, 0].tolist() == [0, 1, 2]
    og.build(files, tmp_path / "out", recipe, color="grey")
    assert len(og.Loader(tmp_path / "out", batch_size=3)) == 1
    assert og.doctor(files).files == 3


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (
            lambda f: [f[0], f[1].with_name("no.png")],
            {},
            r"1 file of 2 not found: '.*no.png' \(source\[1\]\)",
        ),
        (lambda f: [*f, f[0]], {}, r"b.png' is in the list twice: source\[0\] and source\[3\]"),
        (lambda f: [f[0], f[1].parent], {}, r"source\[1\], '.*deep', is a folder"),
        (lambda f: f, {"labels": ["a"]}, "labels= has 1 entries, the list has 3 files"),
        (lambda f: f, {"labels": ["a", "b", "c"], "class_names": ["a", "b"]}, "'?c'?"),
        (lambda f: f, {"masks": "masks"}, "masks= is a list of files, one for each image"),
        (lambda f: f[0], {"labels": ["a"]}, "labels="),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(files, change, options, said):
    with pytest.raises(og.OffgraphError, match=said):
        og.open_source(change(files), **options)
