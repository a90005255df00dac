"""Code given in place of a pipeline: refused with what to give instead, and never taken for a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import offgraph as og

CODE = """
from torchvision.transforms import v2
tf = v2.Compose([v2.RandomHorizontalFlip(0.5), v2.Normalize(mean=[0.5], std=[0.5])])
"""
READERS = [og.from_albumentations, og.from_torchvision, og.from_keras, og.from_tfa]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", ["train.py", "train.ipynb"])
def test_a_script_is_refused_by_its_name(read: Callable[[Any], Any], name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(CODE)
    with pytest.raises(
        og.RecipeError, match=f"{name}: a script, and code is not run here: give the pipeline itself"
    ):
        read(tmp_path / name)


@pytest.mark.parametrize("read", READERS)
def test_a_text_of_code_is_refused(read: Callable[[Any], Any]) -> None:
    with pytest.raises(og.RecipeError, match=r"^a text of several lines, and code is not run here"):
        read(CODE)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("text", ["25)]) # a", "just words", "7"])
def test_a_file_of_one_value_is_no_pipeline(read: Callable[[Any], Any], text: str, tmp_path: Path) -> None:
    (tmp_path / "pipeline.txt").write_text(text)
    with pytest.raises(
        og.RecipeError, match=r"pipeline\.txt: not a pipeline: expected a list or a mapping, got"
    ):
        read(tmp_path / "pipeline.txt")
