"""Cached loaders: the batches of one without a cache, and nothing read that is as it was."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.loading.test_rows import same
from tests.support.made import class_folder, image_file, paired_folder, recipe

import offgraph as og
from offgraph.loading.caching import parse_limit
from offgraph.sources import Source

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")

RECIPES = {
    "nothing": [],
    "train": [
        og.Resize((24, 24)),
        og.Augment(og.Rotate((-15, 15)), og.Affine(shear=(-0.2, 0.2))),
        og.Normalize("imagenet"),
    ],
    "no draws": [og.Resize((24, 20)), og.MedianFilter(3), og.Rescale(1 / 255)],
    "all kept": [og.Resize((24, 20)), og.Gamma(0.8)],
    "joined": [
        og.Pad(3),
        og.Rotate(20),
        og.Augment(og.Rotate((-5, 5)), og.Flip("Y", p=0.5)),
        og.Resize((20, 20)),
    ],
    "cropped": [og.Resize((30, 34)), og.Gamma(0.8), og.RandomCrop((16, 16)), og.Normalize("imagenet")],
    "draws first": [
        og.Augment(og.RandomResizedCrop((16, 20)), og.Flip("X", p=0.5)),
        og.Normalize("imagenet"),
    ],
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, og.Source]:
    root = tmp_path_factory.mktemp("cache")
    images, masks = paired_folder(root / "pairs", 11)
    return {
        "classes": og.open_source(class_folder(root / "classes")),
        "masks": og.open_source(images, masks=masks),
        "boxes": boxed(root / "boxes"),
    }


def boxed(root: Path) -> og.Source:
    """Six images with boxes, instance masks and keypoints."""
    images, annotations = [], []
    for number in range(6):
        rng = np.random.default_rng(number)
        image_file(root / f"{number}.png", rng.integers(0, 256, (24, 30, 3)).astype(np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "height": 24, "width": 30})
        for k in range(number % 3 + 1):
            x, y, w, h = 2 + 3 * k, 1 + 2 * k, 12, 9
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": k,
                    "bbox": [x, y, w, h],
                    "keypoints": [x + 2, y + 1, 2, 0, 0, 0],
                    "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
                }
            )
    categories = [{"id": i, "name": name, "keypoints": ["left_a", "right_a"]} for i, name in enumerate("abc")]
    data = {"images": images, "annotations": annotations, "categories": categories}
    (root / "instances.json").write_text(json.dumps(data))
    return og.open_source(root, masks="instances")


def alike(one: og.Batch, other: og.Batch) -> bool:
    if not same(one, other) or (one.objects is None) != (other.objects is None):
        return False
    if one.objects is None or other.objects is None:
        return True
    names = ("boxes", "classes", "index", "points", "visible")
    return all(np.array_equal(getattr(one.objects, name), getattr(other.objects, name)) for name in names)


def compare(plain: og.Loader, cached: og.Loader, epochs: tuple[int, ...] = (0, 1, 2)) -> None:
    for epoch in epochs:
        for want, found in zip(plain.epoch(epoch), cached.epoch(epoch), strict=True):
            assert alike(want, found)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read from here on."""
    found: list[str] = []
    read = Source.read

    def noted(source: Source, index: int) -> Any:
        found.append(source[index].name)
        return read(source, index)

    monkeypatch.setattr(Source, "read", noted)
    for name in ("read_ordinary", "ordinary_rows"):
        read_many = getattr(Source, name)

        def noted_all(
            source: Source, indices: Any, *rest: Any, read_many: Any = read_many, **how: Any
        ) -> Any:
            found.extend(source[index].name for index in indices)
            return read_many(source, indices, *rest, **how)

        monkeypatch.setattr(Source, name, noted_all)
    return found


