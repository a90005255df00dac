"""A loader in a process of its own: the same batches, in shared memory, whatever happens to either process."""

from __future__ import annotations

import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder, image_file, paired_folder, recipe

import offgraph as og
from offgraph import errors
from offgraph.steps.base import STEPS

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="counts file descriptors and processes where Linux lists them"
)
DRAWN = [og.Resize((48, 40)), og.Augment(og.Rotate((-15, 15))), og.Normalize("imagenet")]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def apart(photos: Path) -> og.Loader:
    """One process for several tests."""
    return og.Loader(photos, DRAWN, batch_size=4, prefetch=1, process=True)


@pytest.fixture(scope="module")
def plain(photos: Path) -> og.Loader:
    return og.Loader(photos, DRAWN, batch_size=4, prefetch=1)


def children() -> set[int]:
    """Child processes of this one."""
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return {int(number) for number in listed}


def handles() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def assert_equal(batch: og.Batch, want: og.Batch) -> None:
    for name in ("image", "label", "mask", "index"):
        mine, other = getattr(batch, name), getattr(want, name)
        assert (mine is None) == (other is None), name
        if other is not None:
            assert mine.dtype == other.dtype and mine.shape == other.shape, name
            assert mine.tobytes() == other.tobytes() and mine.flags.writeable, name
    assert len(batch.records) == len(want.records) and batch.records == want.records
    assert repr(batch) == repr(want)


def ended(process_id: int) -> bool:
    """Whether a process ends within a few seconds; what nobody has waited for yet counts as ended."""
    for _ in range(200):
        try:
            if Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_batches_are_those_of_threads(photos: Path) -> None:
    plain = og.Loader(photos, recipe(), batch_size=4, seed=3, one_hot=True)
    apart = og.Loader(photos, recipe(), batch_size=4, seed=3, one_hot=True, process=True, threads=1)
    for epoch in range(2):
        for batch, want in zip(apart, plain.epoch(epoch), strict=True):
            assert_equal(batch, want)
    assert [len(batch) for batch in apart.epoch(1)] == [4, 4, 4, 3]


def test_masks_objects_and_other_dtypes(photos: Path, tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path / "pairs")
    options = {"batch_size": 4, "shuffle": True}
    source = og.open_source(images, masks=masks)
    for batch, want in zip(
        og.Loader(source, DRAWN, process=True, **options), og.Loader(source, DRAWN, **options)
    ):
        assert_equal(batch, want)

    listed = [{"id": i, "file_name": f"{i}.png", "height": 8, "width": 10} for i in range(3)]
    boxes = [
        {"id": i, "image_id": i % 2, "category_id": 0, "bbox": [i, 1, 4, 3], "keypoints": [i, 1, 2]}
        for i in range(4)
    ]
    categories = [{"id": 0, "name": "a", "keypoints": ["tip"]}]
    (tmp_path / "coco").mkdir()
    for i in range(3):
        og.imwrite(tmp_path / "coco" / f"{i}.png", np.full((8, 10, 3), i, np.uint8))
    (tmp_path / "coco" / "instances.json").write_text(
        json.dumps({"images": listed, "annotations": boxes, "categories": categories})
    )
    for layout in ("padded", "ragged"):
        (batch,) = og.Loader(tmp_path / "coco", boxes=layout, process=True)
        (want,) = og.Loader(tmp_path / "coco", boxes=layout)
        assert_equal(batch, want)
        assert batch.objects is not None and want.objects is not None
        for name in ("boxes", "classes", "index", "points", "visible"):
            mine, other = getattr(batch.objects, name), getattr(want.objects, name)
            assert type(mine) is type(other) and len(mine) == len(other)
            assert all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(mine, other))
        assert batch.objects.format == want.objects.format


def test_finished_batches(photos: Path) -> None:
    options = {"batch_size": 4, "one_hot": True, "pad_last": True, "mix": og.MixUp(0.4), "dtype": "float16"}
    apart = og.Loader(photos, DRAWN, data_format="channels_first", process=True, **options)
    plain = og.Loader(photos, DRAWN, data_format="channels_first", **options)
    for batch, want in zip(apart.every(2, 1), plain.every(2, 1), strict=True):
        assert_equal(batch, want)
        assert batch.image.shape == (4, 3, 48, 40) and np.array_equal(batch.valid, want.valid)
    state = plain.state_dict()
    apart.load_state_dict(state)
    assert_equal(next(iter(apart)), next(plain.epoch(state["epoch"])))


