"""The list of broken and odd files."""

from __future__ import annotations

import contextlib
import io
import json
import os

import numpy as np
import pytest
import tifffile
from rich.console import Console
from tests.support.odd_files import exif, gradient, jpeg, saved

import offgraph as og
from offgraph.core.errors import SourceError
from offgraph.formats.encoding import imwrite
from offgraph.inspection.file_checks import KINDS, doctor


def kinds(report) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.file, set()).add(finding.kind)
    return found


@pytest.fixture
def folder(tmp_path):
    for i in range(6):
        imwrite(tmp_path / f"plain{i}.png", np.roll(gradient(40, 50), i, 0))
    return tmp_path


def test_ordinary_files_are_not_mentioned(folder) -> None:
    report = doctor(folder)
    assert report.findings == () and report.files == 6 and not report.bad


def test_each_oddity_is_named(folder) -> None:
    array = gradient(40, 50)
    (folder / "cut.jpg").write_bytes(jpeg(array)[:-500])
    (folder / "turned.jpg").write_bytes(jpeg(array, exif=exif(6)))
    (folder / "ink.jpg").write_bytes(saved(array, "JPEG", "CMYK"))
    (folder / "lies.jpg").write_bytes(saved(array[:, ::-1], "PNG"))
    (folder / "twin.png").write_bytes((folder / "plain3.png").read_bytes())
    (folder / "glass.png").write_bytes(saved(gradient(40, 50, 4), "PNG"))
    (folder / "grey.png").write_bytes(saved(gradient(40, 50, 1), "PNG"))
    imwrite(folder / "deep.png", gradient(40, 50, 3, 65535))
    imwrite(folder / "large.png", np.zeros((400, 500, 3), np.uint8))
    imwrite(folder / "long.png", np.zeros((10, 200, 3), np.uint8))
    holes = array.astype(np.float32)
    holes[3, 4, 0] = np.nan
    imwrite(folder / "holes.tif", holes)
    os.mkfifo(folder / "pipe.png")
    report = doctor(folder)
    assert kinds(report) == {
        "cut.jpg": {"bad"},
        "turned.jpg": {"rotated"},
        "ink.jpg": {"cmyk"},
        "lies.jpg": {"suffix"},
        "twin.png": {"duplicate"},
        "glass.png": {"alpha"},
        "grey.png": {"colour"},
        "deep.png": {"deep", "mixed"},
        "large.png": {"size"},
        "long.png": {"size"},
        "holes.tif": {"deep", "mixed", "values"},
        "pipe.png": {"left"},
    }
    assert report.skipped == {"not a regular file": 1}
    said = {(finding.file, finding.kind): finding.said for finding in report.findings}
    assert said["twin.png", "duplicate"] == "the same bytes as plain3.png"
    assert said["large.png", "size"] == "400 × 500: 100 times the median area"
    assert said["holes.tif", "values"] == (
        "1 of 6000 values are NaN or infinite; build and loaders refuse it unless non_finite='allow' is given"
    )
    detail = {finding.file: finding.detail for finding in report.findings if finding.kind == "deep"}
    assert "nan" not in detail["holes.tif"]
    assert said["deep.png", "mixed"] == "uint16, 3 channels, where most images are uint8, 3 channels"
    assert [finding.file for finding in report.bad] == ["cut.jpg"]


def test_the_summary_says_what_the_labels_are_taken_for(tmp_path) -> None:
    for name in ("cat/1.png", "dog/2.png"):
        (tmp_path / name).parent.mkdir()
        imwrite(tmp_path / name, gradient(20, 30))
    assert doctor(tmp_path).learnt == "classify: 2 classes" and doctor(tmp_path, labels=None).learnt == ""
    (tmp_path / "t.csv").write_text("path,label\ncat/1.png,1\ndog/2.png,2\n")
    report = doctor(tmp_path / "t.csv", task="regress")
    assert report.to_json()["learnt"] == "regress: label"
    out = io.StringIO()
    report.render(Console(file=out, width=200, color_system=None))
    assert "2 images (regress: label): 0 cannot be used" in out.getvalue()


STACK = np.arange(3 * 8 * 9, dtype=np.uint8).reshape(3, 8, 9)


