"""Weights of classes, and epochs in which images come as often as their weights say."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.made import class_folder, image_file, recipe

import offgraph as og
from offgraph.loading.contents import Contents
from offgraph.loading.sampling import Sampling, parse_sampling


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty images of "common", six of "less", two of "rare"."""
    root = tmp_path_factory.mktemp("uneven")
    number = 0
    for name, count in (("common", 20), ("less", 6), ("rare", 2)):
        for _ in range(count):
            image_file(root / name / f"{number:02}.png", np.full((8, 8, 3), number, np.uint8))
            number += 1
    return root


@settings(max_examples=100, deadline=None)
@given(
    weights=st.lists(st.floats(0, 100, allow_subnormal=False), min_size=1, max_size=60).filter(
        lambda w: sum(w) > 1e-3
    ),
    seed=st.integers(0, 2**64 - 1),
    epoch=st.integers(0, 2**32),
)
def test_images_come_as_often_as_their_weights_say(weights: list[float], seed: int, epoch: int) -> None:
    count = len(weights)
    sampling = parse_sampling(weights, lambda: None, count)
    assert sampling is not None
    order = sampling.order(seed, epoch, True)
    numbers = order.numbers(np.arange(count))
    expected = count * np.array(weights) / np.sum(weights)
    times = np.bincount(numbers, minlength=count)
    assert len(numbers) == count
    assert (times >= np.floor(expected - 1e-9)).all() and (times <= np.ceil(expected + 1e-9)).all()
    assert not times[np.array(weights) == 0].any()
    places = np.array([count - 1, 0])
    assert np.array_equal(order.numbers(places), numbers[places])
    # each time that an image comes it has another address
    assert len(set(zip(order.epochs(np.arange(count)), numbers.tolist()))) == count
    assert min(order.epochs(np.arange(count))) == epoch


def test_over_epochs_each_image_comes_as_its_weight_says() -> None:
    weights = np.array([0.2, 0.5, 1, 2, 4, 0.3])
    sampling = Sampling(weights, np.zeros(6, np.int64))
    times = sum(
        np.bincount(sampling.order(3, e, True).numbers(np.arange(6)), minlength=6) for e in range(1000)
    )
    assert np.allclose(times / 1000, 6 * weights / weights.sum(), atol=0.07)


def test_balanced_classes_come_alike(uneven: Path) -> None:
    loader = og.Loader(uneven, [og.Normalize(mean=0, std=1)], batch_size=5, sampling="balanced")
    assert loader.shuffle and len(loader) == 6 and loader.num_images == 28
    seen = np.zeros(28, int)
    for epoch in range(12):
        order = loader.order(epoch)
        labels = np.searchsorted([20, 26], order, "right")
        assert sorted(np.bincount(labels, minlength=3)) in ([9, 9, 10], [8, 10, 10])
        times = np.bincount(order, minlength=28)
        assert times[:20].max() <= 1 and set(times[20:26]) <= {1, 2} and set(times[26:]) <= {4, 5}
        seen += times
        batches = list(loader.epoch(epoch))
        assert np.array_equal(np.concatenate([b.index for b in batches]), order)
        assert all(np.array_equal(loader.batch(epoch, k).index, b.index) for k, b in enumerate(batches))
    assert seen[:20].min() >= 2  # none is left out for good


def test_an_image_that_comes_again_is_drawn_anew(tmp_path: Path) -> None:
    root = class_folder(tmp_path, each=4)
    for name in ("1.jpg", "2.png", "3.jpg"):
        (root / "ant" / name).unlink()
    loader = og.Loader(root, recipe(), batch_size=9, sampling="balanced", seed=4)
    (batch,) = loader.epoch(2)
    places = np.flatnonzero(batch.index == 0)
    assert len(places) == 3
    epochs = sorted(batch.records[place]["key"]["epoch"] for place in places)
    assert epochs == [2, 2 + 2**32, 2 + 2 * 2**32]
    assert len({batch.image[place].tobytes() for place in places}) == 3
    for place in places:
        key = og.Key(**batch.records[place]["key"])
        image = og.imread(root / "ant" / "0.png")
        assert batch.image[place].tobytes() == recipe()(image=image, key=key).image.tobytes()