def test_bfloat16(photos: Path) -> None:
    pytest.importorskip("ml_dtypes")
    (batch,) = og.Loader(photos, DRAWN, dtype="bfloat16", process=True)
    (want,) = og.Loader(photos, DRAWN, dtype="bfloat16")
    assert_equal(batch, want)
    assert batch.image.dtype.name == "bfloat16"


def test_a_built_dataset_and_batches_of_one_whatever_their_size(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "built", DRAWN, format="folder")
    for batch, want in zip(
        og.Loader(tmp_path / "built", process=True), og.Loader(tmp_path / "built"), strict=True
    ):
        assert_equal(batch, want)
    for batch, want in zip(
        og.Loader(photos, batch_size=1, process=True), og.Loader(photos, batch_size=1), strict=True
    ):
        assert_equal(batch, want)


def test_a_batch_belongs_to_its_holder(apart: og.Loader, plain: og.Loader) -> None:
    wanted = [batch.image.copy() for batch in plain.epoch(0)]
    kept = []
    for batch, want in zip(apart.epoch(0), wanted, strict=True):
        assert batch.image.ctypes.data % 64 == 0  # TensorFlow takes it without a copy
        kept.append(batch.image[1:2, ..., 0])  # a part keeps the whole
        assert np.array_equal(batch.image, want)
        batch.image[2:] = -7  # nobody else's
    for _ in range(3):
        assert [batch.image.tobytes() for batch in apart.epoch(0)] == [image.tobytes() for image in wanted]
    for part, want in zip(kept, wanted, strict=True):
        assert np.array_equal(part, want[1:2, ..., 0])


def test_memory_is_used_again(apart: og.Loader) -> None:
    places = {batch.image.ctypes.data for epoch in range(10) for batch in apart.epoch(epoch)}
    assert len(places) <= 14  # of 40 batches
    before = handles()
    for epoch in range(10):
        list(apart.epoch(epoch))
    assert handles() <= before + 8


def test_more_batches_may_be_held_than_are_shared(tmp_path: Path) -> None:
    for number in range(90):
        image_file(tmp_path / f"{number:02}.png", np.full((40, 40, 3), number, np.uint8))
    loader = og.Loader(tmp_path, batch_size=1, process=True)
    before = handles()
    held = list(loader)
    assert handles() - before < 80
    held += list(loader.epoch(0))
    assert [int(batch.image[0, 0, 0, 0]) for batch in held] == [*range(90)] * 2
    assert held[0].records[0]["key"]["index"] == 0 and held[-1].records[0]["key"]["index"] == 89


def test_passes_side_by_side(apart: og.Loader, plain: og.Loader) -> None:
    list(apart.epoch(0))
    before = children()
    for first, second, *want in zip(
        apart.epoch(0), apart.epoch(1), plain.epoch(0), plain.epoch(1), strict=True
    ):
        assert_equal(first, want[0])
        assert_equal(second, want[1])
    assert children() == before  # one process makes both


def test_what_is_left_out_is_listed_and_told(tmp_path: Path) -> None:
    spoiled = class_folder(tmp_path / "in", each=4, bad=True)
    plain = og.Loader(spoiled, DRAWN, batch_size=4, on_error="skip")
    apart = og.Loader(spoiled, DRAWN, batch_size=4, on_error="skip", process=True)
    with pytest.warns(og.OffgraphWarning) as told:
        want = list(plain)
    with pytest.warns(og.OffgraphWarning) as heard:
        found = list(apart)
    for batch, other in zip(found, want, strict=True):
        assert_equal(batch, other)
    assert apart.skipped == plain.skipped and set(apart.skipped) == {"ant/cut.png", "cat/text.jpg"}
    assert [str(one.message) for one in heard] == [str(one.message) for one in told]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(apart)  # told once


