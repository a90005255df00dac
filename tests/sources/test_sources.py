"""Folders, tables and pairs of files as sources."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder, recipe
from tests.support.odd_files import exif, gradient, jpeg, saved

import offgraph as og
from offgraph.core.errors import DecodeError, OffgraphWarning, SourceError
from offgraph.formats.encoding import encode_png, imwrite
from offgraph.sources import open_source
from offgraph.sources.names import natural_key
from offgraph.sources.walk import list_images


def touch(root: Path, *names: str) -> None:
    """Write small images; a name decides what is in it."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(saved(gradient(4, 6), "PNG") if path.suffix else b"")


# folders


def test_class_folders_are_sorted_and_files_are_in_natural_order(tmp_path) -> None:
    touch(tmp_path, "dog/2.png", "dog/10.png", "dog/1.png", "cat/deep/er/7.PNG", "cat/8.jpeg")
    source = open_source(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert [item.name for item in source] == [
        "cat/8.jpeg",
        "cat/deep/er/7.PNG",
        "dog/1.png",
        "dog/2.png",
        "dog/10.png",
    ]
    assert [item.label for item in source] == [0, 0, 1, 1, 1]
    sample = source.read(4)
    assert (
        sample.image.axes == "YXC" and sample.label == 1 and sample.mask is None and sample.item == source[4]
    )


def test_a_flat_folder_has_no_labels(tmp_path) -> None:
    touch(tmp_path, "b.png", "a.png")
    source = open_source(tmp_path, color="grey")
    assert source.class_names == () and [item.label for item in source] == [None, None]
    assert source.color == "grey" and source.read(0).image.axes == "YX"


def test_a_mixed_layout_asks(tmp_path) -> None:
    touch(tmp_path, "stray.png", "cat/1.png")
    with pytest.raises(
        SourceError, match=r"stray\.png lie beside folders .* cat/.*labels='folders'.*labels=None"
    ):
        open_source(tmp_path)
    source = open_source(tmp_path, labels="folders")
    assert [item.name for item in source] == ["cat/1.png"] and source.skipped == {"in no class folder": 1}
    assert len(open_source(tmp_path, labels=None)) == 2


def test_what_is_left_out_is_counted(tmp_path) -> None:
    touch(tmp_path, "a.png", ".hidden.png", "__MACOSX/a.png", ".git/x.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "no_suffix").write_bytes(jpeg())
    (tmp_path / "phone.heic").write_bytes(b"....ftypheic")
    source = open_source(tmp_path)
    assert [item.name for item in source] == ["a.png", "no_suffix", "phone.heic"]
    assert source.skipped == {
        "hidden": 2,
        "of a system or a tool": 1,
        "not an image": 1,
        "broken link": 1,
        "not a regular file": 1,
    }
    assert source.left_out["hidden"] == (".git", ".hidden.png")
    with pytest.raises(DecodeError, match=r"phone\.heic: not an image in a known format"):
        source.read(2)


def test_links_are_followed_but_not_in_circles(tmp_path) -> None:
    touch(tmp_path / "elsewhere", "1.png")
    touch(tmp_path / "home", "cat/2.png")
    (tmp_path / "home" / "dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "home" / "cat" / "up").symlink_to(tmp_path / "home")
    source = open_source(tmp_path / "home")
    assert [item.name for item in source] == ["cat/2.png", "dog/1.png"]
    assert source.skipped == {"link to a folder that is listed already": 1}
    assert source.left_out == {"link to a folder that is listed already": ("cat/up",)}


def test_nothing_to_read_is_an_error_that_says_what_there_was(tmp_path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        open_source(tmp_path / "absent")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(SourceError, match=r"no images in it \(left out: 1 not an image\)"):
        open_source(tmp_path)


def test_one_file_is_a_source_and_a_source_stays_one(tmp_path) -> None:
    touch(tmp_path, "a.png")
    source = open_source(tmp_path / "a.png")
    assert len(source) == 1 and open_source(source) is source


def test_natural_order_is_total_and_bears_any_digits() -> None:
    names = ["b", "a10", "a2", "a02", "a", "a2/1", "9" * 5000, "10", "1é"]
    ordered, backwards = sorted(names, key=natural_key), names[::-1]
    backwards.sort(key=natural_key)
    assert ordered == backwards
    assert ordered.index("a2") < ordered.index("a10") and ordered.index("10") < ordered.index("9" * 5000)


def test_subset_keeps_classes_and_columns(tmp_path) -> None:
    touch(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "t.csv").write_text("path,label,site\n1.png,a,x\n2.png,b,y\n3.png,a,z\n")
    part = open_source(tmp_path / "t.csv").subset([2, 1])
    assert part.class_names == ("a", "b") and part.columns == {"site": ("z", "y")}
    assert [item.name for item in part] == ["3.png", "2.png"]


def test_leave_out_is_not_entered(tmp_path) -> None:
    touch(tmp_path, "a.png", "masks/a.png")
    listing = list_images(tmp_path, leave_out=tmp_path / "masks")
    assert [found.name for found in listing.found] == ["a.png"] and not listing.left_out.counts


# tables


def table(root: Path, text: str) -> Path:
    touch(root, "1.png", "in/2.png")
    path = root / "t.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_gives_paths_and_labels(tmp_path, separator) -> None:
    rows = ["label,path", "10,in/2.png", "", "9,./1.png", "10,absent.png"]
    listed = table(tmp_path, "\n".join(row.replace(",", separator) for row in rows))
    with pytest.warns(OffgraphWarning, match=r"1 of 3 images is not in the table's folder .*: absent\.png"):
        source = open_source(listed)
    assert source.class_names == ("9", "10")
    assert [(item.name, item.label) for item in source] == [("in/2.png", 1), ("1.png", 0), ("absent.png", 1)]
    assert source.read(0).image.array.shape == (4, 6, 3)
    with pytest.raises(DecodeError, match=r"absent\.png: No such file"):
        source.read(2)


def test_all_files_that_a_table_lists_and_are_not_there_are_told_at_once(tmp_path) -> None:
    imwrite(tmp_path / "m.png", np.full((4, 6), 3, np.uint8))
    rows = ["path,mask", "1.png,m.png", *(f"gone/{i}.png,lost{i}.png" for i in range(9)), "in/2.png,m.png"]
    with pytest.warns(OffgraphWarning) as told:
        open_source(table(tmp_path, "\n".join(rows)))
    images, masks = (str(one.message) for one in told)
    assert "9 of 11 images are not in" in images and "gone/0.png, gone/1.png, gone/2.png" in images
    assert "and 4 more" in images and "9 of 11 masks are not in" in masks and "lost0.png" in masks


def test_a_table_without_labels_and_with_masks(tmp_path) -> None:
    imwrite(tmp_path / "m.png", np.full((4, 6), 3, np.uint8))
    source = open_source(table(tmp_path, "path,mask,group\n1.png,m.png,p1\nin/2.png,m.png,\n"))
    assert source.class_names == () and [item.group for item in source] == ["p1", None]
    mask = source.read(0).mask
    assert mask is not None and mask.array.max() == 3 and source.task == "segment"


@pytest.mark.parametrize(
    "climbing", ["../../etc/passwd", "/etc/passwd", "in/../../x.png", "link.png", "out/x.png", "."]
)
def test_a_row_that_leads_out_of_the_folder_is_named(tmp_path, climbing) -> None:
    home = tmp_path / "home"
    home.mkdir()
    touch(tmp_path, "x.png")
    (home / "link.png").symlink_to(tmp_path / "x.png")
    (home / "out").symlink_to(tmp_path)
    with pytest.raises(SourceError, match=r"t\.csv, row 3: '.*' leads out of the table's folder") as caught:
        open_source(table(home, f"path,label\n1.png,a\n{climbing},b\n"))
    assert repr(climbing) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first row must name the columns"),
        ("file,label\n1.png,a\n", "one of them 'path'"),
        ("path,path\n1.png,a\n", "each once"),
        ("path,label\n", "no rows below the header"),
        ("path,label\n1.png\n", "row 2: 1 values for 2 columns"),
        ("path,label\n1.png,a\n./1.png,b\n", "row 3: 1.png stands in row 2 already, with another label"),
        ("path,label\n1.png,\n", "row 2: no label for 1.png"),
        ("path,label\n,a\n", "row 2: an empty path"),
        ("path,label\n'\0',a\n", "row 2: .* is not a path|NUL"),
        ('path,label\n"1.png,a\n', "row 2: unexpected end of data"),
        ("path,label\n" + "x" * 200_000 + ",a\n", "row 2: field larger than field limit"),
    ],
)
def test_a_broken_table_names_the_row(tmp_path, text, said) -> None:
    with pytest.raises(SourceError, match=said):
        open_source(table(tmp_path, text))


def test_a_table_that_is_no_text(tmp_path) -> None:
    (tmp_path / "t.csv").write_bytes(jpeg())
    with pytest.raises(SourceError, match="not UTF-8 text at byte 0"):
        open_source(tmp_path / "t.csv")


# pairs


def pair(root: Path, masks: dict[str, np.ndarray], *names: str) -> tuple[Path, Path]:
    touch(root / "images", *names)
    (root / "masks").mkdir(exist_ok=True)
    for name, mask in masks.items():
        imwrite(root / "masks" / name, mask)
    return root / "images", root / "masks"


def test_pairs_keep_labels_above_255(tmp_path) -> None:
    labels = np.arange(24, dtype=np.uint16).reshape(4, 6) * 1000
    images, masks = pair(tmp_path, {"1.tif": labels}, "1.png")
    sample = open_source(images, masks=masks).read(0)
    assert sample.mask is not None and sample.mask.array.dtype == np.uint16
    np.testing.assert_array_equal(sample.mask.array, labels)


def test_palette_and_shallow_masks_keep_their_indices(tmp_path) -> None:
    from PIL import Image

    images, masks = pair(tmp_path, {}, "1.png", "2.png")
    indices = np.arange(24, dtype=np.uint8).reshape(4, 6) % 5
    coloured = Image.fromarray(indices, "P")
    coloured.putpalette(bytes(range(200, 215)))
    coloured.save(masks / "1.png")
    Image.fromarray(indices > 2).save(masks / "2.png")
    source = open_source(images, masks=masks)
    np.testing.assert_array_equal(source.read(0).mask.array, indices)
    np.testing.assert_array_equal(source.read(1).mask.array, (indices > 2).astype(np.uint8))


def test_missing_and_doubled_partners_are_named(tmp_path) -> None:
    mask = np.zeros((4, 6), np.uint8)
    images, masks = pair(tmp_path, {"1.png": mask}, "1.png", "2.png")
    with pytest.raises(SourceError, match=r"images: 1 without a mask of the same name: 2\.png"):
        open_source(images, masks=masks)
    imwrite(masks / "2.png", mask)
    imwrite(masks / "3.png", mask)
    with pytest.raises(
        SourceError, match=r"masks: 1 without an image of the same name: 3\.png; write missing_mask='skip'"
    ):
        open_source(images, masks=masks)
    assert len(open_source(images, masks=masks, missing_mask="skip")) == 2
    imwrite(masks / "2.tif", mask)
    with pytest.raises(SourceError, match=r"same name but for the suffix: 2\.png and 2\.tif"):
        open_source(images, masks=masks)


def test_the_folder_of_the_images_is_not_that_of_their_masks(tmp_path) -> None:
    mask = np.zeros((4, 6), np.uint8)
    images, _ = pair(tmp_path, {"1.png": mask, "2.png": mask}, "1.png", "2.png")
    (tmp_path / "link").symlink_to(images)
    for same in (images, f"{images}/../images", tmp_path / "link"):
        with pytest.raises(
            SourceError, match=r"masks= is the folder of the images themselves; give .*'\*_mask"
        ):
            open_source(images, masks=same)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (
            np.zeros((4, 6, 3), np.uint8),
            "has colours; .*one label per pixel: .*; if it is an image, the wrong files are",
        ),
        (np.zeros((6, 4), np.uint8), r"a mask of \(6, 4\) for an image of \(4, 6\)$"),
        (np.zeros((4, 6), np.float32), "a mask of dtype float32"),
    ],
)
def test_a_mask_that_does_not_fit_is_named(tmp_path, mask, said) -> None:
    images, masks = pair(tmp_path, {"1.tif": mask}, "1.png")
    with pytest.raises(DecodeError, match=rf"1\.tif: .*{said}"):
        open_source(images, masks=masks).read(0)


