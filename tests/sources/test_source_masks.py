"""Masks of a source: which file belongs to which image, and what the values in it mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import offgraph as og
from offgraph.core.errors import DecodeError, OffgraphWarning, SourceError
from offgraph.formats.encoding import imwrite
from offgraph.sources import Source, open_source

IMAGE = np.zeros((4, 6), np.uint8)
WHITE = np.where(np.arange(24).reshape(4, 6) % 5 == 0, 255, 0).astype(np.uint8)


def put(root: Path, *names: str, array: np.ndarray = IMAGE) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        imwrite(path, array)
    return root


def pairs(source: Source) -> list[tuple[str, str | None]]:
    return [(item.name, item.mask and item.mask.name) for item in source]


# values


def test_mask_values_are_put_in_place_of_those_in_the_files(tmp_path) -> None:
    put(tmp_path / "images", "1.png", "2.png")
    put(tmp_path / "masks", "1.png", array=WHITE)
    put(tmp_path / "masks", "2.png", array=(WHITE // 255).astype(np.uint16) * 7)
    roots = {"source": tmp_path / "images", "masks": tmp_path / "masks"}
    source = open_source(**roots, mask_values={255: 1, 7: 300})
    first, second = (source.read(i).mask.array for i in range(2))
    assert first.dtype == np.uint16 and second.dtype == np.uint16
    np.testing.assert_array_equal(first, WHITE // 255)
    np.testing.assert_array_equal(second, (WHITE // 255).astype(int) * 300)
    swapped = open_source(**roots, mask_values={255: 0, 0: 1, 7: 0}).read(0).mask.array
    assert swapped.dtype == np.uint8
    np.testing.assert_array_equal(swapped, WHITE == 0)
    assert source.reading.mask_values == ((0, 0), (7, 300), (255, 1))


def test_other_values_are_refused_by_file(tmp_path) -> None:
    put(tmp_path / "images", "1.png")
    put(tmp_path / "masks", "1.png", array=np.array([[0, 255, 254, 17, 17, 3]] * 4, np.uint8))
    source = open_source(tmp_path / "images", masks=tmp_path / "masks", mask_values={255: 1, 3: 2})
    with pytest.raises(
        DecodeError, match=r"masks/1\.png: the mask holds 17, 254 in 12 pixels, .* \(0: 0, 3: 2, 255: 1\)"
    ):
        source.read(0)


@pytest.mark.parametrize(
    "given", [{}, 255, {255: -1}, {"255": 1}, {255: 0.5}, {True: 1}, [(1, 2, 3)], {1: 2**40}]
)
def test_mask_values_that_are_none(tmp_path, given) -> None:
    with pytest.raises(SourceError, match=r"mask_values=.*such as \{255: 1\}"):
        open_source(put(tmp_path, "1.png"), mask_values=given)


PALETTE = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [224, 224, 192]], np.uint8)
COLOURS = {(128, 0, 0): 1, "#008000": 2, (224, 224, 192): 255}


def test_colours_are_labels(tmp_path) -> None:
    labels = np.random.default_rng(2).integers(0, 4, (4, 6))
    put(tmp_path / "images", "1.png", "2.png", "3.png", "4.png", "5.png")
    put(tmp_path / "masks", "1.png", array=PALETTE[labels])
    put(tmp_path / "masks", "2.png", array=np.dstack([PALETTE[labels], np.full((4, 6), 255, np.uint8)]))
    indexed = PIL.Image.fromarray(labels.astype(np.uint8), mode="P")
    indexed.putpalette(PALETTE.tobytes())
    indexed.save(tmp_path / "masks" / "3.png")
    put(tmp_path / "masks", "4.png", array=np.zeros((4, 6), np.uint8))
    put(tmp_path / "masks", "5.png", array=PALETTE[labels] + np.uint8(1))
    roots = {"source": tmp_path / "images", "masks": tmp_path / "masks"}
    source = open_source(**roots, mask_values=COLOURS)
    wanted = np.array([0, 1, 2, 255])[labels]
    for number in range(3):
        mask = source.read(number).mask
        assert mask.array.dtype == np.uint8 and mask.axes == "YX"
        np.testing.assert_array_equal(mask.array, wanted)
    assert not source.read(3).mask.array.any()
    with pytest.raises(
        DecodeError,
        match=r"masks/5\.png: the mask holds \(1, 1, 1\), .*in 24 pixels, .*\(0, 0, 0\): 0, \(0, 128, 0\): 2",
    ):
        source.read(4)
    large = open_source(**roots, mask_values={(0, 0, 0): 70_000, **COLOURS}).read(0).mask.array
    assert large.dtype == np.uint32 and (large[labels == 0] == 70_000).all()
    with pytest.raises(DecodeError, match=r"has colours.*mask_values=\{'#800000': 1\}"):
        open_source(**roots).read(0)
    deep = put(tmp_path / "deep", "1.png", array=PALETTE[labels].astype(np.uint16) * 257)
    with pytest.raises(DecodeError, match=r"dtype uint16.*colours of 8 bits"):
        open_source(tmp_path / "images", masks=deep, mask_values=COLOURS, missing_mask="skip").read(0)


def test_a_loader_and_its_cache_take_colours(tmp_path) -> None:
    labels = np.random.default_rng(3).integers(0, 4, (2, 4, 6))
    for number, one in enumerate(labels):
        put(tmp_path / "images", f"{number}.png")
        put(tmp_path / "masks", f"{number}.png", array=PALETTE[one])
    source = open_source(tmp_path / "images", masks=tmp_path / "masks", mask_values=COLOURS)
    loader = og.Loader(source, [og.Flip("X")], batch_size=2, threads=1)
    for each in (loader, loader.cache(tmp_path / "kept"), loader.cache("memory")):
        (batch,) = each
        np.testing.assert_array_equal(batch.mask, np.array([0, 1, 2, 255])[labels[:, :, ::-1]])


@pytest.mark.parametrize(
    "given",
    [
        {(128, 0, 0): 1, 255: 2},
        {(128, 0): 1},
        {(128, 0, 0, 255): 1},
        {(256, 0, 0): 1},
        {(1.0, 0, 0): 1},
        {"#80000": 1},
        {"red": 1},
        {"#800000": (1, 0, 0)},
        {"#800000": 1, (128, 0, 0): 2},
        {1: (1, 2, 3)},
    ],
)
def test_colours_that_are_none(tmp_path, given) -> None:
    with pytest.raises(SourceError, match=r"mask_values=.*such as \{\(128, 0, 0\): 1, '#008000': 2\}"):
        open_source(put(tmp_path, "1.png"), mask_values=given)


def test_masks_of_black_and_white_bring_a_hint(tmp_path) -> None:
    put(tmp_path, "images/1.png", "images/2.png", "masks/1.png")
    put(tmp_path, "masks/2.png", array=WHITE)
    roots = {"source": tmp_path / "images", "masks": tmp_path / "masks"}
    with pytest.warns(
        OffgraphWarning, match=r"hold 0 and 255 only.*mask_values=\{255: 1\}.*\{255: 255\}"
    ) as said:
        open_source(**roots)
    assert len(said) == 1 and Path(said[0].filename) == Path(__file__)
    (tmp_path / "t.csv").write_text("path,mask\nimages/1.png,masks/1.png\nimages/2.png,masks/2.png\n")
    with pytest.warns(OffgraphWarning, match="hold 0 and 255 only"):
        open_source(tmp_path / "t.csv")
    assert open_source(**roots, mask_values={255: 255}).read(1).mask.array.max() == 255
    about = [one.said for one in og.doctor(tmp_path / "images", masks=tmp_path / "masks").findings]
    assert sum("hold 0 and 255 only" in text for text in about) == 1
    put(tmp_path, "masks/1.png", array=np.full((4, 6), 254, np.uint8))
    open_source(**roots)
    (tmp_path / "masks" / "1.png").write_bytes(b"damaged")
    open_source(**roots)


def test_a_page_of_a_file_can_be_the_image(tmp_path) -> None:
    import tifffile

    stack = np.arange(3 * 4 * 6, dtype=np.uint8).reshape(3, 4, 6)
    with tifffile.TiffWriter(tmp_path / "s.tif") as file:
        for page in stack:
            file.write(page, photometric="minisblack", metadata=None)
    source = open_source(tmp_path, color="keep", page=2)
    np.testing.assert_array_equal(source.read(0).image.array, stack[2])
    for page in (-1, True, "1"):
        with pytest.raises(SourceError, match="page="):
            open_source(tmp_path, page=page)


def test_a_time_series_and_its_masks(tmp_path) -> None:
    import tifffile

    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        tifffile.imwrite(
            tmp_path / name / "t.tif", np.ones((3, 4, 6), np.uint8), photometric="minisblack", metadata=None
        )
    sample = open_source(tmp_path / "images", masks=tmp_path / "masks", color="keep", axes="TYX").read(0)
    assert sample.mask.axes == "TYX" and sample.mask.array.shape == (3, 4, 6)


# partners


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["1.png", "2.png"], ["1_mask.png", "2_mask.png"]),
        (["1.png", "10.png", "100.png"], ["1-seg.png", "10-seg.png", "100-seg.png"]),
        (["1.png", "2.png"], ["mask_1.png", "mask_2.png"]),
        (["image_001.png", "image_101.png"], ["mask_001.png", "mask_101.png"]),
        (["volume-5.png", "volume-15.png"], ["segmentation-5.png", "segmentation-15.png"]),
        (["1_sat.png", "2_sat.png"], ["1_seg.png", "2_seg.png"]),
        (["a/1.png", "b/1.png"], ["a/1_labels.png", "b/1_labels.png"]),
        (["1.ome.tif", "2.ome.tif"], ["1.png", "2.png"]),
        (["é.png", "e.png"], ["e\u0301_mask.png", "e_mask.png"]),
    ],
)
def test_names_that_differ_by_one_word_are_paired(tmp_path, images, masks) -> None:
    put(tmp_path / "images", *images)
    put(tmp_path / "masks", *masks)
    source = open_source(tmp_path / "images", masks=tmp_path / "masks")
    assert {(i.name, i.mask.relative_to(tmp_path / "masks").as_posix()) for i in source} == set(
        zip(images, masks, strict=True)
    )


@pytest.mark.parametrize(
    ("images", "masks", "said"),
    [
        (["1.png", "2.png"], ["11.png", "21.png"], "2 without a mask of the same name"),
        (["1.png", "2.png"], ["1_mask.png", "3_mask.png"], "2 without a mask of the same name"),
        (["1.png", "2.png"], ["2.png", "1_mask.png"], r"1 without a mask of the same name: 1\.png"),
        (
            ["x_a.png", "x_c.png"],
            ["x_b.png"],
            r"could be paired with images by 'b' for 'a', or by 'b' for 'c'",
        ),
    ],
)
def test_names_that_leave_a_doubt_are_not_paired(tmp_path, images, masks, said) -> None:
    put(tmp_path / "images", *images)
    put(tmp_path / "masks", *masks)
    with pytest.raises(SourceError, match=said):
        open_source(tmp_path / "images", masks=tmp_path / "masks")


def test_a_missing_partner_among_names_that_differ_by_a_word(tmp_path) -> None:
    put(tmp_path / "images", "1.png", "2.png", "3.png")
    put(tmp_path / "masks", "1_mask.png", "3_mask.png")
    roots = {"source": tmp_path / "images", "masks": tmp_path / "masks"}
    with pytest.raises(SourceError, match=r"1 without a mask of the same name: 2\.png"):
        open_source(**roots)
    assert pairs(open_source(**roots, missing_mask="skip")) == [
        ("1.png", "1_mask.png"),
        ("3.png", "3_mask.png"),
    ]


@pytest.mark.parametrize(
    ("pattern", "masks"),
    [
        ("*_mask.png", ["1_mask.png", "a/2_mask.png"]),
        ("*_mask", ["1_mask.tif", "a/2_mask.png"]),
        ("*_mask.*", ["1_mask.tif", "a/2_mask.png"]),
        ("mask_*", ["mask_1.png", "a/mask_2.png"]),
        ("*.seg.png", ["1.seg.png", "a/2.seg.png"]),
    ],
)
def test_masks_beside_their_images(tmp_path, pattern, masks) -> None:
    put(tmp_path, "1.png", "a/2.png", *masks)
    source = open_source(tmp_path, masks=pattern)
    assert [(i.name, i.mask.relative_to(tmp_path).as_posix()) for i in source] == [
        ("1.png", masks[0]),
        ("a/2.png", masks[1]),
    ]


def test_a_pattern_in_another_folder_and_with_images_that_have_a_word_too(tmp_path) -> None:
    put(tmp_path / "images", "1.png", "2.png")
    put(tmp_path / "masks", "1_seg.png", "2_seg.png", "1_border.png")
    source = open_source(tmp_path / "images", masks=tmp_path / "masks" / "*_seg.png")
    assert pairs(source) == [("1.png", "1_seg.png"), ("2.png", "2_seg.png")]
    put(tmp_path / "road", "1_sat.png", "1_mask.png", "2_sat.png", "2_mask.png")
    assert pairs(open_source(tmp_path / "road", masks="*_mask.png")) == [
        ("1_sat.png", "1_mask.png"),
        ("2_sat.png", "2_mask.png"),
    ]


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        ("nowhere", "masks='nowhere': no such folder; give a folder, or a pattern with one"),
        ("*_*.png", "a pattern with one"),
        ("nowhere/*.png", "no such folder"),
        ("*_seg.png", r"no image has a name like masks='\*_seg\.png'"),
        ("*.png", "no images in it"),
    ],
)
def test_masks_that_are_not_there(tmp_path, masks, said) -> None:
    with pytest.raises(SourceError, match=said):
        open_source(put(tmp_path, "1.png"), masks=masks)


def test_a_build_goes_on_with_the_same_mask_values_only(tmp_path) -> None:
    put(tmp_path, "images/1.png", "images/2.png")
    put(tmp_path, "masks/1.png", "masks/2.png", array=WHITE)

    def build(**options) -> og.BuildReport:
        source = open_source(tmp_path / "images", masks=tmp_path / "masks", **options)
        return og.build(source, tmp_path / "out", [og.Resize((4, 6))], progress=False)

    build(mask_values={255: 1})
    build(mask_values={255: 1})
    with pytest.raises(
        og.BuildError, match=r"mask_values was \[\[0, 0\], \[255, 1\]\], now \[\[0, 0\], \[255, 2\]\]"
    ):
        build(mask_values={255: 2})
    job = tmp_path / "out" / "build.json"
    before = job.read_text()
    assert '"mask_values":[[0,0],[255,1]]' in before
    job.write_text(before.replace('"mask_values":[[0,0],[255,1]],', ""))  # as an earlier version wrote it
    with pytest.raises(og.BuildError, match=r"mask_values was None, now \[\[0, 0\], \[255, 1\]\]"):
        build(mask_values={255: 1})


def test_folders_can_be_classes_beside_masks(tmp_path) -> None:
    names = ["cat/1.png", "dog/1.png"]
    put(tmp_path / "images", *names, "0.png")
    put(tmp_path / "masks", *names)
    roots = {"source": tmp_path / "images", "masks": tmp_path / "masks"}
    source = open_source(**roots, labels="folders")
    assert source.class_names == ("cat", "dog") and [item.label for item in source] == [0, 1]
    assert source.task == "classify" and source.has_masks and source.skipped == {"in no class folder": 1}
    assert open_source(**roots, labels="folders", task="segment").task == "segment"
    (tmp_path / "images" / "0.png").unlink()
    assert open_source(**roots).class_names == ()


def test_images_one_folder_further_down_than_their_masks(tmp_path) -> None:
    put(tmp_path, "images/1.png", "images/2.png", "masks/1.png", "masks/2.png")
    said = r"2 without a mask .*; write open_source\('.*/images', masks='.*/masks'\)"
    with pytest.raises(SourceError, match=said):
        open_source(tmp_path, masks=tmp_path / "masks")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mask_values": {255: 1}}, "mask_values= is for masks, and there are none; give masks="),
        ({"mask_values": {255: 1}, "missing_mask": "skip"}, "mask_values= and missing_mask= are for masks"),
    ],
)
def test_what_is_for_masks_does_not_pass_in_silence_where_there_are_none(tmp_path, options, said) -> None:
    folder, table = tmp_path / "flat", tmp_path / "t.csv"
    folder.mkdir()
    imwrite(folder / "1.png", np.zeros((4, 5), np.uint8))
    table.write_text("path\nflat/1.png\n")
    for path in (folder, table, folder / "1.png"):
        with pytest.warns(OffgraphWarning, match=said):
            assert not open_source(path, **options).has_masks