@pytest.mark.parametrize(
    ("name", "fuse", "kind"),
    [(name, fuse, kind) for kind in ("classes", "masks") for name in RECIPES for fuse in (True, False)]
    + [("train", True, "boxes"), ("train", False, "boxes"), ("joined", True, "boxes")],
)
def test_batches_are_those_without_a_cache(
    sources: dict[str, og.Source], tmp_path: Path, reads: list[str], name: str, fuse: bool, kind: str
) -> None:
    made = og.Compose(RECIPES[name], fuse=fuse)
    size = 1 if made.output_spec(og.ArraySpec((30, 40, 3), "uint8", "YXC")).shape[0] in (None, 30) else 4
    plain = og.Loader(sources[kind], made, batch_size=size, shuffle=True, seed=3)
    for threads, where, after in ((1, "memory", None), (5, tmp_path / "a", None), (2, "memory", "decode")):
        loader = og.Loader(sources[kind], made, batch_size=size, shuffle=True, seed=3, threads=threads)
        cached = loader.cache(where, after=after, limit="50 MB")
        compare(plain, cached)
        assert cached.specs() == plain.specs() and len(cached) == len(plain)
        reads.clear()
        again = list(cached.epoch(1))
        assert len(again) == len(plain) and not reads
    reads.clear()
    later = og.Loader(sources[kind], made, batch_size=size, shuffle=True, seed=3).cache(tmp_path / "a")
    looked = len(reads)
    assert len(list(later)) == len(plain) and len(reads) == looked


@pytest.mark.parametrize(
    ("name", "fuse", "after", "reason"),
    [
        ("nothing", True, "decode", ""),
        ("train", True, "step 1, Resize", "step 2 of Augment, Rotate draws"),
        ("train", False, "step 1, Resize", "step 2 of Augment, Rotate draws"),
        ("no draws", True, "step 2, MedianFilter", "followed by float32"),
        ("all kept", True, "step 2, Gamma", ""),
        ("joined", True, "decode", "step 1, Pad, and step 2, Rotate, are joined"),
        ("joined", False, "step 2, Rotate", "step 3 of Augment, Rotate draws"),
        ("cropped", True, "step 2, Gamma", "step 3, RandomCrop draws"),
        ("draws first", True, "decode", "step 1 of Augment, RandomResizedCrop draws"),
    ],
)
def test_as_much_is_kept_as_can_be(
    sources: dict[str, og.Source], name: str, fuse: bool, after: str, reason: str
) -> None:
    cached = og.Loader(sources["classes"], og.Compose(RECIPES[name], fuse=fuse)).cache("memory")
    info = cached.cache_info()
    assert info is not None and (info.after, info.images, info.used) == (after, 0, 0)
    assert reason in info.reason and bool(reason) == bool(info.reason)
    assert f"kept in memory after {after}" in repr(cached) and f"kept in memory after {after}" in str(info)


def test_a_step_is_named_by_its_id_or_its_class(sources: dict[str, og.Source]) -> None:
    steps = [og.Resize((24, 24), id="small"), og.MedianFilter(3), og.Resize((20, 20)), og.Gamma(0.8)]
    loader = og.Loader(sources["classes"], steps)
    found = {
        after: loader.cache("memory", after=after).cache_info() for after in ("small", "Gamma", "decode")
    }
    assert [info.after for info in found.values() if info] == ["step 1, Resize", "step 4, Gamma", "decode"]


