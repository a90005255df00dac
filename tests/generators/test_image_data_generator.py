"""`og.ImageDataGenerator`: iteration, epochs, masks, tables, files written, and what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import class_folder, image_file

import offgraph as og

DRAWS: dict[str, Any] = {
    "rotation_range": 40,
    "zoom_range": 0.2,
    "horizontal_flip": True,
    "width_shift_range": 0.1,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


def images(count: int = 10) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (count, 24, 24, 3), np.uint8)


class Table(dict):
    """What a generator asks of a DataFrame: columns by name."""


# ---- iteration


def test_next_goes_on_for_ever_and_each_epoch_has_every_image_once_in_another_order():
    flow = og.ImageDataGenerator().flow(images(), np.arange(10), batch_size=4, seed=1)
    orders = []
    for _ in range(3):
        labels = [next(flow)[1] for _ in range(3)]
        assert [len(each) for each in labels] == [4, 4, 2]
        orders.append(np.concatenate(labels).tolist())
        assert sorted(orders[-1]) == list(range(10))
        assert flow.index_array.tolist() == orders[-1]
    assert orders[0] != orders[1] != orders[2]
    assert (flow.batch_index, flow.total_batches_seen, flow.epoch) == (0, 9, 2)


def test_batches_by_number_are_those_of_the_same_epoch_and_stay():
    flow, other = (og.ImageDataGenerator(**DRAWS).flow(images(), batch_size=4, seed=1) for _ in range(2))
    first = [next(other) for _ in range(3)]
    for number in (2, 0, 1, 2):
        assert np.array_equal(flow[number], first[number])
    flow.on_epoch_end()
    again = flow[0]
    assert not np.array_equal(again, first[0]) and np.array_equal(again, next(other))
    with pytest.raises(ValueError, match="an epoch has 3"):
        flow[3]


def test_reset_begins_anew():
    flow = og.ImageDataGenerator().flow(images(), np.arange(10), batch_size=4, shuffle=False)
    assert [next(flow)[1].tolist(), next(flow)[1].tolist()] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    flow.reset()
    assert flow.batch_index == 0 and next(flow)[1].tolist() == [0, 1, 2, 3]
    assert flow.next()[1].tolist() == [4, 5, 6, 7] and iter(flow) is flow


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch_size", [3, 7])
def test_draws_do_not_depend_on_batches_and_threads(batch_size, threads):
    flow = og.ImageDataGenerator(**DRAWS).flow(images(), np.arange(10), batch_size, seed=8, threads=threads)
    made = {}
    for _ in range(len(flow)):
        for image, number in zip(*next(flow), strict=True):
            made[int(number)] = image
    reference = og.ImageDataGenerator(**DRAWS).flow(images(), batch_size=10, shuffle=False, seed=8)[0]
    assert all(np.array_equal(made[number], reference[number]) for number in range(10))


def test_without_a_seed_numpys_decides():
    def first() -> np.ndarray:
        return og.ImageDataGenerator(**DRAWS).flow(images())[0]

    np.random.seed(5)  # noqa: NPY002
    one = first()
    np.random.seed(5)  # noqa: NPY002
    assert np.array_equal(one, first())
    assert not np.array_equal(one, first())


def test_an_empty_directory_gives_nothing(tmp_path, capsys):
    (tmp_path / "a").mkdir()
    flow = og.ImageDataGenerator().flow_from_directory(tmp_path)
    assert "Found 0 images belonging to 1 classes." in capsys.readouterr().out
    assert len(flow) == 0 and list(flow) == [] and flow.index_array.tolist() == []


def test_batches_belong_to_the_caller(photos):
    flow = og.ImageDataGenerator(samplewise_center=True).flow_from_directory(photos, (24, 20), shuffle=False)
    kept = flow[0][0].copy()
    flow[0][0][...] = 7
    next(flow)[0][...] = 9
    assert np.array_equal(flow[0][0], kept)


@pytest.mark.parametrize("of", ["files", "arrays"])
def test_an_iterator_goes_to_another_process(photos, of):
    generator = og.ImageDataGenerator(**DRAWS)
    flow: Any = (
        generator.flow_from_directory(photos, (24, 20), seed=2)
        if of == "files"
        else generator.flow(images(), seed=2)
    )
    next(flow)
    other = pickle.loads(pickle.dumps(flow))
    mine, theirs = flow[0], other[0]
    assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True)) and other.epoch == flow.epoch


def test_from_keras_takes_it_as_well():
    recipe = og.from_keras(og.ImageDataGenerator(rotation_range=5, rescale=0.5)).recipe
    assert "rotate=(-5" in str(recipe) and "Rescale" in str(recipe)


# ---- arrays


def test_arrays_come_with_labels_weights_and_other_arrays():
    x, y, w, z = images(), np.arange(10) * 2, np.linspace(0, 1, 10), np.arange(30).reshape(10, 3)
    flow = og.ImageDataGenerator().flow((x, [z, z[:, 0]]), y, batch_size=4, seed=2, sample_weight=w)
    (image, first, second), labels, weights = flow[0]
    numbers = labels // 2
    assert np.array_equal(image, x[numbers]) and image.dtype == np.float32
    assert np.array_equal(first, z[numbers]) and np.array_equal(second, z[numbers, 0])
    assert np.array_equal(weights, w[numbers])


def test_subsets_of_arrays():
    x, y = images(), np.arange(10) % 2
    generator = og.ImageDataGenerator(validation_split=0.4)
    validation, training = (
        generator.flow(x, y, subset=part, shuffle=False) for part in ("validation", "training")
    )
    assert np.array_equal(validation[0][0], x[:4]) and np.array_equal(training[0][0], x[4:])
    with pytest.raises(og.ArgumentError, match="the same classes"):
        generator.flow(x, np.arange(10), subset="training")
    assert generator.flow(x, np.arange(10), subset="training", ignore_class_split=True).n == 6


@pytest.mark.parametrize("channels", [1, 3, 4, 5])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_any_number_of_channels(channels, data_format):
    x = np.random.default_rng(1).random((5, 9, 11, channels), np.float32)
    given = np.moveaxis(x, -1, 1) if data_format == "channels_first" else x
    flow = og.ImageDataGenerator(data_format=data_format).flow(given, shuffle=False)
    assert np.array_equal(flow[0], given)


def test_floats_outside_the_range_are_refused_where_brightness_would_cut_them():
    x = np.random.default_rng(1).normal(size=(4, 8, 8, 3))
    with pytest.raises(og.ArgumentError, match="take values from 0 to 255"):
        og.ImageDataGenerator(brightness_range=(0.5, 1)).flow(x)
    assert og.ImageDataGenerator(rotation_range=5).flow(x)[0].min() < 0


# ---- images and masks


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images in `images/all`, masks of the same names in `masks/all`: a mask is 0 or 1 where its image is dark or light."""
    root = tmp_path_factory.mktemp("pairs")
    rows, columns = np.mgrid[0:48, 0:48]
    for number in range(6):
        light = (rows - 24) ** 2 + (columns - 12 - 4 * number) ** 2 < 100
        image_file(
            root / "images" / "all" / f"{number}.png",
            np.repeat(255 * light[..., None], 3, 2).astype(np.uint8),
        )
        image_file(root / "masks" / "all" / f"{number}.png", light.astype(np.uint8))
    return root


