"""Worker processes for decoders that are not made for hostile bytes: a death there is one error, and the next file is read."""

from __future__ import annotations

import errno
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from tests.support.odd_files import gradient

from offgraph.core.errors import DecodeError, MachineError
from offgraph.formats import isolated, jpeg, wire
from offgraph.formats.base import FormatError, Limits, StoredImage
from offgraph.formats.decoding import read


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def forged(precision: int, process: int, tables: bytes = b"") -> bytes:
    """A JPEG of one scan without an image in it."""
    frame = struct.pack(">BHHB", precision, 24, 32, 1) + b"\x01\x11\x00"
    scan = segment(0xDA, b"\x01\x01\x00\x01\x00\x00") + bytes(96)
    return b"\xff\xd8" + segment(process, frame) + tables + scan + b"\xff\xd9"


DEADLY = forged(8, 0xC3, segment(0xC5, bytes(6)))
DEEP = gradient(top=4095)
SOUND = imagecodecs.jpeg_encode(DEEP, lossless=True, bitspersample=12)


@pytest.fixture(autouse=True, scope="module")
def workers_that_run_code():
    """A worker finds functions in `offgraph.formats` alone: give these one more, and less patience."""
    body = (
        "import numpy as np\nfrom offgraph.formats.base import *\n"
        "def _run(data, limits):\n"
        "    space = {'limits': limits, 'np': np, 'StoredImage': StoredImage, 'FormatError': FormatError}\n"
        "    exec(data.decode(), space)\n    return space['stored']\n"
    )
    code = isolated._CODE.replace(
        "from offgraph.formats.worker",
        f"import types; m = types.ModuleType('offgraph.formats.testing'); exec({body!r}, m.__dict__)\n"
        "sys.modules['offgraph.formats.testing'] = m\n"
        "import offgraph.formats.worker as worker; worker._LEAST_SECONDS = 1\nfrom offgraph.formats.worker",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolated, "_CODE", code)
        patch.setattr(isolated, "_pool", pool := isolated._Pool())
        yield
        pool.close()


def test_a_decoder_that_dies_is_one_error_and_the_next_file_is_read() -> None:
    for _ in range(2):
        with pytest.raises(DecodeError, match=r"^<bytes>: damaged: the decoder crashed on it \(SIGSEGV\)$"):
            read(DEADLY)
        np.testing.assert_array_equal(read(SOUND).array, DEEP)


def test_a_lossless_jpeg_takes_a_bit_for_each_pixel() -> None:
    with pytest.raises(DecodeError, match="the header declares 768 pixels, which 63 bytes cannot hold"):
        read(forged(8, 0xC3)[:-60])


def test_an_array_without_pixels_is_no_image() -> None:
    with pytest.raises(
        DecodeError, match=r"damaged: decoded into an array of shape \(0, 0\) with the axes YX"
    ):
        read(forged(9, 0xC0))


@pytest.mark.parametrize(
    ("shape", "axes", "said"),
    [
        ((24, 32, 3), "YX", r"an array of shape \(24, 32, 3\) with the axes YX"),
        ((24, 0), "YX", r"an array of shape \(24, 0\)"),
        ((24, 16), "YX", "24 × 16 pixels, its header says 24 × 32"),
    ],
)
def test_what_is_decoded_has_the_size_that_the_header_says(monkeypatch, shape, axes, said) -> None:
    given = StoredImage(np.zeros(shape, np.uint8), axes, "grey")
    monkeypatch.setattr(jpeg, "_decode_ordinary", lambda *_: given)
    with pytest.raises(DecodeError, match=f"damaged: decoded into {said}"):
        read(forged(8, 0xC0))


def test_many_threads_share_the_workers() -> None:
    deadly, sound = [], []

    def work(turn: int) -> None:
        for _ in range(3):
            try:
                sound.append(np.array_equal(read(SOUND if turn % 3 else DEADLY).array, DEEP))
            except DecodeError as error:
                deadly.append("SIGSEGV" in str(error))

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sound == [True] * 18 and deadly == [True] * 9


