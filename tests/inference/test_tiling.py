"""Tiles of an image in memory: what the model says of the whole, whatever the tiles, their overlap and their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from tests.support.models import bright_model, keras

import offgraph as og
from offgraph.apps import cli
from offgraph.core.choices import Blend
from offgraph.frameworks.receptive_field import receptive_field
from offgraph.inference.tiling.blending import Blender
from offgraph.inference.tiling.grid import TileAxis, TileGrid

layers = keras.layers

BLENDS: tuple[Blend, ...] = ("gaussian", "linear", "none")


@st.composite
def axes(draw: st.DrawFn) -> TileAxis:
    multiple = draw(st.integers(1, 4))
    size = multiple * draw(st.integers(1, 6))
    overlap = draw(st.integers(0, size - multiple))
    return TileAxis.planned(
        draw(st.integers(1, 50)), size, overlap, multiple, draw(st.integers(0, 9)), fixed=draw(st.booleans())
    )


@settings(deadline=None)
@given(axes(), st.sampled_from(BLENDS))
def test_the_weights_of_a_pixel_add_up_to_1(axis: TileAxis, blend: Blend) -> None:
    total = np.zeros(axis.padded)
    for number, weights in enumerate(axis.weights(blend)):
        start = axis.starts[number]
        total[start : start + axis.size] += weights
        if number:
            assert not weights[: axis.margin].any()
        if number + 1 < len(axis):
            assert not weights[axis.size - axis.margin :].any()
    np.testing.assert_allclose(total, 1, atol=1e-12)
    assert axis.padded >= axis.length and axis.starts[0] == 0


@settings(deadline=None)
@given(st.lists(axes(), min_size=2, max_size=3), st.sampled_from(BLENDS), st.randoms(use_true_random=False))
def test_tiles_that_agree_give_the_bytes_of_the_whole(
    several: list[TileAxis], blend: Blend, chance: Any
) -> None:
    grid = TileGrid(tuple(several))
    whole = np.random.default_rng(chance.randrange(1 << 30)).random((*grid.padded, 2), np.float32)
    found = np.full((*grid.lengths, 2), np.nan, np.float32)
    rows = len(grid.axes[0])
    row = chance.randrange(rows)
    for again, first in enumerate((0, row)):  # from the beginning, and as a run that goes on from a row
        blender = Blender(grid, blend, grid.first_needed(first))
        for number in range(grid.first_needed(first), rows):
            for window in grid.windows(number):
                finished = blender.add(whole[window])
                if finished is None or number < first:
                    continue
                places, values = finished
                if not again:
                    assert np.isnan(found[places]).all(), "a pixel is finished once"
                    found[places] = values
                else:
                    assert found[places].tobytes() == values.tobytes()
    inside = whole[tuple(slice(0, n) for n in grid.lengths)]
    assert found.tobytes() == np.ascontiguousarray(inside).tobytes()


def test_disagreeing_tiles_are_averaged_by_their_weights() -> None:
    axis = TileAxis.planned(6, 4, 2, 1, 0, fixed=False)
    grid = TileGrid((TileAxis(1, 1, (0,), 0), axis))
    blender = Blender(grid, "linear")
    assert blender.add(np.zeros((1, 4, 1), np.float32)) is None
    _, values = blender.add(np.ones((1, 4, 1), np.float32)) or (None, np.zeros(0))
    # Of the two shared pixels one lies 1.5 from the first tile's edge and 0.5 from the second's.
    np.testing.assert_allclose(values.ravel(), [0, 0, 0.25, 0.75, 1, 1])


def integral(batch: np.ndarray) -> np.ndarray:
    """A model that looks 3 pixels far, in sums of whole numbers, which have no rounding."""
    total = ndimage.correlate(batch[..., 0].astype(np.int64), np.ones((1, 7, 7), np.int64), mode="constant")
    return (total / np.float64(49 * 255)).astype(np.float32)[..., None]


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize(("tiles", "overlap"), [((16, 24), 6), (20, (8, 10)), (512, 6), ((7, 7), 6)])
def test_a_model_that_looks_no_farther_than_half_the_overlap(blend: Blend, tiles: Any, overlap: Any) -> None:
    """With the cut in the middle of the overlap all bytes are the untiled run's; averages are near them."""
    image = np.random.default_rng(0).integers(0, 256, (61, 75), np.uint8)
    options: dict[str, Any] = {
        "recipe": [],
        "task": "segment",
        "outputs": "probabilities",
        "input_shape": (None, None, 1),
    }
    untiled = og.Predictor(integral, **options)(image)
    tiled = og.Predictor(integral, tiles=tiles, overlap=overlap, blend=blend, batch_size=3, **options)(image)
    if blend == "none":
        assert tiled.probabilities.tobytes() == untiled.probabilities.tobytes()
    elif tiles != (7, 7):  # of which every pixel is near an edge
        assert np.abs(tiled.probabilities - untiled.probabilities).mean() < 0.02
    assert np.array_equal(tiled.raw["output"][..., 0], tiled.probabilities)