def test_two_generators_with_one_seed_stay_in_step(pairs):
    extra = {"brightness_range": (0.9, 1.0), "rescale": 1 / 255}
    size = {"target_size": (48, 48), "class_mode": None, "seed": 9, "batch_size": 4}
    photos = og.ImageDataGenerator(**DRAWS, **extra, interpolation_order=0).flow_from_directory(
        pairs / "images", **size
    )
    masks = og.ImageDataGenerator(**DRAWS, interpolation_order=0).flow_from_directory(
        pairs / "masks", color_mode="grayscale", **size
    )
    for _, image, mask in zip(range(6), photos, masks):
        assert image.shape[:3] == mask.shape[:3] and set(np.unique(mask)) <= {0, 1}
        assert np.array_equal(image[..., :1] > 0.5, mask > 0.5)


def test_masks_come_with_their_images(pairs):
    flow = og.ImageDataGenerator(**DRAWS, interpolation_order=0, rescale=1 / 255).flow_from_directory(
        pairs / "images", (48, 48), masks=pairs / "masks", seed=9, batch_size=4
    )
    for _, (image, mask) in zip(range(6), flow):
        assert mask.shape == (*image.shape[:3], 1) and mask.dtype.kind in "iu"
        assert np.array_equal(image[..., :1] > 0.5, mask == 1)
    first = og.ImageDataGenerator(data_format="channels_first").flow_from_directory(
        pairs / "images", (48, 48), masks=pairs / "masks"
    )
    assert first[0][1].shape == (6, 1, 48, 48)