def test_a_mask_drawn_before_the_image_was_turned(tmp_path) -> None:
    images, masks = pair(tmp_path, {"1.png": np.zeros((4, 6), np.uint8)}, "x.png")
    (images / "x.png").unlink()
    (images / "1.jpg").write_bytes(jpeg(gradient(4, 6), exif=exif(6)))
    with pytest.raises(DecodeError, match="before its EXIF orientation was applied: turn the mask too"):
        open_source(images, masks=masks).read(0)


def test_jpeg_masks_are_refused(tmp_path) -> None:
    images, masks = pair(tmp_path, {"1.jpg": np.zeros((4, 6), np.uint8)}, "1.png")
    with pytest.raises(DecodeError, match="JPEG is lossy"):
        open_source(images, masks=masks).read(0)


def test_nuclei_are_paired(shared_data) -> None:
    source = open_source(shared_data / "nuclei" / "images", masks=shared_data / "nuclei" / "labels")
    assert len(source) == 90
    sample = source.read(0)
    assert sample.mask is not None and sample.mask.array.dtype == np.uint16
    assert sample.image.spec.size == sample.mask.spec.size and sample.image.array.shape[-1] == 3


def test_a_volume_and_its_mask_need_their_axes(tmp_path) -> None:
    import tifffile

    volume = np.zeros((3, 4, 6), np.uint16)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "v.tif", volume, photometric="minisblack", metadata=None)
    with pytest.raises(DecodeError, match="axes='ZYX'"):
        open_source(tmp_path / "images", masks=tmp_path / "masks", color="keep").read(0)
    sample = open_source(tmp_path / "images", masks=tmp_path / "masks", color="keep", axes="ZYX").read(0)
    assert sample.image.axes == "ZYX" and sample.mask is not None and sample.mask.axes == "ZYX"