def network(kind: str = "same") -> Any:
    """A small U-Net of random weights."""
    keras.utils.set_random_seed(3)
    size = (32, 32) if kind == "fixed" else (None, None)
    given = keras.Input((*size, 1))
    fine = layers.Conv2D(4, 3, padding="same", activation="relu")(given)
    inner = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D(2)(fine))
    if kind == "coarse":
        return keras.Model(given, layers.Conv2D(2, 1, activation="softmax")(inner))
    up = layers.Concatenate()([layers.Conv2DTranspose(4, 2, strides=2)(inner), fine])
    end = layers.Conv2D(3, 3, padding="same")(up)
    if kind == "two":
        return keras.Model(given, {"mask": end, "edge": layers.Conv2D(1, 1, name="edge")(up)})
    return keras.Model(given, end if kind == "logits" else layers.Softmax()(end))


@pytest.mark.parametrize(
    ("kind", "blend"),
    [("same", "gaussian"), ("coarse", "linear"), ("coarse", "none"), ("logits", "linear"), ("two", "none")],
)
def test_a_network_says_of_tiles_what_it_says_of_the_whole(kind: str, blend: Blend) -> None:
    image = np.random.default_rng(1).integers(0, 256, (70, 91), np.uint8)
    options: dict[str, Any] = {"recipe": [og.Resize((100, 120)), og.ZScore()], "pad_to": 4}
    if kind in ("logits", "two"):
        options |= {"outputs": "logits", "task": "segment"}
    if kind == "two":
        options |= {"output": "mask"}
    model = network(kind)
    untiled = og.Predictor(model, **options)(image)
    tiled = og.Predictor(model, tiles=(40, 48), blend=blend, batch_size=2, tta=None, **options)(image)
    np.testing.assert_allclose(tiled.probabilities, untiled.probabilities, atol=2e-6)
    assert set(tiled.raw) == set(untiled.raw)
    for name, values in untiled.raw.items():
        np.testing.assert_allclose(tiled.raw[name], values, atol=1e-5)
    assert tiled.frame.output_size == untiled.frame.output_size  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize("kind", ["same", "coarse"])
def test_a_network_from_disk_to_disk(kind: str, tmp_path: Any) -> None:
    """Coarse masks are brought to the pixels of each tile, whose inner edges do not count."""
    image = np.random.default_rng(4).integers(0, 256, (96, 104), np.uint8)
    model, recipe = network(kind), [og.GaussianFilter(1), og.Rescale(1 / 255)]
    expected = og.Predictor(model, recipe=recipe)(image).probabilities
    og.Predictor(model, recipe=recipe, tiles=(40, 48), batch_size=2).to_file(
        image, tmp_path / "mask.npy", probabilities=tmp_path / "p.npy"
    )
    np.testing.assert_allclose(np.load(tmp_path / "p.npy"), expected, atol=2e-6)