def test_what_is_converted_is_listed(tmp_path: Path) -> None:
    for number in range(3):
        image_file(tmp_path / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
    image_file(tmp_path / "deep.png", np.full((8, 8, 3), 257, np.uint16))
    apart = og.Loader(tmp_path, process=True)
    with pytest.warns(og.OffgraphWarning, match=r"deep\.png: converted"):
        list(apart)
    assert list(apart.converted) == ["deep.png"]


def test_errors_are_those_of_threads_with_their_traceback(tmp_path: Path) -> None:
    spoiled = class_folder(tmp_path / "in", each=2, bad=True)
    with pytest.raises(errors.DecodeError) as plain:
        list(og.Loader(spoiled, DRAWN, shuffle=False, batch_size=2))
    apart = og.Loader(spoiled, DRAWN, shuffle=False, batch_size=2, process=True)
    with pytest.raises(errors.DecodeError) as told:
        list(apart)
    assert str(told.value) == str(plain.value) and told.value.__notes__ == plain.value.__notes__
    assert "maker.py" in "".join(traceback.format_exception(told.value))
    assert [len(batch) for batch in og.Loader(spoiled / "bee", DRAWN, process=True)] == [2]


def test_own_steps_of_a_module(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_steps_of_a_process.py").write_text(
        "import offgraph as og\n"
        "class TooDark(ValueError):\n"
        "    def __init__(self, number, of):\n"
        "        super().__init__(f'{number} of {of}')\n"
        "@og.register\n"
        "class Dark(og.PointwiseStep):\n"
        "    '''Fail.\n\n    Exactness: none.\n    '''\n"
        "    def reference(self, ndi, image, params, channel=0):\n"
        "        raise TooDark(1, 2)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from own_steps_of_a_process import Dark  # type: ignore[import-not-found]

    del STEPS["Dark"]  # the tests of all steps know none that tests register
    with pytest.raises(Exception, match="1 of 2") as told:
        list(og.Loader(photos, [og.Resize((8, 8)), Dark()], process=True))
    with pytest.raises(Exception, match="1 of 2") as plain:
        list(og.Loader(photos, [og.Resize((8, 8)), Dark()]))
    assert str(plain.value) in str(told.value)  # its class cannot be made from what its message was
    assert "in reference" in "".join(traceback.format_exception(told.value))


def test_what_the_program_itself_defines_is_refused_by_name(photos: Path) -> None:
    program = (
        "import offgraph as og, sys\n"
        "print('program', flush=True)\n"
        "@og.register\n"
        "class Mine(og.PointwiseStep):\n"
        "    '''Pass.\n\n    Exactness: exact.\n    '''\n"
        "    def reference(self, ndi, image, params, channel=0):\n"
        "        return image\n"
        "list(og.Loader(sys.argv[1], [og.Resize((8, 8))], process=True))\n"  # no guard is needed
        "try:\n"
        "    list(og.Loader(sys.argv[1], [og.Resize((8, 8)), Mine()], process=True))\n"
        "except og.OffgraphError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(photos)], capture_output=True, text=True, check=True
    )
    first, second = run.stdout.splitlines()
    assert first == "program" and "process=True: Mine is defined in the program itself" in second


def test_a_process_that_was_killed_is_named_and_replaced(photos: Path) -> None:
    loader = og.Loader(photos, DRAWN, batch_size=1, process=True, prefetch=1)
    before = children()
    batches = loader.epoch(0)
    first = next(batches)
    unread = next(batches)
    (process_id,) = children() - before
    kept = first.image.copy()
    assert unread.records[0]["key"]["index"] == unread.index[0]
    os.kill(process_id, signal.SIGKILL)
    with pytest.raises(errors.MachineError, match=r"was killed \(SIGKILL\).*the next pass starts a new one"):
        list(batches)
    assert np.array_equal(first.image, kept)  # its memory stays
    with pytest.raises(errors.MachineError, match="the records of this batch are gone"):
        first.records[0]
    assert len(list(loader.epoch(0))) == 15
    assert len(children() - before) == 1 and not (children() - before) & {process_id}


def test_nothing_is_left_behind(photos: Path) -> None:
    gc.collect()
    before, opened = children(), handles()
    loader = og.Loader(photos, DRAWN, batch_size=2, process=True)
    for epoch in range(20):
        batches = loader.epoch(epoch)
        batch = next(batches)
        del batches  # abandoned
    assert len(children() - before) == 1
    del loader
    assert children() - before  # the records of a batch may still be asked for
    assert len(batch.records) == 2 and batch.records[0]["key"]["epoch"] == 19
    del batch
    gc.collect()
    assert not children() - before
    assert handles() == opened


def test_the_process_ends_with_a_program_that_is_killed(photos: Path) -> None:
    program = (
        "import offgraph as og, sys, pathlib, os, time\n"
        "loader = og.Loader(sys.argv[1], [og.Resize((8, 8))], batch_size=2, process=True)\n"
        "batches = iter(loader); next(batches)\n"
        "print(pathlib.Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text(), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(photos)], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        process_id = int(run.stdout.readline())
        run.kill()
    assert ended(process_id)


def test_a_program_ends_with_a_pass_in_progress(photos: Path) -> None:
    program = (
        "import offgraph as og, sys\n"
        "loader = og.Loader(sys.argv[1], [og.Resize((8, 8))], batch_size=2, process=True)\n"
        "batches = iter(loader); print(len(next(batches)))\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(photos)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (run.stdout, run.stderr) == ("2\n", "")


@pytest.mark.alone
def test_ctrl_c_ends_a_pass(photos: Path, tmp_path: Path) -> None:
    program = (
        "import offgraph as og, signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "loader = og.Loader(sys.argv[1], [og.Resize((600, 600)), og.MedianFilter(31)], batch_size=15, process=True)\n"
        "batches = iter(loader)\n"
        "print('go', flush=True)\n"
        "try:\n"
        "    next(batches)\n"
        "except KeyboardInterrupt:\n"
        "    print(time.time(), flush=True)\n"
    )
    command = [sys.executable, "-c", program, str(photos)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        assert run.stdout is not None and run.stdout.readline() == "go\n"
        time.sleep(2)
        asked = time.time()
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the loader's process as well
        out, said = run.communicate(timeout=60)
    assert float(out) - asked < 1.0 and time.time() - asked < 5 and said == ""


def test_a_pickled_loader_has_a_process_of_its_own(photos: Path) -> None:
    loader = og.Loader(photos, DRAWN, batch_size=4, process=True)
    first = [batch.image.tobytes() for batch in loader.epoch(0)]
    copy = pickle.loads(pickle.dumps(loader))
    assert [batch.image.tobytes() for batch in copy.epoch(0)] == first


def test_a_forked_program_gives_nothing_back(apart: og.Loader) -> None:
    batches = apart.epoch(0)
    batch = next(batches)
    want = batch.image.copy()
    process_id = os.fork()
    if not process_id:
        status = 1
        try:
            with pytest.raises(og.OffgraphError, match="before the process forked"):
                next(batches)
            with pytest.raises(og.OffgraphError, match="before the process forked"):
                batch.records[0]
            del batch, batches
            gc.collect()
            same = np.array_equal(next(apart.epoch(0)).image, want)  # by a process of its own
            status = 0 if same else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1]) == 0
    list(batches)
    list(apart.epoch(1))
    assert np.array_equal(batch.image, want)


def test_tensorflow_takes_the_memory_and_the_program_ends(photos: Path) -> None:
    pytest.importorskip("tensorflow")
    program = (
        "import numpy as np, offgraph as og, sys\n"
        "import tensorflow as tf\n"  # first
        "loader = og.Loader(sys.argv[1], [og.Resize((48, 40))], batch_size=3, process=True)\n"
        "kept, plain = [], loader.epoch\n"
        "def epoch(number, **options):\n"
        "    for batch in plain(number, **options):\n"
        "        kept.append(batch.image)\n"
        "        yield batch\n"
        "loader.epoch = epoch\n"
        "for (image, _), mine in zip(loader.tensorflow(), kept):\n"
        "    assert np.asarray(memoryview(image)).ctypes.data == mine.ctypes.data\n"
        "waiting = iter(loader.tensorflow().repeat().map(lambda image, label: image).prefetch(2))\n"
        "print(next(waiting).shape[0], flush=True)\n"  # TensorFlow's threads wait for more
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(photos)], capture_output=True, text=True, timeout=90
    )
    assert (run.stdout, run.returncode) == ("3\n", 0), run.stderr
    assert "Exception ignored" not in run.stderr


def test_with_a_cache_batches_are_the_same(photos: Path, plain: og.Loader) -> None:
    cached = og.Loader(photos, DRAWN, batch_size=4, process=True).cache("memory")
    for epoch in range(2):
        for batch, want in zip(cached.epoch(epoch), plain.epoch(epoch), strict=True):
            assert_equal(batch, want)


def test_the_option_is_checked(photos: Path) -> None:
    with pytest.raises(errors.ArgumentError, match="process='yes': give True or False"):
        og.Loader(photos, process="yes")  # type: ignore[arg-type]
