"""A sample of an epoch, made again: the bytes of the batch, with what it was made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.made import DATASETS, class_folder, recipe

import offgraph as og
from offgraph.views.notebook import of_explanation


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"), bad=True)


def explained(loader: og.Loader, epoch: int) -> None:
    for batch in loader.epoch(epoch):
        for place, index in enumerate(batch.index):
            sample = loader.explain(epoch, index)
            assert sample.targets.image.array.tobytes() == batch.image[place].tobytes()
            assert sample.record == batch.records[place] and sample.index == index
            assert batch.label is None or sample.label == batch.label[place]


@pytest.mark.filterwarnings("ignore:.*were left out")
def test_a_sample_of_files_is_made_again(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4, seed=3, on_error="skip", max_bad=0.9)
    explained(loader, 2)
    explained(loader.cache("memory"), 1)
    source = og.open_source(photos)
    sample = loader.explain(5, 3)
    assert sample.given.image.array.tobytes() == source.read(3).image.array.tobytes()
    assert (sample.name, sample.epoch) == (source[3].name, 5)
    text = str(sample)
    assert text.startswith(f"{sample.name}: index 3 of epoch 5, label 0\nimage: ")
    assert "Rotate" in text and "Gamma" in text and "Key(seed=3, epoch=5, index=3)" in text
    html = of_explanation(sample)
    assert html.count("<img") == 2 and "before" in html and "after" in html
    assert sample._repr_html_() == html


@pytest.mark.parametrize("format", DATASETS)
def test_an_example_of_a_dataset_is_made_again(photos: Path, tmp_path: Path, format: str) -> None:
    source = og.open_source(photos)
    good = [i for i, item in enumerate(source) if "cut" not in item.name and "text" not in item.name]
    og.build(source.subset(good), tmp_path / "out", recipe(), copies=2, format=format)
    loader = og.Loader(tmp_path / "out", batch_size=8)
    explained(loader, 1)
    sample = loader.explain(0, 4)
    assert sample.given.image.array.dtype == np.uint8 and "1. Resize" in str(sample)


def test_what_cannot_be_made_is_named(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), on_error="skip")
    source = og.open_source(photos)
    bad = next(i for i, item in enumerate(source) if item.name == "ant/cut.png")
    with pytest.raises(og.DecodeError, match=r"ant/cut\.png"):
        loader.explain(0, bad)
    with pytest.raises(og.ArgumentError, match=r"index=17: .* has the indices 0 to 16"):
        loader.explain(0, 17)
    with pytest.raises(og.ArgumentError, match="epoch=-1"):
        loader.explain(-1, 0)
    assert loader.skipped == {}
