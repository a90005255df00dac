"""Tables that call their columns otherwise, and hold no paths but what paths are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offgraph as og
from offgraph.core.errors import SourceError


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    for number in range(4):
        for folder in ("train", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
            og.imwrite(tmp_path / folder / f"a{number}.png", np.full((4, 6), number, np.uint8))
    rows = [f"a{number},{('no', 'yes')[number % 2]},P{number // 2},{number}.5" for number in range(4)]
    (tmp_path / "t.csv").write_text("\n".join(["id_code,diagnosis,patient,age", *rows]) + "\n")
    return tmp_path / "t.csv"


def test_columns_are_called_otherwise_and_put_together(kaggle):
    source = og.open_source(
        kaggle, columns={"path": "train/{id_code}.png", "label": "diagnosis", "group": "patient"}
    )
    assert [item.name for item in source] == [f"train/a{number}.png" for number in range(4)]
    assert source.class_names == ("no", "yes") and [item.label for item in source] == [0, 1, 0, 1]
    assert [item.group for item in source] == ["P0", "P0", "P1", "P1"]
    assert set(source.columns) == {"id_code", "age"}
    (batch,) = og.Loader(source.with_class_names(["no", "yes"]), [og.Resize((4, 6))], batch_size=4)
    assert batch.image[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    masked = og.open_source(
        kaggle,
        columns={"path": "train/{id_code}.png", "mask": "masks/{id_code}.png"},
        labels=None,
        color="grey",
    )
    assert [int(masked.read(number).mask.array.max()) for number in range(4)] == [0, 1, 2, 3]  # type: ignore[union-attr]


def test_a_name_alone_several_fields_and_a_renamed_one(kaggle):
    text = (
        kaggle.read_text()
        .replace("id_code,", "file,")
        .replace("\na", "\ntrain/a")
        .replace(",no", ".png,no")
        .replace(",yes", ".png,yes")
    )
    kaggle.write_text(text)
    source = og.open_source(kaggle, columns={"path": "file", "label": "diagnosis"})
    assert [item.name for item in source] == [f"train/a{number}.png" for number in range(4)]
    kaggle.write_text("folder,number,group\ntrain,1,x\nmasks,2,y\n")
    several = og.open_source(kaggle, columns={"path": "{folder}/a{number}.png"})
    assert [item.name for item in several] == ["train/a1.png", "masks/a2.png"]
    assert [item.group for item in several] == ["x", "y"]
    both = og.open_source(kaggle, columns={"path": "{folder}/a{number}.png", "label": "folder"})
    assert both.class_names == ("masks", "train")
    regress = og.open_source(
        kaggle, columns={"path": "{folder}/a{number}.png"}, targets="number", task="regress"
    )
    assert [item.label for item in regress] == [(1.0,), (2.0,)]


def test_paths_that_are_put_together_stay_in_their_folder(kaggle):
    kaggle.write_text("id\n../secret\n")
    with pytest.raises(SourceError, match="row 2"):
        og.open_source(kaggle, columns={"path": "train/../../{id}.png"})


def test_a_table_that_says_otherwise_is_told_how(kaggle):
    with pytest.raises(SourceError) as said:
        og.open_source(kaggle)
    assert "columns={'path': 'id_code', 'label': 'diagnosis'}, or 'images/{id_code}.png'" in str(said.value)
    with pytest.raises(
        SourceError, match=r"columns=\{'path': 'id'\}: there is no column 'id'; there are 'id_code', "
    ):
        og.open_source(kaggle, columns={"path": "id"})
    with pytest.raises(SourceError, match="there is no column 'x'"):
        og.open_source(kaggle, columns={"path": "train/{x}.png"})
    with pytest.raises(SourceError, match=r"columns=.* is for tables"):
        og.open_source(kaggle.parent / "train", columns={"path": "id_code"})
    kaggle.write_text("path,file\ntrain/a1.png,train/a2.png\n")
    with pytest.raises(SourceError, match="there is a column 'path', too"):
        og.open_source(kaggle, columns={"path": "file"})


@pytest.mark.parametrize("given", [{}, {"paths": "id"}, {"path": 1}, {"path": ""}, "id", [("path", "id")]])
def test_columns_that_are_none(kaggle, given: Any):
    with pytest.raises(SourceError, match=r"columns=.*say what path, label, mask and group are called"):
        og.open_source(kaggle, columns=given)
