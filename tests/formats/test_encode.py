"""Writing images: lossless or refused, whole or not at all."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from tests.support.odd_files import gradient

from offgraph.core.errors import ArgumentError, WriteError
from offgraph.formats import encoding
from offgraph.formats.decoding import imread, read
from offgraph.formats.encoding import encode_jpeg, encode_png, encode_tiff, imwrite, show, write_bytes


def make_images(dtypes: list[str]) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
    shapes = shapes | st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(2, 4))
    return st.sampled_from(dtypes).flatmap(lambda dtype: arrays.arrays(np.dtype(dtype), shapes))


@settings(max_examples=60, deadline=None)
@given(array=make_images(["uint8", "uint16"]))
def test_png_comes_back_exactly_and_in_the_same_bytes(array: np.ndarray) -> None:
    data = encode_png(array)
    back = read(data).array
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    assert encode_png(np.asfortranarray(array)) == data


@settings(max_examples=60, deadline=None)
@given(array=make_images(["uint8", "uint16", "int16", "uint32", "float32", "float64"]))
def test_tiff_comes_back_exactly(array: np.ndarray) -> None:
    decoded = read(encode_tiff(array))
    assert decoded.array.dtype == array.dtype and decoded.axes == ("YX" if array.ndim == 2 else "YXC")
    np.testing.assert_array_equal(decoded.array, array)


@pytest.mark.parametrize(
    ("shape", "axes"), [((4, 5, 6), "ZYX"), ((2, 4, 5, 3), "TYXC"), ((3, 4, 5, 6), "CZYX")]
)
def test_tiff_remembers_the_axes_of_a_stack(shape: tuple[int, ...], axes: str) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    decoded = read(encode_tiff(array, axes))
    assert decoded.axes == axes and not decoded.notes
    np.testing.assert_array_equal(decoded.array, array)
    with pytest.raises(ValueError, match="needs its axes named"):
        encode_tiff(np.zeros((4, 5, 6)))


@pytest.mark.parametrize("width", [1, 7, 8, 9, 17])
def test_one_bit_is_one_bit(width: int) -> None:
    masks = np.random.default_rng(width).integers(0, 2, (3, 5, width)).astype(bool)
    np.testing.assert_array_equal(read(encode_png(masks[0])).array, masks[0])
    np.testing.assert_array_equal(read(encode_tiff(masks[0])).array, masks[0])
    np.testing.assert_array_equal(read(encode_tiff(masks, "ZYX")).array, masks)
    with pytest.raises(ValueError, match="bool with channels"):
        encode_tiff(masks, "CYX")


def test_png_bytes_are_pinned_to_the_array_alone() -> None:
    """Two encodings in a row share nothing that could differ, such as a time."""
    digests = {
        hashlib.sha256(encode_png(gradient(top=top))).hexdigest() for top in (255, 65535) for _ in range(3)
    }
    assert len(digests) == 2


@pytest.mark.parametrize("quality", [50, 90, 95, 100])
def test_jpeg_loses_no_more_than_the_accurate_transform(quality: int) -> None:
    """Below 96 a fast one, which simplejpeg takes, is 5 % further from the image."""
    array = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    for image in (array, array[..., 0]):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=0)
        data = encode_jpeg(image, quality)
        np.testing.assert_array_equal(read(data).array, read(file.getvalue()).array)


def test_jpeg_is_close_and_its_colours_are_not_thinned_out() -> None:
    array = np.asarray(Image.fromarray(gradient(8, 8)).resize((48, 40), Image.Resampling.BICUBIC))
    assert np.abs(read(encode_jpeg(array)).array.astype(int) - array).max() < 12
    grey = array[..., 1]
    assert read(encode_jpeg(grey)).axes == "YX"
    assert np.abs(read(encode_jpeg(grey)).array.astype(int) - grey).max() < 12


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("a.png", np.zeros((4, 4), np.float32), "not float32"),
        ("a.png", np.zeros((4, 4, 5), np.uint8), "needs its axes named"),
        ("a.png", np.zeros((0, 4), np.uint8), r"\(0, 4\)"),
        ("a.jpg", np.zeros((4, 4), np.uint16), "JPEG holds uint8"),
        ("a.jpg", np.zeros((4, 4, 4), np.uint8), "write it as PNG"),
        ("a.tif", np.zeros((4, 4), np.complex64), "complex64"),
        ("a.bmp", np.zeros((4, 4), np.uint8), "suffix '.bmp' is not one of .png"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_by_name(tmp_path, name, array, said) -> None:
    with pytest.raises(ValueError, match=f"{name}: .*{said}"):
        imwrite(tmp_path / name, array)
    assert list(tmp_path.iterdir()) == []


def test_stacks_and_quality_go_where_they_belong(tmp_path) -> None:
    stack = np.zeros((3, 8, 8), np.uint8)
    with pytest.raises(ValueError, match="axes ZYX can only be written as TIFF"):
        imwrite(tmp_path / "a.png", stack, axes="ZYX")
    with pytest.raises(ValueError, match="for JPEG only"):
        imwrite(tmp_path / "a.png", stack[0], quality=90)
    with pytest.raises(ValueError, match="quality=0: use 1 to 100"):
        imwrite(tmp_path / "a.jpg", stack[0], quality=0)
    imwrite(tmp_path / "a.tif", stack, axes="ZYX")
    assert imread(tmp_path / "a.tif").shape == (3, 8, 8)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.png"
    imwrite(path, np.zeros((2, 2), np.uint8))
    before = path.read_bytes()

    def broken(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(encoding.Path, "replace", broken)
    with pytest.raises(OSError, match="No space left"):
        imwrite(path, np.ones((2, 2), np.uint8))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "array",
    [
        gradient(),
        gradient(channels=1, top=65535),
        np.full((3, 4), np.nan),
        np.zeros((5, 6, 7)),
        gradient(6, 7) > 9,
    ],
    ids=["uint8", "uint16", "nan", "stack", "bool"],
)
def test_show_opens_one_image_and_returns_nothing(array: np.ndarray, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(Image.Image, "show", lambda image: shown.append(image))
    assert show(array) is None
    (image,) = shown
    assert np.asarray(image).dtype == np.uint8


def test_show_reads_files_and_stretches_for_display_only(tmp_path, monkeypatch) -> None:
    array = np.array([[0, 4095], [2048, 4095]], np.uint16)
    imwrite(tmp_path / "a.png", array)
    shown = []
    monkeypatch.setattr(Image.Image, "show", lambda image: shown.append(image))
    show(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(shown[0]), [[0, 255], [128, 255]])
    np.testing.assert_array_equal(imread(tmp_path / "a.png"), array)


def test_a_missing_folder_is_named_and_not_the_temporary_file(tmp_path) -> None:
    path = tmp_path / "nodir" / "o.png"
    with pytest.raises(WriteError) as caught:
        imwrite(path, np.zeros((2, 2), np.uint8))
    assert str(caught.value).startswith(f"{path}: ") and "make it first" in str(caught.value)
    assert ".part" not in str(caught.value)


@pytest.mark.parametrize("path", ["", ".", "/", "./"])
def test_a_path_without_a_name_is_a_folder(path: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WriteError, match="cannot be written: it is a folder; give the name of a file"):
        write_bytes(path, b"x")
    assert not list(tmp_path.iterdir())


def test_errors_of_arguments_are_offgraphs_own(tmp_path) -> None:
    with pytest.raises(ArgumentError, match="float64"):
        imwrite(tmp_path / "o.png", np.zeros((2, 2)))
    imwrite(tmp_path / "o.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(ArgumentError, match="color='RGB'"):
        imread(tmp_path / "o.png", color="RGB")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="axes=3"):
        imread(tmp_path / "o.png", axes=3)  # type: ignore[arg-type]