def test_an_image_without_its_mask_is_named(pairs, tmp_path):
    image_file(tmp_path / "masks" / "all" / "0.png", np.zeros((48, 48), np.uint8))
    with pytest.raises(og.SourceError, match=r"all/1\.png: no mask"):
        og.ImageDataGenerator().flow_from_directory(pairs / "images", masks=tmp_path / "masks")


# ---- tables


def test_a_table_of_classes(photos, capsys):
    names = ["ant/0.png", "bee/1.jpg", "cat/2.png", "gone.png", "ant/1.jpg"]
    table = Table(filename=names, **{"class": ["x", "y", "x", "y", "z"]}, weight=[1, 2, 3, 4, 5])
    with pytest.warns(og.OffgraphWarning, match="1 of 5 files"):
        flow = og.ImageDataGenerator().flow_from_dataframe(
            table, photos, target_size=(10, 12), shuffle=False, weight_col="weight"
        )
    assert "Found 4 validated image filenames belonging to 3 classes." in capsys.readouterr().out
    assert flow.class_indices == {"x": 0, "y": 1, "z": 2} and flow.filenames == [*names[:3], names[4]]
    assert flow.filepaths[0] == str(photos / "ant/0.png") and flow.classes == [0, 1, 0, 2]
    x, y, weights = flow[0]
    assert x.shape == (4, 10, 12, 3) and y.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert weights.tolist() == [1, 2, 3, 5]


def test_tables_of_chosen_and_of_several_classes(photos):
    table = Table(
        path=[str(photos / f"{name}/0.png") for name in ("ant", "bee", "cat")], tags=[["b", "a"], "c", ("a",)]
    )
    several = og.ImageDataGenerator().flow_from_dataframe(
        table, x_col="path", y_col="tags", shuffle=False, target_size=(8, 8)
    )
    assert several.classes == [[1, 0], 2, [0]] and several[0][1].tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
    chosen = og.ImageDataGenerator().flow_from_dataframe(
        table, x_col="path", y_col="tags", classes=["c", "b"], shuffle=False
    )
    assert chosen.class_indices == {"c": 0, "b": 1} and chosen.classes == [[1], 0] and chosen.n == 2