def test_a_model_of_a_fixed_size_takes_any_image() -> None:
    model, free = network("fixed"), network()
    free.set_weights(model.get_weights())
    predictor = og.Predictor(model, recipe=[og.Rescale(1 / 255)], tiles=(32, 32))
    for size, multiple in (((70, 45), 2), ((20, 31), 32)):
        image = np.random.default_rng(2).integers(0, 256, size, np.uint8)
        whole = og.Predictor(free, recipe=[og.Rescale(1 / 255)], pad_to=multiple)(image)
        found = predictor(image)
        np.testing.assert_allclose(found.probabilities, whole.probabilities, atol=2e-6)
        assert found.mask is not None and found.mask.shape == size


def test_variants_and_ensembles_of_tiles() -> None:
    image = np.random.default_rng(3).integers(0, 256, (40, 61), np.uint8)
    options: dict[str, Any] = {"recipe": [og.Rescale(1 / 255)], "pad_to": 2, "tta": "flips"}
    several = [network(), network()]
    untiled = og.Predictor(several, **options)(image)
    tiled = og.Predictor(several, tiles=24, **options)(image)
    np.testing.assert_allclose(tiled.probabilities, untiled.probabilities, atol=2e-6)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda x: layers.Conv2D(1, 5, dilation_rate=2, padding="same")(x), (4, 1)),
        (lambda x: layers.UpSampling2D(4, interpolation="bilinear")(layers.AveragePooling2D(4)(x)), None),
        (lambda x: layers.SeparableConv2D(2, 3, padding="same")(layers.ReLU()(x)), (1, 1)),
        (lambda x: layers.Conv2D(1, 3)(layers.ZeroPadding2D(1)(x)), (3, 1)),
        (
            lambda x: keras.Sequential([layers.Conv2D(2, 3, padding="same"), layers.BatchNormalization()])(x),
            (1, 1),
        ),
    ],
)
def test_a_model_never_looks_farther_than_its_layers_say(end: Any, expected: tuple[int, int] | None) -> None:
    """Measured: pixels that change when one input does, over all places of a pooling."""
    keras.utils.set_random_seed(0)
    given = keras.Input((None, None, 1))
    model = keras.Model(given, end(given))
    field = receptive_field(model)
    assert field is not None
    if expected is not None:
        assert (field.reach[0], field.stride[0]) == expected
    image = np.random.default_rng(0).normal(size=(1, 48, 48, 1)).astype(np.float32)
    before = model.predict_on_batch(image)
    for place in range(20, 28):
        image[0, place, 24] += 50
        changed = np.abs(model.predict_on_batch(image) - before).max(axis=(0, 2, 3)) > 1e-6
        image[0, place, 24] -= 50
        seen = np.flatnonzero(changed)
        assert len(seen) and place - seen[0] <= field.reach[0] and seen[-1] - place <= field.reach[0]


def test_layers_that_look_anywhere_say_nothing() -> None:
    given = keras.Input((None, None, 4))
    for layer in (
        layers.GroupNormalization(2),
        layers.Softmax(axis=1),
        layers.Lambda(lambda x: x[:, ::-1]),
        layers.Permute((2, 1, 3)),
    ):
        assert receptive_field(keras.Model(given, layer(given))) is None, layer
    assert receptive_field(bright_model()) is None
    assert receptive_field(integral) is None


