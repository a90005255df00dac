"""Some hundred odd files of every format: equal to tifffile and Pillow, and when they are cut, refused by name."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from tests.support import odd_images

from offgraph.core.errors import DecodeError
from offgraph.formats.decoding import read
from offgraph.formats.exif import upright

TIFFS = dict(odd_images.tiffs())
OTHERS = {**dict(odd_images.by_pillow()), **dict(odd_images.pngs()), **dict(odd_images.bitmaps())}
FILES = TIFFS | OTHERS


def test_there_are_some_hundred_of_them() -> None:
    assert len(TIFFS) > 150 and len(OTHERS) > 150


@pytest.mark.parametrize("kind", TIFFS)
def test_the_numbers_of_a_tiff_are_those_of_tifffile(kind: str) -> None:
    data = TIFFS[kind]
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        page, expected = opened.pages[0], opened.asarray()
        if page.planarconfig == 2 and expected.ndim == 3:
            expected = np.moveaxis(expected, 0, -1)
        orientation = page.tags.valueof(274, 1)
    found = read(data, color="labels").array
    assert found.dtype == (np.uint8 if expected.dtype == bool else expected.dtype)
    np.testing.assert_array_equal(found, upright(expected, orientation, "YXC"[: expected.ndim]))


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
@pytest.mark.parametrize("kind", FILES)
def test_what_is_shown_is_what_pillow_shows(kind: str) -> None:
    data, words = FILES[kind], kind.split()
    try:
        with Image.open(io.BytesIO(data)) as opened:
            clear = opened.has_transparency_data
            turned = ImageOps.exif_transpose(opened)
            theirs, opacity = turned.convert("RGB"), np.asarray(turned.convert("RGBA"))[..., 3]
    except (OSError, SyntaxError, ValueError):
        assert read(data).array.size  # a kind that Pillow does not know
        return
    stored = read(data)
    if stored.layout == "channels":
        with pytest.raises(DecodeError, match=r"channels are neither grey nor RGB; use color='keep'"):
            read(data, color="rgb")
        return
    ours = read(data, color="rgb").array
    assert ours.shape == (theirs.height, theirs.width, 3)
    if (
        ours.dtype == np.uint8 and "assocalpha" not in words
    ):  # Pillow divides by the opacity, and cuts 16 bits to 8
        np.testing.assert_array_equal(ours, np.asarray(theirs))
    if clear and ours.dtype == np.uint8 and words[1:3] not in (["0", "2"], ["0", "4"]):
        # of 2 and 4 bits, Pillow compares the transparent grey before it stretches it with greys that are stretched
        np.testing.assert_array_equal(stored.array[..., -1], opacity)


def cuts(data: bytes) -> list[bytes]:
    """The file's beginnings, and of a TIFF also the file with a first or last strip that counts fewer bytes."""
    made = [data[: int(len(data) * share)] for share in (0.2, 0.5, 0.8, 0.95, 0.99)]
    if data[:2] in (b"II", b"MM"):
        with tifffile.TiffFile(io.BytesIO(data)) as opened:
            page = opened.pages[0]
            tag = page.tags[279 if 279 in page.tags else 325]
            size = opened.byteorder + {3: "H", 4: "I", 16: "Q"}[int(tag.dtype)]
            counts, at = page.databytecounts, tag.valueoffset
        for share in (0.3, 0.9):
            for which in {0, len(counts) - 1}:
                changed = bytearray(data)
                place = at + struct.calcsize(size) * which
                struct.pack_into(size, changed, place, int(counts[which] * share))
                made.append(bytes(changed))
    return made


@pytest.mark.parametrize("kind", FILES)
def test_cut_files_are_refused_by_name_or_whole(kind: str) -> None:
    whole = read(FILES[kind], color="labels").array
    refused = 0
    for cut in cuts(FILES[kind]):
        try:
            found = read(cut, color="labels").array
        except DecodeError as error:
            assert str(error).startswith("<bytes>: ")  # noqa: PT017
            refused += 1
        else:  # what is missing held no pixels
            np.testing.assert_array_equal(found, whole)
    assert refused
