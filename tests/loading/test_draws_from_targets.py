"""Recipes that draw from a mask or from boxes, in loaders, caches and datasets: what a call of the recipe gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.loading.test_cache import boxed
from tests.loading.test_rows import same
from tests.support.made import paired_folder

import offgraph as og

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")

RECIPES = {
    "masks": [
        og.Resize((24, 24)),
        og.Augment(og.Rotate((-15, 15)), og.CropAroundMask(16), og.MaskDropout((1, 2)), og.Flip("X", p=0.5)),
        og.Normalize("imagenet"),
    ],
    "boxes": [
        og.Augment(og.Flip("X", p=0.5), og.BBoxSafeCrop((16, 20))),
        og.Rescale(1 / 255),
    ],
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, og.Source]:
    root = tmp_path_factory.mktemp("drawing")
    images, masks = paired_folder(root / "pairs", 7)
    return {"masks": og.open_source(images, masks=masks), "boxes": boxed(root / "boxes")}


def loader(source: og.Source, kind: str, **options) -> og.Loader:
    return og.Loader(source, RECIPES[kind], batch_size=3, seed=5, **options)


@pytest.mark.parametrize("kind", RECIPES)
def test_batches_are_what_calls_give(sources: dict[str, og.Source], kind: str):
    source, recipe = sources[kind], og.Compose(RECIPES[kind])
    batches = list(loader(source, kind, threads=2))
    assert sum(map(len, batches)) == len(source)
    for batch in batches:
        for row, index in enumerate(batch.index.tolist()):
            key = og.Key(seed=5, epoch=0, index=index)
            read = source.read(index)
            out = recipe.run(read.targets, key)
            np.testing.assert_array_equal(batch.image[row], out.image)
            assert batch.records[row] == out.record == json.loads(json.dumps(out.record))
            again = recipe.replay(batch.records[row], image=read.targets.image)
            np.testing.assert_array_equal(again.image, out.image)
            if kind == "masks":
                np.testing.assert_array_equal(batch.mask[row], out.mask)
            else:
                found = batch.objects.boxes[row][batch.objects.index[row] >= 0]
                np.testing.assert_allclose(found, out.boxes.to("xyxy"), rtol=1e-5, atol=1e-5)
    for one, other in zip(batches, loader(source, kind, threads=1)):
        assert same(one, other)


@pytest.mark.parametrize("kind", RECIPES)
def test_a_cached_loader_gives_the_same(sources: dict[str, og.Source], kind: str):
    plain, cached = loader(sources[kind], kind), loader(sources[kind], kind).cache("memory")
    for _ in range(3):
        for one, other in zip(plain, cached, strict=True):
            assert same(one, other)


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.parametrize("store", ["integers", "final"])
def test_a_dataset_holds_the_same(sources: dict[str, og.Source], kind: str, store: str, tmp_path: Path):
    og.build(sources[kind], tmp_path / "out", RECIPES[kind], copies=2, seed=5, store=store, format="arrow")
    recipe, built = (
        og.Compose(RECIPES[kind]),
        og.Loader(tmp_path / "out", batch_size=4, seed=5, shuffle=False),
    )
    checked = 0
    for batch in built:
        for row in range(len(batch)):
            record = batch.records[row]
            index = record["key"]["index"]
            out = recipe.run(sources[kind].read(index).targets, og.Key(**record["key"]))
            np.testing.assert_array_equal(batch.image[row], out.image)
            assert record == out.record
            checked += 1
    assert checked == 2 * len(sources[kind])


def test_explain_makes_the_sample_again(sources: dict[str, og.Source]):
    own = loader(sources["masks"], "masks")
    assert "CropAroundMask" in str(own.explain(0, 2))


def test_a_source_without_the_target_says_what_is_missing(sources: dict[str, og.Source]):
    with pytest.raises(
        og.StepError, match=r"step 2 of Augment, BBoxSafeCrop: draws from the boxes, and this sample has none"
    ):
        next(iter(og.Loader(sources["masks"], RECIPES["boxes"], batch_size=2)))
