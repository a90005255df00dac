"""Parts of images on disk: what the whole file holds there, and what cannot be read by parts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.formats.regions import RegionReader, open_regions

write_tiff: Any = tifffile.imwrite  # its options come as dictionaries

LAYOUTS: list[dict[str, Any]] = [
    {},
    {"compression": "zlib"},
    {"compression": "lzw", "rowsperstrip": 7},
    {"tile": (16, 32)},
    {"tile": (32, 16), "compression": "zlib", "predictor": True},
    {"bigtiff": True, "compression": "packbits", "rowsperstrip": 3},
    {"byteorder": ">", "tile": (16, 16), "compression": "zlib"},
    {"byteorder": ">"},
]


def parts(reader: RegionReader, rng: np.random.Generator) -> list[tuple[slice, ...]]:
    """Random parts, one pixel, and the whole."""
    found = [tuple(slice(0, n) for n in reader.size), tuple(slice(n - 1, n) for n in reader.size)]
    for _ in range(8):
        ends = [sorted(rng.choice(n + 1, 2, replace=False)) for n in reader.size]
        found.append(tuple(slice(int(a), int(b)) for a, b in ends))
    return found


def check(image: Any, whole: np.ndarray, axes: str | None = None) -> RegionReader:
    """Parts of `image` are those of `whole`, whose axes are in order, channels last."""
    reader = open_regions(image, axes)
    assert reader.shape == whole.shape and reader.dtype == whole.dtype
    for window in parts(reader, np.random.default_rng(0)):
        part = reader.read(window)
        assert part.flags.c_contiguous and part.dtype == whole.dtype.newbyteorder("=")
        assert np.array_equal(part, whole[window])
    reader.close()
    return reader


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
@pytest.mark.parametrize(
    ("shape", "axes", "photometric"),
    [((70, 53), "YX", "minisblack"), ((41, 50, 3), "YXS", "rgb"), ((5, 33, 40), "ZYX", "minisblack")],
)
def test_parts_of_a_tiff(
    shape: tuple[int, ...], axes: str, photometric: str, options: dict[str, Any], tmp_path: Path
) -> None:
    whole = np.random.default_rng(1).integers(0, 60000, shape, np.uint16)
    path = tmp_path / "image.tif"
    write_tiff(path, whole, photometric=photometric, metadata={"axes": axes}, **options)
    check(path, whole)
    assert np.array_equal(og.imread(path), whole)


def test_planes_and_floats_of_a_tiff(tmp_path: Path) -> None:
    whole = np.random.default_rng(2).normal(size=(3, 30, 41)).astype(np.float32)
    for number, options in enumerate(
        ({"planarconfig": "separate", "compression": "zlib"}, {"planarconfig": "separate"})
    ):
        path = tmp_path / f"{number}.tif"
        write_tiff(path, whole, photometric="rgb", metadata={"axes": "SYX"}, **options)
        check(path, np.moveaxis(whole, 0, -1))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32", "bool"])
def test_parts_of_an_npy(dtype: str, order: Any, tmp_path: Path) -> None:
    whole = np.asarray(np.random.default_rng(3).integers(0, 2, (20, 31)).astype(dtype), order=order)
    np.save(tmp_path / "image.npy", whole)
    check(tmp_path / "image.npy", whole.astype(whole.dtype.newbyteorder("=")))


def test_parts_of_arrays_in_other_orders(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    whole = np.random.default_rng(4).integers(0, 255, (3, 6, 20, 31), np.uint8)
    inner = np.moveaxis(whole, 0, -1)
    check(whole, inner, "CZYX")
    with h5py.File(tmp_path / "image.h5", "w") as file:
        check(file.create_dataset("image", data=whole, chunks=(1, 2, 8, 8)), inner, "CZYX")
    np.save(tmp_path / "image.npy", whole)
    check(np.load(tmp_path / "image.npy", mmap_mode="r"), inner, "CZYX")


ZARRS: list[dict[str, Any]] = [
    {"chunks": (16, 16)},
    {"chunks": (7, 31), "zarr_format": 2},
    {"chunks": (8, 8), "shards": (16, 32)},
    {"chunks": (40, 5), "compressors": None},
]


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32", "bool"])
@pytest.mark.parametrize("options", ZARRS, ids=str)
def test_parts_of_a_zarr_array(tmp_path: Path, options: dict[str, Any], dtype: str) -> None:
    zarr = pytest.importorskip("zarr", reason="zarr is not installed, which alone reads its folders")
    whole = np.random.default_rng(5).integers(0, 2 if dtype == "bool" else 255, (40, 31)).astype(dtype)
    if whole.dtype.byteorder == ">" and options.get("zarr_format") != 2:
        options = options | {"serializer": zarr.codecs.BytesCodec(endian="big"), "dtype": "uint16"}
    array = zarr.create_array(
        str(tmp_path / "image.zarr"), **({"shape": whole.shape, "dtype": dtype} | options)
    )
    array[:25] = whole[:25]  # chunks that were never written hold the fill value
    whole[25:] = 0
    native = whole.astype(whole.dtype.newbyteorder("="))
    check(tmp_path / "image.zarr", native)
    check(array, native)


@pytest.mark.parametrize("axes", ["ZYXC", "CZYX"])
def test_volumes_of_a_zarr_array(tmp_path: Path, axes: str) -> None:
    zarr = pytest.importorskip("zarr")
    stored = np.random.default_rng(5).integers(0, 60000, (4, 12, 20, 13), np.uint16)
    zarr.create_array(str(tmp_path / "volume.zarr"), data=stored, chunks=(2, 8, 8, 5))
    check(tmp_path / "volume.zarr", stored if axes == "ZYXC" else np.moveaxis(stored, 0, -1), axes)
    with pytest.raises(og.DecodeError, match=r"volume\.zarr: .*axes='ZYXC'"):
        open_regions(tmp_path / "volume.zarr")


def test_a_zarr_array_written_again_is_another(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "image.zarr"
    array = zarr.create_array(str(path), data=np.ones((40, 40), np.uint8), chunks=(8, 8))
    first = open_regions(path).identity
    assert open_regions(path).identity == first
    array[20:24, 20:24] = 7
    assert open_regions(path).identity != first


def test_a_damaged_zarr_array_is_named(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "image.zarr"
    values = np.random.default_rng(1).integers(0, 255, (16, 16), np.uint8)
    zarr.create_array(str(path), data=values, chunks=(8, 8))
    reader = open_regions(path)
    (path / "c" / "0" / "1").write_bytes(b"no chunk")
    assert np.array_equal(reader.read((slice(8, 16), slice(0, 16))), values[8:])
    with pytest.raises(og.DecodeError, match=r"image\.zarr: "):
        reader.read((slice(0, 4), slice(4, 12)))
    (path / "zarr.json").write_text("{")
    with pytest.raises(og.DecodeError, match=r"image\.zarr: is no Zarr array"):
        open_regions(path)
    zarr.create_group(str(tmp_path / "group.zarr"))
    with pytest.raises(og.DecodeError, match=r"group\.zarr: is no Zarr array"):
        open_regions(tmp_path / "group.zarr")


def test_a_zarr_array_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "image.zarr").mkdir()
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(og.DecodeError, match="zarr, which is not installed: pip install zarr"):
        open_regions(tmp_path / "image.zarr")


def test_an_image_is_known_again(tmp_path: Path) -> None:
    whole = np.zeros((20, 20), np.uint8)
    np.save(tmp_path / "image.npy", whole)
    first = open_regions(tmp_path / "image.npy").identity
    assert open_regions(tmp_path / "image.npy").identity == first
    np.save(tmp_path / "image.npy", np.zeros((20, 21), np.uint8))
    assert open_regions(tmp_path / "image.npy").identity != first
    other = whole.copy()
    other[10] = 1
    assert open_regions(other).identity != open_regions(whole).identity == open_regions(whole.copy()).identity


def test_what_cannot_be_read_by_parts(tmp_path: Path) -> None:
    image = np.random.default_rng(6).integers(0, 255, (40, 50, 3), np.uint8)
    for name, options, said in (
        ("jpeg.tif", {"compression": "jpeg"}, "is decoded as a whole|not shown as they are stored"),
        ("turned.tif", {"extratags": [(274, 3, 1, 6, True)]}, "stored turned or mirrored"),
        ("white.tif", {"photometric": "miniswhite"}, "not shown as they are stored"),
    ):
        kind = {} if "photometric" in options else {"photometric": "rgb"}
        write_tiff(tmp_path / name, image if kind else image[..., 0], **kind, **options)
        with pytest.raises(og.DecodeError, match=said):
            open_regions(tmp_path / name)
    og.imwrite(tmp_path / "image.png", image)
    with pytest.raises(
        og.DecodeError,
        match="parts are read of TIFF, NPY, NIfTI and Zarr; read this file as a whole, or convert",
    ):
        open_regions(tmp_path / "image.png")
    with pytest.raises(og.DecodeError, match="No such file"):
        open_regions(tmp_path / "none.tif")
    with pytest.raises(og.DecodeError, match="name its axes, such as axes='ZYX'"):
        open_regions(np.zeros((5, 40, 50)))
    with pytest.raises(og.ArgumentError, match="give the path of a TIFF"):
        open_regions(5)
    with pytest.raises(og.DecodeError, match="has no pixels"):
        open_regions(np.zeros((0, 5)))
    with pytest.raises(og.DecodeError, match="holds complex128"):
        open_regions(np.zeros((5, 5), complex))
    (tmp_path / "folder").mkdir()
    with pytest.raises(og.DecodeError, match=r"folder: is no Zarr array|zarr, which is not installed"):
        open_regions(tmp_path / "folder")


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([LAYOUTS[1], LAYOUTS[3], LAYOUTS[0]]))
def test_a_damaged_tiff_ends_in_an_error_that_names_it(seed: int, options: dict[str, Any]) -> None:
    import io
    import tempfile

    buffer = io.BytesIO()
    write_tiff(buffer, np.random.default_rng(0).integers(0, 9, (40, 33), np.uint8), **options)
    data = bytearray(buffer.getvalue())
    rng = np.random.default_rng(seed)
    for _ in range(int(rng.integers(1, 5))):
        data[int(rng.integers(8, len(data)))] = int(rng.integers(0, 256))
    if rng.random() < 0.3:
        del data[int(rng.integers(8, len(data))) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.tif"
        path.write_bytes(data)
        try:
            reader = open_regions(path)
            if np.prod(reader.shape, dtype=object) < 10**7:
                reader.read(tuple(slice(0, n) for n in reader.size))
            return
        except og.DecodeError as error:
            said = str(error)
    assert str(path) in said
