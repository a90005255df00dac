"""MixUp, CutMix and Mosaic against their definition, one image and one pixel at a time."""

from __future__ import annotations

import doctest
import functools
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv
from tests.support.even import is_even_among
from tests.support.made import class_folder, image_file, paired_folder, recipe

import offgraph as og
from offgraph.core.random import Draw, Key
from offgraph.engine.resize import resize_reference
from offgraph.loading import mixes
from offgraph.loading.batch import Batch
from offgraph.loading.mixing import Mixing
from offgraph.pipeline.buffers import Buffers


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


def definition(
    batch: Batch, mixes: Sequence[Any], seed: int, epoch: int, axes: str
) -> tuple[np.ndarray, Any, Any]:
    """Image, label and mask of a mixed batch, by the definition at the head of the module."""
    image, label = batch.image.copy(), None if batch.label is None else batch.label.copy()
    mask = None if batch.mask is None else batch.mask.copy()
    count = len(batch) if batch.valid is None else int(batch.valid.sum())
    spatial = [place for place, name in enumerate(axes) if name != "C"]
    size = [batch.image.shape[1 + place] for place in spatial]
    for row in range(len(batch) if count > 1 else 0):
        draw = Draw(Key(seed, epoch, int(batch.index[row])), "mix")
        u = [draw.uniform(0, 1) for _ in range(4 + len(size))]
        mix = mixes[int(np.floor(u[1] * len(mixes)))]
        if not u[0] < mix.p:
            continue
        others = [other for other in range(count) if other != row % count]
        if isinstance(mix, og.Mosaic):
            more = [draw.uniform(0, 1) for _ in range(4)]
            cross = [int(np.floor(n * (mix.margin + (1 - 2 * mix.margin) * v))) for n, v in zip(size, u[4:])]
            partners = [others[int(np.floor(v * len(others)))] for v in more[1:]]
            shown = np.zeros(size, int)
            shown[:, cross[1] :] += 1
            shown[cross[0] :] += 2
            own = int(np.floor(4 * more[0]))
            sources = [*partners[:own], row, *partners[own:]]
            mixed = None if label is None else batch.label[row] * np.float32((shown == own).mean())
            for quadrant, source in enumerate(sources):
                shows = functools.partial(quadrant_of, quadrant, cross, mix.fit)
                image[row][shown == quadrant] = shows(batch.image[source])[shown == quadrant]
                if mask is not None:
                    mask[row][shown == quadrant] = shows(batch.mask[source], labels=True)[shown == quadrant]
                if mixed is not None and quadrant != own:
                    mixed = mixed + batch.label[source] * np.float32((shown == quadrant).mean())
            if label is not None:
                label[row] = mixed
            continue
        partner = others[int(np.floor(u[3] * len(others)))]
        lam = round(float(betaincinv(mix.alpha, mix.alpha, u[2])) * 2**24) / 2**24
        if isinstance(mix, og.MixUp):
            kind = image.dtype.type
            image[row] = batch.image[row] * kind(lam) + batch.image[partner] * kind(1 - lam)
        else:
            inside = np.ones(size, bool)
            for axis, (n, v) in enumerate(zip(size, u[4:])):
                width, centre = int(np.floor(n * (1 - lam) ** (1 / len(size)))), int(np.floor(n * v))
                where = np.arange(n)
                within = (where >= centre - width // 2) & (where < centre + width // 2)
                inside &= np.expand_dims(within, [other for other in range(len(size)) if other != axis])
            for place in np.argwhere(inside):
                own = iter(place)
                at = tuple(next(own) if name != "C" else slice(None) for name in axes)
                image[row][at] = batch.image[partner][at]
                if mask is not None:
                    mask[row][tuple(place)] = batch.mask[partner][tuple(place)]
            lam = 1 - inside.sum() / inside.size
        if label is not None:
            label[row] = batch.label[row] * np.float32(lam) + batch.label[partner] * np.float32(1 - lam)
    return image, label, mask


def quadrant_of(
    quadrant: int, cross: Sequence[int], fit: str, image: np.ndarray, labels: bool = False
) -> np.ndarray:
    """An image as one quadrant of a mosaic shows it; what lies outside the quadrant is not told."""
    if fit == "crop":
        return image
    if fit == "join":
        return np.roll(image, cross, (0, 1))  # both halves of each axis meet at the cross
    size, places = image.shape[:2], (quadrant // 2, quadrant % 2)
    lengths = [n - c if second else c for n, c, second in zip(size, cross, places)]
    starts = [c if second else 0 for c, second in zip(cross, places)]
    shown = image.copy()
    if 0 not in lengths:
        whole = image
        if labels:
            for axis, (n, length) in enumerate(zip(size, lengths)):
                whole = np.take(whole, (2 * np.arange(length) + 1) * n // (2 * length), axis)
        else:
            whole = resize_reference(image, lengths, axes=(0, 1))
        shown[starts[0] : starts[0] + lengths[0], starts[1] : starts[1] + lengths[1]] = whole
    return shown


def made_batch(
    shape: tuple[int, ...], dtype: str, labels: tuple[int, ...] | None, seed: int, masks: str = ""
) -> Batch:
    rng = np.random.default_rng(seed)
    image = (rng.normal(size=shape) if dtype[0] == "f" else rng.integers(0, 255, shape)).astype(dtype)
    label = None if labels is None else rng.random((shape[0], *labels), np.float32)
    spatial = shape[1:-1] if masks == "C" else shape[1:]
    mask = rng.integers(0, 9, (shape[0], *spatial)).astype(np.uint8) if masks else None
    records = [{"key": {"index": number}} for number in range(shape[0])]
    return Batch(image, label, mask, rng.permutation(1000)[: shape[0]], records)


FITS = st.sampled_from(["crop", "join", "resize"])
MIXES = st.lists(
    st.one_of(
        st.builds(og.MixUp, st.floats(0.05, 4), st.floats(0.1, 1)),
        st.builds(og.CutMix, st.floats(0.05, 4), st.floats(0.1, 1)),
        st.builds(og.Mosaic, st.floats(0, 0.5), st.floats(0.1, 1), fit=FITS),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(
    mixes=MIXES,
    layout=st.sampled_from([("YX", (7, 9)), ("YXC", (6, 5, 3)), ("ZYX", (4, 5, 6)), ("ZYXC", (3, 4, 5, 2))]),
    rows=st.integers(1, 5),
    labels=st.sampled_from([None, (), (3,)]),
    address=st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_batches_are_mixed_as_defined(mixes, layout, rows, labels, address, dtype) -> None:
    axes, size = layout
    batch = made_batch((rows, *size), dtype, labels, rows)
    before = batch.image.tobytes()
    if "Z" in axes:
        mixes = [mix for mix in mixes if not isinstance(mix, og.Mosaic)] or [og.CutMix()]
    made = Mixing(tuple(mixes), address[0])(batch, address[1], axes, Buffers(2))
    image, label, _ = definition(batch, mixes, *address, axes)
    assert made.image.dtype == dtype and made.image.tobytes() == image.tobytes()
    assert (made.label is None and label is None) or made.label.tobytes() == label.tobytes()
    assert batch.image.tobytes() == before


@settings(max_examples=40, deadline=None)
@given(
    layout=st.sampled_from([("YX", (7, 9), "-"), ("YXC", (6, 5, 3), "C"), ("ZYX", (4, 5, 6), "-")]),
    mix=st.one_of(st.builds(og.CutMix, st.floats(0.1, 3)), st.builds(og.Mosaic, st.floats(0, 0.5), fit=FITS)),
    seed=st.integers(0, 2**32),
)
def test_masks_of_any_integers_get_the_same_box(layout, mix, seed) -> None:
    axes, size, masks = layout
    batch = made_batch((4, *size), "uint8", None, seed, masks)
    mixes = (og.CutMix() if "Z" in axes else mix,)
    made = Mixing(mixes, seed)(batch, 3, axes, Buffers(2))
    image, _, mask = definition(batch, mixes, seed, 3, axes)
    assert np.array_equal(made.image, image) and np.array_equal(made.mask, mask)


def test_the_shares_are_those_of_the_distribution() -> None:
    from scipy.stats import beta, kstest

    batch = made_batch((2, 2, 2), "float32", None, 1)
    for alpha in (0.2, 1.0, 3.0):
        mixing = Mixing((og.MixUp(alpha),), 5)
        found = [mixing(batch, epoch, "YX", Buffers(1)).records[0]["mix"]["lam"] for epoch in range(2000)]
        assert kstest(found, beta(alpha, alpha).cdf).pvalue > 1e-3
    kept = sum(
        "mix" not in Mixing((og.MixUp(p=0.25),), 5)(batch, e, "YX", Buffers(1)).records[0]
        for e in range(2000)
    )
    assert 1400 < kept < 1600


# ---- in a loader


@pytest.mark.parametrize(
    "mix", [og.MixUp(0.4), og.CutMix(), og.Mosaic(), [og.MixUp(1.0), og.CutMix(p=0.5), og.Mosaic(0.5)]]
)
def test_a_loader_gives_mixed_batches(photos: Path, mix: Any) -> None:
    options = {"batch_size": 4, "one_hot": True, "seed": 9, "shuffle": True}
    plain = og.Loader(photos, recipe(), **options)
    mixed = og.Loader(photos, recipe(), mix=mix, **options)
    others = [og.Loader(photos, recipe(), mix=mix, threads=5, **options), pickle.loads(pickle.dumps(mixed))]
    mixes = mix if isinstance(mix, list) else [mix]
    for epoch in (0, 3):
        for number, (batch, of_mixed) in enumerate(zip(plain.epoch(epoch), mixed.epoch(epoch), strict=True)):
            image, label, _ = definition(batch, mixes, 9, epoch, "YXC")
            assert of_mixed.image.tobytes() == image.tobytes() and of_mixed.label.tobytes() == label.tobytes()
            assert np.allclose(of_mixed.label.sum(axis=1), 1)
            assert mixed.batch(epoch, number).image.tobytes() == image.tobytes()
            records = of_mixed.records
            assert json.loads(json.dumps(list(records))) == list(records)
            for record, own in zip(records, batch.records):
                assert {k: v for k, v in record.items() if k != "mix"} == own
        for other in others:
            for one, two in zip(other.epoch(epoch), mixed.epoch(epoch), strict=True):
                assert (
                    one.image.tobytes() == two.image.tobytes() and one.label.tobytes() == two.label.tobytes()
                )


def test_a_record_says_what_an_image_was_mixed_with(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=5, one_hot=True, mix=og.CutMix())
    plain = og.Loader(photos, recipe(), batch_size=5, one_hot=True, shuffle=True).batch(0, 1)
    made = loader.batch(0, 1)
    for row, record in enumerate(made.records):
        mix = record["mix"]
        (partner,) = np.flatnonzero(plain.index == mix["partner"]["index"])
        (y0, y1), (x0, x1) = mix["box"]
        assert partner != row and mix["step"] == "CutMix"
        assert np.array_equal(made.image[row, y0:y1, x0:x1], plain.image[partner, y0:y1, x0:x1])
        assert mix["lam"] == 1 - (y1 - y0) * (x1 - x0) / (24 * 20)


def test_the_record_of_a_mosaic_puts_it_together_again(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=5, one_hot=True, mix=og.Mosaic(0.1))
    plain = og.Loader(photos, recipe(), batch_size=5, one_hot=True, shuffle=True).batch(0, 1)
    made = loader.batch(0, 1)
    for row, record in enumerate(made.records):
        mix, image = record["mix"], plain.image[row].copy()
        share = mix["lam"]
        for part in mix["parts"]:
            (partner,) = np.flatnonzero(plain.index == part["partner"]["index"])
            (y0, y1), (x0, x1) = part["box"]
            image[y0:y1, x0:x1] = plain.image[partner, y0:y1, x0:x1]
            share += (y1 - y0) * (x1 - x0) / (24 * 20)
        assert len(mix["parts"]) == 3 and abs(share - 1) < 1e-12 and np.array_equal(made.image[row], image)


def test_a_mosaic_is_of_images(tmp_path: Path) -> None:
    batch = made_batch((3, 4, 5, 6), "float32", None, 1)
    with pytest.raises(
        og.StepError, match=r"Mosaic takes images of two spatial axes, these have 3 \(axes ZYX\)"
    ):
        Mixing((og.Mosaic(),), 1)(batch, 0, "ZYX", Buffers(2))
    for options in ({"margin": 0.6}, {"margin": "x"}, {"p": 0}, {"p": True}):
        with pytest.raises(og.ArgumentError, match=f"Mosaic: {next(iter(options))}="):
            og.Mosaic(**options)


def test_each_quadrant_and_each_place_of_the_cross_is_as_likely() -> None:
    batch, owns, rows = made_batch((4, 20, 20), "float32", None, 1), [], []
    for epoch in range(1500):
        mix = Mixing((og.Mosaic(0.2),), 5)(batch, epoch, "YX", Buffers(1)).records[0]["mix"]
        corners = [(part["box"][0][0] > 0, part["box"][1][0] > 0) for part in mix["parts"]]
        (own,) = {(y, x) for y in (False, True) for x in (False, True)} - set(corners)
        owns.append(own)
        rows.append(max(part["box"][0][0] for part in mix["parts"]))
    assert is_even_among(owns, [(y, x) for y in (False, True) for x in (False, True)])
    assert is_even_among(rows, range(4, 16))


def test_rows_that_fill_up_a_batch_are_mixed_as_their_images(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4, one_hot=True, mix=og.MixUp(1.0), pad_last=True)
    last = loader.batch(0, 3)  # three of fifteen
    assert last.valid.tolist() == [True, True, True, False]
    assert (
        last.image[3].tobytes() == last.image[0].tobytes()
        and last.label[3].tobytes() == last.label[0].tobytes()
    )
    assert not np.array_equal(last.image[0], og.Loader(photos, recipe(), batch_size=4).batch(0, 3).image[0])


def test_masks_and_numbers_are_mixed(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path)
    source = og.open_source(images, masks=masks)
    plain = og.Loader(source, batch_size=6, shuffle=True)
    made = og.Loader(source, batch_size=6, mix=og.CutMix(), shuffle=True)
    image, _, mask = definition(plain.batch(1, 0), [og.CutMix()], 0, 1, "YXC")
    batch = made.batch(1, 0)
    assert (
        batch.image.dtype == np.uint8
        and np.array_equal(batch.image, image)
        and np.array_equal(batch.mask, mask)
    )


def test_another_mix_is_another_run(photos: Path) -> None:
    options: dict[str, Any] = {"batch_size": 4, "one_hot": True, "shuffle": True}
    loader = og.Loader(photos, recipe(), mix=og.MixUp(0.2), **options)
    next(iter(loader))
    state = loader.state_dict()
    og.Loader(photos, recipe(), mix=og.MixUp(0.2), **options).load_state_dict(state)
    for other in (None, og.MixUp(0.3), og.CutMix(0.2)):
        with pytest.raises(og.RecipeMismatch):
            og.Loader(photos, recipe(), mix=other, **options).load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mix": og.MixUp()}, "give one_hot=True as well"),
        ({"mix": "mixup"}, r"mix='mixup': give MixUp\(...\), CutMix\(...\), Mosaic\(...\), or a list"),
        ({"mix": []}, "mix="),
    ],
)
def test_what_cannot_be_mixed_is_refused(photos: Path, options: dict, says: str) -> None:
    with pytest.raises(og.ArgumentError, match=says):
        og.Loader(photos, recipe(), **options)


def test_integers_masks_and_parameters_are_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(
        og.StepError, match=r"MixUp averages images, and these are uint8: end the recipe with Normalize"
    ):
        next(iter(og.Loader(photos, [og.Resize((8, 8))], one_hot=True, mix=og.MixUp())))
    images, masks = paired_folder(tmp_path)
    with pytest.raises(og.ArgumentError, match="labels of a mask cannot be averaged; use CutMix"):
        og.Loader(og.open_source(images, masks=masks), mix=[og.CutMix(), og.MixUp()])
    for kind in (og.MixUp, og.CutMix):
        for wrong in (
            {"alpha": 0},
            {"alpha": "a"},
            {"alpha": float("inf")},
            {"p": 0},
            {"p": 1.5},
            {"alpha": True},
        ):
            (name,) = wrong
            with pytest.raises(og.ArgumentError, match=f"{kind.__name__}: {name}="):
                kind(**wrong)


def test_images_without_labels_are_mixed(tmp_path: Path) -> None:
    for number in range(3):
        image_file(tmp_path / f"{number}.png", np.full((8, 8, 3), number * 80, np.uint8))
    loader = og.Loader(tmp_path, [og.Normalize(mean=0, std=1)], mix=og.MixUp(1.0), batch_size=3)
    assert loader.shuffle and loader.batch(0, 0).label is None
    assert len(np.unique(loader.batch(0, 0).image)) == 3


def test_examples_run() -> None:
    failed, tried = doctest.testmod(mixes)
    assert tried and not failed
