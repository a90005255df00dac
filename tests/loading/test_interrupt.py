"""Ctrl-C ends a long call, on one thread and on several."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

CALLS = {
    "warp": "ndimage.affine_transform(np.zeros((200, 200, 200)), np.eye(3) * 0.25 + 0.03, order=5, prefilter=False,"
    " output_shape=(600, 400, 200))",
    "rotate bytes": "ndimage.rotate(np.zeros((30000, 30000), np.uint8), 20, order=1, reshape=False)",
    "median": "ndimage.median_filter(np.random.default_rng(0).random((3000, 3000)), 31)",
    "correlate": "ndimage.correlate(np.zeros((4000, 4000)), np.random.default_rng(0).random((101, 101)))",
    "one line": "ndimage.correlate1d(np.zeros(2 * 10**7), np.random.default_rng(0).random(2001))",
    "large window": "ndimage.percentile_filter(np.random.default_rng(0).random((900, 900)), 30, size=301)",
    "band by band": "[ndimage.gaussian_filter(np.ones((6000, 6000)), 20) for _ in range(20)]",
    "parts of an image": "ndimage.affine_transform(np.broadcast_to(np.arange(4000)[:, None], (4000, 4000)), np.eye(2) / 3,"
    " order=5, prefilter=False, output=np.uint8, output_shape=(12000, 12000))",
    "zoomed parts": "ndimage.zoom(np.broadcast_to(np.arange(4000)[:, None], (4000, 4000)), 3, np.uint8, 5, prefilter=False)",
    "points": "ndimage.map_coordinates(np.zeros((9, 9, 9, 9)), np.full((4, 3 * 10**6), 4.5), order=5, prefilter=False)",
}


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", CALLS)
def test_a_long_call_is_interrupted(call, threads):
    # A shell's background jobs, and what they start, ignore the signal.
    program = f"""
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np
import offgraph
from offgraph import ndimage
offgraph.set_num_threads({threads})
print("ready", flush=True)
try:
    {CALLS[call]}
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
else:
    print("done", time.time(), flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.4)
    asked = time.time()
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=60)
    what, when = out.split()
    if what == "done" and float(when) < asked:
        pytest.skip("this machine is too fast for the call")
    assert what == "interrupted"
    # A tenth of a second on a machine that does nothing else; the calls take ten seconds and more.
    assert float(when) - asked < 2.0
