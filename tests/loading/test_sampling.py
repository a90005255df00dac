"""Weights of classes, and epochs in which images come as often as their weights say."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.made import class_folder, image_file, paired_folder, recipe

import offgraph as og
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
    sampling = parse_sampling(weights, None, count, ())
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
    images, masks = paired_folder(tmp_path)
    source = og.open_source(images, masks=masks)
    with pytest.raises(og.ArgumentError, match="'balanced' is for sources with one class per image"):
        og.Loader(source, sampling="balanced")
    with pytest.raises(og.ArgumentError, match="one class per image"):
        og.Loader(source).class_weights()
    assert len(og.Loader(source, sampling=[1, 0, 0, 0, 0, 3]).batch(0, 0)) == 6
