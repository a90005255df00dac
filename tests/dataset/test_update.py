"""An update makes what changed, and ends with the bytes of a fresh build."""

from __future__ import annotations

import contextlib
import doctest
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import DATASETS, paired_folder, recipe, tree

import offgraph as og
from offgraph.dataset import mixed_order, update
from offgraph.formats.encoding import encode_png
from offgraph.sources import Source

STILL = [og.Resize((6, 7)), og.Normalize("imagenet")]


def write(path: Path, number: int, size: tuple[int, ...] = (9, 11, 3)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    og.imwrite(path, np.random.default_rng(number).integers(0, 256, size, np.uint8))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are read, some of them twice: with others, and alone."""
    names: list[str] = []
    real = Source.read

    def reading(source: Source, index: int) -> Any:
        names.append(source[index].name)
        return real(source, index)

    monkeypatch.setattr(Source, "read", reading)
    for name in ("read_ordinary", "ordinary_rows"):
        read_many = getattr(Source, name)

        def reading_many(
            source: Source, indices: Sequence[int], *rest: Any, read_many: Any = read_many, **how: Any
        ) -> Any:
            names.extend(source[index].name for index in indices)
            return read_many(source, indices, *rest, **how)

        monkeypatch.setattr(Source, name, reading_many)
    return names


def change(photos: Path) -> set[str]:
    """Add, change and delete some files; return the names of those to be made."""
    os.utime(photos / "bee" / "1.png", (1, 1))  # as a checkout does: that is no change
    write(photos / "ant" / "1.png", 901)
    write(photos / "ant" / "00.png", 902)
    write(photos / "zebra" / "1.png", 903)
    (photos / "bee" / "0.png").unlink()
    return {"ant/1.png", "ant/00.png", "zebra/1.png"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(8):
        write(tmp_path / "photos" / ("ant", "bee")[number % 2] / f"{number // 2}.png", number)
    (tmp_path / "photos" / "bee" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    return tmp_path / "photos"


@pytest.mark.parametrize("options", [{}, {"shard_size": 3}], ids=["one shard", "many"])
@pytest.mark.parametrize("format", DATASETS)
def test_only_what_changed_is_made(
    photos: Path, tmp_path: Path, read: list[str], format: Any, options: dict[str, Any]
) -> None:
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    og.build(photos, out, STILL, format=format, **options)
    made = change(photos)
    with pytest.raises(og.BuildError, match=r"2 files added.*--update"):
        og.build(photos, out, STILL, format=format, **options)
    og.build(photos, fresh, STILL, format=format, **options)
    read.clear()
    report = og.build(photos, out, STILL, format=format, update=True, **options)
    assert tree(out) == tree(fresh)
    assert (report.examples, report.kept, len(report.quarantined)) == (9, 6, 1)
    assert "6 examples taken over, 3 made" in report.summary()
    probed = 2 * 7 if format == "arrow" else 0  # those that the shape of all is seen on
    assert made <= set(read) and len(set(read) - made) <= 1 + probed  # a bad file is tried again
    read.clear()
    again = og.build(photos, out, STILL, format=format, update=True, **options)
    assert again.kept == again.resumed == 9 and len(read) <= probed
    assert "already finished and whole" in again.summary() and "taken over" not in again.summary()
    assert tree(out) == tree(fresh)


@pytest.mark.parametrize(("format", "compression"), [("arrow", "lz4"), ("arrow", "zstd")])
def test_compressed_arrays_are_taken_over(
    photos: Path, tmp_path: Path, format: Any, compression: Any
) -> None:
    pytest.importorskip("pyarrow")
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    og.build(photos, out, STILL, format=format, compression=compression)
    change(photos)
    report = og.build(photos, out, STILL, format=format, compression=compression, update=True)
    og.build(photos, fresh, STILL, format=format, compression=compression)
    assert tree(out) == tree(fresh) and report.kept == 6


@pytest.mark.parametrize("format", DATASETS)
def test_draws_follow_the_number_of_an_image(photos: Path, tmp_path: Path, format: Any) -> None:
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    og.build(photos, out, recipe(), format=format, copies=2)
    write(photos / "bee" / "9.png", 77)  # the last: the others keep their numbers
    (photos / "ant" / "3.png").rename(photos / "ant" / "4.png")
    report = og.build(photos, out, recipe(), format=format, copies=2, update=True)
    og.build(photos, fresh, recipe(), format=format, copies=2)
    assert tree(out) == tree(fresh) and report.kept == 14
    (photos / "ant" / "0.png").unlink()  # the first: none does
    report = og.build(photos, out, recipe(), format=format, copies=2, update=True)
    shutil.rmtree(fresh)
    og.build(photos, fresh, recipe(), format=format, copies=2)
    assert tree(out) == tree(fresh) and report.kept == 0


@pytest.mark.parametrize("format", DATASETS)
def test_masks_count_as_their_images_do(tmp_path: Path, format: Any) -> None:
    images, masks = paired_folder(tmp_path / "in", 6)
    source = lambda: og.open_source(images, masks=masks)  # noqa: E731
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    steps = [og.CenterCrop((5, 5))]
    og.build(source(), out, steps, format=format)
    changed = sorted(masks.iterdir())[2]
    og.imwrite(changed, np.asarray(og.imread(changed, color="labels")[::-1]))
    report = og.build(source(), out, steps, format=format, update=True)
    og.build(source(), fresh, steps, format=format)
    assert tree(out) == tree(fresh) and report.kept == 5


def test_parts_are_updated_each(photos: Path, tmp_path: Path) -> None:
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    how: dict[str, Any] = {"val": 0.25, "test": 0.25, "seed": 3}
    og.build(photos, out, STILL, **how)
    change(photos)
    with pytest.raises(og.BuildError, match="parts of another split"):
        og.build(photos, out, STILL, **how)
    report = og.build(photos, out, STILL, update=True, **how)
    og.build(photos, fresh, STILL, **how)
    assert tree(out) == tree(fresh) and report.kept > 0


def test_another_recipe_is_no_update(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", STILL)
    with pytest.raises(og.BuildError, match="another recipe"):
        og.build(photos, tmp_path / "out", [og.Resize((5, 5))], update=True)


def test_files_of_others_stay(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    og.build(photos, out, STILL)
    (out / "images" / "bee" / "mine.txt").write_text("kept")
    (photos / "bee" / "0.png").unlink()
    og.build(photos, out, STILL, update=True)
    assert (out / "images" / "bee" / "mine.txt").read_text() == "kept"
    assert not (out / "images" / "bee" / "0__0.png").exists()


def test_a_damaged_example_is_made_again(photos: Path, tmp_path: Path) -> None:
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    og.build(photos, out, STILL)
    (out / "images" / "bee" / "2__0.png").write_bytes(b"spoilt")
    change(photos)
    og.build(photos, out, STILL, update=True)
    og.build(photos, fresh, STILL)
    assert tree(out) == tree(fresh)


@pytest.mark.parametrize("format", DATASETS)
def test_interrupted_at_any_move_it_goes_on(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: Any
) -> None:
    before, fresh = tmp_path / "before", tmp_path / "fresh"
    og.build(photos, before, STILL, format=format)
    change(photos)
    og.build(photos, fresh, STILL, format=format)
    moves = 0

    def counted(real: Callable[..., Any], stop: int) -> Callable[..., Any]:
        def move(*args: Any, **kwargs: Any) -> Any:
            nonlocal moves
            moves += 1
            if moves == stop:
                raise KeyboardInterrupt
            return real(*args, **kwargs)

        return move

    for stop in (1, 2, 4, 7, 12, 18, 27):
        out, moves = tmp_path / f"out{stop}", 0
        shutil.copytree(before, out)
        with monkeypatch.context() as patched:
            for module, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
                patched.setattr(module, name, counted(getattr(module, name), stop))
            with contextlib.suppress(KeyboardInterrupt):
                og.build(photos, out, STILL, format=format, update=True)
        og.build(photos, out, STILL, format=format, update=True)
        assert tree(out) == tree(fresh), stop
    assert not (out / update.UPDATE).exists()


def test_of_two_thousand_files_those_that_changed(tmp_path: Path, read: list[str]) -> None:
    photos, out, fresh = tmp_path / "photos", tmp_path / "out", tmp_path / "fresh"
    photos.mkdir()
    data = [encode_png(np.full((2, 2), value, np.uint8)) for value in range(256)]
    for number in range(2000):
        (photos / f"{number:05d}.png").write_bytes(data[number % 256])
    steps = [og.Flip("X")]
    how: dict[str, Any] = {
        "format": "webdataset",
        "shard_size": 200,
    }  # ten shards, and one more after the change
    og.build(photos, out, steps, **how)
    for number in range(50):
        (photos / f"{20 * number:05d}b.png").write_bytes(data[number])
    for number in range(5):
        (photos / f"{7 + 200 * number:05d}.png").write_bytes(data[255 - number])
    for number in range(10):
        (photos / f"{100 + 180 * number:05d}.png").unlink()
    read.clear()
    report = og.build(photos, out, steps, update=True, **how)
    assert (report.examples, report.kept, len(set(read))) == (2040, 1985, 55)
    og.build(photos, fresh, steps, **how)
    assert tree(out) == tree(fresh)


def test_shards_keep_their_order_for_ever() -> None:
    assert doctest.testmod(mixed_order) == (0, 1)
    assert sorted(mixed_order.mixed_order(1000, 3)) == list(range(1000))