def test_a_dtype_that_no_step_takes_is_said_with_the_file(tmp_path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "phase.tif", np.zeros((4, 5), np.complex64))
    with pytest.raises(DecodeError, match=r"phase\.tif: .*complex64"):
        open_source(tmp_path, color="keep").read(0)


def test_the_same_bytes_under_another_name_are_another_item(tmp_path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(gradient(4, 6)))
    (tmp_path / "b.png").write_bytes(encode_png(gradient(4, 6)))
    assert [item.name for item in open_source(tmp_path)] == ["a.png", "b.png"]


@pytest.mark.parametrize("spoiled", ["", "manifest.json", "build.json"])
def test_a_built_dataset_is_no_source(tmp_path, spoiled):

    og.build(class_folder(tmp_path / "in", each=1), tmp_path / "out", recipe())
    if spoiled:
        (tmp_path / "out" / spoiled).write_bytes(b"")
    for use in (open_source, og.split, lambda path: og.build(path, tmp_path / "more", recipe())):
        with pytest.raises(SourceError, match=r"out: a dataset made by offgraph\.build.*offgraph\.Loader"):
            use(tmp_path / "out")


def test_other_files_of_these_names_do_not_matter(tmp_path):
    imwrite(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    (tmp_path / "manifest.json").write_text("{}")
    assert len(open_source(tmp_path)) == 1 and len(og.Loader(tmp_path)) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"color": "blue"}, "color='blue': choose one of 'rgb', 'grey', 'keep'"),
        ({"alpha": "red"}, "alpha='red'"),
        ({"axes": "QQ"}, "axes='QQ'"),
        ({"axes": "XY"}, "must stand in the order"),
        ({"axes": 3}, "axes=3"),
        ({"max_pixels": "many"}, "max_pixels='many'"),
        ({"max_pixels": 0}, "max_pixels=0"),
    ],
)
def test_wrong_options_are_named_at_the_door(tmp_path, options, says):
    touch(tmp_path, "a.png")
    with pytest.raises(SourceError, match=says):
        open_source(tmp_path, **options)


@pytest.mark.parametrize("source", [3, None, [1]])
def test_what_is_no_path_is_refused(source):
    with pytest.raises(SourceError, match=r"source=.*give a path"):
        open_source(source)


@pytest.mark.parametrize("source", [np.zeros((2, 4, 4, 3)), [np.zeros((4, 4))]])
def test_arrays_are_told_what_trains_on_them(source):
    with pytest.raises(SourceError, match=r"^source is .*array.*give og\.array_source"):
        open_source(source)


def test_one_image_is_one(tmp_path):
    touch(tmp_path, "a.png")
    assert repr(open_source(tmp_path)).endswith("1 image>")


def test_a_split_by_a_column_that_is_missing_names_the_table(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    (tmp_path / "l.csv").write_text("path,label\na.png,x\nb.png,y\n")
    with pytest.raises(SourceError, match=r"l\.csv: group_by='group'"):
        og.split(tmp_path / "l.csv", group_by="group")
