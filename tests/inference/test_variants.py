"""Test-time augmentation: an equivariant model is unchanged in bytes; any other against the definition in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from tests.support.models import keras

import offgraph as og
from offgraph.inference.merging import merged

layers = keras.layers

MERGES = ("mean", "geometric", "max")
D4 = {
    "e": lambda a: a,
    "r90": lambda a: np.rot90(a, 1),
    "r180": lambda a: np.rot90(a, 2),
    "r270": lambda a: np.rot90(a, 3),
    "v": lambda a: a[::-1],
    "h": lambda a: a[:, ::-1],
    "t": lambda a: a.swapaxes(0, 1),
    "hvt": lambda a: a[::-1, ::-1].swapaxes(0, 1),
}


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, shape).astype(np.uint8)


# ---- merging


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    copies=st.sampled_from([1, 2, 3, 4, 5, 8]),
    classes=st.integers(1, 5),
    exclusive=st.booleans(),
)
@pytest.mark.parametrize("merge", MERGES)
def test_equal_answers_keep_their_bytes(
    merge: Any, seed: int, copies: int, classes: int, exclusive: bool
) -> None:
    random = np.random.default_rng(seed)
    values = (random.random((7, 5, classes)) ** random.integers(1, 30)).astype(np.float32)
    values[random.random(values.shape) < 0.1] = 0
    values[random.random(values.shape) < 0.1] = 1
    seen = np.ones((7, 5), bool)
    made = merged([values] * copies, [seen] * copies, merge, exclusive=exclusive)
    assert made.dtype == np.float32 and made.tobytes() == values.tobytes()


@pytest.mark.parametrize("merge", MERGES)
def test_merging_is_its_definition(merge: Any) -> None:
    random = np.random.default_rng(3)
    stack = random.random((4, 6, 7, 3)).astype(np.float32)
    seen = random.random((4, 6, 7)) < 0.7
    seen[:, 0, 0] = False
    seen[0, 1:] = True
    made = merged(list(stack), list(seen), merge, exclusive=False)
    for at in np.ndindex(6, 7):
        there = stack[(slice(None), *at)][seen[(slice(None), *at)]].astype(np.float64)
        if not len(there):
            assert (made[at] == 0).all()
            continue
        expected = {
            "mean": there.mean(axis=0),
            "geometric": there.prod(axis=0) ** (1 / len(there)),
            "max": there.max(axis=0),
        }[merge]
        np.testing.assert_allclose(made[at], expected, rtol=1e-6)


@pytest.mark.parametrize("merge", MERGES)
def test_merged_probabilities_of_classes_add_up_to_one(merge: Any) -> None:
    stack = np.random.default_rng(4).dirichlet(np.ones(4), (5, 9)).astype(np.float32)
    made = merged(list(stack), None, merge, exclusive=True)
    np.testing.assert_allclose(made.sum(axis=-1), 1, atol=1e-6)
    # A class that one answer excludes is out by the geometric mean.
    stack[0, 0, 2] = 0
    assert (merged(list(stack), None, merge, exclusive=True)[0, 2] == 0) == (merge == "geometric")


# ---- an equivariant model


def kinds(batch: np.ndarray) -> np.ndarray:
    """Classes by the brightest and the darkest value: the same of every turned image, in bytes."""
    high, low = batch.max(axis=(1, 2, 3)), batch.min(axis=(1, 2, 3))
    scores = np.stack([high, low, high * low], axis=1) + np.float32(0.1)
    return scores / scores.sum(axis=1, keepdims=True)


def pixels(stride: int, batch: np.ndarray) -> np.ndarray:
    """Two classes per pixel, or per block of pixels, by the block's brightest value."""
    count, height, width, channels = batch.shape
    blocks = batch.reshape(count, height // stride, stride, width // stride, stride, channels)
    light = blocks.max(axis=(2, 4))[..., :1]
    return np.concatenate([1 - light, light], axis=-1)


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("tta", ["flips", "d4"])
@pytest.mark.parametrize("stride", [0, 1, 2, 4])
def test_an_equivariant_model_is_unchanged_in_bytes(stride: int, tta: Any, merge: Any) -> None:
    model: Any = kinds if stride == 0 else lambda batch: pixels(stride, batch)
    options: dict[str, Any] = {
        "recipe": [og.Resize((24, 24)), og.Rescale(1 / 255)],
        "task": "classify" if stride == 0 else "segment",
    }
    images = [noise(40, 31, 3, seed=1), noise(16, 50, 3, seed=2)]
    plain = list(og.Predictor(model, **options)(images))
    for one, other in zip(plain, og.Predictor(model, tta=tta, merge=merge, **options)(images), strict=True):
        assert one.probabilities.tobytes() == other.probabilities.tobytes()
        assert one.raw["output"].tobytes() == other.raw["output"].tobytes()
        assert one.label == other.label
        assert (one.mask is None) == (stride == 0)
        if one.mask is not None and other.mask is not None:
            assert np.array_equal(one.mask, other.mask)


def test_images_that_are_not_square_where_the_model_takes_all_sizes() -> None:
    options: dict[str, Any] = {"recipe": [og.Rescale(1 / 255)], "task": "segment"}
    image = noise(12, 20, 3)
    plain = og.Predictor(lambda batch: pixels(2, batch), **options)(image)
    turned = og.Predictor(lambda batch: pixels(2, batch), tta="d4", **options)(image)
    assert plain.probabilities.tobytes() == turned.probabilities.tobytes()


# ---- any model, against the definition


def sloped(batch: np.ndarray) -> np.ndarray:
    """A probability that depends on the place as well as on the pixel."""
    rows, columns = np.mgrid[: batch.shape[1], : batch.shape[2]]
    slope = ((rows * 3 + columns) % 11 / 11).astype(np.float32)
    return (batch[..., :1] * slope[..., None]).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 999))
