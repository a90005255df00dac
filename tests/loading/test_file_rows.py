"""Files that are read, decoded and run together: the batches of files that are read one by one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

import offgraph as og
from offgraph.engine.files import SampleRows
from offgraph.formats.decoding import read
from offgraph.formats.ordinary import file_rules, read_ordinary
from offgraph.loading.samples import FileSamples
from offgraph.loading.training_sample import TrainingSample
from offgraph.sources.columns import Names

_START = b"http://ns.adobe.com/xap/1.0/\0"
XMP = {
    "attribute": [_START + b'<rdf:Description tiff:Orientation="6"/>'],
    "element": [_START + b"<tiff:Orientation> 8</tiff:Orientation>"],
    "spaced": [_START + b"<x tiff:Orientation\n=\v ' 30'/>"],
    "none": [_START + b"<x tiff:Orientation=6/>", _START + b'<x tiff:Orientation="6"/>'],
    "beside": [b'http://ns.adobe.com/xmp/extension/\0tiff:Orientation="6"'],
    "out_of_range": [_START + b'<x tiff:Orientation="9"/>'],
}
"""Segments, by what they say of the orientation."""


def photo(height: int, width: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 20, (height, width, 3))
    ramp = np.mgrid[:height, :width].sum(0)[..., None] * [1.0, 2.0, 3.0]
    return np.clip(ramp + noise, 0, 255).astype(np.uint8)


def save_jpeg(path: Path, image: np.ndarray, orientation: int | None = None, **how: Any) -> None:
    exif = Pillow.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Pillow.fromarray(image).save(path, "JPEG", exif=exif.tobytes() if orientation is not None else b"", **how)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all kinds of files: most decoded natively, some by Python, some by nobody."""
    root = tmp_path_factory.mktemp("odd")
    for orientation in range(1, 9):
        save_jpeg(root / f"a{orientation}.jpg", photo(40 + orientation, 60, orientation), orientation)
    save_jpeg(root / "b_grey.jpg", photo(50, 40, 20)[..., 0])
    save_jpeg(root / "b_grey_turned.jpg", photo(50, 41, 21)[..., 1], 6)
    save_jpeg(root / "c_full.jpg", photo(33, 47, 22), subsampling=0, quality=90)
    save_jpeg(root / "c_half.jpg", photo(34, 47, 23), subsampling=1, quality=90)
    save_jpeg(root / "d_progressive.jpg", photo(41, 43, 24), progressive=True)
    Pillow.fromarray(photo(41, 43, 25)).convert("CMYK").save(root / "d_cmyk.jpg")
    data = (root / "c_full.jpg").read_bytes()
    for name, packets in XMP.items():
        written = [b"\xff\xe1" + (len(one) + 2).to_bytes(2, "big") + one for one in packets]
        (root / f"e_{name}.jpg").write_bytes(data[:2] + b"".join(written) + data[2:])
    (root / "f_cut.jpg").write_bytes(data[: len(data) // 2])
    (root / "f_empty.jpg").write_bytes(b"")
    (root / "f_text.jpg").write_bytes(b"not an image")
    (root / "g_named_jpg.jpg").write_bytes(b"")
    Pillow.fromarray(photo(30, 31, 26)).save(root / "g_named_jpg.jpg", "PNG")
    Pillow.fromarray(photo(30, 31, 27)).save(root / "g.png")
    Pillow.fromarray(photo(30, 31, 28)[..., 0].astype(np.uint16) * 257).save(root / "g16.png")
    (root / "h_folder.jpg").mkdir()
    Pillow.fromarray(photo(30, 31, 29)).quantize(8).save(root / "i_palette.png")
    Pillow.fromarray(photo(30, 31, 30)).save(root / "i_key.png", transparency=(1, 2, 3))
    Pillow.fromarray(photo(30, 31, 31)).convert("RGBA").save(root / "i_alpha.png")
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(photo(30, 31, 32)).save(root / "i_turned.png", exif=exif.tobytes())
    data = (root / "g.png").read_bytes()
    (root / "i_cut.png").write_bytes(data[:-300])
    (root / "i_no_end.png").write_bytes(data[:-12])
    (root / "i_sum.png").write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    Pillow.fromarray(photo(30, 31, 33)[..., 2]).save(root / "j_grey.png", compress_level=0)
    Pillow.fromarray(photo(71, 53, 34)).save(root / "j_large.png", optimize=True, dpi=(300, 300))
    return root


RECIPES: dict[str, list[Any]] = {
    "size": [og.Resize((24, 20))],
    "train": [
        og.Resize((32, 28)),
        og.Augment(og.Rotate((-15, 15)), og.Affine(shear=(-0.2, 0.2))),
        og.Normalize(mean=0.5, std=0.25),
    ],
    "crop": [
        og.Augment(og.RandomCrop((16, 17)), og.Flip("X", p=0.5)),
        og.MedianFilter(3),
        og.Rescale(1 / 255),
    ],
    "centre": [og.CenterCrop((20, 24))],
}


class Negative(og.FilterStep):
    """Negative, and refuse what is white."""

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        if image.min() > 250:
            raise ValueError("too bright")
        return 255 - image


def same(one: og.Batch, other: og.Batch) -> bool:
    for a, b in zip((one.image, one.mask, one.label, one.index), (other.image, other.mask, other.label, other.index)):  # fmt: skip
        if (a is None) != (b is None) or (
            a is not None and b is not None and (a.dtype != b.dtype or not np.array_equal(a, b))
        ):
            return False
    if one.objects is not None and other.objects is not None:
        pairs = zip(one.objects.boxes, other.objects.boxes, strict=True)
        if not all(np.array_equal(a, b) for a, b in pairs):
            return False
    return one.records == other.records


def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every sample be read by itself."""
    monkeypatch.setattr(FileSamples, "rows", lambda self, numbers, *rest: [None] * len(numbers))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the samples that are read by themselves from now on."""
    numbers: list[int] = []
    sample = FileSamples.sample
    lock = threading.Lock()

    def counting(self: FileSamples, number: int, *rest: Any) -> Any:
        with lock:
            numbers.append(number)
        return sample(self, number, *rest)

    monkeypatch.setattr(FileSamples, "sample", counting)
    return numbers


def check_same(make: Callable[..., og.Loader], epochs: Sequence[int] = (0, 3)) -> None:
    """Batches of files run together, by any number of threads, are those of files run one by one."""
    with pytest.MonkeyPatch.context() as patch:
        alone(patch)
        one_by_one = make(threads=2)
        wanted = [list(one_by_one.epoch(epoch)) for epoch in epochs]
    for threads in (1, 2, 5):
        loader = make(threads=threads)
        for epoch, want in zip(epochs, wanted):
            for one, found in zip(want, loader.epoch(epoch), strict=True):
                assert same(one, found)
                assert found.image.ctypes.data % 64 == 0 and found.image.flags.writeable
        assert loader.skipped == one_by_one.skipped and loader.converted == one_by_one.converted


@pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")
@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("color", ["rgb", "grey", "keep"])
@pytest.mark.parametrize("name", RECIPES)
def test_batches_are_those_of_the_files(odd: Path, name: str, color: Any, fuse: bool) -> None:
    recipe = og.Compose(RECIPES[name], fuse=fuse)
    check_same(
        lambda threads: og.Loader(
            odd,
            recipe,
            batch_size=4,
            color=color,
            threads=threads,
            shuffle=True,
            on_error="skip",
            max_bad=1.0,
        )
    )


@pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")
def test_ordinary_files_are_run_together(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = og.Loader(odd, RECIPES["train"], batch_size=4, on_error="skip")
    loader.specs()
    numbers = counted(monkeypatch)
    names = [loader._maker.samples.name(number) for number in range(loader.num_images)]
    list(loader.epoch(0))
    assert sorted(names[number][0] for number in numbers) == sorted("ddfffiiiiiii")


def test_ordinary_images_have_no_object_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be most of what holds the interpreter lock; what they say is there when it is asked for."""
    for number in range(10):
        save_jpeg(tmp_path / f"{number}.jpg", photo(20 + number, 30, number))
    loader = og.Loader(tmp_path, RECIPES["train"], batch_size=4, shuffle=True, threads=2)
    alone = {number: loader.sample(number, epoch=1) for number in range(10)}
    made: list[int] = []
    plain = TrainingSample.__init__

    def noted(self: TrainingSample, number: int, *others: Any, **named: Any) -> None:
        made.append(number)
        plain(self, number, *others, **named)

    monkeypatch.setattr(TrainingSample, "__init__", noted)
    batches = list(loader.epoch(1))
    assert not made and [len(batch) for batch in batches] == [4, 4, 2]
    for batch in batches:
        assert len(batch.records) == len(batch)
        for place, number in enumerate(batch.index.tolist()):
            one = alone[number]
            assert one is not None and np.array_equal(batch.image[place], one.image[0])
            assert batch.records[place] == one.records[0]


@settings(max_examples=60, deadline=None)
@given(
    orientation=st.integers(1, 8),
    size=st.tuples(st.integers(9, 70), st.integers(9, 70)),
    grey=st.booleans(),
    subsampling=st.sampled_from([0, 1, 2]),
    data=st.data(),
)
def test_only_what_is_kept_is_decoded_and_it_is_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    orientation: int,
    size: tuple[int, int],
    grey: bool,
    subsampling: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("one")
    image = photo(*size, seed=size[0])
    how = {} if grey else {"subsampling": subsampling}
    save_jpeg(folder / "1.jpg", image[..., 0] if grey else image, orientation, quality=85, **how)
    height, width = size if orientation < 5 else size[::-1]
    crop = data.draw(st.tuples(st.integers(1, height), st.integers(1, width)))
    steps: list[Any] = [
        og.RandomCrop(crop),
        og.Flip(data.draw(st.sampled_from(["X", "Y"])), p=0.5),
        og.CenterCrop((max(1, crop[0] // 2), crop[1])),
    ]
    if data.draw(st.booleans()):
        steps.append(og.Resize((7, 5)))
    make = partial(og.Loader, folder, steps, color="keep", seed=size[1])
    check_same(make, (0, 1, 2))
    whole = og.imread(folder / "1.jpg")
    (batch,) = make(threads=1).epoch(0)
    replayed = og.Compose(steps).replay(batch.records[0], image=whole, axes="YX" if grey else None)
    assert np.array_equal(replayed.image, batch.image[0])


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(9, 70), st.integers(9, 70)),
    grey=st.booleans(),
    deep=st.booleans(),
    level=st.integers(0, 9),
    data=st.data(),
)
def test_of_a_png_only_what_is_kept_is_decoded(
    tmp_path_factory: pytest.TempPathFactory,
    size: tuple[int, int],
    grey: bool,
    deep: bool,
    level: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("one")
    image = photo(*size, seed=size[0])
    image = np.ascontiguousarray(image[..., 0]) if grey else image
    image = image.astype(np.uint16) * 251 + 7 if deep else image
    (folder / "1.png").write_bytes(imagecodecs.png_encode(image, level=level))
    crop = data.draw(st.tuples(st.integers(1, size[0]), st.integers(1, size[1])))
    steps: list[Any] = [og.RandomCrop(crop), og.Flip("X", p=0.5)]
    make = partial(og.Loader, folder, steps, color="keep", seed=size[1])
    check_same(make, (0, 1, 2))
    (batch,) = make(threads=1).epoch(0)
    replayed = og.Compose(steps).replay(batch.records[0], image=image, axes="YX" if grey else None)
    assert np.array_equal(replayed.image, batch.image[0])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("color", ["rgb", "keep"])
def test_pngs_of_16_bits_are_not_read_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, color: Any, channels: int
) -> None:
    for number in range(8):
        image = photo(40 + number, 50, number).astype(np.uint16) * 257 - number
        og.imwrite(tmp_path / f"{number}.png", image if channels == 3 else image[..., 1])
    recipe = [
        og.Augment(og.Rotate((-15, 15))),
        og.Resize((24, 20)),
        og.PercentileNormalize(2, 98),
        og.ZScore(per_channel=False),
    ]
    make = partial(og.Loader, tmp_path, recipe, batch_size=3, color=color, seed=5)
    check_same(make)
    numbers = counted(monkeypatch)
    assert {batch.image.shape[1:] for batch in make(threads=1).epoch(0)} == (
        {(24, 20)} if (channels, color) == (1, "keep") else {(24, 20, 3)}
    )
    assert not numbers


def test_targets_lie_on_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir(), masks.mkdir()
    for number in range(1, 9):
        image = photo(40, 50, number)
        save_jpeg(images / f"{number}.jpg", image, number if number % 2 else None)
        grid = (40, 50) if number < 5 or number % 2 == 0 else (50, 40)
        Pillow.fromarray((np.mgrid[: grid[0], : grid[1]].sum(0) // 9 % 7).astype(np.uint8)).save(
            masks / f"{number}.png"
        )
    source = og.open_source(images, masks=masks)
    recipe = og.Compose(RECIPES["train"])
    make = partial(og.Loader, source, recipe, batch_size=3)
    check_same(make)
    loader = make(threads=2)
    loader.specs()
    numbers = counted(monkeypatch)
    assert sum(len(batch) for batch in loader) == 8 and not numbers


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir(), masks.mkdir()
    for number in range(12):
        save_jpeg(images / f"{number:02}.jpg", photo(40, 50, number))
        size = (40, 50) if number != 5 else (50, 40)
        Pillow.fromarray(np.ones(size, np.uint8)).save(masks / f"{number:02}.png")
    with pytest.raises(og.DecodeError, match=r"05\.png: a mask of \(50, 40\) for an image of \(40, 50\)"):
        list(og.Loader(og.open_source(images, masks=masks), RECIPES["size"], batch_size=4, shuffle=False))


def test_python_steps_end_the_native_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        save_jpeg(tmp_path / f"{number}.jpg", photo(40, 50, number))
    steps = [og.Resize((30, 20)), Negative(), og.Rotate((-9, 9)), og.Rescale(1 / 255)]
    make = partial(og.Loader, tmp_path, steps, batch_size=4)
    check_same(make)
    loader = make(threads=2)
    loader.specs()
    numbers = counted(monkeypatch)
    assert sum(len(batch) for batch in loader) == 6 and not numbers


def test_an_error_of_a_python_step_names_it_and_the_file(tmp_path: Path) -> None:
    for number in range(12):
        image = photo(40, 50, number)
        if number == 7:
            image[:] = 255
        save_jpeg(tmp_path / f"{number:02}.jpg", image)
    loader = og.Loader(tmp_path, [og.Resize((30, 20)), Negative()], batch_size=4, shuffle=False)
    with pytest.raises(og.StepError, match=r"07\.jpg: .*Negative.*too bright"):
        list(loader)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for number in range(9):
        save_jpeg(tmp_path / f"{number}.jpg", photo(40, 50, number))
    loader = og.Loader(tmp_path, RECIPES["size"], batch_size=4, on_error="skip", shuffle=False)
    loader.specs()
    (tmp_path / "4.jpg").unlink()
    os.mkfifo(tmp_path / "4.jpg")
    with pytest.warns(og.OffgraphWarning, match="1 of 9"):
        assert sum(len(batch) for batch in loader) == 8
    assert "not a regular file" in loader.skipped["4.jpg"]


def test_names_of_all_kinds_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are made of the names by the native core, those that are no UTF-8 too."""
    home = tmp_path / "pässe \N{CJK UNIFIED IDEOGRAPH-65E5}"
    names = [
        b"a.jpg",
        "\N{LATIN SMALL LETTER E WITH ACUTE}.jpg".encode(),
        "e\N{COMBINING ACUTE ACCENT}.jpg".encode(),
    ]
    names += [
        "\N{HANGUL SYLLABLE HAN}\N{GRINNING FACE}.jpg".encode(),
        b"\xff\xe9 \x80.jpg",
        b"\xed\xb2.jpg",
        b"b" * 200 + b".jpg",
    ]
    for number, name in enumerate(names):
        path = home / "kind" / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_jpeg(path, photo(20 + number, 30, number))
    source = og.open_source(home, labels=None)
    assert len(source) == len(names)
    alone = counted(monkeypatch)
    for part in (source, source.subset([4, 1, 6, 3, 5])):
        loader = og.Loader(part, RECIPES["train"], batch_size=3, shuffle=True, seed=1)
        found = {int(n): image for batch in loader.epoch(2) for n, image in zip(batch.index, batch.image)}
        assert not alone and sorted(found) == list(range(len(part)))
        for number, image in found.items():
            one = og.Compose(RECIPES["train"])(image=og.imread(part[number].path), key=og.Key(1, 2, number))
            assert np.array_equal(image, one.image)


def test_names_that_are_not_there_are_refused() -> None:
    names, rules = Names(["a.jpg", "b.jpg", "\ud800.jpg"]).blocks, file_rules("rgb", 100, None, True)
    for order, number in ((None, 3), (np.array([0, 3], np.int64), 1), (np.array([-1], np.int64), 0)):
        with pytest.raises(ValueError, match="names that are not there"):
            SampleRows.of_names(b"/", names, order, [number], 0, 0, rules)
    rows = SampleRows.of_names(
        b"/nowhere/", names, None, [0, 2], 0, 0, rules
    )  # the last one stands for no bytes
    assert rows.left == 2 and rows.made == [None, None]


def test_headers_say_what_is_decoded(odd: Path) -> None:
    paths = sorted(path for path in odd.iterdir() if path.is_file() and path.name != "f_cut.jpg")
    for color in ("rgb", "keep"):
        for path, file in zip(paths, read_ordinary(paths, color, 10_000)):
            if file is None:
                assert path.name[0] in "dfi"
                continue
            whole, header = read(path, color=color), file.unread()
            assert (whole.array.shape, whole.axes) == (file.spec.shape, file.spec.axes)
            assert (whole.orientation, whole.stored_size, whole.layout, whole.format) == (
                header.orientation, header.stored_size, header.layout, header.format,
            )  # fmt: skip
    assert set(read_ordinary(paths, "rgb", 100)) == {None}
