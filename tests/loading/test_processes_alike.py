"""The same bytes for any number of threads, in a forked and in a spawned process; nothing piles up over passes."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder, image_file, recipe

import offgraph as og

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, and forks")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("sources")
    photos = class_folder(home / "photos")
    og.build(photos, home / "arrow", recipe(), format="arrow")
    og.build(photos, home / "folder", recipe())
    return {"photos": photos, "arrow": home / "arrow", "folder": home / "folder"}


def digest_of(loader: og.Loader, epoch: int = 1) -> str:
    found = hashlib.sha256()
    for batch in loader.epoch(epoch):
        found.update(batch.image.tobytes() + batch.index.tobytes() + repr(list(batch.records)).encode())
    return found.hexdigest()


def _put(queue: multiprocessing.Queue, loader: og.Loader) -> None:  # type: ignore[type-arg]
    queue.put(digest_of(loader))


def elsewhere(method: str, loader: og.Loader) -> str:
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads is what is tested
        process = context.Process(target=_put, args=(queue, loader))
        process.start()
    try:
        return queue.get(timeout=60)
    finally:
        process.join(10)
        assert process.exitcode == 0


@pytest.mark.parametrize("name", ["photos", "arrow", "folder"])
def test_bytes_are_the_same_everywhere(sources: dict[str, Path], name: str) -> None:
    def loader(threads: int, **options: object) -> og.Loader:
        return og.Loader(sources[name], recipe(), batch_size=4, seed=7, threads=threads, **options)  # type: ignore[arg-type]

    for options in ({}, {"shard": (1, 2)}, {"pad_last": True, "shard": (0, 2)}):
        wanted = digest_of(loader(1, **options))
        assert [digest_of(loader(threads, **options)) for threads in (2, 5)] == [wanted] * 2
        used = loader(2, **options)
        passing = iter(used)
        next(passing)  # a pass is under way while the process forks
        assert elsewhere("fork", used) == wanted
        assert digest_of(used) == wanted and len(list(passing)) == len(used) - 1
        if name == "photos" and not options:
            assert elsewhere("spawn", loader(5)) == wanted


def test_a_forked_process_goes_on_from_a_state(sources: dict[str, Path]) -> None:
    loader = og.Loader(sources["photos"], recipe(), batch_size=4, seed=7, process=False)
    passing = iter(loader)
    next(passing)
    resumed = og.Loader(sources["photos"], recipe(), batch_size=4, seed=7, threads=5)
    resumed.load_state_dict(loader.state_dict())
    rest = [batch.image.tobytes() for batch in resumed]
    assert [batch.image.tobytes() for batch in passing] == rest


def memory() -> int:
    """Resident bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # its own handle counts each time


@pytest.mark.parametrize("kind", ["whole", "dropped", "tensorflow", "tensorflow dropped"])
def test_passes_leave_nothing(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    for number in range(40):
        image_file(tmp_path / f"{number}.jpg", rng.integers(0, 255, (40, 40, 3)).astype(np.uint8))
    loader = og.Loader(
        tmp_path, [og.Resize((32, 32)), og.Augment(og.Rotate((-5, 5)))], batch_size=4, threads=2
    )
    if kind.startswith("tensorflow"):
        pytest.importorskip("tensorflow")
        batches = loader.tensorflow()
    else:
        batches = loader
    stop = 3 if kind.endswith("dropped") else None

    def passes(count: int) -> None:
        for _ in range(count):
            for number, _batch in enumerate(batches):
                if number == stop:
                    break
        gc.collect()

    passes(5)
    before = memory(), handles(), set(threading.enumerate())
    passes(25)
    assert memory() < 1.02 * before[0]
    assert handles() == before[1] and set(threading.enumerate()) == before[2]