def test_the_same_bytes_for_any_threads_shards_and_copies(uneven: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"batch_size": 3, "sampling": "balanced", "seed": 6}
    steps = [og.Augment(og.Rotate((-15, 15))), og.Normalize(mean=0, std=1)]
    loader = og.Loader(uneven, steps, **options)
    whole = list(loader.epoch(1))
    for other in (og.Loader(uneven, steps, threads=5, **options), pickle.loads(pickle.dumps(loader))):
        assert [b.image.tobytes() for b in other.epoch(1)] == [b.image.tobytes() for b in whole]
    parts = [og.Loader(uneven, steps, shard=(i, 3), **options) for i in range(3)]
    shared = np.concatenate([batch.index for part in parts for batch in part.epoch(1)])
    assert sorted(shared) == sorted(np.concatenate([batch.index for batch in whole]))
    og.build(uneven, tmp_path / "out", steps, format="folder")
    built = og.Loader(tmp_path / "out", batch_size=3, sampling="balanced", seed=0)
    for batch in built.epoch(1):
        for row, record in enumerate(batch.records):
            image = og.imread(uneven / og.BuiltDataset(tmp_path / "out").line(int(batch.index[row]))["name"])
            want = built.recipe.replay(record, image=image).image
            assert batch.image[row].tobytes() == want.tobytes()


def test_a_run_goes_on_with_the_same_weights_only(uneven: Path) -> None:
    loader = og.Loader(uneven, batch_size=4, sampling="balanced")
    passing = iter(loader)
    want = [batch.index.tolist() for batch in loader.epoch(0)]
    first = [next(passing).index.tolist() for _ in range(2)]
    state = loader.state_dict()
    again = og.Loader(uneven, batch_size=4, sampling="balanced")
    again.load_state_dict(state)
    assert first + [batch.index.tolist() for batch in again] == want
    with pytest.raises(og.RecipeMismatch):
        og.Loader(uneven, batch_size=4, shuffle=True).load_state_dict(state)


def test_weights_of_classes_make_them_count_alike(uneven: Path, tmp_path: Path) -> None:
    weights = og.Loader(uneven).class_weights()
    assert weights == {0: 28 / 60, 1: 28 / 18, 2: 28 / 6}
    og.build(uneven, tmp_path / "out", [og.Augment(og.Flip("X", p=0.5))], format="folder", copies=2)
    assert og.Loader(tmp_path / "out").class_weights() == weights
    names = ["absent", "rare", "common", "less"]
    assert og.Loader(tmp_path / "out", class_names=names).class_weights() == {
        0: 0.0,
        1: weights[2],
        2: weights[0],
        3: weights[1],
    }
    kept = og.Loader(uneven, [og.Resize((8, 8))]).cache("memory", limit="1 MB")
    assert kept.class_weights() == weights


def test_keras_takes_the_weights(uneven: Path) -> None:
    keras = pytest.importorskip("keras")
    loader = og.Loader(uneven, [og.Normalize(mean=0, std=1)], batch_size=7)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(
        loader.tensorflow(), class_weight=loader.class_weights(), verbose=0, shuffle=False
    ).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("even", "sampling='even': give 'balanced', or a weight for each image"),
        ([1, 2], r"there are 28 images, and the weights have the shape \(2,\)"),
        ([-1.0] * 28, r"that of image 0 is -1\.0; give finite weights"),
        ([0.0] * 28, "none is above 0"),
        ([1.0] * 27 + [float("nan")], "that of image 27 is nan"),
        (object(), "sampling="),
    ],
)
def test_what_gives_no_weights_is_refused(uneven: Path, given: Any, says: str) -> None:
    with pytest.raises(og.ArgumentError, match=says):
        og.Loader(uneven, sampling=given)