@pytest.mark.parametrize(
    ("class_mode", "y_col", "expected"),
    [
        ("raw", "age", [3.5, 4.0, 5.0]),
        ("raw", ["age", "height"], [[3.5, 1], [4, 2], [5, 3]]),
        ("sparse", "kind", [1, 0, 1]),
        ("binary", "kind", [1, 0, 1]),
    ],
)
def test_what_a_table_learns(photos, class_mode, y_col, expected):
    table = Table(
        filename=["ant/0.png", "bee/0.png", "cat/0.png"],
        age=[3.5, 4.0, 5.0],
        height=[1, 2, 3],
        kind=["m", "f", "m"],
    )
    flow = og.ImageDataGenerator().flow_from_dataframe(
        table, photos, y_col=y_col, class_mode=class_mode, target_size=(8, 8), shuffle=False
    )
    assert flow[0][1].tolist() == expected
    two = og.ImageDataGenerator().flow_from_dataframe(
        table, photos, y_col=["age", "kind"], class_mode="multi_output", target_size=(8, 8), shuffle=False
    )
    assert [each.tolist() for each in two[0][1]] == [[3.5, 4.0, 5.0], ["m", "f", "m"]]
    assert og.ImageDataGenerator().flow_from_dataframe(table, photos, class_mode=None)[0].shape == (
        3,
        256,
        256,
        3,
    )
    again, copied = og.ImageDataGenerator().flow_from_dataframe(table, photos, class_mode="input")[0]
    assert np.array_equal(again, copied)


def test_parts_of_a_table_are_its_first_and_last_rows(photos):
    names = [f"ant/{n}.{'jpg' if n % 2 else 'png'}" for n in range(5)]
    table = Table(filename=names, **{"class": list("aabba")})
    generator = og.ImageDataGenerator(validation_split=0.4)
    assert generator.flow_from_dataframe(table, photos, subset="validation").filenames == names[:2]
    assert generator.flow_from_dataframe(table, photos, subset="training").filenames == names[2:]


def test_a_real_dataframe(photos):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"filename": ["ant/0.png", "bee/0.png"], "class": ["a", "b"]})
    flow = og.ImageDataGenerator().flow_from_dataframe(table, photos, shuffle=False)
    assert flow[0][1].tolist() == [[1, 0], [0, 1]]


# ---- files that are written, files that are bad


def test_batches_are_saved_to_be_looked_at(photos, tmp_path):
    flow = og.ImageDataGenerator(rotation_range=20).flow_from_directory(
        photos,
        (20, 24),
        classes=["bee"],
        batch_size=2,
        seed=3,
        save_to_dir=tmp_path,
        save_prefix="look",
        shuffle=False,
    )
    flow[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["look_0_3-0.png", "look_1_3-0.png"]
    seen = og.imread(tmp_path / "look_0_3-0.png")
    assert seen.shape == (20, 24, 3) and (seen.min(), seen.max()) == (0, 255)
    grey = og.ImageDataGenerator(data_format="channels_first").flow_from_directory(
        photos,
        (20, 24),
        color_mode="grayscale",
        save_to_dir=tmp_path,
        save_format="jpg",
        seed=4,
        batch_size=1,
    )
    grey[0]
    assert [og.imread(path).shape for path in tmp_path.glob("*.jpg")] == [(20, 24)]


def test_a_bad_file_is_named_or_left_out(tmp_path):
    root = class_folder(tmp_path, bad=True)
    with pytest.raises(og.DecodeError, match=r"cut\.png|text\.jpg"):
        list(zip(range(9), og.ImageDataGenerator().flow_from_directory(root, (20, 24), batch_size=2)))
    flow = og.ImageDataGenerator().flow_from_directory(root, (20, 24), batch_size=17, on_error="skip")
    image, labels = next(flow)
    assert len(image) == len(labels) == 15 and set(flow.loader.skipped) == {"ant/cut.png", "cat/text.jpg"}


# ---- what is refused


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"zoom_range": (1, 2, 3)}, "zoom_range=.*two numbers"),
        ({"brightness_range": 0.5}, "brightness_range=.*two numbers"),
        ({"validation_split": 1.5}, "validation_split=1.5"),
        ({"data_format": "HWC"}, "data_format='HWC'"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(arguments, says):
    with pytest.raises(og.ArgumentError, match=says):
        og.ImageDataGenerator(**arguments)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"target_size": 224}, "target_size=224"),
        ({"target_size": (0, 3)}, "target_size"),
        ({"color_mode": "rgba"}, "opacity is not kept"),
        ({"class_mode": "raw"}, "class_mode='raw'"),
        ({"subset": "test"}, "subset='test'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"seed": -1}, "seed=-1"),
        ({"save_to_dir": ".", "save_format": "webp"}, "save_format='webp'"),
    ],
)
def test_options_that_cannot_be_used_are_named(photos, options, says):
    with pytest.raises(og.ArgumentError, match=says):
        og.ImageDataGenerator().flow_from_directory(photos, **options)


