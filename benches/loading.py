"""Files to batches: images per second beside the decoder alone and beside other libraries, whose answers are checked first.

    train      Resize 224, Rotate ±15°, shear 0.2, Normalize → float32 batches of 32 held by TensorFlow; fused and not
    crop       RandomResizedCrop 224, decoding the window alone, the whole image, and the window at a scale
    beside     work "train" beside a thread that runs Python without end, beside such a process, and alone
    arrays     10,000 images of 32 × 32 × 3 in memory: Rotate ±15°, mirrored at random, Normalize
    denoise    zoom 0.5 of order 3, rotate 45°, shear 0.2, median 3 × 3, [0, 1], each step by itself
    gil        how long the interpreter lock is held per image
    enter      milliseconds from a filled batch to TensorFlow's tensor of it, and to the loop that asked for it
    memory     100 epochs, and 50 passes given up in the middle: memory, threads and file handles

All measurements of a part run in turn, round after round; medians of the rounds, and of their quotients.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np

import offgraph as og
from benches import rivals
from benches.pipeline import BATCH, THREADS, photographs
from offgraph.core.choices import Decoding

TRAIN = og.Compose(
    [og.Resize((224, 224)), og.Augment(og.Rotate((-15, 15)), og.Affine(shear=0.2)), og.Normalize("imagenet")]
)
CROP = og.Compose([og.RandomResizedCrop(224), og.Normalize("imagenet")])
DENOISE = og.Compose(
    [og.Zoom(0.5), og.Rotate(45), og.Affine(shear=0.2), og.MedianFilter(3), og.Rescale(1 / 255)], fuse=False
)
FEW = {"scipy": 64, "scipy_denoise": 48}
"""Files of a pass of what is slow."""
CLOSE = 4.0
"""Grey levels by which an answer may differ on average: linear resizing without antialiasing differs by 3.4."""

Calls = dict[str, Callable[[], float]]
"""Images per second of a pass, by name."""


class Rival:
    """Another library in a process of its own.

    Parameters
    ----------
    name : str
        A key of `rivals.RIVALS`.
    python : str
        The interpreter.
    folder : Path
        Of JPEG files.
    """

    def __init__(self, name: str, python: str, folder: Path) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [python, rivals.__file__, name, str(folder), str(THREADS), str(FEW.get(name, 1 << 30))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self._process.wait()}")
        return json.loads(line)

    def answer(self) -> list[np.ndarray]:
        """Images to compare."""
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/answer.npz"
            self._ask(f"answer {path}")
            with np.load(path) as found:
                return [found[name] for name in found.files]

    def speed(self) -> float:
        """Images per second of one pass."""
        said = self._ask("pass")
        return said["images"] / said["seconds"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def start(names: list[str], pythons: list[str], folder: Path) -> dict[str, Rival]:
    """Start those rivals that one of some interpreters can run; say which cannot."""
    found: dict[str, Rival] = {}
    for name in names:
        for python in pythons:
            rival = Rival(name, python, folder)
            try:
                rival.answer()
            except RuntimeError:
                continue
            found[name] = rival
            break
        else:
            print(f"{name}: no interpreter has what it needs; name one with --python")
    return found


def check_train(found: dict[str, Rival], files: list[Path]) -> None:
    """Refuse to time work that is not the same: images differ by few grey levels on average."""
    deviation = rivals.STD[np.newaxis, np.newaxis]
    for name, rival in found.items():
        if name == "decoder":
            continue
        steps = [
            og.Resize((224, 224)),
            og.Rotate(rivals.ANGLE),
            og.Affine(shear=0.2),
            og.Normalize("imagenet"),
        ]
        if name == "tensorflow":
            del steps[2]  # see there
        recipe = og.Compose(steps)
        answers = rival.answer()
        ours = [recipe(image=og.imread(path, color="rgb")).image for path in files[: len(answers)]]
        far = statistics.mean(
            float((np.abs(a - b) * deviation).mean()) for a, b in zip(answers, ours, strict=True)
        )
        print(f"{name}: {far:.2f} grey levels from ours on average")
        if far > CLOSE:
            raise SystemExit(f"{name} does other work: {far:.1f} grey levels away")


def check_denoise(rival: Rival, files: list[Path]) -> None:
    """Refuse to time another answer: bytes are equal before the division."""
    recipe = og.Compose(list(DENOISE.steps[:-1]), fuse=False)
    for path, plain in zip(files, rival.answer()):
        ours = recipe(image=og.imread(path, color="rgb")).image
        if not np.array_equal(ours, plain):
            raise SystemExit(f"{path.name}: {np.mean(ours != plain):.2%} of the values are not plain SciPy's")
    print("denoise: equal bytes before the division")


def passes(loader: og.Loader, *, tensorflow: bool = True) -> Callable[[], float]:
    """One pass, whose batches TensorFlow holds."""
    data: Any = loader.tensorflow() if tensorflow else loader

    def speed() -> float:
        began, count = time.perf_counter(), 0
        for batch in data:
            count += (
                len(batch)
                if not tensorflow
                else int((batch[0] if isinstance(batch, tuple) else batch).shape[0])
            )
        return count / (time.perf_counter() - began)

    return speed


def measured(calls: Calls, rounds: int, base: str, part: str) -> list[dict]:
    """Run all in turn; print and return medians, and quotients to `base`."""
    speeds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            speeds[name].append(call())
    rows = []
    for name, found in speeds.items():
        speed = statistics.median(found)
        times = statistics.median(a / b for a, b in zip(found, speeds[base], strict=True))
        print(f"{part:8s} {name:34s} {speed:8.1f} images/s  {times:6.3f} × {base}")
        rows.append(
            {"part": part, "case": name, "images_per_second": round(speed, 1), f"of {base}": round(times, 3)}
        )
    return rows


def train(root: Path, files: list[Path], rounds: int, pythons: list[str]) -> list[dict]:
    """Work "train" beside the decoder and other libraries."""
    found = start(["decoder", "opencv", "dali", "tensorflow", "scipy"], pythons, root)
    check_train(found, files)
    source = og.open_source(root)
    unfused = og.Compose(TRAIN.items, fuse=False)
    calls: Calls = {name: rival.speed for name, rival in found.items()}
    for name, recipe in (("offgraph", TRAIN), ("offgraph, fuse=False", unfused)):
        calls[name] = passes(og.Loader(source, recipe, batch_size=BATCH, threads=THREADS))
    try:
        return measured(calls, rounds, "decoder", "train")
    finally:
        for rival in found.values():
            rival.close()


def crop(root: Path, files: list[Path], rounds: int, pythons: list[str]) -> list[dict]:
    """RandomResizedCrop by what it keeps of a file, and by whole images, with equal bytes; and scaled."""
    found = start(["decoder"], pythons, root)
    source = og.open_source(root)
    calls: Calls = {"decoder": found["decoder"].speed}
    digests = {}
    for how in get_args(Decoding):
        recipe = og.Compose(CROP.items, decode=how)
        loader = og.Loader(source, recipe, batch_size=BATCH, threads=THREADS)
        if how != "scaled":
            digests[how] = hashlib.sha256(
                b"".join(batch.image.tobytes() for batch in loader.epoch(0))
            ).hexdigest()
        calls[f"offgraph, decode={how}"] = passes(loader)
    if len(set(digests.values())) > 1:
        raise SystemExit("decoding what is kept alone gives other bytes")
    try:
        return measured(calls, rounds, "decoder", "crop")
    finally:
        found["decoder"].close()


def arrays(root: Path, files: list[Path], rounds: int, pythons: list[str]) -> list[dict]:
    """Small images of one array, beside a pool of threads with OpenCV."""
    found = start(["opencv_arrays"], pythons, root)
    images = rivals.small_images()
    turned = og.Compose([og.Rotate(rivals.ANGLE), og.Normalize("imagenet")])
    for name, rival in found.items():
        answers = rival.answer()
        ours = [turned(image).image for image in images[: len(answers)]]
        far = statistics.mean(
            float((np.abs(a - b) * rivals.STD).mean()) for a, b in zip(answers, ours, strict=True)
        )
        print(f"{name}: {far:.2f} grey levels from ours on average")
        if far > CLOSE:
            raise SystemExit(f"{name} does other work: {far:.1f} grey levels away")
    recipe = og.Compose([og.Augment(og.Rotate((-15, 15)), og.Flip("X", p=0.5)), og.Normalize("imagenet")])
    calls: Calls = {name: rival.speed for name, rival in found.items()}
    together, alone = og.array_source(images), og.array_source(list(images))
    for name, source in (("offgraph", together), ("offgraph, a list of images", alone)):
        calls[name] = passes(og.Loader(source, recipe, batch_size=BATCH, threads=THREADS), tensorflow=False)
    try:
        return measured(calls, rounds, next(iter(calls)), "arrays")
    finally:
        for rival in found.values():
            rival.close()


class Spinner:
    """A thread that runs Python without end while it is entered."""

    def __enter__(self) -> Spinner:
        self._stop, self._began = False, time.perf_counter()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()

    def _work(self) -> None:
        while not self._stop:
            for _ in range(100):
                pass

    def blocked(self) -> float:
        """Seconds so far in which the thread neither ran nor waited for a processor (Linux)."""
        path = f"/proc/self/task/{self._thread.native_id}/schedstat"
        _, waiting, _ = map(int, Path(path).read_text().split())
        assert self._thread.ident is not None, "it runs"
        running = time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident))
        return time.perf_counter() - self._began - running - waiting * 1e-9


class Neighbour:
    """A process that wants a processor without end while it is entered, and no interpreter lock of ours."""

    def __enter__(self) -> Neighbour:
        self._process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def beside(root: Path, files: list[Path], rounds: int, pythons: list[str]) -> list[dict]:
    """Work "train" beside a busy Python thread, inside its process and in one of its own: speed as a share of its own.

    Where there are no more processors than threads, the busy thread takes one of them. What that alone costs is seen
    beside a busy process; the rest is the interpreter lock's.
    """
    source = og.open_source(root)
    rows = []
    for apart in (False, True):
        for threads in (1, 2, 4):
            loader = og.Loader(source, TRAIN, batch_size=BATCH, threads=threads, process=apart)
            alone = passes(loader, tensorflow=False)

            def disturbed(
                by: type[Spinner] | type[Neighbour], alone: Callable[[], float] = alone
            ) -> Callable[[], float]:
                def speed() -> float:
                    with by():
                        return alone()

                return speed

            name = f"{'apart' if apart else 'inside'}, {threads} thread{'s' * (threads > 1)}"
            calls = {
                name: alone,
                f"beside Python, {name}": disturbed(Spinner),
                f"beside a process, {name}": disturbed(Neighbour),
            }
            rows += measured(calls, rounds, name, "beside")
    return rows


def denoise(root: Path, files: list[Path], rounds: int, pythons: list[str]) -> list[dict]:
    """Work "denoise", step by step, beside plain SciPy."""
    found = start(["scipy_denoise"], pythons, root)
    check_denoise(found["scipy_denoise"], files)
    loader = og.Loader(og.open_source(root), DENOISE, batch_size=1, threads=THREADS)
    calls: Calls = {
        "scipy": found["scipy_denoise"].speed,
        "offgraph, fuse=False": passes(loader, tensorflow=False),
    }
    try:
        return measured(calls, rounds, "scipy", "denoise")
    finally:
        found["scipy_denoise"].close()


def gil(root: Path, files: list[Path], rounds: int, pythons: list[str]) -> list[dict]:
    """Interpreter lock held per image, from how long a thread that always wants it is kept from it.

    A thread runs Python without end. What the kernel counts of it as neither running nor waiting for a processor, it was
    blocked, and it blocks for nothing but the lock. It is the time that others held the lock, handing it over included,
    whatever else the machine does. Whoever waits for the lock asks for it after a millisecond (`sys.setswitchinterval`):
    later the loader would starve, earlier the thread would run while it waits. The same is measured without a loader,
    and must be next to nothing. One thread loads, so that there is a processor for each: the one that is kept from the lock
    would otherwise wait for a processor at the same time, and be counted so. Needs a machine without other work.
    """
    loader = og.Loader(og.open_source(root), TRAIN, batch_size=BATCH, threads=1)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-3)
    held: list[float] = []
    idle: list[float] = []
    try:
        for _ in loader:
            pass
        for _ in range(rounds):
            with Spinner() as spinner:
                first, began = spinner.blocked(), time.perf_counter()
                time.sleep(0.5)
                idle.append((spinner.blocked() - first) / (time.perf_counter() - began))
                first = spinner.blocked()
                images = sum(len(batch) for batch in loader)
                held.append((spinner.blocked() - first) / images * 1e6)
    finally:
        sys.setswitchinterval(before)
    found = statistics.median(held)
    print(
        f"gil      {found:8.1f} µs per image (from {min(held):.1f} to {max(held):.1f}); without a loader the thread is "
        f"blocked {statistics.median(idle):.2%} of the time"
    )
    return [
        {
            "part": "gil",
            "case": "held per image, µs",
            "median": round(found, 1),
            "all": [round(one, 1) for one in held],
        }
    ]


def enter(root: Path, files: list[Path], rounds: int, pythons: list[str]) -> list[dict]:
    """The way of a batch into TensorFlow, which takes the memory that the batch was filled in.

    Two ends are timed: TensorFlow has the tensor, and the loop has the element, for which TensorFlow wakes the loop's
    thread. Batches are dropped after the pass: freeing one would be added to the next.
    """
    from tensorflow.python.ops import script_ops

    from offgraph.frameworks import tensorflow as feeding

    registry: Any = script_ops.FuncRegistry
    filled: list[tuple[float, int]] = []
    entered: list[float] = []
    timed, convert = feeding._timed, registry.__call__

    def noted(loader: og.Loader, batches: Any) -> Any:
        for batch in timed(loader, batches):
            filled.append((time.perf_counter(), batch.image.ctypes.data))
            yield batch

    def converted(self: Any, *arguments: Any) -> Any:
        tensors = convert(self, *arguments)
        entered.append(time.perf_counter())
        return tensors

    feeding._timed, registry.__call__ = noted, converted
    rows = []
    try:
        for size in (25, 100):
            for threads in (1, 2):
                loader = og.Loader(og.open_source(root), TRAIN, batch_size=size, threads=threads)
                data: Any = loader.tensorflow()
                found: dict[str, list[tuple[float, float]]] = {"first": [], "other": []}
                for turn in range(2 * rounds + 1):
                    filled.clear()
                    entered.clear()
                    elements, had = [], []
                    for element in data:
                        had.append(time.perf_counter())
                        elements.append(element)
                    for (_, address), (image, *_) in zip(filled, elements, strict=True):
                        if np.asarray(memoryview(image)).ctypes.data != address:
                            raise SystemExit("a batch was copied on its way into TensorFlow")
                    for number, (start, inside, end) in enumerate(zip(filled, entered, had, strict=True)):
                        if turn:
                            found["other" if number else "first"].append(
                                (1e3 * (inside - start[0]), 1e3 * (end - start[0]))
                            )
                for which, times in found.items():
                    inside, end = (statistics.median(column) for column in zip(*times, strict=True))
                    case = f"batches of {size}, {threads} thread{'s' * (threads > 1)}, {which} of a pass"
                    print(f"enter    {case:44s} {inside:6.3f} ms, the loop has it after {end:6.3f} ms")
                    rows.append(
                        {"part": "enter", "case": case, "ms": round(inside, 3), "to the loop": round(end, 3)}
                    )
    finally:
        feeding._timed, registry.__call__ = timed, convert
    return rows


def memory(root: Path, files: list[Path], rounds: int, pythons: list[str]) -> list[dict]:
    """What 100 epochs leave behind, and 50 that are given up in the middle."""
    loader = og.Loader(og.open_source(root), TRAIN, batch_size=BATCH, threads=THREADS)

    def state() -> tuple[float, int, int]:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return (
            pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            threading.active_count(),
            len(list(Path("/proc/self/fd").iterdir())),
        )

    after: dict[str, tuple[float, int, int]] = {}
    data: Any = loader.tensorflow()
    for epoch in range(1, 101):
        for _ in data:
            pass
        if epoch in (3, 25, 50, 75, 100):
            after[f"epoch {epoch}"] = state()
    for _ in range(50):
        for number, _ in enumerate(data):
            if number == 2:
                break
    time.sleep(0.5)  # TensorFlow drops what it held on a thread of its own
    after["50 given up"] = state()
    rows = []
    for name, (resident, threads, handles) in after.items():
        grown = resident / after["epoch 3"][0] - 1
        print(f"memory   {name:12s} {resident:7.1f} MB ({grown:+.1%})  {threads} threads  {handles} handles")
        rows.append(
            {"part": "memory", "case": name, "MB": round(resident, 1), "threads": threads, "handles": handles}
        )
    return rows


PARTS: dict[str, Callable[[Path, list[Path], int, list[str]], list[dict]]] = {
    "train": train,
    "crop": crop,
    "arrays": arrays,
    "beside": beside,
    "denoise": denoise,
    "gil": gil,
    "enter": enter,
    "memory": memory,
}


def run(folder: Path | None, rounds: int = 5, only: str = "", pythons: list[str] | None = None) -> list[dict]:
    """Measure all parts, or those whose name holds `only`.

    Parameters
    ----------
    folder : Path or None
        Of JPEG files.
    rounds : int
    only : str
    pythons : list of str, optional
        Interpreters that have the other libraries, tried in their order after this one.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    root, files = photographs(folder)
    rows: list[dict] = []
    for name, part in PARTS.items():
        if only in name:
            rows += part(root, files, rounds, [sys.executable, *(pythons or [])])
    return rows