REFUSED = {
    "no such step": ({"after": "big"}, "choose 'decode', or the id or name of a step: 'Rotate', 'Rotate'"),
    "two of that name": ({"after": "Rotate"}, "the recipe has 2 steps of that name; give the step an id"),
    "a number": ({"after": 1}, "after=1: choose 'decode'"),
    "a bad size": ({"limit": "2 bottles"}, "limit='2 bottles': give a number of bytes"),
    "a negative size": ({"limit": -1}, "limit=-1: give"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_are_refused_by_name(sources: dict[str, og.Source], name: str) -> None:
    options, message = REFUSED[name]
    with pytest.raises(og.ArgumentError, match=None) as raised:
        og.Loader(sources["classes"], [og.Rotate(3), og.Rotate((-3, 3))]).cache("memory", **options)
    assert message in str(raised.value)


def test_steps_that_are_joined_are_not_kept_apart(sources: dict[str, og.Source]) -> None:
    steps = [og.Rotate(3, id="one"), og.Rotate((-3, 3), id="two")]
    with pytest.raises(
        og.ArgumentError, match=r"after='one': step 1, Rotate \(one\), and step 2.* are joined.*fuse=False"
    ):
        og.Loader(sources["classes"], steps).cache("memory", after="one")
    with pytest.raises(og.ArgumentError, match=r"after='two': step 2.* draws"):
        og.Loader(sources["classes"], og.Compose(steps, fuse=False)).cache("memory", after="two")
    info = (
        og.Loader(sources["classes"], og.Compose(steps, fuse=False)).cache("memory", after="one").cache_info()
    )
    assert info is not None and info.after == "step 1, Rotate"


def test_places_that_are_not_for_a_cache(sources: dict[str, og.Source], tmp_path: Path) -> None:
    loader = og.Loader(sources["classes"], recipe())
    with pytest.raises(og.ArgumentError, match="lies inside the source"):
        loader.cache(sources["classes"].root / "cache")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(og.ArgumentError, match=r"is not a cache, as it holds 'letter.txt'"):
        loader.cache(tmp_path / "mine")
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "offgraph-cache.json").write_text('{"offgraph cache": 2}')
    with pytest.raises(og.ArgumentError, match="the cache of another version"):
        loader.cache(tmp_path / "newer")
    with pytest.raises(og.ArgumentError, match="cannot be made: "):
        loader.cache(tmp_path / "mine" / "letter.txt" / "below")
    with pytest.raises(og.ArgumentError, match="has a cache already"):
        loader.cache("memory").cache("memory")
    og.build(sources["classes"], tmp_path / "built", [og.Resize((8, 8))], format="folder")
    with pytest.raises(og.ArgumentError, match="is a built dataset"):
        og.Loader(tmp_path / "built").cache("memory")


@pytest.mark.parametrize(
    ("limit", "count"),
    [(7, 7), ("7", 7), ("2GB", 2 * 10**9), ("1.5 kB", 1500), ("3 MiB", 3 << 20), (None, 99)],
)
def test_limits(limit: Any, count: int) -> None:
    assert parse_limit(limit, 99) == count


# ---- how much, and what


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_what_fits_stays(sources: dict[str, og.Source], tmp_path: Path, reads: list[str], kind: str) -> None:
    steps = [og.Resize((24, 20)), og.Augment(og.Flip("X", p=0.5))]
    plain = og.Loader(sources["classes"], steps, batch_size=4, seed=1)
    where = "memory" if kind == "memory" else tmp_path / "c"
    # One image is 1440 bytes, and something beside.
    cached = og.Loader(sources["classes"], steps, batch_size=4, seed=1, threads=1).cache(where, limit=14_000)
    reads.clear()
    missing: list[set[str]] = []
    for epoch in range(4):
        compare(plain, cached, (epoch,))
        wanted = list(plain.epoch(epoch))
        reads.clear()
        for want, found in zip(wanted, cached.epoch(epoch), strict=True):
            assert alike(want, found)
        missing.append(set(reads))
    info = cached.cache_info()
    assert info is not None and info.full and 4 <= info.images < 15 and info.nbytes <= info.limit
    assert len(missing[0]) == 15 - info.images and all(names == missing[0] for names in missing)
    assert "full" in str(info)


def test_a_limit_of_nothing_keeps_nothing(sources: dict[str, og.Source]) -> None:
    cached = og.Loader(sources["classes"], recipe(), batch_size=4).cache("memory", limit=0)
    compare(og.Loader(sources["classes"], recipe(), batch_size=4), cached, (0, 1))
    info = cached.cache_info()
    assert info is not None and (info.images, info.nbytes, info.used, info.passed) == (0, 0, 0, 30)


def other_image(path: Path) -> None:
    """Change a file, whose size and time of modification stay."""
    before, data = path.stat(), path.read_bytes()
    changed = np.load(path)
    changed[0, 0, 0] ^= 255
    np.save(path, changed)
    assert path.read_bytes() != data
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_another_file_is_another_image(tmp_path: Path, reads: list[str], kind: str) -> None:
    for number in range(6):
        rng = np.random.default_rng(number)
        (tmp_path / "in").mkdir(exist_ok=True)
        np.save(tmp_path / "in" / f"{number}.npy", rng.integers(0, 256, (32, 40, 3)).astype(np.uint8))
        image_file(tmp_path / "masks" / f"{number}.png", rng.integers(0, 5, (32, 40)).astype(np.uint8))
    source = og.open_source(tmp_path / "in", masks=tmp_path / "masks")
    where = "memory" if kind == "memory" else tmp_path / "c"
    cached = og.Loader(source, [og.Resize((16, 20))], batch_size=6).cache(where)
    (before,) = cached.epoch(0)
    other_image(tmp_path / "in" / "2.npy")
    image_file(tmp_path / "masks" / "4.png", np.full((32, 40), 7, np.uint8))
    reads.clear()
    (after,) = cached.epoch(0)
    assert sorted(set(reads)) == ["2.npy", "4.npy"]
    compare(og.Loader(source, [og.Resize((16, 20))], batch_size=6), cached, (0,))
    changed = [i for i in range(6) if not np.array_equal(before.image[i], after.image[i])]
    assert changed == [2] and before.mask is not None and after.mask is not None
    assert not np.array_equal(before.mask[4], after.mask[4]) and np.array_equal(before.mask[3], after.mask[3])


def test_a_file_that_changes_while_it_is_read_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_file(tmp_path / "in" / "0.png", np.zeros((9, 9, 3), np.uint8))
    cached = og.Loader(tmp_path / "in", [], batch_size=1).cache("memory")
    read = Source.read

    def slow(source: Source, index: int) -> Any:
        sample = read(source, index)
        image_file(tmp_path / "in" / "0.png", np.full((9, 9, 3), 50, np.uint8))
        return sample

    monkeypatch.setattr(Source, "read", slow)
    list(cached)
    info = cached.cache_info()
    assert info is not None and info.images == 0


def test_a_file_that_is_gone_is_an_error_as_without_a_cache(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "in")
    cached = og.Loader(root, recipe(), batch_size=4, on_error="skip").cache("memory")
    list(cached.epoch(0))
    (root / "bee" / "2.png").unlink()
    assert sum(len(batch) for batch in cached.epoch(0)) == 14
    assert list(cached.skipped) == ["bee/2.png"]


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "in", bad=True)
    plain = og.Loader(root, recipe(), batch_size=4, on_error="skip")
    for where in ("memory", tmp_path / "c"):
        cached = og.Loader(root, recipe(), batch_size=4, on_error="skip").cache(where)
        compare(plain, cached)
        assert cached.skipped == plain.skipped and len(plain.skipped) == 2
    with pytest.raises(og.DecodeError, match=r"(ant/cut|cat/text)\.(png|jpg)"):
        list(og.Loader(root, recipe(), batch_size=4).cache("memory"))