@pytest.mark.parametrize("tta", ["flips", "d4"])
def test_every_variant_comes_back_before_it_is_merged(tta: Any, height: int, width: int, seed: int) -> None:
    image = noise(height, width, 3, seed=seed)
    predictor = og.Predictor(sloped, recipe=[og.Rescale(1 / 255)], tta=tta, threads=1)
    given = og.Compose([og.Rescale(1 / 255)])(image=image).image
    names = D4 if tta == "d4" else ("e", "v", "h", "r180")
    inverse = {"r90": "r270", "r270": "r90"}
    answers = [D4[inverse.get(name, name)](sloped(D4[name](given)[None])[0]) for name in names]
    expected = np.mean(np.stack(answers).astype(np.float64), axis=0).astype(np.float32)[..., 0]
    np.testing.assert_allclose(predictor(image).probabilities, expected, atol=1e-7)


def test_volumes_are_mirrored_along_three_axes() -> None:
    seen: list[np.ndarray] = []

    def model(batch: np.ndarray) -> np.ndarray:
        seen.append(batch.copy())
        return batch

    predictor = og.Predictor(
        model, recipe=[og.Rescale(1 / 255)], tta="flips", input_shape=(None, None, None, 1)
    )
    seen.clear()
    volume = noise(3, 4, 5)
    result = predictor(volume)
    assert len({one.tobytes() for one in seen}) == 8
    assert np.array_equal(
        result.probabilities, og.Compose([og.Rescale(1 / 255)])(image=volume, axes="ZYX").image
    )


def test_recipes_as_variants_and_what_they_cut_off() -> None:
    """A crop shows half of the image: there two answers count, elsewhere one."""

    def counted(batch: np.ndarray) -> np.ndarray:
        return np.full((*batch.shape[:3], 1), 0.25 if batch.shape[2] == 8 else 0.75, np.float32)

    crop = og.CenterCrop((8, 4))
    result = og.Predictor(counted, recipe=[og.Rescale(1 / 255)], tta=[crop])(noise(8, 8, 3))
    inside = og.Compose([crop])(image=np.zeros((8, 8), np.uint8)).frame.valid()
    assert inside.sum() == 32
    assert np.array_equal(result.probabilities, np.where(inside, np.float32(0.5), np.float32(0.25)))