@pytest.fixture
def refused(tmp_path):
    """Sound files that a loader with its own options does not take."""
    home = tmp_path / "refused"
    home.mkdir()
    tifffile.imwrite(home / "fourier.tif", np.zeros((8, 9), np.complex64))
    tifffile.imwrite(home / "stack.tif", STACK, imagej=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(home / "unnamed.tif", STACK, photometric="minisblack", metadata=None)
    tifffile.imwrite(
        home / "bands.tif", np.zeros((8, 9, 5), np.uint8), photometric="minisblack", planarconfig="contig"
    )
    return home


@pytest.mark.filterwarnings("ignore:. of . images of epoch 0 were left out")
@pytest.mark.parametrize(
    "options", [{}, {"color": "keep"}, {"color": "keep", "axes": "ZYX"}, {"color": "grey"}]
)
def test_the_loader_skips_exactly_what_is_bad(refused, options) -> None:
    imwrite(refused / "fine.png", np.zeros((8, 9), np.uint8))
    bad = {finding.file for finding in doctor(refused, **options).bad}
    source = og.open_source(refused, labels=None, **options)
    loader = og.Loader(source, [og.Resize((4, 4))], batch_size=1, on_error="skip", max_bad=5)
    with contextlib.suppress(og.OffgraphError):
        list(loader)
    assert bad == {name for name, why in loader.skipped.items() if "Resize" not in why}
    assert not {name for name, why in loader.skipped.items() if "Resize" in why} - {
        "stack.tif",
        "unnamed.tif",
        "bands.tif",
    }


def test_what_opens_a_file_is_said(refused) -> None:
    said = {finding.file: finding.said for finding in doctor(refused).bad}
    assert "stack.tif" not in said  # a volume is read as it is stored, whatever the colours are to be
    assert "color='keep' (--color keep): 8 × 9 × 5 uint8" in said["bands.tif"]
    assert "axes='ZYX'" in said["unnamed.tif"]
    assert [finding.file for finding in doctor(refused, color="keep", axes="ZYX").bad] == ["fourier.tif"]


def test_equal_findings_are_one_line(folder) -> None:
    for number in range(40):
        (folder / f"turned{number}.jpg").write_bytes(jpeg(np.roll(gradient(40, 50), number, 1), exif=exif(6)))
        imwrite(folder / f"deep{number}.png", gradient(40, 50, 3, 1000 + number))
    out = io.StringIO()
    doctor(folder).render(Console(file=out, width=300, color_system=None))
    text = out.getvalue()
    assert len(text.splitlines()) < 20
    assert "turned0.jpg, turned1.jpg, turned2.jpg and 37 more" in text and "40 ×  EXIF orientation 6" in text
    assert "40 ×  uint16 (from 0 to 1000 in the first)" in text


def printed(report) -> str:
    out = io.StringIO()
    report.render(Console(file=out, width=300, color_system=None))
    return out.getvalue()


def test_findings_that_differ_in_numbers_and_names_alone_are_one_line(folder, tmp_path) -> None:
    for number in range(8):
        (folder / f"twin{number}.png").write_bytes((folder / f"plain{number % 6}.png").read_bytes())
    twins = [line for line in printed(doctor(folder)).splitlines() if "the same bytes as plain" in line]
    assert len(twins) == 1 and "8 ×  such as: the same bytes as plain0.png" in twins[0]
    masks = tmp_path / "masks"
    masks.mkdir()
    images = tmp_path / "pictures"
    images.mkdir()
    for number in range(8):
        imwrite(images / f"cell{number}.png", np.roll(gradient(40, 50), number, 0))
        imwrite(
            masks / f"cell{number}.png", np.zeros((30 + number, 50, 3), np.uint8)
        )  # images given as masks
    report = doctor(images, masks=masks)
    assert len(report.bad) == 8 and len({finding.said for finding in report.bad}) == 8
    (line,) = [line for line in printed(report).splitlines() if "has colours" in line]
    assert "cell0.png, cell1.png, cell2.png and 5 more" in line
    assert "8 ×  such as: mask cell0.png: a mask of shape (30, 50, 3)" in line
    for number in range(3, 8):
        (images / f"cell{number}.png").unlink()
        (masks / f"cell{number}.png").unlink()
    few = [line for line in printed(doctor(images, masks=masks)).splitlines() if "has colours" in line]
    assert len(few) == 3 and "such as:" not in few[0]


def test_masks_are_read_and_paired_as_the_loader_does(folder, tmp_path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    white = np.zeros((40, 50), np.uint8)
    white[:20] = 255
    for number in range(5):
        imwrite(masks / f"plain{number}.png", white)
    imwrite(masks / "plain5.png", white[:30])
    images = tmp_path / "pictures"
    images.mkdir()
    for number in range(6):
        (folder / f"plain{number}.png").rename(images / f"plain{number}.png")
    report = doctor(images, masks=masks)
    (bad,) = report.bad
    assert bad.file == "plain5.png" and "mask plain5.png: a mask of (30, 50)" in bad.said
    (about,) = [finding for finding in report.findings if finding.kind == "source"]
    assert "mask_values={255: 1}" in about.said
    imwrite(masks / "plain5.png", np.full((40, 50), 3, np.uint16))
    report = doctor(images, masks=masks)
    assert [finding.said for finding in report.findings] == ["the mask: uint16, where most masks are uint8"]


def test_a_source_that_is_refused_as_a_whole_is_looked_at_all_the_same(folder) -> None:
    (folder / "class").mkdir()
    imwrite(folder / "class" / "a.png", gradient(40, 50))
    with pytest.raises(SourceError) as refused:
        og.open_source(folder)
    report = doctor(folder)
    assert (report.files, report.counts["source"]) == (7, 1)
    assert report.findings[0].said == str(refused.value)
    assert report.refused and report.to_json()["refused"] and not doctor(folder, labels=None).refused
    out = io.StringIO()
    report.render(Console(file=out, width=200, color_system=None))
    assert "1 are odd; the source is refused as a whole, see above" in out.getvalue()


def test_the_report_as_json_and_as_a_table_that_file_names_cannot_fool(folder) -> None:
    (folder / "[red]a\x1b[2Jb.jpg").write_bytes(b"no image")
    report = doctor(folder)
    again = json.loads(json.dumps(report.to_json()))
    assert again["counts"] == {"bad": 1} and again["files"] == 7
    out = io.StringIO()
    report.render(Console(file=out, width=200, color_system=None))
    assert "\x1b" not in out.getvalue()
    assert r"[red]a\x1b[2Jb.jpg" in out.getvalue() and "7 images: 1 cannot be used" in out.getvalue()


def test_workers_and_progress_change_nothing(folder) -> None:
    seen = []
    assert doctor(folder, workers=1) == doctor(folder, workers=3, on_progress=lambda *now: seen.append(now))
    assert seen == [(i, 6) for i in range(1, 7)]
    with pytest.raises(og.ArgumentError, match="workers=0"):
        doctor(folder, workers=0)


def test_nothing_to_look_at(tmp_path) -> None:
    with pytest.raises(SourceError, match="no images in it"):
        doctor(tmp_path)


def test_all_published_broken_files(shared_data) -> None:
    report = doctor(shared_data / "broken")
    assert report.files == 215 and all(finding.kind in KINDS and finding.said for finding in report.findings)
    assert 30 <= len(report.bad) <= 50
    assert report.counts["rotated"] == 28  # and hopper_bad_exif.jpg, whose coded data is damaged


def test_the_opacity_is_that_of_the_page(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for opacity in (255, 9):
            page = np.full((8, 9, 4), opacity, np.uint8)
            file.write(page, photometric="rgb", extrasamples=["unassalpha"])
    for page, said in ((0, "opaque everywhere"), (1, "partly transparent")):
        assert said in [one.said for one in doctor(tmp_path, page=page).findings if one.kind == "alpha"]


def test_a_recipe_is_looked_at_for_the_images_that_are_there(folder) -> None:
    imwrite(folder / "small.png", gradient(30, 60))
    imwrite(folder / "deep.png", gradient(20, 20, 3, 65535))
    recipe = og.Compose([og.CenterCrop((30, 50)), og.Rescale(1 / 255)])
    assert doctor(folder, recipe).recipe == ()
    (found,) = doctor(folder, [og.CenterCrop((31, 50))]).recipe
    assert found.rule == "crop-too-large" and "30 x 50" in found.said and found.fails


def test_sides_are_found_in_the_classes_of_the_source(tmp_path) -> None:
    for name in ("left hand", "right hand"):
        (tmp_path / name).mkdir()
        imwrite(tmp_path / name / "0.png", gradient(20, 20))
    (found,) = doctor(tmp_path, [og.Augment(og.Flip())]).recipe
    assert found.rule == "left-right" and "'right hand'" in found.said
    out = io.StringIO()
    doctor(tmp_path, [og.Flip()]).render(Console(file=out, width=200))
    assert "step 1, Flip, field axis" in out.getvalue() and "probably not meant (1)" in out.getvalue()