def test_depths_are_converted_and_told(tmp_path: Path) -> None:
    for number in range(7):
        dtype, most = (np.uint16, 65535) if number == 3 else (np.uint8, 255)
        image_file(tmp_path / "in" / f"{number}.png", np.full((9, 8, 3), most // (number + 1), dtype))
    steps = [og.Resize((8, 8)), og.Rescale(1 / 255)]
    plain = og.Loader(tmp_path / "in", steps, batch_size=3)
    cached = og.Loader(tmp_path / "in", steps, batch_size=3).cache(tmp_path / "c")
    compare(plain, cached)
    later = og.Loader(tmp_path / "in", steps, batch_size=3).cache(tmp_path / "c")
    compare(plain, later, (0,))
    assert plain.converted == cached.converted == later.converted and list(plain.converted) == ["3.png"]
    # A recipe that takes every depth keeps the image as it is, elsewhere.
    each = [og.Resize((8, 8)), og.Normalize("imagenet")]
    compare(og.Loader(tmp_path / "in", each), og.Loader(tmp_path / "in", each).cache(tmp_path / "c"))


def test_floats_are_kept_as_they_are_read_and_still_looked_at(tmp_path: Path) -> None:
    for number in range(3):
        image = np.full((9, 8), 0.1 + number, np.float32)
        if number == 1:
            image[2, 3] = np.nan
        image_file(tmp_path / "in" / f"{number}.tif", image)
    source = og.open_source(tmp_path / "in", color="keep")
    allowed = og.Loader(source, [og.Rescale(2.0)], batch_size=3, non_finite="allow").cache(tmp_path / "c")
    info = allowed.cache_info()
    assert info is not None and info.after == "decode" and "float32, and integers are kept" in info.reason
    found = [batch.image for batch in allowed]
    assert (
        np.array_equal(found[0], next(iter(allowed)).image, equal_nan=True) and np.isnan(found[0]).sum() == 1
    )
    strict = og.Loader(source, [og.Rescale(2.0)], batch_size=3, on_error="skip").cache(tmp_path / "c")
    assert sum(len(batch) for batch in strict) == 2 and "NaN" in strict.skipped["1.tif"]


class Brighter(og.PointwiseStep):
    """Python code, which splits the plan; not declared, so that no other test meets it."""

    def apply(self, image: og.Image, params: dict[str, Any]) -> og.Image:
        return image.with_array(image.array // 2 + 99)


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_python_steps_before_and_after(
    sources: dict[str, og.Source], tmp_path: Path, reads: list[str], where: str
) -> None:
    steps = [
        og.Resize((16, 16)),
        Brighter(),
        og.Augment(og.Flip("X", p=0.5)),
        Brighter(),
        og.Normalize("imagenet"),
    ]
    place = "memory" if where == "memory" else tmp_path / "c"
    cached = og.Loader(sources["masks"], steps, batch_size=4).cache(place)
    compare(og.Loader(sources["masks"], steps, batch_size=4), cached)
    reads.clear()
    list(cached)
    assert not reads


def test_cached_pixels_cannot_be_written(sources: dict[str, og.Source]) -> None:
    cached = og.Loader(sources["classes"], [], batch_size=1).cache("memory")
    first = [batch.image.copy() for batch in cached.epoch(0)]
    for batch in cached.epoch(0):
        batch.image[...] = 0  # a batch belongs to its caller
    assert all(np.array_equal(a, batch.image) for a, batch in zip(first, cached.epoch(0), strict=True))


# ---- threads and processes


def test_passes_at_once(sources: dict[str, og.Source], tmp_path: Path) -> None:
    plain = og.Loader(sources["classes"], recipe(), batch_size=4, seed=2)
    want = [list(plain.epoch(epoch)) for epoch in range(4)]
    for where in ("memory", tmp_path / "c"):
        cached = og.Loader(sources["classes"], recipe(), batch_size=4, seed=2, threads=2).cache(where)
        found: dict[int, list[og.Batch]] = {}

        def run(epoch: int, loader: og.Loader = cached, into: dict[int, list[og.Batch]] = found) -> None:
            into[epoch] = list(loader.epoch(epoch))

        threads = [threading.Thread(target=run, args=(epoch,)) for epoch in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for epoch in range(4):
            assert all(alike(a, b) for a, b in zip(want[epoch], found[epoch], strict=True))


def test_a_loader_is_pickled_with_its_cache(sources: dict[str, og.Source], tmp_path: Path) -> None:
    plain = og.Loader(sources["masks"], recipe(), batch_size=4)
    for where in ("memory", tmp_path / "c"):
        cached = og.Loader(sources["masks"], recipe(), batch_size=4).cache(where)
        list(cached)
        copy = pickle.loads(pickle.dumps(cached))
        info = copy.cache_info()
        assert info is not None and info.images == 0 and len(pickle.dumps(cached)) < 60_000
        compare(plain, copy, (0, 1))
        assert copy.cache_info().images == 11


def _summed(loader: og.Loader, epoch: int, queue: Any) -> None:
    queue.put(
        [
            (int(batch.image.astype(np.float64).sum() * 1000), batch.index.tolist())
            for batch in loader.epoch(epoch)
        ]
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_a_folder(sources: dict[str, og.Source], tmp_path: Path, method: Any) -> None:
    context = multiprocessing.get_context(method)
    cached = og.Loader(sources["classes"], recipe(), batch_size=4, seed=4, threads=1).cache(tmp_path / "c")
    half = iter(cached.epoch(0))  # so that this process has written before
    next(half)
    half.close()  # type: ignore[attr-defined]
    queues = [context.SimpleQueue() for _ in range(2)]
    processes = [context.Process(target=_summed, args=(cached, 1, queue)) for queue in queues]
    for process in processes:
        process.start()
    found = [queue.get() for queue in queues]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    plain = og.Loader(sources["classes"], recipe(), batch_size=4, seed=4)
    want: Any = multiprocessing.get_context("fork").SimpleQueue()
    _summed(plain, 1, want)
    assert found[0] == found[1] == want.get()
    compare(plain, cached)
    info = cached.cache_info()
    assert info is not None and info.damaged == 0 and info.images == 15


def test_nothing_stays_open(sources: dict[str, og.Source], tmp_path: Path) -> None:
    def handles() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc to count file handles in")
    list(og.Loader(sources["classes"], recipe()))
    before = handles()
    cached = og.Loader(sources["classes"], recipe()).cache(tmp_path / "c")
    list(cached)
    assert handles() > before
    del cached
    assert handles() == before


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_a_process_of_its_own(sources: dict[str, og.Source], tmp_path: Path, where: str) -> None:
    place = "memory" if where == "memory" else tmp_path / "c"
    cached = og.Loader(sources["classes"], recipe(), batch_size=4, seed=4, process=True).cache(place)
    compare(og.Loader(sources["classes"], recipe(), batch_size=4, seed=4), cached)