def test_variants_that_draw_are_the_same_each_time() -> None:
    options: dict[str, Any] = {
        "recipe": [og.Rescale(1 / 255)],
        "tta": [[og.Rotate((-20, 20))], [og.Rotate((-20, 20))]],
    }
    image = noise(20, 20, 3)
    predictor = og.Predictor(sloped, **options)
    first, again = predictor(image), predictor(image)
    assert np.array_equal(first.probabilities, again.probabilities)
    alone = og.Predictor(sloped, recipe=[og.Rescale(1 / 255)])(image)
    assert not np.array_equal(first.probabilities, alone.probabilities)


def test_numbers_and_several_labels() -> None:
    def corner(batch: np.ndarray) -> np.ndarray:
        return batch[:, 0, 0, :2]

    image = noise(6, 7, 3)
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1], :2].astype(np.float32) / np.float32(255)
    options: dict[str, Any] = {"recipe": [og.Rescale(1 / 255)], "tta": "flips"}
    numbers = og.Predictor(corner, task="regress", **options)(image)
    assert numbers.values == pytest.approx(corners.mean(axis=0), rel=1e-6)
    labels = og.Predictor(corner, task="multilabel", merge="max", **options)(image)
    assert labels.probabilities == pytest.approx(corners.max(axis=0), rel=1e-6)
    with pytest.raises(og.OffgraphError, match="merged by their mean"):
        og.Predictor(corner, task="regress", merge="max", **options)


@pytest.mark.parametrize(
    ("tta", "said"),
    [
        ("mirror", "choose 'mirrored', 'flips' or 'd4'"),
        ([], "choose 'mirrored', 'flips' or 'd4'"),
        (
            "d4",
            r"tta='d4': it makes images of \(12, 8, 3\), the model takes \(8, 12, 3\); 'flips' keeps the size",
        ),
        ([og.Flip("X"), og.Resize((4, 4))], r"recipe 2: it makes images of \(4, 4, 3\)"),
        ([og.Flip("Z")], "axis='Z'"),
    ],
)
def test_variants_that_the_model_does_not_take(tta: Any, said: str) -> None:
    with pytest.raises(og.OffgraphError, match=said):
        og.Predictor(sloped, recipe=[og.Resize((8, 12)), og.Rescale(1 / 255)], tta=tta)


# ---- a real model


def textures(rows: slice, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches of photographs of bricks, grass and gravel."""
    patches, labels = [], []
    for label, name in enumerate(("brick", "grass", "gravel")):
        image = getattr(data, name)()[rows]
        for row in range(0, image.shape[0] - 15, step):
            for column in range(0, image.shape[1] - 15, step):
                patches.append(image[row : row + 16, column : column + 16, None])
                labels.append(label)
    return np.stack(patches), np.array(labels)


def test_a_trained_model_is_better_on_held_out_images() -> None:
    """Trained on the upper halves of three photographs, asked about the lower ones: 96.2 %, with D4 96.9 %."""
    keras.utils.set_random_seed(2)
    train, labels = textures(slice(0, 240), 12)
    test, truth = textures(slice(264, 512), 16)
    recipe = og.Compose([og.Normalize(mean=(0.46,), std=(0.13,))])
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(12, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    given = np.stack([recipe(image=image).image for image in train])
    model.fit(given, labels, epochs=6, batch_size=32, verbose=0)
    accuracy = {}
    for tta in (None, "flips", "d4"):
        found = og.Predictor(model, recipe=recipe, tta=tta, batch_size=256)(test)
        accuracy[tta] = float(np.mean([one.label == true for one, true in zip(found, truth, strict=True)]))
    print(accuracy)
    assert accuracy[None] > 0.9, accuracy
    assert accuracy["d4"] >= accuracy[None], accuracy
    assert accuracy["flips"] >= accuracy[None] - 0.003, accuracy  # 4 images of 1,440
