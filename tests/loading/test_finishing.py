"""Batches in the dtype and the layout that a model takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import class_folder, image_file, recipe

import offgraph as og

RAW = [og.Resize((12, 10))]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"), each=3)


@pytest.fixture(scope="module")
def built(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "out"
    og.build(photos, out, recipe(), format="folder")
    return out


def dtype_named(name: str) -> np.dtype:
    return np.dtype(getattr(pytest.importorskip("ml_dtypes"), name) if name == "bfloat16" else name)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", [None, "float32", "float16", "bfloat16"])
def test_batches_are_those_of_the_recipe_converted(
    photos: Path, built: Path, dtype: Any, data_format: Any, stored: bool
) -> None:
    given: Any = (built,) if stored else (photos, recipe())
    plain = og.Loader(*given, batch_size=4)
    loader = og.Loader(*given, batch_size=4, dtype=dtype, data_format=data_format)
    wanted = np.dtype(np.float32) if dtype is None else dtype_named(dtype)
    spec, _ = loader.specs()
    for batch, want in zip(loader.epoch(0), plain.epoch(0), strict=True):
        image = want.image.astype(wanted)
        image = image.transpose(0, 3, 1, 2) if data_format == "channels_first" else image
        assert batch.image.dtype == wanted and batch.image.shape == image.shape
        assert batch.image.tobytes() == image.tobytes()
        assert batch.image.flags.c_contiguous and batch.image.ctypes.data % 64 == 0
        assert spec.shape == image.shape[1:] and spec.dtype == wanted.name
        assert spec.axes == ("CYX" if data_format == "channels_first" else "YXC")
        assert np.array_equal(batch.label, want.label)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "uint8"])
def test_integers_stay_exact(photos: Path, dtype: Any) -> None:
    wanted = dtype_named(dtype)
    for batch, want in zip(
        og.Loader(photos, RAW, dtype=dtype).epoch(0), og.Loader(photos, RAW).epoch(0), strict=True
    ):
        assert batch.image.dtype == wanted and np.array_equal(batch.image.astype(np.uint8), want.image)


def test_every_number_that_is_taken_is_exact(tmp_path: Path) -> None:
    image_file(tmp_path / "a.png", np.arange(65536, dtype=np.uint16).reshape(256, 256))
    loader = og.Loader(tmp_path, color="keep", dtype="float32")
    assert np.array_equal(
        loader.batch(0, 0).image.astype(np.uint16), og.Loader(tmp_path, color="keep").batch(0, 0).image
    )
    for dtype in ("float16", "bfloat16", "uint8"):
        with pytest.raises(og.ArgumentError, match=f"dtype='{dtype}'.* uint16"):
            og.Loader(tmp_path, color="keep", dtype=dtype).batch(0, 0)
        with pytest.raises(og.ArgumentError, match="uint16"):
            og.Loader(tmp_path, color="keep", dtype=dtype).specs()


def test_what_would_lose_values_is_refused(photos: Path) -> None:
    with pytest.raises(
        og.ArgumentError, match=r"dtype='uint8': the recipe gives float32; leave out its last steps"
    ):
        og.Loader(photos, recipe(), dtype="uint8").batch(0, 0)
    loud = [og.Resize((12, 10)), og.Normalize(mean=0, std=1e-6)]
    with pytest.raises(
        og.StepError, match=r"float16' ends at 65504, and a value of this batch is \d+: scale"
    ):
        og.Loader(photos, loud, dtype="float16").batch(0, 0)
    og.Loader(photos, loud, dtype="bfloat16").batch(0, 0)
    for wrong in ("float64", "int8", 3, object()):
        with pytest.raises(og.ArgumentError, match="dtype="):
            og.Loader(photos, dtype=wrong)
    with pytest.raises(
        og.ArgumentError, match="data_format='NCHW': choose 'channels_last' or 'channels_first'"
    ):
        og.Loader(photos, data_format="NCHW")
    assert og.Loader(photos, RAW, dtype=np.float32).specs()[0].dtype == "float32"


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "uint8"])
def test_tensorflow_takes_them_at_their_address(photos: Path, dtype: Any, data_format: Any) -> None:
    tf = pytest.importorskip("tensorflow")
    steps = RAW if dtype == "uint8" else [*RAW, og.Normalize(mean=0, std=1)]
    loader = og.Loader(photos, steps, batch_size=4, dtype=dtype, data_format=data_format)
    dataset = loader.tensorflow(epoch=0)
    shape = [None, 3, 12, 10] if data_format == "channels_first" else [None, 12, 10, 3]
    assert dataset.element_spec[0].shape.as_list() == shape and dataset.element_spec[0].dtype == dtype
    addresses, plain = [], loader.epoch
    for (image, _), want in zip(dataset, loader.epoch(0), strict=True):
        assert image.dtype == tf.as_dtype(dtype) and image.numpy().tobytes() == want.image.tobytes()
    loader.epoch = lambda number, **how: (
        addresses.append(batch.image.ctypes.data) or batch for batch in plain(number, **how)
    )  # type: ignore[method-assign]
    if dtype != "bfloat16":  # which no buffer protocol names
        assert [np.asarray(memoryview(image)).ctypes.data for image, _ in dataset] == addresses


def test_grey_images_and_volumes(tmp_path: Path) -> None:
    for number in range(2):
        image_file(tmp_path / "grey" / f"{number}.png", np.full((6, 5), number, np.uint8))
        volume = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6) + number
        (tmp_path / "volume").mkdir(exist_ok=True)
        og.imwrite(tmp_path / "volume" / f"{number}.tif", volume, axes="ZYX")
    grey = og.Loader(tmp_path / "grey", color="grey", data_format="channels_first", batch_size=2)
    assert grey.batch(0, 0).image.shape == (2, 6, 5)
    assert grey.keras(outputs="index")[0][0].shape == (2, 1, 6, 5)
    volumes = og.Loader(
        tmp_path / "volume", color="keep", data_format="channels_first", dtype="float16", batch_size=2
    )
    assert volumes.batch(0, 0).image.dtype == np.float16
    assert volumes.batch(0, 0).image.shape == (2, 4, 5, 6) and volumes.keras()[0][0].shape == (2, 1, 4, 5, 6)


def test_channels_of_a_volume_move_before_it() -> None:
    from offgraph.core.specs import ArraySpec
    from offgraph.loading.batch import Batch
    from offgraph.loading.finishing import Finishing
    from offgraph.pipeline.buffers import Buffers

    image = np.random.default_rng(1).normal(size=(2, 3, 4, 5, 2)).astype(np.float32)
    finishing = Finishing(None, None, "channels_first")
    made = finishing(Batch(image, None, None, np.arange(2), []), 0, "ZYXC", Buffers(1))
    assert np.array_equal(made.image, image.transpose(0, 4, 1, 2, 3))
    assert finishing.spec(ArraySpec((3, 4, 5, 2), "float32", "ZYXC")) == ArraySpec(
        (2, 3, 4, 5), "float32", "CZYX"
    )


@pytest.mark.parametrize("axes", ["CYX", "YCX", "YXC", "CZYX", "ZCYX"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_channels_stand_where_they_are_asked_for_wherever_the_file_has_them(
    tmp_path: Path, axes: str, data_format: str
) -> None:
    rng = np.random.default_rng(3)
    shape = [{"C": 5, "Z": 3, "Y": 6, "X": 7}[axis] for axis in axes]
    arrays = [rng.integers(0, 4000, shape, dtype=np.uint16) for _ in range(5)]
    for number, array in enumerate(arrays):
        np.save(tmp_path / f"{number}.npy", array)
    source = og.open_source(tmp_path, axes=axes, color="keep")
    loader = og.Loader(source, [og.Rescale(1 / 4095)], batch_size=2, shuffle=False, data_format=data_format)
    place = 1 if data_format == "channels_first" else -1
    expected = np.moveaxis(
        np.stack([(array / 4095).astype(np.float32) for array in arrays]), 1 + axes.index("C"), place
    )
    for number, batch in enumerate(loader):
        assert np.array_equal(batch.image, expected[2 * number : 2 * number + 2])
    single = loader.sample(1)
    assert single is not None and np.array_equal(single.image, expected[1:2])
    spec = loader.specs()[0]
    assert spec.shape == expected.shape[1:]
    assert spec.axes == ("C" + axes.replace("C", "") if place == 1 else axes.replace("C", "") + "C")
    image = next(iter(loader.tensorflow()))
    assert image.shape == expected[:2].shape
    assert loader.tensorflow().element_spec.shape[1:] == expected.shape[1:]


def test_a_notebook_draws_them(photos: Path) -> None:
    pytest.importorskip("ml_dtypes")
    for options in ({"data_format": "channels_first"}, {"dtype": "bfloat16"}, {"dtype": "float16"}):
        assert "<img" in og.Loader(photos, recipe(), batch_size=2, **options).batch(0, 0)._repr_html_()


def test_a_process_of_its_own_gives_the_same_batches(photos: Path) -> None:
    options: dict[str, Any] = {
        "batch_size": 4, "one_hot": True, "mix": [og.MixUp(1.0), og.CutMix()], "sampling": "balanced",
        "dtype": "float16", "data_format": "channels_first", "seed": 3,
    }  # fmt: skip
    here, there = og.Loader(photos, recipe(), **options), og.Loader(photos, recipe(), process=True, **options)
    for one, two in zip(here.epoch(2), there.epoch(2), strict=True):
        assert two.image.dtype == np.float16 and two.image.tobytes() == one.image.tobytes()
        assert two.label.tobytes() == one.label.tobytes() and list(two.records) == list(one.records)


def test_a_sample_on_its_own_is_finished_as_well(photos: Path) -> None:
    loader = og.Loader(
        photos, recipe(), dtype="float16", data_format="channels_first", sampling="balanced", batch_size=9
    )
    (batch,) = loader.epoch(1)
    assert np.array_equal(loader.addresses(1)[:, 1], batch.index)
    for row, (epoch, number) in enumerate(loader.addresses(1).tolist()):
        assert loader.sample(number, epoch=epoch).image[0].tobytes() == batch.image[row].tobytes()


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_torch_moves_channels_that_stand_elsewhere(photos: Path, layout: Any) -> None:
    pytest.importorskip("torch", reason="needs PyTorch: pip install 'offgraph[torch]'")
    for data_format in ("channels_last", "channels_first"):
        loader = og.Loader(photos, recipe(), batch_size=9, data_format=data_format)
        image, _ = next(iter(loader.torch(layout=layout, epoch=0)))
        want = og.Loader(photos, recipe(), batch_size=9).batch(0, 0).image
        assert np.array_equal(image.numpy(), want.transpose(0, 3, 1, 2) if layout == "NCHW" else want)


def test_grain_draws_images_that_come_again_anew(photos: Path) -> None:
    pytest.importorskip("grain", reason="needs Grain: pip install 'offgraph[grain]'")
    loader = og.Loader(photos, recipe(), batch_size=9, sampling=[5, 1, 1, 1, 1, 1, 1, 1, 1], one_hot=True)
    batch = loader.batch(0, 0)
    for row, element in enumerate(loader.grain(epoch=0)):
        assert element["image"].tobytes() == batch.image[row].tobytes()
    with pytest.raises(
        og.ArgumentError, match="mix= mixes the images of a batch, and Grain makes its batches itself"
    ):
        og.Loader(photos, recipe(), one_hot=True, mix=og.MixUp()).grain()


def test_a_benchmark_measures_parts_of_the_recipe_unfinished(photos: Path) -> None:
    options: dict[str, Any] = {
        "one_hot": True,
        "mix": og.MixUp(),
        "dtype": "float16",
        "data_format": "channels_first",
    }
    report = og.Loader(photos, recipe(), batch_size=4, **options).benchmark(seconds=0.2)
    assert [part.name for part in report.parts][-1] == "store in batches"