def dark(batch: np.ndarray) -> np.ndarray:
    return np.zeros((*batch.shape[:3], 1), np.float32)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (
            dark,
            {"tiles": 8},
            "cannot be read from its layers; say how many pixels tiles are to share: overlap=",
        ),
        (dark, {"tiles": 8, "overlap": 8}, "overlap=8: less than a tile"),
        (dark, {"tiles": (8, 8, 8), "overlap": 2}, "give 2 numbers"),
        (dark, {"tiles": 0, "overlap": 0}, "tiles=0: give a whole number of at least 1"),
        (dark, {"overlap": 2}, "and there are none; give tiles="),
        (dark, {"tiles": 8, "overlap": 2, "blend": "mean"}, "choose 'gaussian'"),
        (dark, {"blend": "mean"}, "choose 'gaussian'"),
        (dark, {"blend": "gaussian"}, "blend='gaussian': of tiles, and there are none; give tiles="),
        ("net", {"tiles": 33}, r"pools by 2, so that tiles must be multiples of it; take \(34, 34\)"),
        ("net", {"tiles": 8}, "say nothing for sure; take larger tiles"),
        ("net", {"tiles": 8, "overlap": 7}, "do not move on by a multiple of 2"),
        (
            "fixed",
            {"tiles": (16, 32)},
            r"takes 32 pixels along Y, and no other number; give tiles=\(32, 32\)",
        ),
        (
            "bright",
            {"tiles": 8, "overlap": 2},
            "its task is 'classify'; tiles are for models that make masks",
        ),
    ],
)
def test_tiles_that_cannot_be(model: Any, options: dict[str, Any], said: str) -> None:
    made = {"net": network, "fixed": lambda: network("fixed"), "bright": bright_model}.get(
        model, lambda: model
    )()
    image = np.zeros((64, 64), np.uint8)
    given: dict[str, Any] = {"recipe": [og.Rescale(1 / 255)]}
    if model is dark:
        given |= {"task": "segment", "input_shape": (None, None, 1)}
    with pytest.raises(og.OffgraphError, match=said):
        og.Predictor(made, **given, **options)(image)


def test_a_model_that_fails_on_one_tile_is_an_error_that_names_it() -> None:
    def broken(batch: np.ndarray) -> np.ndarray:
        made = dark(batch)
        made[batch[..., 0].max(axis=(1, 2)) == 200] = np.nan
        return made

    def shrinking(batch: np.ndarray) -> np.ndarray:
        return dark(batch)[:, : 6 if batch.max() == 200 else None]

    image = np.zeros((20, 20), np.uint8)
    image[11, 19] = 200
    options: dict[str, Any] = {"recipe": [], "task": "segment", "input_shape": (None, None, 1)}
    options |= {"tiles": 8, "overlap": 2, "batch_size": 1}
    with pytest.raises(og.StepError, match=r"the tile at \(6, 12\) has NaN"):
        og.Predictor(broken, **options)(image)
    with pytest.raises(
        og.StepError, match=r"the model makes \(6, 8\) of the tile at \(6, 12\), and \(8, 8\)"
    ):
        og.Predictor(shrinking, **options)(image)
    with pytest.raises(og.OffgraphError, match=r"the shape \(0, 8, 8, 1\) for a batch of 1"):
        og.Predictor(lambda batch: dark(batch)[: 0 if batch.shape[1] == 8 else None], **options)(image)
    found = og.Predictor(dark, **options)(image)  # no object at all
    assert found.mask is not None and not found.mask.any()


def test_the_command_line_predicts_by_tiles(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for number, size in enumerate(((50, 70), (33, 64))):
        og.imwrite(folder / f"{number}.tif", rng.integers(0, 256, size, np.uint8))
    path = og.save(network(), [og.Rescale(1 / 255)], tmp_path / "model.keras")
    with pytest.raises(SystemExit) as ended:
        cli.main(
            ["predict", str(path), str(folder), "-o", str(tmp_path / "out"), "--tiles", "32,40", "--overlap", "16,18",
             "--blend", "linear"]
        )  # fmt: skip
    assert not ended.value.code
    for result in og.predict(path, folder, pad_to=2):
        written = og.imread(tmp_path / "out" / "masks" / f"{result.item.name}.png")
        assert (written == result.mask).mean() > 0.999
    with pytest.raises(SystemExit) as ended:
        cli.main(
            [
                "predict",
                str(path),
                str(folder / "0.tif"),
                "-o",
                str(tmp_path / "mask.tif"),
                "--tiles",
                "32,40",
            ]
        )
    assert not ended.value.code
    assert "labels up to" in capsys.readouterr().out
    expected = og.Predictor(path, tiles=(32, 40))(og.imread(folder / "0.tif"))
    assert (og.imread(tmp_path / "mask.tif") == expected.mask).mean() > 0.999
    with pytest.raises(SystemExit) as ended:
        cli.main(["predict", str(path), str(folder), "-o", str(tmp_path / "other"), "--tiles", "32x40"])
    assert ended.value.code