def test_a_source_without_classes_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        image_file(tmp_path / f"{number}.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(og.ArgumentError, match="'balanced' is for sources with classes"):
        og.Loader(tmp_path, sampling="balanced")
    with pytest.raises(og.ArgumentError, match="for sources with classes"):
        og.Loader(tmp_path).class_weights()
    assert len(og.Loader(tmp_path, sampling=[1, 0, 3]).batch(0, 0)) == 3


# ---- several classes in an image


@st.composite
def shown_classes(draw: Any) -> list[dict[int, int]]:
    """What each image of a source shows: class → amount."""
    one = st.dictionaries(st.sampled_from([0, 1, 2, 5, 255]), st.integers(1, 9), max_size=4)
    return draw(st.lists(one, min_size=1, max_size=30))


@settings(max_examples=100, deadline=None)
@given(shown=shown_classes())
def test_an_image_counts_for_its_rarest_class(shown: list[dict[int, int]]) -> None:
    contents = Contents.of(
        (np.array(sorted(one), np.int64), np.array([one[c] for c in sorted(one)], np.int64)) for one in shown
    )
    images = {c: sum(c in one for one in shown) for one in shown for c in one}
    rarest, spread = contents.rarest()
    for one, found, count in zip(shown, rarest.tolist(), spread.tolist(), strict=True):
        wanted = min(one, key=lambda c: (images[c], c), default=-1)
        assert found == wanted and count == images.get(wanted, len(shown))
    totals = {c: sum(one.get(c, 0) for one in shown) for c in [*images, 7]}
    del totals[7]
    listed = {c: n for c, n in totals.items() if c != 255}
    weights = contents.weights(range(3), (255,))
    assert sorted(weights) == sorted({0, 1, 2, *listed})
    for c, weight in weights.items():
        n = listed.get(c, 0)
        assert weight == (sum(listed.values()) / (len(listed) * n) if n else 0)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images with masks: all have background, eight road (1), two of these a sign (2); one has pixels without class."""
    root = tmp_path_factory.mktemp("cells")
    for number in range(12):
        mask = np.zeros((4, 5), np.uint8)
        if number < 8:
            mask[:2] = 1
        if number < 2:
            mask[0, 0] = 2
        if number == 3:
            mask[3, 4] = 255
        image_file(root / "images" / f"{number:02}.png", np.full((4, 5, 3), number, np.uint8))
        image_file(root / "masks" / f"{number:02}.png", mask)
    return root


def opened(cells: Path) -> og.Source:
    return og.open_source(cells / "images", masks=cells / "masks", mask_values={0: 0, 1: 1, 2: 2, 255: 255})


def test_masks_are_balanced_by_their_rarest_label(cells: Path, tmp_path: Path) -> None:
    loader = og.Loader(opened(cells), [og.Normalize(mean=0, std=1)], batch_size=4, sampling="balanced")
    # Weights: 1/2 for the two signs, 1 for what is without class, 1/8 for the five others with road, 1/12 for the four with
    # background alone.
    wanted = np.array([1 / 2] * 2 + [1 / 8] + [1] + [1 / 8] * 4 + [1 / 12] * 4)
    expected = 12 * wanted / wanted.sum()
    times = sum(np.bincount(loader.order(epoch), minlength=12) for epoch in range(300)) / 300
    assert np.allclose(times, expected, atol=0.12)
    for epoch in range(5):
        found = np.bincount(loader.order(epoch), minlength=12)
        assert (found >= np.floor(expected)).all() and (found <= np.ceil(expected)).all()
    pixels = {0: 20 * 12 - 8 * 10 - 1, 1: 8 * 10 - 2, 2: 2, 255: 1}
    assert loader.class_weights() == {c: 240 / (4 * n) for c, n in pixels.items()}
    assert loader.class_weights(ignore=255) == {c: 239 / (3 * n) for c, n in pixels.items() if c != 255}
    og.build(opened(cells), tmp_path / "built", [og.Normalize(mean=0, std=1)])
    built = og.Loader(tmp_path / "built", batch_size=4, sampling="balanced")
    assert np.array_equal(built.order(3), loader.order(3)) and built.class_weights() == loader.class_weights()


def test_a_mask_that_cannot_be_read_is_named_or_counts_nothing(cells: Path, tmp_path: Path) -> None:
    shutil.copytree(cells, tmp_path / "cells")
    (tmp_path / "cells/masks/05.png").write_bytes(b"broken")
    with pytest.raises(og.DecodeError, match=r"05\.png"):
        og.Loader(opened(tmp_path / "cells"), sampling="balanced")
    skipping = og.Loader(opened(tmp_path / "cells"), sampling="balanced", on_error="skip", max_bad=12)
    assert skipping.class_weights(ignore=[2, 255]).keys() == {0, 1}


def test_pixels_are_given_the_weight_of_their_class(cells: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    options: dict[str, Any] = {"batch_size": 5, "class_weight": {0: 0.5, 1: 2, 2: 30}, "pad_last": True}
    loader = og.Loader(opened(cells), [og.Normalize(mean=0, std=1)], **options)
    table = {0: 0.5, 1: 2, 2: 30, 255: 0}
    for batch, (image, mask, weight) in zip(loader.epoch(0), loader.tensorflow(epoch=0), strict=True):
        wanted = np.vectorize(table.get, otypes=[float])(batch.mask) * batch.valid[:, None, None]
        assert weight.dtype == tf.float32 and np.array_equal(weight.numpy(), wanted.astype(np.float32))
        assert np.array_equal(mask.numpy(), batch.mask) and len(image) == 5
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((4, 5, 3)), keras.layers.Conv2D(3, 1)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    source = opened(cells).subset([0, 1, 2, 4, 9])
    steps, chosen = [og.Normalize(mean=0, std=1)], {0: 0.5, 2: 30.0}
    whole = og.Loader(source, steps, batch_size=5, class_weight=chosen)
    (batch,) = whole.epoch(0)
    weights = np.where(batch.mask == 2, 30, np.where(batch.mask == 0, 0.5, 0)).astype(np.float32)
    wanted = float(loss(batch.mask, model(batch.image), sample_weight=weights))
    plain = float(loss(batch.mask, model(batch.image)))
    for fed in (whole.tensorflow(epoch=0), whole.keras(epoch=0)):
        assert abs(model.evaluate(fed, verbose=0) - wanted) < 1e-5 * wanted < abs(plain - wanted)
    balanced = og.Loader(opened(cells), [og.Normalize(mean=0, std=1)], class_weight="balanced")
    assert balanced.class_weight == balanced.class_weights()


def test_images_are_given_the_weight_of_their_class(uneven: Path) -> None:
    pytest.importorskip("tensorflow")
    steps = [og.Normalize(mean=0, std=1)]
    loader = og.Loader(uneven, steps, batch_size=7, class_weight="balanced")
    weights = loader.class_weights()
    for batch, (_, label, weight) in zip(loader.epoch(0), loader.tensorflow(epoch=0), strict=True):
        assert np.array_equal(label.numpy(), batch.label)
        assert np.allclose(weight.numpy(), [weights[n] for n in batch.label.tolist()])
    mixed = og.Loader(uneven, steps, batch_size=7, class_weight="balanced", one_hot=True, mix=og.MixUp(1.0))
    batch, (_, _, weight) = mixed.batch(0, 0), next(iter(mixed.tensorflow(epoch=0)))
    assert np.allclose(
        weight.numpy(), batch.label @ np.array([weights[0], weights[1], weights[2]]), rtol=1e-5
    )


def test_boxes_and_several_labels_are_balanced(tmp_path: Path) -> None:
    images, annotations = [], []
    shows = [[0], [0, 0], [0, 1], [], [0], [0, 2, 2, 2], [0], [1]]
    for number, classes in enumerate(shows):
        image_file(tmp_path / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "height": 8, "width": 8})
        for c in classes:
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": c, "bbox": [0, 0, 4, 4]}
            )
    data = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": n} for i, n in enumerate("abc")],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(data))
    steps = [og.Normalize(mean=0, std=1)]
    loader = og.Loader(tmp_path, steps, batch_size=4, sampling="balanced")
    assert loader.class_weights() == {0: 12 / (3 * 7), 1: 12 / (3 * 2), 2: 12 / (3 * 3)}
    wanted = np.array([1 / 6, 1 / 6, 1 / 2, 1 / 8, 1 / 6, 1, 1 / 6, 1 / 2])
    expected = 8 * wanted / wanted.sum()
    for epoch in range(20):
        found = np.bincount(loader.order(epoch), minlength=8)
        assert (found >= np.floor(expected)).all() and (found <= np.ceil(expected)).all()
    og.build(og.open_source(tmp_path), tmp_path / "out" / "built", steps)
    built = og.Loader(tmp_path / "out" / "built", batch_size=4, sampling="balanced")
    assert np.array_equal(built.order(1), loader.order(1)) and built.class_weights() == loader.class_weights()
    with pytest.raises(
        og.ArgumentError,
        match=r"class_weight='balanced': is for sources with one class per image or per pixel",
    ):
        og.Loader(tmp_path, steps, class_weight="balanced")


def test_several_labels_are_balanced(tmp_path: Path) -> None:
    names = ["a", "a|b", "a", "a", "c|a", "a", "a", "b"]
    for number in range(8):
        image_file(tmp_path / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "labels.csv").write_text(
        "path,label\n" + "".join(f"{i}.png,{name}\n" for i, name in enumerate(names))
    )
    source = og.open_source(tmp_path / "labels.csv", task="multilabel")
    loader = og.Loader(source, batch_size=4, sampling="balanced")
    assert loader.class_weights() == {0: 10 / (3 * 7), 1: 10 / (3 * 2), 2: 10 / 3}
    wanted = np.array([1 / 7, 1 / 2, 1 / 7, 1 / 7, 1, 1 / 7, 1 / 7, 1 / 2])
    expected = 8 * wanted / wanted.sum()
    found = np.bincount(loader.order(0), minlength=8)
    assert (found >= np.floor(expected)).all() and (found <= np.ceil(expected)).all()


@pytest.mark.parametrize(
    "wrong", ["even", {}, {0: -1}, {0: "x"}, {-1: 1}, {0: float("nan")}, {0: True}, [1, 2], {1 << 16: 1}]
)
def test_what_is_no_weight_of_a_class_is_refused(uneven: Path, wrong: Any) -> None:
    with pytest.raises(og.ArgumentError, match="class_weight="):
        og.Loader(uneven, class_weight=wrong)


def test_labels_that_number_objects_have_no_weights(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for number in range(2):
        image_file(tmp_path / "images" / f"{number}.png", np.zeros((4, 5, 3), np.uint8))
        og.imwrite(tmp_path / "masks" / f"{number}.tif", np.full((4, 5), 70_000, np.uint32))
    source = og.open_source(tmp_path / "images", masks=tmp_path / "masks")
    with pytest.raises(og.ArgumentError, match="labels up to 70,000, which number objects"):
        og.Loader(source, class_weight="balanced")