SCRIPT = """
import sys, threading, numpy as np, offgraph as og
for path in sys.argv[1:]:
    try:
        print(og.imread(path).sum())
    except og.OffgraphError as error:
        print(type(error).__name__)
print(sorted(name for name in sys.modules if name in ("multiprocessing", "tensorflow")))
"""


def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(SOUND)
    (tmp_path / "b.jpg").write_bytes(DEADLY)
    (tmp_path / "numpy.py").write_text(
        "raise SystemExit('not this one')"
    )  # of the folder that it is started in
    script = tmp_path / "code" / "script.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    run = subprocess.run(
        [sys.executable, "-W", "error", str(script), "a.jpg", "b.jpg", "a.jpg"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    total = str(DEEP.sum())
    assert run.stdout.split("\n") == [total, "DecodeError", total, "[]", ""]
    assert run.stderr == "" and run.returncode == 0


def test_a_forked_process_starts_workers_of_its_own() -> None:
    read(SOUND)
    child = os.fork()
    if not child:
        os._exit(0 if np.array_equal(read(SOUND).array, DEEP) else 1)
    read(SOUND)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(read(SOUND).array, DEEP)


def test_no_process_for_it_is_no_fault_of_the_file(monkeypatch) -> None:
    monkeypatch.setattr(isolated, "_pool", isolated._Pool())
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(MachineError, match="<bytes>: no process to decode it in could be started"):
        read(SOUND)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(MachineError, match="the process that decodes such files does not start"):
        read(SOUND)
    monkeypatch.undo()
    np.testing.assert_array_equal(read(SOUND).array, DEEP)


def test_no_handles_for_it_is_no_fault_of_the_file() -> None:
    code = (
        "import os, resource, sys, offgraph as og; data = open(sys.argv[1], 'rb').read()\n"
        "from offgraph.formats.decoding import read\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))\n"
        "held = []\n"
        "try:\n"
        "    while True: held.append(os.open('/dev/null', os.O_RDONLY))\n"
        "except OSError: pass\n"
        "try: read(data)\n"
        "except og.OffgraphError as error: print(type(error).__name__, error.errno)\n"
        "for handle in held: os.close(handle)\n"
        "print(read(data).array.sum())"
    )
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(SOUND)
        file.flush()
        run = subprocess.run(
            [sys.executable, "-c", code, file.name], capture_output=True, text=True, check=False
        )
    assert run.stdout == f"MachineError 24\n{DEEP.sum()}\n", run.stderr


# what a worker does with other functions than those that decode


def limited(code: str, limits: Limits | None = None, **options: object) -> StoredImage:
    return isolated.decode(_run, code.encode(), limits or Limits(10**6), **options)


def _run(data: bytes, limits: Limits) -> StoredImage:
    space: dict = {"limits": limits, "np": np, "StoredImage": StoredImage}
    exec(data.decode(), space)
    return space["stored"]


_run.__module__ = "offgraph.formats.testing"


GIVE = "stored = StoredImage(np.arange(6, dtype='u2').reshape(2, 3), 'YX', 'grey', palette=np.zeros((2, 3), 'u1'), notes=('a', 'b'))"


def test_every_field_of_what_is_decoded_comes_back() -> None:
    stored = limited(GIVE)
    assert stored.array.dtype == np.uint16 and stored.array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert stored.palette is not None and stored.palette.shape == (2, 3)
    assert (stored.axes, stored.layout, stored.notes, stored.frames) == ("YX", "grey", ("a", "b"), 1)


def test_a_worker_that_leaves_slowly_is_replaced_without_a_word() -> None:
    """It serves so many files, then ends; what it was sent meanwhile goes to the next one."""
    limited(
        "import atexit, time, offgraph.formats.worker as worker; atexit.register(time.sleep, 0.6); "
        "worker._IDLE_SECONDS = 0; " + GIVE
    )
    time.sleep(0.1)
    assert limited(GIVE).array.size == 6


def test_endless_memory_is_refused() -> None:
    with pytest.raises(FormatError, match=r"needs more memory than the limit allows; .* raise max_pixels"):
        limited("stored = [np.empty(10**8) for _ in range(99)]")
    assert limited(GIVE).array.size == 6


def test_the_declared_size_gives_memory() -> None:
    take = "held = np.empty(10**8, 'u1'), np.empty(10**9, 'u1'); " + GIVE
    with pytest.raises(FormatError, match="needs more memory"):
        limited(take, Limits(10**8))
    limits = Limits(10**9)
    assert limited(f"limits.check(10**4, 10**4); {take}", limits).array.size == 6
    assert limits.checked == [(10**4, 10**4)]


def test_endless_work_is_stopped() -> None:
    began = time.perf_counter()
    with pytest.raises(FormatError, match="took too many CPU seconds"):
        limited("while True: pass")
    assert time.perf_counter() - began < 15  # on a machine that does other things as well
    assert limited(GIVE).array.size == 6


def test_a_decoder_that_sleeps_is_stopped(monkeypatch) -> None:
    monkeypatch.setattr(isolated, "_FIRST_SECONDS", 0.5)
    with pytest.raises(FormatError, match="took too long and was stopped"):
        limited("import time; time.sleep(60)")
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise FormatError('cut')", "^cut$"),
        ("raise KeyError('x', 3)", r"^damaged \(KeyError: \('x', 3\)\)$"),
        ("import struct; struct.unpack('I', b'')", r"^damaged \(error: unpack requires"),
        ("import os; os._exit(3)", r"^damaged: the decoder ended \(status 3\)$"),
        ("import os; os.abort()", r"crashed on it \(SIGABRT\)"),
        ("stored = StoredImage(np.zeros((2, 2), 'u1'), 'ZYX', 'grey')", "with axes 'ZYX'"),
        ("stored = StoredImage(np.zeros(10**7, 'f8'), 'X', 'grey')", "damaged: decoded into float64"),
        ("stored = StoredImage(np.zeros(2, object), 'X', 'grey')", "damaged: decoded into object"),
        ("stored = 3", r"^damaged \(TypeError: must be called with a dataclass"),
    ],
)
def test_what_else_a_decoder_may_do(code: str, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        limited(code)
    assert limited(GIVE).array.size == 6


def test_a_worker_that_the_system_kills_says_nothing_about_the_file() -> None:
    """The kernel's own limits end a decoder with SIGXCPU or MemoryError; SIGKILL is the machine's want of memory."""
    with pytest.raises(MachineError, match="killed twice") as caught:
        limited("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert caught.value.errno == errno.ENOMEM
    assert limited(GIVE).array.size == 6


@pytest.mark.parametrize(
    ("setting", "pause"), [("_IDLE_SECONDS = 0.1", 0.3), ("_FILES = 2", 0), ("_FILES = 2", 0.1)]
)
def test_a_worker_that_left_is_replaced(setting: str, pause: float, monkeypatch) -> None:
    """It leaves when it had no work for a minute, and after some hundred files."""
    starts = isolated._CODE.replace("worker._LEAST_SECONDS = 1", f"worker.{setting}")
    assert starts != isolated._CODE
    monkeypatch.setattr(isolated, "_CODE", starts)
    monkeypatch.setattr(isolated, "_pool", pool := isolated._Pool())
    for _ in range(5):
        assert limited(GIVE).array.size == 6
        time.sleep(pause)
    pool.close()
    assert pool._count == 0


def test_ctrl_c_leaves_no_worker_with_half_an_answer() -> None:
    def press() -> None:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    limited(GIVE)
    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        limited("import time; time.sleep(3); " + GIVE)
    thread.join()
    assert limited(GIVE).array.size == 6


def test_a_worker_ends_with_its_program() -> None:
    code = (
        "import sys; from offgraph.formats import isolated\n"
        "from offgraph.formats import jpeg; from offgraph.formats.base import Limits\n"
        "worker = isolated._pool.take(); print(worker._process.pid, flush=True); import os; os._exit(0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid = int(run.stdout)
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_a_header_without_sense_closes_the_connection() -> None:
    import socket

    for sent in (b"\xff\xff\xff\xff", b"\0\0\0\x02[]", b"\0\0\0\x01{"):
        here, there = socket.socketpair()
        with here, there:
            there.sendall(sent)
            there.shutdown(socket.SHUT_WR)
            with pytest.raises(wire.Closed):
                wire.receive(here)