@pytest.mark.parametrize(
    ("column", "options", "says"),
    [
        (["a", "b"], {"y_col": "kind"}, "no such column; it has filename, class"),
        ([1, 2], {}, "row 0 holds 1.*class_mode='raw' for numbers"),
        ([None, "b"], {"class_mode": "sparse"}, "row 0 holds None"),
        (["a", "a"], {"class_mode": "binary"}, "has 1"),
        (["a", "b"], {"class_mode": "multi_output"}, "give a list of columns"),
        (["a", "b"], {"weight_col": "class"}, "must hold numbers"),
    ],
)
def test_columns_that_cannot_be_used_are_named(photos, column, options, says):
    table = Table(filename=["ant/0.png", "bee/0.png"], **{"class": column})
    with pytest.raises(og.ArgumentError, match=says):
        og.ImageDataGenerator().flow_from_dataframe(table, photos, **options)


def test_arrays_that_do_not_fit_are_refused():
    generator = og.ImageDataGenerator()
    refused: list[tuple[Any, str]] = [
        ((images()[0],), "four axes"),
        ((images(), np.arange(3)), "y has 3 rows"),
        (((images(), [np.arange(4)]),), r"x\[1\] has 4 rows"),
    ]
    for given, says in refused:
        with pytest.raises(og.ArgumentError, match=says):
            generator.flow(*given)
    with pytest.raises(og.ArgumentError, match="one image of three axes"):
        generator.random_transform(images())
    with pytest.raises(og.ArgumentError, match="four axes"):
        generator.fit(images()[0])
    with pytest.raises(og.SourceError, match="nowhere"):
        generator.flow_from_directory("nowhere")


def test_what_other_arguments_ask_for_is_on_and_said():
    with pytest.warns(og.OffgraphWarning, match="featurewise_center is on"):
        assert og.ImageDataGenerator(featurewise_std_normalization=True).featurewise_center
    with pytest.warns(og.OffgraphWarning, match="samplewise_center is on"):
        assert og.ImageDataGenerator(samplewise_std_normalization=True).samplewise_center
    with pytest.warns(og.OffgraphWarning) as heard:
        whitened = og.ImageDataGenerator(zca_whitening=True, featurewise_std_normalization=True)
    assert ["takes the place" in str(each.message) for each in heard] == [True, False]
    assert whitened.featurewise_center and not whitened.featurewise_std_normalization


def test_the_report_says_what_differs():
    flow = og.ImageDataGenerator(
        rotation_range=5, zoom_range=0.2, featurewise_center=True, zca_whitening=True
    ).flow(images())
    assert "Keras draws the reciprocal" in str(flow.report) and "zca_whitening=True" in str(flow.report)
    assert repr(flow).startswith("<ArrayFlow: 10 images, 1 batches")
    shown = repr(og.ImageDataGenerator(rotation_range=5, rescale=0.5))
    assert shown == "ImageDataGenerator(rotation_range=5, rescale=0.5)"


def test_a_program_may_end_in_the_middle_of_an_epoch(photos: Path) -> None:
    program = f"""
        import offgraph as og

        flow = og.ImageDataGenerator(rescale=1 / 255).flow_from_directory({str(photos)!r}, target_size=(8, 8), batch_size=2)
        print(next(flow)[0].shape)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout.endswith("(2, 8, 8, 3)\n")
    assert "Exception ignored" not in done.stderr and "Traceback" not in done.stderr, done.stderr
