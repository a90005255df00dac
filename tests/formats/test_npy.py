"""``.npy`` as a format of images and masks: read without pickle, checked on its header."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from tests.support.odd_files import gradient

import offgraph as og
from offgraph.core.errors import DecodeError
from offgraph.formats.decoding import read
from offgraph.formats.encoding import encode_npy


def npy(array: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def forged(header: str, body: bytes = bytes(64), version: bytes = b"\1\0") -> bytes:
    text = header.encode("latin1") + b"\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + size + text + body


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("kind", ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"])
def test_every_dtype_order_and_byte_order(kind: str, byteorder: str, order: str) -> None:
    array = (np.arange(60).reshape(6, 10) * 1234567 % 251 - 7).astype(kind)
    found = read(npy(np.array(array, array.dtype.newbyteorder(byteorder), order=order)))
    assert (found.format, found.axes) == ("NPY", "YX")
    assert found.array.dtype == array.dtype and found.array.dtype.isnative and found.array.flags.c_contiguous
    np.testing.assert_array_equal(found.array, array)


def test_shapes_say_their_axes_or_are_asked_for() -> None:
    colour = read(npy(gradient()))
    assert (colour.axes, colour.layout) == ("YXC", "rgb")
    np.testing.assert_array_equal(colour.array, gradient())
    np.testing.assert_array_equal(
        read(npy(gradient(channels=1)), color="rgb").array, np.dstack([gradient(channels=1)] * 3)
    )
    stack = np.arange(105, dtype=np.int16).reshape(3, 5, 7)
    with pytest.raises(DecodeError, match=r"\(3, 5, 7\) does not say what its axes are; .*axes='ZYX'"):
        read(npy(stack))
    np.testing.assert_array_equal(read(npy(stack), axes="ZYX").array, stack)
    assert read(npy(np.zeros((2, 3, 5, 7, 2))), axes="TZYXC").axes == "TZYXC"
    for array, axes, said in (
        (stack, "YX", "names 2 axes"),
        (np.zeros(4), None, "not an image: it has 1 axes"),
        (np.zeros((0, 4)), None, "an empty"),
        (np.zeros((3, 4, 0)), None, "shape \\(3, 4, 0\\)"),
    ):
        with pytest.raises(DecodeError, match=said):
            read(npy(array), axes=axes)


def test_nan_and_infinity_are_the_files_own() -> None:
    array = np.array([[np.nan, np.inf], [-np.inf, -0.0]], np.float32)
    assert read(npy(array)).array.tobytes() == array.tobytes()


def test_nothing_is_unpickled_and_a_lying_header_costs_nothing() -> None:
    flags = "'fortran_order': False"
    for data, said in (
        (npy(np.array([[{}]], object), allow_pickle=True), "Python objects, which would be unpickled"),
        (npy(np.zeros((2, 2), "c8")), r"dtype complex64; .* convert it"),
        (npy(np.zeros((2, 2), "M8[s]")), "dtype datetime64"),
        (npy(np.zeros((2, 2), "i4, f8")), "holds dtype"),
        (npy(np.zeros((9, 9)))[:-1], "truncated: 647 of 648 bytes"),
        (forged(f"{{'descr': '<f8', {flags}, 'shape': (100000, 100000)}}"), "more than the limit"),
        (forged(f"{{'descr': '<f8', {flags}, 'shape': (10000, 10000)}}"), "truncated: 64 of 800,000,000"),
        (forged(f"{{'descr': '<f8', {flags}, 'shape': (-4, 8)}}"), r"shape \(-4, 8\)"),
        (forged(f"{{'descr': '<f8', {flags}, 'shape': (4, 'x')}}"), "its header cannot be read"),
        (forged("(" * 5000), "its header cannot be read"),
        (forged("__import__('os').abort()"), "its header cannot be read"),
        (forged(" " * 20000), "its header cannot be read"),
        (forged(f"{{'descr': '<f8', {flags}, 'shape': (2, 2)}}", version=b"\3\0"), "version 3.0 of .npy"),
        (b"\x93NUMPY\1", "its header cannot be read"),
    ):
        with pytest.raises(DecodeError, match=said):
            read(data)


def test_an_archive_of_arrays_is_refused_with_what_to_do(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", image=np.zeros((3, 4)))
    with pytest.raises(DecodeError, match=r"a\.npz: a ZIP archive .* np\.save\('name\.npy', array\)"):
        og.imread(tmp_path / "a.npz")


def test_bytes_of_a_bool_that_are_neither_0_nor_1() -> None:
    data = npy(np.zeros((2, 3), bool))[:-6] + bytes([0, 1, 2, 255, 0, 1])
    found = read(data, color="labels").array
    np.testing.assert_array_equal(found, [[0, 1, 1], [1, 0, 1]])


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "u4", "f4", "f8"])
def test_written_and_read_again(dtype: str, tmp_path) -> None:
    array = (np.arange(60).reshape(6, 10) % 7).astype(dtype)
    og.imwrite(tmp_path / "a.npy", array.T)
    np.testing.assert_array_equal(og.imread(tmp_path / "a.npy"), array.T)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array.T)
    assert encode_npy(array) == npy(array)
    with pytest.raises(og.ArgumentError, match=r"b\.npy: an array of complex128"):
        og.imwrite(tmp_path / "b.npy", array.astype(complex))


def test_a_source_of_arrays_with_masks(tmp_path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    image, mask = gradient(8, 9, 3), (gradient(8, 9, 1) // 90).astype(np.int32)
    np.save(tmp_path / "images" / "a.npy", image)
    np.save(tmp_path / "masks" / "a.npy", mask)
    og.imwrite(tmp_path / "images" / "b.png", image)
    np.save(tmp_path / "masks" / "b.npy", mask > 1)
    source = og.open_source(tmp_path / "images", masks=tmp_path / "masks")
    first, second = source.read(0), source.read(1)
    np.testing.assert_array_equal(first.image.array, image)
    np.testing.assert_array_equal(first.mask.array, mask)
    np.testing.assert_array_equal(second.mask.array, mask > 1)
    volume = np.arange(3 * 8 * 9, dtype=np.float32).reshape(3, 8, 9)
    np.save(tmp_path / "volume.npy", volume)
    read_back = og.open_source(tmp_path / "volume.npy", axes="ZYX", color="keep").read(0).image
    assert read_back.axes == "ZYX"
    np.testing.assert_array_equal(read_back.array, volume)
